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
  int sample_rate = 8000;           ///< Hz
  int window = 200;                 ///< samples of a frame, under a periodic Hann window
  int hop = 80;                     ///< samples from frame to frame
  int fft = 256;                    ///< length of the transform, even, >= window: the frame is followed by zeros
  int bands = 23;                   ///< mel bands
  float f_min = 100, f_max = 3800;  ///< Hz
  float floor = 1e-6f;              ///< log(x + floor)
  int frames = 32;                  ///< of features()
  bool operator==(const LogMelSettings&) const = default;
};

/// Log-mel bands of clips. Frame k covers samples k hop .. k hop + window - 1; zeros follow the end of the clip, so that every sample lies
/// in a frame: K = 1 + ceil((n - window) / hop) frames, at least one. Band b is the triangle over the bins' frequencies between the b-th
/// and (b + 2)-th of bands + 2 points that are equally spaced on HTK's scale mel = 2595 log10(1 + f / 700), with peak 1:
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
  /// The same, resampled along time to [frames, bands] by linear interpolation (see resample_frames). Usage error when `out` has another
  /// size.
  void features(std::span<const float> clip, Workspace& workspace, std::span<float> out) const;

  /// The clip with each band's amplitude multiplied by `gain` [K, bands], for listening: a short-time transform, each bin times the gain of
  /// the bands around it, the frames added up under the same window and divided by the sum of its squares (so gain 1 gives the clip back).
  /// A bin's gain is the mean of the bands' gains weighted by their triangles; beyond the outermost triangles it is that of the nearest
  /// band. Frames that begin before the clip or lie behind the K-th have the gain of the first or the last. Usage error for another number
  /// of gains or hop > window / 2; data error for a clip without samples.
  std::vector<float> apply_band_gain(std::span<const float> clip, std::span<const float> gain, Workspace& workspace) const;

 private:
  void gain_of_bins(std::span<const float> gain, std::span<float> out) const;
  struct Band {
    std::size_t first = 0;  // bin
    std::vector<float> weights;
  };
  LogMelSettings settings_;
  std::vector<float> window_;
  std::vector<Band> bands_;
  std::vector<float> coverage_;  // [bins]: sum of the triangles there
};

/// Mel-frequency cepstral coefficients of log-mel rows [K, bands], the orthonormal DCT-II of each: [K, count],
///     c[k, i] = sqrt((i == 0 ? 1 : 2) / bands) sum_b log_mel[k, b] cos(pi i (2 b + 1) / (2 bands)).
/// Usage error for a count outside 1 .. bands or values that are no whole rows.
std::vector<float> mfcc(std::span<const float> log_mel, std::size_t bands, std::size_t count = 13);

/// The row at position `at` (0 .. K - 1) of `rows` [K, width], linear between its two neighbours; out [width].
void row_at(std::span<const float> rows, std::size_t width, double at, float* out);
/// [K, width] to `frames` rows: row j is that at j (K - 1) / (frames - 1), so the first and the last stay.
void resample_frames(std::span<const float> in, std::size_t width, std::size_t frames, std::span<float> out);

}  // namespace apical::data
