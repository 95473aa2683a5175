#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/event_conv.cpp"
#include "apical/kernels/event_conv.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <utility>

#include "apical/base/thread_pool.h"
#include "apical/kernels/event_conv_plain.h"
#include "apical/kernels/event_linear.h"
#include "apical/kernels/simd.h"

namespace apical::kernels {
void conv_reference(const Conv2d& s, const Bfloat16* prepared, const float* bias, const std::uint32_t* index, const float* value, std::size_t count,
                    std::size_t first_y, std::size_t last_y, float* y);
}

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/event_windows-inl.h"

#include "apical/kernels/narrow-inl.h"

// K vectors of one output's channels, n of them to be written: weight rows are padded, biases and outputs are not.
template <size_t K, bool Graded, class W>
void gather(const Window<float>& window, const W* weights, size_t row, const float* bias, size_t n, float* y) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  constexpr size_t L = hn::MaxLanes(d);
  const bool whole = n >= K * L;
  HWY_ALIGN float edge[K * L];
  if (bias && !whole) {
    std::fill(std::copy(bias, bias + n, edge), edge + K * L, 0.0f);
    bias = edge;
  }
  V sum[K];
  for (size_t k = 0; k < K; ++k) sum[k] = bias ? hn::LoadU(d, bias + k * L) : hn::Zero(d);
  for (size_t e = 0; e < window.count; ++e) {
    const W* w = weights + window.rows[e] * row;
    if constexpr (Graded) {
      const auto v = hn::Set(d, window.values[e]);
      row_vectors<K>(w, [&](size_t k, V weight) HWY_ATTR { sum[k] = hn::Add(sum[k], hn::Mul(v, weight)); });
    } else {
      row_vectors<K>(w, [&](size_t k, V weight) HWY_ATTR { sum[k] = hn::Add(sum[k], weight); });
    }
  }
  float* to = whole ? y : edge;
  for (size_t k = 0; k < K; ++k) hn::StoreU(sum[k], d, to + k * L);
  if (!whole) std::copy(edge, edge + n, y);
}

template <bool Graded, class W>
void gather_all(const Window<float>& window, const W* weights, size_t row, const float* bias, size_t n, float* y) {
  constexpr size_t L = hn::MaxLanes(hn::ScalableTag<float>()), kBlock = 8, unit = kUnit<W>;
  using Gather = void (*)(const Window<float>&, const W*, size_t, const float*, size_t, float*);
  static constexpr auto of = []<size_t... I>(std::index_sequence<I...>) { return std::array<Gather, sizeof...(I)>{gather<(I + 1) * unit, Graded, W>...}; }(
      std::make_index_sequence<kBlock / unit>());
  for (size_t o = 0; o < n; o += kBlock * L)
    of[std::min(kBlock, (n - o + L - 1) / L + unit - 1) / unit - 1](window, weights + o, row, bias ? bias + o : nullptr, n - o, y + o);
}

// Several groups: an event reaches the channels of its own group alone. Whole vectors of the row, then one by one.
HWY_INLINE void add_row(const float* w, float v, size_t n, float* to) {
  const hn::ScalableTag<float> d;
  const size_t L = hn::Lanes(d);
  size_t o = 0;
  for (; o + L <= n; o += L) hn::StoreU(hn::Add(hn::LoadU(d, to + o), hn::Mul(hn::Set(d, v), hn::LoadU(d, w + o))), d, to + o);
  for (; o < n; ++o) to[o] = to[o] + v * w[o];
}
HWY_INLINE void add_row(const Bfloat16* w, float v, size_t n, float* to) {
  for (size_t o = 0; o < n; ++o) to[o] = to[o] + v * weight_at(w, o);
}
template <class W>
void gather_groups(const Conv2d& s, const Window<float>& window, const W* weights, size_t row, const float* bias, float* y) {
  const size_t each = s.out_channels / s.groups, in_each = s.in_channels / s.groups;
  for (size_t o = 0; o < s.out_channels; ++o) y[o] = bias ? bias[o] : 0.0f;
  for (size_t e = 0; e < window.count; ++e)
    add_row(weights + window.rows[e] * row, window.values ? window.values[e] : 1.0f, each, y + window.rows[e] % s.in_channels / in_each * each);
}

template <class W>
HWY_INLINE void any_conv(const Conv2d& s, size_t row, const W* prepared, const float* bias, const uint32_t* list, const float* value, size_t count,
                         const uint32_t* starts, size_t first_y, size_t last_y, float* y) {
  each_window(s, bias, list, value, count, starts, first_y, last_y, y, [&](const Window<float>& window, const float* from, float* to) HWY_ATTR {
    if (s.groups > 1)
      gather_groups(s, window, prepared, row, from, to);
    else if (window.values)
      gather_all<true>(window, prepared, row, from, s.out_channels, to);
    else
      gather_all<false>(window, prepared, row, from, s.out_channels, to);
  });
}
void conv(const Conv2d& s, const float* prepared, const float* bias, const uint32_t* list, const float* value, size_t count, const uint32_t* starts,
          size_t first_y, size_t last_y, float* y) {
  any_conv(s, s.row(), prepared, bias, list, value, count, starts, first_y, last_y, y);
}
#if HWY_TARGET == HWY_SCALAR  // one lane holds no pair
void conv_bfloat16(const Conv2d& s, const Bfloat16* prepared, const float* bias, const uint32_t* list, const float* value, size_t count, const uint32_t*,
                   size_t first_y, size_t last_y, float* y) {
  conv_reference(s, prepared, bias, list, value, count, first_y, last_y, y);
}
#else
void conv_bfloat16(const Conv2d& s, const Bfloat16* prepared, const float* bias, const uint32_t* list, const float* value, size_t count, const uint32_t* starts,
                   size_t first_y, size_t last_y, float* y) {
  any_conv(s, s.narrow_row(), prepared, bias, list, value, count, starts, first_y, last_y, y);
}
#endif

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(conv);
HWY_EXPORT(conv_bfloat16);

