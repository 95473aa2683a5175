#include "apical/nn/two_point_spiking.h"

#include <gtest/gtest.h>

#include "apical/base/error.h"
#include "apical/nn/testing_mcc.h"

namespace apical::nn {
namespace {

using torch::Tensor;

SpikingTwoPointOptions options() {
  SpikingTwoPointOptions o;
  o.inputs = 9, o.cells = 11, o.distal = 6;
  o.soma.tau = 2.0, o.apex.tau = 4.0, o.apex.v_th = 0.7;
  return o;
}
SpikingTwoPointImpl& enlarged(SpikingTwoPointImpl& layer) {
  torch::manual_seed(9);
  torch::NoGradGuard no_grad;
  for (auto& p : layer.named_parameters()) p.value().add_(0.6 * torch::randn_like(p.value()));
  return layer;
}

TEST(SpikingTwoPoint, FollowsTheEquationsStepByStep) {
  SpikingTwoPointImpl layer("cells", options(), 3);
  enlarged(layer);
  constexpr std::int64_t T = 12, B = 5;
  const auto x = torch::randn({T * B, 9}), distal = (torch::rand({T * B, 6}) > 0.5).to(torch::kFloat32);
  const auto got = layer.respond({x, T, false}, distal);
  torch::NoGradGuard no_grad;
  const auto p = layer.named_parameters();
  const auto w = [&](const std::string& name) { return p["weights." + name]; };
  auto soma = torch::zeros({B, 11}), apex = torch::zeros({B, 11});
  const auto P = w("proximal") - w("proximal").diag().diag();
  double bursts = 0;
  for (std::int64_t t = 0; t < T; ++t) {
    soma = 0.5 * soma + at::linear(x.narrow(0, t * B, B), w("receptive"), w("bias"));
    const auto s = (soma >= 1.0).to(torch::kFloat32);
    soma = soma - s;
    apex = 0.75 * apex + s.mm(P.t()) + distal.narrow(0, t * B, B).mm(w("distal").t()) + w("context_bias");
    const auto a = (apex >= 0.7).to(torch::kFloat32);
    EXPECT_LT((got.soma.narrow(0, t * B, B) - s).abs().sum().item<double>(), 1) << t;  // no threshold within rounding in this draw
    EXPECT_TRUE(got.apex.narrow(0, t * B, B).equal(a)) << t;
    EXPECT_TRUE(got.bursts.narrow(0, t * B, B).equal(s * a)) << t;
    bursts += (s * a).sum().item<double>();
  }
  EXPECT_GT(bursts, 20);
  EXPECT_LT(bursts, got.soma.sum().item<double>()) << "some spikes of the soma meet a closed apex";
}

TEST(SpikingTwoPoint, StepByStepIsTheWholeSequence) {
  SpikingTwoPointImpl layer("cells", options(), 3);
  enlarged(layer);
  const auto x = torch::randn({6 * 4, 9}), distal = torch::rand({6 * 4, 6});
  const auto whole = layer.respond({x, 6, false}, distal).bursts;
  Tensor v;
  for (std::int64_t t = 0; t < 6; ++t)
    EXPECT_TRUE(layer.respond({x.narrow(0, 4 * t, 4), 1, false}, distal.narrow(0, 4 * t, 4), &v).bursts.equal(whole.narrow(0, 4 * t, 4))) << t;
}

TEST(SpikingTwoPoint, ContextAloneSendsNothing) {
  SpikingTwoPointImpl layer("cells", options(), 3);
  enlarged(layer);
  torch::NoGradGuard no_grad;
  layer.named_parameters()["weights.bias"].zero_();
  layer.named_parameters()["weights.distal"].fill_(1.0);
  const auto r = layer.respond({torch::zeros({8 * 3, 9}), 8, false}, torch::ones({8 * 3, 6}));
  EXPECT_TRUE((r.apex == 1).all().item<bool>());
  EXPECT_FALSE((r.bursts != 0).any().item<bool>());
}

// dh = a ds + s da: a weight of the apex moves bursts only where the soma spikes, and the other way round.
TEST(SpikingTwoPoint, GradientsPassThroughBothPoints) {
  SpikingTwoPointImpl layer("cells", options(), 3);
  enlarged(layer);
  const auto x = torch::randn({6 * 4, 9}), distal = torch::rand({6 * 4, 6});
  layer.respond({x, 6, false}, distal).bursts.sum().backward();
  for (const auto& p : layer.named_parameters()) {
    ASSERT_TRUE(p.value().grad().defined()) << p.key();
    EXPECT_GT(p.value().grad().abs().max().item<double>(), 0) << p.key();
  }
  {
    torch::NoGradGuard no_grad;
    layer.named_parameters()["weights.receptive"].zero_();
    layer.named_parameters()["weights.bias"].fill_(-5.0);
  }
  layer.zero_grad();
  const auto silent = layer.respond({x, 6, false}, distal);
  EXPECT_FALSE((silent.soma != 0).any().item<bool>());
  silent.bursts.sum().backward();
  EXPECT_EQ(layer.named_parameters()["weights.distal"].grad().abs().max().item<double>(), 0);
}

TEST(SpikingTwoPoint, BadInputIsRefused) {
  auto o = options();
  o.proximal = false, o.distal = 0;
  EXPECT_THROW(SpikingTwoPointImpl("cells", o, 1), Error);
  o = options(), o.apex.v_th = 0;
  EXPECT_THROW(SpikingTwoPointImpl("cells", o, 1), Error);
  SpikingTwoPointImpl layer("cells", options(), 1);
  EXPECT_THROW(layer.respond({torch::zeros({4, 8}), 1, false}, {}), Error);
  EXPECT_THROW(layer.respond({torch::zeros({4, 9}), 1, false}, torch::zeros({4, 5})), Error);
}

}  // namespace
}  // namespace apical::nn
