// The equations of two_point.h, written once. Included as lif-inl.h is, after it: once for plain numbers (two_point_scalar.h) and once for
// each SIMD target (two_point.cpp). Besides the operations named there O gives
//   exp(z)    for z <= 87         expm1(z)    exp(z) - 1 for z <= 0
// and in every function below NaN stays NaN: hence compare and select, not min and max, which differ between levels there.

// z >= -87, where exp_parts begins to hold.
template <class P>
APICAL_FN typename P::V exp_range(typename P::V z) {
  const typename P::V least = P::set(-87.0f);
  return P::select(P::gt(least, z), least, z);
}
template <class P>
APICAL_FN typename P::V exp_float(typename P::V z) {
  const ExpParts<P> e = exp_parts<P>(exp_range<P>(z));
  return P::mul(P::add(e.rest, P::set(1.0f)), e.power);
}
// No cancellation: power is 1, or 1/2 and less.
template <class P>
APICAL_FN typename P::V expm1_float(typename P::V z) {
  const ExpParts<P> e = exp_parts<P>(exp_range<P>(z));
  return P::add(P::mul(e.rest, e.power), P::sub(e.power, P::set(1.0f)));
}

// tanh z = (1 - e) / (1 + e) with e = exp(-2 |z|), by e - 1: precise near 0 too.
template <class O>
APICAL_FN typename O::V tanh_of(typename O::V z) {
  const typename O::V a = O::expm1(O::mul(O::set(-2.0), O::abs(z)));
  return O::div(O::select(O::ge(z, O::set(0)), O::sub(O::set(0), a), a), O::add(O::set(2), a));
}
// Its slope, from its value.
template <class O>
APICAL_FN typename O::V tanh_slope(typename O::V y) {
  return O::mul(O::sub(O::set(1), y), O::add(O::set(1), y));
}

// T(R, C) and its slopes; who wants T alone leaves the rest to the compiler.
template <class O>
struct Transfer {
  typename O::V t, by_r, by_c;
};

template <class O, Mtf K>
APICAL_FN Transfer<O> transfer(typename O::V r, typename O::V c) {
  using V = typename O::V;
  const V one = O::set(1), two = O::set(2), zero = O::set(0);
  if constexpr (K == Mtf::tm1 || K == Mtf::tm4) {  // p = R C, no more than 8, where it stops to pass gradients
    const V p = O::mul(r, c), most = O::set(8), half = O::mul(O::set(0.5), r);
    const typename O::M over = O::gt(p, most);
    const V held = O::select(over, most, p);
    if constexpr (K == Mtf::tm1) {
      const V e = O::exp(held), slope = O::select(over, zero, O::mul(half, e)), grown = O::add(one, e);
      return {O::mul(half, grown), O::add(O::mul(O::set(0.5), grown), O::mul(slope, c)), O::mul(slope, r)};
    } else {
      const V ln2 = O::set(0.693147180559945309), e = O::exp(O::mul(ln2, held));
      const V t = O::mul(r, e), slope = O::select(over, zero, O::mul(ln2, t));
      return {t, O::add(e, O::mul(slope, c)), O::mul(slope, r)};
    }
  } else if constexpr (K == Mtf::tm2) {
    return {O::add(r, O::mul(r, c)), O::add(one, c), r};
  } else if constexpr (K == Mtf::tm3) {
    const V p = O::mul(r, c), y = tanh_of<O>(p), slope = tanh_slope<O>(y), grown = O::add(one, y);
    return {O::mul(r, grown), O::add(grown, O::mul(p, slope)), O::mul(O::mul(r, r), slope)};
  } else if constexpr (K == Mtf::coop) {
    const V wide = O::add(one, O::abs(r)), beyond = O::add(r, two);
    const V signed_c = O::select(O::gt(r, zero), c, O::select(O::gt(zero, r), O::sub(zero, c), zero));
    return {O::add(O::mul(r, beyond), O::mul(c, wide)), O::add(O::add(r, beyond), signed_c), wide};
  } else if constexpr (K == Mtf::add) {
    return {O::add(r, c), one, one};
  } else {  // q, eq: the sigmoids of |C| and of -|C|
    const V e = O::exp(O::sub(zero, O::abs(c))), q = O::div(one, O::add(one, e)), eq = O::mul(e, q);
    const V s2 = O::mul(two, O::select(O::ge(c, zero), q, eq));
    return {O::mul(r, s2), s2, O::mul(O::mul(two, r), O::mul(q, eq))};
  }
}

// What is sent on of T.
template <class O, TwoPointOutput Y>
APICAL_FN typename O::V sent(typename O::V t) {
  const typename O::V zero = O::set(0);
  if constexpr (Y == TwoPointOutput::half_gaussian)
    return O::select(O::ge(zero, t), zero, O::sub(zero, O::expm1(O::mul(O::set(-0.5), O::mul(t, t)))));
  const typename O::V h = O::select(O::ge(zero, t), zero, t);
  if constexpr (Y == TwoPointOutput::relu) return h;
  return O::select(O::gt(t, O::set(6)), O::set(6), h);
}
// dL/dT from dL/dh.
template <class O, TwoPointOutput Y>
APICAL_FN typename O::V sent_back(typename O::V t, typename O::V grad_h) {
  const typename O::V zero = O::set(0);
  typename O::M open = O::gt(t, zero);
  if constexpr (Y == TwoPointOutput::relu6) open = O::both(open, O::gt(O::set(6), t));
  if constexpr (Y == TwoPointOutput::half_gaussian)
    return O::select(open, O::mul(grad_h, O::mul(t, O::exp(O::mul(O::set(-0.5), O::mul(t, t))))), zero);
  return O::select(open, grad_h, zero);
}

template <class O>
struct TwoPointGradient {
  typename O::V r, context;
};

template <class O, Mtf K, TwoPointOutput Y>
struct TwoPointCell {
  using V = typename O::V;
  V c_max, inverse;  // and 1 / c_max

  APICAL_FN V squashed(V context) const { return tanh_of<O>(O::mul(context, inverse)); }

  // h; without a context C = 0.
  APICAL_FN V forward(V r) const { return sent<O, Y>(transfer<O, K>(r, O::set(0)).t); }
  APICAL_FN V forward(V r, V context) const { return sent<O, Y>(transfer<O, K>(r, O::mul(c_max, squashed(context))).t); }

  APICAL_FN TwoPointGradient<O> backward(V r, V grad_h) const {
    const Transfer<O> f = transfer<O, K>(r, O::set(0));
    const V g = sent_back<O, Y>(f.t, grad_h);
    return {O::mul(g, f.by_r), O::mul(g, f.by_c)};
  }
  APICAL_FN TwoPointGradient<O> backward(V r, V context, V grad_h) const {
    const V y = squashed(context);
    const Transfer<O> f = transfer<O, K>(r, O::mul(c_max, y));
    const V g = sent_back<O, Y>(f.t, grad_h);
    return {O::mul(g, f.by_r), O::mul(O::mul(g, f.by_c), tanh_slope<O>(y))};
  }
};
