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
  double largest_difference = 0;    ///< max |a_i - b_i|
  double largest = 0;               ///< max |a_i|
};

/// Computes both gradients in training mode and puts everything back: .grad, running statistics, the network's mode.
/// `step` is that of accumulate_gradients (draws of sltt_k, dropout masks: the same for both).
std::vector<GradientComparison> compare_gradients(nn::Network& network, const nn::Sequence& x, const torch::Tensor& labels, const RuleOptions& a,
                                                  const RuleOptions& b, const LossOptions& loss, std::uint64_t step);

}  // namespace apical::learning
