#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/bits.cpp"
#include "apical/kernels/bits.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <atomic>
#include <bit>

#include "apical/base/thread_pool.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// n a multiple of 8: whole bytes. Returns whether every value is 0 or 1.
bool pack_bytes(const float* x, size_t n, uint8_t* bytes) {
  const hn::ScalableTag<float> d;
  const size_t L = hn::Lanes(d);
  const auto zero = hn::Zero(d), one = hn::Set(d, 1.0f);
  auto other = hn::Ne(zero, zero);  // lanes that have met another value
  size_t i = 0;
  for (; i + std::max<size_t>(L, 8) <= n; i += std::max<size_t>(L, 8)) {
    if (L >= 8) {
      const auto v = hn::LoadU(d, x + i);
      const auto spike = hn::Not(hn::Eq(v, zero));  // NaN too, which Ne is false for
      hn::StoreMaskBits(d, spike, bytes + i / 8);
      other = hn::Or(other, hn::And(spike, hn::Not(hn::Eq(v, one))));
      continue;
    }
    unsigned byte = 0;
    for (size_t k = 0; k < 8; k += L) {
      uint8_t part[8] = {};
      const auto v = hn::LoadU(d, x + i + k);
      const auto spike = hn::Not(hn::Eq(v, zero));  // NaN too, which Ne is false for
      hn::StoreMaskBits(d, spike, part);
      other = hn::Or(other, hn::And(spike, hn::Not(hn::Eq(v, one))));
      byte |= static_cast<unsigned>(part[0]) << k;
    }
    bytes[i / 8] = static_cast<uint8_t>(byte);
  }
  bool spikes = hn::AllFalse(d, other);
  for (; i < n; i += 8) {
    unsigned byte = 0;
    for (size_t k = 0; k < 8; ++k) byte |= static_cast<unsigned>(x[i + k] != 0.0f) << k, spikes &= x[i + k] == 0.0f || x[i + k] == 1.0f;
    bytes[i / 8] = static_cast<uint8_t>(byte);
  }
  return spikes;
}

void unpack_bytes(const uint8_t* bytes, size_t n, float* x) {
  const hn::ScalableTag<float> d;
  const size_t L = hn::Lanes(d);
  const auto one = hn::Set(d, 1.0f);
  size_t i = 0;
  for (; i + L <= n; i += L) {
    uint8_t part[8] = {static_cast<uint8_t>(bytes[i / 8] >> (i % 8))};  // short vectors start within a byte
    hn::StoreU(hn::IfThenElseZero(hn::LoadMaskBits(d, L >= 8 ? bytes + i / 8 : part), one), d, x + i);
  }
  for (; i < n; ++i) x[i] = static_cast<float>((bytes[i / 8] >> (i % 8)) & 1);
}

uint64_t count_words(const uint64_t* words, size_t n) {
  const hn::ScalableTag<uint64_t> d;
  const size_t L = hn::Lanes(d);
  auto sum = hn::Zero(d);
  size_t i = 0;
  for (; i + L <= n; i += L) sum = hn::Add(sum, hn::PopulationCount(hn::LoadU(d, words + i)));
  uint64_t count = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < n; ++i) count += static_cast<uint64_t>(std::popcount(words[i]));
  return count;
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

// Bit r of block[i] becomes bit i of block[r].
void transpose_block(std::uint64_t* block) {
  std::uint64_t low = 0xFFFFFFFF;  // the lower half of each square of 2 * side bits
  for (std::size_t side = 32; side > 0; side /= 2, low ^= low << side)
    for (std::size_t first = 0; first < 64; first += 2 * side)
      for (std::size_t i = first; i < first + side; ++i) {
        const std::uint64_t swap = (block[i] >> side ^ block[i + side]) & low;
        block[i] ^= swap << side;
        block[i + side] ^= swap;
      }
}

HWY_EXPORT(pack_bytes);
HWY_EXPORT(unpack_bytes);
HWY_EXPORT(count_words);

bool pack_reference(const float* x, std::size_t n, std::uint8_t* bytes) {
  bool spikes = true;
  for (std::size_t i = 0; i < n; ++i) {
    if (i % 8 == 0) bytes[i / 8] = 0;
    bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | (x[i] != 0.0f) << (i % 8));
    spikes = spikes && (x[i] == 0.0f || x[i] == 1.0f);
  }
  return spikes;
}

void unpack_reference(const std::uint8_t* bytes, std::size_t n, float* x) {
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>((bytes[i / 8] >> (i % 8)) & 1);
}

