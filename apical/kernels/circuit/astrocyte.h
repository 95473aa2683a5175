#pragma once
// Astrocytes of circuits, one step of the clock (NEST's astrocyte_lr_1994), state in float64; uM, ms.
//   IP3' = (IP3_0 - IP3)/tau_IP3, and IP3 += delta_IP3 w at a spike
//   Ca' = J_channel - J_pump + J_leak + J_noise,   h' = alpha (1 - h) - beta h
//   J_channel = r rate_IP3R (m n h)^3 (Ca_ER - Ca),   J_pump = rate_SERCA Ca^2/(Km_SERCA^2 + Ca^2),   J_leak = r rate_L (Ca_ER - Ca)
//   m = IP3/(IP3 + Kd_IP3_1), n = Ca/(Ca + Kd_act), Ca_ER = (Ca_tot - Ca)/r, r = ratio_ER_cyt
//   alpha = k_IP3R Kd_inh (IP3 + Kd_IP3_1)/(IP3 + Kd_IP3_2),   beta = k_IP3R Ca
// J_noise is the current of devices (uM/ms). Slopes are taken with Ca held to 0 to Ca_tot. Slow inward current, after the step's
// spikes: SIC = SIC_scale ln y with y = 1000 (Ca - SIC_th) where y > 1, else 0. It never fires.
// Sources: Li, Rinzel, J. Theor. Biol. 166 (1994) 461-473 (Ca, h); Nadkarni, Jung, Phys. Rev. Lett. 91 (2003) 268101 (IP3, SIC); NEST 3.10.
//
// Solver: Runge-Kutta of fourth order, one step a dt; the fastest rate at the defaults is 0.02/ms. Every SIMD level gives the same bits as
// the scalar reference.
#include "apical/kernels/circuit/neuron_arrays.h"

namespace apical::kernels {

struct AstrocyteLr1994 {
  static constexpr int kStates = 4;  ///< Ca, IP3, h, SIC
  double dt;
  double IP3_0, per_tau_IP3, delta_IP3, Ca_tot, ratio, rate_IP3R, rate_L, rate_SERCA, Kd_IP3_1, Kd_IP3_2, Kd_act, Kd_inh, Km_SERCA, k_IP3R;
  double SIC_scale, SIC_th;
};

/// One step. False when calcium is not a finite number.
bool neuron_step(const AstrocyteLr1994& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const AstrocyteLr1994& model, const NeuronArrays<double>& a) noexcept;

}  // namespace apical::kernels
