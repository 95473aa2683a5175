#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/event_int8.cpp"
#include "apical/kernels/event_int8.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "apical/kernels/event_conv_plain.h"
#include "apical/kernels/simd.h"

namespace apical::kernels {
void int8_reference(const Conv2d& s, const std::uint8_t* prepared, const std::int32_t* bias, const std::uint32_t* index, const std::int16_t* value,
                    std::size_t count, std::size_t first_y, std::size_t last_y, std::int32_t* y);
}

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
#if HWY_TARGET == HWY_SCALAR  // one lane holds no pair of bytes

void conv(const Conv2d& s, const uint8_t* prepared, const int32_t* bias, const uint32_t* list, const int16_t* value, size_t count, const uint32_t*,
          size_t first_y, size_t last_y, int32_t* y) {
  int8_reference(s, prepared, bias, list, value, count, first_y, last_y, y);
}

#else
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/event_windows-inl.h"

constexpr size_t kWide = 256;  // events whose sums fit 16 bits
constexpr size_t kBlock = 8;   // vectors of 16-bit numbers at a time

using D32 = hn::CappedTag<int32_t, 16>;  // no longer than the 16 outputs that lie together (int8_place)
using Half = hn::Rebind<uint16_t, D32>;

HWY_INLINE size_t output_of(size_t pair) { return pair / 16 * 32 + pair % 16; }  // of the lower half of 16-bit number `pair`

template <class D>
HWY_INLINE void put(D d, hn::Vec<D> sum, const int32_t* from, int32_t* y, size_t o) {
  hn::StoreU(from ? hn::Add(hn::LoadU(d, from + o), sum) : sum, d, y + o);
}

// Both halves of 16-bit sums, of which the first is of output o.
template <class D>
HWY_INLINE void widen(D d, hn::Vec<D> sums, const int32_t* from, int32_t* y, size_t o, size_t o_upper) {
  const hn::RepartitionToWide<D> wide;
  put(wide, hn::PromoteTo(wide, hn::LowerHalf(sums)), from, y, o);
  put(wide, hn::PromoteTo(wide, hn::UpperHalf(hn::Half<D>(), sums)), from, y, o_upper);
  static_cast<void>(d);
}

// K vectors of one output's channels. y and from hold all of them.
template <size_t K, class D>
HWY_INLINE void gather(D d, const Run<uint8_t>* runs, size_t rows, size_t row, const uint32_t* list, const int32_t* from, int32_t* y) {
  const hn::Repartition<uint8_t, D> bytes;
  constexpr size_t L = hn::MaxLanes(D());
  hn::Vec<D> all[K], high[K];
  size_t events = 0;
  const auto start = [&]() HWY_ATTR {
    for (size_t k = 0; k < K; ++k) all[k] = high[k] = hn::Zero(d);
  };
  const auto finish = [&]() HWY_ATTR {
    const hn::RebindToSigned<D> ds;
    const auto taken = hn::Set(d, static_cast<uint16_t>(128 * events));  // what is left lies within int16
    for (size_t k = 0; k < K; ++k) {
      const size_t o = output_of(k * L), o_upper = output_of(k * L + L / 2);
      widen(ds, hn::BitCast(ds, hn::Sub(hn::Sub(all[k], hn::ShiftLeft<8>(high[k])), taken)), from, y, o, o_upper);
      widen(ds, hn::BitCast(ds, hn::Sub(high[k], taken)), from, y, o + 16, o_upper + 16);
    }
    from = y, events = 0;
  };
  start();
  for (size_t r = 0; r < rows; ++r)
    for (size_t e = runs[r].first; e < runs[r].last;) {
      const size_t last = std::min(runs[r].last, e + kWide - events);
      events += last - e;
      for (; e < last; ++e) {
        const uint8_t* w = runs[r].row_of(list[e], row);
        for (size_t k = 0; k < K; ++k) {
          const auto pair = hn::BitCast(d, hn::LoadU(bytes, w + k * 2 * L));
          all[k] = hn::Add(all[k], pair), high[k] = hn::Add(high[k], hn::ShiftRight<8>(pair));
        }
      }
      if (events == kWide) finish(), start();
    }
  finish();
}

