#pragma once
// A sequence of T frames as torch tensors, time merged with the batch: [T * B, ...], step t at rows t*B .. (t+1)*B.
// Four-dimensional data are kept channels-last, which is twice as fast on a CPU.
#include <torch/torch.h>

namespace apical::nn {

/// `frames` is [T * B, ...], or [B, ...] when the same frame is shown at each of the T steps (`constant`): what lies before
/// the first neuron layer is then computed once instead of T times.
struct Sequence {
  torch::Tensor frames;
  std::int64_t T = 1;
  bool constant = false;

  std::int64_t batch() const { return constant ? frames.size(0) : frames.size(0) / T; }
  /// The frame of step t, [B, ...].
  torch::Tensor at(std::int64_t t) const { return constant ? frames : frames.narrow(0, t * batch(), batch()); }
  /// The same sequence with every frame stored.
  Sequence expanded() const {
    if (!constant) return *this;
    std::vector<std::int64_t> repeats(static_cast<std::size_t>(frames.dim()), 1);
    repeats[0] = T;
    return {dense(frames.repeat(repeats)), T, false};
  }
  /// Contiguous in the house's memory format.
  static torch::Tensor dense(const torch::Tensor& x) {
    return x.contiguous(x.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
  }
};

}  // namespace apical::nn
