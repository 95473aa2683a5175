#pragma once
// Weights of half a lane: how two share one, and bfloat16, the upper half of a float.
#include <bit>
#include <cstddef>
#include <cstdint>

namespace apical::kernels {

/// Weights of a row of n outputs: rounded up to 32.
constexpr std::size_t pair_row(std::size_t n) noexcept { return (n + 31) / 32 * 32; }
/// Where output o lies in its row: in each 32, the first 16 in the lower halves of lanes, the others in the upper.
constexpr std::size_t pair_place(std::size_t o) noexcept { return o / 32 * 32 + o % 16 * 2 + o / 16 % 2; }
/// The output in the lower half of lane `lane`; that in the upper half is 16 on.
constexpr std::size_t pair_output(std::size_t lane) noexcept { return lane / 16 * 32 + lane % 16; }

using Bfloat16 = std::uint16_t;  ///< its bits
constexpr bool is_bfloat16(float v) noexcept { return (std::bit_cast<std::uint32_t>(v) & 0xffff) == 0; }
constexpr float to_float(Bfloat16 v) noexcept { return std::bit_cast<float>(std::uint32_t{v} << 16); }
/// The nearest, of two as far away the even one; infinities and NaN stay what they are.
constexpr Bfloat16 to_bfloat16(float v) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(v);
  if (v != v) return static_cast<Bfloat16>(bits >> 16 | 0x40);
  return static_cast<Bfloat16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// The weight of output o in a prepared row.
constexpr float weight_at(const float* row, std::size_t o) noexcept { return row[o]; }
constexpr float weight_at(const Bfloat16* row, std::size_t o) noexcept { return to_float(row[pair_place(o)]); }

}  // namespace apical::kernels
