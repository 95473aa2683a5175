// Pairs: the same draws for any number of threads and every arm, what belongs together, what is refused.
#include "apical/data/paired.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <set>

#include "apical/base/error.h"
#include "apical/base/thread_pool.h"
#include "apical/data/noise.h"
#include "apical/data/synthetic.h"

namespace apical::data {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

struct Drawn {
  std::vector<float> audio, image, clean;
  std::vector<std::int32_t> labels;
  bool operator==(const Drawn&) const = default;
};

Drawn draw(const PairedSet& pairs, const PairSettings& settings, std::uint64_t epoch, const BandStatistics& statistics = {},
           std::vector<std::uint32_t> indices = {}) {
  if (indices.empty()) {
    indices.resize(pairs.size());
    std::iota(indices.begin(), indices.end(), 0u);
  }
  Drawn d;
  d.audio.resize(indices.size() * pairs.audio_width());
  d.clean.resize(d.audio.size());
  d.image.resize(indices.size() * pairs.image_width());
  d.labels.resize(indices.size());
  pairs.draw(settings, statistics, indices, epoch, d.audio, d.image, d.clean, d.labels);
  return d;
}

PairedSet twins() { return {synthetic("fsdd", "train", 60, 1), synthetic("mnist", "train", 300, 1)}; }

/// 3 speakers x 2 digits: a sound is a tone whose frequency is that of its speaker; a picture of digit d has all pixels 50 (d + 1).
std::pair<Set, Set> tones() {
  Set audio, images;
  audio.name = "tones", audio.kind = Kind::audio, audio.sample_rate = 8000, audio.split = "train", audio.classes = {"0", "1"};
  for (int speaker = 0; speaker < 3; ++speaker)
    for (int digit = 0; digit < 2; ++digit) {
      audio.ids.push_back("train/" + std::to_string(digit) + "_talker_" + std::string(1, static_cast<char>('a' + speaker)) + "_0");
      audio.labels.push_back(digit);
      auto& clip = audio.clips.emplace_back(800 + 160 * digit);
      for (std::size_t i = 0; i < clip.size(); ++i)
        clip[i] = 0.5f * std::sin(0.785398f * static_cast<float>(i) * (1 + static_cast<float>(speaker)));
    }
  images.name = "grey", images.split = "train", images.classes = {"0", "1"}, images.height = images.width = 20;
  for (int i = 0; i < 8; ++i)
    images.labels.push_back(i % 2), images.pixels.insert(images.pixels.end(), 400, static_cast<std::uint8_t>(50 * (i % 2 + 1)));
  return {audio, images};
}

/// 3 talkers x 2 words, two coefficients a frame of the sound: its number and 10 x (the frame's number).
Set speech() {
  Set s = tones().first;
  s.width = 2;
  for (std::size_t i = 0; i < s.size(); ++i) {
    s.ids[i] = "train/s" + std::to_string(i / 2) + "/word_" + std::to_string(i);
    auto& lips = s.lips.emplace_back();
    for (int k = 0; k < 9; ++k) lips.insert(lips.end(), {static_cast<float>(i), 10.0f * static_cast<float>(k)});
  }
  return s;
}

std::string refusal(const std::function<void()>& f, ExitCode code) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  return "nothing was thrown";
}

TEST(Pairs, AreTheSameForAnyNumberOfThreadsAndAnyBatch) {
  const int before = thread_count();
  set_thread_count(1);
  const PairedSet pairs = twins();
  PairSettings settings;
  const auto statistics = band_statistics(pairs, settings);
  const Drawn one = draw(pairs, settings, 3, statistics);
  for (const int threads : {2, 7}) {
    set_thread_count(threads);
    EXPECT_EQ(draw(twins(), settings, 3, band_statistics(pairs, settings)), one);
  }
  set_thread_count(before);
  const Drawn some = draw(pairs, settings, 3, statistics, {41, 7});
  EXPECT_THAT(some.audio, ::testing::Pointwise(::testing::Eq(), [&] {
                std::vector<float> rows(one.audio.begin() + 41 * 736, one.audio.begin() + 42 * 736);
                rows.insert(rows.end(), one.audio.begin() + 7 * 736, one.audio.begin() + 8 * 736);
                return rows;
              }()));
  EXPECT_TRUE(std::equal(some.image.begin(), some.image.begin() + 784, one.image.begin() + 41 * 784));
  EXPECT_THAT(some.labels, ::testing::ElementsAre(pairs.audio().labels[41], pairs.audio().labels[7]));
  // Another epoch, seed or split: another draw. Another ratio: the same noise and the same pictures.
  const Drawn epoch = draw(pairs, settings, 4, statistics);
  EXPECT_NE(epoch.audio, one.audio);
  EXPECT_NE(epoch.image, one.image);
  EXPECT_EQ(epoch.clean, one.clean);
  settings.snr_low = settings.snr_high = 0;
  EXPECT_EQ(draw(pairs, settings, 3).image, one.image);
  settings.seed = 2;
  EXPECT_NE(draw(pairs, settings, 3).image, one.image);
}

