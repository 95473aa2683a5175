#define HWY_WANT_AVX3_DL  // counts bits in one instruction
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/bit_attention.cpp"
#include "apical/kernels/bit_attention.h"

#include <hwy/foreach_target.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/simd.h"

#ifndef APICAL_BIT_ATTENTION_HEAD
#define APICAL_BIT_ATTENTION_HEAD
namespace apical::kernels {
namespace {

constexpr std::size_t words_of(std::size_t bits) { return (bits + 63) / 64; }

// One head: rows of words_of(width) words, a token each, bits behind the last feature zero.
struct Head {
  std::size_t tokens, width;
  const std::uint64_t *q, *k, *v;
  std::size_t words() const { return words_of(width); }
  std::size_t lanes() const { return 64 * words(); }                // numbers, one a feature, with padding
  std::size_t token_lanes() const { return 64 * words_of(tokens); }
};

// Room that a thread keeps, with anything in it; each Of is another.
template <class T, int Of>
T* room(std::size_t n) {
  thread_local std::vector<T> all;
  if (all.size() < n) all.resize(n);
  return all.data();
}

}  // namespace
}  // namespace apical::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Lanes `from` .. of a row of bits as a mask.
template <class D>
HWY_INLINE hn::Mask<D> mask_at(D d, const uint64_t* row, size_t from) {
  const uint64_t lanes = row[from / 64] >> (from % 64);
  return hn::LoadMaskBits(d, reinterpret_cast<const uint8_t*>(&lanes));  // little endian, as every target of this build
}

// Groups: bit t of to[g * 64 * words + j] is bit j of row g * B + t, where B are the bits of T. A vector of one group then holds the same B
// rows of many columns. Of `to` that many vectors as hold the columns are written.
template <class T>
void column_groups(const uint64_t* rows, size_t count, size_t width, T* to) {
  const hn::ScalableTag<T> d;
  constexpr size_t B = 8 * sizeof(T);
  const size_t words = words_of(width);
  for (size_t first = 0; first < count; first += B, rows += B * words, to += 64 * words)
    for (size_t j = 0; j < width; j += hn::Lanes(d)) {
      auto group = hn::Zero(d);
      for (size_t t = 0; t < std::min(B, count - first); ++t)
        group = hn::Or(group, hn::IfThenElseZero(mask_at(d, rows + t * words, j), hn::Set(d, static_cast<T>(T{1} << t))));
      hn::StoreU(group, d, to + j);
    }
}

// The same of the transpose: to[g * stride + r] holds bits g * B .. of row r.
template <class T>
void row_groups(const uint64_t* rows, size_t count, size_t width, size_t stride, T* to) {
  constexpr size_t B = 8 * sizeof(T);
  for (size_t g = 0; g * B < width; ++g)
    for (size_t r = 0; r < count; ++r) to[g * stride + r] = static_cast<T>(rows[r * words_of(width) + g * B / 64] >> (g * B % 64));
}

// counts[r * stride + s] = bits that column r of x and column s of y have in common, for R columns of x and a vector of those of y.
template <size_t R, class D, class T = hn::TFromD<D>>
HWY_INLINE void count_common(D d, const T* x, const T* y, size_t stride, size_t groups, T* counts) {
  hn::Vec<D> sum[R];
  for (size_t r = 0; r < R; ++r) sum[r] = hn::Zero(d);
  for (size_t g = 0; g < groups; ++g) {
    const auto column = hn::LoadU(d, y + g * stride);
    for (size_t r = 0; r < R; ++r) sum[r] = hn::Add(sum[r], hn::PopulationCount(hn::And(column, hn::Set(d, x[g * stride + r]))));
  }
  for (size_t r = 0; r < R; ++r) hn::StoreU(sum[r], d, counts + r * stride);
}
template <class T>
void count_all(const T* x, const T* y, size_t columns, size_t stride, size_t groups, T* counts) {
  const hn::ScalableTag<T> d;
  for (size_t s = 0; s < columns; s += hn::Lanes(d)) {
    size_t r = 0;
    for (; r + 4 <= columns; r += 4) count_common<4>(d, x + r, y + s, stride, groups, counts + r * stride + s);
    for (; r < columns; ++r) count_common<1>(d, x + r, y + s, stride, groups, counts + r * stride + s);
  }
}

