// Batch normalisation against its definition in float64.
#include "apical/kernels/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/simd.h"

namespace apical::kernels {
namespace {

using Floats = std::vector<float>;
Floats noise(std::size_t n, std::uint64_t stream, float scale, float shift) {
  Random r(4, stream);
  Floats x(n);
  for (float& a : x) a = shift + scale * r.normal();
  return x;
}

struct Outcome {
  Floats y, mean, inv_std, running_mean, running_var, grad_x, grad_weight, grad_bias;
  bool operator==(const Outcome&) const = default;
};

struct Inputs {
  BatchNorm s;
  Floats x, weight, bias, g;
};

Outcome ours(const Inputs& in) {
  const std::size_t C = in.s.channels, n = in.x.size();
  Outcome o{Floats(n), Floats(in.s.groups * C), Floats(in.s.groups * C), Floats(C, 0.5f), Floats(C, 2.0f), Floats(n), Floats(C, 9), Floats(C, 9)};
  batch_norm(in.s, in.x.data(), in.weight.data(), in.bias.data(), 0.3, o.running_mean.data(), o.running_var.data(), o.y.data(), o.mean.data(), o.inv_std.data());
  batch_norm_backward(in.s, in.x.data(), in.weight.data(), o.mean.data(), o.inv_std.data(), in.g.data(), o.grad_x.data(), o.grad_weight.data(), o.grad_bias.data());
  return o;
}

// The forward in float64; loss = sum of g * y, so that its differences are the gradients.
double loss(const Inputs& in, const std::vector<double>& x, Outcome* out = nullptr) {
  const auto [groups, rows, C, eps] = in.s;
  double sum = 0;
  for (std::size_t group = 0; group < groups; ++group)
    for (std::size_t c = 0; c < C; ++c) {
      const auto at = [&](std::size_t r) { return (group * rows + r) * C + c; };
      double mean = 0, var = 0;
      for (std::size_t r = 0; r < rows; ++r) mean += x[at(r)] / double(rows);
      for (std::size_t r = 0; r < rows; ++r) var += (x[at(r)] - mean) * (x[at(r)] - mean);
      const double inv_std = 1 / std::sqrt(var / double(rows) + eps);
      for (std::size_t r = 0; r < rows; ++r) {
        const double d = (x[at(r)] - mean) * inv_std, y = d * in.weight[c] + in.bias[c];
        sum += y * in.g[at(r)];
        if (!out) continue;
        out->y[at(r)] = float(y);
        out->grad_weight[c] += float(in.g[at(r)] * d);
        out->grad_bias[c] += in.g[at(r)];
      }
      if (!out) continue;
      out->mean[group * C + c] = float(mean);
      out->inv_std[group * C + c] = float(inv_std);
      out->running_mean[c] += 0.3f * (float(mean) - out->running_mean[c]);
      out->running_var[c] += 0.3f * (float(var / double(rows > 1 ? rows - 1 : 1)) - out->running_var[c]);
    }
  return sum;
}

void near(const Floats& a, const Floats& b, double tolerance, const char* what) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], tolerance * (1 + std::abs(b[i]))) << what << " " << i;
}

TEST(BatchNorm, IsItsDefinitionAtEveryLevelAndForAnyThreads) {
  for (const BatchNorm& s : {BatchNorm{3, 700, 16, 1e-5}, BatchNorm{2, 33, 5, 1e-5}, BatchNorm{1, 1030, 67, 1e-3}, BatchNorm{4, 1, 8, 1e-5}, BatchNorm{1, 40, 5000, 1e-5}}) {
    SCOPED_TRACE(std::to_string(s.groups) + " x " + std::to_string(s.rows) + " x " + std::to_string(s.channels));
    const std::size_t n = s.groups * s.rows * s.channels;
    // far from 0 for its spread: a variance as mean of squares minus square of mean would be lost
    const Inputs in{s, noise(n, 1, 0.1f, 10), noise(s.channels, 2, 1, 0), noise(s.channels, 3, 1, 0), noise(n, 4, 1, 0.2f)};
    const std::vector<double> x(in.x.begin(), in.x.end());
    Outcome want{Floats(n), Floats(s.groups * s.channels), Floats(s.groups * s.channels), Floats(s.channels, 0.5f), Floats(s.channels, 2.0f), {}, Floats(s.channels), Floats(s.channels)};
    loss(in, x, &want);
    set_simd_level("scalar");
    const Outcome first = ours(in);
    // in float the mean of 10 +- 0.1 is good to 5e-7, of the spread 5e-6
    near(first.y, want.y, 1e-4, "y");
    near(first.mean, want.mean, 1e-6, "mean");
    near(first.inv_std, want.inv_std, 1e-4, "inv_std");
    near(first.running_mean, want.running_mean, 1e-6, "running_mean");
    near(first.running_var, want.running_var, 1e-6, "running_var");
    near(first.grad_bias, want.grad_bias, 1e-4, "grad_bias");
    near(first.grad_weight, want.grad_weight, 2e-3, "grad_weight");
    Random pick(7, 1);
    for (int k = 0; k < 20; ++k) {
      const std::size_t i = pick.below(std::uint32_t(n));
      auto moved = x;
      const double h = 1e-5;
      moved[i] = x[i] + h;
      const double up = loss(in, moved);
      moved[i] = x[i] - h;
      const double slope = (up - loss(in, moved)) / (2 * h);
      ASSERT_NEAR(first.grad_x[i], slope, 1e-3 * (1 + std::abs(slope))) << "grad_x " << i;
    }
    for (const std::string& level : simd_levels())
      for (const int threads : {1, 2, 7}) {
        set_simd_level(level);
        set_thread_count(threads);
        EXPECT_TRUE(ours(in) == first) << level << ", " << threads << " threads";
      }
    set_thread_count(2);
    set_simd_level("");
  }
}

}  // namespace
}  // namespace apical::kernels
