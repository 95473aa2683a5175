// The operations of circuit neurons for the vectors of one target: float64, rows of float64 or float32. Included inside each target's
// namespace.
#include "apical/kernels/neurons/simd_ops-inl.h"

struct Doubles : SimdOps<double> {
  using F = hn::Rebind<float, D>;
  using I = hn::Rebind<int32_t, D>;
  static HWY_INLINE V load(const double* p) { return hn::LoadU(D(), p); }
  static HWY_INLINE V load(const float* p) { return hn::PromoteTo(D(), hn::LoadU(F(), p)); }
  static HWY_INLINE V load(const int32_t* p) { return hn::PromoteTo(D(), hn::LoadU(I(), p)); }
  static HWY_INLINE void store(V v, double* p) { hn::StoreU(v, D(), p); }
  static HWY_INLINE void store(V v, float* p) { hn::StoreU(hn::DemoteTo(F(), v), F(), p); }
  static HWY_INLINE void store(V v, int32_t* p) { hn::StoreU(hn::DemoteTo(I(), v), I(), p); }
  static HWY_INLINE void zero(double* p) { hn::StoreU(hn::Zero(D()), D(), p); }
  static HWY_INLINE void zero(float* p) { hn::StoreU(hn::Zero(F()), F(), p); }
  static HWY_INLINE uint64_t bits(M m) {
    uint8_t bytes[8] = {};
    hn::StoreMaskBits(D(), m, bytes);
    return bytes[0];
  }
  // `strange`, or NaN where v is no finite number; one operation, which some kernels notice.
  static HWY_INLINE V watch(V v, V strange) { return hn::MulAdd(v, hn::Zero(D()), strange); }
  static HWY_INLINE M awake(const int32_t* wakes, int32_t step) {
    const auto m = hn::Lt(hn::LoadU(I(), wakes), hn::Set(I(), step + 1));
#if HWY_TARGET <= HWY_AVX3  // masks are bits there, whatever they are of
    return M{m.raw};
#else
    return hn::MaskFromVec(hn::BitCast(D(), hn::PromoteTo(hn::RebindToSigned<D>(), hn::VecFromMask(I(), m))));
#endif
  }
  static HWY_INLINE bool is_zero(V v) { return hn::AllTrue(D(), hn::Eq(v, hn::Zero(D()))); }
};

// Two vectors side by side: long chains of operations wait for each other, and while one waits the other computes.
struct PairsOfDoubles {
  using One = Doubles;
  struct V {
    One::V a, b;
    // Not left to the compiler, which makes it without the target: what it calls could not be inlined. Structs of V are therefore always
    // given values as they begin.
    HWY_INLINE V() {}
    HWY_INLINE V(One::V x, One::V y) : a(x), b(y) {}
  };
  struct M {
    One::M a, b;
  };
  static HWY_INLINE V set(double x) { return {One::set(x), One::set(x)}; }
  static HWY_INLINE V add(V x, V y) { return {One::add(x.a, y.a), One::add(x.b, y.b)}; }
  static HWY_INLINE V sub(V x, V y) { return {One::sub(x.a, y.a), One::sub(x.b, y.b)}; }
  static HWY_INLINE V mul(V x, V y) { return {One::mul(x.a, y.a), One::mul(x.b, y.b)}; }
  static HWY_INLINE V div(V x, V y) { return {One::div(x.a, y.a), One::div(x.b, y.b)}; }
  static HWY_INLINE M ge(V x, V y) { return {One::ge(x.a, y.a), One::ge(x.b, y.b)}; }
  static HWY_INLINE M gt(V x, V y) { return {One::gt(x.a, y.a), One::gt(x.b, y.b)}; }
  static HWY_INLINE V select(M m, V x, V y) { return {One::select(m.a, x.a, y.a), One::select(m.b, x.b, y.b)}; }
  static HWY_INLINE V abs(V x) { return {One::abs(x.a), One::abs(x.b)}; }
  static HWY_INLINE V max(V x, V y) { return {One::max(x.a, y.a), One::max(x.b, y.b)}; }
  static HWY_INLINE V watch(V x, V strange) { return {One::watch(x.a, strange.a), One::watch(x.b, strange.b)}; }
  static HWY_INLINE M both(M m, M n) { return {One::both(m.a, n.a), One::both(m.b, n.b)}; }
  static HWY_INLINE bool any(M m) { return One::any(m.a) || One::any(m.b); }
  static HWY_INLINE bool is_zero(V v) { return One::is_zero(v.a) && One::is_zero(v.b); }
  static HWY_INLINE V magic() { return {One::magic(), One::magic()}; }
  static HWY_INLINE V power_of_two(V x) { return {One::power_of_two(x.a), One::power_of_two(x.b)}; }
  template <class T>
  static HWY_INLINE V load(const T* p) {
    return {One::load(p), One::load(p + One::lanes())};
  }
  template <class T>
  static HWY_INLINE void store(V v, T* p) {
    One::store(v.a, p), One::store(v.b, p + One::lanes());
  }
  template <class T>
  static HWY_INLINE void zero(T* p) {
    One::zero(p), One::zero(p + One::lanes());
  }
  static HWY_INLINE uint64_t bits(M m) { return One::bits(m.a) | One::bits(m.b) << One::lanes(); }
  static HWY_INLINE size_t lanes() { return 2 * One::lanes(); }
};
