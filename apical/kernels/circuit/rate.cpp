#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/circuit/rate.cpp"
#include "apical/kernels/circuit/rate.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>

#include "apical/kernels/circuit/plain_rows.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/circuit/doubles-inl.h"
#include "apical/kernels/circuit/exp-inl.h"
#include "apical/kernels/circuit/rows-inl.h"
// both before their user
#include "apical/kernels/circuit/rate-inl.h"

bool rate_float(const RateIpn& m, const NeuronArrays<float>& a) { return each_vector<Doubles>(RateCell<Doubles>{m}, a, 0); }
bool rate_double(const RateIpn& m, const NeuronArrays<double>& a) { return each_vector<Doubles>(RateCell<Doubles>{m}, a, 0); }

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace plain::detail {
#include "apical/kernels/circuit/exp-inl.h"
#include "apical/kernels/circuit/rows-inl.h"
// both before their user
#include "apical/kernels/circuit/rate-inl.h"
}  // namespace plain::detail
namespace {

template <class Row>
bool reference(const RateIpn& m, const NeuronArrays<Row>& a) {
  return plain::detail::each_vector<plain::Rows>(plain::detail::RateCell<plain::Rows>{m}, a, 0);
}

APICAL_BOTH_ROWS(equations, RateIpn, rate, reference);

// Quantiles are scalar at every level: the library's logarithm is in them.
template <class Row>
bool whole_step(const RateIpn& m, const NeuronArrays<Row>& a) {
  for (std::size_t i = 0; i < a.n; ++i) a.state[1][i] = a.uniform ? m.sigma * normal_quantile(a.uniform[i]) : 0;
  return equations(m, a);
}

double ratio(const double (&over)[8], const double (&under)[8], double r) {
  double a = over[7], b = under[7];
  for (int k = 6; k >= 0; --k) a = a * r + over[k], b = b * r + under[k];
  return a / b;
}

}  // namespace

bool neuron_step(const RateIpn& m, const NeuronArrays<float>& a) noexcept { return whole_step(m, a); }
bool neuron_step(const RateIpn& m, const NeuronArrays<double>& a) noexcept { return whole_step(m, a); }

double normal_quantile(double p) noexcept {
  static constexpr double middle[2][8] = {{3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
                                           45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727},
                                          {1, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077, 21213.794301586595867,
                                           39307.895800092710610, 28729.085735721942674, 5226.4952788528545610}};
  static constexpr double near[2][8] = {
      {1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504, 1.27045825245236838258,
       0.241780725177450611770, 0.0227238449892691845833, 7.74545014278341407640e-4},
      {1, 2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550, 0.148103976427480074590, 0.0151986665636164571966,
       5.47593808499534494600e-4, 1.05075007164441684324e-9}};
  static constexpr double far[2][8] = {
      {6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 0.296560571828504891230, 0.0265321895265761230930,
       1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
      {1, 0.599832206555887937690, 0.136929880922735805310, 0.0148753612908506148525, 7.86869131145613259100e-4, 1.84631831751005468180e-5,
       1.42151175831644588870e-7, 2.04426310338993978564e-15}};
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) return q * ratio(middle[0], middle[1], 0.180625 - q * q);
  const double r = std::sqrt(-std::log(q < 0 ? p : 1 - p));
  const double x = r <= 5 ? ratio(near[0], near[1], r - 1.6) : ratio(far[0], far[1], r - 5);
  return q < 0 ? -x : x;
}

}  // namespace apical::kernels
#endif
