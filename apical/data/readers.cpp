#include "apical/data/readers.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <sstream>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/thread_pool.h"
#include "apical/formats/audio.h"
#include "apical/formats/events/event.h"
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

Set read_mnist_like(const fs::path& folder, const std::string& split) {
  const std::string stem = split == "train" ? "train" : "t10k";
  Set set = read_idx_pair(need(folder, stem + "-images-idx3-ubyte"), need(folder, stem + "-labels-idx1-ubyte"));
  if (set.channels != 1 || set.height != 28 || set.width != 28)
    throw data_error("images are " + std::to_string(set.height) + " x " + std::to_string(set.width) + ", not 28 x 28",
                     (folder / (stem + "-images-idx3-ubyte")).string());
  for (const std::int32_t label : set.labels)
    if (label >= 10) throw data_error("label " + std::to_string(label) + " outside 0..9", (folder / (stem + "-labels-idx1-ubyte")).string());
  return set;
}

/// A file of a set that keeps one sample a file.
struct SampleFile {
  std::string id;
  std::int32_t label = 0;
  fs::path path;
};

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::optional<int> whole_number(const std::string& text) {
  if (text.empty() || text.size() > 9 || !std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); })) return {};
  return std::stoi(text);
}

/// Publisher's layout: Train/<digit>/<id>.bin.
std::vector<SampleFile> nmnist_by_class(const fs::path& part) {
  std::vector<SampleFile> list;
  for (int digit = 0; digit < 10; ++digit) {
    const fs::path folder = part / std::to_string(digit);
    if (!is_folder(folder)) throw data_error("folder missing", folder.string());
    for (const fs::path& path : sorted_files(folder))
      if (path.extension() == ".bin") list.push_back({path.stem().string(), digit, path});
  }
  std::sort(list.begin(), list.end(), [](const SampleFile& a, const SampleFile& b) { return a.id < b.id; });
  return list;
}

/// labels.csv (columns split, id, label, found by their names) beside <split>/<id>.bin.
std::vector<SampleFile> nmnist_by_table(const fs::path& folder, const std::string& split) {
  const fs::path table = folder / "labels.csv";
  std::istringstream lines(read_text(table, std::size_t{1} << 26));
  auto cells = [](const std::string& line) {
    std::vector<std::string> list(1);
    for (const char c : line)
      if (c == ',') list.emplace_back();
      else if (c != '\r') list.back() += c;
    return list;
  };
  std::string line;
  std::getline(lines, line);
  const auto header = cells(line);
  auto column = [&](const char* name) {
    const auto at = std::find(header.begin(), header.end(), name);
    if (at == header.end()) throw data_error(std::string("no column '") + name + "'", table.string() + " line 1");
    return static_cast<std::size_t>(at - header.begin());
  };
  const std::size_t c_split = column("split"), c_id = column("id"), c_label = column("label");
  std::vector<SampleFile> list;
  for (int number = 2; std::getline(lines, line); ++number) {
    if (line.empty()) continue;
    const auto row = cells(line);
    const std::string where = table.string() + " line " + std::to_string(number);
    if (row.size() != header.size()) throw data_error("expected " + std::to_string(header.size()) + " cells, found " + std::to_string(row.size()), where);
    if (row[c_split] != split) continue;
    const auto label = whole_number(row[c_label]), id = whole_number(row[c_id]);
    if (!label || *label > 9) throw data_error("label '" + row[c_label] + "' is no digit", where);
    if (!id) throw data_error("id '" + row[c_id] + "' is no number", where);
    std::string name = std::to_string(*id);
    name.insert(0, name.size() < 5 ? 5 - name.size() : 0, '0');
    const fs::path path = folder / split / (name + ".bin");
    if (!is_file(path)) throw data_error("file missing that labels.csv names", path.string());
    list.push_back({name, *label, path});
  }
  return list;
}

fs::path nmnist_part(const fs::path& folder, const std::string& split) {
  return folder / (split == "train" ? "Train" : "Test");
}