// to[0 .. K vectors) = sum of the rows that the bits name.
template <size_t K, class D, class T = hn::TFromD<D>>
HWY_INLINE void add_named(D d, const uint64_t* bits, size_t words, const T* rows, size_t stride, T* to) {
  constexpr size_t L = hn::MaxLanes(D());
  hn::Vec<D> sum[K];
  for (size_t k = 0; k < K; ++k) sum[k] = hn::Zero(d);
  for (size_t w = 0; w < words; ++w, rows += 64 * stride)
    for (uint64_t word = bits[w]; word != 0; word &= word - 1) {
      const T* row = rows + static_cast<size_t>(std::countr_zero(word)) * stride;
      for (size_t k = 0; k < K; ++k) sum[k] = hn::Add(sum[k], hn::LoadU(d, row + k * L));
    }
  for (size_t k = 0; k < K; ++k) hn::StoreU(sum[k], d, to + k * L);
}
// The same for `lanes` numbers a row. Rows are padded to 64 numbers.
template <class T>
void add_rows(const uint64_t* bits, size_t words, const T* rows, size_t lanes, size_t stride, T* to) {
  const hn::ScalableTag<T> d;
  constexpr size_t L = hn::MaxLanes(hn::ScalableTag<T>()), block = std::min<size_t>(64, 8 * L);
  for (size_t j = 0; j < lanes; j += block) {
    const size_t vectors = (std::min(block, lanes - j) + L - 1) / L;
    if (vectors > 4)
      add_named<std::min<size_t>(8, block / L)>(d, bits, words, rows + j, stride, to + j);
    else if (vectors > 2)
      add_named<std::min<size_t>(4, block / L)>(d, bits, words, rows + j, stride, to + j);
    else if (vectors > 1)
      add_named<std::min<size_t>(2, block / L)>(d, bits, words, rows + j, stride, to + j);
    else
      add_named<1>(d, bits, words, rows + j, stride, to + j);
  }
}

HWY_INLINE void widen(const uint16_t* from, size_t n, int32_t* to) {
  const hn::ScalableTag<int32_t> d;
  const hn::Rebind<uint16_t, decltype(d)> half;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) hn::StoreU(hn::PromoteTo(d, hn::LoadU(half, from + i)), d, to + i);
  std::copy(from + i, from + n, to + i);
}
HWY_INLINE void widen(const uint32_t* from, size_t n, int32_t* to) { std::copy(from, from + n, to); }

// out[n, j] of one head, rows out_stride apart. T holds tokens * width.
template <class T>
void head_sums(const Head& h, bool kv_first, int32_t* out, size_t out_stride) {
  constexpr size_t B = 8 * sizeof(T);
  const size_t N = h.tokens, groups = (kv_first ? N : h.width) + B - 1;
  if (kv_first) {
    const size_t lanes = h.lanes(), size = groups / B * lanes;
    T *k = room<T, 0>(size), *v = room<T, 1>(size), *kv = room<T, 2>(h.width * lanes), *sums = room<T, 3>(lanes);
    column_groups(h.k, N, h.width, k);
    column_groups(h.v, N, h.width, v);
    count_all(k, v, h.width, lanes, groups / B, kv);
    for (size_t n = 0; n < N; ++n) {
      for (size_t j = 0; j < h.width; j += 16) hwy::Prefetch(out + std::min(n + 8, N - 1) * out_stride + j);  // rows lie far apart
      add_rows(h.q + n * h.words(), h.words(), kv, h.width, lanes, sums);
      widen(sums, h.width, out + n * out_stride);
    }
    return;
  }
  const size_t lanes = h.token_lanes(), size = groups / B * lanes;
  T *k = room<T, 0>(size), *q = room<T, 1>(size), *kq = room<T, 2>(N * lanes), *sums = room<T, 3>(h.width * lanes);
  row_groups(h.k, N, h.width, lanes, k);
  row_groups(h.q, N, h.width, lanes, q);
  count_all(k, q, N, lanes, groups / B, kq);
  uint64_t* v = room<uint64_t, 0>(h.width * words_of(N));
  transpose_rows(h.v, h.words(), N, h.width, v, words_of(N));
  for (size_t j = 0; j < h.width; ++j) add_rows(v + j * words_of(N), words_of(N), kq, N, lanes, sums + j * lanes);
  for (size_t n = 0; n < N; ++n)
    for (size_t j = 0; j < h.width; ++j) out[n * out_stride + j] = static_cast<int32_t>(sums[j * lanes + n]);
}
void head_narrow(const Head& h, bool kv_first, int32_t* out, size_t out_stride) { head_sums<uint16_t>(h, kv_first, out, out_stride); }
void head_wide(const Head& h, bool kv_first, int32_t* out, size_t out_stride) { head_sums<uint32_t>(h, kv_first, out, out_stride); }

