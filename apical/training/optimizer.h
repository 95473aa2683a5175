#pragma once
// Torch's optimisers over flat buffers: all parameters of a group share one tensor, so a step is a handful of operations
// whatever the number of layers. Learning rates are functions of the step, so nothing about them needs to be saved.
#include <torch/torch.h>

#include <string>
#include <vector>

#include "apical/base/config.h"

namespace apical::training {

struct OptimizerOptions {
  std::string kind = "adamw";      ///< adamw | sgd
  double lr = 1e-3, weight_decay = 1e-2, momentum = 0.9;
  double beta1 = 0.9, beta2 = 0.999;
  std::string schedule = "cosine"; ///< cosine (to 0) | constant
  double warmup = 0.0;             ///< share of the steps with a linear rise from 0
  double clip = 0.0;               ///< > 0: gradients are scaled down to this Euclidean norm, over all parameters
};

/// Learning rate at step 0..total-1.
double learning_rate(const OptimizerOptions& options, std::uint64_t step, std::uint64_t total);

/// Takes over the parameters' storage. Weight decay acts on tensors with two dimensions or more only.
class FlatOptimizer {
 public:
  FlatOptimizer(const std::vector<torch::Tensor>& parameters, const OptimizerOptions& options);
  void zero_grad();
  void step(double lr);
  /// Everything the optimiser remembers, by name; the tensors share its memory. Step counts are in `steps`.
  std::vector<std::pair<std::string, torch::Tensor>> state();
  std::int64_t steps() const noexcept { return steps_; }
  /// Restores: values by name (all of state()), and the number of steps taken.
  void restore(const std::vector<std::pair<std::string, torch::Tensor>>& values, std::int64_t steps);

 private:
  struct Group { torch::Tensor values, grad; };
  void ensure_state();
  OptimizerOptions options_;
  std::vector<Group> groups_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  std::int64_t steps_ = 0;
};

}  // namespace apical::training
