#pragma once
// From counted operations and bytes to joules, under named hardware profiles. These are estimates: what the counted work would
// cost at a profile's published prices; nothing else of a chip (clock, leakage, control, network) is in them.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apical/graph/graph.h"
#include "apical/runtime/session.h"

namespace apical::energy {

/// Prices of one hardware, in picojoules.
struct Profile {
  std::string name, title, source;
  double ac_pj = 0;                                                      ///< one accumulation
  std::optional<double> mac_pj;                                          ///< one multiply-accumulate; absent: this hardware has none
  double membrane_pj = 0;                                                ///< one membrane update, without its memory
  double weight_byte_pj = 0, activation_byte_pj = 0, state_byte_pj = 0;  ///< moving one byte of the float32 network
};

const std::vector<Profile>& profiles();
/// Usage error with a did-you-mean.
const Profile& profile(const std::string& name);

/// Joules a sample, by cause.
struct Joules {
  double operations = 0, membranes = 0, weights = 0, activations = 0, state = 0;
  double total() const noexcept { return operations + membranes + weights + activations + state; }
};

/// The three columns of the honest table, for one sample; absent where the hardware cannot do it.
struct Estimate {
  std::optional<Joules> spiking;  ///< what was executed
  std::optional<Joules> dense;    ///< the same spiking network without use of sparsity: every product, T times, as MACs
  std::optional<Joules> ann;      ///< the same layers once, with analog activations of 32 bits instead of spikes and time
};

/// Needs counts of at least one sample (data error otherwise).
Estimate estimate(const graph::OpCounts& counts, const Profile& profile);

/// The counts of the layers of some names alone, of all samples: with the profile two-point-cells the energy of a network's feed-forward synapses
/// (graph::feed_forward), say, beside that of all.
graph::OpCounts counts_of(const std::vector<runtime::LayerCounts>& layers, const std::function<bool(const std::string&)>& chosen);

/// How many times the energy of the ANN the spiking network costs (above 1: the spiking network costs more), if both are known.
std::optional<double> ratio_to_ann(const Estimate& estimate) noexcept;
/// One sentence with the verdict, e.g. "The spiking network costs 2.1 times the energy of its ANN twin (1.2 uJ against 0.57 uJ).".
std::string verdict(const Estimate& estimate);

/// NeuroBench's complexity metrics of one sample.
struct Complexity {
  double effective_macs = 0, effective_acs = 0, dense = 0, membrane_updates = 0;
  double activation_sparsity = 0;  ///< share of zeros among the inputs of weight layers
  double connection_sparsity = 0;  ///< share of zeros among the weights
  double footprint_bytes = 0;      ///< tensors and state
};
Complexity complexity(const graph::Graph& graph, const graph::OpCounts& counts);

}  // namespace apical::energy
