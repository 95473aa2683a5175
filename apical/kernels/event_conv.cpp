#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/event_conv.cpp"
#include "apical/kernels/event_conv.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "apical/kernels/event_conv_plain.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/event_windows-inl.h"

// K vectors of one output's channels, n of them to be written: weight rows are padded, biases and outputs are not.
template <size_t K, bool Graded>
void gather(const Run<float>* runs, size_t rows, size_t row, const uint32_t* list, const float* value, const float* bias, size_t n, float* y) {
  const hn::ScalableTag<float> d;
  constexpr size_t L = hn::MaxLanes(d);
  const bool whole = n >= K * L;
  HWY_ALIGN float edge[K * L];
  if (bias && !whole) {
    std::fill(std::copy(bias, bias + n, edge), edge + K * L, 0.0f);
    bias = edge;
  }
  hn::Vec<decltype(d)> sum[K];
  for (size_t k = 0; k < K; ++k) sum[k] = bias ? hn::LoadU(d, bias + k * L) : hn::Zero(d);
  for (size_t r = 0; r < rows; ++r)
    for (size_t e = runs[r].first; e < runs[r].last; ++e) {
      const float* w = runs[r].row_of(list[e], row);
      if constexpr (Graded) {
        const auto v = hn::Set(d, value[e]);
        for (size_t k = 0; k < K; ++k) sum[k] = hn::Add(sum[k], hn::Mul(v, hn::LoadU(d, w + k * L)));
      } else {
        for (size_t k = 0; k < K; ++k) sum[k] = hn::Add(sum[k], hn::LoadU(d, w + k * L));
      }
    }
  float* to = whole ? y : edge;
  for (size_t k = 0; k < K; ++k) hn::StoreU(sum[k], d, to + k * L);
  if (!whole) std::copy(edge, edge + n, y);
}

template <bool Graded>
void gather_all(Run<float>* runs, size_t rows, size_t row, const uint32_t* list, const float* value, const float* bias, size_t n, float* y) {
  constexpr size_t L = hn::MaxLanes(hn::ScalableTag<float>()), kBlock = 8;
  using Gather = void (*)(const Run<float>*, size_t, size_t, const uint32_t*, const float*, const float*, size_t, float*);
  static constexpr Gather of[] = {gather<1, Graded>, gather<2, Graded>, gather<3, Graded>, gather<4, Graded>,
                                  gather<5, Graded>, gather<6, Graded>, gather<7, Graded>, gather<kBlock, Graded>};
  for (size_t o = 0; o < n; o += kBlock * L) {
    of[std::min(kBlock, (n - o + L - 1) / L) - 1](runs, rows, row, list, value, bias ? bias + o : nullptr, n - o, y + o);
    for (size_t r = 0; r < rows; ++r) runs[r].weights += kBlock * L;
  }
}

// Several groups: an event reaches the channels of its own group alone.
void gather_groups(const Conv2d& s, const Run<float>* runs, size_t rows, const uint32_t* list, const float* value, const float* bias, float* y) {
  const size_t each = s.out_channels / s.groups, in_each = s.in_channels / s.groups;
  const hn::ScalableTag<float> d;
  const size_t L = hn::Lanes(d);
  for (size_t o = 0; o < s.out_channels; ++o) y[o] = bias ? bias[o] : 0.0f;
  for (size_t r = 0; r < rows; ++r)
    for (size_t e = runs[r].first; e < runs[r].last; ++e) {
      const float* w = runs[r].row_of(list[e], s.row());
      float *to = y + list[e] % s.in_channels / in_each * each, *end = to + each;
      const float v = value ? value[e] : 1.0f;
      for (; to + L <= end; to += L, w += L) hn::StoreU(hn::Add(hn::LoadU(d, to), hn::Mul(hn::Set(d, v), hn::LoadU(d, w))), d, to);
      for (; to < end; ++to, ++w) *to = *to + v * *w;
    }
}

void conv(const Conv2d& s, const float* prepared, const float* bias, const uint32_t* list, const float* value, const uint32_t* starts, float* y) {
  each_window(s, s.row(), prepared, bias, starts, 0, s.out_height(), y, [&](Run<float>* runs, size_t rows, const float* from, float* to) HWY_ATTR {
    if (s.groups > 1)
      gather_groups(s, runs, rows, list, value, from, to);
    else if (value)
      gather_all<true>(runs, rows, s.row(), list, value, from, s.out_channels, to);
    else
      gather_all<false>(runs, rows, s.row(), list, value, from, s.out_channels, to);
  });
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(conv);

void conv_reference(const Conv2d& s, const float* prepared, const float* bias, const std::uint32_t* index, const float* value, std::size_t count, float* y) {
  for (std::size_t i = 0; i < s.outputs(); ++i) y[i] = bias ? bias[i % s.out_channels] : 0.0f;
  each_reached(s, index, count, 0, s.out_height(), [&](std::size_t e, std::size_t row, std::size_t to) {
    float* a = y + to;
    const float* w = prepared + row * s.row();
    for (std::size_t o = 0; o < s.out_channels / s.groups; ++o) a[o] = a[o] + (value ? value[e] : 1.0f) * w[o];
  });
}

}  // namespace

void prepare_conv(const Conv2d& s, const float* weight, float* prepared) noexcept {
  std::fill(prepared, prepared + s.weights(), 0.0f);
  each_weight(s, [&](std::size_t row, std::size_t o, std::size_t at) { prepared[row * s.row() + o] = weight[at]; });
}

void find_starts(const Conv2d& s, const std::uint32_t* index, std::size_t count, std::uint32_t* starts) noexcept {
  const std::size_t pixels = s.height * s.width;
  std::size_t pixel = 0;
  for (std::size_t e = 0; e < count; ++e)
    for (const std::size_t at = index[e] / s.in_channels; pixel <= at; ++pixel) starts[pixel] = static_cast<std::uint32_t>(e);
  for (; pixel <= pixels; ++pixel) starts[pixel] = static_cast<std::uint32_t>(count);
}

void event_conv(const Conv2d& s, const float* prepared, const float* bias, const std::uint32_t* index, const float* value, std::size_t count,
                std::uint32_t* starts, float* y) noexcept {
  if (scalar_level()) return conv_reference(s, prepared, bias, index, value, count, y);
  find_starts(s, index, count, starts);
  HWY_DYNAMIC_DISPATCH(conv)(s, prepared, bias, index, value, starts, y);
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
