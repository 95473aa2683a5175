// The equations of iaf.h, written once, on the operations of lif-inl.h in float64. Needs exp-inl.h and rows-inl.h. No include guard and no
// namespace of its own: included once for plain numbers and once for each SIMD target, as lif-inl.h is. The order of operations is NEST's,
// and the contract.
//   drive(current)          what the currents of devices and I_e add to V: the same at every step where there are no devices
//   membrane(s, drive, in)  V after the step, if awake     synapses(s, drive, in, awake)   moves the other states
//   after(s, fired)         what else a spike does
// kPorts: ports in use; of IafPscDelta 2 means refractory_input.

// What all have in common.
template <class O>
struct IafFiring {
  typename O::V I_e, theta, v_reset;
  template <class Model>
  APICAL_FN explicit IafFiring(const Model& m) : I_e(O::set(m.I_e)), theta(O::set(m.theta)), v_reset(O::set(m.v_reset)) {}
  APICAL_FN void after(typename O::V*, typename O::M) const {}
};

template <class Model, class O, int kPorts>
struct IafCell;

template <class O, int kPorts>
struct IafCell<IafPscDelta, O, kPorts> : IafFiring<O> {
  using V = typename O::V;
  using Firing = IafFiring<O>;
  static constexpr int kStates = kPorts, kInputs = 1;
  V P33, P30, v_min;

  APICAL_FN explicit IafCell(const IafPscDelta& m) : Firing(m), P33(O::set(m.P33)), P30(O::set(m.P30)), v_min(O::set(m.v_min)) {}

  APICAL_FN V drive(V current) const { return O::mul(P30, O::add(current, this->I_e)); }
  APICAL_FN V membrane(const V* s, V drive, const V* in) const {
    V v = O::add(O::add(drive, O::mul(P33, s[0])), in[0]);
    if constexpr (kPorts == 2) v = O::add(v, s[1]);
    return O::select(O::gt(v_min, v), v_min, v);
  }
  APICAL_FN void synapses(V* s, V, const V* in, typename O::M awake) const {
    if constexpr (kPorts == 2) s[1] = O::select(awake, O::set(0), O::mul(P33, O::add(s[1], in[0])));
  }
};

template <class O, int kPorts>
struct IafCell<IafPscExp, O, kPorts> : IafFiring<O> {
  using V = typename O::V;
  using Firing = IafFiring<O>;
  static constexpr int kStates = 1 + kPorts, kInputs = kPorts;
  V P22, P20, P11[kPorts], P21[kPorts];

  APICAL_FN explicit IafCell(const IafPscExp& m) : Firing(m), P22(O::set(m.P22)), P20(O::set(m.P20)) {
    for (int k = 0; k < kPorts; ++k) P11[k] = O::set(m.P11[k]), P21[k] = O::set(m.P21[k]);
  }

  APICAL_FN V drive(V current) const { return O::mul(O::add(this->I_e, current), P20); }
  APICAL_FN V membrane(const V* s, V drive, const V*) const {
    V v = O::mul(s[0], P22);
    for (int k = 0; k < kPorts; ++k) v = O::add(v, O::mul(s[1 + k], P21[k]));
    return O::add(v, drive);
  }
  APICAL_FN void synapses(V* s, V, const V* in, typename O::M) const {
    for (int k = 0; k < kPorts; ++k) s[1 + k] = O::add(O::mul(s[1 + k], P11[k]), in[k]);
  }
};

template <class O, int kPorts>
struct IafCell<IfCurrExp, O, kPorts> : IafCell<IafPscExp, O, kPorts> {
  using V = typename O::V;
  using Base = IafCell<IafPscExp, O, kPorts>;
  V now[kPorts];

  APICAL_FN explicit IafCell(const IfCurrExp& m) : Base(m) {
    for (int k = 0; k < kPorts; ++k) now[k] = O::set(m.P21_now[k]);
  }
  APICAL_FN V membrane(const V* s, V drive, const V* in) const {
    V v = Base::membrane(s, drive, in);
    for (int k = 0; k < kPorts; ++k) v = O::add(v, O::mul(in[k], now[k]));
    return v;
  }
};

template <class O, int kPorts>
struct IafCell<IafPscAlpha, O, kPorts> : IafFiring<O> {
  using V = typename O::V;
  using Firing = IafFiring<O>;
  static constexpr int kStates = 1 + 2 * kPorts, kInputs = kPorts;
  V P33m, P30, v_min, P11[kPorts], P21[kPorts], P31[kPorts], P32[kPorts], psc[kPorts];

