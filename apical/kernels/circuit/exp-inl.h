// exp in float64 on the operations of lif-inl.h, the same bits at every level (library functions differ between levels). Included as
// iaf-inl.h is.

// exp(z) = (1 + rest) * power for -708 <= z <= 708 (beyond: as at the bound), rest precise to 2 ulp; NaN stays NaN.
// z = k ln 2 + r, |r| <= ln 2 / 2; rest is Taylor's polynomial of degree 12 for exp(r) - 1 (error 2e-16 of exp), in pairs, which waits
// less than one term after another. ln 2 is cut in two, so that k times its upper part is exact.
template <class O>
struct ExpParts {
  typename O::V rest, power;
};
template <class O>
APICAL_FN typename O::V exp_pair(typename O::V r, double low, double high) {
  return O::add(O::set(1 / low), O::mul(r, O::set(1 / high)));
}
// exp(r) - 1 for |r| <= ln 2 / 2.
template <class O>
APICAL_FN typename O::V exp_rest(typename O::V r) {
  using V = typename O::V;
  const V r2 = O::mul(r, r), r4 = O::mul(r2, r2);
  const V a = O::add(exp_pair<O>(r, 2, 6), O::mul(r2, exp_pair<O>(r, 24, 120)));             // 1/2! + r/3! + r^2/4! + r^3/5!
  const V b = O::add(exp_pair<O>(r, 720, 5040), O::mul(r2, exp_pair<O>(r, 40320, 362880)));  // from 1/6! on
  const V c = O::add(exp_pair<O>(r, 3628800, 39916800), O::mul(r2, O::set(1 / 479001600.0)));
  return O::add(r, O::mul(r2, O::add(a, O::mul(r4, O::add(b, O::mul(r4, c))))));
}
template <class O>
APICAL_FN ExpParts<O> exp_parts(typename O::V z) {
  using V = typename O::V;
  z = O::select(O::gt(O::set(-708), z), O::set(-708), z);
  z = O::select(O::gt(z, O::set(708)), O::set(708), z);
  const V shifted = O::add(O::mul(z, O::set(1.4426950408889634)), O::magic()), k = O::sub(shifted, O::magic());
  const V r = O::sub(O::sub(z, O::mul(k, O::set(0x1.62e42feep-1))), O::mul(k, O::set(0x1.a39ef35793c76p-33)));
  return {exp_rest<O>(r), O::power_of_two(shifted)};
}
template <class O>
APICAL_FN typename O::V exp_of(typename O::V z) {
  const ExpParts<O> e = exp_parts<O>(z);
  return O::mul(O::add(e.rest, O::set(1)), e.power);
}
// 1 - exp(z) for z <= 0. No cancellation: power is 1, or 1/2 and less. Where all are short of ln 2 / 2, as a step's decays are, k = 0: the
// same bits with half the work.
template <class O>
APICAL_FN typename O::V one_minus_exp(typename O::V z) {
  if (!O::any(O::gt(O::abs(z), O::set(0.34)))) return O::sub(O::set(0), exp_rest<O>(z));
  const ExpParts<O> e = exp_parts<O>(z);
  return O::sub(O::sub(O::set(1), e.power), O::mul(e.rest, e.power));
}
