#pragma once
// Private to the runtime: the dense form of a convolution, channel last. Each output sums its bias, then its inputs in ascending
// (ky, kx, channel), which is the order in which ascending channel-last events reach it: the event form gives the same bits, at
// every SIMD level. Inputs stand in a copy with the zero padding around it.
#include <cstddef>

#include "apical/kernels/event_conv.h"

namespace apical::runtime {

struct DenseConv {
  kernels::Conv2d shape;
  std::size_t biases() const noexcept { return shape.groups * shape.row(); }
  std::size_t padded() const noexcept { return (shape.height + 2 * shape.pad_h) * (shape.width + 2 * shape.pad_w) * shape.in_channels; }

  /// [O] to [groups, shape.row()]. Done once.
  void prepare_bias(const float* bias, float* biases) const noexcept;
  /// x [H, W, I] into the middle of `padded`, whose border stays zero.
  void pad(const float* x, float* padded) const noexcept;
  /// y [OH, OW, O], overwritten; weights as kernels::prepare_conv lays them out.
  void run(const float* weights, const float* biases, const float* padded, float* y) const noexcept;
};

}  // namespace apical::runtime
