#pragma once
// The spikes of a circuit (brain/ei_circuit.h) as a function of its weights that has a gradient: backpropagation through time with a
// surrogate derivative, the walk of kernels/circuit/ei_walk.h. States are kept every kEiStride steps and computed again between them, so a
// batch takes about as much memory as its spikes and their gradient.
//   EiWeights w(circuit);                               // the circuit's own memory
//   torch::optim::Adam adam({w.input, w.recurrent}, ...);
//   loss(ei_spikes(circuit, w.all(), in, {})).backward(), adam.step(), circuit.obey_dale();
//   simulate(circuit, ...);                             // brain/ei_circuit.h: what has learnt
#include "apical/brain/ei_circuit.h"
#include "apical/nn/layer.h"

namespace apical::nn {

struct EiSurrogate {
  double height = 0.3, width = 20;  ///< ds/dV = height / width * max(0, 1 - |V - V_th| / width); width: mV
  bool detach_reset = true;         ///< no gradient through the reset of V
};

/// The circuit's weights, pA, as two leaves that learn: the same memory, which must live as long.
struct EiWeights {
  explicit EiWeights(brain::EiCircuit& circuit);
  torch::Tensor input;                                                  ///< [inputs, neurons]
  torch::Tensor recurrent;                                              ///< [neurons, neurons]
  torch::Tensor all() const { return torch::cat({input, recurrent}); }  ///< [inputs + neurons, neurons]
};

/// Spikes [T, B, neurons] as 0/1, each trial from rest. weights: [inputs + neurons, neurons], float32 or float64, which is what is computed
/// in; in: [T, B, inputs] uint8, not 0 where an input spikes. Usage error: other shapes or types. Second derivatives are not defined.
torch::Tensor ei_spikes(const brain::EiCircuit& circuit, const torch::Tensor& weights, const torch::Tensor& in,
                        const EiSurrogate& surrogate);

}  // namespace apical::nn
