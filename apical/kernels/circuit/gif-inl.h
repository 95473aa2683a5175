// The equations of gif.h, written once, on the operations of lif-inl.h in float64, with load, store and zero of doubles-inl.h. Included as
// iaf-inl.h is, after exp-inl.h; the cell is for each_vector() of rows-inl.h.

// What elements add up to; they decay. `state`: of the first one.
template <class O>
APICAL_FN typename O::V gif_sum(typename O::V sum, double* const* state, const double* decay, int count, size_t i) {
  for (int k = 0; k < count; ++k) {
    const typename O::V x = O::load(state[k] + i);
    sum = O::add(sum, x);
    O::store(O::mul(O::set(decay[k]), x), state[k] + i);
  }
  return sum;
}
template <class O>
APICAL_FN void gif_grow(typename O::M fired, double* const* state, const double* q, int count, size_t i) {
  for (int k = 0; k < count; ++k) {
    const typename O::V x = O::load(state[k] + i);
    O::store(O::select(fired, O::add(x, O::set(q[k])), x), state[k] + i);
  }
}

template <class O>
struct GifCell {
  using V = typename O::V;
  using M = typename O::M;
  GifPscExp c;

  template <class Row>
  APICAL_FN M step(const NeuronArrays<Row>& a, size_t i, V& strange) const {
    double *const *stc = a.state + 5, *const *sfa = stc + c.stc;
    const V I_stc = gif_sum<O>(O::set(0), stc, c.P_stc, c.stc, i), E_sfa = gif_sum<O>(O::set(c.threshold), sfa, c.P_sfa, c.sfa, i);
    V I[2];
    for (int k = 0; k < 2; ++k) {
      I[k] = O::add(O::mul(O::load(a.state[1 + k] + i), O::set(c.P11[k])), O::load(a.in[k] + i));
      O::zero(a.in[k] + i);
      O::store(I[k], a.state[1 + k] + i);
    }
    V current = O::set(c.I_e);
    if (a.current) current = O::add(O::load(a.current + i), current);
    V v = O::add(O::mul(O::set(c.P30), O::sub(current, I_stc)), O::mul(O::set(c.P33), O::load(a.state[0] + i)));
    v = O::add(O::add(v, O::mul(I[0], O::set(c.P21[0]))), O::mul(I[1], O::set(c.P21[1])));
    const M awake = O::awake(a.wakes + i, a.step);
    v = O::select(awake, v, O::set(c.v_reset));
    strange = O::watch(v, strange);
    const V lambda = O::mul(O::set(c.lambda_h), exp_of<O>(O::mul(O::sub(v, E_sfa), O::set(c.per_Delta_V))));
    const M fired = O::both(awake, O::gt(one_minus_exp<O>(O::sub(O::set(0), lambda)), O::load(a.uniform + i)));
    gif_grow<O>(fired, stc, c.q_stc, c.stc, i), gif_grow<O>(fired, sfa, c.q_sfa, c.sfa, i);
    O::store(v, a.state[0] + i), O::store(E_sfa, a.state[3] + i), O::store(I_stc, a.state[4] + i);
    return fired;
  }
};
