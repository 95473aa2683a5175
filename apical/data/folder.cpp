#include "apical/data/folder.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/text.h"
#include "apical/data/readers.h"
#include "apical/formats/audio.h"
#include "apical/formats/idx.h"
#include "apical/formats/npy.h"

namespace apical::data {
namespace fs = std::filesystem;
namespace {

constexpr const char* layouts =
    "Expected DIR/<class>/*.png (or event files, or WAV/FLAC), DIR/train/<class> and DIR/test/<class>, IDX files, or an .npz with x and y.";

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::optional<Kind> kind_of(const fs::path& path) {
  const std::string end = lower(path.extension().string());
  if (end == ".png") return Kind::image;
  if (end == ".wav" || end == ".flac") return Kind::audio;
  if (end == ".bin" || end == ".aedat" || end == ".aedat3" || end == ".aedat4" || end == ".dat" || end == ".es" || end == ".raw" || end == ".hdf5" || end == ".h5")
    return Kind::events;
  return std::nullopt;
}

bool is_idx(const fs::path& path, const char* word) {
  const std::string name = lower(path.filename().string());
  return name.find("idx") != std::string::npos && name.find(word) != std::string::npos;
}

struct Listing {
  std::vector<fs::path> folders, files;
};
Listing list(const fs::path& folder) {
  Listing found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.empty() || name[0] == '.') continue;
    std::error_code ignored;
    if (it->is_directory(ignored)) found.folders.push_back(it->path());
    else if (it->is_regular_file(ignored)) found.files.push_back(it->path());
  }
  if (error) throw data_error("cannot read the folder: " + error.message(), folder.string());
  std::sort(found.files.begin(), found.files.end());
  // Classes named by numbers are in the order of the numbers, others in that of the alphabet.
  auto number = [](const fs::path& p) {
    const std::string name = p.filename().string();
    const bool digits = name.size() < 10 && std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); });
    return digits ? std::stol(name) : -1L;
  };
  std::sort(found.folders.begin(), found.folders.end(), [&](const fs::path& a, const fs::path& b) {
    const long na = number(a), nb = number(b);
    return na >= 0 && nb >= 0 && na != nb ? na < nb : a.filename() < b.filename();
  });
  return found;
}

struct Sample {
  fs::path path;
  std::int32_t label;
  std::string id;
};

/// Adds what one file holds.
void add(const Sample& sample, const FolderOptions& options, Set& set) {
  const std::string where = sample.path.string();
  if (set.kind == Kind::image) {
    const formats::Image image = formats::read_png(sample.path);
    const int channels = image.channels == 4 ? 3 : image.channels;
    FitOptions fit = options.fit.value_or(FitOptions{channels, image.height, image.width, Fit::stretch, Invert::never});
    if (set.labels.empty()) {
      set.channels = fit.channels;
      set.height = fit.height;
      set.width = fit.width;
    } else if (fit.height != set.height || fit.width != set.width) {
      throw data_error("this picture is " + std::to_string(image.width) + " x " + std::to_string(image.height) + ", the first one " +
                           std::to_string(set.width) + " x " + std::to_string(set.height), where, "All pictures need one size.");
    }
    fit.channels = set.channels;
    const auto pixels = fit_image(image, fit);
    set.pixels.insert(set.pixels.end(), pixels.begin(), pixels.end());
  } else if (set.kind == Kind::events) {
    formats::EventInfo info;
    set.recordings.push_back(formats::read_events(sample.path, &info));
    int width = info.width, height = info.height;
    if (info.format == formats::EventFormat::nmnist) width = height = 34;
    for (const formats::Event& e : set.recordings.back()) {
      width = std::max(width, e.x + 1);
      height = std::max(height, e.y + 1);
    }
    set.channels = 2;
    set.width = std::max(set.width, width);
    set.height = std::max(set.height, height);
  } else {
    const formats::Audio audio = formats::read_audio(sample.path);
    if (set.sample_rate != 0 && audio.sample_rate != set.sample_rate)
      throw data_error("sample rate " + std::to_string(audio.sample_rate) + " Hz, the first clip has " + std::to_string(set.sample_rate), where);
    set.sample_rate = audio.sample_rate;
    set.clips.push_back(audio.mono());
  }
  set.labels.push_back(sample.label);
  set.ids.push_back(sample.id);
}

Set read_samples(const std::vector<Sample>& samples, const fs::path& root, const FolderOptions& options) {
  std::optional<Kind> kind;
  Set set;
  Sha256 hash;
  for (const Sample& sample : samples) {
    const auto own = kind_of(sample.path);
    if (!kind) kind = own;
    if (own != kind) throw data_error("pictures, recordings and sounds are mixed", sample.path.string(), "One kind of file a data set.");
    set.kind = *kind;
    add(sample, options, set);
    const auto bytes = read_file(sample.path);
    hash.update(sample.id.data(), sample.id.size());
    hash.update(bytes.data(), bytes.size());
  }
  if (samples.empty()) throw data_error("no samples found", root.string(), layouts);
  set.sha256 = hash.hex();
  return set;
}

