// Row kernels of neuron_scan.cpp: one step of a tile of neurons, for any model. Included inside each target's namespace.

#include "apical/kernels/neurons/ops-inl.h"
#include "apical/kernels/neurons/surrogate_rows-inl.h"
#include "apical/kernels/neurons/models-inl.h"

template <class Model>
struct NeuronRow {
  const Model* model;
  float shared[Model::kParams];
  const float* params[Model::kParams];  // each neuron's own, or null
};

template <class O, class Form, class Model>
HWY_INLINE NeuronCell<Model, O, Form> neuron_cell(const NeuronRow<Model>& r, size_t i) {
  typename O::V p[Model::kParams];
  for (size_t k = 0; k < Model::kParams; ++k) p[k] = r.params[k] ? O::load(r.params[k], i) : O::set(r.shared[k]);
  return NeuronCell<Model, O, Form>(*r.model, p);
}

template <class Model>
struct StepRow : NeuronRow<Model> {
  const float* x;
  const float* in[Model::kStates];
  float* out[Model::kStates];
  float *u, *h, *spikes_f;  // or null
  uint8_t *counts, *bits;   // or null; bits of the tile's first neuron, whole bytes are written
  size_t ahead;             // neurons from here to the next tile, fetched early; 0: no
};

HWY_INLINE void store_counts(Ops::V v, uint8_t* p, size_t i) {
  const hn::Rebind<int32_t, Ops::D> di;
  const hn::Rebind<uint8_t, Ops::D> d8;
  hn::StoreU(hn::DemoteTo(d8, hn::ConvertTo(di, v)), d8, p + i);
}
HWY_INLINE void store_counts(float v, uint8_t* p, size_t i) { p[i] = static_cast<uint8_t>(v); }

template <class O, class Form, class Model>
HWY_INLINE typename O::M step_lanes(const StepRow<Model>& r, size_t i) {
  hwy::Prefetch(r.x + i + r.ahead);
  const auto cell = neuron_cell<O, Form, Model>(r, i);
  typename O::V state[Model::kStates];
  for (size_t k = 0; k < Model::kStates; ++k) state[k] = O::load(r.in[k], i);
  const NeuronStep<O> s = cell.step(state, O::load(r.x, i));
  for (size_t k = 0; k < Model::kStates; ++k) O::store(state[k], r.out[k], i);
  if (r.u) O::store(s.u, r.u, i);
  if (r.h) O::store(s.h, r.h, i);
  if (r.counts) store_counts(s.count, r.counts, i);
  if (r.spikes_f) O::store(s.count, r.spikes_f, i);
  return s.fired;
}

template <class Form, class Model>
void step_row(StepRow<Model> r, size_t n) {
  each_fired(n, r.bits, [r](auto ops, size_t i) HWY_ATTR __attribute__((always_inline)) { return step_lanes<decltype(ops), Form>(r, i); });
}

// What follows works on whole vectors: n is a multiple of the lanes.

// u of the states before a segment.
template <class Form, class Model>
void start_row(const NeuronRow<Model>& r, const float* const* state, float* u, size_t n) {
  for (size_t i = 0; i < n; i += Ops::lanes()) {
    Ops::V v[Model::kStates];
    for (size_t k = 0; k < Model::kStates; ++k) v[k] = Ops::load(state[k], i);
    Ops::store(neuron_cell<Ops, Form, Model>(r, i).u_before(v), u, i);
  }
}

template <class Model>
struct GradientRow : NeuronRow<Model> {
  const float *x, *grad_s, *d, *d_before;
  const float* before[Model::kStates];
  float* grad_x;                  // or null
  float* g[Model::kStates];       // in: dL/d state after the step, out: dL/d state before it
  float* slopes[Model::kParams];  // running sums, or null
  size_t ahead;
};

template <class Form, class Model>
void gradient_row(GradientRow<Model> r, size_t n) {
  for (size_t i = 0; i < n; i += Ops::lanes()) {
    hwy::Prefetch(r.grad_s + i + r.ahead);
    const auto cell = neuron_cell<Ops, Form, Model>(r, i);
    Ops::V before[Model::kStates], g[Model::kStates], slopes[Model::kParams];
    for (size_t k = 0; k < Model::kStates; ++k) before[k] = Ops::load(r.before[k], i), g[k] = Ops::load(r.g[k], i);
    const auto gx = cell.gradient(*r.model, before, Ops::load(r.x, i), Ops::load(r.d, i), Ops::load(r.d_before, i), Ops::load(r.grad_s, i), g,
                                  slopes);
    if (r.grad_x) Ops::store(gx, r.grad_x, i);
    for (size_t k = 0; k < Model::kStates; ++k) Ops::store(g[k], r.g[k], i);
    if (r.slopes[0])
      for (size_t k = 0; k < Model::kParams; ++k) Ops::store(Ops::add(Ops::load(r.slopes[k], i), slopes[k]), r.slopes[k], i);
  }
}
