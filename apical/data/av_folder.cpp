#include "apical/data/av_folder.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/text.h"
#include "apical/base/thread_pool.h"
#include "apical/data/image_fit.h"
#include "apical/data/readers.h"
#include "apical/data/resample.h"

namespace apical::data {
namespace fs = std::filesystem;
namespace {

constexpr const char* layout = "Expected DIR/<split>/<talker>/<name>.wav and DIR/<split>/<talker>/<name>/*.png.";

struct Place {
  int u, v;
};
/// The first `count` places of a [height, width] block along its anti-diagonals, up and down in turn.
std::vector<Place> zig_zag(int height, int width, int count) {
  std::vector<Place> order;
  for (int d = 0; static_cast<int>(order.size()) < count && d < height + width - 1; ++d)
    for (int k = 0; k <= d && static_cast<int>(order.size()) < count; ++k) {
      const Place p = d % 2 == 0 ? Place{d - k, k} : Place{k, d - k};
      if (p.u < height && p.v < width) order.push_back(p);
    }
  return order;
}

double cosine(int n, int frequency, int at) {
  return std::sqrt((frequency == 0 ? 1.0 : 2.0) / n) * std::cos(std::numbers::pi * frequency * (2 * at + 1) / (2.0 * n));
}

/// Rows [V, width] of pictures, at (v + 1/2) / video_rate, read at the middles of the sound's frames.
std::vector<float> at_sound_frames(const std::vector<float>& rows, std::size_t width, std::size_t frames, const AvFolderSettings& s) {
  const std::size_t last = rows.size() / width - 1;
  std::vector<float> out(frames * width);
  for (std::size_t k = 0; k < frames; ++k) {
    const double time = (static_cast<double>(k) * s.features.hop + 0.5 * s.features.window) / s.features.sample_rate;
    const double at = std::clamp(time * s.video_rate - 0.5, 0.0, static_cast<double>(last));
    row_at(rows, width, at, out.data() + k * width);
  }
  return out;
}

AvClip read_clip(const fs::path& sound, const LogMel& front, const AvFolderSettings& s) {
  AvClip clip{sound.parent_path().filename().string(), sound.stem().string(), {}, {}};
  clip.sound = mono_clip(formats::read_audio(sound), s.features.sample_rate, s.resample, sound.string());
  const fs::path folder = sound.parent_path() / sound.stem();
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) throw data_error("the sound has no folder of pictures beside it", folder.string(), layout);
  std::vector<float> rows;
  int width = 0, height = 0;
  for (const fs::path& path : sorted_files(folder)) {
    if (path.extension() != ".png") continue;
    const formats::Image picture = formats::read_png(path);
    if (rows.empty()) width = picture.width, height = picture.height;
    if (picture.width != width || picture.height != height)
      throw data_error("this picture is " + std::to_string(picture.width) + " x " + std::to_string(picture.height) + ", the first one " +
                           std::to_string(width) + " x " + std::to_string(height),
                       path.string(), "All pictures of an utterance need one size.");
    if (static_cast<std::int64_t>(width) * height < s.coefficients)
      throw data_error("a picture of " + std::to_string(width) + " x " + std::to_string(height) + " has no " +
                           std::to_string(s.coefficients) + " coefficients",
                       path.string());
    const auto features = lip_features(picture, s.coefficients);
    rows.insert(rows.end(), features.begin(), features.end());
  }
  if (rows.empty()) throw data_error("no pictures of the lips", folder.string(), layout);
  clip.lips = at_sound_frames(rows, static_cast<std::size_t>(s.coefficients), front.frame_count(clip.sound.size()), s);
  return clip;
}

}  // namespace