std::vector<Sample> class_samples(const std::vector<fs::path>& folders, std::vector<std::string>& classes) {
  std::vector<Sample> samples;
  for (const fs::path& folder : folders) {
    const std::string name = folder.filename().string();
    std::vector<Sample> own;
    for (const fs::path& file : list(folder).files)
      if (kind_of(file)) own.push_back({file, static_cast<std::int32_t>(classes.size()), name + "/" + file.filename().string()});
    if (own.empty()) continue;
    classes.push_back(name);
    samples.insert(samples.end(), own.begin(), own.end());
  }
  return samples;
}

/// The images file of a split in a folder of IDX files, with its labels.
std::optional<std::pair<fs::path, fs::path>> idx_pair(const Listing& found, const std::string& split) {
  const auto of_split = [&](const fs::path& p) {
    const std::string name = lower(p.filename().string());
    const bool test = name.find("t10k") != std::string::npos || name.find("test") != std::string::npos;
    return test == (split == "test");
  };
  std::optional<fs::path> images, labels;
  for (const fs::path& file : found.files) {
    if (!of_split(file)) continue;
    if (is_idx(file, "image")) images = file;
    if (is_idx(file, "label")) labels = file;
  }
  if (!images) return std::nullopt;
  return std::pair{*images, labels.value_or(fs::path())};
}

Set unlabelled_idx(const fs::path& images) {
  const formats::Array x = formats::read_idx(images);
  if (x.dtype != formats::DType::u8 || (x.shape.size() != 3 && x.shape.size() != 4))
    throw data_error("expected bytes of shape [N, H, W] or [N, C, H, W], found " + formats::name(x.dtype) + " " + formats::shape_text(x.shape),
                     images.string());
  Set set;
  const bool channels = x.shape.size() == 4;
  set.channels = channels ? static_cast<int>(x.shape[1]) : 1;
  set.height = static_cast<int>(x.shape[channels ? 2 : 1]);
  set.width = static_cast<int>(x.shape[channels ? 3 : 2]);
  set.labels.assign(x.shape[0], -1);
  set.sha256 = sha256_hex(x.bytes);
  set.pixels = x.bytes;
  return set;
}

/// The labels file that belongs to an images file: the same name with the words changed, packed or not.
fs::path labels_beside(const fs::path& images) {
  std::string name = images.filename().string();
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"images", "labels"}, {"idx3", "idx1"}, {"idx4", "idx1"}})
    if (const auto at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
  if (name == images.filename().string()) return {};
  std::error_code ignored;
  const fs::path plain = images.parent_path() / name;
  for (fs::path candidate : {plain, fs::path(plain.string() + ".gz"), plain.extension() == ".gz" ? fs::path(plain).replace_extension() : plain})
    if (fs::is_regular_file(candidate, ignored)) return candidate;
  return {};
}

Set with_labels(const fs::path& images, const fs::path& labels) {
  return labels.empty() ? unlabelled_idx(images) : read_idx_pair(images, labels);
}

const formats::Array* member(const formats::Npz& arrays, std::initializer_list<std::string> names) {
  for (const std::string& name : names)
    if (const auto at = arrays.find(name); at != arrays.end()) return &at->second;
  return nullptr;
}

Set read_npz_set(const fs::path& path, const std::string& split) {
  const formats::Npz arrays = formats::read_npz(path);
  const std::string where = path.string();
  const bool parts = member(arrays, {"x_train"}) != nullptr;
  const formats::Array* x = parts ? member(arrays, {"x_" + split}) : member(arrays, {"x", "images", "data"});
  const formats::Array* y = parts ? member(arrays, {"y_" + split}) : member(arrays, {"y", "labels", "targets"});
  if (!x) {
    std::vector<std::string> names;
    for (const auto& [name, array] : arrays) names.push_back(name);
    throw data_error("no array 'x'" + (parts ? "_" + split : std::string()), where, "Found: " + join(names, ", ") + ".");
  }
  if (x->shape.size() != 3 && x->shape.size() != 4)
    throw data_error("x must be [N, H, W] or [N, C, H, W], not " + formats::shape_text(x->shape), where);
  Set set;
  const bool channels = x->shape.size() == 4;
  for (std::size_t d = 1; d < x->shape.size(); ++d)
    if (x->shape[d] == 0 || x->shape[d] > 1 << 20) throw data_error("x has the shape " + formats::shape_text(x->shape), where);
  set.channels = channels ? static_cast<int>(x->shape[1]) : 1;
  set.height = static_cast<int>(x->shape[channels ? 2 : 1]);
  set.width = static_cast<int>(x->shape[channels ? 3 : 2]);
  if (x->dtype == formats::DType::u8) set.pixels = x->bytes;
  else
    for (const float v : x->floats()) {
      if (!(v >= 0 && v <= 1)) throw data_error("x holds " + number(v) + "; other than u8 values must lie in 0..1", where);
      set.pixels.push_back(static_cast<std::uint8_t>(v * 255 + 0.5f));
    }
  if (y) {
    if (y->shape.size() != 1 || y->shape[0] != x->shape[0])
      throw data_error("y has the shape " + formats::shape_text(y->shape) + " for " + std::to_string(x->shape[0]) + " samples", where);
    for (const float v : y->floats()) {
      if (!(v >= 0 && v < 65536) || v != static_cast<float>(static_cast<std::int32_t>(v))) throw data_error("label " + number(v) + " is no class number", where);
      set.labels.push_back(static_cast<std::int32_t>(v));
    }
  } else {
    set.labels.assign(x->shape[0], -1);
  }
  set.sha256 = sha256_hex(x->bytes);
  return set;
}

