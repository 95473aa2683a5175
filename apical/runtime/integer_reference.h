#pragma once
// The equations of graph/integer.h as plain loops over int64: what the integer runtime is tested against, bit for bit.
#include <cstdint>
#include <span>
#include <vector>

#include "apical/graph/integer.h"
#include "apical/runtime/integer_session.h"

namespace apical::runtime {

struct IntegerReference {
  std::vector<float> scores;
  std::vector<SpikeRecord> spikes;  ///< one a neuron layer, in the order of the nodes
  std::vector<IntegerState> states; ///< after each step
};

/// Runs frames [steps, C, H, W] from rest. Internal error should a value ever leave the range that was proven for it.
IntegerReference run_integer_reference(const graph::IntegerNetwork& network, std::span<const float> frames);

}  // namespace apical::runtime
