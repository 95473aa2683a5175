#include "apical/learning/compare.h"

#include <cmath>
#include <limits>

namespace apical::learning {
namespace {

// Holds what computing a gradient changes and puts it back, also when it throws. Gradients are written in place: they may be
// views into an optimiser's buffer.
class Untouched {
 public:
  explicit Untouched(nn::Network& network) : network_(network), training_(network->is_training()) {
    for (const auto& p : network->parameters()) grads_.push_back(p.grad().defined() ? p.grad().clone() : torch::Tensor());
    for (const auto& b : network->buffers()) buffers_.push_back(b.clone());
  }
  ~Untouched() {
    torch::NoGradGuard no_grad;
    auto parameters = network_->parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (grads_[i].defined())
        parameters[i].mutable_grad().copy_(grads_[i]);
      else
        parameters[i].mutable_grad() = torch::Tensor();
    }
    restore_buffers();
    network_->train(training_);
  }
  Untouched(const Untouched&) = delete;
  Untouched& operator=(const Untouched&) = delete;

  void restore_buffers() {
    torch::NoGradGuard no_grad;
    auto buffers = network_->buffers();
    for (std::size_t i = 0; i < buffers.size(); ++i) buffers[i].copy_(buffers_[i]);
  }

 private:
  nn::Network& network_;
  bool training_;
  std::vector<torch::Tensor> grads_, buffers_;
};

}  // namespace

std::vector<GradientComparison> compare_gradients(nn::Network& network, const nn::Sequence& x, const torch::Tensor& labels, const RuleOptions& a,
                                                  const RuleOptions& b, const LossOptions& loss, std::uint64_t step) {
  Untouched guard(network);
  network->train();
  std::vector<std::vector<torch::Tensor>> gradients;
  for (const auto* rule : {&a, &b}) {
    guard.restore_buffers();
    for (auto p : network->parameters())
      if (p.grad().defined()) p.mutable_grad().zero_();
    accumulate_gradients(network, x, labels, *rule, loss, step);
    auto& kept = gradients.emplace_back();
    for (const auto& p : network->parameters())
      kept.push_back(p.grad().defined() ? p.grad().to(torch::kFloat64, false, true) : at::zeros_like(p, torch::kFloat64));  // a copy
  }
  std::vector<GradientComparison> all;
  std::size_t i = 0;
  for (const auto& item : network->named_parameters()) {
    const auto& ga = gradients[0][i];
    const auto& gb = gradients[1][i++];
    GradientComparison c;
    c.parameter = item.key();
    c.norm_a = ga.norm().item<double>();
    c.norm_b = gb.norm().item<double>();
    const double both = c.norm_a * c.norm_b;
    c.cosine = both > 0 ? (ga * gb).sum().item<double>() / both : std::numeric_limits<double>::quiet_NaN();
    c.norm_of_difference = (ga - gb).norm().item<double>();
    all.push_back(std::move(c));
  }
  return all;
}

double relative_difference(nn::Network& network, const nn::Sequence& x, const torch::Tensor& labels, const RuleOptions& a, const RuleOptions& b,
                           const LossOptions& loss) {
  for (auto& p : network->parameters()) p.mutable_grad() = torch::Tensor();
  network->to(torch::kFloat64);
  const auto all = compare_gradients(network, {x.frames.to(torch::kFloat64), x.T, x.constant}, labels, a, b, loss, 0);
  network->to(torch::kFloat32);
  double difference = 0, norm = 0;
  for (const auto& g : all) difference += g.norm_of_difference * g.norm_of_difference, norm += g.norm_a * g.norm_a;
  return norm > 0 ? std::sqrt(difference / norm) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace apical::learning
