// The operations that equations are written in (lif-inl.h, circuit/iaf-inl.h), for the vectors of one target. Included inside each
// target's namespace; plain::Ops<T> (lif_scalar.h) are the same for one number.

template <class T>
struct SimdOps {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  using M = hn::Mask<D>;
  static HWY_INLINE V set(T a) { return hn::Set(D(), a); }
  static HWY_INLINE V add(V a, V b) { return hn::Add(a, b); }
  static HWY_INLINE V sub(V a, V b) { return hn::Sub(a, b); }
  static HWY_INLINE V mul(V a, V b) { return hn::Mul(a, b); }
  static HWY_INLINE V div(V a, V b) { return hn::Div(a, b); }
  static HWY_INLINE M ge(V a, V b) { return hn::Ge(a, b); }
  static HWY_INLINE M gt(V a, V b) { return hn::Gt(a, b); }
  static HWY_INLINE V select(M m, V a, V b) { return hn::IfThenElse(m, a, b); }
  static HWY_INLINE V abs(V a) { return hn::Abs(a); }
  static HWY_INLINE V max(V a, V b) { return hn::Max(a, b); }
  static HWY_INLINE M both(M m, M n) { return hn::And(m, n); }
  static HWY_INLINE bool any(M m) { return !hn::AllFalse(D(), m); }
  // 1.5 * 2^(bits of the fraction): added, it leaves the whole number in the lowest bits.
  static HWY_INLINE V magic() { return set(sizeof(T) == 4 ? static_cast<T>(12582912) : static_cast<T>(6755399441055744)); }
  static HWY_INLINE V round(V a) { return sub(add(a, magic()), magic()); }  // |a| < 2^22
  // 2^k from k + magic().
  static HWY_INLINE V power_of_two(V shifted) {
    const hn::RebindToUnsigned<D> du;
    if constexpr (sizeof(T) == 4)
      return hn::BitCast(D(), hn::Add(hn::ShiftLeft<23>(hn::BitCast(du, shifted)), hn::Set(du, 0x3f800000u)));
    else
      return hn::BitCast(D(), hn::Add(hn::ShiftLeft<52>(hn::BitCast(du, shifted)), hn::Set(du, 0x3ff0000000000000u)));
  }
  // Lanes i.. of a row.
  static HWY_INLINE V load(const T* p, size_t i) { return hn::LoadU(D(), p + i); }
  static HWY_INLINE void store(V v, T* p, size_t i) { hn::StoreU(v, D(), p + i); }
  static HWY_INLINE size_t lanes() { return hn::Lanes(D()); }
};
