// Networks of two-point cells: Slice, Concat, Tanh and TwoPoint in every part of the runtime.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "apical/base/error.h"
#include "apical/base/thread_pool.h"
#include "apical/graph/quantise.h"
#include "apical/runtime/batch.h"
#include "apical/runtime/reference.h"
#include "apical/runtime/session.h"
#include "apical/runtime/testing_nets.h"
#include "apical/runtime/tune.h"

namespace apical::runtime {
namespace {

using namespace apical::graph;
using apical::testing::image_cells_net, apical::testing::random_frames, apical::testing::two_point_nets, apical::testing::two_stream_net;
using kernels::Mtf, kernels::TwoPointOutput;
using Values = std::vector<float>;

void drop_unread(Graph& g) {
  std::set<std::string> read;
  for (const Node& n : g.nodes)
    for (const auto& t : tensor_names(n.op)) read.insert(t);
  std::erase_if(g.tensors, [&](const auto& t) { return !read.count(t.first); });
}

// What the node of this name gives.
Values output_of(const Graph& g, const std::string& name, const Values& frame) {
  Session session(g);
  session.run(frame);
  return session.output(name);
}

// Against float64: 1e-5 of the largest value that is summed.
double tolerance(const Graph& g, const Values& frames) {
  const Values x = output_of(g, "both", frames);
  return 1e-5 * (1 + *std::max_element(x.begin(), x.end()));
}

double share_of_nonzero(const Values& x) {
  return 1 - static_cast<double>(std::count(x.begin(), x.end(), 0.0f)) / static_cast<double>(x.size());
}

TEST(TwoPointNet, FollowsTheFloat64Reference) {
  for (const Graph& g : two_point_nets())
    for (const Plan plan : {Plan::automatic, Plan::dense, Plan::event}) {
      const auto frame = random_frames(g, 3, true);
      const auto scores = Session(g, {.plan = plan}).run(frame).scores;
      const auto expected = run_reference(g, frame).scores;
      for (std::size_t i = 0; i < scores.size(); ++i)
        EXPECT_NEAR(scores[i], expected[i], tolerance(g, frame)) << g.name << ", score " << i;
    }
}

TEST(TwoPointNet, EventAndDensePlansGiveTheSameBits) {
  auto nets = two_point_nets();
  quantise(nets.emplace_back(two_stream_net()), 16, {});
  for (const Graph& g : nets)
    for (const bool constant : {true, false}) {
      const auto frame = random_frames(g, 5, constant);
      EXPECT_EQ(Session(g, {.plan = Plan::dense}).run(frame).scores, Session(g, {.plan = Plan::event}).run(frame).scores) << g.name;
    }
}

TEST(TwoPointNet, ExecutedSynapsesAreThoseOfActiveCellsLayerByLayer) {
  for (const Graph& g : two_point_nets()) {
    const auto frame = random_frames(g, 7, true);
    for (const Plan plan : {Plan::dense, Plan::event}) {
      Session session(g, {.plan = plan, .count = true});
      session.run(frame);
      double cells = 0, expected_cells = 0;
      for (const LayerCounts& layer : session.layer_counts()) {
        cells += layer.counts.membrane_updates;
        const Node& n = node(g, layer.layer);
        if (std::holds_alternative<TwoPoint>(n.op)) expected_cells += static_cast<double>(elements(n.shape));
        if (!std::holds_alternative<Linear>(n.op)) continue;
        const Tensor& w = g.tensors.at(weight_name(n.op));
        const Values x = output_of(g, n.inputs[0], frame);
        double synapses = 0, active = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
          if (x[i] == 0) continue;
          ++active;
          for (std::size_t o = 0; o < static_cast<std::size_t>(w.shape[0]); ++o) synapses += w.values[o * x.size() + i] != 0;
        }
        EXPECT_EQ(layer.counts.effective_acs + layer.counts.effective_macs, synapses) << n.name;
        EXPECT_EQ(layer.counts.active_inputs, active) << n.name;
        EXPECT_EQ(layer.event, plan == Plan::event);
        if (n.name[0] == 'p' && n.name.back() == '0') {  // of tanh: all are active, but none has a synapse on itself
          const double H = static_cast<double>(w.shape[0]);
          EXPECT_EQ(synapses, H * (H - 1));
        }
      }
      EXPECT_EQ(cells, expected_cells);
    }
  }
}

TEST(TwoPointNet, FeedForwardAndContextAreToldApart) {
  for (const int iterations : {1, 2}) {
    const Graph g = two_stream_net({}, iterations);
    const auto forward = feed_forward(g);
    for (const Node& n : g.nodes)
      if (!weight_name(n.op).empty()) {
        EXPECT_EQ(forward.count(n.name), n.name[0] == 'r' || n.name == "out") << n.name;
      }
  }
}

// With add and nothing in the context, a cell is a rectified neuron: its network is a multilayer perceptron, summed here in plain loops.
TEST(TwoPointNet, WithoutContextAddIsAPlainPerceptron) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    Graph g = two_stream_net({.mtf = Mtf::add}, 1, seed);
    for (auto& [name, tensor] : g.tensors)
      if (name[1] != 'r' && name[1] != 'o')  // of P, D and U
        std::fill(tensor.values.own().begin(), tensor.values.own().end(), 0.0f);
    const auto frame = random_frames(g, seed, true);
    const auto layer = [&](const std::string& weight, const std::string& bias, const Values& x, bool rectified) {
      Values y(g.tensors.at(bias).values.begin(), g.tensors.at(bias).values.end());
      for (std::size_t o = 0; o < y.size(); ++o) {
        for (std::size_t i = 0; i < x.size(); ++i) y[o] += x[i] * g.tensors.at(weight).values[o * x.size() + i];
        if (rectified) y[o] = std::min(std::max(y[o], 0.0f), 6.0f);
      }
      return y;
    };
    Values streams[] = {{frame.begin(), frame.begin() + 29}, {frame.begin() + 29, frame.end()}}, last;
    for (const std::string l : {"0", "1"})
      for (const std::size_t m : {0u, 1u}) streams[m] = layer("Wr" + l + std::to_string(m), "br" + l + std::to_string(m), streams[m], true);
    for (const Values& h : streams) last.insert(last.end(), h.begin(), h.end());
    EXPECT_GT(share_of_nonzero(last), 0.2);
    for (const Plan plan : {Plan::dense, Plan::event}) EXPECT_EQ(Session(g, {.plan = plan}).run(frame).scores, layer("Wo", "bo", last, false));
  }
}