  APICAL_FN explicit IafCell(const IafPscAlpha& m) : Firing(m), P33m(O::set(m.P33m)), P30(O::set(m.P30)), v_min(O::set(m.v_min)) {
    for (int k = 0; k < kPorts; ++k) {
      P11[k] = O::set(m.P11[k]), P21[k] = O::set(m.P21[k]), P31[k] = O::set(m.P31[k]), P32[k] = O::set(m.P32[k]);
      psc[k] = O::set(m.psc[k]);
    }
  }

  APICAL_FN V drive(V current) const { return O::mul(P30, O::add(current, this->I_e)); }
  APICAL_FN V membrane(const V* s, V drive, const V*) const {
    V v = drive;
    for (int k = 0; k < kPorts; ++k) v = O::add(O::add(v, O::mul(P31[k], s[1 + 2 * k])), O::mul(P32[k], s[2 + 2 * k]));
    v = O::add(O::add(v, O::mul(P33m, s[0])), s[0]);
    return O::select(O::gt(v_min, v), v_min, v);
  }
  APICAL_FN void synapses(V* s, V, const V* in, typename O::M) const {
    for (int k = 0; k < kPorts; ++k) {
      V &dI = s[1 + 2 * k], &I = s[2 + 2 * k];
      I = O::add(O::mul(P21[k], dI), O::mul(P11[k], I));
      dI = O::add(O::mul(P11[k], dI), O::mul(psc[k], in[k]));
    }
  }
};

// Conductances: of kPorts kinds of synapses, 1 exponential, 2 alpha; always two ports, for each has its own reversal potential.
template <class O, int kKind>
struct IafCell<IafCond, O, kKind> : IafFiring<O> {
  using V = typename O::V;
  static constexpr int kStates = 1 + 2 * kKind, kInputs = 2;
  // Of each port, as in IafCond; in vectors, so that they need not be spread at each use.
  V leak, per_C, G0[2], G1[2], D0[2], D1[2], P11[2], P21[2], psc[2], E[2];

  APICAL_FN explicit IafCell(const IafCond& m) : IafFiring<O>(m), leak(O::set(m.leak)), per_C(O::set(m.per_C)) {
    for (int k = 0; k < 2; ++k) {
      G0[k] = O::set(m.G0[k]), G1[k] = O::set(m.G1[k]), D0[k] = O::set(m.D0[k]), D1[k] = O::set(m.D1[k]);
      P11[k] = O::set(m.P11[k]), P21[k] = O::set(m.P21[k]), psc[k] = O::set(m.psc[k]), E[k] = O::set(m.E[k]);
    }
  }

  APICAL_FN V drive(V current) const { return O::mul(per_C, O::add(this->I_e, current)); }
  // B and A: int b and int a of V' = a - b V over the step; b1, a1: their first moments.
  APICAL_FN V membrane(const V* s, V A, const V*) const {
    V B = leak, b1 = O::set(0), a1 = b1;
    for (int k = 0; k < 2; ++k) {
      const V g = s[(k + 1) * kKind];
      V whole = O::mul(g, G0[k]), slope = O::mul(g, G1[k]);
      if constexpr (kKind == 2) {
        const V dg = s[1 + 2 * k];
        whole = O::add(whole, O::mul(dg, D0[k])), slope = O::add(slope, O::mul(dg, D1[k]));
      }
      B = O::add(B, whole), A = O::add(A, O::mul(whole, E[k]));
      b1 = O::add(b1, slope), a1 = O::add(a1, O::mul(slope, E[k]));
    }
    const V end = O::div(O::add(A, O::sub(O::mul(B, a1), O::mul(A, b1))), B);
    return O::add(s[0], O::mul(one_minus_exp<O>(O::sub(O::set(0), B)), O::sub(end, s[0])));
  }
  APICAL_FN void synapses(V* s, V, const V* in, typename O::M) const {
    for (int k = 0; k < 2; ++k) {
      V &g = s[(k + 1) * kKind], &jumps = s[1 + kKind * k];  // the same, but for alpha
      if constexpr (kKind == 2) g = O::add(O::mul(P21[k], jumps), O::mul(P11[k], g));
      jumps = O::add(O::mul(P11[k], jumps), O::mul(psc[k], in[k]));
    }
  }
};

// kForm 1: Euler's steps; 2: those of Izhikevich's program, two halves for V, then one for U with the new V.
template <class O, int kForm>
struct IafCell<Izhikevich, O, kForm> : IafFiring<O> {
  using V = typename O::V;
  static constexpr int kStates = 2, kInputs = 1;
  Izhikevich m;

  APICAL_FN explicit IafCell(const Izhikevich& model) : IafFiring<O>(model), m(model) {}

