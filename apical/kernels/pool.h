#pragma once
// Pooling of whole images, channel last: x [B, H, W, C], y [B, OH, OW, C], without padding (shape.pad_h and pad_w are 0). Images are
// shared out over threads, sums run window by window in reading order: the same bits at every SIMD level.
#include "apical/kernels/event_pool.h"

namespace apical::kernels {

/// y = sum of the window / (KH * KW).
void average_pool(const Pool2d& shape, std::size_t batch, const float* x, float* y) noexcept;
/// The same of spikes: bits [T, words_per_row(batch * H * W * C)] SpikeBits (bits.h), y [T, batch, OH, OW, C].
void average_pool_bits(const Pool2d& shape, std::size_t T, std::size_t batch, const std::uint64_t* bits, float* y) noexcept;
/// grad_x = sum over the windows a pixel lies in of grad_y / (KH * KW); 0 where it lies in none.
void average_pool_backward(const Pool2d& shape, std::size_t batch, const float* grad_y, float* grad_x) noexcept;

/// y = largest of the window.
void max_pool(const Pool2d& shape, std::size_t batch, const float* x, float* y) noexcept;

}  // namespace apical::kernels
