#pragma once
// From a set in memory to batches a network can run.
#include <span>

#include "apical/data/dataset.h"
#include "apical/data/encoders.h"
#include "apical/nn/sequence.h"

namespace apical::training {

/// Random moves of the picture, keyed by (seed, epoch, sample), so that a resumed run sees the same ones.
struct Augment {
  int shift = 0;  ///< up to this many pixels each way; uncovered pixels are background
};

class Loader {
 public:
  /// Keeps a reference to `set`. `constant_frames`: a direct encoder gives one constant frame instead of T copies.
  Loader(const data::Set& set, data::Encoder encoder, data::Preprocess preprocess, std::int64_t T, bool constant_frames = true);

  std::size_t size() const noexcept { return set_.size(); }
  const data::Set& set() const noexcept { return set_; }
  std::int64_t T() const noexcept { return T_; }
  const data::Encoder& encoder() const noexcept { return encoder_; }
  const data::Preprocess& preprocess() const noexcept { return preprocess_; }

  /// Frames of these samples. `epoch` and `seed` key the augmentation.
  nn::Sequence batch(std::span<const std::uint32_t> indices, const Augment& augment = {}, std::uint64_t seed = 0, std::uint64_t epoch = 0) const;
  /// Labels as int64 [B].
  torch::Tensor labels(std::span<const std::uint32_t> indices) const;

 private:
  const data::Set& set_;
  data::Encoder encoder_;
  data::Preprocess preprocess_;
  std::int64_t T_;
  bool constant_;
  data::FrameShape shape_;
};

}  // namespace apical::training
