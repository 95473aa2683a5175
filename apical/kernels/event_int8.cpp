#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/event_int8.cpp"
#include "apical/kernels/event_int8.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>
#include <utility>

#include "apical/kernels/event_conv_plain.h"
#include "apical/kernels/event_int8_vnni.h"
#include "apical/kernels/simd.h"

namespace apical::kernels {
// T: int32_t, or int16_t (clamped sums).
template <class T>
void int8_reference(const Conv2d& s, const std::uint8_t* prepared, const T* bias, const std::uint32_t* index, const std::int16_t* value,
                    std::size_t count, std::size_t first_y, std::size_t last_y, T* y);
}  // namespace apical::kernels

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
#if HWY_TARGET == HWY_SCALAR  // one lane holds no pair of bytes

void conv(const Conv2d& s, const uint8_t* prepared, const int32_t* bias, const uint32_t* list, const int16_t* value, size_t count, const uint32_t*,
          size_t first_y, size_t last_y, int32_t* y) {
  int8_reference(s, prepared, bias, list, value, count, first_y, last_y, y);
}
void conv_narrow(const Conv2d& s, const uint8_t* prepared, const int16_t* bias, const uint32_t* list, const int16_t* value, size_t count, const uint32_t*,
                 size_t first_y, size_t last_y, int16_t* y) {
  int8_reference(s, prepared, bias, list, value, count, first_y, last_y, y);
}

#else
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/event_windows-inl.h"

constexpr size_t kWide = 256;  // events whose sums fit 16 bits
// Vectors of 16-bit numbers at a time: two sums of each, and what is added, stay in registers.
constexpr size_t kBlock = HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3 ? 4 : 8;

using D32 = hn::CappedTag<int32_t, 16>;  // no longer than the 16 outputs that lie together (pair_place)
using Half = hn::Rebind<uint16_t, D32>;

template <class D>
HWY_INLINE void put(D d, hn::Vec<D> sum, const int32_t* from, int32_t* y, size_t o) {
  hn::StoreU(from ? hn::Add(hn::LoadU(d, from + o), sum) : sum, d, y + o);
}

// Both halves of 16-bit sums, of which the first is of output o.
template <class D>
HWY_INLINE void widen(D, hn::Vec<D> sums, const int32_t* from, int32_t* y, size_t o, size_t o_upper) {
  const hn::RepartitionToWide<D> wide;
  put(wide, hn::PromoteTo(wide, hn::LowerHalf(sums)), from, y, o);
  put(wide, hn::PromoteTo(wide, hn::UpperHalf(hn::Half<D>(), sums)), from, y, o_upper);
}
template <class D>
HWY_INLINE void widen(D, hn::Vec<D> sums, const int16_t* from, int16_t* y, size_t o, size_t o_upper) {
  const hn::Half<D> half;
  const auto put_half = [&](hn::Vec<decltype(half)> sum, size_t at) HWY_ATTR {
    hn::StoreU(from ? hn::SaturatedAdd(hn::LoadU(half, from + at), sum) : sum, half, y + at);
  };
  put_half(hn::LowerHalf(sums), o), put_half(hn::UpperHalf(half, sums), o_upper);
}

// K vectors of one output's channels. y and from hold all of them. T int16_t: of kWide events at most.
template <size_t K, class D, class T>
HWY_INLINE void gather(D d, const Window<int16_t>& window, const uint8_t* weights, size_t row, const T* from, T* y) {
  const hn::Repartition<uint8_t, D> bytes;
  constexpr size_t L = hn::MaxLanes(D());
  size_t e = 0;
  do {
    hn::Vec<D> all[K], high[K];
    for (size_t k = 0; k < K; ++k) all[k] = high[k] = hn::Zero(d);
    const size_t first = e, last = std::min(window.count, e + kWide);
    for (; e < last; ++e) {
      const uint8_t* w = weights + window.rows[e] * row;
      for (size_t k = 0; k < K; ++k) {
        const auto pair = hn::BitCast(d, hn::LoadU(bytes, w + k * 2 * L));
        all[k] = hn::Add(all[k], pair), high[k] = hn::Add(high[k], hn::ShiftRight<8>(pair));
      }
    }
    const hn::RebindToSigned<D> ds;
    const auto taken = hn::Set(d, static_cast<uint16_t>(128 * (e - first)));  // what is left lies within int16
    for (size_t k = 0; k < K; ++k) {
      const size_t o = pair_output(k * L), o_upper = pair_output(k * L + L / 2);
      widen(ds, hn::BitCast(ds, hn::Sub(hn::Sub(all[k], hn::ShiftLeft<8>(high[k])), taken)), from, y, o, o_upper);
      widen(ds, hn::BitCast(ds, hn::Sub(high[k], taken)), from, y, o + 16, o_upper + 16);
    }
    from = y;
  } while (e < window.count);
}

