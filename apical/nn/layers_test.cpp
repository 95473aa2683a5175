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

TEST(Dense, FewSpikesRunAsEvents) {
  DenseImpl layer("dense", 300, 257, true, 3);
  const auto weight = layer.parameters()[0].detach(), bias = layer.parameters()[1].detach();
  const auto run = [&](const torch::Tensor& x) { return layer.run({x, 1, false}, nullptr).frames.detach(); };
  torch::manual_seed(1);
  const auto uniform = torch::rand({1030, 300});
  const auto few = (uniform < 0.05).to(torch::kFloat32), many = (uniform < 0.3).to(torch::kFloat32);
  auto late = few.clone();
  late[1029][299] = 0.5;  // all but the last value are spikes
  for (const bool gradients : {false, true}) {
    at::AutoGradMode mode(gradients);
    EXPECT_TRUE(run(few).equal(row_by_row(few, weight, bias)));
    EXPECT_TRUE(run(few.slice(0, 0, 100)).equal(at::linear(few.slice(0, 0, 100), weight, bias))) << "few rows";
    // Many spikes, or values that are no spikes: the product
    EXPECT_TRUE(run(many).equal(at::linear(many, weight, bias)));
    EXPECT_TRUE(run(few * 0.5).equal(at::linear(few * 0.5, weight, bias)));
    EXPECT_TRUE(run(late).equal(at::linear(late, weight, bias)));
  }
  EXPECT_FALSE(at::linear(few, weight, bias).equal(row_by_row(few, weight, bias))) << "the test cannot tell the two apart";
}

bool near(const torch::Tensor& a, const torch::Tensor& b) { return (a.to(torch::kFloat64) - b).norm().item<double>() <= 3e-6 * b.norm().item<double>(); }

// Against float64 products of torch; also where the input or the bias takes no part.
TEST(Dense, GradientsOfFewSpikesAreThoseOfTheProduct) {
  torch::manual_seed(2);
  const auto spikes = (torch::rand({2100, 300}) < 0.05).to(torch::kFloat32), g = torch::randn({2100, 257});
  for (const bool with_bias : {false, true})
    for (const bool with_input : {false, true}) {
      DenseImpl layer("dense", 300, 257, with_bias, 3);
      const auto x = spikes.clone().requires_grad_(with_input);
      layer.run({x, 1, false}, nullptr).frames.backward(g);
      const auto wide = g.to(torch::kFloat64);
      EXPECT_TRUE(near(layer.parameters()[0].grad(), wide.t().mm(spikes.to(torch::kFloat64))));
      if (with_bias) {
        EXPECT_TRUE(near(layer.parameters()[1].grad(), wide.sum(0)));
      }
      EXPECT_EQ(x.grad().defined(), with_input);
      if (with_input) {
        EXPECT_TRUE(near(x.grad(), wide.mm(layer.parameters()[0].detach().to(torch::kFloat64))));
      }
    }
}

}  // namespace
}  // namespace apical::nn
