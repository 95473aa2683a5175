#include "apical/nn/two_point_attention.h"

#include <gtest/gtest.h>

#include "apical/base/error.h"
#include "apical/nn/testing_mcc.h"

namespace apical::nn {
namespace {

using torch::Tensor;

TwoPointAttentionOptions options(kernels::Mtf mtf, std::int64_t iterations) {
  TwoPointAttentionOptions o;
  o.width = 12, o.heads = 3, o.iterations = iterations;
  o.cell.mtf = mtf;
  return o;
}
TwoPointAttention attention(const TwoPointAttentionOptions& o) {
  TwoPointAttention a("attention", o, 3);
  torch::manual_seed(8);
  torch::NoGradGuard no_grad;
  for (auto& p : a->named_parameters()) p.value().add_(0.2 * torch::randn_like(p.value()));
  return a;
}

// From the equations of the header, one sample and token after another, in float64.
Tensor by_hand(TwoPointAttention& a, const TwoPointAttentionOptions& o, const Tensor& x_in) {
  const auto p = a->named_parameters();
  const auto w = [&](const std::string& name) { return p[name].detach().to(torch::kFloat64); };
  const auto x = x_in.to(torch::kFloat64);
  const std::vector<std::string> kinds{"query", "key", "value"};
  std::vector<Tensor> samples;
  for (std::int64_t b = 0; b < x.size(0); ++b) {
    std::vector<Tensor> r, h(3);
    for (const auto& kind : kinds) r.push_back(x[b].mm(w(kind + ".receptive").t()) + w(kind + ".bias"));
    Tensor u;
    for (std::int64_t i = 0; i < o.iterations; ++i) {
      std::vector<Tensor> own, next(3);
      for (int k = 0; k < 3; ++k) own.push_back((i == 0 ? r[k] : h[k]).tanh());
      auto sum = w("shared").mv(x[b].mean(0));
      if (u.defined()) sum = sum + o.rho * u;
      u = sum.tanh();
      for (int k = 0; k < 3; ++k) {
        const auto P = w(kinds[k] + ".proximal");
        const auto c = own[k].mm((P - P.diag().diag()).t()) + ((own[(k + 1) % 3] + own[(k + 2) % 3]) / 2).mm(w(kinds[k] + ".distal").t()) + w(kinds[k] + ".universal").mv(u) +
                       w(kinds[k] + ".context_bias");
        next[k] = reference(o.cell, r[k], c);
      }
      h = next;
    }
    std::vector<Tensor> heads;
    for (int head = 0; head < 3; ++head) {
      const auto part = [&](const Tensor& t) { return t.slice(1, 4 * head, 4 * head + 4); };
      heads.push_back(at::softmax(part(h[0]).mm(part(h[1]).t()) / 2, 1).mm(part(h[2])));
    }
    samples.push_back(at::cat(heads, 1).mm(w("output").t()) + w("output_bias"));
  }
  return at::stack(samples);
}

TEST(TwoPointAttention, IsTheEquations) {
  for (const auto mtf : {kernels::Mtf::coop, kernels::Mtf::tm3})
    for (const std::int64_t iterations : {1, 2, 3}) {
      const auto o = options(mtf, iterations);
      auto a = attention(o);
      const auto x = torch::randn({4, 5, 12});
      EXPECT_LT(largest(a->forward(x).detach(), by_hand(a, o, x)), 1e-4) << iterations;
    }
}

TEST(TwoPointAttention, TokensMayStandInAnyOrder) {
  auto a = attention(options(kernels::Mtf::coop, 2));
  const auto x = torch::randn({2, 6, 12});
  const auto order = torch::randperm(6);
  EXPECT_LT((a->forward(x).index_select(1, order) - a->forward(x.index_select(1, order))).abs().max().item<double>(), 1e-5);
}

TEST(TwoPointAttention, GradientsReachEveryWeightAndProductsAreCounted) {
  auto a = attention(options(kernels::Mtf::coop, 2));
  std::vector<Transmission> sent;
  a->forward(torch::randn({4, 5, 12}), &sent).square().sum().backward();
  for (const auto& p : a->named_parameters()) {
    ASSERT_TRUE(p.value().grad().defined()) << p.key();
    EXPECT_GT(p.value().grad().abs().max().item<double>(), 0) << p.key();
  }
  EXPECT_EQ(sent.size(), 3 + 2 * (1 + 3 * 3));  // R of each kind; each iteration: what makes u, three fields of each kind
}

TEST(TwoPointAttention, BadInputIsRefused) {
  auto o = options(kernels::Mtf::coop, 1);
  o.heads = 5;
  EXPECT_THROW(TwoPointAttention("attention", o, 1), Error);
  auto a = attention(options(kernels::Mtf::coop, 1));
  EXPECT_THROW(a->forward(torch::zeros({4, 5, 11})), Error);
  EXPECT_THROW(a->forward(torch::zeros({4, 12})), Error);
}

}  // namespace
}  // namespace apical::nn
