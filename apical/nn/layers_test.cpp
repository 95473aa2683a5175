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

// torch's own, step by step or over the whole sequence.
TEST(BatchNorm, IsTorchsWithTheStatisticsAskedFor) {
  for (const Stats stats : {Stats::sequence, Stats::step})
    for (const auto& shape : {std::vector<std::int64_t>{12, 5, 4, 3}, {12, 20}})
      for (const bool constant : {false, true}) {
        torch::manual_seed(2);
        BatchNormImpl layer("norm", shape[1], stats, 0.2);
        const auto p = layer.named_parameters(), b = layer.named_buffers();
        {
          torch::NoGradGuard no_grad;
          p["weight"].copy_(torch::rand({shape[1]}));
          p["bias"].copy_(torch::rand({shape[1]}));
        }
        const auto weight = p["weight"].detach().clone().requires_grad_(), bias = p["bias"].detach().clone().requires_grad_();
        const auto mean = b["running_mean"].clone(), var = b["running_var"].clone();
        const auto x = torch::rand(shape).requires_grad_(), same = x.detach().clone().requires_grad_(), g = torch::randn(shape);
        const std::int64_t T = 3, batch = constant ? 12 : 4;
        std::vector<torch::Tensor> parts;
        if (stats == Stats::sequence || constant)
          // a frame shown T times moves the running statistics of `step` T times, towards the same figures
          for (std::int64_t t = 0; t < (stats == Stats::step ? T : 1); ++t)
            parts = {at::batch_norm(same, weight, bias, mean, var, true, 0.2, 1e-5, false)};
        else
          for (const auto& step : same.split(batch)) parts.push_back(at::batch_norm(step, weight, bias, mean, var, true, 0.2, 1e-5, false));
        const auto want = at::cat(parts), y = layer.run({x, T, constant}, nullptr).frames;
        want.backward(g);
        y.backward(g);
        const auto near = [](const torch::Tensor& a, const torch::Tensor& b, double tolerance) { return (a - b).abs().max().item<double>() < tolerance; };
        EXPECT_TRUE(near(y, want, 1e-5));
        EXPECT_TRUE(near(x.grad(), same.grad(), 1e-5));
        EXPECT_TRUE(near(p["weight"].grad(), weight.grad(), 1e-4));
        EXPECT_TRUE(near(p["bias"].grad(), bias.grad(), 1e-4));
        EXPECT_TRUE(near(b["running_mean"], mean, 1e-6));
        EXPECT_TRUE(near(b["running_var"], var, 1e-6));
        EXPECT_EQ(y.is_contiguous(at::MemoryFormat::ChannelsLast), shape.size() == 4);
        layer.eval();
        EXPECT_TRUE(near(layer.run({x, T, constant}, nullptr).frames, at::batch_norm(x, weight, bias, mean, var, false, 0.2, 1e-5, false), 1e-5));
      }
}

}  // namespace
}  // namespace apical::nn
