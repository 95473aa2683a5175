// The equations of astrocyte.h but for SIC, written once, on the operations of lif-inl.h in float64, with load, store and zero of
// doubles-inl.h. Included as iaf-inl.h is, after rows-inl.h.
template <class O>
APICAL_FN typename O::V cube(typename O::V x) {
  return O::mul(x, O::mul(x, x));
}

template <class O>
struct AstrocyteStep {
  using V = typename O::V;
  const AstrocyteLr1994& c;
  V noise;

  APICAL_FN void slope(const V* y, int, V* f) const {
    const V IP3 = y[1], h = y[2], one = O::set(1), most = O::set(c.Ca_tot);
    V Ca = O::max(y[0], O::set(0));
    Ca = O::select(O::gt(Ca, most), most, Ca);
    const V out = O::sub(O::div(O::sub(most, Ca), O::set(c.ratio)), Ca);  // Ca_ER - Ca
    const V IP3_1 = O::add(IP3, O::set(c.Kd_IP3_1)), Ca2 = O::mul(Ca, Ca);
    const V open = O::mul(O::mul(O::div(IP3, IP3_1), O::div(Ca, O::add(Ca, O::set(c.Kd_act)))), h);
    const V release = O::mul(O::add(O::mul(O::set(c.ratio * c.rate_IP3R), cube<O>(open)), O::set(c.ratio * c.rate_L)), out);
    const V pump = O::mul(O::set(c.rate_SERCA), O::div(Ca2, O::add(O::set(c.Km_SERCA * c.Km_SERCA), Ca2)));
    const V alpha = O::mul(O::set(c.k_IP3R * c.Kd_inh), O::div(IP3_1, O::add(IP3, O::set(c.Kd_IP3_2))));
    f[0] = O::add(O::sub(release, pump), noise);
    f[1] = O::mul(O::sub(O::set(c.IP3_0), IP3), O::set(c.per_tau_IP3));
    f[2] = O::sub(O::mul(alpha, O::sub(one, h)), O::mul(O::mul(O::set(c.k_IP3R), Ca), h));
  }
};

template <class O>
struct AstrocyteCell {
  using V = typename O::V;
  using M = typename O::M;
  AstrocyteLr1994 c;

  template <class Row>
  APICAL_FN M step(const NeuronArrays<Row>& a, size_t i, V& strange) const {
    V y[3];
    for (int k = 0; k < 3; ++k) y[k] = O::load(a.state[k] + i);
    const AstrocyteStep<O> slope{c, a.current ? O::load(a.current + i) : O::set(0)};
    runge_kutta<O, 3>(slope, c.dt, y);
    y[1] = O::max(O::add(y[1], O::mul(O::set(c.delta_IP3), O::load(a.in[0] + i))), O::set(0));
    O::zero(a.in[0] + i);
    strange = O::watch(y[0], strange);
    for (int k = 0; k < 3; ++k) O::store(y[k], a.state[k] + i);
    return O::gt(O::set(0), O::set(0));
  }
};
