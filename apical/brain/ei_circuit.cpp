#include "apical/brain/ei_circuit.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "apical/base/error.h"
#include "apical/base/text.h"
#include "apical/kernels/circuit/ei_walk.h"

namespace apical::brain {

EiCircuit::EiCircuit(EiOptions options) : options_(std::move(options)) {
  if (!(options_.dt > 0) || !std::isfinite(options_.dt))
    throw usage_error("the step must be positive", "dt " + number(options_.dt) + " ms");
  for (const auto& p : options_.populations) {
    if (p.excitatory && excitatory_ < neurons_) throw usage_error("populations that excite come first", p.name);
    const GifParameters& g = p.neuron;
    for (const auto& [name, value] : {std::pair{"tau", g.tau},
                                      {"tau_1", g.tau_1},
                                      {"tau_2", g.tau_2},
                                      {"tau_ex", g.tau_ex},
                                      {"tau_in", g.tau_in},
                                      {"b", g.b},
                                      {"R", g.R}})
      if (!(value > 0) || !std::isfinite(value)) throw usage_error(std::string(name) + " must be positive", p.name + ": " + number(value));
    if (g.V_th_inf <= g.V_reset || g.V_th_reset <= g.V_reset) throw usage_error("V_reset must be below the threshold", p.name);
    neurons_ += p.n;
    if (p.excitatory) excitatory_ = neurons_;
  }
  if (neurons_ == 0) throw usage_error("the circuit has no neurons");
  weights.resize(std::size_t{inputs() + neurons_} * neurons_);
}

std::vector<double> EiCircuit::constants() const {
  std::vector<double> all(kernels::kEiConstants * neurons_);
  std::size_t first = 0;
  for (const auto& p : options_.populations) {
    const GifParameters& g = p.neuron;
    const double dt = options_.dt, m = std::exp(-dt / g.tau), q = std::exp(-dt * g.b);
    const double of_neuron[kernels::kEiConstants] = {m,
                                                     1e-3 * g.R * (1 - m),  // mV/pA
                                                     q,
                                                     g.a * (1 - q) / g.b,
                                                     (1 - q) * (g.V_th_inf - g.V_rest),
                                                     std::exp(-dt / g.tau_1),
                                                     std::exp(-dt / g.tau_2),
                                                     std::exp(-dt / g.tau_ex),
                                                     std::exp(-dt / g.tau_in),
                                                     g.R_1,
                                                     g.R_2,
                                                     g.A_1,
                                                     g.A_2,
                                                     g.V_reset - g.V_rest,
                                                     g.V_th_reset - g.V_rest,
                                                     g.V_th_inf - g.V_rest};
    for (std::size_t k = 0; k < kernels::kEiConstants; ++k)
      std::fill_n(all.begin() + static_cast<std::ptrdiff_t>(k * neurons_ + first), p.n, of_neuron[k]);
    first += p.n;
  }
  return all;
}

void EiCircuit::obey_dale() noexcept {
  for (std::size_t j = 0; j < inputs() + neurons_; ++j)
    for (std::size_t i = 0; i < neurons_; ++i) {
      float& w = weights[j * neurons_ + i];
      if (j == inputs() + i || (j < inputs() + excitatory_ ? w < 0 : w > 0)) w = 0;
    }
}

const EquationModel& gif_model() {
  static const EquationModel model({.equations = R"(
      dV/dt = (V_rest - V + R * (I_1 + I_2 + I_ex + I_in)) / tau : mV
      dV_th/dt = a * (V - V_rest) - b * (V_th - V_th_inf) : mV
      dI_1/dt = -I_1 / tau_1 : pA
      dI_2/dt = -I_2 / tau_2 : pA
      dI_ex/dt = -I_ex / tau_ex : pA
      dI_in/dt = -I_in / tau_in : pA
      tau : ms
      V_rest : mV
      V_reset : mV
      V_th_inf : mV
      V_th_reset : mV
      R : MOhm
      a : 1/ms
      b : 1/ms
      tau_1 : ms
      tau_2 : ms
      R_1 : 1
      R_2 : 1
      A_1 : pA
      A_2 : pA
      tau_ex : ms
      tau_in : ms
    )",
                                    .threshold = "V >= V_th",
                                    .reset = "I_1 = R_1 * I_1 + A_1; I_2 = R_2 * I_2 + A_2; V = V_reset; V_th = max(V_th_reset, V_th)",
                                    .excitatory = "I_ex += w",
                                    .inhibitory = "I_in += w",
                                    .initial = "V = V_rest; V_th = V_th_inf",
                                    .method = "exponential_euler",
                                    .name = "gif"});
  return model;
}

