#pragma once
// A recurrent circuit of excitatory and inhibitory generalised integrate-and-fire (GIF) neurons, T steps forward, and the gradient of its
// spikes backward in time, on plain pointers. Neurons act on each other, so time is walked step by step; trials do not, so they are what
// threads share. Source: Mihalas, Niebur, Neural Computation 21 (2009) 704, in the form of BrainPy's GIF; surrogate: Bellec et al. 2018.
//
// In a step, from the values before it (exponential Euler; V relative to rest):
//   V' = m V + d (I_1 + I_2 + I_ex + I_in);  V_th' = q V_th + f V + r;  I_j' = c_j I_j;  I_ex' = e I_ex, I_in' = i I_in;
// then the weights of sources that fired in the step before (inputs: in this one) are added to I_ex or I_in of their targets; then
//   where V' >= V_th': s = 1, I_j = R_j I_j' + A_j, V = V_reset, V_th = max(V_th_reset, V_th').
// An apical::brain network of text equations takes the same step (apical/brain/ei_circuit.h).
#include <cstddef>
#include <cstdint>

namespace apical::kernels {

/// Rows of the constants: m d q f r, c_1 c_2, e i, R_1 R_2 A_1 A_2, V_reset, V_th_reset, and V_th before the first step.
enum EiConstant : std::size_t {
  ei_membrane,
  ei_drive,
  ei_threshold,
  ei_follow,
  ei_rest,
  ei_current_1,
  ei_current_2,
  ei_excitatory,
  ei_inhibitory,
  ei_keep_1,
  ei_keep_2,
  ei_jump_1,
  ei_jump_2,
  ei_reset,
  ei_threshold_reset,
  ei_threshold_start,
  kEiConstants
};

/// T: float, double. Sources are the inputs, which excite, then the neurons, of which the first `excitatory` excite.
template <class T>
struct EiWalk {
  std::size_t steps, trials, inputs, neurons, excitatory;
  const T* constants;            ///< [kEiConstants, neurons]
  const T* weights;              ///< [inputs + neurons, neurons] by source, signed
  const std::uint8_t* in;        ///< [steps, trials, inputs]: not 0 where an input fires
  double height = 1, width = 1;  ///< ds/dV = height / width * max(0, 1 - |V - V_th| / width)
  bool detach_reset = false;     ///< no gradient through the reset of V
  bool smooth = false;           ///< s is the integral of ds/dV instead: for tests of the gradient against differences
};

/// Steps from one kept state to the next: backward walks this many again before it turns round.
inline constexpr std::size_t kEiStride = 64;
/// Values of the states that are kept.
template <class T>
std::size_t ei_kept_size(const EiWalk<T>& a);

/// spikes: [steps, trials, neurons] written. kept: [ei_kept_size] written, or null: no gradient is wanted.
template <class T>
void ei_forward(const EiWalk<T>& a, T* spikes, T* kept);
/// grad_spikes: [steps, trials, neurons]; kept: as forward left it; grad_weights: [inputs + neurons, neurons] written. Does not depend on
/// the number of threads.
template <class T>
void ei_backward(const EiWalk<T>& a, const T* grad_spikes, const T* kept, T* grad_weights);

}  // namespace apical::kernels
