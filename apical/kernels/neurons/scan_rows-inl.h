// Row kernels of the scans: one step of a tile of neurons. Included by scan.cpp inside each target's namespace. The last few
// neurons that do not fill a vector go through the same equation on plain floats.

#include "apical/kernels/neurons/ops-inl.h"
#include "apical/kernels/neurons/surrogate_rows-inl.h"

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
  fetch_lanes<O>(r.x + i + r.ahead);
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
  const Lif lif = *r.lif;  // or it would be read anew for every vector: what is stored might have changed it
  r.lif = &lif;
  size_t done = 0;
  if (Ops::lanes() >= 8 && !r.decay)  // in fours, what is asked of each vector above is asked less often
    for (; done + FourOps::lanes() <= n; done += FourOps::lanes()) {
      const auto fired = charge_lanes<FourOps, Form>(r, done);
      if (r.bits) FourOps::store_bits(fired, r.bits + done / 8);
    }
  each_fired(
      n - done, r.bits ? r.bits + done / 8 : nullptr,
      [ r, done ](auto ops, size_t i) HWY_ATTR __attribute__((always_inline)) { return charge_lanes<decltype(ops), Form>(r, done + i); });
}

struct GradRow {
  const Lif* lif;
  float shared;
  const float *decay, *x, *grad_s, *h, *before;
  const float *d, *d_before;  // surrogates at h and at the state before
  float* grad_x;              // or null
  float* g;                   // in: dL/dv[t], out: dL/dv[t-1]
  float* slopes;              // running sum of dL/dh * dh/d decay, or null
  bool stream;                // grad_x past the caches
};

// Whole vectors of a row: n is a multiple of the lanes. kDecay: decays differ by neuron, or their gradient is wanted.
template <class Form, bool kDecay>
void grad_row(GradRow r, size_t n) {
  const Lif lif = *r.lif;  // or it would be read anew for every vector: what is stored might have changed it
  for (size_t i = 0; i < n; i += Ops::lanes()) {
    LifCell<Ops, Form> c = make_cell<Ops, Form>(lif, r.shared, kDecay ? r.decay : nullptr, i);
    c.form.compare = lif.compare;
    const auto before = Ops::load(r.before, i);
    const auto gh = c.grad_charge(Ops::load(r.grad_s, i), Ops::load(r.g, i), Ops::load(r.h, i), Ops::load(r.d, i), lif.detach_reset);
    if (kDecay && r.slopes) {
      auto by_decay = c.decay_slope(before);
      if (lif.decay_input) by_decay = Ops::sub(by_decay, Ops::load(r.x, i));
      Ops::store(Ops::add(Ops::load(r.slopes, i), Ops::mul(gh, by_decay)), r.slopes, i);
    }
    if (r.grad_x) {
      const auto gx = Ops::mul(c.input_scale, gh);
      r.stream ? Ops::stream(gx, r.grad_x, i) : Ops::store(gx, r.grad_x, i);
    }
    Ops::store(c.grad_state(gh, before, Ops::load(r.d_before, i), lif.detach_reset), r.g, i);
  }
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
