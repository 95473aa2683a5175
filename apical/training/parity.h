#pragma once
// Does the torch-free runtime predict what the trained network predicts? Every difference is traced to its first spike.
#include <optional>

#include "apical/runtime/reference.h"
#include "apical/runtime/session.h"
#include "apical/training/evaluate.h"

namespace apical::training {

struct Disagreement {
  std::size_t sample = 0;
  std::int64_t trained = 0, runtime = 0;                  ///< the two predictions
  std::optional<runtime::FirstDifference> first;          ///< none: all spikes agree and only the scores tie within rounding
};

struct Parity {
  std::size_t samples = 0;
  std::vector<Disagreement> disagreements;
  std::vector<std::int32_t> predicted;                    ///< of the runtime
  double seconds = 0;                                     ///< of the runtime's pass, encoding included
  graph::OpCounts counts;                                 ///< executed by the runtime
  std::vector<runtime::LayerCounts> layers;
  /// Largest distance to the threshold among the first differing spikes (0 without any).
  double largest_distance() const;
};

/// Runs every sample of `loader` without torch and compares with `evaluation` of the same loader.
Parity check_parity(nn::Network& network, const graph::Graph& graph, const Loader& loader, const Evaluation& evaluation);

/// Spikes of every neuron layer of one sample as the network in evaluation mode fires them; of spiking two-point cells soma, apex and bursts.
std::vector<runtime::SpikeRecord> record_spikes(nn::Network& network, const nn::Sequence& sample);

}  // namespace apical::training
