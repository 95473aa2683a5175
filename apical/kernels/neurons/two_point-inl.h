// The equations of two_point.h, written once. Included as lif-inl.h is, after it: once for plain numbers (two_point_scalar.h) and once for
// each SIMD target (two_point.cpp). Besides the operations named there O gives
//   exp2_parts(w)    2^w = (1 + rest) * power for -126 <= w <= 126         copysign(size, sign)
// NaN stays NaN in every function below: hence select and not min or max, which differ there between levels.

template <class O>
struct Exp2Parts {
  typename O::V rest, power;
};
// In float, within 2 ulp: a polynomial of ours for 2^f - 1 on [-1/2, 1/2] (1e-8), evaluated in pairs. P::power_of_two turns k + 1.5 * 2^23
// into 2^k. exp2_negative_float (lif-inl.h) takes fewer steps, but its rest is not had apart.
template <class P>
APICAL_FN Exp2Parts<P> exp2_parts_float(typename P::V w) {
  using V = typename P::V;
  const V magic = P::set(12582912.0f), shifted = P::add(w, magic), f = P::sub(w, P::sub(shifted, magic)), f2 = P::mul(f, f);
  const V low = P::add(P::set(0.693147182f), P::mul(P::set(0.240226492f), f));
  const V middle = P::add(P::set(5.55035733e-2f), P::mul(P::set(9.61823761e-3f), f));
  const V high = P::add(P::set(1.33907350e-3f), P::mul(P::set(1.54035122e-4f), f));
  return {P::mul(f, P::add(low, P::mul(f2, P::add(middle, P::mul(f2, high))))), P::power_of_two(shifted)};
}

// The same for any w <= 126.
template <class O>
APICAL_FN Exp2Parts<O> exp2_parts_above(typename O::V w) {
  const typename O::V least = O::set(-126);
  return O::exp2_parts(O::select(O::gt(least, w), least, w));
}
template <class O>
APICAL_FN typename O::V exp2_of(typename O::V w) {
  const Exp2Parts<O> e = exp2_parts_above<O>(w);
  return O::mul(O::add(e.rest, O::set(1)), e.power);
}
// 1 - 2^w for w <= 0. No cancellation: power is 1, or 1/2 and less.
template <class O>
APICAL_FN typename O::V one_minus_exp2(typename O::V w) {
  const Exp2Parts<O> e = exp2_parts_above<O>(w);
  return O::sub(O::sub(O::set(1), e.power), O::mul(e.rest, e.power));
}

// exp(z) = 2^(z log2 e); tanh z = (1 - e) / (1 + e) with e = 2^-|2 log2(e) z|.
inline constexpr double kLog2E = 1.44269504088896341, kTanh = 2 * kLog2E;

// tanh(x / unit) from x and -kTanh / unit, by the steps of one_minus_exp2: precise near 0 too.
template <class O>
APICAL_FN typename O::V tanh_of(typename O::V x, typename O::V scale) {
  const Exp2Parts<O> e = exp2_parts_above<O>(O::mul(O::abs(x), scale));
  const typename O::V moved = O::mul(e.rest, e.power), one = O::set(1);
  return O::copysign(O::div(O::sub(O::sub(one, e.power), moved), O::add(O::add(one, e.power), moved)), x);
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
      const V e = exp2_of<O>(O::mul(O::set(kLog2E), held)), slope = O::select(over, zero, O::mul(half, e)), grown = O::add(one, e);
      return {O::mul(half, grown), O::add(O::mul(O::set(0.5), grown), O::mul(slope, c)), O::mul(slope, r)};
    } else {
      const V e = exp2_of<O>(held), t = O::mul(r, e), slope = O::select(over, zero, O::mul(O::set(0.693147180559945309), t));
      return {t, O::add(e, O::mul(slope, c)), O::mul(slope, r)};
    }
  } else if constexpr (K == Mtf::tm2) {
    return {O::add(r, O::mul(r, c)), O::add(one, c), r};
  } else if constexpr (K == Mtf::tm3) {
    const V p = O::mul(r, c), y = tanh_of<O>(p, O::set(-kTanh)), slope = tanh_slope<O>(y), grown = O::add(one, y);
    return {O::mul(r, grown), O::add(grown, O::mul(p, slope)), O::mul(O::mul(r, r), slope)};
  } else if constexpr (K == Mtf::coop) {
    const V wide = O::add(one, O::abs(r)), beyond = O::add(r, two);
    const V signed_c = O::select(O::gt(O::abs(r), zero), O::mul(c, O::copysign(one, r)), zero);
    return {O::add(O::mul(r, beyond), O::mul(c, wide)), O::add(O::add(r, beyond), signed_c), wide};
  } else if constexpr (K == Mtf::add) {
    return {O::add(r, c), one, one};
  } else {  // q, eq: the sigmoids of |C| and of -|C|
    const V e = exp2_of<O>(O::mul(O::set(-kLog2E), O::abs(c))), q = O::div(one, O::add(one, e)), eq = O::mul(e, q);
    const V s2 = O::mul(two, O::select(O::ge(c, zero), q, eq));
    return {O::mul(r, s2), s2, O::mul(O::mul(two, r), O::mul(q, eq))};
  }
}

// What is sent on of T, and where that is 0.
template <class O>
struct Sent {
  typename O::V h;
  typename O::M silent;
};
template <class O, TwoPointOutput Y>
APICAL_FN Sent<O> sent(typename O::V t) {
  const typename O::V zero = O::set(0);
  const typename O::M below = O::ge(zero, t);
  if constexpr (Y == TwoPointOutput::half_gaussian) {
    const typename O::V h = O::select(below, zero, one_minus_exp2<O>(O::mul(O::set(-0.5 * kLog2E), O::mul(t, t))));
    return {h, O::ge(zero, h)};  // small T: its square may vanish
  } else {
    const typename O::V h = O::select(below, zero, t);
    return {Y == TwoPointOutput::relu ? h : O::select(O::gt(t, O::set(6)), O::set(6), h), below};
  }
}
// dL/dT from dL/dh.
template <class O, TwoPointOutput Y>
APICAL_FN typename O::V sent_back(typename O::V t, typename O::V grad_h) {
  const typename O::V zero = O::set(0);
  typename O::M open = O::gt(t, zero);
  if constexpr (Y == TwoPointOutput::relu6) open = O::both(open, O::gt(O::set(6), t));
  if constexpr (Y == TwoPointOutput::half_gaussian)
    return O::select(open, O::mul(grad_h, O::mul(t, exp2_of<O>(O::mul(O::set(-0.5 * kLog2E), O::mul(t, t))))), zero);
  return O::select(open, grad_h, zero);
}

template <class O>
struct TwoPointGradient {
  typename O::V r, context;
};

template <class O, Mtf K, TwoPointOutput Y>
struct TwoPointCell {
  using V = typename O::V;
  V c_max, scale;  // scale: -kTanh / c_max

  APICAL_FN V squashed(V context) const { return tanh_of<O>(context, scale); }

  // Without a context C = 0.
  APICAL_FN Sent<O> forward(V r) const { return sent<O, Y>(transfer<O, K>(r, O::set(0)).t); }
  APICAL_FN Sent<O> forward(V r, V context) const { return sent<O, Y>(transfer<O, K>(r, O::mul(c_max, squashed(context))).t); }

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