// Calls work(row, first, count) for pieces of rows; pieces share no byte.
template <class Work>
void pieces(std::size_t rows, std::size_t n, Work work) {
  constexpr std::size_t kPiece = std::size_t{1} << 16;
  const std::size_t each = (n + kPiece - 1) / kPiece;
  parallel_for(0, rows * each, n == 0 ? 1 : std::max<std::size_t>(1, kPiece / n), [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) work(p / each, p % each * kPiece, std::min(kPiece, n - p % each * kPiece));
  });
}

}  // namespace

bool pack_bits(const float* x, std::size_t rows, std::size_t n, std::uint64_t* bits) noexcept {
  const std::size_t words = words_per_row(n);
  const bool plain_level = scalar_level();
  std::atomic<bool> spikes{true};
  pieces(rows, n, [&](std::size_t row, std::size_t first, std::size_t count) {
    const float* from = x + row * n + first;
    if (first + count == n) std::fill(bits + row * words + n / 64, bits + (row + 1) * words, 0);
    std::uint8_t* to = reinterpret_cast<std::uint8_t*>(bits + row * words) + first / 8;  // little endian, as every target of this build
    const std::size_t whole = plain_level ? 0 : count / 8 * 8;
    bool only = whole == 0 || HWY_DYNAMIC_DISPATCH(pack_bytes)(from, whole, to);
    only &= pack_reference(from + whole, count - whole, to + whole / 8);
    if (!only) spikes.store(false, std::memory_order_relaxed);
  });
  return spikes;
}

void unpack_bits(const std::uint64_t* bits, std::size_t rows, std::size_t n, float* x) noexcept {
  const std::size_t words = words_per_row(n);
  const bool plain_level = scalar_level();
  pieces(rows, n, [&](std::size_t row, std::size_t first, std::size_t count) {
    const std::uint8_t* from = reinterpret_cast<const std::uint8_t*>(bits + row * words) + first / 8;
    if (plain_level)
      unpack_reference(from, count, x + row * n + first);
    else
      HWY_DYNAMIC_DISPATCH(unpack_bytes)(from, count, x + row * n + first);
  });
}

std::uint64_t count_bits(const std::uint64_t* bits, std::size_t rows, std::size_t n) noexcept {
  return HWY_DYNAMIC_DISPATCH(count_words)(bits, rows * words_per_row(n));
}

std::size_t bits_to_list(const std::uint64_t* bits, std::size_t n, std::uint32_t* list) noexcept {
  const std::size_t words = (n + 63) / 64;
  std::size_t count = 0;
  const auto lowest = [](std::uint64_t word) { return static_cast<std::size_t>(std::countr_zero(word | std::uint64_t{1} << 63)); };
  for (std::size_t w = 0; w + 1 < words; ++w) {
    std::uint64_t word = bits[w];
    // Eight at a time, whether there are so many or not (the next ones are written over them): how many is guessed wrong less often. There is
    // room: no more than 64 w spikes came before.
    const auto spikes = static_cast<std::size_t>(std::popcount(word));
    for (std::uint32_t* to = list + count; to < list + count + spikes; to += 8)
      for (std::size_t k = 0; k < 8; ++k, word &= word - 1) to[k] = static_cast<std::uint32_t>(w * 64 + lowest(word));
    count += spikes;
  }
  if (words > 0)
    for (std::uint64_t word = bits[words - 1]; word != 0; word &= word - 1) list[count++] = static_cast<std::uint32_t>((words - 1) * 64 + lowest(word));
  return count;
}

void transpose_rows(const std::uint64_t* bits, std::size_t words, std::size_t rows, std::size_t n, std::uint64_t* out, std::size_t out_words) noexcept {
  for (std::size_t to = 0; to < out_words; ++to)
    for (std::size_t w = 0; w * 64 < n; ++w) {
      std::uint64_t block[64] = {};
      for (std::size_t r = to * 64; r < std::min(rows, to * 64 + 64); ++r) block[r - to * 64] = bits[r * words + w];
      if (to * 64 < rows) transpose_block(block);
      for (std::size_t i = w * 64; i < std::min(n, w * 64 + 64); ++i) out[i * out_words + to] = block[i - w * 64];
    }
}

void transpose_bits(const std::uint64_t* bits, std::size_t rows, std::size_t n, std::uint64_t* out) noexcept {
  const std::size_t to_words = words_per_row(rows);
  parallel_for(0, n, 512, [&](std::size_t begin, std::size_t end) {  // the words of a cache line
    transpose_rows(bits + begin / 64, words_per_row(n), rows, end - begin, out + begin * to_words, to_words);
  });
}

void list_to_bits(const std::uint32_t* list, std::size_t count, std::size_t n, std::uint64_t* bits) noexcept {
  std::fill(bits, bits + words_per_row(n), 0);
  for (std::size_t i = 0; i < count; ++i) bits[list[i] / 64] |= std::uint64_t{1} << (list[i] % 64);
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