TEST(Pairs, EachSoundHasAPictureOfItsClassRedrawnEveryEpoch) {
  const PairedSet pairs = twins();
  PairSettings settings;
  std::set<std::uint32_t> seen;
  for (std::uint64_t epoch = 0; epoch < 20; ++epoch)
    for (std::uint32_t i = 0; i < pairs.size(); ++i) {
      const auto image = pairs.image_of(settings, i, epoch);
      ASSERT_EQ(pairs.images().labels[image], pairs.audio().labels[i]);
      seen.insert(image);
    }
  EXPECT_GT(seen.size(), 250u);  // of 300 pictures
  settings.conflict = true;
  std::vector<int> shown(10);
  for (std::uint64_t epoch = 0; epoch < 100; ++epoch)
    for (std::uint32_t i = 0; i < pairs.size(); ++i) {
      const auto label = pairs.images().labels[pairs.image_of(settings, i, epoch)];
      ASSERT_NE(label, pairs.audio().labels[i]);
      ++shown[static_cast<std::size_t>(label)];
    }
  for (const int n : shown) EXPECT_NEAR(n, 600, 150);  // a digit that many sounds say is shown less
  EXPECT_EQ(draw(pairs, settings, 0).labels, pairs.audio().labels);
}

TEST(Pairs, TheNoiseIsTheVoicesOfOthersAtTheRatio) {
  const auto [audio, images] = tones();
  const PairedSet pairs(audio, images);
  EXPECT_EQ(pairs.speakers(), 3u);
  PairSettings settings;
  settings.snr_low = -3, settings.snr_high = 9;
  settings.babble = 3;  // an even number of equal tones may cancel
  LogMel::Workspace workspace(pairs.front_end());
  double least = 99, most = -99;
  for (std::uint64_t epoch = 0; epoch < 40; ++epoch)
    for (std::uint32_t i = 0; i < pairs.size(); ++i) {
      const auto sound = pairs.sound(settings, i, epoch);
      EXPECT_EQ(sound.clean, audio.clips[i]);
      std::vector<float> noise(sound.clean.size());
      for (std::size_t k = 0; k < noise.size(); ++k) noise[k] = sound.noisy[k] - sound.clean[k];
      EXPECT_NEAR(10 * std::log10(mean_power(sound.clean) / mean_power(noise)), sound.snr_db, 1e-3);
      least = std::min(least, sound.snr_db), most = std::max(most, sound.snr_db);
      // Half the noise is babble: the bins of the two other speakers' tones (1, 2 or 3 kHz) share it, the own one has none.
      std::vector<double> at(3);
      for (std::size_t s = 0; s < 3; ++s) {
        double re = 0, im = 0;
        for (std::size_t k = 0; k < noise.size(); ++k) {
          const double angle = 0.785398163 * static_cast<double>(k * (s + 1));
          re += noise[k] * std::cos(angle), im += noise[k] * std::sin(angle);
        }
        at[s] = 2 * (re * re + im * im) / static_cast<double>(noise.size() * noise.size()) / mean_power(noise);
      }
      EXPECT_LT(at[i / 2], 0.05);
      EXPECT_NEAR(at[0] + at[1] + at[2], 0.5, 0.12);
    }
  EXPECT_NEAR(least, -3, 0.3);
  EXPECT_NEAR(most, 9, 0.3);
  settings.recorded = {std::vector<float>(50, 0.25f)};  // a constant
  const auto sound = pairs.sound(settings, 0, 0);
  for (std::size_t k = 1; k < sound.clean.size(); ++k) ASSERT_NEAR(sound.noisy[k] - sound.clean[k], sound.noisy[0] - sound.clean[0], 1e-5);
}

