#include "apical/energy/energy.h"

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::energy {
namespace {

constexpr const char* horowitz =
    "M. Horowitz, \"Computing's energy problem (and what we can do about it)\", ISSCC 2014, figure 1.1.9 (45 nm, 0.9 V)";

// Horowitz' prices in pJ: float32 add 0.9, multiply 3.7; int32 add 0.1, multiply 3.1; int8 multiply 0.2; 64 bits from a cache
// of 32 KB 20, of 1 MB 100, from DRAM 1300 to 2600.
constexpr double add32f = 0.9, mul32f = 3.7, add32i = 0.1, mul32i = 3.1, mul8i = 0.2;
constexpr double cache32k_byte = 20.0 / 8, cache1m_byte = 100.0 / 8, dram_byte = 1300.0 / 8;
// Charge (one product, one sum) and comparison with the threshold, taken as another sum.
constexpr double membrane32f = mul32f + 2 * add32f, membrane32i = mul32i + 2 * add32i;

std::vector<Profile> make() {
  const std::string h = horowitz;
  return {
      {"45nm-operations",
       "45 nm, float32, arithmetic alone (the figure most papers give: 0.9 pJ an AC, 4.6 pJ a MAC; no memory, no membranes)", h, add32f,
       add32f + mul32f, 0, 0, 0, 0},
      {"45nm-sram", "45 nm, float32, arithmetic, membranes and memory: everything in a 32 KB cache (20 pJ for 64 bits)", h, add32f,
       add32f + mul32f, membrane32f, cache32k_byte, cache32k_byte, cache32k_byte},
      {"45nm-sram-1mb", "45 nm, float32: as 45nm-sram, weights in a 1 MB cache (100 pJ for 64 bits)", h, add32f, add32f + mul32f,
       membrane32f, cache1m_byte, cache32k_byte, cache32k_byte},
      {"45nm-dram", "45 nm, float32: as 45nm-sram, weights from DRAM (1.3 nJ for 64 bits, the lower figure of the source)", h, add32f,
       add32f + mul32f, membrane32f, dram_byte, cache32k_byte, cache32k_byte},
      {"45nm-int8", "45 nm, weights and activations of 8 bits, sums and membranes of 32: everything in a 32 KB cache", h, add32i,
       add32i + mul8i, membrane32i, cache32k_byte / 4, cache32k_byte / 4, cache32k_byte},
      {"loihi", "Loihi, 14 nm: 23.6 pJ a synaptic operation, 81 pJ an active neuron update, memory on the core included; no MACs",
       "M. Davies et al., \"Loihi: a neuromorphic manycore processor with on-chip learning\", IEEE Micro 38(1), 2018, table 2 (0.75 V)",
       23.6, std::nullopt, 81, 0, 0, 0},
      {"two-point-cells", "80 pJ (8e-5 uJ) a synapse that a nonzero activation reaches, whatever it is worth; nothing else",
       "A. Adeel et al., \"Unlocking the potential of two-point cells for energy-efficient and resilient training of deep nets\", IEEE TETCI, 2023",
       80, 80, 0, 0, 0, 0},
  };
}

struct Work {
  double acs, macs, membranes, weight_bytes, activation_bytes, state_bytes;
};

std::optional<Joules> price(const Work& w, const Profile& p, double samples) {
  if (w.macs > 0 && !p.mac_pj) return {};
  const double unit = 1e-12 / samples;
  return Joules{(w.acs * p.ac_pj + w.macs * p.mac_pj.value_or(0)) * unit, w.membranes * p.membrane_pj * unit,
                w.weight_bytes * p.weight_byte_pj * unit, w.activation_bytes * p.activation_byte_pj * unit,
                w.state_bytes * p.state_byte_pj * unit};
}

void need_samples(const graph::OpCounts& c) {
  if (!(c.samples > 0)) throw data_error("no sample was counted", "energy", "Give data with at least one sample.");
}

}  // namespace

const std::vector<Profile>& profiles() {
  static const std::vector<Profile> all = make();
  return all;
}

const Profile& profile(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& p : profiles()) {
    if (p.name == name) return p;
    names.push_back(p.name);
  }
  throw usage_error("unknown hardware profile '" + name + "'", "--profile", did_you_mean(name, names));
}

graph::OpCounts counts_of(const std::vector<runtime::LayerCounts>& layers, const std::function<bool(const std::string&)>& chosen) {
  graph::OpCounts sum;
  double steps = 0, samples = 0;  // noted with the last layer, chosen or not
  for (const auto& l : layers) {
    if (chosen(l.layer)) sum += l.counts;
    steps += l.counts.steps, samples += l.counts.samples;
  }
  sum.steps = steps, sum.samples = samples;
  return sum;
}

Estimate estimate(const graph::OpCounts& c, const Profile& p) {
  need_samples(c);
  return {price({c.effective_acs, c.effective_macs, c.membrane_updates, c.weight_bytes, c.activation_bytes, c.state_bytes}, p, c.samples),
          price({0, c.dense, c.membrane_updates, c.dense_weight_bytes, c.dense_activation_bytes, c.state_bytes}, p, c.samples),
          price({0, c.ann, 0, c.ann_weight_bytes, c.ann_activation_bytes, 0}, p, c.samples)};
}

std::optional<double> ratio_to_ann(const Estimate& e) noexcept {
  if (!e.spiking || !e.ann || !(e.ann->total() > 0)) return {};
  return e.spiking->total() / e.ann->total();
}

std::string verdict(const Estimate& e) {
  if (!e.spiking)
    return "This hardware has no multiply-accumulate, and the network needs some (an analog input, or values that are not spikes).";
  if (!e.ann) return "This hardware cannot run the ANN twin.";
  const std::string figures = " (" + si(e.spiking->total(), "J") + " against " + si(e.ann->total(), "J") + " a sample).";
  const auto r = ratio_to_ann(e);
  if (!r || *r == 1) return "The spiking network costs as much as its ANN twin" + figures;
  if (*r > 1) return "The spiking network costs MORE: " + number(*r, 3) + " times the energy of its ANN twin" + figures;
  return "The spiking network costs less: " + number(*r, 3) + " of the energy of its ANN twin" + figures;
}

Complexity complexity(const graph::Graph& graph, const graph::OpCounts& c) {
  need_samples(c);
  Complexity k;
  k.effective_macs = c.effective_macs / c.samples, k.effective_acs = c.effective_acs / c.samples, k.dense = c.dense / c.samples;
  k.membrane_updates = c.membrane_updates / c.samples;
  k.activation_sparsity = c.inputs > 0 ? 1 - c.active_inputs / c.inputs : 0;
  double weights = 0, zeros = 0;
  for (const auto& node : graph.nodes) {
    const auto* conv = std::get_if<graph::Conv2d>(&node.op);
    const auto* linear = std::get_if<graph::Linear>(&node.op);
    if (!conv && !linear) continue;
    for (const float w : graph.tensors.at(conv ? conv->weight : linear->weight).values) weights += 1, zeros += w == 0.0f;
  }
  k.connection_sparsity = weights > 0 ? zeros / weights : 0;
  for (const auto& [name, tensor] : graph.tensors) k.footprint_bytes += 4.0 * static_cast<double>(tensor.values.size());
  k.footprint_bytes += 4.0 * static_cast<double>(graph::state_elements(graph));
  return k;
}

}  // namespace apical::energy
