#include "apical/data/noise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "apical/base/error.h"
#include "apical/base/text.h"
#include "apical/data/readers.h"
#include "apical/data/resample.h"

namespace apical::data {
namespace {

float unit(std::uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }  // [0, 1)

void scale_to_unit_power(std::span<float> x) noexcept {
  const double power = mean_power(x);
  if (power <= 0) return;
  const auto gain = static_cast<float>(1 / std::sqrt(power));
  for (float& v : x) v *= gain;
}

}  // namespace

double mean_power(std::span<const float> x) noexcept {
  double sum = 0;
  for (const float v : x) sum += static_cast<double>(v) * v;
  return x.empty() ? 0 : sum / static_cast<double>(x.size());
}

void gaussian_noise(Random random, std::span<float> out) noexcept {
  std::uint64_t block = (random.index() + 3) / 4;
  for (std::size_t i = 0; i < out.size(); i += 4, ++block) {
    const auto words = random.block_at(block);
    float values[4];
    for (std::size_t pair = 0; pair < 4; pair += 2) {
      const float r = std::sqrt(-2.0f * std::log(1.0f - unit(words[pair]))),
                  angle = 2.0f * std::numbers::pi_v<float> * unit(words[pair + 1]);
      values[pair] = r * std::cos(angle);
      values[pair + 1] = r * std::sin(angle);
    }
    std::copy_n(values, std::min<std::size_t>(4, out.size() - i), out.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void pink_noise(Random random, std::span<float> out) noexcept {
  constexpr std::size_t warm_up = 4096;
  constexpr std::array<float, 6> pole{0.99886f, 0.99332f, 0.96900f, 0.86650f, 0.55000f, -0.7616f};
  constexpr std::array<float, 6> gain{0.0555179f, 0.0750759f, 0.1538520f, 0.3104856f, 0.5329522f, -0.0168980f};
  std::array<float, 6> state{};
  float delayed = 0;
  std::uint64_t block = (random.index() + 3) / 4;
  std::array<std::uint32_t, 4> words{};
  for (std::size_t i = 0; i < warm_up + out.size(); ++i) {
    if (i % 4 == 0) words = random.block_at(block++);
    const float white = 2.0f * unit(words[i % 4]) - 1.0f;
    float sum = delayed + 0.5362f * white;
    for (std::size_t k = 0; k < state.size(); ++k) sum += state[k] = pole[k] * state[k] + gain[k] * white;
    delayed = 0.115926f * white;
    if (i >= warm_up) out[i - warm_up] = sum;
  }
  scale_to_unit_power(out);
}

std::vector<std::vector<float>> read_noise(const std::filesystem::path& folder, int sample_rate) {
  std::vector<std::vector<float>> noise;
  for (const auto& path : sorted_files(folder))
    if (path.extension() == ".wav" || path.extension() == ".flac")
      noise.push_back(mono_clip(formats::read_audio(path), sample_rate, true, path.string()));
  if (noise.empty()) throw data_error("no recorded noise found", folder.string(), "Expected FOLDER/*.wav or *.flac.");
  return noise;
}

void add_repeated(std::span<const float> clip, std::size_t start, std::span<float> out) {
  const double power = mean_power(clip);
  if (power <= 0) return;
  const auto gain = static_cast<float>(1 / std::sqrt(power));
  std::size_t at = start % clip.size();
  for (float& v : out) {
    v += gain * clip[at];
    if (++at == clip.size()) at = 0;
  }
}

void check_snr(double snr_db, const char* where) {
  if (!(snr_db >= -40 && snr_db <= 40))
    throw usage_error("the signal-to-noise ratio must lie in -40 .. 40 dB, not " + number(snr_db), where);
}

float mix_at_snr(std::span<const float> signal, std::span<const float> noise, double snr_db, std::span<float> out) {
  check_snr(snr_db, "snr_db");
  if (noise.size() != signal.size() || out.size() != signal.size())
    throw usage_error("signal, noise and mixture have " + std::to_string(signal.size()) + ", " + std::to_string(noise.size()) + " and " +
                          std::to_string(out.size()) + " samples",
                      "mix_at_snr", "Repeat or cut the noise to the signal's length.");
  const double signal_power = mean_power(signal), noise_power = mean_power(noise);
  const double ratio = noise_power > 0 ? signal_power / noise_power : 0;
  const auto gain = static_cast<float>(std::sqrt(ratio * std::pow(10.0, -snr_db / 10)));
  for (std::size_t i = 0; i < signal.size(); ++i) out[i] = signal[i] + gain * noise[i];
  return gain;
}

}  // namespace apical::data
