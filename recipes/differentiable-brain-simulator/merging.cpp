// The same network with the state of its synapses in three places, and on the engine.
#include "recipes/differentiable-brain-simulator/merging.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>

#include "apical/base/text.h"

namespace apical::simulator {

namespace {

constexpr double kStep = 0.1;                          // ms
constexpr std::array<double, 2> kTau = {5, 10};        // ms, excitatory and inhibitory
constexpr std::array<double, 2> kReversal = {0, -80};  // mV

// Conductances of all neurons: advance() makes a step of it, in which spikes of `sources` arrive.
class Synapses {
 public:
  explicit Synapses(const Wires& w) : w_(w), g_{std::vector<double>(w.neurons), std::vector<double>(w.neurons)} {
    for (int k = 0; k < 2; ++k) left_[k] = std::exp(-kStep / kTau[k]);
  }
  virtual ~Synapses() = default;
  virtual void advance(const std::vector<std::uint32_t>& sources) = 0;
  virtual std::size_t state_bytes() const = 0;
  double conductance(int kind, std::size_t neuron) const { return g_[kind][neuron]; }

 protected:
  int kind(std::uint32_t source) const { return source >= w_.excitatory; }
  const Wires& w_;
  std::array<std::vector<double>, 2> g_;  // of each neuron
  double left_[2];
};

// What spikes of a source reach: its synapses, by number.
struct BySource {
  explicit BySource(const Wires& w) : first(w.neurons + 1), synapse(w.source.size()) {
    for (const auto s : w.source) ++first[s + 1];
    std::partial_sum(first.begin(), first.end(), first.begin());
    auto next = first;
    for (std::size_t k = 0; k < w.source.size(); ++k) synapse[next[w.source[k]]++] = k;
  }
  template <class Visit>
  void each(const std::vector<std::uint32_t>& sources, Visit visit) const {
    for (const auto s : sources)
      for (std::size_t k = first[s]; k < first[s + 1]; ++k) visit(synapse[k]);
  }
  std::vector<std::size_t> first, synapse;
};

class PerSynapse final : public Synapses {
 public:
  explicit PerSynapse(const Wires& w) : Synapses(w), by_source_(w), s_(w.source.size()) {}
  void advance(const std::vector<std::uint32_t>& sources) override {
    for (std::size_t k = 0; k < s_.size(); ++k) s_[k] *= left_[kind(w_.source[k])];
    by_source_.each(sources, [&](std::size_t k) { s_[k] += w_.weight[k]; });
    for (auto& g : g_) std::fill(g.begin(), g.end(), 0.0);
    for (std::size_t k = 0; k < s_.size(); ++k) g_[kind(w_.source[k])][w_.target[k]] += s_[k];
  }
  std::size_t state_bytes() const override { return s_.size() * sizeof(double); }

 private:
  BySource by_source_;
  std::vector<double> s_;
};

class PerSource final : public Synapses {
 public:
  explicit PerSource(const Wires& w) : Synapses(w), s_(w.neurons) {}
  void advance(const std::vector<std::uint32_t>& sources) override {
    for (std::size_t i = 0; i < s_.size(); ++i) s_[i] *= left_[kind(static_cast<std::uint32_t>(i))];
    for (const auto i : sources) s_[i] += 1;
    for (auto& g : g_) std::fill(g.begin(), g.end(), 0.0);
    for (std::size_t k = 0; k < w_.source.size(); ++k) g_[kind(w_.source[k])][w_.target[k]] += w_.weight[k] * s_[w_.source[k]];
  }
  std::size_t state_bytes() const override { return s_.size() * sizeof(double); }

 private:
  std::vector<double> s_;
};

class PerTarget final : public Synapses {
 public:
  explicit PerTarget(const Wires& w) : Synapses(w), by_source_(w) {}
  void advance(const std::vector<std::uint32_t>& sources) override {
    for (int k = 0; k < 2; ++k)
      for (double& g : g_[k]) g *= left_[k];
    by_source_.each(sources, [&](std::size_t k) { g_[kind(w_.source[k])][w_.target[k]] += w_.weight[k]; });
  }
  std::size_t state_bytes() const override { return 2 * w_.neurons * sizeof(double); }

