// Compiled with flags of its own (CMakeLists.txt): nothing inline of other headers may be used here, it could be what the linker keeps for all.
#include "apical/kernels/event_int8_vnni.h"

#ifdef __AVX512VNNI__
#include <immintrin.h>

namespace apical::kernels {
namespace {

// Sums of four events' bytes at a time: their rows are interleaved, so that each 32 bits hold one output's four weights. N vectors of 64 outputs, the
// last one of 32 when `half`.
template <std::size_t N>
void fours(const std::uint8_t* weights, std::size_t row, const std::uint32_t* rows, const std::int16_t* values, std::size_t count, bool half,
           const std::int32_t* from, std::int32_t* y) {
  __m512i sum[N][4];
  for (auto& vector : sum)
    for (auto& s : vector) s = _mm512_setzero_si512();
  std::uint32_t total = 0;  // modulo 2^32, as the sums
  for (std::size_t e = 0; e < count; e += 4) {
    const std::uint8_t* w[4];
    std::uint32_t factors = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const bool there = e + j < count;  // else 0 times the first one's weights
      const std::uint32_t v = there ? static_cast<std::uint32_t>(values[e + j]) : 0;
      w[j] = weights + rows[there ? e + j : e] * row;
      total += v, factors |= (v & 255) << (8 * j);
    }
    const __m512i v = _mm512_set1_epi32(static_cast<int>(factors));
    for (std::size_t k = 0; k < N; ++k) {
      const __mmask64 there = half && k + 1 == N ? 0xffffffff : ~__mmask64{0};
      __m512i x[4];
      for (std::size_t j = 0; j < 4; ++j) x[j] = _mm512_maskz_loadu_epi8(there, w[j] + 64 * k);
      const __m512i a = _mm512_unpacklo_epi8(x[0], x[1]), b = _mm512_unpackhi_epi8(x[0], x[1]);
      const __m512i c = _mm512_unpacklo_epi8(x[2], x[3]), d = _mm512_unpackhi_epi8(x[2], x[3]);
      sum[k][0] = _mm512_dpbusd_epi32(sum[k][0], _mm512_unpacklo_epi16(a, c), v);
      sum[k][1] = _mm512_dpbusd_epi32(sum[k][1], _mm512_unpackhi_epi16(a, c), v);
      sum[k][2] = _mm512_dpbusd_epi32(sum[k][2], _mm512_unpacklo_epi16(b, d), v);
      sum[k][3] = _mm512_dpbusd_epi32(sum[k][3], _mm512_unpackhi_epi16(b, d), v);
    }
  }
  const __m512i taken = _mm512_set1_epi32(static_cast<int>(128 * total));
  const auto put = [&](std::size_t o, __m512i s) {
    s = _mm512_sub_epi32(s, taken);
    _mm512_storeu_si512(y + o, from ? _mm512_add_epi32(s, _mm512_loadu_si512(from + o)) : s);
  };
  // Lane l (128 bits) of sum[k][j]: outputs o, o + 16, o + 1, o + 17 with o = 32 (l / 2) + 8 (l % 2) + 2 j (pair_place).
  const __m512i first = _mm512_setr_epi32(0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30);
  const __m512i lower = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), upper = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  for (std::size_t k = 0; k < N; ++k)
    for (int odd = 0; odd < 2; ++odd) {
      const __m512i take = _mm512_add_epi32(first, _mm512_set1_epi32(odd));
      const __m512i p = _mm512_permutex2var_epi32(sum[k][0], take, sum[k][1]), q = _mm512_permutex2var_epi32(sum[k][2], take, sum[k][3]);
      const std::size_t o = 64 * k + (odd ? 16 : 0);
      put(o, _mm512_permutex2var_epi64(p, lower, q));
      if (!half || k + 1 < N) put(o + 32, _mm512_permutex2var_epi64(p, upper, q));
    }
}

}  // namespace

bool gather_vnni(const std::uint8_t* weights, std::size_t row, const std::uint32_t* rows, const std::int16_t* values, std::size_t count,
                 const std::int32_t* from, std::size_t outputs, std::int32_t* y) noexcept {
  if (!__builtin_cpu_supports("avx512vnni")) return false;
  std::uint16_t beyond = 0;
  for (std::size_t e = 0; e < count; ++e) beyond |= static_cast<std::uint16_t>(values[e] + 128);
  if (beyond > 255) return false;
  using Fours = decltype(&fours<1>);
  static constexpr Fours of[] = {fours<1>, fours<2>, fours<3>, fours<4>};
  of[(outputs - 1) / 64](weights, row, rows, values, count, outputs % 64 != 0, from, y);
  return true;
}

}  // namespace apical::kernels
#endif
