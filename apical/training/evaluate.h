#pragma once
// Runs a network over a whole set without learning.
#include <map>
#include <vector>

#include "apical/nn/network.h"
#include "apical/training/loader.h"

namespace apical::training {

struct Evaluation {
  std::vector<std::int32_t> predicted, labels;
  torch::Tensor scores;                      ///< [N, K] of the readout
  std::vector<std::pair<std::string, double>> rates;  ///< spikes per neuron and step of each neuron layer
  double accuracy() const;
  std::vector<std::vector<std::uint64_t>> confusion(std::size_t classes) const;  ///< counts[true][predicted]
};
Evaluation evaluate(nn::Network& network, const Loader& loader, std::int64_t batch = 250);

}  // namespace apical::training
