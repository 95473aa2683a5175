#include "apical/report/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace apical::report {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Continued fraction of the incomplete beta function (Lentz's method; DLMF 8.17.22).
double beta_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < tiny ? tiny : d);
  double h = d;
  for (int m = 1; m <= 1000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double step = 1;
    for (const double k : {even, odd}) {
      d = 1 + k * d;
      c = 1 + k / c;
      d = 1 / (std::abs(d) < tiny ? tiny : d);
      if (std::abs(c) < tiny) c = tiny;
      step = c * d;
      h *= step;
    }
    if (std::abs(step - 1) < 1e-15) break;
  }
  return h;
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

}  // namespace

double mean(std::span<const double> v) noexcept {
  return v.empty() ? nan : std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

double standard_deviation(std::span<const double> v) noexcept {
  if (v.size() < 2) return nan;
  const double m = mean(v);
  double sum = 0;
  for (double x : v) sum += (x - m) * (x - m);
  return std::sqrt(sum / static_cast<double>(v.size() - 1));
}

double median(std::span<const double> v) {
  if (v.empty()) return nan;
  std::vector<double> s(v.begin(), v.end());
  std::sort(s.begin(), s.end());
  return s.size() % 2 ? s[s.size() / 2] : 0.5 * (s[s.size() / 2 - 1] + s[s.size() / 2]);
}

Interval wilson(double successes, double trials) noexcept {
  if (!(trials > 0)) return {0, 1};
  constexpr double z = 1.959963984540054;
  const double p = successes / trials, z2 = z * z / trials;
  const double centre = (p + z2 / 2) / (1 + z2), half = z / (1 + z2) * std::sqrt(p * (1 - p) / trials + z2 / (4 * trials));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

double student_t_975(double freedom) noexcept {
  if (!(freedom >= 1)) return nan;
  // P(|T| > t) = I_{f/(f+t^2)}(f/2, 1/2) falls with t: bisection between 1.9 (below the normal's 1.96) and 13 (above f = 1's 12.71).
  double lo = 1.9, hi = 13;
  for (int i = 0; i < 80; ++i) {
    const double t = 0.5 * (lo + hi);
    (incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t)) > 0.05 ? lo : hi) = t;
  }
  return 0.5 * (lo + hi);
}

Interval student_interval(std::span<const double> v) noexcept {
  if (v.size() < 2) return {nan, nan};
  const double n = static_cast<double>(v.size());
  const double half = student_t_975(n - 1) * standard_deviation(v) / std::sqrt(n), m = mean(v);
  return {m - half, m + half};
}

}  // namespace apical::report