// The same with a factor each event, in 32 bits from the start; 2 K vectors.
template <size_t K>
HWY_INLINE void gather_graded(const Run<uint8_t>* runs, size_t rows, size_t row, const uint32_t* list, const int16_t* value, const int32_t* from,
                              int32_t* y) {
  const D32 d;
  const Half half;
  const hn::Repartition<uint8_t, Half> bytes;
  constexpr size_t L = hn::MaxLanes(D32());
  const auto low_bits = hn::Set(half, uint16_t{255});
  hn::Vec<D32> lower[K], upper[K];
  for (size_t k = 0; k < K; ++k) lower[k] = upper[k] = hn::Zero(d);
  uint32_t factors = 0;  // modulo 2^32, as the sums
  for (size_t r = 0; r < rows; ++r)
    for (size_t e = runs[r].first; e < runs[r].last; ++e) {
      const uint8_t* w = runs[r].row_of(list[e], row);
      const auto v = hn::Set(d, int32_t{value[e]});
      factors += static_cast<uint32_t>(value[e]);
      for (size_t k = 0; k < K; ++k) {
        const auto pair = hn::BitCast(half, hn::LoadU(bytes, w + k * 2 * L));
        lower[k] = hn::Add(lower[k], hn::Mul(v, hn::PromoteTo(d, hn::And(pair, low_bits))));
        upper[k] = hn::Add(upper[k], hn::Mul(v, hn::PromoteTo(d, hn::ShiftRight<8>(pair))));
      }
    }
  const auto taken = hn::Set(d, static_cast<int32_t>(128 * factors));
  for (size_t k = 0; k < K; ++k) {
    const size_t o = output_of(k * L);
    put(d, hn::Sub(lower[k], taken), from, y, o);
    put(d, hn::Sub(upper[k], taken), from, y, o + 16);
  }
}

// The n channels of one output. Rows are padded, biases and outputs are not.
template <size_t K, bool Graded, class D>
void block(D d, Run<uint8_t>* runs, size_t rows, size_t row, const uint32_t* list, const int16_t* value, const int32_t* from, size_t n, int32_t* y) {
  constexpr size_t all = (Graded ? hn::MaxLanes(D32()) : hn::MaxLanes(D())) * 2 * K;
  const auto gathered = [&](const int32_t* base, int32_t* to) HWY_ATTR {
    if constexpr (Graded)
      gather_graded<K>(runs, rows, row, list, value, base, to);
    else
      gather<K>(d, runs, rows, row, list, base, to);
  };
  if constexpr (all % 32 != 0) {
    // Short vectors come in numbers that fill rows.
  } else if (n >= all) {
    gathered(from, y);
  } else {
    int32_t edge[all] = {};
    if (from) std::copy(from, from + n, edge);
    gathered(from ? edge : nullptr, edge);
    std::copy(edge, edge + n, y);
  }
}

template <bool Graded>
void gather_all(Run<uint8_t>* runs, size_t rows, size_t row, const uint32_t* list, const int16_t* value, const int32_t* from, size_t n, int32_t* y) {
  using D = hn::ScalableTag<uint16_t>;
  const D d;
  constexpr size_t vector = Graded ? 2 * hn::MaxLanes(D32()) : 2 * hn::MaxLanes(D());
  const hn::CappedTag<uint16_t, 16> last;  // half a vector of AVX-512
  using Block = void (*)(D, Run<uint8_t>*, size_t, size_t, const uint32_t*, const int16_t*, const int32_t*, size_t, int32_t*);
  static constexpr Block of[] = {block<1, Graded, D>, block<2, Graded, D>, block<3, Graded, D>, block<4, Graded, D>,
                                 block<5, Graded, D>, block<6, Graded, D>, block<7, Graded, D>, block<kBlock, Graded, D>};
  for (size_t o = 0; o < n;) {
    const size_t vectors = std::min(kBlock, (row - o) / vector), step = std::max(vectors * vector, size_t{32});
    if (vectors > 0)
      of[vectors - 1](d, runs, rows, row, list, value, from ? from + o : nullptr, n - o, y + o);
    else
      block<1, false>(last, runs, rows, row, list, value, from ? from + o : nullptr, n - o, y + o);
    for (size_t r = 0; r < rows; ++r) runs[r].weights += step;
    o += step;
  }
}

