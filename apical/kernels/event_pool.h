#pragma once
// Pooling driven by spikes. Events are indices into a channel-first input [C, H, W].
#include <cstddef>
#include <cstdint>

namespace apical::kernels {

struct Pool2d {
  std::size_t channels = 1, height = 1, width = 1;
  std::size_t kernel_h = 2, kernel_w = 2, stride_h = 2, stride_w = 2, pad_h = 0, pad_w = 0;
  std::size_t out_height() const noexcept { return out(height, kernel_h, stride_h, pad_h); }
  std::size_t out_width() const noexcept { return out(width, kernel_w, stride_w, pad_w); }
  std::size_t outputs() const noexcept { return channels * out_height() * out_width(); }
  /// Channel last, whether the bits of a pixel fill words.
  bool whole_words() const noexcept { return channels % 64 == 0; }

 private:
  static std::size_t out(std::size_t n, std::size_t k, std::size_t stride, std::size_t pad) noexcept {
    return n + 2 * pad < k ? 0 : (n + 2 * pad - k) / stride + 1;
  }
};

/// Maximum of 0/1 spikes is their OR: SpikeBits (bits.h, one row of outputs() neurons, channel first), overwritten.
void event_max_pool(const Pool2d& shape, const std::uint32_t* index, std::size_t count, std::uint64_t* bits) noexcept;

/// The same channel last, [H, W, C] to [OH, OW, C], without padding; the input both as bits and, unless they are whole words, as a list.
void max_pool_spikes(const Pool2d& shape, const std::uint64_t* in, const std::uint32_t* index, std::size_t count, std::uint64_t* bits) noexcept;

/// The sums of windows of spikes, channel last, without padding, as a list: an output of [OH, OW, C] stands there as often as its window has
/// spikes; pixels ascend, channels of a pixel do not. index: ascending, of [H, W, C]; sums: room for outputs() * KH * KW. starts: scratch of
/// H * W + 1. Returns how many.
std::size_t sum_pool_spikes(const Pool2d& shape, const std::uint32_t* index, std::size_t count, std::uint32_t* starts, std::uint32_t* sums) noexcept;

/// y [C, OH, OW] = sum of the window / (KH * KW), padding counted as zeros (as torch does by default); value null: spikes (1).
void event_average_pool(const Pool2d& shape, const std::uint32_t* index, const float* value, std::size_t count, float* y) noexcept;

}  // namespace apical::kernels
