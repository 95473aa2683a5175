// The report of a circuit.
#include <algorithm>
#include <cmath>

#include "apical/base/machine.h"
#include "apical/base/text.h"
#include "apical/base/thread_pool.h"
#include "apical/brain/outcome.h"
#include "apical/report/html.h"
#include "apical/report/svg.h"

namespace apical::brain {
namespace {

using report::Axes, report::Series;

constexpr std::size_t kMarks = 6000, kPoints = 1000, kRasterNeurons = 100, kTraces = 4;
constexpr std::size_t kParts = 20;  // of a distribution

Axes axes(const std::string& title, const std::string& x_label, const std::string& y_label) {
  Axes a;
  a.title = title, a.x_label = x_label, a.y_label = y_label;
  return a;
}
Series line(const std::string& name) {
  Series s;
  s.name = name;
  return s;
}

std::string of(double value, const std::string& unit) { return std::isfinite(value) ? number(value, 3) + unit : "-"; }

// The first spikes from d.start on, as many as can be told apart.
void raster(report::Html& html, const Described& d) {
  std::vector<report::RasterLayer> layers;
  std::vector<std::uint32_t> steps;
  for (const auto& s : d.spikes) {
    report::RasterLayer layer{s.name, static_cast<std::uint32_t>(std::min<std::size_t>(s.record->population.size, kRasterNeurons)), {}};
    for (std::size_t i = 0; i < s.record->size(); ++i)
      if (s.record->neuron[i] < layer.neurons && s.record->time(i) > d.start)
        layer.spikes.emplace_back(s.record->time(i), s.record->neuron[i]), steps.push_back(s.record->step[i]);
    layers.push_back(std::move(layer));
  }
  double end = d.network.time();
  if (steps.size() > kMarks) {
    std::nth_element(steps.begin(), steps.begin() + kMarks, steps.end());
    end = std::max(steps[kMarks] * d.options.dt, d.start + 20 * d.options.dt);
    for (auto& layer : layers) std::erase_if(layer.spikes, [&](const auto& spike) { return spike.first >= end; });
  }
  Axes a = axes("Spikes", "time (ms)", "");
  a.x_min = d.start, a.x_max = end, a.height = 420;
  html.figure(report::spike_raster(layers, a),
              "At most the first " + std::to_string(kRasterNeurons) + " recorded neurons of each population, from " + number(d.start) +
                  " to " + number(end, 6) +
                  " ms. Vertical stripes are neurons that fire together; a uniform grey is asynchronous activity.");
}

// One line for each population with a record: y(activity) over x.
template <class Make>
std::vector<Series> lines(const Described& d, const Outcome& o, Make make) {
  std::vector<Series> all;
  for (std::size_t i = 0; i < d.populations.size(); ++i)
    if (o.populations[i].recorded) {
      Series s = line(d.populations[i].name);
      make(*o.populations[i].recorded, s);
      if (!s.x.empty()) all.push_back(std::move(s));
    }
  return all;
}

void rates_over_time(report::Html& html, const Described& d, const Outcome& o) {
  const auto all = lines(d, o, [&](const Activity& a, Series& s) {
    const std::size_t together = (a.bins.size() + kPoints - 1) / kPoints;
    for (std::size_t b = 0; together && b + together <= a.bins.size(); b += together) {
      double sum = 0;
      for (std::size_t k = b; k < b + together; ++k) sum += a.bins[k];
      s.x.push_back(d.start + (static_cast<double>(b) + 0.5 * static_cast<double>(together)) * d.bin);
      s.y.push_back(sum / static_cast<double>(together));
    }
  });
  if (all.empty()) return;
  Axes a = axes("Rate over time", "time (ms)", "rate of a neuron (Hz)");
  a.y_min = 0;
  html.figure(report::line_chart(all, a),
              "Mean over the recorded neurons, in bins of " + number(d.bin) + " ms or more. Swings are the population's rhythm.");
}

// Shares of the values of `pick` in equal parts of their common range.
template <class Pick>
void distribution(report::Html& html, const Described& d, const Outcome& o, const std::string& title, const std::string& x_label,
                  const std::string& caption, double low, double high, Pick pick) {
  for (const auto& p : o.populations)
    if (p.recorded)
      for (const double v : pick(*p.recorded)) low = std::min(low, v), high = std::max(high, v);
  if (!(high > low)) return;
  const auto all = lines(d, o, [&](const Activity& a, Series& s) {
    const auto& values = pick(a);
    if (values.empty()) return;
    const auto counts = histogram(values, low, high, kParts);
    for (std::size_t k = 0; k < kParts; ++k) {
      s.x.push_back(low + (static_cast<double>(k) + 0.5) * (high - low) / kParts);
      s.y.push_back(counts[k] / static_cast<double>(values.size()));
    }
  });
  if (all.empty()) return;
  Axes a = axes(title, x_label, "share");
  a.y_min = 0, a.width = 420, a.height = 300;
  html.figure(report::line_chart(all, a), caption, false);
}

void traces(report::Html& html, const Described& d) {
  if (d.traces.empty()) return;
  html.section("Recorded variables");
  for (const auto& [name, population, m] : d.traces)
    for (std::size_t v = 0; v < m->variables.size(); ++v) {
      std::vector<Series> all;
      const std::size_t samples = std::min(m->samples(), 2 * kPoints);
      for (std::size_t i = 0; i < std::min<std::size_t>(m->population.size, kTraces); ++i) {
        Series s = line("neuron " + std::to_string(m->population.begin + i));
        for (std::size_t k = 0; k < samples; ++k)
          s.x.push_back(m->first + static_cast<double>(k) * m->interval), s.y.push_back(m->at(k, v, i));
        all.push_back(std::move(s));
      }
      if (samples > 0)
        html.figure(report::line_chart(all, axes(name + ": " + m->variables[v], "time (ms)", m->variables[v])),
                    "The first " + std::to_string(all.size()) + " recorded neurons of " + d.populations[population].name + ", the first " +
                        std::to_string(samples) + " samples.");
    }
}

// Means and spreads over time, and some synapses one by one.
void weights(report::Html& html, const Described& d) {
  for (const auto& [name, w] : d.weights) {
    const std::size_t n = w->source.size(), samples = w->samples(), apart = (samples + kPoints - 1) / kPoints;
    if (samples == 0) continue;
    Series mean = line("mean"), low = line("mean - sd"), high = line("mean + sd");
    std::vector<Series> all;
    for (std::size_t i = 0; i < std::min(n, kTraces); ++i) {
      const std::size_t at = i * n / std::min(n, kTraces);
      all.push_back(line(std::to_string(w->source[at]) + " to " + std::to_string(w->target[at])));
    }
    for (std::size_t s = 0; s < samples; s += apart) {
      const double* row = w->values.data() + s * n;
      const double time = w->first + static_cast<double>(s) * w->interval;
      double sum = 0, squares = 0;
      for (std::size_t i = 0; i < n; ++i) sum += row[i];
      const double middle = sum / static_cast<double>(n);
      for (std::size_t i = 0; i < n; ++i) squares += (row[i] - middle) * (row[i] - middle);
      const double sd = std::sqrt(squares / static_cast<double>(n));
      for (const auto& [series, value] : {std::pair{&mean, middle}, {&low, middle - sd}, {&high, middle + sd}})
        series->x.push_back(time), series->y.push_back(value);
      for (std::size_t i = 0; i < all.size(); ++i) all[i].x.push_back(time), all[i].y.push_back(row[i * n / all.size()]);
    }
    html.section("Weights: " + name);
    html.figure(report::line_chart({mean, low, high}, axes("Weights of " + name, "time (ms)", "weight")),
                "Mean and standard deviation of " + std::to_string(n) + " recorded synapses.");
    html.figure(report::line_chart(all, axes("Single weights of " + name, "time (ms)", "weight")), "Some of them: source to target.");
    const auto [least, most] = std::minmax_element(w->values.begin(), w->values.end());
    if (!(*most > *least)) continue;
    std::vector<Series> shares;
    for (const std::size_t s : {std::size_t{0}, samples - 1}) {
      const std::vector<double> row(w->values.begin() + static_cast<std::ptrdiff_t>(s * n),
                                    w->values.begin() + static_cast<std::ptrdiff_t>((s + 1) * n));
      Series& share = shares.emplace_back(line("at " + number(w->first + static_cast<double>(s) * w->interval, 6) + " ms"));
      const auto counts = histogram(row, *least, *most, kParts);
      for (std::size_t k = 0; k < kParts; ++k) {
        share.x.push_back(*least + (static_cast<double>(k) + 0.5) * (*most - *least) / kParts);
        share.y.push_back(counts[k] / static_cast<double>(n));
      }
    }
    Axes a = axes("Distribution of " + name, "weight", "share");
    a.y_min = 0, a.width = 420, a.height = 300;
    html.figure(report::line_chart(shares, a), "The first sample and the last.", false);
  }
}

}  // namespace

void write_report(const Described& d, const Outcome& o, const std::filesystem::path& path, const std::string& command) {
  report::Html html(d.name);
  html.subtitle("circuit · seed " + std::to_string(d.options.seed));
  const Timing& t = d.network.timing();
  double n = 0;
  report::Table table{{"population", "model", "neurons", "spikes", "rate", "recorded", "cv", "correlation"}, {}};
  for (std::size_t i = 0; i < d.populations.size(); ++i) {
    const auto& p = d.populations[i];
    const auto& a = o.populations[i].recorded;
    n += p.population.size;
    if (i < 4)
      html.card("rate of " + p.name, of(o.populations[i].rate, " Hz"),
                a ? "cv " + of(a->cv, "") + ", correlation " + of(a->correlation, "") : "");
    table.rows.push_back({p.name, p.model, std::to_string(p.population.size), std::to_string(d.network.spikes(p.population)),
                          of(o.populations[i].rate, " Hz"), a ? std::to_string(a->neurons) : "-", a ? of(a->cv, "") : "-",
                          a ? of(a->correlation, "") : "-"});
  }
  html.summary(si(n, "neurons") + ", " + si(static_cast<double>(d.network.synapses()), "synapses") + ", " +
               number(d.network.time() / 1000) + " s of activity in steps of " + number(d.options.dt) + " ms.");
  html.card("real-time factor", number(o.real_time_factor, 3), si(o.events_per_s, "synaptic events/s"));
  html.section("Activity");
  html.table(table,
             "Rates are of all neurons from 0 ms on; cv (of intervals, mean over neurons with three spikes) and correlation (of spike "
             "counts in bins of " +
                 number(d.bin) + " ms, mean over pairs) of the recorded ones from " + number(d.start) + " ms on.");
  if (!d.spikes.empty()) raster(html, d);
  rates_over_time(html, d, o);
  html.section("Statistics");
  distribution(
      html, d, o, "Rates of neurons", "rate (Hz)", "How unequal neurons are.", 0, 0,
      [](const Activity& a) -> const auto& { return a.rates; });
  distribution(
      html, d, o, "CV of intervals", "cv", "0 is a clock, 1 a Poisson process.", 0, 1,
      [](const Activity& a) -> const auto& { return a.cvs; });
  distribution(
      html, d, o, "Correlation of spike counts", "Pearson's correlation", "Pairs of the first 100 recorded neurons that fired.", 0, 0,
      [](const Activity& a) -> const auto& { return a.correlations; });
  traces(html, d);
  weights(html, d);
  const Machine m = machine();
  html.fact("Machine", m.cpu + ", " + std::to_string(m.cores) + " cores, " + number(m.memory_gib, 3) + " GiB, " + m.system);
  html.fact("Threads", std::to_string(thread_count()));
  html.fact("Time", "built in " + duration_text(t.build) + ", simulated in " + duration_text(t.simulate));
  html.fact("Version", std::string("Apical ") + version());
  html.config(d.toml);
  html.repeat(command);
  html.write(path);
}

}  // namespace apical::brain
