// What the operations of program.h do, written once, on the operations of lif-inl.h in float64 and those of ProgramOps (program.cpp):
//   sqrt(x)   mask(x), value(m): a mask kept as a value and back   either(m, n)   no(m)
//   exponent(x), fraction(x)   x = fraction 2^exponent, fraction in [1, 2), for normal x > 0
// Included as iaf-inl.h is, after exp-inl.h.

template <class O>
APICAL_FN typename O::V program_expm1(typename O::V x) {
  const ExpParts<O> e = exp_parts<O>(x);
  return O::add(O::mul(e.rest, e.power), O::sub(e.power, O::set(1)));
}

// log(2^k m) = k ln 2 + log m, m in [sqrt(1/2), sqrt(2)), log m = 2 (s + s^3/3 + s^5/5 + ...) with s = (m - 1)/(m + 1), |s| < 0.172.
template <class O>
APICAL_FN typename O::V program_log(typename O::V x) {
  using V = typename O::V;
  const auto tiny = O::gt(O::set(0x1p-1022), x);
  const V normal = O::select(tiny, O::mul(x, O::set(0x1p54)), x), whole = O::fraction(normal);
  const auto high = O::gt(whole, O::set(1.4142135623730951));
  const V m = O::select(high, O::mul(whole, O::set(0.5)), whole);
  V k = O::add(O::exponent(normal), O::select(high, O::set(1), O::set(0)));
  k = O::sub(k, O::select(tiny, O::set(54), O::set(0)));
  const V s = O::div(O::sub(m, O::set(1)), O::add(m, O::set(1))), z = O::mul(s, s);
  V p = O::set(1.0 / 21);
  for (int n = 19; n >= 3; n -= 2) p = O::add(O::mul(p, z), O::set(1.0 / n));
  const V twice = O::add(s, s), log_m = O::add(twice, O::mul(twice, O::mul(z, p)));
  const V log_x = O::add(O::mul(k, O::set(0x1.62e42feep-1)), O::add(O::mul(k, O::set(0x1.a39ef35793c76p-33)), log_m));
  const V infinite = O::set(HUGE_VAL), none = O::sub(infinite, infinite);
  const V good = O::select(O::gt(infinite, x), log_x, x);  // infinity and NaN stay
  return O::select(O::gt(x, O::set(0)), good, O::select(O::ge(x, O::set(0)), O::sub(O::set(0), infinite), none));
}

// x = k pi/2 + r, |r| <= pi/4; Taylor's polynomials in r. pi/2 is cut in three, so that k times its upper parts is exact.
template <class O>
APICAL_FN typename O::V program_sin(typename O::V x, double quarter) {
  using V = typename O::V;
  const V k = O::sub(O::add(O::mul(x, O::set(0.63661977236758138)), O::magic()), O::magic());
  V r = O::sub(x, O::mul(k, O::set(0x1.921fb544p0)));
  r = O::sub(O::sub(r, O::mul(k, O::set(0x1.0b4611a6p-34))), O::mul(k, O::set(0x1.3198a2e037073p-69)));
  const V z = O::mul(r, r);
  V sine = O::set(1.0 / 355687428096000), cosine = O::set(1.0 / 20922789888000);  // 1/17!, 1/16!
  constexpr double over_sine[] = {-1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6};
  constexpr double over_cosine[] = {-1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -0.5};
  for (int n = 0; n < 7; ++n)
    sine = O::add(O::mul(sine, z), O::set(over_sine[n])), cosine = O::add(O::mul(cosine, z), O::set(over_cosine[n]));
  sine = O::add(r, O::mul(r, O::mul(z, sine))), cosine = O::add(O::set(1), O::mul(z, cosine));
  const V turn = O::add(k, O::set(quarter));  // modulo 4, in [-2, 2]
  const V part = O::sub(turn, O::mul(O::set(4), O::sub(O::add(O::mul(turn, O::set(0.25)), O::magic()), O::magic())));
  const V size = O::abs(part);
  const V value = O::select(O::both(O::gt(size, O::set(0.5)), O::gt(O::set(1.5), size)), cosine, sine);
  const auto negative = O::either(O::gt(size, O::set(1.5)), O::gt(O::set(-0.5), part));
  return O::select(negative, O::sub(O::set(0), value), value);
}

template <class O, ProgramOp op>
APICAL_FN typename O::V program_apply(typename O::V x, typename O::V a, typename O::V b) {
  using V = typename O::V;
  using enum ProgramOp;
  if constexpr (op == load) return a;
  if constexpr (op == add) return O::add(x, a);
  if constexpr (op == sub) return O::sub(x, a);
  if constexpr (op == from) return O::sub(a, x);
  if constexpr (op == mul) return O::mul(x, a);
  if constexpr (op == div) return O::div(x, a);
  if constexpr (op == under) return O::div(a, x);
  if constexpr (op == min) return O::select(O::gt(a, x), x, a);
  if constexpr (op == max) return O::select(O::gt(x, a), x, a);
  if constexpr (op == gt) return O::value(O::gt(x, a));
  if constexpr (op == ge) return O::value(O::ge(x, a));
  if constexpr (op == lt) return O::value(O::gt(a, x));
  if constexpr (op == le) return O::value(O::ge(a, x));
  if constexpr (op == eq) return O::value(O::both(O::ge(x, a), O::ge(a, x)));
  if constexpr (op == both) return O::value(O::both(O::mask(x), O::mask(a)));
  if constexpr (op == either) return O::value(O::either(O::mask(x), O::mask(a)));
  if constexpr (op == no) return O::value(O::no(O::mask(x)));
  if constexpr (op == abs) return O::abs(x);
  if constexpr (op == sqrt) return O::sqrt(x);
  if constexpr (op == mul_add) return O::add(x, O::mul(a, b));
  if constexpr (op == mul_less) return O::sub(x, O::mul(a, b));
  if constexpr (op == scale_add) return O::add(O::mul(x, a), b);
  if constexpr (op == scale_sub) return O::sub(O::mul(x, a), b);
  if constexpr (op == scale_from) return O::sub(b, O::mul(x, a));
  if constexpr (op == choose) return O::select(O::mask(x), a, b);
  if constexpr (op == keep) return O::select(O::mask(a), x, b);
  if constexpr (op == unless) return O::select(O::mask(a), b, x);
  if constexpr (op == exp) return exp_of<O>(x);
  if constexpr (op == log) return program_log<O>(x);
  if constexpr (op == expm1) return program_expm1<O>(x);
  if constexpr (op == exprel) {
    const auto none = O::ge(O::set(0), O::abs(x));
    return O::select(none, O::set(1), O::div(program_expm1<O>(x), O::select(none, O::set(1), x)));
  }
  if constexpr (op == sin) return program_sin<O>(x, 0);
  if constexpr (op == cos) return program_sin<O>(x, 1);
  if constexpr (op == tanh) {
    const V d = one_minus_exp<O>(O::mul(O::set(-2), O::abs(x))), t = O::div(d, O::sub(O::set(2), d));
    return O::select(O::gt(O::set(0), x), O::sub(O::set(0), t), t);
  }
  return x;
}