// to[r, i] = sum over j of g[r, j] m[j, i] for R rows and i, j < width, j ascending; rows are `lanes` numbers.
template <size_t R>
HWY_INLINE void multiply(const float* g, const float* m, size_t width, size_t lanes, float* to) {
  const hn::ScalableTag<float> d;
  for (size_t i = 0; i < width; i += hn::Lanes(d)) {
    hn::Vec<decltype(d)> sum[R];
    for (size_t r = 0; r < R; ++r) sum[r] = hn::Zero(d);
    for (size_t j = 0; j < width; ++j) {
      const auto row = hn::LoadU(d, m + j * lanes + i);
      for (size_t r = 0; r < R; ++r) sum[r] = hn::Add(sum[r], hn::Mul(hn::Set(d, g[r * lanes + j]), row));
    }
    for (size_t r = 0; r < R; ++r) hn::StoreU(sum[r], d, to + r * lanes + i);
  }
}

// Gradients of one head; rows of g and of the results are `stride` apart.
void head_gradients(const Head& h, const float* g, size_t stride, float* grad_q, float* grad_k, float* grad_v) {
  const size_t N = h.tokens, width = h.width, lanes = h.lanes(), groups = (N + 31) / 32;
  float *rows = room<float, 0>(N * lanes), *qg = room<float, 1>(width * lanes);
  float *other = room<float, 2>(width * lanes), *sums = room<float, 3>(4 * lanes);  // other: of qg the transpose, then V^T K
  for (size_t n = 0; n < N; ++n) std::copy(g + n * stride, g + n * stride + width, rows + n * lanes);
  uint64_t* q = room<uint64_t, 0>(width * words_of(N));
  transpose_rows(h.q, h.words(), N, width, q, words_of(N));
  for (size_t i = 0; i < width; ++i) add_rows(q + i * words_of(N), words_of(N), rows, width, lanes, qg + i * lanes);
  for (size_t i = 0; i < width; ++i)
    for (size_t j = 0; j < width; ++j) other[j * lanes + i] = qg[i * lanes + j];
  for (size_t n = 0; n < N; ++n) {
    add_rows(h.k + n * h.words(), h.words(), qg, width, lanes, sums);
    std::copy(sums, sums + width, grad_v + n * stride);
    add_rows(h.v + n * h.words(), h.words(), other, width, lanes, sums);
    std::copy(sums, sums + width, grad_k + n * stride);
  }

  uint32_t *k = room<uint32_t, 0>(groups * lanes), *v = room<uint32_t, 1>(groups * lanes), *vk = room<uint32_t, 2>(width * lanes);
  column_groups(h.k, N, width, k);
  column_groups(h.v, N, width, v);
  count_all(v, k, width, lanes, groups, vk);
  std::copy(vk, vk + width * lanes, other);
  for (size_t n = 0; n < N; n += 4) {
    const size_t count = std::min<size_t>(4, N - n);
    if (count == 4) multiply<4>(rows + n * lanes, other, width, lanes, sums);
    for (size_t r = count == 4 ? 4 : 0; r < count; ++r) multiply<1>(rows + (n + r) * lanes, other, width, lanes, sums + r * lanes);
    for (size_t r = 0; r < count; ++r) std::copy(sums + r * lanes, sums + r * lanes + width, grad_q + (n + r) * stride);
  }
}

