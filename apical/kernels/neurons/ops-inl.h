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

// Four vectors in step, for exponentials: one is a chain of some thirty operations that wait for each other, and a processor does not look
// far enough ahead to fill the gaps with the next vector's (backward scans take a fifth less time on AVX2). What a surrogate asks for, no
// more.
struct FourOps {
  struct V {
    Ops::V a, b, c, d;
  };
  struct M {
    Ops::M a, b, c, d;
  };
  static HWY_INLINE V set(float s) {
    const Ops::V v = Ops::set(s);
    return {v, v, v, v};
  }
#define APICAL_FOUR(op) \
  static HWY_INLINE V op(V x, V y) { return {Ops::op(x.a, y.a), Ops::op(x.b, y.b), Ops::op(x.c, y.c), Ops::op(x.d, y.d)}; }
  APICAL_FOUR(add)
  APICAL_FOUR(sub)
  APICAL_FOUR(mul)
  APICAL_FOUR(div)
  APICAL_FOUR(max)
#undef APICAL_FOUR
  static HWY_INLINE M gt(V x, V y) { return {Ops::gt(x.a, y.a), Ops::gt(x.b, y.b), Ops::gt(x.c, y.c), Ops::gt(x.d, y.d)}; }
  static HWY_INLINE V select(M m, V x, V y) {
    return {Ops::select(m.a, x.a, y.a), Ops::select(m.b, x.b, y.b), Ops::select(m.c, x.c, y.c), Ops::select(m.d, x.d, y.d)};
  }
  static HWY_INLINE V abs(V x) { return {Ops::abs(x.a), Ops::abs(x.b), Ops::abs(x.c), Ops::abs(x.d)}; }
  static HWY_INLINE V power_of_two(V x) {
    return {Ops::power_of_two(x.a), Ops::power_of_two(x.b), Ops::power_of_two(x.c), Ops::power_of_two(x.d)};
  }
  static HWY_INLINE V exp_negative(V z) { return exp_negative_float<FourOps>(z); }
  static HWY_INLINE V load(const float* p, size_t i) {
    const size_t L = Ops::lanes();
    return {Ops::load(p, i), Ops::load(p, i + L), Ops::load(p, i + 2 * L), Ops::load(p, i + 3 * L)};
  }
  static HWY_INLINE void store(V v, float* p, size_t i) {
    const size_t L = Ops::lanes();
    Ops::store(v.a, p, i), Ops::store(v.b, p, i + L), Ops::store(v.c, p, i + 2 * L), Ops::store(v.d, p, i + 3 * L);
  }
};

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