TEST(Pairs, ThePictureHasOneBlockNoiseAndLimits) {
  const auto [audio, images] = tones();
  const PairedSet pairs(audio, images);
  PairSettings settings;
  settings.image_sigma = 0;
  std::set<std::size_t> places;
  for (std::uint64_t epoch = 0; epoch < 30; ++epoch) {
    const Drawn d = draw(pairs, settings, epoch);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const std::span<const float> image(d.image.data() + i * 400, 400);
      const auto first = static_cast<std::size_t>(std::find(image.begin(), image.end(), 0.0f) - image.begin());
      places.insert(first);
      for (std::size_t p = 0; p < 400; ++p) {
        const bool hidden = p / 20 - first / 20 < 14 && p % 20 - first % 20 < 14;  // unsigned: outside is large
        ASSERT_FLOAT_EQ(image[p], hidden ? 0.0f : 50.0f * static_cast<float>(d.labels[i] + 1) / 255);
      }
    }
  }
  EXPECT_GT(places.size(), 45u);  // of 7 x 7
  settings.occluder = 0, settings.image_sigma = 0.1f;
  const Drawn d = draw(pairs, settings, 0);
  double sum = 0, square = 0;
  for (std::size_t i = 0; i < 400; ++i) sum += d.image[400 + i] / 400, square += d.image[400 + i] * d.image[400 + i] / 400;
  EXPECT_NEAR(sum, 100 / 255.0, 0.02);
  EXPECT_NEAR(std::sqrt(square - sum * sum), 0.1, 0.015);
  settings.image_sigma = 2;
  EXPECT_THAT(draw(pairs, settings, 0).image, Each(::testing::AllOf(::testing::Ge(0.0f), ::testing::Le(1.0f))));
}

TEST(Pairs, BandsHaveMeanZeroAndDeviationOneByTheTrainingPairs) {
  const PairedSet train = twins();
  const PairSettings settings;
  const auto statistics = band_statistics(train, settings);
  const Drawn d = draw(train, settings, 0, statistics), raw = draw(train, settings, 0);
  const double n = static_cast<double>(d.audio.size()) / 23;
  for (std::size_t b = 0; b < 23; ++b) {
    double sum = 0, square = 0;
    for (std::size_t i = b; i < d.audio.size(); i += 23) sum += d.audio[i] / n, square += d.audio[i] * d.audio[i] / n;
    EXPECT_NEAR(sum, 0, 1e-4);
    EXPECT_NEAR(square, 1, 1e-4);
  }
  for (const std::size_t i : {0u, 24u, 735u})
    EXPECT_NEAR(d.clean[i] * statistics.std[i % 23] + statistics.mean[i % 23], raw.clean[i], 1e-4);
  // A clean sound is quieter than its noisy self, band by band.
  EXPECT_LT(std::accumulate(raw.clean.begin(), raw.clean.end(), 0.0), std::accumulate(raw.audio.begin(), raw.audio.end(), 0.0));
  // The same samples as a test split have a noise of their own.
  Set audio = train.audio(), images = train.images();
  audio.split = images.split = "test";
  EXPECT_NE(draw(PairedSet(audio, images), settings, 0, statistics).audio, d.audio);
}

TEST(Pairs, AMissingModalityIsExactlyZero) {
  const PairedSet pairs = twins();
  PairSettings settings;
  const auto statistics = band_statistics(pairs, settings);
  const Drawn both = draw(pairs, settings, 0, statistics);
  settings.drop_audio = true;
  Drawn d = draw(pairs, settings, 0, statistics);
  EXPECT_THAT(d.audio, Each(0.0f));
  EXPECT_EQ(d.image, both.image);
  settings.drop_audio = false, settings.drop_image = true;
  d = draw(pairs, settings, 0, statistics);
  EXPECT_THAT(d.image, Each(0.0f));
  EXPECT_EQ(d.audio, both.audio);
}

TEST(Pairs, RefuseSetsThatDoNotFit) {
  const auto [audio, images] = tones();
  const auto with = [&](auto change, ExitCode code = ExitCode::data) {
    Set a = audio, i = images;
    change(a, i);
    return refusal([&] { PairedSet(a, i); }, code);
  };
  EXPECT_THAT(with([](Set&, Set& i) { i.classes[1] = "one"; }), HasSubstr("class 1 is '1' and 'one'"));
  EXPECT_THAT(with([](Set&, Set& i) { i.classes.push_back("2"); }), HasSubstr("differ: 2 and 3"));
  EXPECT_THAT(with([](Set& a, Set&) { a.split = "test"; }), HasSubstr("'test' and 'train'"));
  EXPECT_THAT(with([](Set& a, Set&) { a.sample_rate = 16000; }), HasSubstr("16000 Hz, not 8000"));
  EXPECT_THAT(with([](Set& a, Set&) { a.clips[2].clear(); }), HasSubstr("train/0_talker_b_0"));
  EXPECT_THAT(with([](Set& a, Set&) { a.clips[3][5] = std::nanf(""); }), HasSubstr("train/1_talker_b_0"));
  EXPECT_THAT(with([](Set& a, Set&) { a.labels[0] = -1; }), HasSubstr("without a class"));
  EXPECT_THAT(with([](Set&, Set& i) { std::fill(i.labels.begin(), i.labels.end(), 0); }), HasSubstr("no picture of class '1'"));
  EXPECT_THAT(with([](Set& a, Set& i) { std::swap(a, i); }, ExitCode::usage), HasSubstr("holds sound"));
}

