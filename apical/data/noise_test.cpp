// Noise by its spectrum and its power, mixtures by the ratio that was asked for.
#include "apical/data/noise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "apical/base/error.h"
#include "apical/data/fft.h"

namespace apical::data {
namespace {

std::vector<float> tone(std::size_t n, double cycles_per_sample, double amplitude = 0.5) {
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i)
    x[i] = static_cast<float>(amplitude * std::sin(2 * std::numbers::pi * cycles_per_sample * static_cast<double>(i)));
  return x;
}

TEST(Noise, PinkFallsByThreeDecibelsAnOctave) {
  constexpr int n = 8192;
  RealFft fft(n);
  std::vector<float> x(n);
  std::vector<std::complex<float>> spectrum(n / 2 + 1);
  std::vector<double> octave(9);  // power density of bins 2^k .. 2^(k+1) - 1, k = 3 .. 11
  for (std::uint64_t r = 0; r < 200; ++r) {
    pink_noise(Random(3, "test", r << 32), x);
    EXPECT_NEAR(mean_power(x), 1, 1e-5);
    fft.forward(x, spectrum);
    for (std::size_t k = 0; k < octave.size(); ++k)
      for (std::size_t j = std::size_t{8} << k; j < std::size_t{16} << k; ++j)
        octave[k] += std::norm(spectrum[j]) / static_cast<double>(8 << k);
  }
  for (std::size_t k = 1; k < octave.size(); ++k) EXPECT_NEAR(10 * std::log10(octave[k] / octave[k - 1]), -3.01, 0.5) << k;
  EXPECT_NEAR(10 * std::log10(octave.back() / octave.front()) / 8, -3.01, 0.05);
}

TEST(Noise, GaussianHasItsMomentsAndDependsOnItsKeyAlone) {
  std::vector<float> x(40001), again(7), other(7);
  gaussian_noise(Random(1, "test"), x);
  gaussian_noise(Random(1, "test"), again);
  gaussian_noise(Random(2, "test"), other);
  EXPECT_THAT(again, ::testing::ElementsAreArray(x.begin(), x.begin() + 7));
  EXPECT_NE(other, again);
  double moment[5] = {}, neighbour = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (int m = 1; m < 5; ++m) moment[m] += std::pow(x[i], m) / static_cast<double>(x.size());
    if (i > 0) neighbour += x[i] * x[i - 1] / static_cast<double>(x.size());
  }
  EXPECT_NEAR(moment[1], 0, 0.02);
  EXPECT_NEAR(moment[2], 1, 0.03);
  EXPECT_NEAR(moment[3], 0, 0.06);
  EXPECT_NEAR(moment[4], 3, 0.2);
  EXPECT_NEAR(neighbour, 0, 0.02);
}

TEST(Noise, AClipIsRepeatedFromItsStartAtPowerOne) {
  const std::vector<float> clip{1, -1, 3};  // power 11/3
  std::vector<float> out{10, 0, 0, 0, 0};
  add_repeated(clip, 5, out);
  const float g = std::sqrt(3.0f / 11);
  EXPECT_THAT(out, ::testing::Pointwise(::testing::FloatNear(1e-6f), {10 + 3 * g, g, -g, 3 * g, g}));
  add_repeated(std::vector<float>(4), 0, out);
  EXPECT_FLOAT_EQ(out[0], 10 + 3 * g);
}

TEST(Mix, HasTheRatioThatWasAskedFor) {
  const auto signal = tone(4000, 0.031);
  std::vector<float> noise(4000), mixed(4000), rest(4000);
  pink_noise(Random(5, "test"), noise);
  for (const double snr : {-40.0, -12.0, -6.5, 0.0, 12.0, 40.0}) {
    const float gain = mix_at_snr(signal, noise, snr, mixed);
    for (std::size_t i = 0; i < rest.size(); ++i) rest[i] = mixed[i] - signal[i];
    EXPECT_NEAR(10 * std::log10(mean_power(signal) / mean_power(rest)), snr, 1e-3);
    EXPECT_NEAR(rest[77], gain * noise[77], 1e-5);
  }
}

TEST(Mix, WithSilenceIsTheSignal) {
  const auto signal = tone(100, 0.1);
  const std::vector<float> silence(100);
  std::vector<float> mixed(100, 9.0f);
  EXPECT_EQ(mix_at_snr(signal, silence, 0, mixed), 0);
  EXPECT_EQ(mixed, signal);
  EXPECT_EQ(mix_at_snr(silence, signal, 0, mixed), 0);
  EXPECT_EQ(mixed, silence);
}

TEST(Mix, RefusesRatiosAndLengthsThatMakeNoSense) {
  const auto signal = tone(100, 0.1);
  std::vector<float> mixed(100);
  for (const double snr : {-40.5, 41.0, std::nan("")}) {
    try {
      mix_at_snr(signal, signal, snr, mixed);
      FAIL() << snr;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::usage);
      EXPECT_THAT(e.what(), ::testing::HasSubstr("-40 .. 40 dB"));
    }
  }
  EXPECT_THROW(mix_at_snr(signal, tone(99, 0.1), 0, mixed), Error);
}

}  // namespace
}  // namespace apical::data
