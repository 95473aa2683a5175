#pragma once
// A recurrent circuit of excitatory and inhibitory GIF neurons as a value: what its neurons are, and the weights of its synapses. The same
// object is simulated here, event by event and without torch, and learns by gradients (apical/nn/ei_gradient.h), which changes `weights`
// where they lie.
//   EiCircuit circuit({.inputs = 24, .populations = {{"E", 80, true, {.A_2 = -40}}, {"I", 20, false}}});
//   const SpikeRecord spikes = simulate(circuit, trains, 500);
// Source: Mihalas, Niebur, Neural Computation 21 (2009) 704, in the form of BrainPy's GIF (arXiv 2311.05106).
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "apical/brain/network.h"

namespace apical::brain {

/// tau dV/dt = -(V - V_rest) + R (I_1 + I_2 + I_ex + I_in);  dI_j/dt = -I_j / tau_j;  dV_th/dt = a (V - V_rest) - b (V_th - V_th_inf).
/// Where V >= V_th: I_j = R_j I_j + A_j, V = V_reset, V_th = max(V_th_reset, V_th). A neuron starts at V_rest and V_th_inf.
/// With A_1 = A_2 = 0, a = 0 and V_th_reset = V_th_inf it is a leaky integrate-and-fire neuron.
struct GifParameters {
  double tau = 20;                          ///< ms
  double V_rest = -70, V_reset = -70;       ///< mV
  double V_th_inf = -50, V_th_reset = -50;  ///< mV
  double R = 100;                           ///< MOhm
  double a = 0, b = 0.01;                   ///< 1/ms; b > 0
  double tau_1 = 10, tau_2 = 500;           ///< ms: 1/k_1, 1/k_2
  double R_1 = 1, R_2 = 1;
  double A_1 = 0, A_2 = 0;         ///< pA
  double tau_ex = 5, tau_in = 10;  ///< ms, of I_ex and I_in
};

struct EiPopulation {
  std::string name;
  std::uint32_t n;
  bool excitatory;  ///< its synapses have weights of 0 or more; else of 0 or less (Dale's law)
  GifParameters neuron{};
};

struct EiOptions {
  double dt = 1;  ///< ms; exponential Euler (docs/reference/circuits.md)
  std::uint32_t inputs;
  std::vector<EiPopulation> populations;  ///< those that excite first
};

/// Every input has a synapse, which excites, to every neuron, and every neuron to every neuron; one of weight 0 is none. A spike arrives a
/// step after it was sent.
class EiCircuit {
 public:
  /// Weights 0. Usage error: no neurons, a population that excites behind one that inhibits, a constant that is not positive where it must
  /// be.
  explicit EiCircuit(EiOptions options);

  const EiOptions& options() const noexcept { return options_; }
  std::uint32_t inputs() const noexcept { return options_.inputs; }
  std::uint32_t neurons() const noexcept { return neurons_; }
  std::uint32_t excitatory() const noexcept { return excitatory_; }
  /// [kernels::kEiConstants, neurons] of kernels/circuit/ei_walk.h.
  std::vector<double> constants() const;
  /// Puts weights of the wrong sign to 0, and those from a neuron to itself.
  void obey_dale() noexcept;

  std::vector<float> weights;  ///< pA, [inputs + neurons, neurons] by source

 private:
  EiOptions options_;
  std::uint32_t neurons_ = 0, excitatory_ = 0;
};

/// The neuron of an EiCircuit as equations of equations.h; parameters by the names of GifParameters.
const EquationModel& gif_model();

/// Spikes of a trial of `steps` steps from rest, by the event-driven engine. trains: of each input the steps, ascending, in which its
/// spikes arrive. The record's `step` is 0 for the first step; neurons are numbered through all populations. double_precision: as Options.
SpikeRecord simulate(const EiCircuit& circuit, std::span<const std::vector<std::uint32_t>> trains, std::uint32_t steps,
                     bool double_precision = false);

}  // namespace apical::brain