void number_classes(Set& set) {
  if (!set.classes.empty() || set.labels.empty()) return;
  const std::int32_t last = *std::max_element(set.labels.begin(), set.labels.end());
  if (last >= 65536) throw data_error("label " + std::to_string(last) + " is too large for a class number", set.name);
  for (std::int32_t i = 0; i <= last; ++i) set.classes.push_back(std::to_string(i));
}

Set read_folder(const fs::path& path, const std::string& split, const FolderOptions& options) {
  Listing found = list(path);
  const bool parts = is_folder(path / "train") || is_folder(path / "test");
  if (parts) {
    if (!is_folder(path / split)) throw data_error("there is no '" + split + "' part", path.string(), layouts);
    return read_folder(path / split, split, options);
  }
  if (idx_pair(found, "train") || idx_pair(found, "test")) {
    const auto pair = idx_pair(found, split);
    if (!pair) throw data_error("there is no '" + split + "' part", path.string(), layouts);
    return with_labels(pair->first, pair->second);
  }
  std::vector<std::string> classes;
  std::vector<Sample> samples = class_samples(found.folders, classes);
  if (samples.empty()) {
    for (const fs::path& file : found.files) {
      if (lower(file.extension().string()) == ".npz" && found.files.size() == 1) return read_npz_set(file, split);
      if (kind_of(file)) samples.push_back({file, -1, file.filename().string()});
    }
  }
  Set set = read_samples(samples, path, options);
  set.classes = classes;
  return set;
}

}  // namespace

Set load_path(const fs::path& path, const std::string& split, const FolderOptions& options) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) throw data_error("no such file or folder", path.string());
  Set set;
  if (is_folder(path)) set = read_folder(path, split, options);
  else if (lower(path.extension().string()) == ".npz") set = read_npz_set(path, split);
  else if (is_idx(path, "image")) set = with_labels(path, labels_beside(path));
  else if (kind_of(path)) set = read_samples({{path, -1, path.filename().string()}}, path, options);
  else throw data_error("neither a folder, a picture, a recording, a sound, IDX images nor an .npz", path.string(), layouts);
  set.name = fs::absolute(path, ignored).lexically_normal().filename().string();
  if (set.name.empty()) set.name = fs::absolute(path, ignored).parent_path().filename().string();
  set.split = split;
  number_classes(set);
  if (set.size() == 0) throw data_error("no samples found", path.string(), layouts);
  if (!options.classes.empty()) map_classes(set, options.classes);
  return set;
}

bool has_test(const fs::path& path) {
  if (!is_folder(path)) return lower(path.extension().string()) == ".npz" && formats::read_npz(path).count("x_test") == 1;
  if (is_folder(path / "test")) return true;
  const Listing found = list(path);
  if (idx_pair(found, "test")) return true;
  return found.files.size() == 1 && found.folders.empty() && lower(found.files[0].extension().string()) == ".npz" && has_test(found.files[0]);
}

void map_classes(Set& set, const std::vector<std::string>& classes) {
  std::vector<std::int32_t> to;
  for (const std::string& name : set.classes) {
    const auto at = std::find(classes.begin(), classes.end(), name);
    to.push_back(at == classes.end() ? -2 : static_cast<std::int32_t>(at - classes.begin()));
  }
  for (std::int32_t& label : set.labels) {
    if (label < 0) continue;
    const std::int32_t mapped = to.at(static_cast<std::size_t>(label));
    if (mapped == -2)
      throw data_error("class '" + set.classes[static_cast<std::size_t>(label)] + "' is unknown to the model", "data set '" + set.name + "'",
                       did_you_mean(set.classes[static_cast<std::size_t>(label)], classes));
    label = mapped;
  }
  set.classes = classes;
}

}  // namespace apical::data
