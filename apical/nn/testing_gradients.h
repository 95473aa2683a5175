#pragma once
// For tests of gradients against the equations in plain autograd operations, in float64.
#include <torch/torch.h>

#include <cmath>

#include "apical/kernels/neurons/lif.h"

namespace apical::nn {

/// Surrogate derivative at u (kernels/neurons/lif.h).
inline torch::Tensor slope(const kernels::Surrogate& s, const torch::Tensor& u) {
  using kernels::SurrogateKind;
  switch (s.kind) {
    case SurrogateKind::sigmoid: {
      const auto y = torch::sigmoid(u * (4.0 / s.width));
      return s.height * 4.0 * y * (1 - y);
    }
    case SurrogateKind::atan: return s.height / (1 + (M_PI * u / s.width).square());
    case SurrogateKind::triangle: return s.height * torch::relu(1 - u.abs() / s.width);
    case SurrogateKind::rectangle: return s.height * (u.abs() < s.width / 2).to(u.dtype());
    case SurrogateKind::fast_sigmoid: return s.height / (1 + u.abs() / s.width).square();
    case SurrogateKind::gaussian: case SurrogateKind::multi_gaussian: break;
  }
  const auto e = [&](double centre, double deviation) { return (-(u - centre).square() / (2 * deviation * deviation)).exp(); };
  const double w = s.width;
  if (s.kind == SurrogateKind::gaussian) return s.height * e(0, w);
  return s.height * ((1 + 0.15) * e(0, w) - 0.15 / 6 * (e(w, 6 * w) + e(-w, 6 * w)));
}

/// 1 where u >= 0, else 0: a step function whose derivative is the surrogate.
inline torch::Tensor spike(const kernels::Surrogate& surrogate, const torch::Tensor& u) {
  const auto line = u * slope(surrogate, u).detach();
  return (u >= 0).to(u.dtype()) + line - line.detach();
}

/// Largest difference, as a share of the largest of b.
inline double relative(const torch::Tensor& a, const torch::Tensor& b) {
  if (!b.defined()) return a.abs().max().item<double>();  // nothing depends on it
  return ((a.to(torch::kFloat64) - b).abs().max() / b.abs().max().clamp_min(1e-12)).item<double>();
}

}  // namespace apical::nn
