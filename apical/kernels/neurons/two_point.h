#pragma once
// Two-point cells: a somatic point integrates the receptive field R, an apical point the context C. C carries no message of its own: it
// sets how much of R is sent on.
//   C = c_max * tanh(context / c_max)        h = output(T(R, C))
// T is a modulatory transfer function. With tm1..tm4 and gate context alone never makes a cell fire (T(0, C) = 0); with coop it does
// where C > 0.
// Sources: tm1..tm4: Kay and Phillips, "Coherent infomax as a computational goal for neural systems", Bulletin of Mathematical Biology
// 73, 2011, and their later papers. The cells: Adeel, Adetomi, Ahmed, Hussain, Arslan and Phillips, "Unlocking the potential of
// two-point cells for energy-efficient and resilient training of deep nets", IEEE TETCI 2023, arXiv 2211.01950. The form of coop, the
// squashed C, the clamps and half_gaussian are our reading of them.
//
// NaN in R or the context gives NaN in h (and counts as active), so that a caller can find it; its gradients are not defined. Cells do
// not touch each other.
#include <cstddef>
#include <cstdint>

namespace apical::kernels {

/// T(R, C).
enum class Mtf : std::uint8_t {
  tm1,   ///< R / 2 * (1 + exp(min(R C, 8)))
  tm2,   ///< R + R C
  tm3,   ///< R (1 + tanh(R C))
  tm4,   ///< R 2^min(R C, 8)
  coop,  ///< R^2 + 2 R + C (1 + |R|); dT/dR = 2 R + 2 + C sign(R) with sign(0) = 0, dT/dC = 1 + |R|
  add,   ///< R + C: a point neuron with the same inputs, the control
  gate,  ///< 2 R sigmoid(C)
};
#define APICAL_MTFS(F) F(tm1) F(tm2) F(tm3) F(tm4) F(coop) F(add) F(gate)

/// What is sent on of T.
enum class TwoPointOutput : std::uint8_t {
  relu6,          ///< min(max(T, 0), 6); slope 1 where 0 < T < 6, else 0
  relu,           ///< max(T, 0); slope 1 where T > 0, else 0
  half_gaussian,  ///< 1 - exp(-T^2 / 2) where T > 0, else 0: a firing probability
};
#define APICAL_TWO_POINT_OUTPUTS(F) F(relu6) F(relu) F(half_gaussian)

#define APICAL_NAME(name) #name,
inline constexpr const char* mtf_names[] = {APICAL_MTFS(APICAL_NAME)};                           ///< in the order of Mtf
inline constexpr const char* two_point_output_names[] = {APICAL_TWO_POINT_OUTPUTS(APICAL_NAME)};  ///< in the order of TwoPointOutput
#undef APICAL_NAME

struct TwoPoint {
  Mtf mtf = Mtf::coop;
  TwoPointOutput output = TwoPointOutput::relu6;
  float c_max = 3.0f;  ///< > 0
  bool operator==(const TwoPoint&) const = default;
};

/// n cells. r: [n]; context: [n], the sum of all context fields, or null (C = 0); h: [n] written, may be r or context.
/// Returns how many h are not exactly 0.
std::uint64_t two_point_forward(const TwoPoint& m, const float* r, const float* context, std::size_t n, float* h) noexcept;

/// The gradients of n cells; everything is computed again from r and context. grad_h: [n]; grad_r: [n] written; grad_context: [n]
/// written, or null. Either may be grad_h. The clamps of tm1 and tm4 pass no gradient through the exponent where R C > 8.
void two_point_backward(const TwoPoint& m, const float* r, const float* context, const float* grad_h, std::size_t n, float* grad_r,
                        float* grad_context) noexcept;

/// y[i] = tanh(x[i]), what a cell shows its neighbours of R. y may be x. Within 2 ulp or 1e-7 of the exact value, whichever is more.
void tanh_forward(const float* x, std::size_t n, float* y) noexcept;
/// grad_x[i] = grad_y[i] * (1 - y[i]^2). grad_x may be grad_y.
void tanh_backward(const float* y, const float* grad_y, std::size_t n, float* grad_x) noexcept;

}  // namespace apical::kernels
