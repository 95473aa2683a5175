// Tones below the new Nyquist frequency stay, those above it vanish; what is not mono at the rate is refused with its figures.
#include "apical/data/resample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "apical/base/error.h"

namespace apical::data {
namespace {

std::vector<float> tone(int rate, double hz, std::size_t n) {
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / rate));
  return x;
}

TEST(Resample, KeepsATonesPlaceAndTakesAwayWhatTheRateCannotHold) {
  for (const auto& [from, to] : std::vector<std::pair<int, int>>{{16000, 8000}, {44100, 8000}, {8000, 16000}, {11025, 8000}}) {
    const auto seconds = 0.2;
    const auto n = static_cast<std::size_t>(seconds * from);
    const double nyquist = 0.5 * std::min(from, to);
    const auto expect = [&](double hz, bool kept, double tolerance) {
      const auto out = resample(tone(from, hz, n), from, to), ideal = tone(to, hz, out.size());
      ASSERT_EQ(out.size(), (n * static_cast<std::size_t>(to) + static_cast<std::size_t>(from) - 1) / static_cast<std::size_t>(from));
      for (std::size_t i = out.size() / 4; i < out.size() * 3 / 4; ++i)
        ASSERT_NEAR(out[i], kept ? ideal[i] : 0.0f, tolerance) << from << " to " << to << ", " << hz << " Hz, sample " << i;
    };
    expect(440, true, 5e-4);
    expect(0.8 * nyquist, true, 5e-4);
    if (from > to) expect(std::min(1.02 * nyquist, 0.49 * from), false, 2.5e-4);  // 66 dB
  }
  const auto same = tone(8000, 440, 100);
  EXPECT_EQ(resample(same, 8000, 8000), same);
  EXPECT_TRUE(resample({}, 16000, 8000).empty());
  EXPECT_THROW(resample(same, 8000, 0), Error);
}

TEST(Resample, MonoClipNamesWhatItFound) {
  formats::Audio stereo{44100, 2, std::vector<float>(2 * 441, 0.25f)};
  try {
    mono_clip(stereo, 8000, false, "a.wav");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
    EXPECT_THAT(e.what(), ::testing::AllOf(::testing::HasSubstr("2 channels at 44100 Hz, not 1 at 8000 Hz (a.wav)"),
                                           ::testing::HasSubstr("resample = true")));
  }
  const auto clip = mono_clip(stereo, 8000, true, "a.wav");
  EXPECT_EQ(clip.size(), 80u);
  EXPECT_NEAR(clip[40], 0.25f, 1e-3);
  EXPECT_THROW(mono_clip({8000, 1, {}}, 8000, false, "b.wav"), Error);
}

}  // namespace
}  // namespace apical::data
