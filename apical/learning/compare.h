#pragma once
// How alike the gradients of two learning rules are, on the same weights and the same batch.
#include <string>
#include <vector>

#include "apical/learning/rules.h"

namespace apical::learning {

/// One parameter's two gradients, sums in float64.
struct GradientComparison {
  std::string parameter;            ///< "conv1.weight"
  double cosine = 0;                ///< a.b / (|a| |b|); NaN when one of them is zero
  double norm_a = 0, norm_b = 0;    ///< Euclidean
  double norm_of_difference = 0;    ///< |a - b|
};

/// Computes both gradients in training mode and puts everything back: .grad, running statistics, the network's mode.
/// `step` is that of accumulate_gradients (draws of sltt_k, dropout masks: the same for both).
std::vector<GradientComparison> compare_gradients(nn::Network& network, const nn::Sequence& x, const torch::Tensor& labels, const RuleOptions& a,
                                                  const RuleOptions& b, const LossOptions& loss, std::uint64_t step);

/// |a - b| / |a| over all parameters; NaN when a is zero. Products and sums are taken in float64 (neurons in float32): equal rules differ by
/// rounding alone, which in float32 depends on how the processor's BLAS cuts its sums (docs/decisions/0009-gradients-in-float64.md).
/// Gradients are dropped, and parameters get new memory: not for a network that an optimiser holds and that goes on learning.
double relative_difference(nn::Network& network, const nn::Sequence& x, const torch::Tensor& labels, const RuleOptions& a, const RuleOptions& b,
                           const LossOptions& loss);

}  // namespace apical::learning
