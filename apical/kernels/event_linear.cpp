#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/event_linear.cpp"
#include "apical/kernels/event_linear.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "apical/base/thread_pool.h"
#include "apical/kernels/simd.h"

namespace apical::kernels {
void linear_reference(const Bfloat16* rows, std::size_t stride, std::size_t outputs, const std::uint32_t* index, const float* value,
                      std::size_t count, float* y);
}

#ifndef APICAL_SET_BITS
#define APICAL_SET_BITS
namespace apical::kernels {
namespace {
/// The bits of a byte that are set, the lowest first, then zeros; and how many they are.
struct SetBits {
  std::uint8_t of[256][8] = {}, count[256] = {};
  constexpr SetBits() {
    for (unsigned byte = 0; byte < 256; ++byte)
      for (std::uint8_t bit = 0; bit < 8; ++bit)
        if (byte >> bit & 1) of[byte][count[byte]++] = bit;
  }
};
constexpr SetBits kSetBits;
}  // namespace
}  // namespace apical::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/narrow-inl.h"

// Vectors [o, o + K) of outputs stay in registers while all rows pass. `index` null: rows 0, 1, 2, ... (the dense twin).
template <size_t K, class W>
void block(const W* rows, size_t stride, const uint32_t* index, const float* value, size_t count, float* y) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const size_t L = hn::Lanes(d);
  V sum[K];
  for (size_t k = 0; k < K; ++k) sum[k] = hn::LoadU(d, y + k * L);
  for (size_t e = 0; e < count; ++e) {
    const W* row = rows + (index ? index[e] : e) * stride;
    if (value) {
      const auto v = hn::Set(d, value[e]);
      row_vectors<K>(row, [&](size_t k, V w) HWY_ATTR { sum[k] = hn::Add(sum[k], hn::Mul(v, w)); });
    } else {
      row_vectors<K>(row, [&](size_t k, V w) HWY_ATTR { sum[k] = hn::Add(sum[k], w); });
    }
  }
  for (size_t k = 0; k < K; ++k) hn::StoreU(sum[k], d, y + k * L);
}

// All outputs of some events, whose list begins at `index` and `value`.
template <class W>
void linear_part(const W* rows, size_t stride, size_t outputs, const uint32_t* index, const float* value, size_t count, float* y) {
  constexpr size_t L = hn::MaxLanes(hn::ScalableTag<float>()), few = std::max<size_t>(2, kUnit<W>), least = kUnit<W>;
  size_t o = 0;
  for (; o + 8 * L <= outputs; o += 8 * L) block<8>(rows + o, stride, index, value, count, y + o);
  for (; o + few * L <= outputs; o += few * L) block<few>(rows + o, stride, index, value, count, y + o);
  for (; o < outputs; o += least * L) {  // rows are padded, y is not
    HWY_ALIGN float last[least * L] = {};
    const size_t n = std::min(least * L, outputs - o);
    std::copy(y + o, y + o + n, last);
    block<least>(rows + o, stride, index, value, count, last);
    std::copy(last, last + n, y + o);
  }
}

// Some events at a time, so that their rows are read from front to back, as the prefetcher of the second level cache likes it.
template <class W>
void each_part(const W* rows, size_t stride, size_t outputs, const uint32_t* index, const float* value, size_t count, float* y) {
  constexpr size_t kEvents = 16;
  for (size_t e = 0; e < count; e += kEvents)
    linear_part(rows + (index ? 0 : e * stride), stride, outputs, index ? index + e : nullptr, value ? value + e : nullptr, std::min(kEvents, count - e), y);
}
void linear(const float* rows, size_t stride, size_t outputs, const uint32_t* index, const float* value, size_t count, float* y) {
  each_part(rows, stride, outputs, index, value, count, y);
}
void linear_bfloat16(const Bfloat16* rows, size_t stride, size_t outputs, const uint32_t* index, const float* value, size_t count, float* y) {
#if HWY_TARGET == HWY_SCALAR  // one lane holds no pair
  linear_reference(rows, stride, outputs, index, value, count, y);
#else
  each_part(rows, stride, outputs, index, value, count, y);
#endif
}