TEST(TwoPointNet, ImagesAreInTheirOrder) {
  const Graph g = image_cells_net();
  for (const std::string name : {"part", "more", "gated", "other", "out"}) {
    Graph h = g;
    while (h.nodes.back().name != name) h.nodes.pop_back();
    drop_unread(h);
    for (const bool constant : {true, false})
      for (const Plan plan : {Plan::dense, Plan::event}) {
        const auto frames = random_frames(h, 2, constant);
        const auto scores = Session(h, {.plan = plan}).run(frames).scores;
        const auto expected = run_reference(h, frames).scores;
        EXPECT_GT(share_of_nonzero(scores), 0.2);
        for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], tolerance(g, frames)) << name << " " << i;
      }
  }
}

TEST(TwoPointNet, WhatANodeGivesIsTheScoreOfANetworkThatEndsThere) {
  for (const Graph& g : two_point_nets())
    for (std::size_t i = 0; i < g.nodes.size(); ++i) {
      Graph h = g;
      h.nodes.resize(i + 1), h.classes.clear();
      drop_unread(h);
      const auto frame = random_frames(g, 4, true);
      for (const Plan plan : {Plan::dense, Plan::event}) {
        Session whole(g, {.plan = plan});
        whole.run(frame);
        EXPECT_EQ(whole.output(g.nodes[i].name), Session(h, {.plan = plan}).run(frame).scores) << g.name << ", " << g.nodes[i].name;
      }
    }
  const Graph spiking = apical::testing::small_net();  // a node whose output is kept as bits alone
  for (const Node& n : spiking.nodes)
    if (std::holds_alternative<Neuron>(n.op)) {
      const auto frames = random_frames(spiking, 4, false);
      Session session(spiking, {.plan = Plan::event, .record_spikes = true});
      session.run(frames);
      const auto fired = session.output(n.name);
      const auto at = std::find_if(session.spikes().begin(), session.spikes().end(), [&](const SpikeRecord& r) { return r.layer == n.name; });
      for (std::size_t k = 0; k < fired.size(); ++k) EXPECT_EQ(fired[k] != 0, at->fired(at->steps - 1, static_cast<std::int64_t>(k)));
    }
  EXPECT_THROW(Session(spiking).output("nothing"), Error);
}

