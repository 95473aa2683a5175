// The front end against librosa's figures, its rules at the ends of a clip, and what is refused.
#include "apical/data/audio_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "apical/base/error.h"

namespace apical::data {
namespace {

using ::testing::ElementsAreArray;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

#include "apical/data/testing_librosa.inc"

/// The clip of testing_librosa.py.
std::vector<float> librosa_clip(std::size_t n = 650) {
  std::vector<float> out;
  std::uint64_t state = 1;
  for (std::size_t i = 0; i < n; ++i) {
    state = (1103515245 * state + 12345) % (1u << 31);
    const double t = static_cast<double>(i) / 8000, share = static_cast<double>(i) / static_cast<double>(n);
    const double tone = 0.6 * std::exp(-20 * t) * std::sin(2 * std::numbers::pi * (300 * t + 9000 * t * t));
    const double noise = 0.01 * share * (static_cast<double>(state) / (1u << 30) - 1);
    out.push_back(static_cast<float>(std::floor(32768 * (tone + noise) + 0.5) / 32768));
  }
  return out;
}

std::vector<float> log_mel(const LogMel& front, const std::vector<float>& clip) {
  LogMel::Workspace workspace(front);
  const auto values = front.log_mel(clip, workspace);
  return {values.begin(), values.end()};
}

TEST(LogMel, IsLibrosas) {
  const LogMel front;
  EXPECT_THAT(log_mel(front, librosa_clip()), Pointwise(FloatNear(1e-4f), librosa_log_mel));
}

TEST(LogMel, MfccAreLibrosas) {
  const auto values = mfcc(librosa_log_mel, 23, 13);
  EXPECT_THAT(values, Pointwise(FloatNear(1e-4f), librosa_mfcc));
  EXPECT_THAT(mfcc(log_mel(LogMel(), librosa_clip()), 23), Pointwise(FloatNear(2e-4f), librosa_mfcc));
  EXPECT_THROW(mfcc(librosa_log_mel, 23, 24), Error);
  EXPECT_THROW(mfcc(librosa_log_mel, 23, 0), Error);
  EXPECT_THROW(mfcc(std::vector<float>(22), 23, 13), Error);
}

TEST(LogMel, FeaturesAreResampledToTheFramesAsked) {
  const LogMel front;
  LogMel::Workspace workspace(front);
  std::vector<float> all(front.width()), rows;
  ASSERT_EQ(all.size(), 736u);
  front.features(librosa_clip(), workspace, all);
  for (const std::size_t row : {0u, 1u, 16u, 31u}) rows.insert(rows.end(), all.begin() + row * 23, all.begin() + (row + 1) * 23);
  EXPECT_THAT(rows, Pointwise(FloatNear(1e-4f), resampled_rows));
}

TEST(LogMel, ZerosFollowTheClip) {
  const LogMel front;
  for (const std::size_t n : {1u, 80u, 199u, 200u}) EXPECT_EQ(front.frame_count(n), 1u);
  EXPECT_EQ(front.frame_count(201), 2u);
  EXPECT_EQ(front.frame_count(280), 2u);
  EXPECT_EQ(front.frame_count(281), 3u);
  // A workspace that held a longer clip before changes nothing.
  LogMel::Workspace used(front);
  front.log_mel(librosa_clip(), used);
  for (const std::size_t n : {1u, 80u, 201u, 333u}) {
    auto clip = librosa_clip(n);
    const auto values = front.log_mel(clip, used);
    clip.resize((front.frame_count(n) - 1) * 80 + 200);
    EXPECT_THAT(values, ElementsAreArray(log_mel(front, clip))) << n;
  }
  const auto silence = log_mel(front, std::vector<float>(500));
  EXPECT_THAT(silence, ::testing::Each(std::log(1e-6f)));
  std::vector<float> one(front.width());
  front.features(librosa_clip(90), used, one);  // one frame, 32 times
  for (std::size_t i = 23; i < one.size(); ++i) ASSERT_EQ(one[i], one[i - 23]);
}

TEST(BandGain, OneGivesTheClipBack) {
  for (const auto& [window, hop] : std::vector<std::pair<int, int>>{{200, 80}, {200, 100}, {256, 64}}) {
    LogMelSettings settings;
    settings.window = window, settings.hop = hop;
    const LogMel front(settings);
    LogMel::Workspace workspace(front);
    for (const std::size_t n : {1u, 199u, 200u, 650u, 1001u}) {
      const auto clip = librosa_clip(n);
      const std::vector<float> gain(front.frame_count(n) * 23, 1.0f);
      EXPECT_THAT(front.apply_band_gain(clip, gain, workspace), Pointwise(FloatNear(1e-5f), clip)) << n;
    }
  }
}

TEST(BandGain, ActsOnItsBandAndItsTime) {
  const LogMel front;
  LogMel::Workspace workspace(front);
  // 500 Hz and 2.5 kHz; bands 0 .. 11 (up to 1.3 kHz) are silenced, and everything after frame 50.
  std::vector<float> low(8000), clip(8000), high(8000);
  for (std::size_t i = 0; i < clip.size(); ++i) {
    low[i] = 0.3f * std::sin(static_cast<float>(2 * std::numbers::pi * (static_cast<double>(i) / 16)));
    high[i] = 0.2f * std::sin(static_cast<float>(2 * std::numbers::pi * (static_cast<double>(i) * 5 / 16)));
    clip[i] = low[i] + high[i];
  }
  const std::size_t frames = front.frame_count(clip.size());
  std::vector<float> gain(frames * 23);
  for (std::size_t k = 0; k <= 50; ++k)
    for (std::size_t b = 12; b < 23; ++b) gain[k * 23 + b] = 0.5f;
  const auto out = front.apply_band_gain(clip, gain, workspace);
  for (std::size_t i = 300; i < 50 * 80; ++i) ASSERT_NEAR(out[i], 0.5f * high[i], 2e-3f) << i;
  for (std::size_t i = 50 * 80 + 200; i < out.size(); ++i) ASSERT_NEAR(out[i], 0, 1e-6f) << i;
  // Below the lowest and above the highest triangle the nearest band's gain holds.
  std::fill(gain.begin(), gain.end(), 0.0f);
  for (std::size_t k = 0; k < frames; ++k) gain[k * 23] = 1, gain[k * 23 + 22] = 2;
  const std::vector<float> constant(8000, 0.1f);
  EXPECT_NEAR(front.apply_band_gain(constant, gain, workspace)[4000], 0.1f, 1e-3f);
  std::vector<float> alternating(8000);
  for (std::size_t i = 0; i < alternating.size(); ++i) alternating[i] = i % 2 == 0 ? 0.1f : -0.1f;
  EXPECT_NEAR(front.apply_band_gain(alternating, gain, workspace)[4000], 0.2f, 1e-3f);
  gain.pop_back();
  EXPECT_THROW(front.apply_band_gain(clip, gain, workspace), Error);
  EXPECT_THROW(front.apply_band_gain({}, {}, workspace), Error);
  LogMelSettings wide;
  wide.hop = 101;
  const LogMel apart(wide);
  LogMel::Workspace other(apart);
  EXPECT_THROW(apart.apply_band_gain(low, std::vector<float>(apart.frame_count(8000) * 23, 1.0f), other), Error);
}

TEST(LogMel, RefusesWhatMakesNoSense) {
  const LogMel front;
  LogMel::Workspace workspace(front);
  try {
    front.log_mel({}, workspace);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
    EXPECT_THAT(e.what(), HasSubstr("no samples"));
  }
  std::vector<float> small(735);
  EXPECT_THROW(front.features(librosa_clip(), workspace, small), Error);
  const auto refused = [](auto change) -> std::string {
    LogMelSettings s;
    change(s);
    try {
      LogMel{s};
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::usage);
      return e.what();
    }
    return "nothing was thrown";
  };
  EXPECT_THAT(refused([](LogMelSettings& s) { s.f_max = 4001; }), HasSubstr("f_max"));
  EXPECT_THAT(refused([](LogMelSettings& s) { s.fft = 198; }), HasSubstr("fft"));
  EXPECT_THAT(refused([](LogMelSettings& s) { s.fft = 257; }), HasSubstr("even"));
  EXPECT_THAT(refused([](LogMelSettings& s) { s.hop = 0; }), HasSubstr("hop"));
  EXPECT_THAT(refused([](LogMelSettings& s) { s.floor = 0; }), HasSubstr("floor"));
  EXPECT_THAT(refused([](LogMelSettings& s) { s.frames = 0; }), HasSubstr("frames"));
  EXPECT_THAT(refused([](LogMelSettings& s) { s.bands = 120; }), HasSubstr("holds no bin"));
}

}  // namespace
}  // namespace apical::data