// n a multiple of 8. Vectors are stored whole: there is room, no more than i came before x[i]. (Not hn::Compress: gcc 12 copies the table that
// version 1.0 of it has for AVX2 at every call.)
size_t nonzero(const float* x, size_t n, uint32_t* index, float* value, bool& ones) {
  const hn::CappedTag<float, 8> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<uint8_t, decltype(d)> du8;
  const auto zero = hn::Zero(d), one = hn::Set(d, 1.0f);
  const auto step = hn::Set(di, static_cast<int32_t>(hn::Lanes(d)));
  auto at = hn::Iota(di, 0);
  auto other = hn::Ne(zero, zero);  // lanes that have met another value
  size_t count = 0;
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto v = hn::LoadU(d, x + i);
    const auto fires = hn::Not(hn::Eq(v, zero));  // NaN too, which Ne is false for
    other = hn::Or(other, hn::And(fires, hn::Not(hn::Eq(hn::Abs(v), one))));
    uint8_t mask[8];
    hn::StoreMaskBits(d, fires, mask);
    const auto packed = hn::IndicesFromVec(di, hn::PromoteTo(di, hn::LoadU(du8, kSetBits.of[mask[0]])));
    hn::StoreU(hn::TableLookupLanes(at, packed), di, reinterpret_cast<int32_t*>(index) + count);
    hn::StoreU(hn::BitCast(d, hn::TableLookupLanes(hn::BitCast(di, v), packed)), d, value + count);
    count += kSetBits.count[mask[0]];
    at = hn::Add(at, step);
  }
  ones = hn::AllFalse(d, other);
  return count;
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(linear);
HWY_EXPORT(linear_bfloat16);
HWY_EXPORT(nonzero);

template <class W>
void reference(const W* rows, std::size_t stride, std::size_t outputs, const std::uint32_t* index, const float* value, std::size_t count, float* y) {
  for (std::size_t e = 0; e < count; ++e) {
    const W* row = rows + (index ? index[e] : e) * stride;
    for (std::size_t o = 0; o < outputs; ++o) y[o] = y[o] + (value ? value[e] : 1.0f) * weight_at(row, o);
  }
}

// Calls share(first output, how many): all of them, or, of a large layer, some for each thread. Blocks of outputs as `linear_part` takes them.
template <class Share>
void each_share(std::size_t outputs, std::size_t count, const Share& share) {
  constexpr std::size_t block = 128;
  parallel_for(0, (outputs + block - 1) / block, large_layer / (block * std::max<std::size_t>(count, 1)) + 1,
               [&](std::size_t b, std::size_t e) { share(b * block, std::min(e * block, outputs) - b * block); });
}

}  // namespace

void linear_reference(const Bfloat16* rows, std::size_t stride, std::size_t outputs, const std::uint32_t* index, const float* value,
                      std::size_t count, float* y) {
  reference(rows, stride, outputs, index, value, count, y);
}

std::size_t nonzero_list(const float* x, std::size_t n, std::uint32_t* index, float* value, bool& ones) noexcept {
  ones = true;
  const std::size_t whole = scalar_level() ? 0 : n / 8 * 8;
  std::size_t count = whole == 0 ? 0 : HWY_DYNAMIC_DISPATCH(nonzero)(x, whole, index, value, ones);
  for (std::size_t i = whole; i < n; ++i) {
    const float v = x[i];
    if (v == 0.0f) continue;
    index[count] = static_cast<std::uint32_t>(i), value[count++] = v;
    ones &= v == 1.0f || v == -1.0f;
  }
  return count;
}

void prepare_linear(const float* weight, std::size_t outputs, std::size_t inputs, float* rows) noexcept {
  const std::size_t stride = linear_stride(outputs);
  for (std::size_t i = 0; i < inputs; ++i) {
    for (std::size_t o = 0; o < outputs; ++o) rows[i * stride + o] = weight[o * inputs + i];
    std::fill(rows + i * stride + outputs, rows + (i + 1) * stride, 0.0f);
  }
}

void event_linear(const float* rows, std::size_t outputs, const std::uint32_t* index, const float* value, std::size_t count,
                  float* y) noexcept {
  if (scalar_level()) return reference(rows, linear_stride(outputs), outputs, index, value, count, y);
  each_share(outputs, count, [&](std::size_t o, std::size_t n) {
    HWY_DYNAMIC_DISPATCH(linear)(rows + o, linear_stride(outputs), n, index, value, count, y + o);
  });
}

void dense_linear(const float* rows, std::size_t outputs, std::size_t inputs, const float* x, float* y) noexcept {
  event_linear(rows, outputs, nullptr, x, inputs, y);
}

void prepare_linear(const float* weight, std::size_t outputs, std::size_t inputs, Bfloat16* rows) noexcept {
  std::fill(rows, rows + inputs * pair_row(outputs), Bfloat16{0});
  for (std::size_t i = 0; i < inputs; ++i)
    for (std::size_t o = 0; o < outputs; ++o) rows[i * pair_row(outputs) + pair_place(o)] = to_bfloat16(weight[o * inputs + i]);
}

void event_linear(const Bfloat16* rows, std::size_t outputs, const std::uint32_t* index, const float* value, std::size_t count,
                  float* y) noexcept {
  if (scalar_level()) return linear_reference(rows, pair_row(outputs), outputs, index, value, count, y);
  each_share(outputs, count, [&](std::size_t o, std::size_t n) {
    HWY_DYNAMIC_DISPATCH(linear_bfloat16)(rows + o, pair_row(outputs), n, index, value, count, y + o);
  });
}

void dense_linear(const Bfloat16* rows, std::size_t outputs, std::size_t inputs, const float* x, float* y) noexcept {
  event_linear(rows, outputs, nullptr, x, inputs, y);
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
