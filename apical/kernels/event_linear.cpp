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

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(linear);
HWY_EXPORT(linear_bfloat16);

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
