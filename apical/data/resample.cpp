#include "apical/data/resample.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <numeric>

#include "apical/base/error.h"

namespace apical::data {

std::vector<float> resample(std::span<const float> x, int from, int to) {
  if (from < 1 || to < 1)
    throw usage_error("sound cannot be resampled from " + std::to_string(from) + " to " + std::to_string(to) + " Hz", "sample_rate");
  if (from == to) return {x.begin(), x.end()};
  const int common = std::gcd(from, to);
  const std::uint64_t up = static_cast<std::uint64_t>(to / common), down = static_cast<std::uint64_t>(from / common);
  const std::uint64_t n = (x.size() * up + down - 1) / down;
  std::vector<float> out(n);
  // Lengths in samples of `x`. The lower rate's Nyquist frequency is rate / 2 cycles a sample.
  const double rate = std::min(1.0, static_cast<double>(to) / from), cutoff = 0.9 * rate, reach = 32 / rate, pi = std::numbers::pi;
  const auto side = static_cast<std::int64_t>(std::ceil(reach));
  std::vector<double> taps(static_cast<std::size_t>(2 * side + 1));
  // Output i lies at i down / up. The outputs of one phase (i mod up) lie at the same place between two samples and share their taps.
  for (std::uint64_t phase = 0; phase < std::min(up, n); ++phase) {
    const double part = static_cast<double>(phase * down % up) / static_cast<double>(up);
    double sum = 0;
    for (std::int64_t k = -side; k <= side; ++k) {
      const double t = static_cast<double>(k) - part, a = pi * cutoff * t;
      const double window = std::abs(t) >= reach ? 0 : 0.42 + 0.5 * std::cos(pi * t / reach) + 0.08 * std::cos(2 * pi * t / reach);
      sum += taps[static_cast<std::size_t>(k + side)] = window * (std::abs(a) < 1e-9 ? 1 : std::sin(a) / a);
    }
    for (double& tap : taps) tap /= sum;  // a constant stays
    for (std::uint64_t i = phase; i < n; i += up) {
      const auto at = static_cast<std::int64_t>(i * down / up), size = static_cast<std::int64_t>(x.size());
      double value = 0;
      for (std::int64_t j = std::max<std::int64_t>(0, at - side); j <= std::min(size - 1, at + side); ++j)
        value += taps[static_cast<std::size_t>(j - at + side)] * x[static_cast<std::size_t>(j)];
      out[i] = static_cast<float>(value);
    }
  }
  return out;
}

std::vector<float> mono_clip(const formats::Audio& audio, int sample_rate, bool convert, const std::string& where) {
  if (audio.samples.empty()) throw data_error("the sound has no samples", where, "Leave it out.");
  if (!convert && (audio.channels != 1 || audio.sample_rate != sample_rate))
    throw data_error("the sound has " + std::to_string(audio.channels) + (audio.channels == 1 ? " channel" : " channels") + " at " +
                         std::to_string(audio.sample_rate) + " Hz, not 1 at " + std::to_string(sample_rate) + " Hz",
                     where,
                     "Allow its conversion (resample = true), or convert it: sox IN -c 1 -r " + std::to_string(sample_rate) + " OUT.");
  return resample(audio.mono(), audio.sample_rate, sample_rate);
}

}  // namespace apical::data
