#pragma once
// Sound as features: framing, power spectra, log-mel bands, MFCC; and the way back, to listen to what a network did to the bands.
// The figures are librosa's (testing_librosa.py made those that the test holds): center=False, htk=True, norm=None. The transform is in
// float32: a band 75 dB below the loudest of its frame is off by up to 2e-4 in the logarithm.
#include <complex>
#include <cstddef>
#include <span>
#include <vector>

#include "apical/data/fft.h"

namespace apical::data {

/// The front end of the two-point cell recipe: 23 bands x 32 frames = 736 values a clip.
struct LogMelSettings {
  int sample_rate = 8000;  ///< Hz
  int window = 200;        ///< samples of a frame, under a periodic Hann window
  int hop = 80;            ///< samples from frame to frame
  int fft = 256;           ///< length of the transform, even, >= window: the frame is followed by zeros
  int bands = 23;          ///< mel bands
  float f_min = 100, f_max = 3800;  ///< Hz
  float floor = 1e-6f;     ///< log(x + floor)
  int frames = 32;         ///< of features()
  bool operator==(const LogMelSettings&) const = default;
};

/// Log-mel bands of clips. Frame k covers samples k hop .. k hop + window - 1; zeros follow the end of the clip, so that every sample lies
/// in a frame: K = 1 + ceil((n - window) / hop) frames, at least one. Band b is the triangle over the bins' frequencies between the b-th and
/// (b + 2)-th of bands + 2 points that are equally spaced on HTK's scale mel = 2595 log10(1 + f / 700), with peak 1:
///     log_mel[k, b] = log(floor + sum_j triangle_b(f_j) |X_k(f_j)|^2)
class LogMel {
 public:
  /// Usage error naming the setting that makes no sense, or a band that is too narrow to hold a bin.
  explicit LogMel(const LogMelSettings& settings = {});
  const LogMelSettings& settings() const noexcept { return settings_; }
  std::size_t width() const noexcept { return static_cast<std::size_t>(settings_.frames) * settings_.bands; }  ///< values of features()
  std::size_t frame_count(std::size_t samples) const noexcept;

  /// Memory of one thread; the LogMel itself is shared. Nothing is allocated per frame.
  struct Workspace {
    explicit Workspace(const LogMel& of);
    RealFft fft;
    std::vector<float> frame, power, log_mel;
    std::vector<std::complex<float>> spectrum;
  };

  /// [K, bands] in the workspace, until its next use. Data error for a clip without samples.
  std::span<const float> log_mel(std::span<const float> clip, Workspace& workspace) const;
  /// The same, resampled along time to [frames, bands] by linear interpolation (see resample_frames). Usage error when `out` has another size.
  void features(std::span<const float> clip, Workspace& workspace, std::span<float> out) const;

 private:
  struct Band {
    std::size_t first = 0;  // bin
    std::vector<float> weights;
  };
  LogMelSettings settings_;
  std::vector<float> window_;
  std::vector<Band> bands_;
};

/// The row at position `at` (0 .. K - 1) of `rows` [K, width], linear between its two neighbours; out [width].
void row_at(std::span<const float> rows, std::size_t width, double at, float* out);
/// [K, width] to `frames` rows: row j is that at j (K - 1) / (frames - 1), so the first and the last stay.
void resample_frames(std::span<const float> in, std::size_t width, std::size_t frames, std::span<float> out);

}  // namespace apical::data
