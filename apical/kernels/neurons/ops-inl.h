// The operations of lif-inl.h for the vectors of one target, and for one lane. Included inside each target's namespace.

#include "apical/kernels/neurons/simd_ops-inl.h"

struct Ops : SimdOps<float> {
  static HWY_INLINE V exp_negative(V z);
  // To memory without fetching the line first: p + i is aligned to the vector.
  static HWY_INLINE void stream(V v, float* p, size_t i) { hn::Stream(v, D(), p + i); }
};

struct OneLane : plain::Ops<float> {
  static HWY_INLINE V load(const float* p, size_t i) { return p[i]; }
  static HWY_INLINE void store(V v, float* p, size_t i) { p[i] = v; }
  static HWY_INLINE void stream(V v, float* p, size_t i) { p[i] = v; }
};

#include "apical/kernels/neurons/lif-inl.h"

HWY_INLINE Ops::V Ops::exp_negative(V z) { return exp_negative_float<Ops>(z); }

// Walks a row of n neurons: fired(O(), i) says who fired among lanes i.. of O, Ops or, for the last few, OneLane. Their bits go to `bits`
// (of the row's first neuron, whole bytes are written) unless it is null.  `fired` holds what it needs by value and is
// always inlined: else the bytes stored here might have changed it, and it is read anew for every vector (a quarter slower).
template <class Fired>
HWY_INLINE void each_fired(size_t n, uint8_t* bits, Fired fired) {
  const Ops::D d;
  const size_t L = Ops::lanes();
  size_t i = 0;
  if (L >= 8) {
    for (; i + L <= n; i += L) {
      const auto s = fired(Ops(), i);
      if (bits) hn::StoreMaskBits(d, s, bits + i / 8);
    }
  } else {
    for (; i + 8 <= n; i += 8) {
      unsigned byte = 0;
      for (size_t k = 0; k < 8; k += L) {
        uint8_t part[8] = {};
        hn::StoreMaskBits(d, fired(Ops(), i + k), part);
        byte |= static_cast<unsigned>(part[0]) << k;
      }
      if (bits) bits[i / 8] = static_cast<uint8_t>(byte);
    }
  }
  for (unsigned byte = 0; i < n; ++i) {
    byte |= static_cast<unsigned>(fired(OneLane(), i)) << (i % 8);
    if (i % 8 == 7 || i + 1 == n) {
      if (bits) bits[i / 8] = static_cast<uint8_t>(byte);
      byte = 0;
    }
  }
}
