// Row kernels of the scans: one step of a tile of neurons. Included by scan.cpp inside each target's namespace. The last few
// neurons that do not fill a vector go through the same equation on plain floats.

struct Ops {
  using D = hn::ScalableTag<float>;
  using V = hn::Vec<D>;
  using M = hn::Mask<D>;
  static HWY_INLINE V set(float a) { return hn::Set(D(), a); }
  static HWY_INLINE V add(V a, V b) { return hn::Add(a, b); }
  static HWY_INLINE V sub(V a, V b) { return hn::Sub(a, b); }
  static HWY_INLINE V mul(V a, V b) { return hn::Mul(a, b); }
  static HWY_INLINE V div(V a, V b) { return hn::Div(a, b); }
  static HWY_INLINE M ge(V a, V b) { return hn::Ge(a, b); }
  static HWY_INLINE M gt(V a, V b) { return hn::Gt(a, b); }
  static HWY_INLINE V select(M m, V a, V b) { return hn::IfThenElse(m, a, b); }
  static HWY_INLINE V abs(V a) { return hn::Abs(a); }
  static HWY_INLINE V max(V a, V b) { return hn::Max(a, b); }
  static HWY_INLINE V power_of_two(V shifted) {
    const hn::RebindToUnsigned<D> du;
    return hn::BitCast(D(), hn::Add(hn::ShiftLeft<23>(hn::BitCast(du, shifted)), hn::Set(du, 0x3f800000u)));
  }
  static HWY_INLINE V exp_negative(V z);
  // Lanes i.. of a row.
  static HWY_INLINE V load(const float* p, size_t i) { return hn::LoadU(D(), p + i); }
  static HWY_INLINE void store(V v, float* p, size_t i) { hn::StoreU(v, D(), p + i); }
  static HWY_INLINE size_t lanes() { return hn::Lanes(D()); }
};

struct OneLane : plain::Ops<float> {
  static HWY_INLINE V load(const float* p, size_t i) { return p[i]; }
  static HWY_INLINE void store(V v, float* p, size_t i) { p[i] = v; }
};

#include "apical/kernels/neurons/lif-inl.h"

HWY_INLINE Ops::V Ops::exp_negative(V z) { return exp_negative_float<Ops>(z); }

// A cell for lanes i.. of a tile whose own decays (or null) are `decay`.
template <class O, class Form>
HWY_INLINE LifCell<O, Form> make_cell(const Lif& lif, float shared, const float* decay, size_t i) {
  LifCell<O, Form> c;
  c.decay = decay ? O::load(decay, i) : O::set(shared);
  c.input_scale = lif.decay_input ? O::sub(O::set(1.0f), c.decay) : O::set(lif.input_scale);
  c.v_th = O::set(lif.v_th);
  c.v_reset = O::set(lif.v_reset);
  return c;
}

struct ChargeRow {
  const Lif* lif;
  float shared;
  const float *decay, *x, *v_in;
  float *v_out, *h, *spikes_f;
  uint8_t* bits;  // spike bits of the tile's first neuron, whole bytes are written
  size_t ahead;   // neurons from here to the next tile, fetched early; 0: no
};

template <class O, class Form>
HWY_INLINE typename O::M charge_lanes(const ChargeRow& r, size_t i) {
  hwy::Prefetch(r.x + i + r.ahead);
  const LifCell<O, Form> c = make_cell<O, Form>(*r.lif, r.shared, r.decay, i);
  const auto h = c.charge(O::load(r.v_in, i), O::load(r.x, i));
  const auto s = c.fire(h);
  O::store(c.state(h, s), r.v_out, i);
  if (r.h) O::store(h, r.h, i);
  if (r.spikes_f) O::store(O::select(s, O::set(1.0f), O::set(0.0f)), r.spikes_f, i);
  return s;
}

