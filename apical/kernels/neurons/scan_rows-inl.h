// Row kernels of the scans: one step of a tile of neurons. Included by scan.cpp inside each target's namespace. The last few
// neurons that do not fill a vector go through the same equation on plain floats.

#include "apical/kernels/neurons/ops-inl.h"

// A cell for lanes i.. of a tile whose own decays (or null) are `decay`.
template <class O, class Form>
HWY_INLINE LifCell<O, Form> make_cell(const Lif& lif, float shared, const float* decay, size_t i) {
  const typename O::V own = decay ? O::load(decay, i) : O::set(shared);
  const typename O::V scale = lif.decay_input ? O::sub(O::set(1.0f), own) : O::set(lif.input_scale);
  return {{}, own, scale, O::set(lif.v_th), O::set(lif.v_reset)};  // gcc gives an implicit constructor no target: none may be called
}

struct ChargeRow {
  const Lif* lif;
  float shared;
  const float *decay, *x, *v_in;
  float *v_out, *h, *spikes_f;
  uint8_t* bits;  // spike bits of the tile's first neuron, whole bytes are written
  size_t ahead;   // neurons from here to the next tile, fetched early; 0: no
  bool stream;    // spikes_f past the caches
};

template <class O, class Form>
HWY_INLINE typename O::M charge_lanes(const ChargeRow& r, size_t i) {
  hwy::Prefetch(r.x + i + r.ahead);
  const LifCell<O, Form> c = make_cell<O, Form>(*r.lif, r.shared, r.decay, i);
  const auto h = c.charge(O::load(r.v_in, i), O::load(r.x, i));
  const auto s = c.fire(h);
  O::store(c.state(h, s), r.v_out, i);
  if (r.h) O::store(h, r.h, i);
  if (r.spikes_f) {
    const auto one = O::select(s, O::set(1.0f), O::set(0.0f));
    r.stream ? O::stream(one, r.spikes_f, i) : O::store(one, r.spikes_f, i);
  }
  return s;
}

template <class Form>
void charge_row(ChargeRow r, size_t n) {
  each_fired(
      n, r.bits, [r](auto ops, size_t i) HWY_ATTR __attribute__((always_inline)) { return charge_lanes<decltype(ops), Form>(r, i); });
}

struct SurrogateSetting {
  float height, a;  // see SurrogateCell
};

struct GradRow {
  const Lif* lif;
  float shared;
  const SurrogateSetting* surrogate;
  const float *decay, *x, *grad_s, *h, *before;
  float* grad_x;       // or null
  float* g;            // in: dL/dv[t], out: dL/dv[t-1]
  float* slopes;       // running sum of dL/dh * dh/d decay, or null
  bool through_state;  // the surrogate at the state before is needed
  size_t ahead;
  bool stream;  // grad_x past the caches
};

// Lanes i.. of a row; slope: the surrogate at r.h there.
template <class Form, class Slope>
HWY_INLINE void grad_lanes(const GradRow& r, const Slope& surrogate, Ops::V slope, size_t i) {
  const bool detach = r.lif->detach_reset;
  hwy::Prefetch(r.grad_s + i + r.ahead);
  hwy::Prefetch(r.x + i + r.ahead);
  LifCell<Ops, Form> c = make_cell<Ops, Form>(*r.lif, r.shared, r.decay, i);
  c.form.compare = r.lif->compare;
  const auto h = Ops::load(r.h, i), before = Ops::load(r.before, i);
  const auto gh = c.grad_charge(Ops::load(r.grad_s, i), Ops::load(r.g, i), h, slope, detach);
  if (r.slopes) {
    auto by_decay = c.decay_slope(before);
    if (r.lif->decay_input) by_decay = Ops::sub(by_decay, Ops::load(r.x, i));
    Ops::store(Ops::add(Ops::load(r.slopes, i), Ops::mul(gh, by_decay)), r.slopes, i);
  }
  if (r.grad_x) {
    const auto gx = Ops::mul(c.input_scale, gh);
    r.stream ? Ops::stream(gx, r.grad_x, i) : Ops::store(gx, r.grad_x, i);
  }
  const auto d_before = r.through_state ? surrogate(Ops::sub(before, c.v_th)) : h;
  Ops::store(c.grad_state(gh, before, d_before, detach), r.g, i);
}

// Whole vectors of a row: n is a multiple of the lanes. The surrogate is worked out while the gradients are on their way from memory.
template <class Form, SurrogateKind K>
void grad_row(GradRow r, size_t n) {
  const Lif lif = *r.lif;  // or it would be read anew for every vector: what is stored might have changed it
  r.lif = &lif;
  const SurrogateCell<Ops, K> surrogate{Ops::set(r.surrogate->height), Ops::set(r.surrogate->a)};
  const SurrogateCell<FourOps, K> four{FourOps::set(r.surrogate->height), FourOps::set(r.surrogate->a)};
  const size_t L = Ops::lanes();
  size_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L) {
    const auto slopes = four(FourOps::sub(FourOps::load(r.h, i), FourOps::set(lif.v_th)));
    grad_lanes<Form>(r, surrogate, slopes.a, i);
    grad_lanes<Form>(r, surrogate, slopes.b, i + L);
    grad_lanes<Form>(r, surrogate, slopes.c, i + 2 * L);
    grad_lanes<Form>(r, surrogate, slopes.d, i + 3 * L);
  }
  for (; i < n; i += L) grad_lanes<Form>(r, surrogate, surrogate(Ops::sub(Ops::load(r.h, i), Ops::set(lif.v_th))), i);
}

using GradFunction = void (*)(GradRow, size_t);
template <class Form>
GradFunction grad_function(SurrogateKind kind) {
  switch (kind) {
#define APICAL_CASE(kind)   \
  case SurrogateKind::kind: \
    return grad_row<ResetForm<Form::reset, Form::reset_at>, SurrogateKind::kind>;
    APICAL_SURROGATES(APICAL_CASE)
#undef APICAL_CASE
  }
  return nullptr;
}

// dL/ds of neurons [begin, begin + n) from the gradients of one step's averages: each pixel has its share of its window's, 0 where it is
// in none.
inline void spread_row(const Pool2d& pool, const float* grad, size_t begin, size_t n, float* out) {
  const float share = 1.0f / static_cast<float>(pool.kernel_h * pool.kernel_w);
  const size_t C = pool.channels, OH = pool.out_height(), OW = pool.out_width();
  const auto W = static_cast<uint32_t>(pool.width), kernel_w = static_cast<uint32_t>(pool.kernel_w);  // 32 bits divide faster
  size_t c = begin % C;
  auto x = static_cast<uint32_t>(begin / C % W);
  for (size_t row = begin / C / W; n > 0; ++row, x = 0) {  // of all images
    const size_t oy = row % pool.height / pool.kernel_h;
    const float* averages = grad + (row / pool.height * OH + oy) * OW * C;
    for (; x < W && n > 0; ++x, c = 0) {
      const size_t ox = x / kernel_w, count = HWY_MIN(C - c, n);
      if (oy < OH && ox < OW)
        for (size_t i = 0; i < count; ++i) out[i] = averages[ox * C + c + i] * share;
      else
        std::fill(out, out + count, 0.0f);
      out += count, n -= count;
    }
  }
}
