#pragma once
// Integrate-and-fire neurons of circuits, one step of the clock: exact integration by propagators, in the order of operations of NEST
// (models/iaf_psc_delta, iaf_psc_exp, iaf_psc_alpha), state in float64. Membranes are relative to E_L, in mV; currents in pA.
//
// In a step: the membrane moves (not while refractory), synaptic currents move, what arrives in this step is added to them, then the
// threshold is looked at. A port is a kind of input: excitatory and inhibitory, or one for both where their time constants are equal.
//
// Every SIMD level gives the same bits as the scalar reference. Source: Rotter, Diesmann, Biol. Cybern. 81 (1999) 381-402.
#include <cstddef>
#include <cstdint>

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

/// Currents e/tau_syn t exp(-t/tau_syn). P33m = exp(-h/tau_m) - 1, P30; of each port P11 = exp(-h/tau_syn), P21 = h P11, P31 and P32: what
/// dI and I do to V; psc = e/tau_syn.
struct IafPscAlpha {
  static constexpr int kStates = 5;  ///< V, then dI and I of each port
  int ports;
  double P33m, P30, P11[2], P21[2], P31[2], P32[2], psc[2], I_e, theta, v_reset, v_min, refractory;
};

/// n neurons, a multiple of 64 (the last of a population are padding, whose spikes the caller drops).
/// Row: float or double, what synapses add to.
template <class Row>
struct IafArrays {
  std::size_t n;
  double* state[5];       ///< as many as the model has
  float* refractory;      ///< steps left
  Row* in[2];             ///< of each port what arrives in this step; set to 0
  const double* current;  ///< pA of devices, as of the step before; null: none
  std::uint64_t* spikes;  ///< [n / 64] written, least significant bit first
};

/// One step. False when a membrane is not a finite number (before its threshold is looked at).
bool iaf_step(const IafPscDelta& model, const IafArrays<float>& a) noexcept;
bool iaf_step(const IafPscDelta& model, const IafArrays<double>& a) noexcept;
bool iaf_step(const IafPscExp& model, const IafArrays<float>& a) noexcept;
bool iaf_step(const IafPscExp& model, const IafArrays<double>& a) noexcept;
bool iaf_step(const IafPscAlpha& model, const IafArrays<float>& a) noexcept;
bool iaf_step(const IafPscAlpha& model, const IafArrays<double>& a) noexcept;

}  // namespace apical::kernels
