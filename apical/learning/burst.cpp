#include "apical/learning/burst.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/nn/layer.h"

namespace apical::learning {

using torch::Tensor;

BurstNetworkImpl::BurstNetworkImpl(BurstSpec spec, std::uint64_t seed) : spec_(std::move(spec)) {
  const auto& sizes = spec_.sizes;
  if (sizes.size() < 2 || std::any_of(sizes.begin(), sizes.end(), [](auto n) { return n < 1; }))
    throw usage_error("a network that learns by bursts needs two sizes or more, each >= 1", "sizes");
  if (!(spec_.beta > 0)) throw usage_error("beta must be > 0", "beta");
  if (!(spec_.gain > 0 && spec_.gain <= 0.5)) throw usage_error("the teacher's gain lies in (0, 0.5], so that bursts are at most as many as events", "gain");
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    const std::string name = "layer" + std::to_string(l + 1);
    const double bound = std::sqrt(6.0 / static_cast<double>(sizes[l] + sizes[l + 1]));
    weight_.push_back(register_parameter(name + "_weight", nn::uniform({sizes[l + 1], sizes[l]}, 4 * bound, Random(seed, name + ".weight"))));  // 4: of sigmoids (Glorot and Bengio 2010)
    bias_.push_back(register_parameter(name + "_bias", torch::zeros({sizes[l + 1]})));
    feedback_.push_back(l == 0 ? Tensor() : nn::uniform({sizes[l], sizes[l + 1]}, 4 * bound, Random(seed, name + ".feedback")));
  }
}

Tensor BurstNetworkImpl::feedback(std::size_t layer) const { return spec_.symmetric ? weight_[layer].t() : feedback_[layer]; }

std::vector<Tensor> BurstNetworkImpl::events(const Tensor& x) const {
  if (x.dim() != 2 || x.size(1) != spec_.sizes.front())
    throw usage_error("the input has " + std::to_string(x.dim()) + " dimensions and " + std::to_string(x.size(-1)) + " columns; it needs [B, " + std::to_string(spec_.sizes.front()) + "]",
                      "learning by bursts");
  std::vector<Tensor> e{x};
  for (std::size_t l = 0; l < weight_.size(); ++l) e.push_back(at::sigmoid(at::linear(e.back(), weight_[l], bias_[l])));
  return e;
}

Tensor BurstNetworkImpl::forward(const Tensor& x) const { return events(x).back(); }

namespace {

// Where a gradient lies already (an optimiser's own buffer, say) it stays there.
void put_gradient(Tensor& parameter, const Tensor& gradient) {
  if (parameter.grad().defined()) parameter.mutable_grad().copy_(gradient);
  else parameter.mutable_grad() = gradient;
}

}  // namespace

double BurstNetworkImpl::learn(const Tensor& x, const Tensor& target) {
  torch::NoGradGuard no_grad;
  const auto e = events(x);
  if (target.sizes() != e.back().sizes()) throw usage_error("targets and outputs differ in shape", "learning by bursts");
  Tensor bursts = e.back() / 2, taught = e.back() * (0.5 + spec_.gain * (target - e.back()) * (1 - e.back()));
  for (std::size_t l = weight_.size(); l-- > 0;) {
    const auto surplus = (bursts - taught) / (spec_.gain * static_cast<double>(x.size(0)));
    put_gradient(weight_[l], at::mm(surplus.t(), e[l]));
    put_gradient(bias_[l], surplus.sum(0));
    if (l == 0) break;
    const auto apex = [&](const Tensor& above) { return at::sigmoid(spec_.beta * (1 - e[l]) * at::mm(above, feedback(l).t())); };
    const auto before = apex(bursts), with = apex(taught);
    bursts = before * e[l], taught = with * e[l];
  }
  return (e.back() - target).square().sum(1).mean().item<double>() / 2;
}

}  // namespace apical::learning
