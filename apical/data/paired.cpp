#include "apical/data/paired.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/text.h"
#include "apical/base/thread_pool.h"
#include "apical/data/noise.h"

namespace apical::data {
namespace {

constexpr std::size_t grain = 8;
constexpr int most_babble = 64;

std::string name_of(const Set& set, std::size_t i) { return set.ids.empty() ? std::to_string(i) : set.ids[i]; }

/// A random stream of its own for each purpose, split, epoch and sample.
Random stream(const PairSettings& settings, const char* purpose, const Set& set, std::uint64_t epoch, std::uint32_t index) {
  return {settings.seed, stream_id("pairs/" + set.split + "/" + purpose) ^ (epoch * 0x9E3779B97F4A7C15ull), std::uint64_t{index} << 32};
}

/// "train/3_theo_7" gives "theo", and "train/s1/bbaf2n" "s1"; "" when the id has another form.
std::string speaker_of(const std::string& id) {
  const auto slash = id.find('/'), name_at = id.rfind('/');
  if (slash != name_at) return id.substr(slash + 1, name_at - slash - 1);
  const std::string name = id.substr(name_at + 1);
  const auto first = name.find('_'), last = name.rfind('_');
  return first == last ? "" : name.substr(first + 1, last - first - 1);
}

void check_sets(const Set& audio, const Set& images, int sample_rate) {
  if (audio.kind != Kind::audio) throw usage_error("the first set of a pair holds sound", "data set '" + audio.name + "'");
  if (images.kind != Kind::image || images.channels != 1)
    throw usage_error("the second set of a pair holds grey pictures", "data set '" + images.name + "'");
  const std::string both = "'" + audio.name + "' and '" + images.name + "'";
  if (audio.split != images.split)
    throw data_error("the splits of the two sets differ: '" + audio.split + "' and '" + images.split + "'", both,
                     "Pair training data with training data.");
  if (audio.classes != images.classes) {
    std::string text = std::to_string(audio.classes.size()) + " and " + std::to_string(images.classes.size());
    const auto n = std::min(audio.classes.size(), images.classes.size());
    for (std::size_t c = 0; c < n; ++c)
      if (audio.classes[c] != images.classes[c]) {
        text = "class " + std::to_string(c) + " is '" + audio.classes[c] + "' and '" + images.classes[c] + "'";
        break;
      }
    throw data_error("the classes of the two sets differ: " + text, both, "Pair sets with the same class names in the same order.");
  }
  if (audio.size() == 0) throw data_error("there is no sound to pair", "data set '" + audio.name + "'");
  if (audio.sample_rate != sample_rate)
    throw data_error("the sound has " + std::to_string(audio.sample_rate) + " Hz, not " + std::to_string(sample_rate),
                     "data set '" + audio.name + "'", "Resample its clips first (apical/data/resample.h).");
  for (const Set* set : {&audio, &images})
    for (std::size_t i = 0; i < set->size(); ++i)
      if (set->labels[i] < 0 || static_cast<std::size_t>(set->labels[i]) >= set->classes.size())
        throw data_error("sample without a class", "'" + name_of(*set, i) + "' of '" + set->name + "'", "Pairs are made by class.");
}

/// Number of clipped sounds; data error for a sound that cannot be used.
std::size_t check_clips(const Set& audio) {
  std::size_t clipped = 0, at_full_scale = 0;
  for (std::size_t i = 0; i < audio.size(); ++i) {
    const auto& clip = audio.clips[i];
    const std::string where = "'" + name_of(audio, i) + "' of '" + audio.name + "'";
    if (clip.empty()) throw data_error("the sound has no samples", where, "Leave it out.");
    if (!std::all_of(clip.begin(), clip.end(), [](float v) { return std::isfinite(v); }))
      throw data_error("the sound has samples that are no finite numbers", where);
    const auto full =
        static_cast<std::size_t>(std::count_if(clip.begin(), clip.end(), [](float v) { return std::abs(v) >= 32767.0f / 32768; }));
    at_full_scale += full;
    clipped += full * 1000 > clip.size();
  }
  if (clipped > 0)
    log_warn(std::to_string(clipped) + " of " + std::to_string(audio.size()) + " sounds of '" + audio.name + "' (" + audio.split +
             ") are clipped: over 0.1 % of their samples at full scale (" + std::to_string(at_full_scale) + " samples in all)");
  return clipped;
}

/// x [.., mean.size()], or as it is where they are empty.
void apply(const std::vector<float>& mean, const std::vector<float>& deviation, std::span<float> x) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!mean.empty()) x[i] -= mean[i % mean.size()];
    if (!deviation.empty()) x[i] /= deviation[i % deviation.size()];
  }
}