// Rows of `words` words; sums of fewer than 2^16 rows at a time fit 16 bits.
void token_sums(const uint64_t* k, const uint64_t* v, size_t rows, size_t words, size_t features, int32_t* sums) {
  const hn::ScalableTag<uint16_t> d;
  constexpr size_t kRows = 65535;
  uint16_t part[64];
  for (size_t j = 0; j < features; j += hn::Lanes(d)) {
    const size_t n = std::min(hn::Lanes(d), features - j);
    std::fill(sums + j, sums + j + n, 0);
    for (size_t first = 0; first < rows; first += kRows) {
      auto sum = hn::Zero(d);
      for (size_t r = first; r < std::min(rows, first + kRows); ++r) {
        const uint64_t both = k[r * words + j / 64] & (v ? v[r * words + j / 64] : ~uint64_t{0});
        const uint64_t lanes = both >> (j % 64);
        sum = hn::Add(sum, hn::IfThenElseZero(mask_at(d, &lanes, 0), hn::Set(d, uint16_t{1})));
      }
      hn::StoreU(sum, d, part);
      for (size_t i = 0; i < n; ++i) sums[j + i] += part[i];
    }
  }
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(head_narrow);
HWY_EXPORT(head_wide);
HWY_EXPORT(head_gradients);
HWY_EXPORT(token_sums);

bool set(const std::uint64_t* row, std::size_t i) { return row[i / 64] >> (i % 64) & 1; }

// K^T V, [width, width].
void kv_reference(const Head& h, std::vector<std::int32_t>& kv) {
  kv.assign(h.width * h.width, 0);
  for (std::size_t m = 0; m < h.tokens; ++m)
    for (std::size_t i = 0; i < h.width; ++i)
      for (std::size_t j = 0; j < h.width; ++j) kv[i * h.width + j] += set(h.k + m * h.words(), i) && set(h.v + m * h.words(), j);
}

void head_reference(const Head& h, std::int32_t* out, std::size_t stride) {
  thread_local std::vector<std::int32_t> kv;
  kv_reference(h, kv);
  for (std::size_t n = 0; n < h.tokens; ++n) {
    std::fill(out + n * stride, out + n * stride + h.width, 0);
    for (std::size_t i = 0; i < h.width; ++i)
      for (std::size_t j = 0; set(h.q + n * h.words(), i) && j < h.width; ++j) out[n * stride + j] += kv[i * h.width + j];
  }
}

void gradients_reference(const Head& h, const float* g, std::size_t stride, float* grad_q, float* grad_k, float* grad_v) {
  thread_local std::vector<std::int32_t> kv;
  kv_reference(h, kv);
  float* qg = room<float, 0>(h.width * h.width);
  std::fill(qg, qg + h.width * h.width, 0.0f);
  for (std::size_t n = 0; n < h.tokens; ++n)
    for (std::size_t i = 0; i < h.width; ++i)
      for (std::size_t j = 0; set(h.q + n * h.words(), i) && j < h.width; ++j) qg[i * h.width + j] += g[n * stride + j];
  for (std::size_t n = 0; n < h.tokens; ++n)
    for (std::size_t i = 0; i < h.width; ++i) {
      float to_q = 0, to_k = 0, to_v = 0;
      for (std::size_t j = 0; j < h.width; ++j) {
        to_q += g[n * stride + j] * static_cast<float>(kv[i * h.width + j]);
        if (set(h.v + n * h.words(), j)) to_k += qg[i * h.width + j];
        if (set(h.k + n * h.words(), j)) to_v += qg[j * h.width + i];
      }
      grad_q[n * stride + i] = to_q, grad_k[n * stride + i] = to_k, grad_v[n * stride + i] = to_v;
    }
}

void token_sums_reference(const std::uint64_t* k, const std::uint64_t* v, std::size_t rows, std::size_t words, std::size_t features,
                          std::int32_t* sums) {
  std::fill(sums, sums + features, 0);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t f = 0; f < features; ++f) sums[f] += set(k + r * words, f) && (!v || set(v + r * words, f));
}