std::vector<float> lip_features(const formats::Image& picture, int count) {
  const int height = picture.height, width = picture.width;
  if (count < 1 || count > static_cast<std::int64_t>(height) * width)
    throw usage_error(
        "a picture of " + std::to_string(width) + " x " + std::to_string(height) + " has no " + std::to_string(count) + " coefficients",
        "coefficients");
  const auto grey = fit_image(picture, {1, height, width, Fit::stretch, Invert::never});
  const auto order = zig_zag(height, width, count);
  int most_v = 0;
  for (const Place& p : order) most_v = std::max(most_v, p.v);
  const auto columns = static_cast<std::size_t>(most_v) + 1;
  std::vector<double> part(static_cast<std::size_t>(height) * columns);  // the transform along x
  for (int v = 0; v <= most_v; ++v)
    for (int x = 0; x < width; ++x) {
      const double c = cosine(width, v, x) / 255;
      for (int y = 0; y < height; ++y)
        part[static_cast<std::size_t>(y) * columns + static_cast<std::size_t>(v)] +=
            c * grey[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)];
    }
  std::vector<float> out;
  for (const Place& p : order) {
    double sum = 0;
    for (int y = 0; y < height; ++y)
      sum += cosine(height, p.u, y) * part[static_cast<std::size_t>(y) * columns + static_cast<std::size_t>(p.v)];
    out.push_back(static_cast<float>(sum));
  }
  return out;
}

std::vector<AvClip> read_av_folder(const fs::path& dir, const std::string& split, const AvFolderSettings& settings) {
  if (!(settings.video_rate > 0 && settings.video_rate <= 1000))
    throw usage_error("video_rate must lie in 0 .. 1000 pictures a second, not " + number(settings.video_rate), "video_rate");
  if (settings.coefficients < 1)
    throw usage_error("coefficients must be at least 1, not " + std::to_string(settings.coefficients), "coefficients");
  const LogMel front(settings.features);
  std::vector<fs::path> sounds;
  for (const fs::path& talker : sorted_files(dir / split, true)) {
    std::set<std::string> heard;
    for (const fs::path& file : sorted_files(talker))
      if (file.extension() == ".wav" || file.extension() == ".flac") {
        sounds.push_back(file);
        if (!heard.insert(file.stem().string()).second) throw data_error("there are two sounds of this name", file.string(), "Keep one of them.");
      }
    for (const fs::path& folder : sorted_files(talker, true))
      if (!heard.count(folder.filename().string())) throw data_error("the pictures have no sound beside them", folder.string(), layout);
  }
  if (sounds.empty()) throw data_error("no sounds found", (dir / split).string(), layout);
  std::vector<AvClip> clips(sounds.size());
  parallel_for(0, sounds.size(), 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) clips[i] = read_clip(sounds[i], front, settings);
  });
  return clips;
}

Set av_set(const fs::path& dir, const std::string& split, const AvFolderSettings& settings, int letter, std::vector<std::string> classes) {
  if (letter < 0) throw usage_error("the class of an utterance is a character of its name, from 1, or 0: its talker", "letter");
  auto clips = read_av_folder(dir, split, settings);
  Set set;
  set.name = fs::absolute(dir / "").parent_path().filename().string(), set.split = split, set.kind = Kind::audio;
  set.sample_rate = settings.features.sample_rate, set.width = settings.coefficients;
  const auto where = [&](const AvClip& c) { return (dir / split / c.talker / c.name).string(); };
  std::vector<std::string> found;
  for (const auto& c : clips) {
    if (c.name.size() < static_cast<std::size_t>(letter))
      throw data_error("the name has no character " + std::to_string(letter) + ", which is to be the class", where(c),
                       "Rename it, or take another character.");
    found.push_back(letter == 0 ? c.talker : c.name.substr(static_cast<std::size_t>(letter) - 1, 1));
  }
  set.classes = std::move(classes);
  if (set.classes.empty()) {
    const std::set<std::string> sorted(found.begin(), found.end());
    set.classes.assign(sorted.begin(), sorted.end());
  }
  Sha256 hash;
  for (std::size_t i = 0; i < clips.size(); ++i) {
    auto& c = clips[i];
    const auto at = std::find(set.classes.begin(), set.classes.end(), found[i]);
    if (at == set.classes.end()) throw data_error("class '" + found[i] + "' is not among those of the training data", where(c),
                       "Known: " + join(set.classes, ", ") + ".");
    set.labels.push_back(static_cast<std::int32_t>(at - set.classes.begin()));
    set.ids.push_back(split + "/" + c.talker + "/" + c.name);
    for (const auto* v : {&c.sound, &c.lips}) hash.update(v->data(), v->size() * sizeof(float));
    set.clips.push_back(std::move(c.sound)), set.lips.push_back(std::move(c.lips));
  }
  set.sha256 = hash.hex();
  return set;
}

}  // namespace apical::data