/// Sums of columns, for their mean and standard deviation.
struct Moments {
  explicit Moments(std::size_t width) : sum(width), square(width) {}
  void add(std::span<const float> x) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      sum[i % sum.size()] += x[i];
      square[i % sum.size()] += static_cast<double>(x[i]) * x[i];
    }
  }
  void put(double rows, std::vector<float>& mean, std::vector<float>& deviation) const {
    for (std::size_t b = 0; b < sum.size(); ++b) {
      const double m = sum[b] / rows, variance = square[b] / rows - m * m;
      mean.push_back(static_cast<float>(m));
      deviation.push_back(variance > 1e-12 ? static_cast<float>(std::sqrt(variance)) : 1.0f);
    }
  }
  std::vector<double> sum, square;
};

}  // namespace

struct PairedSet::Buffers {
  explicit Buffers(const LogMel& front) : features(front) {}
  LogMel::Workspace features;
  std::vector<float> noise, babble, noisy;
};

PairedSet::PairedSet(Set audio, Set images, const LogMelSettings& features)
    : audio_(std::move(audio)), images_(std::move(images)), front_(features) {
  prepare();
}

PairedSet::PairedSet(Set audio, const LogMelSettings& features) : audio_(std::move(audio)), front_(features) {
  if (audio_.lips.size() != audio_.size()) throw data_error("there are sounds without lips", "data set '" + audio_.name + "'");
  images_.name = audio_.name, images_.split = audio_.split, images_.classes = audio_.classes, images_.labels = audio_.labels;
  images_.height = features.frames, images_.width = audio_.width;
  lips_.resize(size() * image_width());
  for (std::size_t i = 0; i < size(); ++i)
    resample_frames(audio_.lips[i], static_cast<std::size_t>(audio_.width), static_cast<std::size_t>(features.frames),
                    std::span(lips_).subspan(i * image_width(), image_width()));
  audio_.lips.clear();
  prepare();
}

void PairedSet::prepare() {
  check_sets(audio_, images_, front_.settings().sample_rate);
  clipped_ = check_clips(audio_);
  of_class_.resize(images_.classes.size());
  for (std::uint32_t i = 0; i < images_.size(); ++i) of_class_[static_cast<std::size_t>(images_.labels[i])].push_back(i);
  std::map<std::string, std::vector<std::uint32_t>> sounds;
  for (std::uint32_t i = 0; i < audio_.size(); ++i) {
    if (of_class_[static_cast<std::size_t>(audio_.labels[i])].empty())
      throw data_error("no picture of class '" + audio_.classes[static_cast<std::size_t>(audio_.labels[i])] + "'",
                       "data set '" + images_.name + "'");
    const std::string speaker = audio_.ids.empty() ? "" : speaker_of(audio_.ids[i]);
    sounds[speaker.empty() ? "/" + std::to_string(i) : speaker].push_back(i);
  }
  speakers_ = sounds.size();
  first_.resize(size());
  end_.resize(size());
  for (const auto& [speaker, list] : sounds) {
    const auto first = static_cast<std::uint32_t>(by_speaker_.size());
    by_speaker_.insert(by_speaker_.end(), list.begin(), list.end());
    for (const std::uint32_t i : list) first_[i] = first, end_[i] = static_cast<std::uint32_t>(by_speaker_.size());
  }
  clean_.resize(size() * audio_width());
  parallel_for(0, size(), grain, [&](std::size_t begin, std::size_t end) {
    LogMel::Workspace workspace(front_);
    for (std::size_t i = begin; i < end; ++i)
      front_.features(audio_.clips[i], workspace, std::span(clean_).subspan(i * audio_width(), audio_width()));
  });
}

void PairedSet::check(const PairSettings& s) const {
  check_snr(s.snr_low, "snr_low");
  check_snr(s.snr_high, "snr_high");
  if (s.snr_low > s.snr_high)
    throw usage_error("snr_low (" + number(s.snr_low) + ") is above snr_high (" + number(s.snr_high) + ")", "snr_low");
  if (s.babble < 0 || s.babble > most_babble)
    throw usage_error("babble must have 0 .. " + std::to_string(most_babble) + " utterances, not " + std::to_string(s.babble), "babble");
  if (s.babble > 0 && s.recorded.empty() && speakers_ < 2)
    throw data_error("babble needs utterances of other speakers, and all are by one", "data set '" + audio_.name + "'",
                     "Set babble = 0: pink noise alone.");
  for (std::size_t i = 0; i < s.recorded.size(); ++i)
    if (s.recorded[i].empty()) throw data_error("recorded noise " + std::to_string(i) + " has no samples", "recorded");
  if (lips_.empty() && (s.occluder < 0 || s.occluder > std::min(images_.height, images_.width)))
    throw usage_error("the occluder must have 0 .. " + std::to_string(std::min(images_.height, images_.width)) + " pixels a side, not " +
                          std::to_string(s.occluder),
                      "occluder");
  if (!(s.image_sigma >= 0 && std::isfinite(s.image_sigma)))
    throw usage_error("image_sigma must be at least 0, not " + number(s.image_sigma), "image_sigma");
  if (s.conflict && std::count_if(of_class_.begin(), of_class_.end(), [](const auto& list) { return !list.empty(); }) < 2)
    throw data_error("a conflict needs pictures of another class", "data set '" + images_.name + "'");
}

