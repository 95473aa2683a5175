#pragma once
// Pyramidal neurons of two compartments of circuits, one step of the clock, state in float64; mV, ms, nS, pF, pA. A spike of the soma that
// runs back into the dendrite, together with input there, starts a calcium-like spike of the dendrite, which makes the soma burst.
// Source: Naud, Sprekeler, PNAS 115 (2018) E6329-E6338, Methods (two-compartment model), with its parameters:
//   soma      V' = -(V - E_L)/tau_m + (g_s f(V_d) + w_s + I)/C_m,                     w_s' = -w_s/tau_w_s
//   dendrite  V_d' = -(V_d - E_L)/tau_d + (g_d f(V_d) + c_d K + w_d + I_apical)/C_d,  tau_w_d w_d' = a_d (V_d - E_L) - w_d
// f(V_d) = 1/(1 + exp((E_d - V_d)/D_d)); K is 1 from bap_delay on for bap_duration after the last spike, else 0. V >= V_th: a spike, V is
// V_reset for t_ref and w_s grows by b_s (negative). The paper's inputs are currents of any course; here synapses of both compartments
// make currents that decay exponentially, as those of iaf_psc_exp do, and arrive in the same order of operations.
//
// Solver: currents of synapses and w_s are exact at any time; V, V_d and w_d by the Runge-Kutta method of fourth order over equal parts of
// the step, at most 0.1 ms and a quarter of tau_syn; K changes between steps. Against the midpoint rule of 256 parts a step, at 0.1 ms
// through bursts (cells_test.cpp): below 2e-5 mV in V and V_d, the same spike steps.
//
// Every SIMD level gives the same bits as the scalar reference.
#include "apical/kernels/circuit/neuron_arrays.h"

namespace apical::kernels {

struct PyramidalNs2018 {
  static constexpr int kStates = 9;  ///< V, V_d, w_d, w_s, I of the ports, steps until K ends
  static constexpr int kPorts = 4;   ///< soma excitatory and inhibitory, apical the same
  int parts;                         ///< of a step
  double part;                       ///< ms
  double half[5], whole[5];          ///< what is left of w_s and of the currents of each port after half of a part, and after one
  double per_C, per_tau_m, g_s, per_C_d, per_tau_d, g_d, c_d, E_L, E_d, per_D, a_d, per_tau_w, b_s;
  double I_e, I_d, theta, v_reset, refractory;  ///< I_d: constant apical current
  double bap_ends, bap_steps;                   ///< steps after a spike: when K ends; how long K is
};

/// One step. False when a membrane is not a finite number.
bool neuron_step(const PyramidalNs2018& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const PyramidalNs2018& model, const NeuronArrays<double>& a) noexcept;

}  // namespace apical::kernels
