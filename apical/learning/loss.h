#pragma once
// Losses on the outputs of every step.
#include <torch/torch.h>

namespace apical::learning {

/// How outputs o[t] (t = 1..T, [B, K] each) become one number.
struct LossOptions {
  enum class Kind {
    readout,   ///< cross-entropy of the readout's scores
    per_step   ///< sum over t of [(1 - mse) CE(o_t, y) + mse MSE(o_t, target)] / T   (SLTT, arXiv 2302.14311, code)
  } kind = Kind::readout;
  double mse = 0.05;       ///< share of the squared error in per_step, 0..1
  bool one_hot = false;    ///< target of the squared error: one-hot of y instead of 1 for every class
  double label_smoothing = 0.0;
};

/// The per-step term for one step, [B, K] and labels [B]; already divided by T.
torch::Tensor step_loss(const torch::Tensor& output, const torch::Tensor& labels, std::int64_t T, const LossOptions& options);

}  // namespace apical::learning
