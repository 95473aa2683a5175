#include "apical/nn/testing_mcc.h"

#include <gtest/gtest.h>

#include "apical/base/error.h"

namespace apical::nn {
namespace {

using kernels::Mtf;
using torch::Tensor;

TEST(TwoPoint, ValuesAndGradientsAreThoseOfTheFormula) {
  torch::manual_seed(1);
  for (const auto mtf : all_mtfs) {
    const kernels::TwoPoint cell{mtf};
    const auto r = torch::randn({40, 33}).requires_grad_(), context = (2 * torch::randn({40, 33})).requires_grad_(), g = torch::randn({40, 33});
    const auto h = two_point(cell, r, context);
    h.backward(g);
    const auto r64 = r.detach().to(torch::kFloat64).requires_grad_(), c64 = context.detach().to(torch::kFloat64).requires_grad_();
    const auto want = reference(cell, r64, c64);
    want.backward(g.to(torch::kFloat64));
    // Cells within rounding of 0 or 6 may lie on either side.
    const auto sure = (transfer(mtf, r64, 3 * (c64 / 3).tanh()).detach() - 3).abs().sub(3).abs() > 1e-4;
    EXPECT_LT(largest(h.detach(), want.detach()), 1e-5) << static_cast<int>(mtf);
    EXPECT_LT(largest(r.grad() * sure, r64.grad() * sure), 1e-4 * std::max(1.0, r64.grad().abs().max().item<double>())) << static_cast<int>(mtf);
    EXPECT_LT(largest(context.grad() * sure, c64.grad() * sure), 1e-4 * std::max(1.0, c64.grad().abs().max().item<double>())) << static_cast<int>(mtf);
  }
}

// A network written down by hand from the equations of mcc.h, in float64.
Tensor by_hand(MccNetwork& net, const std::vector<Tensor>& x_in) {
  const auto p = net->named_parameters();
  const auto w = [&](const std::string& name) { return p[name].detach().to(torch::kFloat64); };
  const auto& s = net->spec();
  std::vector<Tensor> h;
  for (const auto& x : x_in) h.push_back(x.to(torch::kFloat64));
  for (int l = 1; l <= 2; ++l) {
    const auto name = [&](int m) { return "stream" + std::to_string(m + 1) + "_layer" + std::to_string(l) + "."; };
    std::vector<Tensor> r(2), next(2);
    for (int m = 0; m < 2; ++m) r[m] = h[m].mm(w(name(m) + "receptive").t()) + w(name(m) + "bias");
    Tensor u;
    for (int i = 0; i < s.iterations; ++i) {
      std::vector<Tensor> own(2);
      for (int m = 0; m < 2; ++m) own[m] = (i == 0 ? r[m] : next[m]).tanh();
      auto sum = at::cat({h[0], h[1]}, 1).mm(w("shared" + std::to_string(l)).t());
      if (u.defined()) sum = sum + s.rho * u;
      u = sum.tanh();
      for (int m = 0; m < 2; ++m) {
        const auto P = w(name(m) + "proximal");
        const auto c = own[m].mm((P - P.diag().diag()).t()) + own[1 - m].mm(w(name(m) + "distal").t()) + u.mm(w(name(m) + "universal").t()) + w(name(m) + "context_bias");
        next[m] = reference(s.cell, r[m], c);
      }
    }
    h = next;
  }
  return at::cat(h, 1).mm(w("head").t()) + w("head_bias");
}

TEST(Mcc, IsTheNetworkOfTheEquations) {
  for (const std::int64_t iterations : {1, 2, 3})
    for (const auto mtf : {Mtf::coop, Mtf::tm3}) {
      auto net = network(small(mtf, iterations));
      EXPECT_LT(largest(net->forward(inputs()).detach(), by_hand(net, inputs())), 1e-4) << iterations;
    }
}

// Context weights 0 and `add`: a perceptron a stream with ReLU6, bit for bit.
TEST(Mcc, WithoutContextIsAPerceptron) {
  MccNetwork net(small(Mtf::add), 3);
  torch::NoGradGuard no_grad;
  for (auto& p : net->named_parameters())
    for (const char* field : {"proximal", "distal", "universal", "shared", "context_bias"})
      if (p.key().find(field) != std::string::npos) p.value().zero_();
  const auto x = inputs();
  const auto p = net->named_parameters();
  std::vector<Tensor> h = x;
  for (const std::string l : {"1", "2"})
    for (int m = 0; m < 2; ++m) {
      const std::string name = "stream" + std::to_string(m + 1) + "_layer" + l + ".";
      h[m] = at::linear(h[m], p[name + "receptive"], p[name + "bias"]).clamp(0, 6);
    }
  EXPECT_TRUE(net->forward(x).equal(at::linear(at::cat(h, 1), p["head"], p["head_bias"])));
}

// With tm1..tm4 and gate a stream whose own receptive field is 0 sends nothing, whatever the others say.
TEST(Mcc, ContextAloneMakesNoCellFireButOfCoopAndAdd) {
  for (const auto mtf : all_mtfs) {
    auto net = network(small(mtf));
    auto x = inputs();
    x[0].zero_();
    MccTrace trace;
    net->forward(x, nullptr, &trace);
    EXPECT_EQ((trace.h[0][0] != 0).any().item<bool>(), mtf == Mtf::coop || mtf == Mtf::add) << static_cast<int>(mtf);
    EXPECT_TRUE((trace.h[1][0] != 0).any().item<bool>());
  }
}

TEST(Mcc, MissingModalityAndDeadCells) {
  auto net = network(small(Mtf::coop));
  auto x = inputs();
  const auto whole = net->forward(x).detach();
  // A stream whose cells are all dead sends and shows nothing; only u still sees its input.
  Survivors dead{{torch::zeros({16}), torch::zeros({16})}, {Tensor(), Tensor()}};
  MccTrace trace;
  net->forward(x, &dead, &trace);
  for (const auto& h : trace.h[0]) EXPECT_FALSE((h != 0).any().item<bool>());
  // A missing one: the same as inputs of 0 that reach nothing; its context is 0.
  const auto missing = net->forward({Tensor(), x[1]}, nullptr, &trace).detach();
  EXPECT_FALSE(trace.h[0][0].defined());
  for (const auto& s : trace.sent) EXPECT_EQ(s.node.find("distal"), std::string::npos) << s.node;
  EXPECT_GT(largest(missing, whole.to(torch::kFloat64)), 1e-3);
  // Half of the cells: the other half goes on as before in the first layer's receptive field
  auto half = torch::ones({16});
  half.slice(0, 0, 8).zero_();
  Survivors some{{half, half}, {half, half}};
  net->forward(x, &some, &trace);
  EXPECT_FALSE((trace.h[1][1].slice(1, 0, 8) != 0).any().item<bool>());
  EXPECT_TRUE((trace.h[1][1].slice(1, 8) != 0).any().item<bool>());
}

TEST(Mcc, StreamsOfDifferentDepthAndMoreThanTwo) {
  MccSpec s = small(Mtf::coop);
  s.inputs = {19, 23, 11}, s.layers = {1, 3, 2};
  auto net = network(s);
  auto x = inputs();
  x.push_back(torch::randn({7, 11}));
  MccTrace trace;
  EXPECT_EQ(net->forward(x, nullptr, &trace).sizes(), (std::vector<std::int64_t>{7, 5}));
  EXPECT_EQ(trace.h[0].size(), 1u);
  EXPECT_EQ(trace.h[1].size(), 3u);
}

TEST(Mcc, GradientsReachEveryWeight) {
  auto net = network(small(Mtf::coop, 2));
  net->forward(inputs()).square().sum().backward();
  for (const auto& p : net->named_parameters()) {
    ASSERT_TRUE(p.value().grad().defined()) << p.key();
    EXPECT_GT(p.value().grad().abs().max().item<double>(), 0) << p.key();
    if (p.key().find("proximal") != std::string::npos) {
      EXPECT_EQ(p.value().grad().diag().abs().max().item<double>(), 0) << "no cell is its own context";
    }
  }
}

std::string message(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Mcc, BadInputIsRefusedWithItsNumbers) {
  auto net = network(small(Mtf::coop));
  const auto x = inputs();
  EXPECT_NE(message([&] { net->forward({x[0], x[1].slice(0, 0, 5)}); }).find("5 samples, and 7"), std::string::npos);
  EXPECT_NE(message([&] { net->forward({x[1], x[0]}); }).find("[7, 23], not [B, 19]"), std::string::npos);
  EXPECT_NE(message([&] { net->forward({x[0]}); }).find("2 streams"), std::string::npos);
  EXPECT_NE(message([&] { net->forward({Tensor(), Tensor()}); }), "");
  MccSpec s = small(Mtf::coop);
  s.cell.c_max = 0;
  EXPECT_NE(message([&] { MccNetwork(s, 1); }).find("c_max"), std::string::npos);
  TwoPointLayerImpl layer("cells", {8, 4, true, 4, 2, 1, {}}, 1);
  EXPECT_NE(message([&] { layer.context(torch::zeros({2, 4}), torch::zeros({2, 5}), {}); }).find("distal field needs [B, 4], not [2, 5]"), std::string::npos);
  auto bad = inputs();
  bad[1][3][2] = std::nan("");
  MccTrace trace;
  net->forward(bad, nullptr, &trace);
  EXPECT_EQ(first_not_finite(trace), "stream 1, layer 1, context") << "u carries it";
}

}  // namespace
}  // namespace apical::nn
