#pragma once
// The neurons of models.h over T steps in one pass, forward and backward, on plain pointers: what scan.h is for the plain family.
// Sequences are [T, N] row major, states [kStates, N]. Neurons are independent, work is cut by N alone: results depend neither on
// the number of threads nor on the SIMD level. Feeding a sequence in pieces, state handed on, gives the same as in one go.
//
// params: null (every neuron has the model's values) or [kParams, N], each neuron's own, in the order of models.h.
#include <cstddef>
#include <cstdint>

#include "apical/kernels/neurons/models.h"

namespace apical::kernels {

/// Any output may be null.
struct NeuronForward {
  const float* x;                   ///< [T, N] input
  std::size_t T, N;
  const float* params = nullptr;    ///< [kParams, N], or null
  const float* state0 = nullptr;    ///< [kStates, N] before the first step, or null (0)
  float* state = nullptr;           ///< [kStates, N] written: after the last step; may be state0 itself
  std::uint64_t* spikes = nullptr;  ///< [T, words_per_row(N)] SpikeBits (bits.h): at least one spike; tail bits zero
  std::uint8_t* counts = nullptr;   ///< [T, N] spikes of the step, 0..levels
  float* spikes_f = nullptr;        ///< [T, N] the same as float; may be x itself
  float* h = nullptr;               ///< [T, N] membrane after the charge, before the reset; may be x itself when spikes_f is not
};

/// States are computed again from x, block by block, as lif_backward does. MultiLif reads no surrogate. The gradient through the
/// state before is left out with detach_temporal.
struct NeuronBackward {
  const float* x;                          ///< [T, N] as in forward
  std::size_t T, N;
  const float* params = nullptr;           ///< [kParams, N], or null
  const float* state0 = nullptr;           ///< [kStates, N], or null (0)
  const float* grad_s;                     ///< [T, N] dL/ds
  const float* grad_state_last = nullptr;  ///< [kStates, N] dL/d state after the last step, or null (0)
  float* grad_x = nullptr;                 ///< [T, N] written; may be grad_s itself. Null when not wanted
  float* grad_state0 = nullptr;            ///< [kStates, N] written, or null
  double* grad_params = nullptr;           ///< [kParams, N] when params is given, else [kParams]; added to, in float64; or null
};

/// Model: Cuba, Alif, RefractoryLif, MultiLif.
template <class Model>
void neuron_forward(const Model& model, const NeuronForward& a) noexcept;
template <class Model>
void neuron_backward(const Model& model, const Surrogate& surrogate, const NeuronBackward& a) noexcept;

}  // namespace apical::kernels
