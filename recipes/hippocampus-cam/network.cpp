// The memory on apical/brain.
#include "apical/brain/network.h"

#include <algorithm>
#include <cmath>

#include "recipes/hippocampus-cam/cam.h"

namespace apical::cam {

// Input is a generator for each of its neurons. The engine sends a generator's spike of time t in the step before t: so its clock is one
// step ahead, and a spike recorded at t has time t - 1 here. nA and nF are thousands of pA and pF.
struct SpikingCam::Impl {
  static constexpr double kUnit = 1000;
  explicit Impl(const Options& options) : o(options), c(circuit(options)), net({.dt = 1, .seed = options.seed, .double_precision = true}) {
    for (const auto& cells : c.cells)
      populations.push_back(net.create("if_curr_exp", cells.size,
                                       {{"E_L", kRest},
                                        {"V_reset", kRest},
                                        {"V_m", kRest},
                                        {"V_th", cells.v_th},
                                        {"C_m", cells.C * kUnit},
                                        {"tau_m", cells.tau_m},
                                        {"tau_syn_ex", kTauSyn},
                                        {"tau_syn_in", kTauSyn},
                                        {"t_ref", kRefractory},
                                        {"tau_minus", kTauStdp}},
                                       cells.name));
    for (const auto& w : c.wires) {
      if (w.from < 0) continue;
      const auto projection = connect(w);
      if (w.learns) learning.push_back(projection);
    }
    for (const auto p : populations) records.push_back(&net.record_spikes(p));
    read.resize(records.size());
  }

  brain::Projection connect(const Wires& w) {
    const auto from = populations[static_cast<std::size_t>(w.from)];
    auto to = populations[static_cast<std::size_t>(w.to)];
    if (w.to == output) to = w.from == merge_cue ? to.slice(0, o.cues) : to.slice(o.cues, o.content);
    brain::Synapses synapses{.weight = w.weight * kUnit, .delay = static_cast<double>(w.delay)};
    if (w.learns) {
      synapses.model = "stdp_synapse";
      synapses.parameters = {{"tau_plus", kTauStdp},     {"lambda", kStep / kLargest},     {"alpha", 1}, {"mu_plus", 0}, {"mu_minus", 0},
                             {"Wmax", kLargest * kUnit}, {"tie", o.tie_depression ? 1 : 0}};
    }
    if (w.rule == Wires::Rule::one_to_one) return net.connect(from, to, brain::Rule::one_to_one(), synapses);
    if (w.rule == Wires::Rule::all_to_all) return net.connect(from, to, brain::Rule::all_to_all(), synapses);
    if (w.from == w.to) return net.connect(from, to, brain::Rule::all_to_all({.allow_autapses = false}), synapses);
    brain::Projection last;
    for (std::uint32_t i = 0; i < from.size; ++i)  // own: the neuron of the same number in another population
      for (const auto& [first, count] : {std::pair(0u, i), std::pair(i + 1, to.size - i - 1)})
        if (count > 0) last = net.connect(from.slice(i, 1), to.slice(first, count), brain::Rule::all_to_all(), synapses);
    return last;
  }

  std::int64_t now() const { return std::llround(net.time()); }

  void drive(const std::vector<Operation>& operations, std::int64_t start) {
    std::vector<std::vector<double>> times[2] = {std::vector<std::vector<double>>(o.cues), std::vector<std::vector<double>>(o.content)};
    for (const auto& op : operations)
      for (int pulse = 0; pulse < op.pulses; ++pulse)
        for (const bool cue : {true, false})
          for (const auto i : cue ? op.cues : op.content) times[!cue][i].push_back(static_cast<double>(start + op.time + pulse + 1));
    for (const auto& w : c.wires) {
      if (w.from >= 0) continue;
      const auto& of = times[-1 - w.from];
      for (std::uint32_t i = 0; i < of.size(); ++i)
        if (!of[i].empty())
          net.connect(brain::SpikeGenerator{of[i]}, populations[static_cast<std::size_t>(w.to)].slice(i, 1), w.weight * kUnit, w.delay);
    }
  }

  Weights weights(std::size_t which) {
    Weights w;
    for (const double pA : net.synapses(learning[which]).weight) w.push_back(pA / kUnit);
    return w;
  }

  Options o;
  Circuit c;
  brain::Network net;
  std::vector<brain::Population> populations;
  std::vector<brain::Projection> learning;
  std::vector<const brain::SpikeRecord*> records;
  std::vector<std::size_t> read;  // spikes of each record that earlier runs have given
};

SpikingCam::SpikingCam(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
SpikingCam::~SpikingCam() = default;

Run SpikingCam::run(const std::vector<Operation>& operations, std::int64_t after) {
  Impl& m = *impl_;
  check(operations, m.o);
  const std::int64_t start = m.now(), ms = (operations.empty() ? 0 : operations.back().time) + after;
  const std::uint64_t events = m.net.events();
  m.drive(operations, start);
  m.net.simulate(static_cast<double>(ms));
  Run run;
  for (std::size_t p = 0; p < m.records.size(); ++p)
    for (auto& i = m.read[p]; i < m.records[p]->size(); ++i)
      run.spikes.push_back({std::int64_t{m.records[p]->step[i]} - 1 - start, static_cast<int>(p), m.records[p]->neuron[i]});
  std::sort(run.spikes.begin(), run.spikes.end());
  run.answers = answers(operations, run.spikes, m.o);
  run.events = m.net.events() - events;
  std::uint64_t cells = 0;
  for (const auto& c : m.c.cells) cells += c.size;
  for (const auto& op : operations) run.events += static_cast<std::uint64_t>(op.pulses) * (op.cues.size() + op.content.size());
  run.cell_updates = cells * static_cast<std::uint64_t>(ms);
  return run;
}

void SpikingCam::learn(std::uint32_t cue, const Neurons& content, std::int64_t spacing) {
  run({Operation::learn(0, cue, content)}, spacing);
}
Neurons SpikingCam::recall_by_cue(std::uint32_t cue, std::int64_t spacing) { return run({Operation::by_cue(0, cue)}, spacing).answers[0]; }
Neurons SpikingCam::recall_by_content(const Neurons& content, std::int64_t spacing) {
  return run({Operation::by_content(0, content)}, spacing).answers[0];
}
Weights SpikingCam::forward() const { return impl_->weights(0); }
Weights SpikingCam::backward() const { return impl_->weights(1); }
std::int64_t SpikingCam::time() const { return impl_->now(); }

}  // namespace apical::cam
