#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/neurons/integer_lif.cpp"
#include "apical/kernels/neurons/integer_lif.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/neurons/lif-inl.h"

// The operations of lif-inl.h on fixed point numbers: for vectors, and one by one.
struct Fixed {
  using D = hn::ScalableTag<int32_t>;
  using V = hn::Vec<D>;
  using M = hn::Mask<D>;
  static HWY_INLINE V set(int32_t a) { return hn::Set(D(), a); }
  static HWY_INLINE V add(V a, V b) { return hn::Add(a, b); }
  static HWY_INLINE V sub(V a, V b) { return hn::Sub(a, b); }
  static HWY_INLINE V mul(V a, V b) { return hn::ShiftRight<integer_decay_bits>(hn::Add(hn::Mul(a, b), set(1 << (integer_decay_bits - 1)))); }
  static HWY_INLINE M ge(V a, V b) { return hn::Gt(a, hn::Sub(b, set(1))); }  // b is v_th, far from the least
  static HWY_INLINE M gt(V a, V b) { return hn::Gt(a, b); }
  static HWY_INLINE V select(M m, V a, V b) { return hn::IfThenElse(m, a, b); }
  static HWY_INLINE V clamp(V a) { return hn::Min(hn::Max(a, set(-integer_limit)), set(integer_limit)); }
  static HWY_INLINE V shifted(V a, int shift) {
    if (shift >= 0) return hn::ShiftLeftSame(a, shift);
    return hn::ShiftRightSame(hn::Add(a, set(1 << (-shift - 1))), -shift);
  }
  static HWY_INLINE V load(const int32_t* p) { return hn::LoadU(D(), p); }
  static HWY_INLINE void store(V v, int32_t* p) { hn::StoreU(v, D(), p); }
};
struct FixedLane {
  using V = int32_t;
  using M = bool;
  static HWY_INLINE V set(int32_t a) { return a; }
  static HWY_INLINE V add(V a, V b) { return a + b; }
  static HWY_INLINE V sub(V a, V b) { return a - b; }
  static HWY_INLINE V mul(V a, V b) { return (a * b + (1 << (integer_decay_bits - 1))) >> integer_decay_bits; }
  static HWY_INLINE M ge(V a, V b) { return a >= b; }
  static HWY_INLINE M gt(V a, V b) { return a > b; }
  static HWY_INLINE V select(M m, V a, V b) { return m ? a : b; }
  static HWY_INLINE V clamp(V a) { return a < -integer_limit ? -integer_limit : a > integer_limit ? integer_limit : a; }
  static HWY_INLINE V shifted(V a, int shift) { return shift >= 0 ? a * (1 << shift) : (a + (1 << (-shift - 1))) >> -shift; }
  static HWY_INLINE V load(const int32_t* p) { return *p; }
  static HWY_INLINE void store(V v, int32_t* p) { *p = v; }
};

template <class O, class Form>
HWY_INLINE typename O::M fired(O, const IntegerLif& lif, Form form, const int32_t* decay, const int32_t* current, int32_t* v) {
  const LifCell<O, Form> cell{form, decay ? O::load(decay) : O::set(lif.decay), O::set(0), O::set(lif.v_th), O::set(lif.v_reset)};
  const auto h = O::clamp(O::add(cell.leaked(O::load(v)), O::shifted(O::load(current), lif.shift)));
  const auto s = cell.fire(h);
  O::store(cell.state(h, s), v);
  return s;
}

// The first n / 8 * 8 neurons by vectors (none with `vector` false), the others one by one; `bytes` holds zeros behind them.
template <Reset R, ResetAt A>
void row(const IntegerLif& lif, const int32_t* decay, const int32_t* current, size_t n, int32_t* v, uint8_t* bytes, bool vector) {
  const ResetForm<R, A> form{lif.compare};
  constexpr size_t L = hn::MaxLanes(Fixed::D()), step = std::max<size_t>(L, 8);
  const IntegerLif own = lif;  // not to be read again after each byte that is written
  size_t i = 0;
  for (; vector && i + step <= n; i += step) {
    uint8_t part[8];
    unsigned byte = 0;
    for (size_t k = 0; k < step; k += L) {
      const auto s = fired(Fixed(), own, form, decay ? decay + i + k : nullptr, current + i + k, v + i + k);
      if constexpr (L >= 8)
        hn::StoreMaskBits(Fixed::D(), s, bytes + i / 8);
      else
        hn::StoreMaskBits(Fixed::D(), s, part), byte |= (part[0] & ((1u << L) - 1)) << k;
    }
    if constexpr (L < 8) bytes[i / 8] = static_cast<uint8_t>(byte);
  }
  for (; i < n; ++i)
    if (fired(FixedLane(), own, form, decay ? decay + i : nullptr, current + i, v + i)) bytes[i / 8] = static_cast<uint8_t>(bytes[i / 8] | 1u << (i % 8));
}

template <Reset R>
void row_at(const IntegerLif& lif, const int32_t* decay, const int32_t* current, size_t n, int32_t* v, uint8_t* bytes, bool vector) {
  switch (R == Reset::none ? ResetAt::same_step : lif.reset_at) {
    case ResetAt::same_step: return row<R, ResetAt::same_step>(lif, decay, current, n, v, bytes, vector);
    case ResetAt::next_step: return row<R, ResetAt::next_step>(lif, decay, current, n, v, bytes, vector);
    case ResetAt::next_step_decayed: return row<R, ResetAt::next_step_decayed>(lif, decay, current, n, v, bytes, vector);
  }
}

void neurons(const IntegerLif& lif, const int32_t* decay, const int32_t* current, size_t n, int32_t* v, uint8_t* bytes, bool vector) {
  switch (lif.reset) {
    case Reset::hard: return row_at<Reset::hard>(lif, decay, current, n, v, bytes, vector);
    case Reset::soft: return row_at<Reset::soft>(lif, decay, current, n, v, bytes, vector);
    case Reset::none: return row_at<Reset::none>(lif, decay, current, n, v, bytes, vector);
  }
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {
HWY_EXPORT(neurons);
}

void integer_lif_step(const IntegerLif& lif, const std::int32_t* decay, const std::int32_t* current, std::size_t n, std::int32_t* v,
                      std::uint64_t* bits) noexcept {
  std::fill(bits, bits + (n + 63) / 64, 0);
  HWY_DYNAMIC_DISPATCH(neurons)(lif, decay, current, n, v, reinterpret_cast<std::uint8_t*>(bits), !scalar_level());  // little endian, as every target of this build
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
