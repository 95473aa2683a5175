#pragma once
// The few statistics a report needs.
#include <cstddef>
#include <span>
#include <utility>

namespace apical::report {

/// An interval [lo, hi].
using Interval = std::pair<double, double>;

double mean(std::span<const double> values) noexcept;                ///< NaN when empty
double standard_deviation(std::span<const double> values) noexcept;  ///< with n - 1; NaN below two values
double median(std::span<const double> values);                       ///< NaN when empty

/// Wilson's score interval for `successes` of `trials` at 95 % (z = 1.959964). Source: Wilson, JASA 22 (1927). [0, 1] without trials.
Interval wilson(double successes, double trials) noexcept;

/// The 97.5 % point of Student's t with `freedom` >= 1 degrees of freedom (two-sided 95 %); absolute error below 1e-6.
double student_t_975(double freedom) noexcept;
/// mean -/+ t s / sqrt(n) at 95 %; [NaN, NaN] below two values.
Interval student_interval(std::span<const double> values) noexcept;

}  // namespace apical::report