// The `width` bits of one head of image b, token after token, as rows.
void gather_head(const HeadBits& from, const AttentionShape& s, std::size_t image, std::size_t head, std::uint64_t* rows) {
  for (std::size_t n = 0; n < s.tokens; ++n)
    for (std::size_t done = 0; done < s.width; done += 64) {
      const std::size_t at = from.first + (image * s.tokens + n) * from.stride + head * s.width + done, shift = at % 64;
      const std::size_t count = std::min<std::size_t>(64, s.width - done);
      std::uint64_t word = from.bits[at / 64] >> shift;
      if (shift + count > 64) word |= from.bits[at / 64 + 1] << (64 - shift);
      *rows++ = count < 64 ? word & ((std::uint64_t{1} << count) - 1) : word;
    }
}

// Calls work(head, place of its first feature in [batch, tokens, heads * width]) for each head of each image.
template <class Work>
void each_head(const AttentionShape& s, const HeadBits& q, const HeadBits& k, const HeadBits& v, Work work) {
  parallel_for(0, s.batch * s.heads, 1, [&](std::size_t task, std::size_t) {
    const std::size_t image = task / s.heads, head = task % s.heads, size = s.tokens * words_of(s.width);
    thread_local std::vector<std::uint64_t> rows;
    rows.resize(3 * size);
    const HeadBits* all[] = {&q, &k, &v};
    for (std::size_t i = 0; i < 3; ++i) gather_head(*all[i], s, image, head, rows.data() + i * size);
    work(Head{s.tokens, s.width, rows.data(), rows.data() + size, rows.data() + 2 * size}, (image * s.tokens * s.heads + head) * s.width);
  });
}

}  // namespace

void bit_attention(const AttentionShape& shape, const HeadBits& q, const HeadBits& k, const HeadBits& v, std::int32_t* out,
                   AttentionOrder order) noexcept {
  const bool plain_level = scalar_level(), narrow = shape.tokens * shape.width <= std::numeric_limits<std::uint16_t>::max();
  // Sums over Q's spikes are few, so K^T V first is cheaper (measured) until its width^2 counts are many more than the tokens' square.
  const bool wide = shape.width >= std::max<std::size_t>(256, 4 * shape.tokens);
  const bool kv_first = order == AttentionOrder::cheaper ? !wide : order == AttentionOrder::kv_first;
  const std::size_t stride = shape.heads * shape.width;
  each_head(shape, q, k, v, [&](const Head& head, std::size_t at) {
    if (plain_level)
      head_reference(head, out + at, stride);
    else if (narrow)
      HWY_DYNAMIC_DISPATCH(head_narrow)(head, kv_first, out + at, stride);
    else
      HWY_DYNAMIC_DISPATCH(head_wide)(head, kv_first, out + at, stride);
  });
}

void bit_attention_backward(const AttentionShape& shape, const HeadBits& q, const HeadBits& k, const HeadBits& v, const float* grad_out,
                            float* grad_q, float* grad_k, float* grad_v) noexcept {
  const bool plain_level = scalar_level();
  const std::size_t stride = shape.heads * shape.width;
  each_head(shape, q, k, v, [&](const Head& head, std::size_t at) {
    if (plain_level)
      gradients_reference(head, grad_out + at, stride, grad_q + at, grad_k + at, grad_v + at);
    else
      HWY_DYNAMIC_DISPATCH(head_gradients)(head, grad_out + at, stride, grad_q + at, grad_k + at, grad_v + at);
  });
}

void bit_token_sums(std::size_t batch, std::size_t tokens, std::size_t features, const std::uint64_t* k, const std::uint64_t* v,
                    std::int32_t* sums) noexcept {
  const bool plain_level = scalar_level();
  const std::size_t words = words_per_row(features);
  parallel_for(0, batch, 1, [&](std::size_t image, std::size_t) {
    const std::size_t at = image * tokens * words;
    if (plain_level)
      token_sums_reference(k + at, v ? v + at : nullptr, tokens, words, features, sums + image * features);
    else
      HWY_DYNAMIC_DISPATCH(token_sums)(k + at, v ? v + at : nullptr, tokens, words, features, sums + image * features);
  });
}

void bit_token_mask(std::size_t batch, std::size_t tokens, std::size_t features, const std::uint64_t* q, const std::uint64_t* mask,
                    std::uint64_t* out) noexcept {
  const std::size_t words = words_per_row(features);
  for (std::size_t r = 0; r < batch * tokens; ++r)
    for (std::size_t w = 0; w < words; ++w) out[r * words + w] = q[r * words + w] & mask[r / tokens * words + w];
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
