#pragma once
// 2-D convolution driven by spikes, channel last, in gather form: each output adds the weights of the events in its window, all its
// channels at once in registers. A row of a window is one run of the list and one run of weight rows, so an event costs hardly more than its
// additions. Sums start at the bias and run in the order of the list, (ky, kx, channel): the same bits as the dense form and at every
// SIMD level.
#include <cstddef>
#include <cstdint>

#include "apical/kernels/narrow.h"

namespace apical::kernels {

struct Conv2d {
  std::size_t in_channels = 1, out_channels = 1, height = 1, width = 1;  ///< of the input
  std::size_t kernel_h = 1, kernel_w = 1;
  std::size_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
  std::size_t groups = 1;  ///< divides both numbers of channels

  /// floor((H + 2 pad - K) / stride) + 1; 0 when the kernel does not fit.
  std::size_t out_height() const noexcept { return out(height, kernel_h, stride_h, pad_h); }
  std::size_t out_width() const noexcept { return out(width, kernel_w, stride_w, pad_w); }
  std::size_t inputs() const noexcept { return in_channels * height * width; }
  std::size_t outputs() const noexcept { return out_channels * out_height() * out_width(); }
  /// Outputs that an event reaches, about.
  std::size_t reach() const noexcept { return kernel_h * kernel_w * (out_channels / groups) / (stride_h * stride_w); }
  /// Floats of a prepared weight row, the outputs of a group: rounded up to 64 bytes.
  std::size_t row() const noexcept { return (out_channels / groups + 15) / 16 * 16; }
  /// The same of narrow weights (narrow.h).
  std::size_t narrow_row() const noexcept { return pair_row(out_channels / groups); }
  /// Floats, and narrow weights, of the prepared layouts.
  std::size_t weights() const noexcept { return kernel_h * kernel_w * in_channels * row(); }
  std::size_t narrow_weights() const noexcept { return kernel_h * kernel_w * in_channels * narrow_row(); }

 private:
  static std::size_t out(std::size_t n, std::size_t k, std::size_t stride, std::size_t pad) noexcept {
    const std::size_t room = n + 2 * pad;
    return room < k ? 0 : (room - k) / stride + 1;
  }
};

inline constexpr std::size_t kWindow = 4096;  ///< events of a window that are gathered at a time

/// Weights [O, I / groups, KH, KW] (as trained) to [KH, KW, I, row()], padding zero. Done once.
void prepare_conv(const Conv2d& shape, const float* weight, float* prepared) noexcept;

/// starts[p], p in [0, H * W]: the first of `count` ascending events that lies at pixel p or behind it.
void find_starts(const Conv2d& shape, const std::uint32_t* index, std::size_t count, std::uint32_t* starts) noexcept;

/// y [OH, OW, O] = bias [O] (null: 0) + the weights of the events. index: ascending, of the input [H, W, I]; value: of each event, null:
/// spikes (1). starts: scratch of H * W + 1. One sample; rows of a large layer are shared out over the threads.
void event_conv(const Conv2d& shape, const float* prepared, const float* bias, const std::uint32_t* index, const float* value, std::size_t count,
                std::uint32_t* starts, float* y) noexcept;

/// The same with weights that are bfloat16 numbers: half the memory, sums in float32, the same bits. prepared [KH, KW, I, narrow_row()].
void prepare_conv(const Conv2d& shape, const float* weight, Bfloat16* prepared) noexcept;
void event_conv(const Conv2d& shape, const Bfloat16* prepared, const float* bias, const std::uint32_t* index, const float* value, std::size_t count,
                std::uint32_t* starts, float* y) noexcept;

}  // namespace apical::kernels
