#include "apical/learning/loss.h"

namespace apical::learning {

torch::Tensor step_loss(const torch::Tensor& output, const torch::Tensor& labels, std::int64_t T, const LossOptions& o) {
  auto loss = at::cross_entropy_loss(output, labels, {}, at::Reduction::Mean, -100, o.label_smoothing);
  if (o.mse > 0) {
    const auto target = o.one_hot ? torch::nn::functional::one_hot(labels, output.size(1)).to(output.dtype()) : at::ones_like(output);
    loss = (1.0 - o.mse) * loss + o.mse * at::mse_loss(output, target);
  }
  return loss / static_cast<double>(T);
}

}  // namespace apical::learning
