// The operations of circuit neurons for the vectors of one target: float64, rows of float64 or float32. Included inside each target's
// namespace.
#include "apical/kernels/neurons/simd_ops-inl.h"

struct Doubles : SimdOps<double> {
  using F = hn::Rebind<float, D>;
  static HWY_INLINE V load(const double* p) { return hn::LoadU(D(), p); }
  static HWY_INLINE V load(const float* p) { return hn::PromoteTo(D(), hn::LoadU(F(), p)); }
  static HWY_INLINE void store(V v, double* p) { hn::StoreU(v, D(), p); }
  static HWY_INLINE void store(V v, float* p) { hn::StoreU(hn::DemoteTo(F(), v), F(), p); }
  static HWY_INLINE void zero(double* p) { hn::StoreU(hn::Zero(D()), D(), p); }
  static HWY_INLINE void zero(float* p) { hn::StoreU(hn::Zero(F()), F(), p); }
  static HWY_INLINE uint64_t bits(M m) {
    uint8_t bytes[8] = {};
    hn::StoreMaskBits(D(), m, bytes);
    return bytes[0];
  }
};
