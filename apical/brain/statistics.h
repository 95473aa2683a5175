#pragma once
// What is said of recorded spikes: rates, regularity, synchrony. All of it from steps, in whole numbers as far as it goes.
#include <cstdint>
#include <span>
#include <vector>

#include "apical/brain/devices.h"

namespace apical::brain {

/// The steps of each recorded neuron's spikes in (start, stop] (ms).
std::vector<std::vector<std::uint32_t>> spike_trains(const SpikeRecord& record, double start, double stop);

/// Coefficient of variation of the intervals: their standard deviation (of n) over their mean. NaN with fewer than two intervals.
/// 0: a clock, 1: a Poisson process. Source: Softky, Koch, J. Neurosci. 13 (1993) 334-350.
double interval_cv(std::span<const std::uint32_t> steps) noexcept;

/// Pearson's correlation of two rows of counts; NaN where one of them does not vary.
double correlation(std::span<const double> a, std::span<const double> b) noexcept;

/// What the recorded neurons did in (start, stop].
struct Activity {
  std::uint32_t neurons = 0;
  double rate = 0;                   ///< Hz, mean over neurons
  double cv = 0;                     ///< mean over neurons with three spikes or more; NaN: there is none
  double correlation = 0;            ///< mean over pairs; NaN: there is none
  std::vector<double> rates;         ///< Hz, of each neuron
  std::vector<double> cvs;           ///< of neurons with three spikes or more
  std::vector<double> correlations;  ///< of spike counts in bins, of all pairs of the first 100 neurons that fired
  std::vector<double> bins;          ///< Hz: mean rate of the neurons in each whole bin
};
/// Times in ms; start and bin are rounded to steps.
Activity activity(const SpikeRecord& record, double start, double stop, double bin);

/// How many of `values` lie in each of `bins` equal parts of [low, high]; those outside count to the nearest.
std::vector<double> histogram(std::span<const double> values, double low, double high, std::size_t bins);

}  // namespace apical::brain
