#pragma once
// Two-point cells in torch's own operations, and small networks of them, for the tests of nn and training.
#include <string>
#include <vector>

#include "apical/nn/mcc.h"

namespace apical::nn {

inline const std::vector<kernels::Mtf> all_mtfs{kernels::Mtf::tm1, kernels::Mtf::tm2, kernels::Mtf::tm3, kernels::Mtf::tm4, kernels::Mtf::coop, kernels::Mtf::add, kernels::Mtf::gate};

// The card's formulas in torch's own operations, for float64 autograd.
inline torch::Tensor transfer(kernels::Mtf mtf, const torch::Tensor& r, const torch::Tensor& c) {
  switch (mtf) {
    case kernels::Mtf::tm1: return r / 2 * (1 + (r * c).clamp_max(8).exp());
    case kernels::Mtf::tm2: return r + r * c;
    case kernels::Mtf::tm3: return r * (1 + (r * c).tanh());
    case kernels::Mtf::tm4: return r * at::exp2((r * c).clamp_max(8));
    case kernels::Mtf::coop: return r * r + 2 * r + c * (1 + r.abs());
    case kernels::Mtf::add: return r + c;
    case kernels::Mtf::gate: return 2 * r * c.sigmoid();
  }
  return {};
}
inline torch::Tensor reference(const kernels::TwoPoint& cell, const torch::Tensor& r, const torch::Tensor& context) {
  return transfer(cell.mtf, r, cell.c_max * (context / cell.c_max).tanh()).clamp(0, 6);
}

inline double largest(const torch::Tensor& a, const torch::Tensor& b) { return (a.to(torch::kFloat64) - b).abs().max().item<double>(); }

inline MccSpec small(kernels::Mtf mtf, std::int64_t iterations = 1) {
  MccSpec s;
  s.inputs = {19, 23}, s.layers = {2}, s.cells = 16, s.outputs = 5, s.iterations = iterations;
  s.cell.mtf = mtf;
  return s;
}
// Weights of the context large enough to matter.
inline MccNetwork network(const MccSpec& spec, std::uint64_t seed = 3) {
  MccNetwork net(spec, seed);
  torch::NoGradGuard no_grad;
  for (auto& p : net->named_parameters())
    if (p.key().find("proximal") != std::string::npos || p.key().find("distal") != std::string::npos || p.key().find("universal") != std::string::npos)
      p.value().mul_(10);
  return net;
}
inline std::vector<torch::Tensor> inputs(std::int64_t B = 7) {
  torch::manual_seed(2);
  return {torch::randn({B, 19}), torch::randn({B, 23})};
}

}  // namespace apical::nn
