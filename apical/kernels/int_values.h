#pragma once
// Frames of floats to integers, and integers to the list of those that are not zero.
#include <cstddef>
#include <cstdint>

namespace apical::kernels {

/// q[i] = clamp(round(x[i] * scale), -127, 127), to the even one of two neighbours as far away; NaN gives 0. scale: a power of two.
void quantise_values(const float* x, std::size_t n, float scale, std::int32_t* q) noexcept;

/// One row of SpikeBits (bits.h): 1 where q[i] is not 0.
void nonzero_bits(const std::int32_t* q, std::size_t n, std::uint64_t* bits) noexcept;

}  // namespace apical::kernels