// The same with a factor each event, in 32 bits from the start; 2 K vectors.
template <size_t K>
HWY_INLINE void gather_graded(const Window<int16_t>& window, const uint8_t* weights, size_t row, const int32_t* from, int32_t* y) {
#if HWY_TARGET == HWY_AVX3
  if (gather_vnni(weights, row, window.rows, window.values, window.count, from, 32 * K, y)) return;
#endif
  const D32 d;
  const Half half;
  const hn::Repartition<uint8_t, Half> bytes;
  constexpr size_t L = hn::MaxLanes(D32());
  const auto low_bits = hn::Set(half, uint16_t{255});
  hn::Vec<D32> lower[K], upper[K];
  for (size_t k = 0; k < K; ++k) lower[k] = upper[k] = hn::Zero(d);
  uint32_t factors = 0;  // modulo 2^32, as the sums
  for (size_t e = 0; e < window.count; ++e) {
    const uint8_t* w = weights + window.rows[e] * row;
    const auto v = hn::Set(d, int32_t{window.values[e]});
    factors += static_cast<uint32_t>(window.values[e]);
    for (size_t k = 0; k < K; ++k) {
      const auto pair = hn::BitCast(half, hn::LoadU(bytes, w + k * 2 * L));
      lower[k] = hn::Add(lower[k], hn::Mul(v, hn::PromoteTo(d, hn::And(pair, low_bits))));
      upper[k] = hn::Add(upper[k], hn::Mul(v, hn::PromoteTo(d, hn::ShiftRight<8>(pair))));
    }
  }
  const auto taken = hn::Set(d, static_cast<int32_t>(128 * factors));
  for (size_t k = 0; k < K; ++k) {
    const size_t o = pair_output(k * L);
    put(d, hn::Sub(lower[k], taken), from, y, o);
    put(d, hn::Sub(upper[k], taken), from, y, o + 16);
  }
}

