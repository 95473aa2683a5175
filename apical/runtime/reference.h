#pragma once
// The whole graph in float64 with plain loops: what the runtime is tested against, and the judge of two executions that differ.
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apical/graph/graph.h"
#include "apical/runtime/spikes.h"

namespace apical::runtime {

struct ReferenceResult {
  std::vector<double> scores;
  std::vector<SpikeRecord> spikes;             ///< one a neuron layer, in the order of the nodes
  /// Of each such layer [steps, neurons]: h before the reset; of an Alif less what its threshold is above v_th, of a window its sum.
  std::vector<std::vector<double>> membranes;
};

/// Runs frames [steps, C, H, W]. With `forced`, the neurons' spikes are taken from there (for the steps and layers recorded), so
/// that the membranes are those of float64 arithmetic under somebody else's spikes.
ReferenceResult run_reference(const graph::Graph& graph, std::span<const float> frames, const std::vector<SpikeRecord>* forced = nullptr);

/// The first spike two executions disagree on, in order of step, layer, neuron.
struct FirstDifference {
  int t = 0;
  std::string layer;
  std::int64_t neuron = 0;  ///< index in the graph's order
  double membrane = 0;      ///< float64, given all the spikes both agreed on before
  double threshold = 0;  ///< v_th; of neurons that send counts the nearest half
  double distance = 0;  ///< |membrane - threshold|
};

/// Compares the records a and b (matched by layer name; both need every neuron layer) of the same frames; nothing when they are
/// equal. Usage error when a layer is missing or sizes differ.
std::optional<FirstDifference> first_difference(const graph::Graph& graph, std::span<const float> frames, const std::vector<SpikeRecord>& a,
                                                const std::vector<SpikeRecord>& b);

}  // namespace apical::runtime
