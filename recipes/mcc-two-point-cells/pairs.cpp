// Where the pairs come from: spoken digits and pictures of digits, or a folder of sounds and lips of one's own.
#include <algorithm>
#include <bit>
#include <memory>

#include "apical/base/error.h"
#include "apical/data/av_folder.h"
#include "apical/data/noise.h"
#include "recipes/mcc-two-point-cells/study.h"

namespace apical::mcc {
namespace {

using recipe::RunContext;
namespace fs = std::filesystem;

// A folder of the settings: as it is named, or below the data.
fs::path folder_of(const RunContext& c, const fs::path& named) {
  for (const auto& root : data::roots(c.source))
    if (!fs::exists(named) && fs::exists(root / named)) return root / named;
  return named;
}

// Recordings in the folder noise.recorded, else in `beside` if there is one.
std::vector<std::vector<float>> recorded_noise(const RunContext& c, int sample_rate, const fs::path& beside = {}) {
  const fs::path named = c.config.text("noise.recorded");
  if (!named.empty()) return data::read_noise(folder_of(c, named), sample_rate);
  return beside.empty() || !fs::exists(beside) ? std::vector<std::vector<float>>() : data::read_noise(beside, sample_rate);
}

// 16 ms frames with 62.5 % overlap and 23 bands: the features of the authors' earlier work as the recipe's card recalls them.
data::AvFolderSettings folder_settings(const Config& t) {
  data::AvFolderSettings s;
  const auto rate = t.integer("sample_rate");
  if (rate < 8000 || rate > 192000) throw usage_error("a sample rate lies in 8000..192000 Hz, not " + std::to_string(rate), "av.sample_rate");
  const int hz = static_cast<int>(rate);
  s.features.sample_rate = hz, s.features.window = hz * 16 / 1000, s.features.hop = hz * 6 / 1000;
  s.features.fft = static_cast<int>(std::max(256u, std::bit_ceil(static_cast<unsigned>(s.features.window))));
  s.features.f_max = 0.475f * static_cast<float>(hz);
  const auto small = [&](const char* key) {
    const auto v = t.integer(key);
    if (v < 1 || v > 4096) throw usage_error("must lie in 1..4096, not " + std::to_string(v), std::string("av.") + key);
    return static_cast<int>(v);
  };
  s.features.frames = small("frames"), s.coefficients = small("coefficients");
  s.video_rate = t.real("video_rate"), s.resample = t.boolean("resample");
  return s;
}

Pairs from_folder(RunContext& c) {
  const auto folder = folder_of(c, c.config.text("av.folder"));
  const auto settings = folder_settings(c.config.table("av"));
  const int letter = static_cast<int>(std::clamp<std::int64_t>(c.config.integer("av.letter"), -1, 1000));
  const auto speech = data::av_set(folder, "train", settings, letter);
  if (speech.classes.size() < 2)
    throw data_error("all utterances are of one class, '" + speech.classes.front() + "'", (folder / "train").string(), "Take another character of the names: --set av.letter=N.");
  c.result.use(speech);
  auto [train, held] = data::split_validation(speech, c.config.real("held_out"));
  if (held.size() == 0) throw data_error("too few utterances of each class to hold any out", (folder / "train").string(), "Give more, or a larger held_out.");
  return {data::PairedSet(std::move(train), settings.features), data::PairedSet(std::move(held), settings.features),
          recorded_noise(c, settings.features.sample_rate, folder / "noise"), [&c, folder, settings, letter, classes = speech.classes] {
            auto test = data::av_set(folder, "test", settings, letter, classes);
            c.result.use(test);
            return data::PairedSet(std::move(test), settings.features);
          }};
}

Pairs from_digits(RunContext& c) {
  data::Source source = c.source, image_source = c.source;
  const bool smoke = c.scale == "smoke";
  source.synthetic_train = smoke ? 160 : 2700, source.synthetic_test = smoke ? 40 : 300;  // as many as the real set has
  if (smoke) image_source.synthetic_train = image_source.synthetic_test = 160;
  const auto speech = data::load("fsdd", "train", source), images = data::load("mnist", "train", image_source);
  c.result.use(speech), c.result.use(images);
  const double share = c.config.real("held_out");
  const auto [speech_train, speech_held] = data::split_validation(speech, share);
  const auto [images_train, images_held] = data::split_validation(images, share);
  return {data::PairedSet(speech_train, images_train), data::PairedSet(speech_held, images_held), recorded_noise(c, speech.sample_rate), [&c, source, image_source] {
            data::TestGuard speech_guard, image_guard;
            speech_guard.finish_choices(), image_guard.finish_choices();
            const auto speech_test = speech_guard.open("fsdd", source), images_test = image_guard.open("mnist", image_source);
            c.result.use(speech_test), c.result.use(images_test);
            return data::PairedSet(speech_test, images_test);
          }};
}

}  // namespace

Pairs open_pairs(RunContext& c) { return c.config.text("av.folder").empty() ? from_digits(c) : from_folder(c); }

}  // namespace apical::mcc
