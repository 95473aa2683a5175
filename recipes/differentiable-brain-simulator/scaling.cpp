// Networks by size, by threads, by the kind of neuron.
#include <algorithm>
#include <cmath>
#include <deque>

#include "apical/base/log.h"
#include "apical/base/progress.h"
#include "apical/base/text.h"
#include "apical/base/thread_pool.h"
#include "apical/brain/statistics.h"
#include "recipes/differentiable-brain-simulator/study.h"

namespace apical::simulator {

namespace {

struct Settings {
  double warmup, time;  // ms
  std::size_t repeats;
  double end() const { return warmup + static_cast<double>(repeats) * time; }
};

struct Running {
  const char* name;
  Cells cells;
  Wiring wiring;
  std::size_t scale;
  int threads;
  Coba coba;
  std::vector<double> seconds{};  // of each stretch
  double median() const { return report::median(seconds); }
};

// Both populations together.
struct Behaviour {
  double rate, cv;  // Hz; mean over neurons
};
Behaviour behaviour(const Coba& c, double start, double stop) {
  double rate = 0, cv = 0, with_cv = 0;
  for (const auto* r : {c.e_spikes, c.i_spikes}) {
    const auto a = brain::activity(*r, start, stop, 5);
    rate += a.rate * a.neurons;
    for (const double v : a.cvs) cv += v, with_cv += 1;
  }
  return {rate / (c.e.size + c.i.size), cv / with_cv};
}

void show(recipe::RunContext& c, const Coba& n, const Settings& s) {
  const double stop = std::min(s.warmup + 300, s.end());
  report::Axes a = axes("COBA-LIF: spikes", "ms", "");
  a.x_min = s.warmup, a.x_max = stop;
  std::vector<report::RasterLayer> layers{{"E", 160, {}}, {"I", 40, {}}};
  std::vector<report::Series> rates(2);
  for (std::size_t p = 0; p < 2; ++p) {
    const auto& r = p ? *n.i_spikes : *n.e_spikes;
    for (std::size_t k = 0; k < r.size(); ++k)
      if (r.neuron[k] < layers[p].neurons && r.time(k) > s.warmup && r.time(k) <= stop)
        layers[p].spikes.emplace_back(r.time(k), r.neuron[k]);
    rates[p].name = p ? "I" : "E", rates[p].y = brain::activity(r, s.warmup, s.end(), 5).bins;
    for (std::size_t k = 0; k < rates[p].y.size(); ++k) rates[p].x.push_back(s.warmup + 5 * (static_cast<double>(k) + 0.5));
  }
  c.html.figure(report::spike_raster(layers, a), "Some neurons of benchmark model 1, after the onset.");
  c.html.figure(report::line_chart(rates, axes("COBA-LIF: rates in bins of 5 ms", "ms", "Hz")), "The whole populations.");
}

// All networks of one seed, the stretches of one after those of the others, so that what else the machine does meets them all.
std::deque<Running> simulate(recipe::RunContext& c, const std::vector<std::size_t>& scales, const Settings& s, std::uint64_t seed) {
  std::deque<Running> all;
  const auto add = [&](const char* name, Cells cells, Wiring wiring, std::size_t scale, int threads) {
    all.push_back({name, cells, wiring, scale, threads, coba(cells, wiring, scale, seed)});
  };
  add("LIF, p = 0.02", Cells::lif, Wiring::pairs, 1, 1);
  for (const std::size_t scale : scales)
    for (const int threads : {1, 2}) add("LIF", Cells::lif, Wiring::inputs, scale, threads);
  add("LIF from text", Cells::lif_text, Wiring::inputs, 1, 1);
  for (const int threads : {1, 2}) add("Hodgkin-Huxley", Cells::hh, Wiring::inputs, 1, threads);
  add("Hodgkin-Huxley from text", Cells::hh_text, Wiring::inputs, 1, 1);
  Progress progress("networks, seed " + std::to_string(seed), all.size() * (s.repeats + 1), "stretches");
  for (std::size_t repeat = 0; repeat < s.repeats + 1; ++repeat)
    for (auto& n : all) {
      set_thread_count(n.threads);
      if (repeat == 0)
        n.coba.net.simulate(s.warmup);
      else
        n.seconds.push_back(seconds([&] { n.coba.net.simulate(s.time); }));
      progress.advance();
      c.check_stop();
    }
  progress.finish();
  set_thread_count(c.threads);
  return all;
}

}  // namespace

void scaling(recipe::RunContext& c) {
  const auto scales = counts(c, "scaling.scales", 1000);
  const Settings s{positive(c, "scaling.warmup", 1e5), positive(c, "scaling.time", 1e6), count(c, "scaling.repeats", 100)};
  std::size_t of_threads = 0;
  report::Table table{
      {"seed", "network", "neurons", "synapses", "threads", "rate (Hz)", "CV", "time of a second", "per neuron, to scale 1"}, {}};
  std::vector<report::Series> lines(2);
  c.html.section("Networks by size");
  for (const auto seed : c.seeds) {
    const auto all = simulate(c, scales, s, static_cast<std::uint64_t>(seed));
    const double per_second = 1000 / s.time;
    const auto find = [&](Cells cells, Wiring wiring, std::size_t scale, int threads) -> const Running* {
      for (const auto& n : all)
        if (n.cells == cells && n.wiring == wiring && n.scale == scale && n.threads == threads) return &n;
      return nullptr;
    };
    double farthest = 1;
    for (const auto& n : all) {
      const auto b = behaviour(n.coba, s.warmup, s.end());
      const Running* one = find(n.cells, n.wiring, 1, n.threads);
      const double ratio = one ? n.median() / one->median() / static_cast<double>(n.scale) : std::nan("");
      if (n.threads == 1 && std::fabs(ratio - 1) > std::fabs(farthest - 1)) farthest = ratio;
      table.rows.push_back({std::to_string(seed), n.name, std::to_string(4000 * n.scale), std::to_string(n.coba.net.synapses()),
                            std::to_string(n.threads), number(b.rate, 3), number(b.cv, 3), si(n.median() * per_second, "s"),
                            number(ratio, 3)});
      if (n.threads == 2) of_threads += differences(n.coba, find(n.cells, n.wiring, n.scale, 1)->coba);
      if (n.cells == Cells::lif && n.wiring == Wiring::inputs) {
        const std::string at = std::to_string(n.scale) + (n.threads == 1 ? "" : "_2_threads");
        c.result.set_seed("coba_real_time_factor_scale_" + at, seed, n.median() * per_second);
        if (n.threads == 1) c.result.set_seed("coba_rate_scale_" + at, seed, b.rate);
        if (seed == c.seeds.front()) {
          auto& line = lines[static_cast<std::size_t>(n.threads - 1)];
          line.x.push_back(4000.0 * static_cast<double>(n.scale)), line.y.push_back(n.median() * per_second);
        }
      }
    }
    const auto& model = *find(Cells::lif, Wiring::pairs, 1, 1);
    const auto b = behaviour(model.coba, s.warmup, s.end());
    c.result.set_seed("coba_rate", seed, b.rate), c.result.set_seed("coba_cv", seed, b.cv);
    c.result.set_seed("coba_seconds", seed, model.median() * per_second);
    c.result.set_seed("cost_ratio", seed, farthest);
    if (const Running* lif = find(Cells::lif, Wiring::inputs, 1, 1), *hh = find(Cells::hh, Wiring::inputs, 1, 1); lif && hh)
      c.result.set_seed("hh_ratio", seed, hh->median() / lif->median());
    const auto &lif = *find(Cells::lif_text, Wiring::inputs, 1, 1), &hh = *find(Cells::hh_text, Wiring::inputs, 1, 1);
    c.result.set_seed("hh_ratio_text", seed, hh.median() / lif.median());
    for (const auto& [name, n] :
         {std::pair{"hh_rate", find(Cells::hh, Wiring::inputs, 1, 1)}, {"hh_rate_text", &hh}, {"coba_rate_text", &lif}})
      c.result.set_seed(name, seed, behaviour(n->coba, s.warmup, s.end()).rate);
    if (seed == c.seeds.front()) show(c, model.coba, s);
  }
  c.result.set("thread_differences", static_cast<double>(of_threads));
  for (std::size_t t = 0; t < 2; ++t) lines[t].name = std::to_string(t + 1) + (t ? " threads" : " thread"), lines[t].markers = true;
  c.html.figure(
      report::line_chart(lines, axes("COBA-LIF: real-time factor", "neurons, 80 inputs each", "seconds for a second", true, true)),
      "Below 1: faster than the real thing. Seed " + std::to_string(c.seeds.front()) + ".");
  c.html.paragraph(
      "LIF: benchmark model 1 on iaf_cond_exp, whose equations it has (solved to 2e-6 mV); from text: the card's exponential Euler. "
      "Hodgkin-Huxley: model 2 on hh_cond_exp_traub, kicked for 50 ms, solved to some 1e-5 mV; from text: exponential Euler again, from "
      "conductances that set it going.");
  c.html.table(table, "After " + number(s.warmup) + " ms: rates and CV over " + number(s.end() - s.warmup) + " ms, times as medians of " +
                          std::to_string(s.repeats) + " stretches, taken in turn. Building is not counted. " +
                          (of_threads ? std::to_string(of_threads) + " spikes depend on the threads." : "The threads change no spike."));
  const auto& m = c.result.metrics;
  c.html.card("COBA, 4,000 neurons", number(m.at("coba_seconds"), 3) + " s",
              "for a second, one thread; " + number(m.at("coba_rate"), 3) + " Hz, CV " + number(m.at("coba_cv"), 3));
}

}  // namespace apical::simulator
