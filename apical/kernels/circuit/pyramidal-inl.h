// The equations of pyramidal.h, written once, on the operations of lif-inl.h in float64, with load, store and zero of doubles-inl.h.
// Included as iaf-inl.h is, after exp-inl.h and rows-inl.h.

// A part of a step: what comes from outside at its beginning, in its middle and at its end.
template <class O>
struct PyramidalPart {
  using V = typename O::V;
  const PyramidalNs2018& c;
  V soma[3], dendrite[3];

  APICAL_FN void slope(const V* y, int stage, V* f) const {
    const V above = O::sub(y[1], O::set(c.E_L));
    const V shut = exp_of<O>(O::mul(O::set(c.per_D), O::sub(O::set(c.E_d), y[1])));
    const V open = O::div(O::set(1), O::add(O::set(1), shut));
    const V to_soma = O::add(soma[stage], O::mul(O::set(c.g_s), open));
    const V to_dendrite = O::add(O::add(dendrite[stage], y[2]), O::mul(O::set(c.g_d), open));
    f[0] = O::sub(O::mul(O::set(c.per_C), to_soma), O::mul(O::set(c.per_tau_m), O::sub(y[0], O::set(c.E_L))));
    f[1] = O::sub(O::mul(O::set(c.per_C_d), to_dendrite), O::mul(O::set(c.per_tau_d), above));
    f[2] = O::mul(O::set(c.per_tau_w), O::sub(O::mul(O::set(c.a_d), above), y[2]));
  }
};

template <class O>
struct PyramidalCell {
  using V = typename O::V;
  using M = typename O::M;
  PyramidalNs2018 c;

  template <class Row>
  APICAL_FN M step(const NeuronArrays<Row>& a, size_t i, V& strange) const {
    V y[3], x[5];  // V, V_d, w_d; w_s and the currents of the ports
    for (int k = 0; k < 3; ++k) y[k] = O::load(a.state[k] + i);
    for (int k = 0; k < 5; ++k) x[k] = O::load(a.state[3 + k] + i);
    V left = O::load(a.state[8] + i);
    V soma = O::set(c.I_e), dendrite = O::set(c.I_d);
    if (a.current) soma = O::add(O::load(a.current + i), soma);
    if (a.apical) dendrite = O::add(O::load(a.apical + i), dendrite);
    const M runs_back = O::both(O::gt(left, O::set(0)), O::ge(O::set(c.bap_steps), left));
    dendrite = O::add(dendrite, O::select(runs_back, O::set(c.c_d), O::set(0)));
    for (int p = 0; p < c.parts; ++p) {
      PyramidalPart<O> part{c, {}, {}};
      for (int stage = 0; stage < 3; ++stage) {
        V now[5];
        for (int k = 0; k < 5; ++k) now[k] = stage == 0 ? x[k] : O::mul(O::set(stage == 1 ? c.half[k] : c.whole[k]), x[k]);
        part.soma[stage] = O::add(O::add(soma, now[0]), O::add(now[1], now[2]));
        part.dendrite[stage] = O::add(dendrite, O::add(now[3], now[4]));
      }
      runge_kutta<O, 3>(part, c.part, y);
      for (int k = 0; k < 5; ++k) x[k] = O::mul(O::set(c.whole[k]), x[k]);
    }
    for (int k = 0; k < 4; ++k) {
      x[1 + k] = O::add(x[1 + k], O::load(a.in[k] + i));
      O::zero(a.in[k] + i);
    }
    const M awake = O::awake(a.wakes + i, a.step);
    y[0] = O::select(awake, y[0], O::set(c.v_reset));
    strange = O::watch(y[0], O::watch(y[1], strange));
    const M fired = O::both(awake, O::ge(y[0], O::set(c.theta)));
    y[0] = O::select(fired, O::set(c.v_reset), y[0]);
    x[0] = O::select(fired, O::add(x[0], O::set(c.b_s)), x[0]);
    left = O::select(fired, O::set(c.bap_ends), O::max(O::sub(left, O::set(1)), O::set(0)));
    for (int k = 0; k < 3; ++k) O::store(y[k], a.state[k] + i);
    for (int k = 0; k < 5; ++k) O::store(x[k], a.state[3 + k] + i);
    O::store(left, a.state[8] + i);
    return fired;
  }
};
