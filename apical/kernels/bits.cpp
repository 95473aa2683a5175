#include "apical/kernels/bits.h"

#include <algorithm>
#include <bit>

namespace apical::kernels {

// Plain loops: the compiler turns the inner one of pack and unpack into vectors, and all of them run at memory speed.
void pack_bits(const float* x, std::size_t rows, std::size_t n, std::uint64_t* bits) noexcept {
  const std::size_t words = words_per_row(n);
  for (std::size_t r = 0; r < rows; ++r, x += n, bits += words) {
    for (std::size_t w = 0; w < words; ++w) {
      const std::size_t first = std::min(w * 64, n), count = std::min<std::size_t>(64, n - first);
      std::uint64_t word = 0;
      for (std::size_t i = 0; i < count; ++i) word |= std::uint64_t{x[first + i] != 0.0f} << i;
      bits[w] = word;
    }
  }
}

void unpack_bits(const std::uint64_t* bits, std::size_t rows, std::size_t n, float* x) noexcept {
  const std::size_t words = words_per_row(n);
  for (std::size_t r = 0; r < rows; ++r, x += n, bits += words)
    for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>((bits[i / 64] >> (i % 64)) & 1);
}

std::uint64_t count_bits(const std::uint64_t* bits, std::size_t rows, std::size_t n) noexcept {
  std::uint64_t count = 0;
  for (std::size_t w = 0; w < rows * words_per_row(n); ++w) count += static_cast<std::uint64_t>(std::popcount(bits[w]));
  return count;
}

std::size_t bits_to_list(const std::uint64_t* bits, std::size_t n, std::uint32_t* list) noexcept {
  std::size_t count = 0;
  for (std::size_t w = 0; w < (n + 63) / 64; ++w)
    for (std::uint64_t word = bits[w]; word != 0; word &= word - 1)
      list[count++] = static_cast<std::uint32_t>(w * 64 + static_cast<std::size_t>(std::countr_zero(word)));
  return count;
}

void list_to_bits(const std::uint32_t* list, std::size_t count, std::size_t n, std::uint64_t* bits) noexcept {
  std::fill(bits, bits + words_per_row(n), 0);
  for (std::size_t i = 0; i < count; ++i) bits[list[i] / 64] |= std::uint64_t{1} << (list[i] % 64);
}

}  // namespace apical::kernels
