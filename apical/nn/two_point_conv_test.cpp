#include "apical/nn/two_point_conv.h"

#include <gtest/gtest.h>

#include "apical/base/error.h"
#include "apical/nn/testing_mcc.h"

namespace apical::nn {
namespace {

using kernels::Mtf;
using torch::Tensor;

TwoPointConvOptions options(Mtf mtf, std::int64_t context_kernel = 3) {
  TwoPointConvOptions o;
  o.in = 3, o.maps = 5, o.kernel = 3, o.stride = 2, o.padding = 1, o.context_kernel = context_kernel;
  o.cell.mtf = mtf;
  return o;
}
// Contexts of any size: the layer starts with small ones.
void enlarge(torch::nn::Module& layer) {
  torch::NoGradGuard no_grad;
  for (auto& p : layer.named_parameters())
    if (p.key() != "receptive") p.value().add_(0.5 * torch::randn_like(p.value()));
}

TEST(TwoPointConv, AreTheEquations) {
  torch::manual_seed(6);
  for (const auto mtf : {Mtf::coop, Mtf::tm3, Mtf::gate})
    for (const std::int64_t k : {1, 3}) {
      auto o = options(mtf, k);
      o.distal = 4, o.universal = 2;
      TwoPointConvImpl layer("maps", o, 3);
      enlarge(layer);
      const auto x = torch::randn({2, 3, 9, 7}), distal = torch::randn({2, 4, 5, 4}), u = torch::randn({2, 2});
      const auto r = layer.receptive(x);
      ASSERT_EQ(r.sizes(), (std::vector<std::int64_t>{2, 5, 5, 4}));
      const auto h = layer.respond(r, layer.context(shown(r), distal, u)).detach();
      const auto p = layer.named_parameters();
      const auto w = [&](const char* name) { return p[name].detach().to(torch::kFloat64); };
      const auto r64 = at::conv2d(x.to(torch::kFloat64), w("receptive"), w("bias"), 2, 1);
      auto P = w("proximal").clone();
      for (int m = 0; m < 5; ++m) P[m][m][k / 2][k / 2] = 0;
      const auto c = at::conv2d(r64.tanh(), P, w("context_bias"), 1, k / 2) + at::conv2d(distal.to(torch::kFloat64), w("distal"), Tensor(), 1, k / 2) +
                     u.to(torch::kFloat64).mm(w("universal").t()).view({2, 5, 1, 1});
      EXPECT_LT(largest(h, reference(o.cell, r64, c)), 1e-4) << static_cast<int>(mtf);
    }
}

// One place, kernels of one: a layer of cells.
TEST(TwoPointConv, OnePlaceIsALayer) {
  auto o = options(Mtf::coop, 1);
  o.kernel = o.stride = 1, o.padding = 0;
  for (const std::int64_t iterations : {1, 3}) {
    o.iterations = iterations;
    TwoPointConvImpl maps("maps", o, 3);
    enlarge(maps);
    TwoPointLayerImpl cells("cells", {3, 5, true, 0, 0, iterations, o.cell}, 4);
    {
      torch::NoGradGuard no_grad;
      const auto from = maps.named_parameters();
      for (auto& p : cells.named_parameters()) p.value().copy_(from[p.key()].view(p.value().sizes()));
    }
    const auto x = torch::randn({6, 3});
    const auto h = maps.run({x.view({6, 3, 1, 1}), 1, false}, nullptr).frames.view({6, 5});
    EXPECT_LT((h - cells.run({x, 1, false}, nullptr).frames).abs().max().item<double>(), 1e-5);
  }
}

TEST(TwoPointConv, NoCellIsItsOwnContext) {
  TwoPointConvImpl layer("maps", options(Mtf::coop), 3);
  layer.run({torch::randn({2, 3, 9, 7}), 1, false}, nullptr).frames.square().sum().backward();
  const auto grad = layer.named_parameters()["proximal"].grad();
  for (int m = 0; m < 5; ++m) EXPECT_EQ(grad[m][m][1][1].item<float>(), 0);
  EXPECT_NE(grad[1][1][0][1].item<float>(), 0) << "neighbours in the same map are";
  for (const auto& p : layer.named_parameters()) EXPECT_GT(p.value().grad().abs().max().item<double>(), 0) << p.key();
}

TEST(TwoPointConv, BadInputIsRefused) {
  const auto message = [](const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  auto o = options(Mtf::coop, 2);
  EXPECT_NE(message([&] { TwoPointConvImpl("maps", o, 1); }).find("odd kernel, not 2"), std::string::npos);
  o.context_kernel = 3, o.cell.c_max = -1;
  EXPECT_NE(message([&] { TwoPointConvImpl("maps", o, 1); }).find("c_max"), std::string::npos);
  o.cell.c_max = 3, o.distal = 4;
  TwoPointConvImpl layer("maps", o, 1);
  EXPECT_NE(message([&] { layer.receptive(torch::zeros({1, 2, 5, 5})); }).find("[B, 3, height, width], not [1, 2, 5, 5]"), std::string::npos);
  EXPECT_NE(message([&] { layer.context({}, torch::zeros({1, 3, 5, 5}), {}); }).find("distal field needs [B, 4"), std::string::npos);
}

}  // namespace
}  // namespace apical::nn