template <class Form>
void charge_row(ChargeRow r, size_t n) {
  const Ops::D d;
  const size_t L = Ops::lanes();
  size_t i = 0;
  if (L >= 8) {
    for (; i + L <= n; i += L) {
      const auto s = charge_lanes<Ops, Form>(r, i);
      if (r.bits) hn::StoreMaskBits(d, s, r.bits + i / 8);
    }
  } else {
    for (; i + 8 <= n; i += 8) {
      unsigned byte = 0;
      for (size_t k = 0; k < 8; k += L) {
        uint8_t part[8] = {};
        hn::StoreMaskBits(d, charge_lanes<Ops, Form>(r, i + k), part);
        byte |= static_cast<unsigned>(part[0]) << k;
      }
      if (r.bits) r.bits[i / 8] = static_cast<uint8_t>(byte);
    }
  }
  for (unsigned byte = 0; i < n; ++i) {
    byte |= static_cast<unsigned>(charge_lanes<OneLane, Form>(r, i)) << (i % 8);
    if (i % 8 == 7 || i + 1 == n) {
      if (r.bits) r.bits[i / 8] = static_cast<uint8_t>(byte);
      byte = 0;
    }
  }
}

template <class O, SurrogateKind K>
HWY_INLINE void surrogate_lanes(const Surrogate& s, float a, float v_th, const float* h, float* d, size_t i) {
  const SurrogateCell<O, K> cell{O::set(s.height), O::set(a)};
  O::store(cell(O::sub(O::load(h, i), O::set(v_th))), d, i);
}

template <SurrogateKind K>
void surrogate_row_of(const Surrogate& s, float v_th, const float* h, float* d, size_t n) {
  const float a = plain::surrogate_constant(s);
  size_t i = 0;
  for (; i + Ops::lanes() <= n; i += Ops::lanes()) surrogate_lanes<Ops, K>(s, a, v_th, h, d, i);
  for (; i < n; ++i) surrogate_lanes<OneLane, K>(s, a, v_th, h, d, i);
}

// d = surrogate derivative at membranes h.
void surrogate_row(const Surrogate& s, float v_th, const float* h, float* d, size_t n) {
  switch (s.kind) {
#define APICAL_CASE(kind) \
  case SurrogateKind::kind: return surrogate_row_of<SurrogateKind::kind>(s, v_th, h, d, n);
    APICAL_SURROGATES(APICAL_CASE)
#undef APICAL_CASE
  }
}

struct GradRow {
  const Lif* lif;
  float shared;
  const float *decay, *x, *grad_s, *h, *d, *before, *d_before;
  float* grad_x;  // or null
  float* g;       // in: dL/dv[t], out: dL/dv[t-1]
  float* slopes;  // running sum of dL/dh * dh/d decay, or null
  size_t ahead;
};

template <class O, class Form, bool Detach>
HWY_INLINE void grad_lanes(const GradRow& r, size_t i) {
  hwy::Prefetch(r.grad_s + i + r.ahead);
  const LifCell<O, Form> c = make_cell<O, Form>(*r.lif, r.shared, r.decay, i);
  const auto gh = c.grad_charge(O::load(r.grad_s, i), O::load(r.g, i), O::load(r.h, i), O::load(r.d, i), Detach);
  const auto before = O::load(r.before, i);
  if (r.slopes) {
    auto slope = c.decay_slope(before);
    if (r.lif->decay_input) slope = O::sub(slope, O::load(r.x, i));
    O::store(O::add(O::load(r.slopes, i), O::mul(gh, slope)), r.slopes, i);
  }
  if (r.grad_x) O::store(O::mul(c.input_scale, gh), r.grad_x, i);
  O::store(c.grad_state(gh, before, O::load(r.d_before, i), Detach), r.g, i);
}

template <class Form, bool Detach>
void grad_row(GradRow r, size_t n) {
  size_t i = 0;
  for (; i + Ops::lanes() <= n; i += Ops::lanes()) grad_lanes<Ops, Form, Detach>(r, i);
  for (; i < n; ++i) grad_lanes<OneLane, Form, Detach>(r, i);
}
