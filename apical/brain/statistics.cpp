#include "apical/brain/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace apical::brain {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMostCorrelated = 100;

double mean(std::span<const double> values) {
  return values.empty() ? kNaN : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// The values less their mean, over their norm: correlations are then products. Empty where they do not vary.
std::vector<double> normed(std::span<const double> values) {
  const double m = mean(values);
  std::vector<double> out;
  double square = 0;
  for (const double v : values) out.push_back(v - m), square += (v - m) * (v - m);
  if (!(square > 0)) return {};
  for (double& v : out) v /= std::sqrt(square);
  return out;
}
double product(std::span<const double> a, std::span<const double> b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

}  // namespace

std::vector<std::vector<std::uint32_t>> spike_trains(const SpikeRecord& record, double start, double stop) {
  std::vector<std::vector<std::uint32_t>> trains(record.population.size);
  const auto first = static_cast<std::int64_t>(std::llround(start / record.dt)),
             last = static_cast<std::int64_t>(std::llround(stop / record.dt));
  for (std::size_t i = 0; i < record.size(); ++i)
    if (record.step[i] > first && record.step[i] <= last) trains[record.neuron[i]].push_back(record.step[i]);
  return trains;
}

double interval_cv(std::span<const std::uint32_t> steps) noexcept {
  if (steps.size() < 3) return kNaN;
  const double n = static_cast<double>(steps.size() - 1), m = (steps.back() - steps.front()) / n;
  double square = 0;
  for (std::size_t i = 1; i < steps.size(); ++i) square += (steps[i] - steps[i - 1] - m) * (steps[i] - steps[i - 1] - m);
  return std::sqrt(square / n) / m;
}

double correlation(std::span<const double> a, std::span<const double> b) noexcept {
  const auto x = normed(a), y = normed(b);
  return x.empty() || y.empty() ? kNaN : product(x, y);
}

Activity activity(const SpikeRecord& record, double start, double stop, double bin) {
  const auto trains = spike_trains(record, start, stop);
  Activity a;
  a.neurons = record.population.size;
  const double seconds = std::max(0.0, stop - start) / 1000;
  const auto first = static_cast<std::uint32_t>(std::llround(start / record.dt)),
             last = static_cast<std::uint32_t>(std::llround(stop / record.dt)),
             width = std::max(1u, static_cast<std::uint32_t>(std::llround(bin / record.dt)));
  const std::size_t bins = last > first ? (last - first) / width : 0;
  a.bins.assign(bins, 0);
  std::vector<std::vector<double>> counts;
  for (const auto& train : trains) {
    a.rates.push_back(seconds > 0 ? static_cast<double>(train.size()) / seconds : 0);
    if (const double cv = interval_cv(train); !std::isnan(cv)) a.cvs.push_back(cv);
    std::vector<double> count(bins);
    for (const auto step : train)
      if (const std::size_t b = (step - first - 1) / width; b < bins) count[b] += 1;
    for (std::size_t b = 0; b < bins; ++b) a.bins[b] += count[b];
    if (counts.size() == kMostCorrelated || train.empty()) continue;
    if (auto n = normed(count); !n.empty()) counts.push_back(std::move(n));
  }
  for (double& b : a.bins) b /= a.neurons * width * record.dt / 1000;
  for (std::size_t i = 0; i < counts.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) a.correlations.push_back(product(counts[i], counts[j]));
  a.rate = mean(a.rates), a.cv = mean(a.cvs), a.correlation = mean(a.correlations);
  return a;
}

std::vector<double> histogram(std::span<const double> values, double low, double high, std::size_t bins) {
  std::vector<double> counts(bins);
  for (const double v : values) {
    const double at = std::floor((v - low) / (high - low) * static_cast<double>(bins));
    counts[static_cast<std::size_t>(std::clamp(at, 0.0, static_cast<double>(bins - 1)))] += 1;
  }
  return counts;
}

}  // namespace apical::brain
