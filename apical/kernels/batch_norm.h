#pragma once
// Batch normalisation (Ioffe and Szegedy 2015) of floats, channel last: x [groups, rows, C]; each group (a time step, say) has its own
// statistics. Sums run tile by tile of rows in a fixed order, tiles are joined in double: the same bits at every SIMD level and for any
// number of threads.
#include <cstddef>

namespace apical::kernels {

struct BatchNorm {
  std::size_t groups, rows, channels;  ///< rows >= 1 of every group
  double eps;                          ///< > 0, added to the variance
};

/// y = (x - mean) * inv_std * weight + bias with the mean and 1 / sqrt(variance + eps) over a group's rows (variance over rows, not rows - 1),
/// which are also given: [groups, C] each. The running statistics [C] move once a group, in order:
/// running += momentum * (statistic - running), the variance over rows - 1 there.
void batch_norm(const BatchNorm& shape, const float* x, const float* weight, const float* bias, double momentum, float* running_mean, float* running_var,
                float* y, float* mean, float* inv_std) noexcept;

/// With n = rows, d = (x - mean) * inv_std:  grad_x = weight * inv_std * (g - sum(g) / n - d * sum(g d) / n), and summed over the groups
/// grad_weight = sum(g d), grad_bias = sum(g).
void batch_norm_backward(const BatchNorm& shape, const float* x, const float* weight, const float* mean, const float* inv_std, const float* grad_y, float* grad_x,
                         float* grad_weight, float* grad_bias) noexcept;

}  // namespace apical::kernels
