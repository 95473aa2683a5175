// Products of spikes and weights: event by event, sparse, dense; and the gradients of the first.
#include <algorithm>
#include <array>
#include <cmath>

#include "apical/base/huge_array.h"
#include "apical/base/log.h"
#include "apical/base/philox.h"
#include "apical/base/progress.h"
#include "apical/base/text.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/event_linear.h"
#include "recipes/differentiable-brain-simulator/event_matrix.h"
#include "recipes/differentiable-brain-simulator/study.h"

namespace apical::simulator {

double gradient_difference(std::uint64_t seed) {
  EventMatrix<double> m(random_matrix(60, 50, 8, brain::Value::normal(0.3, 1)), seed);
  Random random(seed, "inputs");
  std::vector<double> x(m.sources());
  for (auto& v : x) v = random.below(2) ? random.normal() : 0;
  const auto outputs = [&] {
    std::vector<double> y(m.targets());
    m.product(std::span<const double>(x), y.data());
    return y;
  };
  const auto loss = [&] {
    double sum = 0;
    for (const double v : outputs()) sum += v * v * v / 3;
    return sum;
  };
  std::vector<double> dy = outputs(), dw(m.places()), dx(m.sources());
  for (double& v : dy) v *= v;
  m.weight_gradient(x, dy, dw.data()), m.input_gradient(dy, dx.data());
  constexpr double h = 1e-5;
  const auto slope = [&](double& at) {
    const double here = at;
    at = here + h;
    const double more = loss();
    at = here - h;
    const double less = loss();
    at = here;
    return (more - less) / (2 * h);
  };
  double worst = 0, largest = 0;
  const auto compare = [&](double gradient, double& at) {
    const double s = slope(at);
    worst = std::max(worst, std::fabs(gradient - s)), largest = std::max(largest, std::fabs(s));
  };
  for (std::size_t i = 0; i < m.sources(); ++i) {
    compare(dx[i], x[i]);
    for (std::size_t k = 0; k < m.list(i).size(); ++k) compare(dw[m.place(i, k)], m.list(i)[k].weight);
  }
  return worst / largest;
}

namespace {

// The sparse product of everyone, which knows of no spikes: by target, all synapses of it.
class TargetMatrix {
 public:
  explicit TargetMatrix(const EventMatrix<float>& m) : first_(m.targets() + 1) {
    for (std::size_t i = 0; i < m.sources(); ++i)
      for (const auto& s : m.list(i)) ++first_[m.target(s) + 1];
    for (std::size_t j = 0; j < m.targets(); ++j) first_[j + 1] += first_[j];
    source_.resize(m.size()), weight_.resize(m.size());
    auto next = first_;
    for (std::size_t i = 0; i < m.sources(); ++i)
      for (const auto& s : m.list(i)) {
        const auto k = next[m.target(s)]++;
        source_[k] = static_cast<std::uint32_t>(i), weight_[k] = s.weight;
      }
  }
  void product(const float* x, float* y) const {
    for (std::size_t j = 0; j + 1 < first_.size(); ++j) {
      float sum[4] = {};  // additions that need not wait for each other
      std::size_t k = first_[j];
      for (; k + 4 <= first_[j + 1]; k += 4)
        for (std::size_t l = 0; l < 4; ++l) sum[l] += weight_[k + l] * x[source_[k + l]];
      for (; k < first_[j + 1]; ++k) sum[0] += weight_[k] * x[source_[k]];
      y[j] += (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
  }

 private:
  std::vector<std::size_t> first_;
  std::vector<std::uint32_t> source_;
  std::vector<float> weight_;
};

struct Spikes {
  std::vector<std::uint32_t> list;
  std::vector<float> x;  // the same as numbers
};
Spikes draw_spikes(std::size_t n, double rate, Random& random) {
  Spikes s;
  s.x.resize(n);
  const auto all = permutation(static_cast<std::uint32_t>(n), Random(random.bits(), "spikes"));
  s.list.assign(all.begin(), all.begin() + std::max<std::ptrdiff_t>(1, std::lround(rate * static_cast<double>(n))));
  std::sort(s.list.begin(), s.list.end());
  for (const auto i : s.list) s.x[i] = 1;
  return s;
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::fabs(static_cast<double>(a[i]) - b[i])), largest = std::max(largest, std::fabs(static_cast<double>(b[i])));
  return worst / largest;
}

enum Product { by_events, all_pairs, sparse, dense, kProducts };
const char* const kNames[] = {"event by event", "event by event, all pairs connected", "sparse (CSR)", "dense"};

struct Settings {
  std::vector<std::size_t> sizes;
  std::size_t synapses, repeats;
  std::vector<double> rates;
  double dense_bytes;
};
// Median seconds of each product at each rate; NaN: the dense matrix is too large.
using Times = std::vector<std::array<double, kProducts>>;

// `worst`: the largest difference between two products so far.
Times measure(const recipe::RunContext& c, const Settings& settings, std::size_t n, std::uint64_t seed, double& worst) {
  const auto& rates = settings.rates;
  const auto size = static_cast<std::uint32_t>(n);
  EventMatrix<float> m(random_matrix(size, size, settings.synapses, brain::Value::normal(1, 0.2)), seed);
  const TargetMatrix by_target(m);
  const std::size_t stride = kernels::linear_stride(n);
  const bool is_dense = static_cast<double>(n * stride) * sizeof(float) <= settings.dense_bytes;
  HugeArray<float> rows;
  if (is_dense) {
    rows.resize(n * stride);
    for (std::size_t i = 0; i < n; ++i)
      for (const auto& s : m.list(i)) rows.data()[i * stride + m.target(s)] += s.weight;
  }
  std::vector<std::array<std::vector<double>, kProducts>> seconds_of(rates.size());
  std::array<std::vector<float>, kProducts> y;
  Random random(seed, "events" + std::to_string(n));
  for (std::size_t repeat = 0; repeat < settings.repeats + 1; ++repeat)  // the first warms up
    for (std::size_t r = 0; r < rates.size(); ++r) {
      const Spikes s = draw_spikes(n, rates[r], random);
      const auto time = [&](Product p, auto f) {
        y[p].assign(n, 0.0f);
        const double took = seconds([&] { f(y[p].data()); });
        if (repeat > 0) seconds_of[r][p].push_back(took);
      };
      time(by_events, [&](float* out) { m.product(std::span<const std::uint32_t>(s.list), out); });
      time(sparse, [&](float* out) { by_target.product(s.x.data(), out); });
      if (is_dense) {
        time(all_pairs, [&](float* out) { kernels::event_linear(rows.data(), n, s.list.data(), nullptr, s.list.size(), out); });
        time(dense, [&](float* out) { kernels::dense_linear(rows.data(), n, n, s.x.data(), out); });
      }
      for (std::size_t p = 1; p < kProducts; ++p)
        if (!y[p].empty()) worst = std::max(worst, difference(y[p], y[by_events]));
      c.check_stop();
    }
  Times times;
  for (const auto& of : seconds_of) {
    auto& row = times.emplace_back();
    for (std::size_t p = 0; p < kProducts; ++p) row[p] = report::median(of[p]);
  }
  return times;
}

void note(recipe::RunContext& c, const Settings& s, std::size_t n, std::int64_t seed, const Times& times) {
  double events = INFINITY, pairs = INFINITY;  // the least speedup
  for (std::size_t r = 0; r < s.rates.size(); ++r) {
    const auto& at = times[r];
    c.metrics.append("products", {{"seed", static_cast<double>(seed)},
                                  {"neurons", static_cast<double>(n)},
                                  {"rate", s.rates[r]},
                                  {"event_s", at[by_events]},
                                  {"sparse_s", at[sparse]},
                                  {"event_all_pairs_s", at[all_pairs]},
                                  {"dense_s", at[dense]}});
    if (s.rates[r] <= 0.01) events = std::min(events, at[dense] / at[by_events]), pairs = std::min(pairs, at[dense] / at[all_pairs]);
  }
  if (n != 10000 || !std::isfinite(events)) return;
  c.result.set_seed("event_speedup", seed, events), c.result.set_seed("event_speedup_all_pairs", seed, pairs);
  c.result.set_seed("dense_gb_per_s", seed, 4e-9 * static_cast<double>(n * kernels::linear_stride(n)) / times[0][dense]);
}

void show(recipe::RunContext& c, const Settings& s, std::size_t n, const Times& times, report::Table& table) {
  const auto time = [](double x) { return std::isfinite(x) ? si(x, "s") : std::string("-"); };
  const auto ratio = [](double x) { return std::isfinite(x) ? number(x, 3) : std::string("-"); };
  std::vector<report::Series> lines;
  for (std::size_t p = 0; p < kProducts; ++p) {
    if (!std::isfinite(times[0][p])) continue;
    auto& line = lines.emplace_back();
    line.name = kNames[p], line.markers = true;
    for (std::size_t r = 0; r < s.rates.size(); ++r) line.x.push_back(100 * s.rates[r]), line.y.push_back(1e6 * times[r][p]);
  }
  for (std::size_t r = 0; r < s.rates.size(); ++r) {
    const auto& at = times[r];
    table.rows.push_back({std::to_string(n), number(100 * s.rates[r]), time(at[by_events]), time(at[sparse]), time(at[all_pairs]),
                          time(at[dense]), ratio(at[dense] / at[by_events]), ratio(at[dense] / at[all_pairs])});
  }
  c.html.figure(report::line_chart(lines, axes(std::to_string(n) + " neurons", "neurons that fire in a step (%)", "time (us)", true, true)),
                "Medians of " + std::to_string(s.repeats) + " products with other spikes each.", false);
}

}  // namespace

void events(recipe::RunContext& c) {
  const Settings s{counts(c, "events.neurons", 1 << 20), count(c, "events.synapses", 10000), count(c, "events.repeats", 1000),
                   c.config.reals("events.rates"), 1e9 * positive(c, "events.dense_gb", 1000)};
  for (const double rate : s.rates)
    if (!(rate > 0 && rate <= 1)) throw usage_error("must be more than 0 and at most 1, not " + number(rate), "events.rates");
  if (s.rates.empty()) throw usage_error("is empty", "events.rates");

  c.html.section("Products of spikes and weights");
  c.html.paragraph("A random matrix of " + std::to_string(s.synapses) +
                   " synapses a source, in float32, on one thread. Event by event: the lists of the sources that fire, as circuits deliver "
                   "spikes. Sparse: every synapse of "
                   "every target. Dense: every pair, the kernel of dense layers. All pairs connected: the rows of that dense matrix whose "
                   "sources fire.");
  double gradients = 0, worst = 0;
  report::Table table{{"neurons", "rate (%)", kNames[by_events], kNames[sparse], kNames[all_pairs], kNames[dense], "dense / event",
                       "dense / event, all pairs"},
                      {}};
  Progress progress("products", s.sizes.size() * c.seeds.size(), "matrices");
  set_thread_count(1);  // of the four products only one knows threads
  for (const auto seed : c.seeds) {
    const auto key = static_cast<std::uint64_t>(seed);
    gradients = std::max(gradients, gradient_difference(key));
    for (const std::size_t n : s.sizes) {
      const Times times = measure(c, s, n, key, worst);
      note(c, s, n, seed, times);
      if (seed == c.seeds.front()) show(c, s, n, times, table);
      progress.advance();
    }
  }
  set_thread_count(c.threads);
  progress.finish();
  c.result.set("gradient_difference", gradients), c.result.set("product_difference", worst);
  c.html.table(table, "Seed " + std::to_string(c.seeds.front()) + ". The sums of the four agree to " + number(worst, 2) +
                          " of the largest. A dense matrix of more than " + number(s.dense_bytes / 1e9) + " GB is left out.");
  c.html.paragraph("Gradients of the event product, dw = x dy and dx = sum w dy, differ from finite differences by " +
                   number(gradients, 2) + " of the largest derivative.");
  if (const auto speed = c.result.get("event_speedup"))
    c.html.card("Event over dense", number(*speed, 3) + " x",
                "10,000 neurons, at most 1 % fire; all pairs connected: " + number(*c.result.get("event_speedup_all_pairs"), 3) + " x");
}

}  // namespace apical::simulator
