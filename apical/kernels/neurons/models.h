#pragma once
// Neurons of several states or other outputs, beside the family of lif.h whose membrane they share. The equations are written once,
// in models-inl.h; neuron_scan.h runs them over time. `kStates` floats a neuron, `kParams` values that may be each neuron's own or
// learnt, in the order of the equation's list below.
//
// A membrane that is NaN never fires and stays NaN, and a hard reset does not clear it; +inf fires at every step (hard: v_reset
// after it), -inf never; 0 * inf is NaN as everywhere. Neurons do not touch each other: NaN stays with its neuron, whose gradients
// are then not defined.
#include <cstddef>
#include <cstdint>

#include "apical/kernels/neurons/lif.h"

namespace apical::kernels {

/// Current-based LIF: a synaptic current, then the membrane of `lif` with that current as its input.
///   i[t] = alpha * i[t-1] + x[t]        states: i, v        parameters: alpha, lif.decay
///   h[t] = decay * v[t-1] + input_scale * i[t], and so on as in lif.h, every reset
/// With reset_at next_step: snnTorch's Synaptic; same_step: CUBA of Lava, Norse's LIF with its current added before the membrane.
struct Cuba {
  static constexpr std::size_t kStates = 2, kParams = 2;
  Lif lif;
  float alpha = 0.5f;  ///< in [0, 1]
  bool operator==(const Cuba&) const = default;
};

/// Adaptive LIF (ALIF of an LSNN): each spike raises the threshold, which falls back.
///   h[t] = decay * v[t-1] + input_scale * x[t]              states: v, a        parameters: lif.decay, rho
///   s[t] = 1 where h[t] >= (or >) v_th + beta * a[t]
///   v[t] = reset of h[t]: hard v_reset, soft h - reset_by * s, none h. Same step: lif.reset_at is not read
///   a[t+1] = rho * a[t] + s[t]                              the state after step t is (v[t], a[t+1])
/// The surrogate is a function of u = h - (v_th + beta a). The gradient through the adaptation's spike is always kept; detach_reset
/// is about the reset alone.
/// Source: the ALIF neuron of Bellec et al., NeurIPS 2018 (LSNN), and of e-prop, Nature Communications 11, 2020. There v_th is taken
/// off in the next step, after the decay: the same as reset_by = v_th / decay here.
struct Alif {
  static constexpr std::size_t kStates = 2, kParams = 2;
  Lif lif;
  float rho = 0.9f;       ///< decay of the adaptation, in [0, 1]
  float beta = 0.2f;      ///< threshold a unit of adaptation
  float reset_by = 1.0f;  ///< what a soft reset takes off
  bool operator==(const Alif&) const = default;
};

/// `lif` with `steps` steps after each spike in which the neuron neither integrates, leaks nor fires: its state stands still, and
/// gradients pass by. A pending reset (next_step forms) is made by the first charge after the pause.
///   r[t-1] > 0:  h[t] = v[t-1], s[t] = 0, v[t] = v[t-1], r[t] = r[t-1] - 1
///   else:        as in lif.h; r[t] = steps where s[t], else 0            states: v, r        parameters: lif.decay
/// r is a whole number >= 0. steps = 0 gives the bits of lif_forward and lif_backward.
struct RefractoryLif {
  static constexpr std::size_t kStates = 2, kParams = 1;
  Lif lif;
  int steps = 1;  ///< >= 0, below 2^24
  bool operator==(const RefractoryLif&) const = default;
};

/// Integer LIF: spike counts 0..levels in one step.
///   h[t] = decay * v[t-1] + input_scale * x[t]              states: v           parameters: decay
///   s[t] = round(min(max(h[t], 0), levels)), halves to even; NaN gives 0
///   v[t] = h[t] - s[t]
/// Gradient, straight through: ds/dh = 1 where 0 <= h <= levels, else 0.
/// Source: I-LIF of Luo et al., "Integer-valued training and spike-driven inference", ECCV 2024.
struct MultiLif {
  static constexpr std::size_t kStates = 1, kParams = 1;
  float decay = 0.25f;       ///< in [0, 1]
  float input_scale = 1.0f;
  int levels = 4;            ///< 1..255
  bool detach_reset = true;     ///< backward: no gradient through the count of the reset
  bool detach_temporal = false; ///< backward: no gradient through v[t-1]
  bool operator==(const MultiLif&) const = default;
};

#define APICAL_NEURON_MODELS(F) F(Cuba) F(Alif) F(RefractoryLif) F(MultiLif)

}  // namespace apical::kernels
