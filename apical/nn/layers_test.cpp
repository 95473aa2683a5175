#include "apical/nn/layers.h"

#include <gtest/gtest.h>

#include "apical/kernels/event_linear.h"

namespace apical::nn {
namespace {

// Row by row the sums of the runtime; a matrix product sums in another order.
torch::Tensor row_by_row(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias) {
  const auto inputs = static_cast<std::size_t>(weight.size(1)), outputs = static_cast<std::size_t>(weight.size(0));
  std::vector<float> rows(inputs * kernels::linear_stride(outputs));
  kernels::prepare_linear(weight.data_ptr<float>(), outputs, inputs, rows.data());
  auto y = bias.expand({x.size(0), weight.size(0)}).contiguous();
  for (std::int64_t r = 0; r < x.size(0); ++r) {
    const auto fired = x[r].nonzero().flatten().to(torch::kInt32).contiguous();
    kernels::event_linear(rows.data(), outputs, reinterpret_cast<const std::uint32_t*>(fired.data_ptr<std::int32_t>()), nullptr,
                          static_cast<std::size_t>(fired.numel()), y[r].data_ptr<float>());
  }
  return y;
}

TEST(Dense, FewSpikesWithoutGradientsRunAsEvents) {
  DenseImpl layer("dense", 300, 257, true, 3);
  torch::NoGradGuard no_grad;
  const auto weight = layer.parameters()[0].detach(), bias = layer.parameters()[1].detach();
  const auto run = [&](const torch::Tensor& x) { return layer.run({x, 1, false}, nullptr).frames; };
  torch::manual_seed(1);
  const auto uniform = torch::rand({1030, 300});
  const auto few = (uniform < 0.05).to(torch::kFloat32), many = (uniform < 0.3).to(torch::kFloat32);
  EXPECT_TRUE(run(few).equal(row_by_row(few, weight, bias)));
  EXPECT_TRUE(run(few.slice(0, 0, 100)).equal(at::linear(few.slice(0, 0, 100), weight, bias))) << "few rows";
  // Many spikes, values that are no spikes, or gradients: the product
  EXPECT_TRUE(run(many).equal(at::linear(many, weight, bias)));
  EXPECT_TRUE(run(few * 0.5).equal(at::linear(few * 0.5, weight, bias)));
  at::AutoGradMode with_grad(true);
  EXPECT_TRUE(run(few).equal(at::linear(few, weight, bias)));
  EXPECT_FALSE(at::linear(few, weight, bias).equal(row_by_row(few, weight, bias))) << "the test cannot tell the two apart";
}

}  // namespace
}  // namespace apical::nn