 private:
  BySource by_source_;
};

std::unique_ptr<Synapses> make(Form form, const Wires& w) {
  if (form == Form::per_synapse) return std::make_unique<PerSynapse>(w);
  if (form == Form::per_source) return std::make_unique<PerSource>(w);
  return std::make_unique<PerTarget>(w);
}

}  // namespace

Wires wires(Coba& c) {
  struct One {
    std::uint32_t source, target;
    double weight;
  };
  std::vector<One> all;
  for (std::size_t p = 0; p < c.projections.size(); ++p) {
    const auto t = c.net.synapses(c.projections[p]);
    const std::uint32_t from = p >= 2 ? c.e.size : 0, to = p % 2 ? c.e.size : 0;
    for (std::size_t k = 0; k < t.source.size(); ++k) all.push_back({from + t.source[k], to + t.target[k], std::fabs(t.weight[k])});
  }
  std::stable_sort(all.begin(), all.end(), [](const One& a, const One& b) { return a.target < b.target; });
  Wires w;
  w.neurons = c.e.size + c.i.size, w.excitatory = c.e.size;
  for (const auto& s : all) w.source.push_back(s.source), w.target.push_back(s.target), w.weight.push_back(s.weight);
  return w;
}

FormRun run_form(Form form, const Wires& w, const std::vector<double>& start, std::size_t steps) {
  FormRun run;
  run.v.reserve(steps * w.neurons);
  const auto synapses = make(form, w);
  run.state_bytes = synapses->state_bytes();
  run.seconds = seconds([&] {
    std::vector<double> v = start;
    std::vector<int> refractory(w.neurons);
    std::vector<std::uint32_t> sent, fired;
    for (std::size_t step = 0; step < steps; ++step) {
      for (std::size_t i = 0; i < w.neurons; ++i) {
        if (refractory[i] > 0) continue;
        const double ge = synapses->conductance(0, i), gi = synapses->conductance(1, i);
        const double slope = (-(v[i] + 60) + ge * (kReversal[0] - v[i]) + gi * (kReversal[1] - v[i]) + 20) / 20, b = (1 + ge + gi) / 20;
        v[i] += slope * -std::expm1(-b * kStep) / b;
      }
      synapses->advance(sent);
      fired.clear();
      for (std::size_t i = 0; i < w.neurons; ++i) {
        if (refractory[i] > 0)
          --refractory[i];
        else if (v[i] >= -50)
          v[i] = -60, refractory[i] = 50, fired.push_back(static_cast<std::uint32_t>(i));
      }
      run.spikes += fired.size(), sent.swap(fired);
      run.v.insert(run.v.end(), v.begin(), v.end());
    }
  });
  return run;
}

namespace {

double relative_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::fabs(a[i] - b[i]) / std::fabs(b[i]));
  return a.size() == b.size() ? worst : INFINITY;
}

// The engine's run of the same network, membranes [steps, neurons].
struct EngineRun {
  std::vector<double> v, start;
  Wires wires;
  std::size_t spikes = 0;
  double seconds = 0;
};
EngineRun run_engine(std::size_t scale, std::uint64_t seed, double time, bool double_precision) {
  EngineRun run;
  auto c = coba(Cells::lif_text, Wiring::pairs, scale, seed, double_precision);
  const auto& e = c.net.record(c.e, {"v"}, kStep);
  const auto& i = c.net.record(c.i, {"v"}, kStep);
  c.net.build();
  run.wires = wires(c);
  const auto saved = c.net.state();
  for (const auto& [name, n] : {std::pair{"state0", c.e.size}, {"state1", c.i.size}}) {  // the first state is the first equation's: v
    const auto state = saved.at(name).as<double>();
    run.start.insert(run.start.end(), state.begin(), state.begin() + n);
  }
  run.seconds = seconds([&] { c.net.simulate(time); });
  for (std::size_t s = 0; s < e.samples(); ++s)
    for (const auto* m : {&e, &i}) {
      const auto row = m->values.begin() + static_cast<std::ptrdiff_t>(s * m->population.size);
      run.v.insert(run.v.end(), row, row + m->population.size);
    }
  run.spikes = c.net.spikes(c.e) + c.net.spikes(c.i);
  return run;
}

}  // namespace