Set read_nmnist(const fs::path& folder, const std::string& split) {
  const auto files = is_file(folder / "labels.csv") ? nmnist_by_table(folder, split) : nmnist_by_class(nmnist_part(folder, split));
  Set set;
  set.kind = Kind::events;
  set.channels = 2;
  set.height = set.width = 34;
  set.recordings.resize(files.size());
  parallel_for(0, files.size(), 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      set.recordings[i] = formats::read_events(files[i].path);
      for (const formats::Event& e : set.recordings[i])
        if (e.x >= 34 || e.y >= 34)
          throw data_error("event at (" + std::to_string(e.x) + ", " + std::to_string(e.y) + ") outside 34 x 34", files[i].path.string());
    }
  });
  Sha256 hash;
  for (const SampleFile& f : files) {
    const auto bytes = read_file(f.path);
    const std::string head = f.id + " " + std::to_string(f.label) + "\n";
    hash.update(head.data(), head.size());
    hash.update(bytes.data(), bytes.size());
    set.labels.push_back(f.label);
    set.ids.push_back(split + "/" + f.id);
  }
  set.sha256 = hash.hex();
  return set;
}

/// recordings/<digit>_<speaker>_<take>.{wav,flac}; takes 0 to 4 are the test split, as the publisher says.
Set read_fsdd(const fs::path& folder, const std::string& split) {
  std::vector<SampleFile> files;
  for (const fs::path& path : sorted_files(folder / "recordings")) {
    if (path.extension() != ".wav" && path.extension() != ".flac") continue;
    const std::string id = path.stem().string();
    const auto first = id.find('_'), last = id.rfind('_');
    const auto digit = whole_number(id.substr(0, first)), take = last == std::string::npos ? std::nullopt : whole_number(id.substr(last + 1));
    if (!digit || *digit > 9 || !take || first == last) throw data_error("not named <digit>_<speaker>_<take>", path.string());
    if ((*take <= 4) == (split == "test")) files.push_back({id, *digit, path});
  }
  Set set;
  set.kind = Kind::audio;
  set.clips.resize(files.size());
  std::vector<int> rates(files.size());
  parallel_for(0, files.size(), 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const formats::Audio audio = formats::read_audio(files[i].path);
      rates[i] = audio.sample_rate;
      set.clips[i] = audio.mono();
    }
  });
  Sha256 hash;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (rates[i] != 8000) throw data_error("sample rate " + std::to_string(rates[i]) + " Hz, not 8000", files[i].path.string());
    // The samples, not the container: WAV and FLAC of the same recording have the same hash.
    std::vector<std::uint8_t> pcm;
    pcm.reserve(2 * set.clips[i].size());
    for (const float v : set.clips[i]) {
      const auto word = static_cast<std::uint16_t>(static_cast<std::int16_t>(std::lround(std::clamp(v * 32768.0f, -32768.0f, 32767.0f))));
      pcm.push_back(static_cast<std::uint8_t>(word & 255));
      pcm.push_back(static_cast<std::uint8_t>(word >> 8));
    }
    const std::string head = files[i].id + "\n";
    hash.update(head.data(), head.size());
    hash.update(pcm.data(), pcm.size());
    set.labels.push_back(files[i].label);
    set.ids.push_back(split + "/" + files[i].id);
  }
  set.sha256 = hash.hex();
  set.sample_rate = 8000;
  return set;
}

}  // namespace

std::vector<fs::path> sorted_files(const fs::path& folder, bool folders) {
  std::vector<fs::path> list;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (folders ? is_folder(it->path()) : is_file(it->path())) list.push_back(it->path());
  if (error) throw data_error("cannot read the folder: " + error.message(), folder.string());
  std::sort(list.begin(), list.end());
  return list;
}

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
  if (name == "n-mnist") return is_folder(folder / "Train" / "0") || is_folder(folder / "Test" / "0") || (is_file(folder / "labels.csv") && folder != root);
  return is_folder(folder / "recordings");
}

Set read_known(const Entry& entry, const fs::path& folder, const std::string& split) {
  Set set;
  if (entry.name == "mnist" || entry.name == "fashion-mnist") set = read_mnist_like(folder, split);
  else if (entry.name == "n-mnist") set = read_nmnist(folder, split);
  else if (entry.name == "fsdd") set = read_fsdd(folder, split);
  else throw internal_error("no reader for '" + entry.name + "'");
  if (set.size() == 0) throw data_error("no samples of the " + split + " split", folder.string());
  set.classes = entry.classes;
  set.name = entry.name;
  set.split = split;
  if (set.ids.empty()) {
    set.ids.reserve(set.size());
    for (std::size_t i = 0; i < set.size(); ++i) set.ids.push_back(split + "/" + std::to_string(i));
  }
  return set;
}

}  // namespace apical::data
