#pragma once
// Small networks of two-point cells for the tests of nn and training.
#include <string>
#include <vector>

#include "apical/nn/mcc.h"

namespace apical::nn {

inline const std::vector<kernels::Mtf> all_mtfs{kernels::Mtf::tm1, kernels::Mtf::tm2, kernels::Mtf::tm3, kernels::Mtf::tm4, kernels::Mtf::coop, kernels::Mtf::add, kernels::Mtf::gate};

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