void merging(recipe::RunContext& c) {
  const std::size_t scale = count(c, "merging.scale", 16);
  const double time = positive(c, "merging.time", 1000);
  const auto steps = static_cast<std::size_t>(std::lround(time / kStep));
  report::Table table{{"seed", "state", "bytes", "time", "spikes", "largest relative difference of V"}, {}};
  double worst = 0, worst_single = 0;
  std::vector<report::Series> traces;
  for (const auto seed : c.seeds) {
    const auto engine = run_engine(scale, static_cast<std::uint64_t>(seed), time, true);
    const auto single = run_engine(scale, static_cast<std::uint64_t>(seed), time, false);
    const auto row = [&](const std::string& name, std::size_t bytes, double took, std::size_t spikes, double difference) {
      table.rows.push_back({std::to_string(seed), name, bytes_text(static_cast<double>(bytes)), si(took, "s"), std::to_string(spikes),
                            number(difference, 3)});
    };
    std::vector<FormRun> runs;
    for (const Form form : kForms) {
      runs.push_back(run_form(form, engine.wires, engine.start, steps));
      c.check_stop();
    }
    const auto& reference = runs[0];
    const char* const names[] = {"each synapse", "source (AlignPre)", "target (AlignPost), the same loop"};
    for (std::size_t f = 0; f < runs.size(); ++f) {
      const double difference = relative_difference(runs[f].v, reference.v);
      worst = std::max(worst, difference);
      row(names[f], runs[f].state_bytes, runs[f].seconds, runs[f].spikes, difference);
    }
    const double of_engine = relative_difference(engine.v, reference.v), of_single = relative_difference(single.v, reference.v);
    worst = std::max(worst, of_engine), worst_single = std::max(worst_single, of_single);
    row("target, the engine", runs[2].state_bytes, engine.seconds, engine.spikes, of_engine);
    row("target, the engine, weights in float32", runs[2].state_bytes, single.seconds, single.spikes, of_single);
    c.result.set_seed("state_memory_ratio", seed, static_cast<double>(reference.state_bytes) / static_cast<double>(runs[2].state_bytes));
    c.result.set_seed("merged_speedup", seed, reference.seconds / runs[2].seconds);
    c.result.set_seed("merged_speedup_engine", seed, reference.seconds / engine.seconds);
    if (seed != c.seeds.front()) continue;
    for (const std::size_t neuron : {std::size_t{0}, engine.wires.excitatory})
      for (const auto& [name, v] : {std::pair{"each synapse", &reference.v}, {"the engine", &engine.v}}) {
        auto& line = traces.emplace_back();
        line.name = std::string(neuron ? "I, " : "E, ") + name, line.dashed = v == &engine.v;
        for (std::size_t s = 0; s < steps; ++s)
          line.x.push_back(static_cast<double>(s + 1) * kStep), line.y.push_back((*v)[s * engine.wires.neurons + neuron]);
      }
  }
  c.result.set("form_difference", worst), c.result.set("form_difference_single", worst_single);
  c.html.section("Where the state of synapses lives");
  c.html.paragraph(
      "COBA from text by exponential Euler (benchmark model 1, p = 0.02). Three plain loops in float64 keep the conductance in each "
      "synapse, as a trace of each "
      "source that "
      "every synapse reads in every step, or in the target, where all synapses of one time constant are one number. The engine of "
      "apical/brain does the last; "
      "its weights and what arrives are float64 here, and float32 by default.");
  c.html.table(table, "The first " + number(time) +
                          " ms; bytes of synaptic state alone; the time of the engine includes recording every membrane in every step.");
  c.html.figure(report::line_chart(traces, axes("A membrane of each population", "ms", "mV")),
                "The lines of the engine lie on those of the reference.");
  c.html.card("State per synapse over per neuron", number(c.result.metrics["state_memory_ratio"], 3) + " x bytes",
              "membranes differ by " + number(worst, 2) + " at most");
}

}  // namespace apical::simulator
