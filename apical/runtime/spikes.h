#pragma once
// Which neurons fired when: what a session records, and what an execution elsewhere is compared by.
#include <cstdint>
#include <string>
#include <vector>

#include "apical/kernels/bits.h"

namespace apical::runtime {

/// Spikes of one neuron layer, one row of SpikeBits (kernels/bits.h) a step; neurons in the graph's order, channel first.
struct SpikeRecord {
  std::string layer;
  std::int64_t neurons = 0;
  int steps = 0;
  std::vector<std::uint64_t> bits;  ///< [steps, words_per_row(neurons)]: at least one spike
  std::vector<std::uint8_t> counts{};  ///< [steps, neurons] of neurons that send numbers of spikes; else empty

  std::size_t words() const noexcept { return kernels::words_per_row(static_cast<std::size_t>(neurons)); }
  const std::uint64_t* row(int t) const noexcept { return bits.data() + static_cast<std::size_t>(t) * words(); }
  bool fired(int t, std::int64_t neuron) const noexcept { return row(t)[neuron / 64] >> (neuron % 64) & 1; }
  int spikes(int t, std::int64_t neuron) const noexcept {
    return counts.empty() ? fired(t, neuron) : counts[static_cast<std::size_t>(t * neurons + neuron)];
  }
  bool operator==(const SpikeRecord&) const = default;
};

}  // namespace apical::runtime
