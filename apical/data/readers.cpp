#include "apical/data/readers.h"

#include <algorithm>
#include <map>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/formats/idx.h"

namespace apical::data {
namespace fs = std::filesystem;
namespace {

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// DIR/name or DIR/name.gz, whichever is there.
std::optional<fs::path> plain_or_packed(const fs::path& folder, const std::string& name) {
  for (const char* end : {"", ".gz"})
    if (is_file(folder / (name + end))) return folder / (name + end);
  return std::nullopt;
}

fs::path need(const fs::path& folder, const std::string& name) {
  if (const auto found = plain_or_packed(folder, name)) return *found;
  throw data_error("file missing", (folder / name).string() + "[.gz]");
}

Set read_mnist_like(const Entry& entry, const fs::path& folder, const std::string& split) {
  const std::string stem = split == "train" ? "train" : "t10k";
  Set set = read_idx_pair(need(folder, stem + "-images-idx3-ubyte"), need(folder, stem + "-labels-idx1-ubyte"));
  if (set.channels != 1 || set.height != 28 || set.width != 28)
    throw data_error("images are " + std::to_string(set.height) + " x " + std::to_string(set.width) + ", not 28 x 28",
                     (folder / (stem + "-images-idx3-ubyte")).string());
  for (const std::int32_t label : set.labels)
    if (label >= 10) throw data_error("label " + std::to_string(label) + " outside 0..9", (folder / (stem + "-labels-idx1-ubyte")).string());
  set.classes = entry.classes;
  return set;
}

}  // namespace

Set read_idx_pair(const fs::path& images, const fs::path& labels) {
  formats::Array x = formats::read_idx(images), y = formats::read_idx(labels);
  if (x.dtype != formats::DType::u8 || (x.shape.size() != 3 && x.shape.size() != 4))
    throw data_error("expected bytes of shape [N, H, W] or [N, C, H, W], found " + formats::name(x.dtype) + " " + formats::shape_text(x.shape),
                     images.string());
  if (y.shape.size() != 1) throw data_error("expected labels of shape [N], found " + formats::shape_text(y.shape), labels.string());
  if (x.shape[0] != y.shape[0])
    throw data_error(std::to_string(x.shape[0]) + " images but " + std::to_string(y.shape[0]) + " labels", labels.string(),
                     "The two files do not belong together.");
  Set set;
  set.kind = Kind::image;
  Sha256 hash;
  for (const formats::Array* a : {&x, &y}) {
    const auto bytes = formats::idx_bytes(*a);
    hash.update(bytes.data(), bytes.size());
  }
  set.sha256 = hash.hex();
  const bool channels = x.shape.size() == 4;
  set.channels = channels ? static_cast<int>(x.shape[1]) : 1;
  set.height = static_cast<int>(x.shape[channels ? 2 : 1]);
  set.width = static_cast<int>(x.shape[channels ? 3 : 2]);
  const auto values = y.floats();
  set.labels.reserve(values.size());
  for (const float v : values) {
    if (!(v >= 0 && v < 1e6f) || v != static_cast<float>(static_cast<std::int32_t>(v)))
      throw data_error("label " + std::to_string(v) + " is no class number", labels.string());
    set.labels.push_back(static_cast<std::int32_t>(v));
  }
  set.pixels = std::move(x.bytes);
  return set;
}

bool holds(const std::string& name, const fs::path& folder, const fs::path& root) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return false;
  if (name == "mnist" || name == "fashion-mnist") {
    // The two have the same file names. A bare folder is Fashion-MNIST only when its path says so, and MNIST only when it does not.
    if (folder == root) {
      std::string text = fs::absolute(folder, ignored).string();
      std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      const bool fashion = text.find("fashion") != std::string::npos;
      if (fashion != (name == "fashion-mnist")) return false;
    }
    return plain_or_packed(folder, "train-images-idx3-ubyte") || plain_or_packed(folder, "t10k-images-idx3-ubyte");
  }
  return false;
}

Set read_known(const Entry& entry, const fs::path& folder, const std::string& split) {
  Set set;
  if (entry.name == "mnist" || entry.name == "fashion-mnist") set = read_mnist_like(entry, folder, split);
  else throw internal_error("no reader for '" + entry.name + "'");
  set.name = entry.name;
  set.split = split;
  if (set.ids.empty()) {
    set.ids.reserve(set.size());
    for (std::size_t i = 0; i < set.size(); ++i) set.ids.push_back(split + "/" + std::to_string(i));
  }
  return set;
}

}  // namespace apical::data