TEST(Pairs, RefuseSettingsAndSizesThatMakeNoSense) {
  auto [audio, images] = tones();
  const PairedSet pairs(audio, images);
  const auto with = [&](auto change, ExitCode code = ExitCode::usage) {
    PairSettings s;
    change(s);
    return refusal([&] { draw(pairs, s, 0); }, code);
  };
  EXPECT_THAT(with([](PairSettings& s) { s.snr_low = -41; }), HasSubstr("snr_low"));
  EXPECT_THAT(with([](PairSettings& s) { s.snr_high = std::nan(""); }), HasSubstr("snr_high"));
  EXPECT_THAT(with([](PairSettings& s) { s.snr_high = -13; }), HasSubstr("above"));
  EXPECT_THAT(with([](PairSettings& s) { s.occluder = 21; }), HasSubstr("0 .. 20 pixels"));
  EXPECT_THAT(with([](PairSettings& s) { s.babble = 65; }), HasSubstr("0 .. 64"));
  EXPECT_THAT(with([](PairSettings& s) { s.image_sigma = -1; }), HasSubstr("image_sigma"));
  EXPECT_THAT(with([](PairSettings& s) { s.recorded.resize(1); }, ExitCode::data), HasSubstr("no samples"));
  const std::vector<std::uint32_t> three{0, 1, 2};
  std::vector<float> sound(2 * 736), image(3 * 400);
  EXPECT_THAT(refusal([&] { pairs.draw({}, {}, three, 0, sound, image, {}, {}); }, ExitCode::usage),
              HasSubstr("3 pairs are drawn, but 'audio' has room for 2"));
  EXPECT_THAT(refusal([&] { pairs.draw({}, {{1.0f}, {}, {}, {}}, three, 0, {}, image, {}, {}); }, ExitCode::usage), HasSubstr("1 bands, not 23"));
  for (auto& id : audio.ids) id = id.substr(0, 8) + "_anna_0";
  const PairedSet alone(audio, images);
  EXPECT_THAT(refusal([&] { draw(alone, {}, 0); }, ExitCode::data), HasSubstr("other speakers"));
  PairSettings pink;
  pink.babble = 0;
  EXPECT_NO_THROW(draw(alone, pink, 0));
}

TEST(Pairs, CountClippedSounds) {
  auto [audio, images] = tones();
  audio.clips[1][3] = audio.clips[1][4] = 1.0f;  // 2 of 960
  audio.clips[2][3] = -1.0f;                     // 1 of 800
  audio.clips[3][3] = 1.0f;                      // 1 of 960
  EXPECT_EQ(PairedSet(audio, images).clipped(), 3u);
  audio.clips[2].resize(1000);
  EXPECT_EQ(PairedSet(audio, images).clipped(), 2u);
}

TEST(Pairs, LipsAreThoseOfTheSoundAndOfAnotherWordInAConflict) {
  const PairedSet pairs(speech(), LogMelSettings{});
  EXPECT_EQ(pairs.image_width(), 32u * 2);
  EXPECT_EQ(pairs.speakers(), 3u);
  PairSettings settings;
  settings.occluder = 40;  // of pictures alone
  const Drawn as_they_are = draw(pairs, settings, 0);
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t j = 0; j < 32; ++j) {
      EXPECT_EQ(as_they_are.image[i * 64 + 2 * j], static_cast<float>(i));
      EXPECT_NEAR(as_they_are.image[i * 64 + 2 * j + 1], 80.0 * static_cast<double>(j) / 31, 1e-4);
    }
  const auto statistics = band_statistics(pairs, settings);
  EXPECT_NEAR(statistics.lip_mean[0], 2.5, 1e-6);
  EXPECT_NEAR(statistics.lip_std[0], std::sqrt(35.0 / 12), 1e-6);
  EXPECT_NEAR(draw(pairs, settings, 0, statistics).image[5 * 64], 2.5 / std::sqrt(35.0 / 12), 1e-6);
  settings.conflict = true;
  std::set<float> shown;
  for (std::uint64_t epoch = 0; epoch < 40; ++epoch) shown.insert(draw(pairs, settings, epoch).image[0]);
  EXPECT_THAT(shown, ::testing::ElementsAre(1, 3, 5));
  auto without = speech();
  without.lips.pop_back();
  EXPECT_THAT(refusal([&] { PairedSet(without, LogMelSettings{}); }, ExitCode::data), HasSubstr("sounds without lips"));
}

}  // namespace
}  // namespace apical::data