TEST(AttentionNode, FollowsTheFloat64ReferenceInEveryPlanAndCountsItsProducts) {
  const Graph g = apical::testing::attention_net();
  const auto frame = random_frames(g, 6, true);
  const auto expected = run_reference(g, frame).scores;
  Values dense;
  for (const Plan plan : {Plan::dense, Plan::event, Plan::automatic}) {
    Session session(g, {.plan = plan, .count = true});
    const auto scores = session.run(frame).scores;
    if (dense.empty()) dense = scores;
    EXPECT_EQ(scores, dense);
    for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], 1e-5) << i;
    const auto q = session.output("q"), k = session.output("k"), v = session.output("v");  // [8, 6]
    double products = 0;
    for (std::size_t n = 0; n < 6; ++n)
      for (std::size_t m = 0; m < 6; ++m)
        for (std::size_t f = 0; f < 8; ++f) products += (q[f * 6 + n] != 0 && k[f * 6 + m] != 0) + (v[f * 6 + m] != 0);
    EXPECT_LT(products, 2.0 * 6 * 6 * 8);
    for (const auto& layer : session.layer_counts()) {
      if (layer.layer != "y") continue;
      EXPECT_EQ(layer.op, "attention");
      EXPECT_EQ(layer.counts.effective_macs, products);
      EXPECT_EQ(layer.counts.dense, 2 * 6 * 6 * 8);
      EXPECT_EQ(layer.counts.ann, 2 * 6 * 6 * 8);
    }
  }
  // By hand, for one query: softmax of its products with all keys, over sqrt(4).
  Session session(g);
  session.run(frame);
  const auto q = session.output("q"), k = session.output("k"), v = session.output("v"), y = session.output("y");
  double sum = 0, seen = 0;
  for (std::size_t m = 0; m < 6; ++m) {
    double score = 0;
    for (std::size_t f = 4; f < 8; ++f) score += q[f * 6 + 2] * k[f * 6 + m] / 2;
    sum += std::exp(score), seen += std::exp(score) * v[5 * 6 + m];
  }
  EXPECT_NEAR(y[5 * 6 + 2], seen / sum, 1e-5);
}

TEST(TwoPointNet, AnUnchangedFrameIsNotComputedAgain) {
  const Graph g = two_stream_net();
  const auto frame = random_frames(g, 1, true);
  Session session(g, {.count = true});
  session.step(frame);
  const Values first(session.scores().begin(), session.scores().end());
  const OpCounts once = session.counts();
  session.step(frame);
  EXPECT_EQ(Values(session.scores().begin(), session.scores().end()), first);
  EXPECT_EQ(session.counts().effective_macs, once.effective_macs);
  EXPECT_EQ(session.counts().membrane_updates, once.membrane_updates);
  EXPECT_EQ(once.membrane_updates, 2 * (24 + 19));
  EXPECT_EQ(once.state_bytes, 8 * 3) << "of the readout alone";
}

TEST(TwoPointNet, BatchesDoNotDependOnThreadsAndPlansAreTuned) {
  Graph g = two_stream_net({}, 2);
  const auto fill = [&](std::size_t i, std::span<float> out) {
    const auto f = random_frames(g, i, true);
    std::copy(f.begin(), f.end(), out.begin());
  };
  std::vector<BatchResult> results;
  for (const int threads : {1, 2, 7}) {
    set_thread_count(threads);
    results.push_back(run_batch(g, 37, fill, {.count = true}));
  }
  set_thread_count(1);
  for (const auto& r : results) {
    EXPECT_EQ(r.scores, results[0].scores);
    EXPECT_EQ(r.counts, results[0].counts);
  }

  Values frames;
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto f = random_frames(g, i, true);
    frames.insert(frames.end(), f.begin(), f.end());
  }
  const auto before = Session(g).run(std::span<const float>(frames).first(50)).scores;
  const Tuning tuning = tune(g, frames, 1);
  EXPECT_EQ(tuning.layers.size(), g.plans.size());
  EXPECT_EQ(g.densities.at("p00.0"), 23.0 / 24) << "tanh of anything but 0 is active; no cell is its own neighbour";
  EXPECT_LT(g.densities.at("p00.1"), 0.9) << "silent cells send nothing";
  EXPECT_EQ(Session(g).run(std::span<const float>(frames).first(50)).scores, before);
}

}  // namespace
}  // namespace apical::runtime
