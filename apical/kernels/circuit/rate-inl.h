// The equation of rate.h, written once, on the operations of lif-inl.h in float64, with load, store and zero of doubles-inl.h. Included as
// iaf-inl.h is, after exp-inl.h; the cell is for each_vector() of rows-inl.h. State 1 holds the noise already.
template <class O>
struct RateCell {
  using V = typename O::V;
  using M = typename O::M;
  RateIpn c;

  APICAL_FN V phi(V h) const {
    if (!c.tanh) return O::mul(O::set(c.g), h);
    const V e = exp_of<O>(O::mul(O::set(2 * c.g), O::sub(h, O::set(c.theta))));
    return O::sub(O::set(1), O::div(O::set(2), O::add(e, O::set(1))));
  }
  template <class Row>
  APICAL_FN M step(const NeuronArrays<Row>& a, size_t i, V& strange) const {
    const V h = a.current ? O::load(a.current + i) : O::set(0);
    V x = O::add(O::mul(O::set(c.P1), O::load(a.state[0] + i)), O::mul(O::set(c.P2), O::add(O::set(c.mu), phi(h))));
    x = O::add(x, O::mul(O::set(c.noise), O::load(a.state[1] + i)));
    if (c.rectify) x = O::select(O::gt(O::set(c.rectify_rate), x), O::set(c.rectify_rate), x);
    strange = O::watch(x, strange);
    O::store(x, a.state[0] + i), O::zero(a.in[0] + i);
    return O::gt(O::set(0), O::set(0));
  }
};