template <class W>
void reference(const Conv2d& s, std::size_t row, const W* prepared, const float* bias, const std::uint32_t* index, const float* value, std::size_t count,
               std::size_t first_y, std::size_t last_y, float* y) {
  for (std::size_t i = 0; i < (last_y - first_y) * s.out_width() * s.out_channels; ++i) y[i] = bias ? bias[i % s.out_channels] : 0.0f;
  // Event by event on purpose: each looks for the outputs whose windows it lies in.
  const std::size_t each = s.out_channels / s.groups;
  for (std::size_t e = 0; e < count; ++e) {
    const std::size_t channel = index[e] % s.in_channels, at_x = index[e] / s.in_channels % s.width, at_y = index[e] / s.in_channels / s.width;
    for (std::size_t oy = first_y; oy < last_y; ++oy)
      for (std::size_t ox = 0; ox < s.out_width(); ++ox)
        for (std::size_t ky = 0; ky < s.kernel_h; ++ky)
          for (std::size_t kx = 0; kx < s.kernel_w; ++kx) {
            if (oy * s.stride_h + ky != at_y + s.pad_h || ox * s.stride_w + kx != at_x + s.pad_w) continue;
            float* a = y + ((oy - first_y) * s.out_width() + ox) * s.out_channels + channel / (s.in_channels / s.groups) * each;
            const W* w = prepared + ((ky * s.kernel_w + kx) * s.in_channels + channel) * row;
            for (std::size_t o = 0; o < each; ++o) a[o] = a[o] + (value ? value[e] : 1.0f) * weight_at(w, o);
          }
  }
}

}  // namespace

void conv_reference(const Conv2d& s, const Bfloat16* prepared, const float* bias, const std::uint32_t* index, const float* value, std::size_t count,
                    std::size_t first_y, std::size_t last_y, float* y) {
  reference(s, s.narrow_row(), prepared, bias, index, value, count, first_y, last_y, y);
}

namespace {

// Calls rows(first_y, last_y, y of the first row): all rows of the output, or, of a large layer, some for each thread.
template <class Rows>
void each_share(const Conv2d& s, std::size_t count, float* y, const Rows& rows) {
  const std::size_t row = count * s.reach() / std::max<std::size_t>(s.out_height(), 1) + 1;
  parallel_for(0, s.out_height(), large_layer / row + 1,
               [&](std::size_t first, std::size_t last) { rows(first, last, y + first * s.out_width() * s.out_channels); });
}

}  // namespace

void prepare_conv(const Conv2d& s, const float* weight, float* prepared) noexcept {
  std::fill(prepared, prepared + s.weights(), 0.0f);
  each_weight(s, [&](std::size_t row, std::size_t o, std::size_t at) { prepared[row * s.row() + o] = weight[at]; });
}

void find_starts(const Conv2d& s, const std::uint32_t* index, std::size_t count, std::uint32_t* starts) noexcept {
  const std::size_t pixels = s.height * s.width;
  std::size_t pixel = 0, first = 0;  // input of that pixel
  for (std::size_t e = 0; e < count; ++e)
    for (; first <= index[e]; ++pixel, first += s.in_channels) starts[pixel] = static_cast<std::uint32_t>(e);
  for (; pixel <= pixels; ++pixel) starts[pixel] = static_cast<std::uint32_t>(count);
}

void event_conv(const Conv2d& s, const float* prepared, const float* bias, const std::uint32_t* index, const float* value, std::size_t count,
                std::uint32_t* starts, float* y) noexcept {
  if (scalar_level()) return reference(s, s.row(), prepared, bias, index, value, count, 0, s.out_height(), y);
  find_starts(s, index, count, starts);
  each_share(s, count, y, [&](std::size_t first, std::size_t last, float* to) {
    HWY_DYNAMIC_DISPATCH(conv)(s, prepared, bias, index, value, count, starts, first, last, to);
  });
}

void prepare_conv(const Conv2d& s, const float* weight, Bfloat16* prepared) noexcept {
  std::fill(prepared, prepared + s.narrow_weights(), Bfloat16{0});
  each_weight(s, [&](std::size_t row, std::size_t o, std::size_t at) { prepared[row * s.narrow_row() + pair_place(o)] = to_bfloat16(weight[at]); });
}

void event_conv(const Conv2d& s, const Bfloat16* prepared, const float* bias, const std::uint32_t* index, const float* value, std::size_t count,
                std::uint32_t* starts, float* y) noexcept {
  if (scalar_level()) return conv_reference(s, prepared, bias, index, value, count, 0, s.out_height(), y);
  find_starts(s, index, count, starts);
  each_share(s, count, y, [&](std::size_t first, std::size_t last, float* to) {
    HWY_DYNAMIC_DISPATCH(conv_bfloat16)(s, prepared, bias, index, value, count, starts, first, last, to);
  });
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
