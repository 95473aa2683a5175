// Networks of two-point cells, exported, against what was trained.
#include <gtest/gtest.h>

#include <map>

#include "apical/nn/network.h"
#include "apical/nn/testing_mcc.h"
#include "apical/nn/two_point_spiking.h"
#include "apical/runtime/session.h"

namespace apical::nn {
namespace {

using kernels::Mtf;
using torch::Tensor;

TEST(MccRuntime, StreamsOfDifferentDepthAndMoreThanTwo) {
  MccSpec s = small(Mtf::coop);
  s.inputs = {19, 23, 11}, s.layers = {1, 3, 2};
  auto net = network(s);
  auto x = inputs();
  x.push_back(torch::randn({7, 11}));
  runtime::Session session(net->lower("three"));
  const auto frame = at::cat({x[0][4], x[1][4], x[2][4]}).contiguous();
  const auto scores = session.step({frame.data_ptr<float>(), static_cast<std::size_t>(frame.numel())});
  const auto want = net->forward(x).detach();
  for (int k = 0; k < 5; ++k) EXPECT_NEAR(scores[static_cast<std::size_t>(k)], want[4][k].item<float>(), 1e-4);
}

// The exported graph gives the network's scores, and the runtime executes the synapses that were counted, product by product.
TEST(MccRuntime, RuntimeAgreesAndExecutesTheCountedSynapses) {
  for (const std::int64_t iterations : {1, 2})
    for (const auto mtf : all_mtfs) {
      auto net = network(small(mtf, iterations));
      const auto x = inputs();
      MccTrace trace;
      const auto want = net->forward(x, nullptr, &trace).detach();
      const auto graph = net->lower("small");
      for (const auto plan : {runtime::Plan::event, runtime::Plan::dense}) {
        runtime::Session session(graph, {plan, false, true});
        for (int b = 0; b < 7; ++b) {
          const auto frame = at::cat({x[0][b], x[1][b]}).contiguous();
          session.reset();
          const auto scores = session.step({frame.data_ptr<float>(), static_cast<std::size_t>(frame.numel())});
          for (int k = 0; k < 5; ++k) EXPECT_NEAR(scores[static_cast<std::size_t>(k)], want[b][k].item<float>(), 1e-5 * std::max(1.0f, std::abs(want[b][k].item<float>())));
        }
        std::map<std::string, double> executed;
        for (const auto& l : session.layer_counts()) executed[l.layer] = l.counts.effective_acs + l.counts.effective_macs;
        for (const auto& [node, synapses] : synapses_by_node(trace)) EXPECT_EQ(executed.at(node), synapses) << node;
      }
      const auto c = count_synapses(trace);
      EXPECT_EQ(c.inputs, 7 * 16 * (19 + 23));
      EXPECT_GT(c.feed_forward, 0);
      EXPECT_GT(c.context, 0);
    }
}

// In a row of ordinary layers, and lowered with them.
TEST(TwoPointRuntime, StandsInForADenseLayer) {
  for (const std::int64_t iterations : {1, 3}) {
    TwoPointLayerImpl layer("cells", {19, 16, true, 0, 0, iterations, {}}, 3);
    const auto x = inputs()[0];
    const auto h = layer.run({x, 1, false}, nullptr).frames.detach();
    EXPECT_EQ(h.sizes(), (std::vector<std::int64_t>{7, 16}));
    graph::Graph g;
    g.T = 1, g.input_shape = {19};
    add_node(g, "input", graph::Input{}, {});
    layer.lower(g, "input");
    graph::validate(g);
    runtime::Session session(g);
    for (int b = 0; b < 7; ++b) {
      const auto frame = x[b].contiguous();
      const auto got = session.step({frame.data_ptr<float>(), 19});
      for (int k = 0; k < 16; ++k) EXPECT_NEAR(got[static_cast<std::size_t>(k)], h[b][k].item<float>(), 1e-5);
    }
  }
}

// Spikes of a session over T steps, [T, cells].
Tensor steps_of(const graph::Graph& g, const Tensor& frames) {
  runtime::Session session(g);
  std::vector<Tensor> rows;
  for (std::int64_t t = 0; t < frames.size(0); ++t) {
    const auto frame = frames[t].contiguous();
    const auto y = session.step({frame.data_ptr<float>(), static_cast<std::size_t>(frame.numel())});
    rows.push_back(torch::tensor(std::vector<float>(y.begin(), y.end())));
  }
  return at::stack(rows);
}

// Soma, apex and their product as nodes of the graph: the same bursts, exactly.
TEST(TwoPointRuntime, SpikingCellsBurstInTheRuntimeToo) {
  SpikingTwoPointOptions o;
  o.inputs = 19, o.cells = 16;
  o.soma.tau = 3.0, o.apex.tau = 2.0, o.apex.v_th = 0.4;
  SpikingTwoPointImpl layer("cells", o, 3);
  torch::manual_seed(5);
  torch::NoGradGuard no_grad;
  for (auto& p : layer.named_parameters()) p.value().add_(0.4 * torch::randn_like(p.value()));
  graph::Graph g;
  g.T = 20, g.input_shape = {19};
  add_node(g, "input", graph::Input{}, {});
  layer.lower(g, "input");
  graph::validate(g);
  const auto x = torch::randn({20, 19});
  const auto want = layer.respond({x, 20, false}, {});
  EXPECT_TRUE(steps_of(g, x).equal(want.bursts));
  EXPECT_GT(want.bursts.sum().item<double>(), 5);
  EXPECT_LT(want.bursts.sum().item<double>(), want.soma.sum().item<double>());
}

// A network described in TOML with both kinds of layers, between ordinary ones.
TEST(TwoPointRuntime, LayersOfADescribedNetwork) {
  const auto config = Config::parse(R"(
T = 3
readout = "last"
[[layer]]
type = "two_point_conv"
maps = 4
stride = 2
iterations = 2
mtf = "tm3"
[[layer]]
type = "lif"
[[layer]]
type = "two_point_conv"
maps = 3
context_kernel = 1
output = "relu"
[[layer]]
type = "pool"
[[layer]]
type = "flatten"
[[layer]]
type = "two_point"
cells = 12
mtf = "gate"
[[layer]]
type = "dense"
units = 5
)", "test");
  Network net(parse_network(config, {2, 8, 8}), 3);
  torch::NoGradGuard no_grad;
  const auto x = torch::randn({3, 2, 8, 8});
  const auto want = net->forward({x, 3, false}).detach();
  EXPECT_GT(want.abs().max().item<double>(), 0.01);
  EXPECT_LT((steps_of(net->lower("described"), x) - want).abs().max().item<double>(), 1e-5);
}

}  // namespace
}  // namespace apical::nn
