#pragma once
// What a step of some neurons of a circuit reads and writes.
#include <cstddef>
#include <cstdint>

namespace apical::kernels {

/// n neurons, a multiple of 64 (the last of a population are padding, whose spikes the caller drops).
/// Row: float or double, what synapses add to.
template <class Row>
struct NeuronArrays {
  static constexpr int kMostStates = 32;
  std::size_t n;
  std::int32_t step;           ///< the one that is taken
  double* state[kMostStates];  ///< as many as the model has
  std::int32_t* wakes;         ///< of each neuron the first step in which it is not refractory
  Row* in[4];                  ///< of each port what arrives in this step; set to 0
  const double* current;       ///< pA of devices, as of the step before; null: none
  const double* apical;        ///< the same at the apical compartment, of models that have one
  const double* uniform;       ///< numbers in (0, 1), of each neuron and step its own; null where the model takes none by chance
  std::uint64_t* spikes;       ///< [n / 64] written, least significant bit first
};

}  // namespace apical::kernels
