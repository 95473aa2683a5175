#pragma once
// Hodgkin-Huxley neurons of circuits, one step of the clock (NEST's hh_cond_exp_traub), state in float64; mV, ms, nS, pF, pA.
//   C_m V' = -g_L (V - E_L) - g_Na m^3 h (V - E_Na) - g_K n^4 (V - E_K) - sum g (V - E) + I,   x' = a_x(V) (1 - x) - b_x(V) x
// with the rates of Traub and Miles (1991) at V - V_T, and of each port g' = -g/tau_syn + |weight|. A neuron fires in the step after which
// V is lower than before it and at least V_T + 30 mV, if its last spike is more than t_ref ago; nothing is reset.
//
// Solver. Gates are linear for a given V, and V for given gates: a sub-step is half of one for V (implicit Euler), one for the gates
// (midpoint rule), half of one for V (explicit Euler), with the conductances of synapses, which decay exactly, of its ends. It is
// symmetric, stable and needs one look at the rates; its error has even powers only, so that results of 1, 2, ..., K sub-steps extrapolate
// to order 2K (Hairer, Lubich, Wanner, Geometric Numerical Integration, 2006, II.4). Neurons go one of four ways, by their state as a step
// begins:
//   quiet   K = 2 over at most 0.1 ms     |V'| < 4 mV/ms, V < V_T + 1 mV, (g_Na m^3 h + g_K n^4)/C_m < 0.1/ms
//   calm    K = 3 over at most 0.1 ms     |V'| < 7 mV/ms, V < V_T + 28 mV
//   moving  K = 3 over at most 0.05 ms    the rest
//   steep   K = 4 over at most 0.02 ms    the rest where V' > 20 mV/ms
//
// Every SIMD level gives the same bits as the scalar reference.
#include "apical/kernels/circuit/neuron_arrays.h"

namespace apical::kernels {

/// A stretch of a step that is extrapolated from 1 to K sub-steps.
struct HhBlock {
  int count;           ///< so many in a step
  double dt;           ///< ms
  double left[2][10];  ///< of each port what is left of a conductance after sub-step i of j: number j (j - 1) / 2 + i, i from 0, j from 1
};

struct HhCondExpTraub {
  static constexpr int kStates = 6;  ///< V, m, h, n, then g of each port
  static constexpr int kWays = 4, kOrders[kWays] = {2, 3, 3, 4};
  static constexpr double kLongest[kWays] = {0.1, 0.1, 0.05, 0.02};           ///< ms
  static constexpr double kQuietSlope = 4, kCalmSlope = 7, kSteepSlope = 20;  ///< mV/ms
  static constexpr double kQuietBelow = 1, kCalmBelow = 28, kPeakAbove = 30;  ///< mV above V_T
  static constexpr double kQuietIons = 0.1;                                   ///< 1/ms
  HhBlock block[kWays];
  double P11[2];  ///< exp(-h/tau_syn)
  double per_C, g_L, g_Na, g_K, E_L, E_Na, E_K, E[2], I_e, V_T, refractory;
};

/// One step. False when a membrane is not a finite number.
bool neuron_step(const HhCondExpTraub& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const HhCondExpTraub& model, const NeuronArrays<double>& a) noexcept;

}  // namespace apical::kernels
