// The operations of lif-inl.h for the vectors of one target, and for one lane. Included inside each target's namespace.

#include "apical/kernels/neurons/simd_ops-inl.h"

struct Ops : SimdOps<float> {
  static HWY_INLINE V exp2_negative(V w);
  // p * 2^k from p and k + magic(), where neither that nor p leaves the normal numbers.
  static HWY_INLINE V scaled(V p, V shifted) {
    const hn::RebindToUnsigned<D> du;
    return hn::BitCast(D(), hn::Add(hn::BitCast(du, p), hn::ShiftLeft<23>(hn::BitCast(du, shifted))));
  }
  // To memory without fetching the line first: p + i is aligned to the vector.
  static HWY_INLINE void stream(V v, float* p, size_t i) { hn::Stream(v, D(), p + i); }
};

struct OneLane : plain::Ops<float> {
  static HWY_INLINE size_t lanes() { return 1; }
  static HWY_INLINE V load(const float* p, size_t i) { return p[i]; }
  static HWY_INLINE void store(V v, float* p, size_t i) { p[i] = v; }
  static HWY_INLINE void stream(V v, float* p, size_t i) { p[i] = v; }
};

#include "apical/kernels/neurons/lif-inl.h"

HWY_INLINE Ops::V Ops::exp2_negative(V w) { return exp2_negative_float<Ops>(w); }

// Four vectors of O in step: an exponential is a chain of some twenty operations that wait for each other, and a processor does not look
// far enough ahead to fill the gaps with the next vector's. The operations that the equations of rows ask for, no more.
template <class O>
struct Four {
  struct V {
    typename O::V a, b, c, d;
  };
  struct M {
    typename O::M a, b, c, d;
  };
  static HWY_INLINE V set(float s) {
    const typename O::V v = O::set(s);
    return {v, v, v, v};
  }
#define APICAL_ONE(R, op, X) \
  static HWY_INLINE R op(X x) { return {O::op(x.a), O::op(x.b), O::op(x.c), O::op(x.d)}; }
#define APICAL_TWO(R, op, X) \
  static HWY_INLINE R op(X x, X y) { return {O::op(x.a, y.a), O::op(x.b, y.b), O::op(x.c, y.c), O::op(x.d, y.d)}; }
  APICAL_TWO(V, add, V)
  APICAL_TWO(V, sub, V)
  APICAL_TWO(V, mul, V)
  APICAL_TWO(V, div, V)
  APICAL_TWO(V, max, V)
  APICAL_TWO(V, scaled, V)
  APICAL_TWO(V, copysign, V)
  APICAL_TWO(M, ge, V)
  APICAL_TWO(M, gt, V)
  APICAL_TWO(M, both, M)
  APICAL_ONE(V, abs, V)
  APICAL_ONE(V, power_of_two, V)
#undef APICAL_ONE
#undef APICAL_TWO
  static HWY_INLINE V select(M m, V x, V y) {
    return {O::select(m.a, x.a, y.a), O::select(m.b, x.b, y.b), O::select(m.c, x.c, y.c), O::select(m.d, x.d, y.d)};
  }
  static HWY_INLINE V exp2_negative(V w) { return exp2_negative_float<Four>(w); }
  static HWY_INLINE size_t lanes() { return 4 * O::lanes(); }
  static HWY_INLINE V load(const float* p, size_t i) {
    const size_t L = O::lanes();
    return {O::load(p, i), O::load(p, i + L), O::load(p, i + 2 * L), O::load(p, i + 3 * L)};
  }
#define APICAL_PUT(op)                                                                          \
  static HWY_INLINE void op(V v, float* p, size_t i) {                                          \
    const size_t L = O::lanes();                                                                \
    O::op(v.a, p, i), O::op(v.b, p, i + L), O::op(v.c, p, i + 2 * L), O::op(v.d, p, i + 3 * L); \
  }
  APICAL_PUT(store)
  APICAL_PUT(stream)
#undef APICAL_PUT
  // A bit a lane, where vectors of O have whole bytes of them.
  static HWY_INLINE void store_bits(M m, uint8_t* to) {
    const typename O::D d;
    const size_t bytes = O::lanes() / 8;
    hn::StoreMaskBits(d, m.a, to), hn::StoreMaskBits(d, m.b, to + bytes), hn::StoreMaskBits(d, m.c, to + 2 * bytes);
    hn::StoreMaskBits(d, m.d, to + 3 * bytes);
  }
  static HWY_INLINE size_t count(M m) { return O::count(m.a) + O::count(m.b) + O::count(m.c) + O::count(m.d); }
};
using FourOps = Four<Ops>;

// Fetches early what lanes of O will be loaded from.
template <class O>
HWY_INLINE void fetch_lanes(const float* p) {
  for (size_t k = 0; k < O::lanes(); k += 64 / sizeof(float)) hwy::Prefetch(p + k);
}

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
