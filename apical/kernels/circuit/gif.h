#pragma once
// Generalised integrate-and-fire neurons of circuits, one step of the clock (NEST's gif_psc_exp), state in float64; mV relative to E_L, ms,
// pF, pA. Source: Mensi et al., J. Neurophysiol. 107 (2012) 1756-1775; Pozzorini et al., PLoS Comput. Biol. 11 (2015) e1004275.
//   C_m V' = -g_L V + I_syn + I - I_stc, by exact integration in NEST's order of operations. In a step that is not refractory a neuron
//   fires
// with probability 1 - exp(-lambda h), lambda = lambda_0 exp((V - E_sfa)/Delta_V). Then each spike-triggered current and each part of the
// threshold grows by its q; they decay with their tau. While refractory V is V_reset, from the step after the spike on.
//
// Chance: the caller gives each neuron and step a number in (0, 1); the engine's are Philox 4x32-10 (draws.h), of 32 bits.
// Every SIMD level gives the same bits as the scalar reference.
#include "apical/kernels/circuit/neuron_arrays.h"

namespace apical::kernels {

struct GifPscExp {
  static constexpr int kElements = 4;                ///< currents, and parts of the threshold, at most
  static constexpr int kStates = 5 + 2 * kElements;  ///< V, I of each port, E_sfa and I_stc (sums before the step), then elements: stc, sfa
  int stc, sfa;                                      ///< elements in use
  double P33, P30, P11[2], P21[2];                   ///< as in IafPscExp: P33 of V, P30 of currents, P11 and P21 of each port
  double P_stc[kElements], q_stc[kElements], P_sfa[kElements], q_sfa[kElements];
  double I_e, threshold, v_reset, per_Delta_V, lambda_h, refractory;  ///< threshold: V_T_star - E_L; lambda_h: lambda_0 h
};

/// One step. False when a membrane is not a finite number.
bool neuron_step(const GifPscExp& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const GifPscExp& model, const NeuronArrays<double>& a) noexcept;

}  // namespace apical::kernels
