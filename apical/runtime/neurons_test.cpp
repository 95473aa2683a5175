// SpikingNeuron and SlidingNeuron in every part of the runtime.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/simd.h"
#include "apical/runtime/batch.h"
#include "apical/runtime/reference.h"
#include "apical/runtime/session.h"
#include "apical/runtime/testing_neurons.h"

namespace apical::runtime {
namespace {

using namespace apical::graph;
using apical::testing::net_with, apical::testing::other_neurons_nets, apical::testing::random_frames, apical::testing::sliding_net,
    apical::testing::wide_neurons_net;
using kernels::Alif, kernels::Cuba, kernels::Lif, kernels::MultiLif, kernels::RefractoryLif;

std::int64_t spikes_of(const SpikeRecord& r) {
  std::int64_t n = 0;
  for (int t = 0; t < r.steps; ++t)
    for (std::int64_t k = 0; k < r.neurons; ++k) n += r.spikes(t, k);
  return n;
}

TEST(OtherNeurons, FollowTheFloat64Reference) {
  for (const Graph& g : other_neurons_nets())
    for (const Plan plan : {Plan::automatic, Plan::dense, Plan::event})
      for (const bool constant : {true, false}) {
        const auto frames = random_frames(g, 3, constant);
        Session session(g, {.plan = plan, .record_spikes = true});
        const Result result = session.run(frames);
        const ReferenceResult reference = run_reference(g, frames, &session.spikes());
        for (std::size_t i = 0; i < result.scores.size(); ++i) EXPECT_NEAR(result.scores[i], reference.scores[i], 5e-5) << g.name << " output " << i;
        // Under the same past, float and float64 may differ only where the membrane touches the threshold.
        const auto d = first_difference(g, frames, session.spikes(), run_reference(g, frames).spikes);
        EXPECT_TRUE(!d || d->distance < 1e-5) << g.name << ", " << d->layer << " " << d->membrane << " for " << d->threshold;
        EXPECT_GT(std::min(spikes_of(session.spikes()[0]), spikes_of(session.spikes()[1])), 1) << g.name << ": a silent network proves nothing";
      }
}

TEST(OtherNeurons, EventAndDensePlansGiveTheSameBits) {
  for (const Graph& g : other_neurons_nets())
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      const auto frames = random_frames(g, seed, seed % 2);
      Session dense(g, {.plan = Plan::dense, .record_spikes = true}), event(g, {.plan = Plan::event, .record_spikes = true}), quiet(g);
      EXPECT_EQ(dense.run(frames).scores, event.run(frames).scores) << g.name;
      EXPECT_EQ(dense.spikes(), event.spikes()) << g.name;
      EXPECT_EQ(dense.state(), event.state()) << g.name;
      EXPECT_EQ(quiet.run(frames).scores, event.run(frames).scores) << g.name << ": recording changes nothing";
    }
}

TEST(OtherNeurons, EveryLevelAndNumberOfThreadsGivesTheSameBits) {
  auto nets = other_neurons_nets();
  nets.push_back(wide_neurons_net());
  const auto all = [&] {
    std::vector<std::pair<std::vector<float>, std::vector<SpikeRecord>>> results;
    for (const Graph& g : nets) {
      Session s(g, {.record_spikes = true});
      auto scores = s.run(random_frames(g, 5, false)).scores;
      results.emplace_back(std::move(scores), s.spikes());
    }
    return results;
  };
  kernels::set_simd_level("scalar");
  const auto expected = all();
  for (const auto& record : expected.back().second) EXPECT_GT(spikes_of(record), 1000) << record.layer;
  for (const std::string& level : kernels::simd_levels()) {
    kernels::set_simd_level(level);
    for (const int threads : {1, 2, 7}) {
      set_thread_count(threads);
      EXPECT_EQ(all(), expected) << level << ", " << threads << " threads";
    }
  }
  kernels::set_simd_level(""), set_thread_count(1);
}

TEST(OtherNeurons, AStreamIsCutAndContinuedByAnotherSession) {
  for (const Graph& g : other_neurons_nets()) {
    const auto n = static_cast<std::size_t>(elements(g.input_shape));
    const auto frames = random_frames(g, 5, false);
    Session whole(g);
    const Result expected = whole.run(frames);
    for (const std::size_t cut : {0, 2, 5}) {
      Session first(g), second(g);
      for (std::size_t t = 0; t < cut; ++t) first.step(std::span(frames).subspan(t * n, n));
      second.step(std::span(frames).first(n));  // a past that the state must replace
      const State between = first.state();
      EXPECT_EQ(between.values.size(), state_elements(g));
      second.set_state(between);
      for (std::size_t t = cut; t < 5; ++t) second.step(std::span(frames).subspan(t * n, n));
      EXPECT_EQ(second.state(), whole.state()) << g.name << ", cut after " << cut;
      if (cut < 5) {
        EXPECT_TRUE(std::equal(expected.scores.begin(), expected.scores.end(), second.scores().begin())) << g.name;
      }
    }
  }
}

// By hand, in values that floats hold exactly: one input, one neuron; the spikes of each step.
std::vector<float> outputs_of(const Op& op, const std::vector<float>& x, const std::map<std::string, Tensor>& tensors = {}) {
  Graph g;
  g.name = "one", g.input_shape = {1}, g.T = static_cast<int>(x.size()), g.tensors = tensors;
  g.nodes = {{"in", Input{}, {}, {}}, {"n", op, {"in"}, {}}};
  validate(g);
  Session s(g);
  std::vector<float> y;
  for (const float& v : x) y.push_back(s.step({&v, 1})[0]);
  return y;
}

TEST(OtherNeurons, ByHand) {
  using Y = std::vector<float>;
  Lif lif;
  lif.decay = 0.5f, lif.v_th = 1;
  // i: 1 .5 .25 .125   h: 1 -> 0, .5, .25 + .25 = .5, .25 + .125
  EXPECT_EQ(outputs_of(SpikingNeuron{Cuba{lif, 0.5f}, {}}, {1, 0, 0, 0}), (Y{1, 0, 0, 0}));
  // i: .75 1.125 .5625   h: .75, 1.5 -> .5, .8125
  EXPECT_EQ(outputs_of(SpikingNeuron{Cuba{lif, 0.5f}, {}}, {0.75f, 0.75f, 0}), (Y{0, 1, 0}));
  // threshold: 1, 1 + .5, 1 + .5 * .5   h: 1 -> 0, 1.25, .625 + .625 = 1.25
  EXPECT_EQ(outputs_of(SpikingNeuron{Alif{lif, 0.5f, 0.5f, 1}, {}}, {1, 1.25f, 0.625f}), (Y{1, 0, 1}));
  EXPECT_EQ(outputs_of(SpikingNeuron{RefractoryLif{lif, 2}, {}}, {1, 1, 1, 1, 1}), (Y{1, 0, 0, 1, 0}));
  // h: 2.5 -> to even 2, left .5; .25 + 1.25 -> 2, left -.5; 9 - .25 -> held at 4
  EXPECT_EQ(outputs_of(SpikingNeuron{MultiLif{.decay = 0.5f, .levels = 4}, {}}, {2.5f, 1.25f, 9, -20, NAN}), (Y{2, 2, 4, 0, 0}));
  // h: 1, .5 + .75, .25 + .375 - .5
  EXPECT_EQ(outputs_of(SlidingNeuron{"k", 1, {}}, {1, 0.5f, 0.25f}, {{"k", {{3}, {1, 0.75f, -0.5f}}}}), (Y{1, 1, 0}));
}

TEST(OtherNeurons, CountsOfOperations) {
  Graph g;
  g.name = "counted", g.input_shape = {3}, g.T = 2;
  g.tensors["w"] = {{2, 3}, {1, 1, 1, 1, 0, 1}};
  g.nodes = {{"in", Input{}, {}, {}}, {"n", SpikingNeuron{Cuba{}, {}}, {"in"}, {}}, {"l", Linear{"w", ""}, {"n"}, {}}};
  const auto count = [&](const Op& op, const std::vector<float>& frames) {
    g.nodes[1].op = op;
    validate(g);
    Session s(g, {.plan = Plan::event, .count = true});
    s.run(frames);
    return s.layer_counts();
  };
  auto c = count(SpikingNeuron{Cuba{}, {}}, {1, 0, 1, 0, 0, 0});
  EXPECT_EQ(c[0].op, "spiking_neuron");
  EXPECT_EQ(c[0].counts.membrane_updates, 2 * 3);
  EXPECT_EQ(c[0].counts.state_bytes, 2 * 3 * 2 * 8) << "current and membrane, read and written";
  EXPECT_EQ(c[1].counts.effective_acs, 4) << "the first and the last input spike once, at two synapses each";
  c = count(SpikingNeuron{MultiLif{.decay = 0}, {}}, {3, 1, 0, 1, 1, 0});
  EXPECT_EQ(c[0].counts.state_bytes, 2 * 3 * 8);
  EXPECT_EQ(c[1].counts.effective_macs, 3) << "a step with a 3 among its counts multiplies";
  EXPECT_EQ(c[1].counts.effective_acs, 3) << "a step of ones does not";
  g.tensors["k"] = {{4}, {1, 0, 0, 0.5f}};
  c = count(SlidingNeuron{"k", 1, {}}, {1, 0, 1, 0, 0, 0});
  EXPECT_EQ(c[0].counts.membrane_updates, 2 * 3);
  EXPECT_EQ(c[0].counts.effective_macs, 2 * 3 * 4);
  EXPECT_EQ(c[0].counts.state_bytes, 2 * 3 * (3 + 1) * 4);
  EXPECT_EQ(c[0].counts.weight_bytes, 2 * 4 * 4);
}

TEST(OtherNeurons, BatchesDoNotDependOnThreads) {
  for (const Graph& g : {net_with("integer", SpikingNeuron{MultiLif{}, {}}, SpikingNeuron{Alif{}, {}}), sliding_net(4)}) {
    const auto fill = [&](std::size_t i, std::span<float> out) {
      const auto f = random_frames(g, i, i % 3 == 0);
      std::copy(f.begin(), f.end(), out.begin());
    };
    std::vector<BatchResult> results;
    for (const int threads : {1, 2, 7}) set_thread_count(threads), results.push_back(run_batch(g, 37, fill, {.count = true}));
    set_thread_count(1);
    for (const auto& r : results) {
      EXPECT_EQ(r.scores, results[0].scores);
      EXPECT_EQ(r.counts, results[0].counts);
    }
    std::vector<float> one(static_cast<std::size_t>(elements(g.input_shape)) * 5);
    fill(17, one);
    const auto alone = Session(g).run(one);
    EXPECT_TRUE(std::equal(alone.scores.begin(), alone.scores.end(), results[0].scores.begin() + 17 * 3));
  }
}

TEST(OtherNeurons, ADifferenceInANumberOfSpikesIsFound) {
  const Graph g = net_with("integer", SpikingNeuron{MultiLif{}, {}}, SpikingNeuron{MultiLif{}, {}});
  const auto frames = random_frames(g, 9, true);
  Session s(g, {.record_spikes = true});
  s.run(frames);
  EXPECT_FALSE(first_difference(g, frames, s.spikes(), s.spikes()));
  auto other = s.spikes();
  const auto& counts = other[0].counts;
  const auto two = std::find(counts.begin() + 2 * other[0].neurons, counts.end(), 2);
  ASSERT_TRUE(two != counts.end());
  const std::int64_t at = two - counts.begin();
  other[0].counts[static_cast<std::size_t>(at)] = 3;
  const auto d = first_difference(g, frames, s.spikes(), other);
  ASSERT_TRUE(d);
  EXPECT_EQ(d->t, at / other[0].neurons);
  EXPECT_EQ(d->neuron, at % other[0].neurons);
  EXPECT_EQ(d->membrane, run_reference(g, frames, &s.spikes()).membranes[0][static_cast<std::size_t>(at)]);
  EXPECT_EQ(d->threshold, std::floor(d->membrane) + 0.5);
  other[0].counts.pop_back();
  EXPECT_THROW(first_difference(g, frames, s.spikes(), other), Error);
}

TEST(OtherNeurons, ForcedSpikesReplaceTheReferencesOwn) {
  Lif lif;
  lif.decay = 1;
  const auto membranes = [&](const Op& op, std::vector<float> frames, std::uint64_t first) {
    Graph g;
    g.name = "chain", g.input_shape = {1}, g.T = static_cast<int>(frames.size()), g.tensors["k"] = {{2}, {1, 0.5f}};
    g.nodes = {{"in", Input{}, {}, {}}, {"n", op, {"in"}, {}}};
    if (!std::holds_alternative<SlidingNeuron>(op)) g.tensors.clear();
    const std::vector<SpikeRecord> forced{{"n", 1, 1, {first, 0, 0, 0, 0, 0, 0, 0}, {}}};
    return run_reference(g, frames, &forced).membranes[0];
  };
  using M = std::vector<double>;
  EXPECT_EQ(membranes(SpikingNeuron{Cuba{lif, 0.5f}, {}}, {0.75f, 0}, 1), (M{0.75, -0.25 + 0.375}));
  EXPECT_EQ(membranes(SpikingNeuron{Alif{lif, 0.5f, 0.25f, 1}, {}}, {0.75f, 0.5f}, 1), (M{0.75, -0.25 + 0.5 - 0.25}));
  EXPECT_EQ(membranes(SpikingNeuron{RefractoryLif{lif, 1}, {}}, {0.75f, 0.5f, 0.5f}, 1), (M{0.75, -0.25, 0.25}));
  EXPECT_EQ(membranes(SpikingNeuron{RefractoryLif{lif, 1}, {}}, {1.25f, 0.5f}, 0), (M{1.25, 1.75}));
  EXPECT_EQ(membranes(SpikingNeuron{MultiLif{.decay = 1}, {}}, {0.75f, 0.5f}, 0), (M{0.75, 1.25}));
  EXPECT_EQ(membranes(SlidingNeuron{"k", 1, {}}, {0.75f, 0.5f}, 1), (M{0.75, 0.5 + 0.375}));
}

}  // namespace
}  // namespace apical::runtime
