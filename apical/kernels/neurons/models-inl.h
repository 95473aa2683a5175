// The equations of models.h, written once, on the operations of lif-inl.h and
//   both(m, n)   n and m          round(v)   to the nearest whole number, halves to even, |v| < 2^22
// Included after lif-inl.h, in the same namespaces: once for plain numbers (neuron_scalar.h; a CUDA compiler makes them for the device
// too), once for each SIMD target. APICAL_FN, defined by the includer, stands before each function.
// A model is NeuronCell<Model, O, Form>; Form says reset and reset_at at compile time (ResetForm of lif-inl.h) or at run time (LifAnyForm).
//   NeuronCell(model, p)      p[kParams]: the parameters
//   step(state, x)            state[kStates] in and out
//   gradient(...)             dL/dx; g[kStates] in: dL/d state after the step, out: dL/d state before it; slopes[kParams]: what the
//                             step adds to dL/d parameter. d: the surrogate at u of this step, d_before: at the state before
// The order of operations is the contract: every level gives the same bits.

APICAL_FN void set_form(LifAnyForm& form, const Lif& lif) { form = {lif.reset, lif.compare, lif.reset_at}; }
template <Reset R, ResetAt A>
APICAL_FN void set_form(ResetForm<R, A>& form, const Lif& lif) { form.compare = lif.compare; }

template <class O, class Form>
APICAL_FN LifCell<O, Form> lif_cell(const Lif& lif, typename O::V decay) {
  Form form{};
  set_form(form, lif);
  const typename O::V scale = lif.decay_input ? O::sub(O::set(1), decay) : O::set(lif.input_scale);
  return {form, decay, scale, O::set(lif.v_th), O::set(lif.v_reset)};  // gcc gives an implicit constructor no target: none may be called
}

template <class O>
struct NeuronStep {
  typename O::V h;      // membrane after the charge
  typename O::V u;      // what the surrogate reads
  typename O::M fired;  // at least one spike
  typename O::V count;  // spikes
};

template <class O>
APICAL_FN typename O::V one_or_zero(typename O::M m) { return O::select(m, O::set(1), O::set(0)); }

template <class Model, class O, class Form>
struct NeuronCell;

template <class O, class Form>
struct NeuronCell<Cuba, O, Form> {
  using V = typename O::V;
  using M = typename O::M;
  LifCell<O, Form> lif;
  V alpha;

  APICAL_FN NeuronCell(const Cuba& m, const V* p) : lif(lif_cell<O, Form>(m.lif, p[1])), alpha(p[0]) {}

  // u of the state before: what d_before is the surrogate of.
  APICAL_FN V u_before(const V* state) const { return O::sub(state[1], lif.v_th); }

  APICAL_FN NeuronStep<O> step(V* state, V x) const {
    state[0] = O::add(O::mul(alpha, state[0]), x);
    const V h = lif.charge(state[1], state[0]);
    const M s = lif.fire(h);
    state[1] = lif.state(h, s);
    return {h, O::sub(h, lif.v_th), s, one_or_zero<O>(s)};
  }

  APICAL_FN V gradient(const Cuba& m, const V* before, V x, V d, V d_before, V grad_s, V* g, V* slopes) const {
    const V i = O::add(O::mul(alpha, before[0]), x), h = lif.charge(before[1], i);
    const V gh = lif.grad_charge(grad_s, g[1], h, d, m.lif.detach_reset);
    const V gi = O::add(g[0], O::mul(lif.input_scale, gh));
    V slope = lif.decay_slope(before[1]);
    if (m.lif.decay_input) slope = O::sub(slope, i);
    slopes[0] = O::mul(gi, before[0]);
    slopes[1] = O::mul(gh, slope);
    g[0] = O::mul(alpha, gi);
    g[1] = lif.grad_state(gh, before[1], d_before, m.lif.detach_reset);
    return gi;
  }
};

template <class O, class Form>
struct NeuronCell<Alif, O, Form> {
  using V = typename O::V;
  using M = typename O::M;
  Form form;
  V decay, input_scale, v_th, v_reset, rho, beta, reset_by;

  APICAL_FN NeuronCell(const Alif& m, const V* p) {
    const LifCell<O, Form> lif = lif_cell<O, Form>(m.lif, p[0]);
    form = lif.form;
    decay = lif.decay, input_scale = lif.input_scale, v_th = lif.v_th, v_reset = lif.v_reset;
    rho = p[1], beta = O::set(m.beta), reset_by = O::set(m.reset_by);
  }

  APICAL_FN V u_before(const V* state) const { return state[0]; }  // never read: the reset is in the same step

  APICAL_FN V charge(V v, V x) const { return O::add(O::mul(decay, v), O::mul(input_scale, x)); }
  APICAL_FN V threshold(V a) const { return O::add(v_th, O::mul(beta, a)); }
  APICAL_FN M fire(V h, V a) const { return form.compare == Compare::ge ? O::ge(h, threshold(a)) : O::gt(h, threshold(a)); }

