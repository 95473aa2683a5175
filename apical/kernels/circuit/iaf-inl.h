// The equations of iaf.h, written once, on the operations of lif-inl.h in float64. No include guard and no namespace of its own: included
// once for plain numbers and once for each SIMD target, as lif-inl.h is. The order of operations is NEST's, and the contract.
//   drive(current)          what the currents of devices and I_e add to V: the same at every step where there are no devices
//   membrane(s, drive, in)  V after the step, if awake     synapses(s, in, awake)   moves the states of the ports
// kPorts: ports in use; of IafPscDelta 2 means refractory_input.

template <class Model, class O, int kPorts>
struct IafCell;

template <class O, int kPorts>
struct IafCell<IafPscDelta, O, kPorts> {
  using V = typename O::V;
  static constexpr int kStates = kPorts, kInputs = 1;
  V P33, P30, I_e, v_min, theta, v_reset, refractory;

  APICAL_FN explicit IafCell(const IafPscDelta& m)
      : P33(O::set(m.P33)),
        P30(O::set(m.P30)),
        I_e(O::set(m.I_e)),
        v_min(O::set(m.v_min)),
        theta(O::set(m.theta)),
        v_reset(O::set(m.v_reset)),
        refractory(O::set(m.refractory)) {}

  APICAL_FN V drive(V current) const { return O::mul(P30, O::add(current, I_e)); }
  APICAL_FN V membrane(const V* s, V drive, const V* in) const {
    V v = O::add(O::add(drive, O::mul(P33, s[0])), in[0]);
    if constexpr (kPorts == 2) v = O::add(v, s[1]);
    return O::select(O::gt(v_min, v), v_min, v);
  }
  APICAL_FN void synapses(V* s, const V* in, typename O::M awake) const {
    if constexpr (kPorts == 2) s[1] = O::select(awake, O::set(0), O::mul(P33, O::add(s[1], in[0])));
  }
};

template <class O, int kPorts>
struct IafCell<IafPscExp, O, kPorts> {
  using V = typename O::V;
  static constexpr int kStates = 1 + kPorts, kInputs = kPorts;
  V P22, P20, I_e, theta, v_reset, refractory, P11[kPorts], P21[kPorts];

  APICAL_FN explicit IafCell(const IafPscExp& m)
      : P22(O::set(m.P22)),
        P20(O::set(m.P20)),
        I_e(O::set(m.I_e)),
        theta(O::set(m.theta)),
        v_reset(O::set(m.v_reset)),
        refractory(O::set(m.refractory)) {
    for (int k = 0; k < kPorts; ++k) P11[k] = O::set(m.P11[k]), P21[k] = O::set(m.P21[k]);
  }

  APICAL_FN V drive(V current) const { return O::mul(O::add(I_e, current), P20); }
  APICAL_FN V membrane(const V* s, V drive, const V*) const {
    V v = O::mul(s[0], P22);
    for (int k = 0; k < kPorts; ++k) v = O::add(v, O::mul(s[1 + k], P21[k]));
    return O::add(v, drive);
  }
  APICAL_FN void synapses(V* s, const V* in, typename O::M) const {
    for (int k = 0; k < kPorts; ++k) s[1 + k] = O::add(O::mul(s[1 + k], P11[k]), in[k]);
  }
};

template <class O, int kPorts>
struct IafCell<IafPscAlpha, O, kPorts> {
  using V = typename O::V;
  static constexpr int kStates = 1 + 2 * kPorts, kInputs = kPorts;
  V P33m, P30, I_e, v_min, theta, v_reset, refractory, P11[kPorts], P21[kPorts], P31[kPorts], P32[kPorts], psc[kPorts];

  APICAL_FN explicit IafCell(const IafPscAlpha& m)
      : P33m(O::set(m.P33m)),
        P30(O::set(m.P30)),
        I_e(O::set(m.I_e)),
        v_min(O::set(m.v_min)),
        theta(O::set(m.theta)),
        v_reset(O::set(m.v_reset)),
        refractory(O::set(m.refractory)) {
    for (int k = 0; k < kPorts; ++k) {
      P11[k] = O::set(m.P11[k]), P21[k] = O::set(m.P21[k]), P31[k] = O::set(m.P31[k]), P32[k] = O::set(m.P32[k]);
      psc[k] = O::set(m.psc[k]);
    }
  }

  APICAL_FN V drive(V current) const { return O::mul(P30, O::add(current, I_e)); }
  APICAL_FN V membrane(const V* s, V drive, const V*) const {
    V v = drive;
    for (int k = 0; k < kPorts; ++k) v = O::add(O::add(v, O::mul(P31[k], s[1 + 2 * k])), O::mul(P32[k], s[2 + 2 * k]));
    v = O::add(O::add(v, O::mul(P33m, s[0])), s[0]);
    return O::select(O::gt(v_min, v), v_min, v);
  }
  APICAL_FN void synapses(V* s, const V* in, typename O::M) const {
    for (int k = 0; k < kPorts; ++k) {
      V &dI = s[1 + 2 * k], &I = s[2 + 2 * k];
      I = O::add(O::mul(P21[k], dI), O::mul(P11[k], I));
      dI = O::add(O::mul(P11[k], dI), O::mul(psc[k], in[k]));
    }
  }
};

// A step of one vector of neurons. `strange` becomes NaN for ever when a membrane is no finite number, else it stays 0.
template <class O, class Cell>
APICAL_FN typename O::M iaf_fire(const Cell& cell, typename O::V* s, typename O::V& r, typename O::V drive, const typename O::V* in,
                                 typename O::V& strange) {
  using V = typename O::V;
  const auto awake = O::ge(O::set(0), r);
  const V v = O::select(awake, cell.membrane(s, drive, in), s[0]);
  cell.synapses(s, in, awake);
  strange = O::add(strange, O::sub(v, v));
  const auto fired = O::ge(v, cell.theta);
  s[0] = O::select(fired, cell.v_reset, v);
  r = O::select(fired, cell.refractory, O::max(O::sub(r, O::set(1)), O::set(0)));
  return fired;
}