double PairedSet::mix(const PairSettings& s, std::uint32_t index, std::uint64_t epoch, Buffers& b) const {
  const auto& clip = audio_.clips[index];
  Random random = stream(s, "sound", audio_, epoch, index);
  const double snr = s.snr_low + (s.snr_high - s.snr_low) * random.uniform();
  b.noise.assign(clip.size(), 0.0f);
  b.noisy.resize(clip.size());
  if (!s.recorded.empty()) {
    const auto& recording = s.recorded[random.below(static_cast<std::uint32_t>(s.recorded.size()))];
    add_repeated(recording, random.below(static_cast<std::uint32_t>(recording.size())), b.noise);
  } else {
    pink_noise(stream(s, "pink", audio_, epoch, index), b.noise);
    b.babble.assign(clip.size(), 0.0f);
    const std::uint32_t own = end_[index] - first_[index], others = static_cast<std::uint32_t>(size()) - own;
    for (int k = 0; k < s.babble; ++k) {
      std::uint32_t at = random.below(others);
      if (at >= first_[index]) at += own;
      const auto& talker = audio_.clips[by_speaker_[at]];
      add_repeated(talker, random.below(static_cast<std::uint32_t>(talker.size())), b.babble);
    }
    add_repeated(b.babble, 0, b.noise);
  }
  mix_at_snr(clip, b.noise, snr, b.noisy);
  return snr;
}

std::uint32_t PairedSet::image_of(const PairSettings& s, std::uint32_t index, std::uint64_t epoch) const {
  if (index >= size()) throw internal_error("sample index out of range", "PairedSet");
  if (!lips_.empty() && !s.conflict) return index;
  Random random = stream(s, "picture", audio_, epoch, index);
  const auto own = static_cast<std::size_t>(audio_.labels[index]);
  if (!s.conflict) return of_class_[own][random.below(static_cast<std::uint32_t>(of_class_[own].size()))];
  std::uint32_t others = 0;
  for (std::size_t c = 0; c < of_class_.size(); ++c) others += c != own && !of_class_[c].empty();
  if (others == 0) throw data_error("a conflict needs pictures of another class", "data set '" + images_.name + "'");
  std::uint32_t pick = random.below(others);
  for (std::size_t c = 0;; ++c)
    if (c != own && !of_class_[c].empty() && pick-- == 0)
      return of_class_[c][random.below(static_cast<std::uint32_t>(of_class_[c].size()))];
}

void PairedSet::disturb(const PairSettings& s, std::uint32_t index, std::uint64_t epoch, std::span<float> out) const {
  const std::size_t n = image_width();
  if (!lips_.empty()) {
    std::copy_n(lips_.begin() + static_cast<std::ptrdiff_t>(image_of(s, index, epoch) * n), n, out.begin());
    return;
  }
  const std::uint8_t* pixels = images_.pixels.data() + image_of(s, index, epoch) * n;
  gaussian_noise(stream(s, "grain", audio_, epoch, index), out);
  Random random = stream(s, "occluder", audio_, epoch, index);
  const int top = static_cast<int>(random.below(static_cast<std::uint32_t>(images_.height - s.occluder + 1)));
  const int left = static_cast<int>(random.below(static_cast<std::uint32_t>(images_.width - s.occluder + 1)));
  for (int y = 0; y < images_.height; ++y)
    for (int x = 0; x < images_.width; ++x) {
      const auto i = static_cast<std::size_t>(y) * static_cast<std::size_t>(images_.width) + static_cast<std::size_t>(x);
      const bool hidden = y >= top && y < top + s.occluder && x >= left && x < left + s.occluder;
      const float value = hidden ? 0.0f : static_cast<float>(pixels[i]) / 255.0f;
      out[i] = std::clamp(value + s.image_sigma * out[i], 0.0f, 1.0f);
    }
}