  APICAL_FN V drive(V current) const { return current; }
  APICAL_FN V slope(V v, V u, V current) const {
    const V square = O::mul(O::mul(O::set(0.04), v), v), line = O::add(O::add(square, O::mul(O::set(5), v)), O::set(140));
    return O::add(O::add(O::sub(line, u), current), this->I_e);
  }
  APICAL_FN V moved(const V* s, V current, V in) const {
    if constexpr (kForm == 1) return O::add(s[0], O::add(O::mul(O::set(m.dt), slope(s[0], s[1], current)), in));
    const V half = O::mul(O::set(m.dt), O::set(0.5)), v = O::add(s[0], O::mul(half, O::add(slope(s[0], s[1], current), in)));
    return O::add(v, O::mul(half, O::add(slope(v, s[1], current), in)));
  }
  APICAL_FN V membrane(const V* s, V current, const V* in) const {
    const V v = moved(s, current, in[0]), least = O::set(m.v_min);
    return O::select(O::gt(least, v), least, v);
  }
  APICAL_FN void synapses(V* s, V current, const V* in, typename O::M) const {
    const V v = kForm == 1 ? s[0] : moved(s, current, in[0]);
    s[1] = O::add(s[1], O::mul(O::mul(O::set(m.dt), O::set(m.a)), O::sub(O::mul(O::set(m.b), v), s[1])));
  }
  APICAL_FN void after(V* s, typename O::M fired) const { s[1] = O::select(fired, O::add(s[1], O::set(m.d)), s[1]); }
};

template <class O, int kForm>
struct IafCell<Parrot, O, kForm> : IafFiring<O> {
  using V = typename O::V;
  static constexpr int kStates = 1, kInputs = 1;
  APICAL_FN explicit IafCell(const Parrot& m) : IafFiring<O>(m) {}
  APICAL_FN V drive(V) const { return O::set(0); }
  APICAL_FN V membrane(const V*, V, const V* in) const { return O::abs(in[0]); }
  APICAL_FN void synapses(V*, V, const V*, typename O::M) const {}
};

// A step of one vector of neurons. `strange` becomes NaN for ever when a membrane is no finite number, else it stays 0.
template <class O, class Cell>
APICAL_FN typename O::M iaf_fire(const Cell& cell, typename O::V* s, typename O::M awake, typename O::V drive, const typename O::V* in,
                                 typename O::V& strange) {
  using V = typename O::V;
  const V v = O::select(awake, cell.membrane(s, drive, in), s[0]);
  cell.synapses(s, drive, in, awake);
  strange = O::watch(v, strange);
  const auto fired = O::ge(v, cell.theta);
  s[0] = O::select(fired, cell.v_reset, v);
  cell.after(s, fired);
  return fired;
}

// For each_vector of rows-inl.h.
template <class O, class Cell>
struct IafStep {
  using V = typename O::V;
  Cell cell;
  V rest;  // the drive without devices

  template <class Model>
  APICAL_FN explicit IafStep(const Model& m) : cell(m), rest(cell.drive(O::set(0))) {}

  template <class Row>
  APICAL_FN typename O::M step(const NeuronArrays<Row>& a, size_t i, V& strange) const {
    V s[Cell::kStates], in[Cell::kInputs];
    for (int j = 0; j < Cell::kStates; ++j) s[j] = O::load(a.state[j] + i);
    for (int j = 0; j < Cell::kInputs; ++j) {
      in[j] = O::load(a.in[j] + i);
      O::zero(a.in[j] + i);
    }
    const V drive = a.current ? cell.drive(O::load(a.current + i)) : rest;
    const auto fired = iaf_fire<O>(cell, s, O::awake(a.wakes + i, a.step), drive, in, strange);
    for (int j = 0; j < Cell::kStates; ++j) O::store(s[j], a.state[j] + i);
    return fired;
  }
};

// Whether a model takes its second form, kPorts == 2 (each cell says what that is).
APICAL_FN bool second_form(const IafPscDelta& m) { return m.refractory_input; }
APICAL_FN bool second_form(const IafCond& m) { return m.alpha; }
APICAL_FN bool second_form(const Izhikevich& m) { return !m.consistent; }
APICAL_FN bool second_form(const Parrot&) { return false; }
template <class Model>
APICAL_FN bool second_form(const Model& m) {
  return m.ports == 2;
}
template <class O, class Model, class Row>
APICAL_FN bool iaf_step(const Model& m, const NeuronArrays<Row>& a) {
  return second_form(m) ? each_vector<O>(IafStep<O, IafCell<Model, O, 2>>(m), a, m.refractory)
                        : each_vector<O>(IafStep<O, IafCell<Model, O, 1>>(m), a, m.refractory);
}
