#pragma once
// Paired audio-visual sets: each sound with a picture of the same class, both disturbed. Every draw is a pure function of
// (settings, epoch, index), so all arms of a study see the same draws and the number of threads changes no bit.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "apical/data/audio_features.h"
#include "apical/data/dataset.h"

namespace apical::data {

/// What is done to a pair. The noise is babble and pink noise of equal mean power (our choice), babble being the sum of utterances of other
/// speakers of the same split, each of mean power 1, repeated from a random sample on to the length of the clip.
struct PairSettings {
  std::uint64_t seed = 1;
  double snr_low = -12, snr_high = 12;       ///< dB, -40 .. 40; uniform between the two, equal: fixed
  int babble = 4;                            ///< utterances; 0: pink noise alone
  std::vector<std::vector<float>> recorded;  ///< if any: one of these at random, from a random sample on, in place of babble and pink noise
  int occluder = 14;                         ///< side of a square block at a random place, wholly inside, set to 0 (background); 0: none. Not of lips
  float image_sigma = 0.8f;  ///< standard deviation of Gaussian noise, added after the block; the picture is then clipped to 0..1. Not of lips
  bool conflict = false;     ///< the picture shows another class, uniform among the others; the label is the sound's
  bool drop_audio = false, drop_image = false;  ///< a modality that is missing: all its values are exactly 0
};

/// value = (x - mean[band]) / std[band], alike for each coefficient of lips; empty vectors stand for 0 and 1.
struct BandStatistics {
  std::vector<float> mean, std, lip_mean, lip_std;
};

/// One draw as sound, for listening.
struct PairSound {
  int sample_rate = 0;              ///< Hz
  std::vector<float> clean, noisy;  ///< the noisy one may leave -1..1
  double snr_db = 0;
  std::uint32_t image = 0;  ///< index of the picture
};

/// An audio set and an image set of the same classes and the same split; or sounds with the lips that spoke them.
class PairedSet {
 public:
  /// Keeps both sets and the clean features. Data error when the classes or the splits differ, a sample has no label, a class of the sounds
  /// has no picture, or a sound is empty, not finite or of another sample rate; usage error when a set is of the wrong kind. Warns, in one
  /// line, when sounds are clipped. The speaker of a sound is <speaker> in an id [...]/<digit>_<speaker>_<take> (as fsdd's); a sound whose
  /// id is not of this form (as the twin's) is a speaker of its own.
  PairedSet(Set audio, Set images, const LogMelSettings& features = {});
  /// Sounds with lips (av_folder.h): the picture of a sound is its own lips, resampled along time to features.frames rows, as they are; in a
  /// conflict those of an utterance of another class. The speaker is <talker> in an id <split>/<talker>/<name>. Errors: as above, and a
  /// data error for a sound without lips.
  PairedSet(Set audio, const LogMelSettings& features);

  std::size_t size() const noexcept { return audio_.size(); }
  std::size_t audio_width() const noexcept { return front_.width(); }         ///< 736
  std::size_t image_width() const noexcept { return images_.pixel_count(); }  ///< 784; of lips frames x coefficients
  const Set& audio() const noexcept { return audio_; }
  const Set& images() const noexcept { return images_; }  ///< of lips: labels, and the shape [1, frames, coefficients], without pixels
  bool has_lips() const noexcept { return !lips_.empty(); }
  const LogMel& front_end() const noexcept { return front_; }
  std::size_t speakers() const noexcept { return speakers_; }
  std::size_t clipped() const noexcept { return clipped_; }  ///< sounds with more than 0.1 % of their samples at full scale

  /// Sounds `indices` of `epoch` with their pictures, in parallel: audio [B, audio_width] noisy log-mel and clean [B, audio_width] clean
  /// log-mel, both z-scored by `statistics`; image [B, image_width] 0..1, or lips z-scored; labels [B]. An empty span is not wanted. A set
  /// for tests is drawn at epoch 0 only. Usage error for a size that does not fit B or settings out of range; data error when babble finds no other speaker.
  void draw(const PairSettings& settings, const BandStatistics& statistics, std::span<const std::uint32_t> indices, std::uint64_t epoch,
            std::span<float> audio, std::span<float> image, std::span<float> clean, std::span<std::int32_t> labels) const;
  /// The sound behind row `index` of draw().
  PairSound sound(const PairSettings& settings, std::uint32_t index, std::uint64_t epoch) const;
  /// The picture of row `index`: where it stands in images().
  std::uint32_t image_of(const PairSettings& settings, std::uint32_t index, std::uint64_t epoch) const;

 private:
  struct Buffers;
  void prepare();
  void check(const PairSettings& settings) const;
  double mix(const PairSettings& settings, std::uint32_t index, std::uint64_t epoch, Buffers& buffers) const;
  void disturb(const PairSettings& settings, std::uint32_t index, std::uint64_t epoch, std::span<float> out) const;

  Set audio_, images_;
  LogMel front_;
  std::vector<float> clean_, lips_;                   // [N, audio_width], [N, image_width]
  std::vector<std::vector<std::uint32_t>> of_class_;  // pictures of each class
  std::vector<std::uint32_t> by_speaker_;             // sounds ordered by speaker
  std::vector<std::uint32_t> first_, end_;            // [N]: where the sounds of its speaker lie in by_speaker_
  std::size_t speakers_ = 0, clipped_ = 0;
};

/// Mean and standard deviation of each band over all noisy features of epoch 0, and of each coefficient of lips where there are any, in
/// float64 and in order of the samples. To be computed on the training pairs, once, and used for every split and every arm. A band that
/// never changes has standard deviation 1.
BandStatistics band_statistics(const PairedSet& train, const PairSettings& settings);

}  // namespace apical::data
