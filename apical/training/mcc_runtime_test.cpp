// Networks of two-point cells, exported, against what was trained.
#include <gtest/gtest.h>

#include <map>

#include "apical/base/error.h"
#include "apical/nn/network.h"
#include "apical/nn/testing_mcc.h"
#include "apical/nn/two_point_attention.h"
#include "apical/nn/two_point_spiking.h"
#include "apical/runtime/reference.h"
#include "apical/runtime/session.h"
#include "apical/training/parity.h"

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

const char* const spiking_net = R"(
T = 6
readout = "rate"
[neuron]
tau = 2.0
[[layer]]
type = "dense"
units = 24
[[layer]]
type = "two_point_spiking"
cells = 20
apex_tau = 4.0
apex_v_th = 0.1
[[layer]]
type = "dense"
units = 2
)";

// Spiking cells between ordinary layers: whole sequences, step by step with explicit states, and without torch.
TEST(TwoPointRuntime, SpikingCellsOfADescribedNetwork) {
  const auto config = Config::parse(spiking_net, "test");
  Network net(parse_network(config, {12}), 3);
  torch::manual_seed(2);
  torch::NoGradGuard no_grad;
  for (auto& p : net->named_parameters()) p.value().add_(0.3 * torch::randn_like(p.value()));
  const auto x = torch::randn({6, 12});
  std::uint64_t fired = 0, of = 0;
  const auto want = net->forward({x, 6, false}, nullptr, [&](const std::string& label, std::uint64_t n, std::uint64_t cells) {
    EXPECT_EQ(label, "two_point_spiking1");
    fired += n, of += cells;
  });
  EXPECT_EQ(of, 6u * 20);
  EXPECT_GT(fired, 5u);
  EXPECT_LT(fired, of / 2);
  States states;
  for (std::int64_t t = 0; t < 6; ++t) EXPECT_TRUE(net->forward({x.narrow(0, t, 1), 1, false}, &states).equal(want.narrow(0, t, 1))) << t;
  const auto graph = net->lower("described");
  runtime::Session session(graph);
  std::vector<float> last;
  for (std::int64_t t = 0; t < 6; ++t) {
    const auto frame = x[t].contiguous();
    const auto y = session.step({frame.data_ptr<float>(), 12});
    last.assign(y.begin(), y.end());
  }
  // What a report compares where a prediction differs: the spikes of soma and apex, here the same ones.
  runtime::Session recorded(graph, {runtime::Plan::automatic, true, false});
  const std::vector<float> frames(x.data_ptr<float>(), x.data_ptr<float>() + x.numel());
  recorded.run(frames);
  ASSERT_EQ(recorded.spikes().size(), 2u);
  EXPECT_FALSE(runtime::first_difference(graph, frames, recorded.spikes(), training::record_spikes(net, {x, 6, false})));
  const auto rate = net->readout(want, 6);
  for (std::int64_t k = 0; k < 2; ++k) EXPECT_NEAR(last[static_cast<std::size_t>(k)], rate[0][k].item<float>(), 1e-5);
}

// From fresh weights, whose apexes are all closed, it learns to tell two kinds of input apart.
TEST(TwoPointRuntime, SpikingCellsLearnFromFreshWeights) {
  Network net(parse_network(Config::parse(spiking_net, "test"), {12}), 3);
  torch::manual_seed(6);
  const auto label = torch::arange(64) % 2;
  const auto x = torch::randn({64, 12}) + (2 * label.to(torch::kFloat32) - 1).unsqueeze(1) * torch::ones({12}) * 0.5;
  const Sequence frames{x, 6, true};
  torch::optim::Adam adam(net->parameters(), torch::optim::AdamOptions(0.01));
  double first = 0, loss = 0;
  for (int step = 0; step < 60; ++step) {
    adam.zero_grad();
    const auto y = at::cross_entropy_loss(net->readout(net->forward(frames), 6), label);
    y.backward();
    adam.step();
    loss = y.item<double>();
    if (step == 0) first = loss;
  }
  EXPECT_LT(loss, 0.5 * first);
}

TEST(TwoPointRuntime, SpikingCellsAreRefusedWhereTheyCannotBe) {
  const auto refused = [](const std::string& layer, const graph::Shape& input) {
    try {
      Network net(parse_network(Config::parse("[[layer]]\ntype = \"two_point_spiking\"\ncells = 4\n" + layer, "test"), input), 1);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("nothing was thrown");
  };
  EXPECT_NE(refused("", {2, 4, 4}).find("needs flat input"), std::string::npos);
  EXPECT_NE(refused("apex_vth = 1.0", {4}).find("apex_v_th"), std::string::npos);
  EXPECT_NE(refused("apex_v_th = 0.0", {4}).find("v_th"), std::string::npos);
}

// Attention as a graph: the same output, and the products of the cells are those that were counted.
TEST(TwoPointRuntime, AttentionRunsWithoutTorch) {
  for (const int fields : {0b111, 0b110, 0b001, 0b000})
    for (const std::int64_t iterations : {1, 2, 3}) {
      TwoPointAttentionOptions o;
      o.width = 12, o.heads = 3, o.iterations = iterations;
      o.proximal = fields & 1, o.distal = fields & 2, o.universal = fields & 4;
      o.cell.mtf = iterations == 1 ? Mtf::coop : Mtf::tm3;
      TwoPointAttention attention("attention", o, 3);
      torch::manual_seed(8);
      torch::NoGradGuard no_grad;
      for (auto& p : attention->named_parameters()) p.value().add_(0.2 * torch::randn_like(p.value()));
      const auto x = torch::randn({1, 5, 12});
      std::vector<Transmission> sent;
      const auto want = attention->forward(x, &sent)[0].t().contiguous();
      graph::Graph g;
      g.T = 1, g.input_shape = {12, 5, 1};
      add_node(g, "input", graph::Input{}, {});
      attention->lower(g, "input", 5);
      graph::validate(g);
      const auto frame = x[0].t().contiguous();
      for (const auto plan : {runtime::Plan::dense, runtime::Plan::event}) {
        runtime::Session session(g, {plan, false, true});
        const auto y = session.step({frame.data_ptr<float>(), 60});
        for (std::size_t k = 0; k < 60; ++k) EXPECT_NEAR(y[k], want.data_ptr<float>()[k], 1e-5 * std::max(1.0f, want.abs().max().item<float>())) << fields << " " << iterations;
        std::map<std::string, double> executed;
        for (const auto& l : session.layer_counts()) executed[l.layer] = l.counts.effective_acs + l.counts.effective_macs;
        for (const auto& [node, synapses] : synapses_by_node({{}, {}, {}, sent})) EXPECT_EQ(executed.at(node), synapses) << node;
      }
    }
}

}  // namespace
}  // namespace apical::nn