// The n channels of one output. Rows are padded, biases and outputs are not. Narrow: gathers 16-bit sums.
enum class Sums : uint8_t { wide, graded, narrow };
template <size_t K, Sums S, class D, class T>
void block(D d, const Window<int16_t>& window, const uint8_t* weights, size_t row, const T* from, size_t n, T* y) {
  using Sum = std::conditional_t<S == Sums::narrow, int16_t, int32_t>;
  constexpr size_t all = (S == Sums::graded ? hn::MaxLanes(D32()) : hn::MaxLanes(D())) * 2 * K;
  if constexpr (all % 32 == 0) {  // short vectors come in numbers that fill rows
    const auto gathered = [&](const Sum* base, Sum* to) HWY_ATTR {
      if constexpr (S == Sums::graded)
        gather_graded<K>(window, weights, row, base, to);
      else
        gather<K>(d, window, weights, row, base, to);
    };
    if constexpr (std::is_same_v<T, Sum>)
      if (n >= all) return gathered(from, y);
    Sum edge[all] = {};
    if (from) std::copy(from, from + std::min(n, all), edge);
    gathered(from ? edge : nullptr, edge);
    for (size_t o = 0; o < std::min(n, all); ++o) y[o] = static_cast<T>(std::clamp<Sum>(edge[o], std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }
}

template <Sums S, class T>
void gather_all(const Window<int16_t>& window, const uint8_t* weights, size_t row, const T* from, size_t n, T* y) {
  using D = hn::ScalableTag<uint16_t>;
  const D d;
  constexpr size_t vector = S == Sums::graded ? 2 * hn::MaxLanes(D32()) : 2 * hn::MaxLanes(D());
  const hn::CappedTag<uint16_t, 16> last;  // half a vector of AVX-512
  using Block = void (*)(D, const Window<int16_t>&, const uint8_t*, size_t, const T*, size_t, T*);
  static constexpr auto of = []<size_t... K>(std::index_sequence<K...>) {
    return std::array<Block, kBlock>{block<K + 1, S, D, T>...};
  }(std::make_index_sequence<kBlock>());
  for (size_t o = 0; o < n;) {
    const size_t vectors = std::min(kBlock, (row - o) / vector);
    if (vectors > 0)
      of[vectors - 1](d, window, weights + o, row, from ? from + o : nullptr, n - o, y + o);
    else if constexpr (S != Sums::graded)  // whose vectors are no longer than that
      block<1, S>(last, window, weights + o, row, from ? from + o : nullptr, n - o, y + o);
    o += std::max(vectors * vector, size_t{32});
  }
}

// Several groups: an event reaches the channels of its own group alone.
void gather_groups(const Conv2d& s, const Window<int16_t>& window, const uint8_t* weights, const int32_t* from, int32_t* y) {
  const size_t each = s.out_channels / s.groups, in_each = s.in_channels / s.groups;
  for (size_t o = 0; o < s.out_channels; ++o) y[o] = from ? from[o] : 0;
  for (size_t e = 0; e < window.count; ++e) {
    const uint8_t* w = weights + window.rows[e] * s.narrow_row();
    int32_t* to = y + window.rows[e] % s.in_channels / in_each * each;
    const int32_t v = window.values ? window.values[e] : 1;
    for (size_t o = 0; o < each; ++o) to[o] += v * (int32_t{w[pair_place(o)]} - 128);
  }
}

void conv(const Conv2d& s, const uint8_t* prepared, const int32_t* bias, const uint32_t* list, const int16_t* value, size_t count, const uint32_t* starts,
          size_t first_y, size_t last_y, int32_t* y) {
  each_window(s, bias, list, value, count, starts, first_y, last_y, y, [&](const Window<int16_t>& window, const int32_t* from, int32_t* to) HWY_ATTR {
    if (s.groups > 1)
      gather_groups(s, window, prepared, from, to);
    else if (window.values)
      gather_all<Sums::graded>(window, prepared, s.narrow_row(), from, s.out_channels, to);
    else
      gather_all<Sums::wide>(window, prepared, s.narrow_row(), from, s.out_channels, to);
  });
}

void conv_narrow(const Conv2d& s, const uint8_t* prepared, const int16_t* bias, const uint32_t* list, const int16_t* value, size_t count,
                 const uint32_t* starts, size_t first_y, size_t last_y, int16_t* y) {
  each_window(s, bias, list, value, count, starts, first_y, last_y, y, [&](const Window<int16_t>& window, const int16_t* from, int16_t* to) HWY_ATTR {
    if (window.values)
      gather_all<Sums::graded>(window, prepared, s.narrow_row(), from, s.out_channels, to);
    else if (window.count > kWide)
      gather_all<Sums::wide>(window, prepared, s.narrow_row(), from, s.out_channels, to);
    else
      gather_all<Sums::narrow>(window, prepared, s.narrow_row(), from, s.out_channels, to);
  });
}

#endif
}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {
HWY_EXPORT(conv);
HWY_EXPORT(conv_narrow);
}  // namespace

template <class T>
void int8_reference(const Conv2d& s, const std::uint8_t* prepared, const T* bias, const std::uint32_t* index, const std::int16_t* value,
                    std::size_t count, std::size_t first_y, std::size_t last_y, T* y) {
  constexpr std::size_t block = 64;
  const std::size_t each = s.out_channels / s.groups, in_each = s.in_channels / s.groups;
  for (std::size_t oy = first_y; oy < last_y; ++oy)
    for (std::size_t ox = 0; ox < s.out_width(); ++ox)
      for (std::size_t from = 0; from < s.out_channels; from += block) {
        const std::size_t to = std::min(from + block, s.out_channels);
        std::int32_t sum[block];
        for (std::size_t o = from; o < to; ++o) sum[o - from] = bias ? bias[o] : 0;
        for (std::size_t e = 0; e < count; ++e) {
          const std::size_t c = index[e] % s.in_channels, pixel = index[e] / s.in_channels, first = c / in_each * each;
          const std::size_t ky = pixel / s.width + s.pad_h - oy * s.stride_h, kx = pixel % s.width + s.pad_w - ox * s.stride_w;  // huge before the window
          if (ky >= s.kernel_h || kx >= s.kernel_w) continue;
          const std::uint8_t* w = prepared + ((ky * s.kernel_w + kx) * s.in_channels + c) * s.narrow_row();
          for (std::size_t o = std::max(from, first); o < std::min(to, first + each); ++o)
            sum[o - from] += (value ? value[e] : 1) * (w[pair_place(o - first)] - 128);
        }
        for (std::size_t o = from; o < to; ++o)
          *y++ = static_cast<T>(std::clamp<std::int32_t>(sum[o - from], std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
      }
}

void prepare_int8(const Conv2d& s, const std::int8_t* weight, std::uint8_t* prepared) noexcept {
  std::fill(prepared, prepared + s.narrow_weights(), std::uint8_t{128});
  each_weight(s, [&](std::size_t row, std::size_t o, std::size_t at) {
    prepared[row * s.narrow_row() + pair_place(o)] = static_cast<std::uint8_t>(weight[at] + 128);
  });
}

void event_conv_int8(const Conv2d& s, const std::uint8_t* prepared, const std::int32_t* bias, const std::uint32_t* index,
                     const std::int16_t* value, std::size_t count, const std::uint32_t* starts, std::size_t first_y, std::size_t last_y,
                     std::int32_t* y) noexcept {
  if (scalar_level()) return int8_reference(s, prepared, bias, index, value, count, first_y, last_y, y);
  HWY_DYNAMIC_DISPATCH(conv)(s, prepared, bias, index, value, count, starts, first_y, last_y, y);
}
void event_conv_int8(const Conv2d& s, const std::uint8_t* prepared, const std::int16_t* bias, const std::uint32_t* index,
                     const std::int16_t* value, std::size_t count, const std::uint32_t* starts, std::size_t first_y, std::size_t last_y,
                     std::int16_t* y) noexcept {
  if (scalar_level()) return int8_reference(s, prepared, bias, index, value, count, first_y, last_y, y);
  HWY_DYNAMIC_DISPATCH(conv_narrow)(s, prepared, bias, index, value, count, starts, first_y, last_y, y);
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