  APICAL_FN NeuronStep<O> step(V* state, V x) const {
    const V h = charge(state[0], x), a = state[1];
    const M s = fire(h, a);
    const V count = one_or_zero<O>(s);
    state[0] = h;
    if (form.reset == Reset::hard) state[0] = O::select(s, v_reset, h);
    if (form.reset == Reset::soft) state[0] = O::select(s, O::sub(h, reset_by), h);
    state[1] = O::add(O::mul(rho, a), count);
    return {h, O::sub(h, threshold(a)), s, count};
  }

  APICAL_FN V gradient(const Alif& m, const V* before, V x, V d, V, V grad_s, V* g, V* slopes) const {
    const V a = before[1], h = charge(before[0], x);
    V gs = O::add(grad_s, g[1]), kept = g[0];  // the spike feeds what is above and the adaptation
    if (form.reset == Reset::hard) {
      if (!m.lif.detach_reset) gs = O::add(gs, O::mul(g[0], O::sub(v_reset, h)));
      kept = O::select(fire(h, a), O::set(0), g[0]);
    }
    if (form.reset == Reset::soft && !m.lif.detach_reset) gs = O::sub(gs, O::mul(g[0], reset_by));
    const V gu = O::mul(gs, d), gh = O::add(gu, kept);
    slopes[0] = O::mul(gh, m.lif.decay_input ? O::sub(before[0], x) : before[0]);
    slopes[1] = O::mul(g[1], a);
    g[0] = O::mul(decay, gh);
    g[1] = O::sub(O::mul(rho, g[1]), O::mul(beta, gu));
    return O::mul(input_scale, gh);
  }
};

template <class O, class Form>
struct NeuronCell<RefractoryLif, O, Form> {
  using V = typename O::V;
  using M = typename O::M;
  LifCell<O, Form> lif;
  V steps;

  APICAL_FN NeuronCell(const RefractoryLif& m, const V* p) : lif(lif_cell<O, Form>(m.lif, p[0])), steps(O::set(static_cast<float>(m.steps))) {}

  APICAL_FN V u_before(const V* state) const { return O::sub(state[0], lif.v_th); }

  APICAL_FN NeuronStep<O> step(V* state, V x) const {
    const M awake = O::ge(O::set(0), state[1]);
    const V h = O::select(awake, lif.charge(state[0], x), state[0]);
    const M s = O::both(awake, lif.fire(h));
    state[0] = lif.state(h, s);
    state[1] = O::select(s, steps, O::max(O::sub(state[1], O::set(1)), O::set(0)));
    return {h, O::sub(h, lif.v_th), s, one_or_zero<O>(s)};
  }

  APICAL_FN V gradient(const RefractoryLif& m, const V* before, V x, V d, V d_before, V grad_s, V* g, V* slopes) const {
    const M awake = O::ge(O::set(0), before[1]);
    const V h = lif.charge(before[0], x);
    const V gh = O::select(awake, lif.grad_charge(grad_s, g[0], h, d, m.lif.detach_reset), O::set(0));
    V slope = lif.decay_slope(before[0]);
    if (m.lif.decay_input) slope = O::sub(slope, x);
    slopes[0] = O::mul(gh, slope);
    g[0] = O::select(awake, lif.grad_state(gh, before[0], d_before, m.lif.detach_reset), g[0]);
    g[1] = O::set(0);  // a count of steps: nothing flows through it
    return O::mul(lif.input_scale, gh);
  }
};

template <class O, class Form>
struct NeuronCell<MultiLif, O, Form> {
  using V = typename O::V;
  using M = typename O::M;
  V decay, input_scale, levels;

  APICAL_FN NeuronCell(const MultiLif& m, const V* p)
      : decay(p[0]), input_scale(O::set(m.input_scale)), levels(O::set(static_cast<float>(m.levels))) {}

  APICAL_FN V u_before(const V* state) const { return state[0]; }  // never read

  APICAL_FN V charge(V v, V x) const { return O::add(O::mul(decay, v), O::mul(input_scale, x)); }

  APICAL_FN NeuronStep<O> step(V* state, V x) const {
    const V h = charge(state[0], x);
    const V low = O::select(O::gt(h, O::set(0)), h, O::set(0));  // not max: NaN shall give 0
    const V count = O::round(O::select(O::gt(low, levels), levels, low));
    state[0] = O::sub(h, count);
    return {h, h, O::gt(count, O::set(0)), count};
  }

  APICAL_FN V gradient(const MultiLif& m, const V* before, V x, V, V, V grad_s, V* g, V* slopes) const {
    const V h = charge(before[0], x);
    const V gs = m.detach_reset ? grad_s : O::sub(grad_s, g[0]);
    const V gh = O::add(O::select(O::both(O::ge(h, O::set(0)), O::ge(levels, h)), gs, O::set(0)), g[0]);
    slopes[0] = O::mul(gh, before[0]);
    g[0] = O::mul(decay, gh);
    return O::mul(input_scale, gh);
  }
};
