// SLTT equals BPTT where the paper says so, and only there.
#include "apical/learning/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "apical/base/error.h"
#include "apical/learning/compare.h"

namespace apical::learning {
namespace {

nn::Network network(std::int64_t T, double tau, const std::string& stats = "step") {
  const std::string toml = "T = " + std::to_string(T) + "\n[neuron]\ntau = " + std::to_string(tau) + "\n[[layer]]\ntype='conv'\nchannels=4\n[[layer]]\ntype='norm'\nstats='" +
                           stats + "'\n[[layer]]\ntype='lif'\n[[layer]]\ntype='pool'\n[[layer]]\ntype='flatten'\n[[layer]]\ntype='dense'\nunits=12\n[[layer]]\ntype='lif'\n"
                           "[[layer]]\ntype='dense'\nunits=3\n";
  return nn::Network(nn::parse_network(Config::parse(toml, "net"), {2, 6, 6}), 3);
}

struct Batch {
  nn::Sequence x;
  torch::Tensor labels;
};
Batch batch(std::int64_t T) {
  torch::manual_seed(5);
  return {{nn::Sequence::dense(torch::rand({T * 4, 2, 6, 6}) * 2), T, false}, torch::tensor({0, 1, 2, 1}, torch::kInt64)};
}

LossOptions per_step() { return {LossOptions::Kind::per_step, 0.05, false, 0.0}; }

double worst(std::int64_t T, double tau) {
  auto net = network(T, tau);
  const auto b = batch(T);
  const auto before = net->parameters()[0].detach().clone();
  const auto float32 = compare_gradients(net, b.x, b.labels, {Rule::bptt}, {Rule::sltt}, per_step(), 0);
  EXPECT_TRUE(std::any_of(float32.begin(), float32.end(), [](const auto& g) { return g.norm_a > 1e-3; })) << "nothing to compare";
  const double wide = relative_difference(net, b.x, b.labels, {Rule::bptt}, {Rule::sltt}, per_step());
  EXPECT_TRUE(net->parameters()[0].equal(before)) << "weights come back as they were";
  // Both are the same gradients: in float32 their parts agree with those in float64.
  double difference = 0, norm = 0;
  for (const auto& g : float32) difference += g.norm_of_difference * g.norm_of_difference, norm += g.norm_a * g.norm_a;
  EXPECT_NEAR(std::sqrt(difference / norm), wide, 1e-5 + 1e-5 * wide);
  return wide;
}

TEST(Rules, SlttIsBpttWithoutMemoryAndInOneStepAndOnlyThere) {
  EXPECT_LT(worst(5, 1.0), 1e-9);
  EXPECT_LT(worst(1, 2.0), 1e-9);
  EXPECT_GT(worst(5, 2.0), 1e-2);
}

TEST(Rules, SlttKLearnsAtKDrawnSteps) {
  const RuleOptions rule{Rule::sltt_k, 2, 9};
  std::set<std::vector<std::int64_t>> seen;
  std::vector<int> often(5, 0);
  for (std::uint64_t step = 0; step < 400; ++step) {
    const auto drawn = learning_steps(rule, 5, step);
    ASSERT_EQ(drawn.size(), 2u);
    EXPECT_LT(drawn[0], drawn[1]);
    EXPECT_EQ(drawn, learning_steps(rule, 5, step));
    for (auto t : drawn) ++often[static_cast<std::size_t>(t)];
    seen.insert(drawn);
  }
  EXPECT_EQ(seen.size(), 10u);  // every pair of five
  for (int n : often) EXPECT_NEAR(n, 160, 50);
}

TEST(Rules, SlttKIsTheSumOverItsSteps) {
  const std::int64_t T = 4;
  const auto b = batch(T);
  auto net = network(T, 2.0);
  const auto gradients = [&](const RuleOptions& rule, std::uint64_t step) {
    net->zero_grad(false);
    for (auto p : net->parameters()) p.mutable_grad() = torch::zeros_like(p);
    accumulate_gradients(net, b.x, b.labels, rule, per_step(), step);
    std::vector<torch::Tensor> g;
    for (const auto& p : net->parameters()) g.push_back(p.grad().clone());
    return g;
  };
  // SLTT-1 at every step, added up, is SLTT
  std::vector<torch::Tensor> sum;
  std::set<std::int64_t> met;
  for (std::uint64_t step = 0; met.size() < 4; ++step) {
    const RuleOptions one{Rule::sltt_k, 1, 1};
    if (!met.insert(learning_steps(one, T, step)[0]).second) continue;
    const auto g = gradients(one, step);
    for (std::size_t i = 0; i < g.size(); ++i) sum.size() <= i ? sum.push_back(g[i]) : void(sum[i] = sum[i] + g[i]);
  }
  const auto all = gradients({Rule::sltt}, 0);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_LT((sum[i] - all[i]).abs().max().item<double>(), 1e-5 * (1 + all[i].abs().max().item<double>()));
}

// What lies before the first neuron of a frame shown at every step is run once; nothing else may change, running statistics included.
TEST(Rules, AConstantInputLearnsAsItsRepetition) {
  for (const RuleOptions& rule : {RuleOptions{Rule::bptt}, RuleOptions{Rule::sltt}, RuleOptions{Rule::sltt_k, 2, 9}}) {
    const auto b = batch(1);
    const nn::Sequence constant{b.x.frames, 4, true};
    const auto learnt = [&](const nn::Sequence& x) {
      auto net = network(4, 2.0);
      for (auto p : net->parameters()) p.mutable_grad() = torch::zeros_like(p);
      const auto loss = accumulate_gradients(net, x, b.labels, rule, per_step(), 0);
      std::vector<torch::Tensor> all{torch::tensor(loss.loss)};
      for (const auto& p : net->parameters()) all.push_back(p.grad().clone());
      for (const auto& v : net->buffers())
        if (v.is_floating_point()) all.push_back(v.clone());
      return all;
    };
    const auto once = learnt(constant), repeated = learnt(constant.expanded());
    ASSERT_EQ(once.size(), repeated.size());
    for (std::size_t i = 0; i < once.size(); ++i)
      EXPECT_LT((once[i] - repeated[i]).abs().max().item<double>(), 2e-6 * (1 + repeated[i].abs().max().item<double>())) << name(rule.rule) << " " << i;
  }
}

TEST(Rules, RefuseWhatTheyCannotDo) {
  const auto refused = [](const RuleOptions& rule, const LossOptions& loss, const nn::Network& net) -> std::string {
    try {
      check_rule(rule, loss, *net);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::usage);
      return e.what();
    }
    return "accepted";
  };
  using ::testing::HasSubstr;
  const auto net = network(4, 2.0);
  EXPECT_EQ(refused({Rule::sltt_k, 4}, per_step(), net), "accepted");
  EXPECT_THAT(refused({Rule::sltt_k, 5}, per_step(), net), HasSubstr("K <= T"));
  EXPECT_THAT(refused({Rule::sltt_k, 0}, per_step(), net), HasSubstr("1 <= K"));
  EXPECT_THAT(refused({Rule::sltt}, LossOptions{}, net), HasSubstr("loss at every step"));
  EXPECT_THAT(refused({Rule::sltt}, per_step(), network(4, 2.0, "sequence")), HasSubstr("mixes time steps"));
  EXPECT_THROW(rule_from("slt"), Error);
}

}  // namespace
}  // namespace apical::learning