void PairedSet::draw(const PairSettings& s, const BandStatistics& statistics, std::span<const std::uint32_t> indices, std::uint64_t epoch,
                     std::span<float> audio, std::span<float> image, std::span<float> clean, std::span<std::int32_t> labels) const {
  check(s);
  const std::size_t n = audio_width(), pixels = image_width(), bands = static_cast<std::size_t>(front_.settings().bands);
  const auto fits = [&](const char* what, std::size_t have, std::size_t width) {
    if (have != 0 && have != indices.size() * width)
      throw usage_error(std::to_string(indices.size()) + " pairs are drawn, but '" + what + "' has room for " +
                            number(static_cast<double>(have) / static_cast<double>(width)),
                        "PairedSet::draw");
  };
  fits("audio", audio.size(), n);
  fits("image", image.size(), pixels);
  fits("clean", clean.size(), n);
  fits("labels", labels.size(), 1);
  const auto of = [&](const std::vector<float>& values, std::size_t width, const char* what) {
    if (!values.empty() && values.size() != width)
      throw usage_error("the statistics are of " + std::to_string(values.size()) + " " + what + ", not " + std::to_string(width),
                        "PairedSet::draw");
  };
  const std::size_t coefficients = lips_.empty() ? 0 : static_cast<std::size_t>(images_.width);
  of(statistics.mean, bands, "bands"), of(statistics.std, bands, "bands");
  of(statistics.lip_mean, coefficients, "coefficients"), of(statistics.lip_std, coefficients, "coefficients");
  for (const std::uint32_t i : indices)
    if (i >= size())
      throw internal_error("sample " + std::to_string(i) + " asked of " + std::to_string(size()) + " pairs", "PairedSet::draw");
  const auto normalise = [&](std::span<float> x) { apply(statistics.mean, statistics.std, x); };
  parallel_for(0, indices.size(), grain, [&](std::size_t begin, std::size_t end) {
    Buffers buffers(front_);
    for (std::size_t b = begin; b < end; ++b) {
      const std::uint32_t i = indices[b];
      if (!labels.empty()) labels[b] = audio_.labels[i];
      if (!clean.empty()) {
        std::copy_n(clean_.begin() + static_cast<std::ptrdiff_t>(i * n), n, clean.begin() + static_cast<std::ptrdiff_t>(b * n));
        normalise(clean.subspan(b * n, n));
      }
      if (!audio.empty() && s.drop_audio) std::fill_n(audio.begin() + static_cast<std::ptrdiff_t>(b * n), n, 0.0f);
      if (!audio.empty() && !s.drop_audio) {
        mix(s, i, epoch, buffers);
        front_.features(buffers.noisy, buffers.features, audio.subspan(b * n, n));
        normalise(audio.subspan(b * n, n));
      }
      if (!image.empty() && s.drop_image) std::fill_n(image.begin() + static_cast<std::ptrdiff_t>(b * pixels), pixels, 0.0f);
      if (!image.empty() && !s.drop_image) {
        disturb(s, i, epoch, image.subspan(b * pixels, pixels));
        apply(statistics.lip_mean, statistics.lip_std, image.subspan(b * pixels, pixels));
      }
    }
  });
}

PairSound PairedSet::sound(const PairSettings& settings, std::uint32_t index, std::uint64_t epoch) const {
  check(settings);
  Buffers buffers(front_);
  PairSound sound{audio_.sample_rate, {}, {}, 0, image_of(settings, index, epoch)};
  sound.snr_db = mix(settings, index, epoch, buffers);
  sound.clean = audio_.clips[index];
  sound.noisy = std::move(buffers.noisy);
  return sound;
}

BandStatistics band_statistics(const PairedSet& train, const PairSettings& settings) {
  PairSettings heard = settings;
  heard.drop_audio = heard.drop_image = false;
  const auto bands = static_cast<std::size_t>(train.front_end().settings().bands);
  const std::size_t coefficients = train.has_lips() ? static_cast<std::size_t>(train.images().width) : 0;
  Moments sound(bands), shown(coefficients);
  std::vector<std::uint32_t> indices;
  std::vector<float> features, pictures;
  constexpr std::size_t batch = 256;
  for (std::size_t begin = 0; begin < train.size(); begin += batch) {
    indices.clear();
    for (std::size_t i = begin; i < std::min(begin + batch, train.size()); ++i) indices.push_back(static_cast<std::uint32_t>(i));
    features.resize(indices.size() * train.audio_width());
    if (coefficients > 0) pictures.resize(indices.size() * train.image_width());
    train.draw(heard, {}, indices, 0, features, pictures, {}, {});
    sound.add(features);
    shown.add(pictures);
  }
  BandStatistics statistics;
  const double rows = static_cast<double>(train.size() * train.audio_width() / bands);
  sound.put(rows, statistics.mean, statistics.std);
  shown.put(rows, statistics.lip_mean, statistics.lip_std);  // as many: a row of lips a row of sound
  return statistics;
}

}  // namespace apical::data
