#pragma once
// Adaptive exponential integrate-and-fire neurons of circuits, one step of the clock (NEST's aeif_cond_exp), state in float64; mV, ms, nS,
// pF, pA.
//   C_m V' = -g_L (V - E_L) + g_L Delta_T exp((V - V_th)/Delta_T) - sum g (V - E) - w + I,   tau_w w' = a (V - E_L) - w
// and of each port g' = -g/tau_syn + |weight|. At V_peak V becomes V_reset and w grows by b, at once, not at the end of the step: the rest
// of the step goes on from there, or with V_reset held while refractory. Source: Brette, Gerstner, J. Neurophysiol. 94 (2005) 3637-3642.
//
// Solver: the explicit midpoint rule, whose error has even powers only, extrapolated from 2, 4, ..., 2K sub-steps to order 2K (Gragg 1965;
// Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, II.9). Far from a spike K = 3 over equal parts of the step, at most
// 0.1 ms and tau_syn/4; where V moves by more than a quarter of Delta_T in that time, K = 4 over parts in which it moves by a quarter
// of Delta_T, down to 1/2048 of the step, which is when a spike has come. At most one spike a step is sent. Measured at 0.1 ms against
// DOP853 up to the first spike (tests/golden/nest): at most 1.4e-5 mV.
//
// Every SIMD level gives the same bits as the scalar reference.
#include "apical/kernels/circuit/neuron_arrays.h"

namespace apical::kernels {

struct AeifCondExp {
  static constexpr int kStates = 4;                                                                ///< V, w, then g of each port
  int parts;                                                                                       ///< of a step far from a spike
  double dt, P11[2], per_tau_syn[2];                                                               ///< ms, exp(-h/tau_syn), 1/tau_syn
  double per_C, g_L, E_L, E[2], Delta_T, V_th, V_peak, V_reset, a, b, per_tau_w, I_e, refractory;  ///< V_peak: V_th where Delta_T is 0
};

/// One step. False when a membrane is not a finite number.
bool neuron_step(const AeifCondExp& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const AeifCondExp& model, const NeuronArrays<double>& a) noexcept;

}  // namespace apical::kernels
