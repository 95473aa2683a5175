#include "apical/training/optimizer.h"

#include <cmath>
#include <numbers>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::training {

double learning_rate(const OptimizerOptions& o, std::uint64_t step, std::uint64_t total) {
  const double at = total ? (static_cast<double>(step) + 0.5) / static_cast<double>(total) : 0.0;
  if (at < o.warmup) return o.lr * at / o.warmup;
  if (o.schedule == "constant") return o.lr;
  const double share = o.warmup < 1 ? (at - o.warmup) / (1 - o.warmup) : 1.0;
  return 0.5 * o.lr * (1.0 + std::cos(std::numbers::pi * share));
}

FlatOptimizer::FlatOptimizer(const std::vector<torch::Tensor>& parameters, const OptimizerOptions& o) : options_(o) {
  if (!(o.lr > 0) || !(o.weight_decay >= 0) || !(o.warmup >= 0 && o.warmup <= 1) || !(o.clip >= 0))
    throw usage_error("needs lr > 0, weight_decay >= 0, clip >= 0 and 0 <= warmup <= 1", "train");
  if (o.schedule != "cosine" && o.schedule != "constant")
    throw usage_error("there is no schedule '" + o.schedule + "'", "train.schedule", did_you_mean(o.schedule, {"cosine", "constant"}));
  for (const bool decayed : {true, false}) {
    std::int64_t n = 0;
    for (const auto& p : parameters)
      if ((p.dim() >= 2) == decayed) n += p.numel();
    if (n == 0) continue;
    Group g{torch::empty({n}), torch::zeros({n})};
    std::int64_t at = 0;
    for (auto p : parameters) {
      if ((p.dim() >= 2) != decayed) continue;
      const auto view = g.values.narrow(0, at, p.numel()).view(p.sizes());
      view.copy_(p.detach());
      p.set_data(view);
      p.mutable_grad() = g.grad.narrow(0, at, p.numel()).view(p.sizes());
      at += p.numel();
    }
    g.values.requires_grad_();
    g.values.mutable_grad() = g.grad;
    groups_.push_back(g);
  }
  // weight decay of the second group (biases, norms) is 0
  auto decay = [&](const Group& g) { return &g == &groups_.front() && groups_.size() == 2 ? o.weight_decay : groups_.size() == 1 ? o.weight_decay : 0.0; };
  std::vector<torch::optim::OptimizerParamGroup> param_groups;
  for (const auto& g : groups_) {
    if (o.kind == "adamw")
      param_groups.emplace_back(std::vector<torch::Tensor>{g.values},
                                std::make_unique<torch::optim::AdamWOptions>(torch::optim::AdamWOptions(o.lr).betas({o.beta1, o.beta2}).weight_decay(decay(g))));
    else
      param_groups.emplace_back(std::vector<torch::Tensor>{g.values},
                                std::make_unique<torch::optim::SGDOptions>(torch::optim::SGDOptions(o.lr).momentum(o.momentum).weight_decay(decay(g))));
  }
  if (o.kind == "adamw")
    optimizer_ = std::make_unique<torch::optim::AdamW>(param_groups, torch::optim::AdamWOptions(o.lr));
  else if (o.kind == "sgd")
    optimizer_ = std::make_unique<torch::optim::SGD>(param_groups, torch::optim::SGDOptions(o.lr));
  else
    throw usage_error("there is no optimiser '" + o.kind + "'", "train.optimizer", did_you_mean(o.kind, {"adamw", "sgd"}));
}

void FlatOptimizer::zero_grad() {
  for (auto& g : groups_) g.grad.zero_();
}

void FlatOptimizer::step(double lr) {
  if (options_.clip > 0) {
    double squares = 0;
    for (const auto& g : groups_) squares += std::pow(g.grad.norm().item<double>(), 2);
    if (squares > options_.clip * options_.clip)
      for (auto& g : groups_) g.grad.mul_(options_.clip / std::sqrt(squares));
  }
  for (auto& group : optimizer_->param_groups()) group.options().set_lr(lr);
  optimizer_->step();
  ++steps_;
}

// Torch makes the moments at the first step; a checkpoint wants them always.
void FlatOptimizer::ensure_state() {
  for (auto& g : groups_) {
    auto& slot = optimizer_->state()[c10::guts::to_string(g.values.unsafeGetTensorImpl())];
    if (slot) continue;
    if (options_.kind == "adamw") {
      auto s = std::make_unique<torch::optim::AdamWParamState>();
      s->step(0);
      s->exp_avg(torch::zeros_like(g.grad));
      s->exp_avg_sq(torch::zeros_like(g.grad));
      slot = std::move(s);
    }
  }
}

std::vector<std::pair<std::string, torch::Tensor>> FlatOptimizer::state() {
  if (options_.kind == "adamw") ensure_state();
  std::vector<std::pair<std::string, torch::Tensor>> out;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const std::string prefix = "optimizer." + std::to_string(i) + ".";
    out.emplace_back(prefix + "values", groups_[i].values.detach());
    const auto found = optimizer_->state().find(c10::guts::to_string(groups_[i].values.unsafeGetTensorImpl()));
    if (options_.kind == "adamw") {
      auto& s = static_cast<torch::optim::AdamWParamState&>(*found->second);
      out.emplace_back(prefix + "exp_avg", s.exp_avg());
      out.emplace_back(prefix + "exp_avg_sq", s.exp_avg_sq());
    } else if (found != optimizer_->state().end()) {
      out.emplace_back(prefix + "momentum", static_cast<torch::optim::SGDParamState&>(*found->second).momentum_buffer());
    }
  }
  return out;
}

void FlatOptimizer::restore(const std::vector<std::pair<std::string, torch::Tensor>>& values, std::int64_t steps) {
  torch::NoGradGuard no_grad;
  for (auto& g : groups_) {
    if (options_.kind == "sgd" && steps > 0) {
      auto s = std::make_unique<torch::optim::SGDParamState>();
      s->momentum_buffer(torch::zeros_like(g.grad));
      optimizer_->state()[c10::guts::to_string(g.values.unsafeGetTensorImpl())] = std::move(s);
    }
  }
  for (auto& [name, mine] : state()) {
    const auto it = std::find_if(values.begin(), values.end(), [&, n = name](const auto& v) { return v.first == n; });
    if (it == values.end() || it->second.numel() != mine.numel())
      throw data_error("the checkpoint does not fit this network", name, "It was made with other settings: start again with another --out.");
    mine.copy_(it->second.view(mine.sizes()));
  }
  if (options_.kind == "adamw")
    for (auto& [key, s] : optimizer_->state()) static_cast<torch::optim::AdamWParamState&>(*s).step(steps);
  steps_ = steps;
}

}  // namespace apical::training
