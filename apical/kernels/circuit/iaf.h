#pragma once
// Integrate-and-fire neurons of circuits, one step of the clock: exact integration by propagators, in the order of operations of NEST
// (models/iaf_psc_delta, iaf_psc_exp, iaf_psc_alpha); conductances (iaf_cond_exp, iaf_cond_alpha) by a solver of fourth order. State in
// float64. Membranes are relative to E_L, in mV; currents in pA.
//
// In a step: the membrane moves (not while refractory), synaptic currents move, what arrives in this step is added to them, then the
// threshold is looked at. A port is a kind of input: excitatory and inhibitory, or one for both where their time constants are equal.
//
// Every SIMD level gives the same bits as the scalar reference. Source: Rotter, Diesmann, Biol. Cybern. 81 (1999) 381-402.
#include "apical/kernels/circuit/neuron_arrays.h"

namespace apical::kernels {

/// V += input. P33 = exp(-h/tau_m), P30 = tau_m/C_m (1 - P33). refractory_input: what arrives while refractory is kept, decaying as V
/// would, and added afterwards; else it is lost.
struct IafPscDelta {
  static constexpr int kStates = 2;  ///< V, then what is kept (refractory_input)
  bool refractory_input;
  double P33, P30, I_e, theta, v_reset, v_min, refractory;
};

/// I' = -I/tau_syn + input. P22 = exp(-h/tau_m), P20 = tau_m/C_m (1 - P22); of each port P11 = exp(-h/tau_syn), P21 = what a current does
/// to V.
struct IafPscExp {
  static constexpr int kStates = 3;  ///< V, then I of each port
  int ports;
  double P22, P20, P11[2], P21[2], I_e, theta, v_reset, refractory;
};

/// The same equations as SpiNNaker steps them: what arrives acts within its step. I += a input, V moves with I for the whole step, then I
/// decays; a = tau_syn/h (1 - exp(-h/tau_syn)). I is kept over a: P21 = P20 a P11 of what was there, P21_now = P20 a of what arrives.
/// Source: sPyNNaker's IF_curr_exp, in float64 here (there 16.15 fixed point).
struct IfCurrExp : IafPscExp {
  double P21_now[2];
};

/// Currents e/tau_syn t exp(-t/tau_syn). P33m = exp(-h/tau_m) - 1, P30; of each port P11 = exp(-h/tau_syn), P21 = h P11, P31 and P32: what
/// dI and I do to V; psc = e/tau_syn.
struct IafPscAlpha {
  static constexpr int kStates = 5;  ///< V, then dI and I of each port
  int ports;
  double P33m, P30, P11[2], P21[2], P31[2], P32[2], psc[2], I_e, theta, v_reset, v_min, refractory;
};

/// Conductances: C_m V' = -g_L V - sum g (V - E) + I, of each port g' = -g/tau_syn + input (weights < 0 add their size to port 1), or
/// with alpha g = weight e/tau_syn t exp(-t/tau_syn). Reversal potentials E are relative to E_L, too.
///
/// Solver: the equation is linear in V, and conductances are exact at any time, so a step is the Magnus expansion of fourth order
/// (Magnus 1954; Blanes et al., Phys. Rep. 470 (2009) 151-238) with the zeroth and first moments of the conductances over the step exact:
/// one exponential a step, no sub-steps, bounded for any conductance, exact for constant ones. Measured at 0.1 ms against DOP853
/// (tests/golden/nest, tau_syn 0.2 to 10 ms, conductances up to ten times g_L): at most 2e-6 mV (exponential), 1.2e-5 mV (alpha).
struct IafCond {
  static constexpr int kStates = 5;  ///< V, then g of each port; alpha: dg and g of each
  bool alpha;
  double leak, per_C;                 ///< g_L h/C_m, h/C_m
  double G0[2], G1[2], D0[2], D1[2];  ///< zeroth and first moments (int, int (t - h/2)/h) of what g and dg make of g, over C_m
  double P11[2], P21[2], psc[2];      ///< exp(-h/tau_syn), h P11 (alpha), what an input adds to g, or to dg
  double E[2], I_e, theta, v_reset, refractory;
};

/// V' = 0.04 V^2 + 5 V + 140 - U + I, U' = a (b V - U); a spike moves V by its weight. V_th: V becomes c, U grows by d. Izhikevich's
/// equation is these steps of Euler, one a dt, as NEST has it; not `consistent`: those of his program (meant for 1 ms), where V takes two
/// halves and inputs are currents. V is absolute. Source: Izhikevich, IEEE Trans. Neural Networks 14 (2003) 1569-1572.
struct Izhikevich {
  static constexpr int kStates = 2;  ///< V, U
  bool consistent;
  double dt, a, b, d, I_e, theta, v_reset, v_min, refractory;  ///< v_reset: c; refractory: 0
};

/// Fires in the step in which anything arrives, once, whatever its weight (weights that cancel are not seen).
struct Parrot {
  static constexpr int kStates = 1;
  double I_e = 0, theta = 1e-60, v_reset = 0, refractory = 0;
};

/// One step. False when a membrane is not a finite number (before its threshold is looked at).
bool neuron_step(const IafPscDelta& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const IafPscDelta& model, const NeuronArrays<double>& a) noexcept;
bool neuron_step(const IafPscExp& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const IafPscExp& model, const NeuronArrays<double>& a) noexcept;
bool neuron_step(const IfCurrExp& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const IfCurrExp& model, const NeuronArrays<double>& a) noexcept;
bool neuron_step(const IafPscAlpha& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const IafPscAlpha& model, const NeuronArrays<double>& a) noexcept;
bool neuron_step(const IafCond& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const IafCond& model, const NeuronArrays<double>& a) noexcept;
bool neuron_step(const Izhikevich& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const Izhikevich& model, const NeuronArrays<double>& a) noexcept;
bool neuron_step(const Parrot& model, const NeuronArrays<float>& a) noexcept;
bool neuron_step(const Parrot& model, const NeuronArrays<double>& a) noexcept;

}  // namespace apical::kernels
