#include "apical/data/audio_features.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "apical/base/error.h"

namespace apical::data {
namespace {

void check(const LogMelSettings& s) {
  const auto refuse = [](const char* key, const std::string& rule, auto value) {
    throw usage_error(std::string(key) + " must " + rule + ", not be " + std::to_string(value), std::string("audio.") + key);
  };
  if (s.sample_rate < 1) refuse("sample_rate", "be at least 1 Hz", s.sample_rate);
  if (s.window < 2) refuse("window", "have at least 2 samples", s.window);
  if (s.hop < 1 || s.hop > s.window) refuse("hop", "lie in 1 .. window", s.hop);
  if (s.fft < s.window || s.fft % 2 != 0 || s.fft > 1 << 20) refuse("fft", "be even and lie in window .. 2^20", s.fft);
  if (s.bands < 1 || s.bands > s.fft) refuse("bands", "lie in 1 .. fft", s.bands);
  if (!(s.f_min >= 0)) refuse("f_min", "be at least 0 Hz", s.f_min);
  if (!(s.f_max > s.f_min && s.f_max <= 0.5f * static_cast<float>(s.sample_rate)))
    refuse("f_max", "lie above f_min, up to half the sample rate", s.f_max);
  if (!(s.floor > 0 && std::isfinite(s.floor))) refuse("floor", "be positive", s.floor);
  if (s.frames < 1) refuse("frames", "be at least 1", s.frames);
}

double mel(double hz) { return 2595 * std::log10(1 + hz / 700); }
double hertz(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

}  // namespace

LogMel::LogMel(const LogMelSettings& settings) : settings_(settings) {
  check(settings_);
  const auto& s = settings_;
  for (int i = 0; i < s.window; ++i) window_.push_back(static_cast<float>(0.5 - 0.5 * std::cos(2 * std::numbers::pi * i / s.window)));
  const double low = mel(s.f_min), step = (mel(s.f_max) - low) / (s.bands + 1), bin = static_cast<double>(s.sample_rate) / s.fft;
  for (int b = 0; b < s.bands; ++b) {
    const double left = hertz(low + b * step), top = hertz(low + (b + 1) * step), right = hertz(low + (b + 2) * step);
    Band band;
    for (int j = 0; j <= s.fft / 2; ++j) {
      const double weight = std::min((j * bin - left) / (top - left), (right - j * bin) / (right - top));
      if (weight <= 0) continue;
      if (band.weights.empty()) band.first = static_cast<std::size_t>(j);
      band.weights.push_back(static_cast<float>(weight));
    }
    if (band.weights.empty())
      throw usage_error("mel band " + std::to_string(b) + " of " + std::to_string(s.bands) + " holds no bin of the transform",
                        "audio.bands", "Take fewer bands or a longer fft.");
    bands_.push_back(std::move(band));
  }
  coverage_.resize(static_cast<std::size_t>(s.fft / 2 + 1));
  for (const Band& band : bands_)
    for (std::size_t j = 0; j < band.weights.size(); ++j) coverage_[band.first + j] += band.weights[j];
}

LogMel::Workspace::Workspace(const LogMel& of)
    : fft(of.settings().fft), frame(static_cast<std::size_t>(of.settings().fft)), power(frame.size() / 2 + 1), spectrum(power.size()) {}

std::size_t LogMel::frame_count(std::size_t samples) const noexcept {
  const auto window = static_cast<std::size_t>(settings_.window), hop = static_cast<std::size_t>(settings_.hop);
  return samples <= window ? 1 : 1 + (samples - window + hop - 1) / hop;
}

std::span<const float> LogMel::log_mel(std::span<const float> clip, Workspace& w) const {
  if (clip.empty()) throw data_error("the sound has no samples", "log-mel features", "Leave the clip out.");
  const std::size_t frames = frame_count(clip.size()), bands = bands_.size();
  w.log_mel.resize(frames * bands);
  for (std::size_t k = 0; k < frames; ++k) {
    const std::size_t begin = k * static_cast<std::size_t>(settings_.hop), n = std::min(window_.size(), clip.size() - begin);
    for (std::size_t i = 0; i < n; ++i) w.frame[i] = clip[begin + i] * window_[i];
    std::fill(w.frame.begin() + static_cast<std::ptrdiff_t>(n), w.frame.end(), 0.0f);
    w.fft.forward(w.frame, w.spectrum);
    for (std::size_t j = 0; j < w.power.size(); ++j) {
      const float re = w.spectrum[j].real(), im = w.spectrum[j].imag();
      w.power[j] = re * re + im * im;
    }
    for (std::size_t b = 0; b < bands; ++b) {
      const Band& band = bands_[b];
      float sum = 0;
      for (std::size_t j = 0; j < band.weights.size(); ++j) sum += band.weights[j] * w.power[band.first + j];
      w.log_mel[k * bands + b] = std::log(sum + settings_.floor);
    }
  }
  return w.log_mel;
}

void LogMel::features(std::span<const float> clip, Workspace& workspace, std::span<float> out) const {
  if (out.size() != width())
    throw usage_error("the features of a clip have " + std::to_string(width()) + " values, not " + std::to_string(out.size()),
                      "log-mel features");
  resample_frames(log_mel(clip, workspace), bands_.size(), static_cast<std::size_t>(settings_.frames), out);
}

void LogMel::gain_of_bins(std::span<const float> gain, std::span<float> out) const {
  std::fill(out.begin(), out.end(), 0.0f);
  for (std::size_t b = 0; b < bands_.size(); ++b)
    for (std::size_t j = 0; j < bands_[b].weights.size(); ++j) out[bands_[b].first + j] += gain[b] * bands_[b].weights[j];
  for (std::size_t j = 0; j < out.size(); ++j)
    out[j] = coverage_[j] > 0 ? out[j] / coverage_[j] : j <= bands_[0].first ? gain.front() : gain.back();
}

std::vector<float> LogMel::apply_band_gain(std::span<const float> clip, std::span<const float> gain, Workspace& w) const {
  if (clip.empty()) throw data_error("the sound has no samples", "apply_band_gain", "Leave the clip out.");
  const auto frames = static_cast<std::ptrdiff_t>(frame_count(clip.size())), bands = static_cast<std::ptrdiff_t>(bands_.size());
  if (gain.size() != static_cast<std::size_t>(frames * bands))
    throw usage_error("a clip of " + std::to_string(clip.size()) + " samples has " + std::to_string(frames) + " x " +
                          std::to_string(bands) + " gains, not " + std::to_string(gain.size()),
                      "apply_band_gain");
  if (2 * settings_.hop > settings_.window)
    throw usage_error("sound cannot be put together again from frames with a hop above half the window", "audio.hop");
  const auto n = static_cast<std::ptrdiff_t>(clip.size()), hop = static_cast<std::ptrdiff_t>(settings_.hop),
             length = static_cast<std::ptrdiff_t>(window_.size());
  const std::ptrdiff_t extra = (length - 1) / hop;  // frames that begin outside and still cover a sample
  std::vector<float> out(clip.size()), weight(clip.size()), bin_gain;
  for (std::ptrdiff_t k = -extra; k < frames + extra; ++k) {
    const std::ptrdiff_t begin = k * hop, first = std::max<std::ptrdiff_t>(0, -begin), last = std::min(length, n - begin);
    std::fill(w.frame.begin(), w.frame.end(), 0.0f);
    for (std::ptrdiff_t i = first; i < last; ++i)
      w.frame[static_cast<std::size_t>(i)] = clip[static_cast<std::size_t>(begin + i)] * window_[static_cast<std::size_t>(i)];
    w.fft.forward(w.frame, w.spectrum);
    const auto row = static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(k, 0, frames - 1) * bands);
    gain_of_bins(gain.subspan(row, bands_.size()), w.power);
    for (std::size_t j = 0; j < w.spectrum.size(); ++j) w.spectrum[j] *= w.power[j];
    w.fft.inverse(w.spectrum, w.frame);
    for (std::ptrdiff_t i = first; i < last; ++i) {
      const auto at = static_cast<std::size_t>(begin + i);
      const float v = window_[static_cast<std::size_t>(i)];
      out[at] += w.frame[static_cast<std::size_t>(i)] * v / static_cast<float>(settings_.fft);
      weight[at] += v * v;
    }
  }
  for (std::size_t i = 0; i < out.size(); ++i) out[i] /= weight[i];
  return out;
}

std::vector<float> mfcc(std::span<const float> log_mel, std::size_t bands, std::size_t count) {
  if (bands == 0 || count < 1 || count > bands || log_mel.size() % bands != 0)
    throw usage_error(std::to_string(log_mel.size()) + " log-mel values in rows of " + std::to_string(bands) + " give no " +
                          std::to_string(count) + " coefficients a row",
                      "mfcc", "At least 1 and at most as many coefficients as bands.");
  std::vector<double> basis(count * bands);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t b = 0; b < bands; ++b)
      basis[i * bands + b] = std::sqrt((i == 0 ? 1.0 : 2.0) / static_cast<double>(bands)) *
                             std::cos(std::numbers::pi * static_cast<double>(i * (2 * b + 1)) / static_cast<double>(2 * bands));
  std::vector<float> out(log_mel.size() / bands * count);
  for (std::size_t at = 0; at < out.size(); ++at) {
    double sum = 0;
    for (std::size_t b = 0; b < bands; ++b) sum += basis[at % count * bands + b] * log_mel[at / count * bands + b];
    out[at] = static_cast<float>(sum);
  }
  return out;
}

void row_at(std::span<const float> rows, std::size_t width, double at, float* out) {
  const std::size_t last = rows.size() / width - 1, row = std::min(static_cast<std::size_t>(at), last), next = std::min(row + 1, last);
  const auto part = static_cast<float>(at - static_cast<double>(row));
  const float *a = rows.data() + row * width, *b = rows.data() + next * width;
  for (std::size_t i = 0; i < width; ++i) out[i] = a[i] + part * (b[i] - a[i]);
}

void resample_frames(std::span<const float> in, std::size_t width, std::size_t frames, std::span<float> out) {
  if (width == 0 || frames == 0 || in.empty() || in.size() % width != 0 || out.size() != frames * width)
    throw usage_error("cannot resample " + std::to_string(in.size()) + " values in rows of " + std::to_string(width) + " to " +
                          std::to_string(frames) + " rows in " + std::to_string(out.size()) + " values",
                      "resample_frames");
  const std::size_t last = in.size() / width - 1;
  for (std::size_t j = 0; j < frames; ++j)
    row_at(in, width, frames == 1 ? 0.0 : static_cast<double>(j * last) / static_cast<double>(frames - 1), out.data() + j * width);
}

}  // namespace apical::data
