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

// The operations of lif-inl.h on fixed point numbers: for vectors, and one by one. The decay comes negated: -2^15 fits 16 bits.
#if HWY_TARGET != HWY_SCALAR
struct Fixed {
  using D = hn::ScalableTag<int16_t>;
  using V = hn::Vec<D>;
  using M = hn::Mask<D>;
  static HWY_INLINE V set(int32_t a) { return hn::Set(D(), static_cast<int16_t>(a)); }
  static HWY_INLINE V sub(V a, V b) { return hn::Sub(a, b); }
  static HWY_INLINE V mul(V a, V b) { return hn::Sub(set(0), hn::MulFixedPoint15(a, b)); }
  static HWY_INLINE M ge(V a, V b) { return hn::Gt(a, hn::Sub(b, set(1))); }  // b is v_th, far from the least
  static HWY_INLINE M gt(V a, V b) { return hn::Gt(a, b); }
  static HWY_INLINE V select(M m, V a, V b) { return hn::IfThenElse(m, a, b); }
  static HWY_INLINE V charged(V leak, V x) { return hn::Max(hn::SaturatedAdd(leak, x), set(-integer_limit)); }
  static HWY_INLINE V input(const int16_t* I, int shift) {
    const int32_t most = integer_limit >> shift;
    return hn::ShiftLeftSame(hn::Min(hn::Max(hn::LoadU(D(), I), set(-most)), set(most)), shift);
  }
  static HWY_INLINE V input(const int32_t* I, int shift) {
    const hn::RepartitionToWide<D> wide;
    const int32_t most = integer_limit >> std::max(shift, 0);
    const auto one = [&](const int32_t* from) HWY_ATTR {
      auto x = hn::LoadU(wide, from);
      if (shift < 0) x = hn::ShiftRightSame(hn::Add(x, hn::Set(wide, 1 << (-shift - 1))), -shift);
      x = hn::Min(hn::Max(x, hn::Set(wide, -most)), hn::Set(wide, most));
      return shift > 0 ? hn::ShiftLeftSame(x, shift) : x;
    };
    const hn::Half<D> half;
    return hn::Combine(D(), hn::DemoteTo(half, one(I + hn::Lanes(wide))), hn::DemoteTo(half, one(I)));
  }
  static HWY_INLINE V load(const int16_t* p) { return hn::LoadU(D(), p); }
  static HWY_INLINE void store(V v, int16_t* p) { hn::StoreU(v, D(), p); }
};
#endif
struct FixedLane {
  using V = int32_t;
  using M = bool;
  static HWY_INLINE V set(int32_t a) { return a; }
  static HWY_INLINE V sub(V a, V b) { return a - b; }
  static HWY_INLINE V mul(V a, V b) { return -((a * b + (1 << (integer_decay_bits - 1))) >> integer_decay_bits); }
  static HWY_INLINE M ge(V a, V b) { return a >= b; }
  static HWY_INLINE M gt(V a, V b) { return a > b; }
  static HWY_INLINE V select(M m, V a, V b) { return m ? a : b; }
  static HWY_INLINE V charged(V leak, V x) { return std::clamp(leak + x, -integer_limit, integer_limit); }
  template <class T>
  static HWY_INLINE V input(const T* I, int shift) {
    V x = *I;
    if (shift < 0) x = (x + (1 << (-shift - 1))) >> -shift;
    const int32_t most = integer_limit >> std::max(shift, 0);
    return std::clamp(x, -most, most) * (1 << std::max(shift, 0));
  }
  static HWY_INLINE V load(const int16_t* p) { return *p; }
  static HWY_INLINE void store(V v, int16_t* p) { *p = static_cast<int16_t>(v); }
};

template <class O, class Form, class T>
HWY_INLINE typename O::M fired(O, const IntegerLif& lif, Form form, const int16_t* leak, const T* current, int16_t* v) {
  const LifCell<O, Form> cell{form, leak ? O::load(leak) : O::set(-lif.decay), O::set(0), O::set(lif.v_th), O::set(lif.v_reset)};
  const auto h = O::charged(cell.leaked(O::load(v)), O::input(current, lif.shift));
  const auto s = cell.fire(h);
  O::store(cell.state(h, s), v);
  return s;
}

