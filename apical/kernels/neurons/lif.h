#pragma once
// Parameters of the leaky integrate-and-fire family and of its surrogate gradients. The equation itself is written once,
// in lif-inl.h; the scans over time that training and runtime call are in scan.h.
//
//   charge   h[t] = decay * v[t-1] + input_scale * x[t]
//   fire     s[t] = 1 if h[t] >= v_th (compare ge) or h[t] > v_th (gt), else 0
//   reset    hard: v[t] = s ? v_reset : h      soft: v[t] = h - v_th * s      none: v[t] = h
// reset_at moves the reset: same_step as above; next_step: v[t] = h[t] and the charge of t+1 uses decay*v[t] with the reset of
// s[t] applied after the decay (soft: decay*v[t] - v_th*s[t]; hard: v_reset where s[t]); next_step_decayed: the reset is
// applied before the decay (soft: decay*(v[t] - v_th*s[t]); hard: decay*v_reset).
//
// With decay_input the factor of the input is 1 - decay (also when decay differs by neuron or is learnt) and input_scale is not
// read. The state is one float a neuron, v[t] above. With the next_step forms v[t] = h[t] still holds the membrane that fired:
// its reset is pending, and fire(v[t]) tells so; a start value that passes the threshold is therefore reset at the first charge.
//
// Usual forms: IF: decay = 1, input_scale = 1.  LIF with tau: decay = 1 - 1/tau; input_scale = 1/tau when the input decays too
// ("decay_input"), else 1.
#include <cstdint>

namespace apical::kernels {

enum class Reset : std::uint8_t { hard, soft, none };
enum class Compare : std::uint8_t { ge, gt };
enum class ResetAt : std::uint8_t { same_step, next_step, next_step_decayed };

struct Lif {
  float decay = 0.5f;        ///< in [0, 1]
  float input_scale = 1.0f;  ///< factor of the input
  float v_th = 1.0f;         ///< threshold, > 0
  float v_reset = 0.0f;      ///< value after a hard reset
  Reset reset = Reset::soft;
  Compare compare = Compare::ge;
  ResetAt reset_at = ResetAt::same_step;
  bool detach_reset = true;     ///< backward: no gradient through the spike of the reset
  bool detach_temporal = false; ///< backward: no gradient through v[t-1] (SLTT)
  bool decay_input = false;     ///< the factor of the input is 1 - decay; input_scale is not read
  bool operator==(const Lif&) const = default;
};

/// Surrogate derivative ds/dh as a function of u = h - v_th.
///   sigmoid    height * 4 * y * (1 - y), y = 1 / (1 + exp(-u * 4 / width))   (peak `height`; slope alpha = 4 / width)
///   atan       height / (1 + (pi / 2 * 2 * u / width)^2)
///   triangle   height * max(0, 1 - |u| / width)
///   rectangle  height where |u| < width / 2, else 0
///   gaussian   height * e(u, 0, width), e(u, m, s) = exp(-(u - m)^2 / (2 s^2))
///   fast_sigmoid    height / (1 + |u| / width)^2   (SuperSpike: Zenke and Ganguli, Neural Computation 30, 2018)
///   multi_gaussian  height * (1.15 e(u, 0, width) - 0.025 (e(u, width, 6 width) + e(u, -width, 6 width)))
///                   (Yin, Corradi and Bohte, Nature Machine Intelligence 3, 2021: h = 0.15, s = 6; negative far from the threshold)
#define APICAL_SURROGATES(F) F(sigmoid) F(atan) F(triangle) F(rectangle) F(gaussian) F(fast_sigmoid) F(multi_gaussian)
#define APICAL_NAME(kind) kind,
enum class SurrogateKind : std::uint8_t { APICAL_SURROGATES(APICAL_NAME) };
#undef APICAL_NAME
#define APICAL_NAME(kind) #kind,
inline constexpr const char* surrogate_names[] = {APICAL_SURROGATES(APICAL_NAME)};  ///< in the order of SurrogateKind
#undef APICAL_NAME
struct Surrogate {
  SurrogateKind kind = SurrogateKind::triangle;
  float height = 1.0f;
  float width = 1.0f;
  bool operator==(const Surrogate&) const = default;
};

}  // namespace apical::kernels