namespace {

Parameters parameters(const GifParameters& g) {
  return {{"tau", g.tau},
          {"V_rest", g.V_rest},
          {"V_reset", g.V_reset},
          {"V_th_inf", g.V_th_inf},
          {"V_th_reset", g.V_th_reset},
          {"R", g.R},
          {"a", g.a},
          {"b", g.b},
          {"tau_1", g.tau_1},
          {"tau_2", g.tau_2},
          {"R_1", g.R_1},
          {"R_2", g.R_2},
          {"A_1", g.A_1},
          {"A_2", g.A_2},
          {"tau_ex", g.tau_ex},
          {"tau_in", g.tau_in}};
}

// Neurons of a circuit that are one population of the network: they send from row `source` of the weights on.
struct Part {
  Population population;
  std::uint32_t source;
};

void connect(Network& net, const EiCircuit& c, const Part& from, const Part& to) {
  SynapseTable table;
  const std::uint32_t first = to.source - c.inputs();
  for (std::uint32_t j = 0; j < from.population.size; ++j)
    for (std::uint32_t i = 0; i < to.population.size; ++i)
      if (const float w = c.weights[std::size_t{from.source + j} * c.neurons() + first + i]; w != 0)
        table.source.push_back(j), table.target.push_back(i), table.weight.push_back(w);
  if (!table.source.empty()) net.connect(from.population, to.population, table, {.delay = c.options().dt});
}

}  // namespace

SpikeRecord simulate(const EiCircuit& circuit, std::span<const std::vector<std::uint32_t>> trains, std::uint32_t steps,
                     bool double_precision) {
  if (trains.size() != circuit.inputs())
    throw usage_error("the circuit needs as many spike trains as inputs",
                      std::to_string(trains.size()) + " and " + std::to_string(circuit.inputs()));
  constexpr std::uint32_t kLead = 2;  // steps from a generator to a parrot, and on to the neurons; the circuit rests meanwhile
  const double dt = circuit.options().dt;
  Network net({.dt = dt, .double_precision = double_precision});
  std::vector<Part> sources, neurons;
  if (circuit.inputs() > 0) {
    const auto inputs = net.create("parrot_neuron", circuit.inputs(), {}, "inputs");
    for (std::uint32_t k = 0; k < circuit.inputs(); ++k) {
      SpikeGenerator generator;
      for (const auto step : trains[k])
        if (step < steps) generator.times.push_back((step + 1) * dt);
      if (!generator.times.empty()) net.connect(generator, inputs.slice(k, 1), 1, dt);
    }
    sources.push_back({inputs, 0});
  }
  std::vector<const SpikeRecord*> records;
  for (std::uint32_t source = circuit.inputs(); const auto& p : circuit.options().populations) {
    if (p.n == 0) continue;
    const Part part{net.create(gif_model(), p.n, parameters(p.neuron), p.name), source};
    records.push_back(&net.record_spikes(part.population));
    neurons.push_back(part), sources.push_back(part), source += p.n;
  }
  for (const Part& from : sources)
    for (const Part& to : neurons) connect(net, circuit, from, to);
  net.simulate((steps + kLead) * dt);

  std::vector<std::pair<std::uint32_t, std::uint32_t>> spikes;
  for (std::size_t k = 0; k < records.size(); ++k)
    for (std::size_t i = 0; i < records[k]->size(); ++i)
      spikes.emplace_back(records[k]->step[i] - 1 - kLead, neurons[k].source - circuit.inputs() + records[k]->neuron[i]);
  std::sort(spikes.begin(), spikes.end());
  SpikeRecord all{{0, 0, circuit.neurons()}, dt, {}, {}};
  for (const auto& [step, neuron] : spikes) all.step.push_back(step), all.neuron.push_back(neuron);
  return all;
}

}  // namespace apical::brain