// Whole vectors first (none with `vector` false), the others one by one; `bytes` holds zeros behind them.
template <Reset R, ResetAt A, class T>
void row(const IntegerLif& lif, const int16_t* leak, const T* current, size_t n, int16_t* v, uint8_t* bytes, bool vector) {
  const ResetForm<R, A> form{lif.compare};
  const IntegerLif own = lif;  // not to be read again after each byte that is written
  size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const Fixed::D d;
  static_assert(hn::MaxLanes(d) % 8 == 0);
  for (; vector && i + hn::Lanes(d) <= n; i += hn::Lanes(d))
    hn::StoreMaskBits(d, fired(Fixed(), own, form, leak ? leak + i : nullptr, current + i, v + i), bytes + i / 8);
#else
  static_cast<void>(vector);
#endif
  for (; i < n; ++i)
    if (fired(FixedLane(), own, form, leak ? leak + i : nullptr, current + i, v + i)) bytes[i / 8] = static_cast<uint8_t>(bytes[i / 8] | 1u << (i % 8));
}

template <Reset R, class T>
void row_at(const IntegerLif& lif, const int16_t* leak, const T* current, size_t n, int16_t* v, uint8_t* bytes, bool vector) {
  switch (R == Reset::none ? ResetAt::same_step : lif.reset_at) {
    case ResetAt::same_step: return row<R, ResetAt::same_step>(lif, leak, current, n, v, bytes, vector);
    case ResetAt::next_step: return row<R, ResetAt::next_step>(lif, leak, current, n, v, bytes, vector);
    case ResetAt::next_step_decayed: return row<R, ResetAt::next_step_decayed>(lif, leak, current, n, v, bytes, vector);
  }
}

template <class T>
void any_row(const IntegerLif& lif, const int16_t* leak, const T* current, size_t n, int16_t* v, uint8_t* bytes, bool vector) {
  switch (lif.reset) {
    case Reset::hard: return row_at<Reset::hard>(lif, leak, current, n, v, bytes, vector);
    case Reset::soft: return row_at<Reset::soft>(lif, leak, current, n, v, bytes, vector);
    case Reset::none: return row_at<Reset::none>(lif, leak, current, n, v, bytes, vector);
  }
}
void neurons(const IntegerLif& lif, const int16_t* leak, const int32_t* current, size_t n, int16_t* v, uint8_t* bytes, bool vector) {
  any_row(lif, leak, current, n, v, bytes, vector);
}
void neurons_narrow(const IntegerLif& lif, const int16_t* leak, const int16_t* current, size_t n, int16_t* v, uint8_t* bytes, bool vector) {
  any_row(lif, leak, current, n, v, bytes, vector);
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {
HWY_EXPORT(neurons);
HWY_EXPORT(neurons_narrow);

// The bits as bytes (little endian, as every target of this build), all clear.
std::uint8_t* cleared(std::uint64_t* bits, std::size_t n) {
  std::fill(bits, bits + (n + 63) / 64, 0);
  return reinterpret_cast<std::uint8_t*>(bits);
}
}  // namespace

void integer_lif_step(const IntegerLif& lif, const std::int16_t* leak, const std::int32_t* current, std::size_t n, std::int16_t* v,
                      std::uint64_t* bits) noexcept {
  HWY_DYNAMIC_DISPATCH(neurons)(lif, leak, current, n, v, cleared(bits, n), !scalar_level());
}
void integer_lif_step(const IntegerLif& lif, const std::int16_t* leak, const std::int16_t* current, std::size_t n, std::int16_t* v,
                      std::uint64_t* bits) noexcept {
  HWY_DYNAMIC_DISPATCH(neurons_narrow)(lif, leak, current, n, v, cleared(bits, n), !scalar_level());
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