// Several groups: an event reaches the channels of its own group alone.
void gather_groups(const Conv2d& s, const Run<uint8_t>* runs, size_t rows, const uint32_t* list, const int16_t* value, const int32_t* from, int32_t* y) {
  const size_t each = s.out_channels / s.groups, in_each = s.in_channels / s.groups, row = int8_row(s);
  for (size_t o = 0; o < s.out_channels; ++o) y[o] = from ? from[o] : 0;
  for (size_t r = 0; r < rows; ++r)
    for (size_t e = runs[r].first; e < runs[r].last; ++e) {
      const uint8_t* w = runs[r].row_of(list[e], row);
      int32_t* to = y + list[e] % s.in_channels / in_each * each;
      const int32_t v = value ? value[e] : 1;
      for (size_t o = 0; o < each; ++o) to[o] += v * (int32_t{w[int8_place(o)]} - 128);
    }
}

void conv(const Conv2d& s, const uint8_t* prepared, const int32_t* bias, const uint32_t* list, const int16_t* value, size_t, const uint32_t* starts,
          size_t first_y, size_t last_y, int32_t* y) {
  const size_t row = int8_row(s);
  each_window(s, row, prepared, bias, starts, first_y, last_y, y, [&](Run<uint8_t>* runs, size_t rows, const int32_t* from, int32_t* to) HWY_ATTR {
    if (s.groups > 1)
      gather_groups(s, runs, rows, list, value, from, to);
    else if (value)
      gather_all<true>(runs, rows, row, list, value, from, s.out_channels, to);
    else
      gather_all<false>(runs, rows, row, list, value, from, s.out_channels, to);
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
}

void int8_reference(const Conv2d& s, const std::uint8_t* prepared, const std::int32_t* bias, const std::uint32_t* index, const std::int16_t* value,
                    std::size_t count, std::size_t first_y, std::size_t last_y, std::int32_t* y) {
  for (std::size_t i = 0; i < (last_y - first_y) * s.out_width() * s.out_channels; ++i) y[i] = bias ? bias[i % s.out_channels] : 0;
  each_reached(s, index, count, first_y, last_y, [&](std::size_t e, std::size_t row, std::size_t to) {
    std::int32_t* a = y + to;
    const std::uint8_t* w = prepared + row * int8_row(s);
    for (std::size_t o = 0; o < s.out_channels / s.groups; ++o) a[o] += (value ? value[e] : 1) * (w[int8_place(o)] - 128);
  });
}

void prepare_int8(const Conv2d& s, const std::int8_t* weight, std::uint8_t* prepared) noexcept {
  std::fill(prepared, prepared + int8_weights(s), std::uint8_t{128});
  each_weight(s, [&](std::size_t row, std::size_t o, std::size_t at) {
    prepared[row * int8_row(s) + int8_place(o)] = static_cast<std::uint8_t>(weight[at] + 128);
  });
}

void event_conv_int8(const Conv2d& s, const std::uint8_t* prepared, const std::int32_t* bias, const std::uint32_t* index,
                     const std::int16_t* value, std::size_t count, const std::uint32_t* starts, std::size_t first_y, std::size_t last_y,
                     std::int32_t* y) noexcept {
  if (scalar_level()) return int8_reference(s, prepared, bias, index, value, count, first_y, last_y, y);
  HWY_DYNAMIC_DISPATCH(conv)(s, prepared, bias, index, value, count, starts, first_y, last_y, y);
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
