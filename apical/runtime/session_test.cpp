#include "apical/runtime/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apical/base/error.h"
#include "apical/base/thread_pool.h"
#include "apical/graph/integer.h"
#include "apical/graph/quantise.h"
#include "apical/kernels/bits.h"
#include "apical/runtime/batch.h"
#include "apical/runtime/integer_program.h"
#include "apical/runtime/integer_reference.h"
#include "apical/runtime/program.h"
#include "apical/runtime/reference.h"
#include "apical/runtime/testing_nets.h"

namespace apical::runtime {
namespace {

using namespace apical::graph;
using apical::testing::branched_net, apical::testing::random_frames, apical::testing::small_net, apical::testing::whole_words_net;
using kernels::Lif, kernels::Reset, kernels::ResetAt;

void expect_like_reference(const Graph& g, const std::vector<float>& frames, Plan plan) {
  Session session(g, {.plan = plan, .record_spikes = true});
  const Result result = session.run(frames);
  const ReferenceResult reference = run_reference(g, frames, &session.spikes());
  for (std::size_t i = 0; i < result.scores.size(); ++i)
    EXPECT_NEAR(result.scores[i], reference.scores[i], 2e-5) << g.name << " output " << i;
  std::size_t spikes = 0;
  for (std::size_t l = 0; l < reference.spikes.size(); ++l) {
    // Under the same past, float and float64 may differ only where the membrane touches the threshold.
    const auto d = first_difference(g, frames, session.spikes(), reference.spikes);
    EXPECT_TRUE(!d || d->distance < 1e-5);
    spikes += kernels::count_bits(session.spikes()[l].bits.data(), static_cast<std::size_t>(g.T),
                                  static_cast<std::size_t>(session.spikes()[l].neurons));
  }
  EXPECT_GT(spikes, 10u) << "a silent network proves nothing";
}

TEST(Session, FollowsTheFloat64ReferenceForEveryFormOfNeuron) {
  for (const Reset reset : {Reset::hard, Reset::soft, Reset::none})
    for (const ResetAt at : {ResetAt::same_step, ResetAt::next_step, ResetAt::next_step_decayed})
      for (const bool decay_input : {false, true}) {
        Lif lif;
        lif.reset = reset, lif.reset_at = at, lif.decay_input = decay_input, lif.decay = 0.6f, lif.v_th = 0.5f, lif.v_reset = -0.1f;
        const Graph g = small_net(lif);
        for (const bool constant : {true, false}) expect_like_reference(g, random_frames(g, 3, constant), Plan::automatic);
      }
}

TEST(Session, RunsBranchesPoolsAndAffines) {
  for (const Graph& g : {branched_net(), whole_words_net()})
    for (const Plan plan : {Plan::automatic, Plan::dense, Plan::event})
      for (const bool constant : {true, false}) expect_like_reference(g, random_frames(g, 11, constant), plan);
}

TEST(Session, WeightsBeginAtCacheLines) {  // rows read by whole lines would straddle two
  const auto expect_aligned = [](const void* weights) { EXPECT_EQ(reinterpret_cast<std::uintptr_t>(weights) % cache_line, 0u); };
  Graph half = small_net(), int8 = small_net();
  quantise(half, 16, {});
  quantise(int8, 8, {1, false});
  const auto floats = prepare(small_net(), {}), halves = prepare(half, {});
  const auto integers = prepare(integer_network(int8), {});
  std::size_t layers = 0;
  for (const Slot& s : floats->slots) expect_aligned(s.weight.data()), layers += !s.weight.empty();
  for (const Slot& s : halves->slots) expect_aligned(s.half.data()), expect_aligned(s.weight.data()), layers += !s.half.empty() || !s.weight.empty();
  for (const IntegerSlot& s : integers->slots) expect_aligned(s.weight.data()), layers += !s.weight.empty();
  EXPECT_EQ(layers, 9u);
}

Graph half(Graph g) {
  graph::quantise(g, 16, {});
  return g;
}

TEST(Session, EventAndDensePlansGiveTheSameBits) {
  for (const Graph& g : {small_net(), branched_net(), whole_words_net(), half(small_net()), half(branched_net()), half(whole_words_net())})
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      const auto frames = random_frames(g, seed, seed % 2);
      Session dense(g, {.plan = Plan::dense, .record_spikes = true}), event(g, {.plan = Plan::event, .record_spikes = true});
      EXPECT_EQ(dense.run(frames).scores, event.run(frames).scores);
      EXPECT_EQ(dense.spikes(), event.spikes());
      EXPECT_EQ(dense.state(), event.state());
    }
}

TEST(Session, LargeLayersDoNotDependOnThreads) {
  const Graph g = apical::testing::large_net();
  const auto frames = random_frames(g, 3, false);
  Graph q = g;
  InputRange range;
  range.see(frames);
  quantise(q, 8, range);
  const IntegerNetwork network = integer_network(q);
  const auto all = [&](int threads) {
    set_thread_count(threads);
    std::vector<std::vector<SpikeRecord>> spikes;
    for (const Graph& net : {g, half(g)})
      for (const Plan plan : {Plan::dense, Plan::event}) {
        Session s(net, {.plan = plan, .record_spikes = true});
        s.run(frames);
        spikes.push_back(s.spikes());
      }
    IntegerSession s(network, {.record_spikes = true});
    s.run(frames);
    spikes.push_back(s.spikes());
    return spikes;
  };
  const auto one = all(1);
  EXPECT_GT(kernels::count_bits(one[0][1].bits.data(), 2, 130), 20u);
  for (const int threads : {2, 7}) EXPECT_EQ(all(threads), one) << threads;
  set_thread_count(1);
  EXPECT_EQ(one[4], run_integer_reference(network, frames).spikes);
}

TEST(Session, AStreamIsCutAndContinuedByAnotherSession) {
  const Graph g = small_net();
  const auto n = static_cast<std::size_t>(elements(g.input_shape));
  for (const bool constant : {true, false}) {
    const auto frames = random_frames(g, 5, constant);
    Session whole(g);
    const Result expected = whole.run(frames);
    for (std::size_t cut = 0; cut <= 5; ++cut) {
      Session first(g), second(g);
      std::vector<float> last(3);
      for (std::size_t t = 0; t < cut; ++t) first.step(std::span(frames).subspan(t * n, n));
      second.step(std::span(frames).first(n));  // a past that the state must replace
      second.set_state(first.state());
      for (std::size_t t = cut; t < 5; ++t) {
        const auto y = second.step(std::span(frames).subspan(t * n, n));
        last.assign(y.begin(), y.end());
      }
      if (cut < 5) {
        EXPECT_EQ(last, expected.scores) << "cut after " << cut;
      }
      EXPECT_EQ(second.state(), whole.state());
    }
  }
  EXPECT_EQ(Session(g).state().values.size(), state_elements(g));
}

TEST(Session, RefusesFramesAndStatesOfAnotherSize) {
  Session s(small_net());
  EXPECT_THROW(s.step(std::vector<float>(5)), Error);
  EXPECT_THROW(s.run(std::vector<float>(127)), Error);
  EXPECT_THROW(s.set_state({std::vector<float>(3), 1}), Error);
}

TEST(Batch, DoesNotDependOnThreads) {
  Graph g = small_net();
  const auto fill = [&](std::size_t i, std::span<float> out) {
    const auto f = random_frames(g, i, i % 3 == 0);
    std::copy(f.begin(), f.end(), out.begin());
  };
  std::vector<BatchResult> results;
  for (const int threads : {1, 2, 7}) {
    set_thread_count(threads);
    results.push_back(run_batch(g, 61, fill, {.count = true}));
  }
  set_thread_count(1);
  for (const auto& r : results) {
    EXPECT_EQ(r.scores, results[0].scores);
    EXPECT_EQ(r.predicted, results[0].predicted);
    EXPECT_EQ(r.counts, results[0].counts);
  }
  EXPECT_EQ(results[0].counts.samples, 61);
  std::vector<float> one(static_cast<std::size_t>(elements(g.input_shape)) * 5);
  fill(17, one);
  const auto alone = Session(g).run(one);
  EXPECT_TRUE(std::equal(alone.scores.begin(), alone.scores.end(), results[0].scores.begin() + 17 * 3));
}

// --- counts by hand --------------------------------------------------------------------------------------------------------------

Graph conv_only(int stride, int pad, Shape weight, Shape input) {
  Graph g;
  g.name = "counted", g.input_shape = input, g.T = 2;
  g.tensors["w"] = {weight, std::vector<float>(static_cast<std::size_t>(elements(weight)), 0.3f)};
  g.nodes = {{"in", Input{}, {}, {}}, {"c", Conv2d{"w", "", stride, stride, pad, pad, 1}, {"in"}, {}}, {"n", Neuron{}, {"c"}, {}}};
  validate(g);
  return g;
}

OpCounts count(const Graph& g, const std::vector<float>& frames, Plan plan = Plan::event) {
  Session s(g, {.plan = plan, .count = true});
  s.run(frames);
  return s.counts();
}

TEST(Counts, ABorderEventReachesFewerSynapses) {
  const Graph g = conv_only(1, 1, {2, 1, 3, 3}, {1, 4, 4});
  std::vector<float> frames(32, 0.0f);
  frames[0] = 1;       // t = 0: a corner reaches 4 outputs of 2 channels
  frames[16 + 5] = 1;  // t = 1: the inside reaches 9
  frames[16 + 1] = 1;  // and an edge 6
  const OpCounts c = count(g, frames);
  EXPECT_EQ(c.effective_acs, 2 * (4 + 9 + 6));
  EXPECT_EQ(c.effective_macs, 0);
  // 4 corners x 4, 8 edges x 6, 4 inside x 9 = 100 products an output channel and step.
  EXPECT_EQ(c.dense, 2 * 2 * 100);
  EXPECT_EQ(c.ann, 2 * 100);
  EXPECT_EQ(c.membrane_updates, 2 * 32);
  EXPECT_EQ(c.steps, 2);
  EXPECT_EQ(c.samples, 1);
  EXPECT_EQ(c.active_inputs, 3);
  EXPECT_EQ(c.inputs, 32);
  // Event by event: 4 bytes of weight an operation; 8 of partial sum each and 4 an event; the neuron reads 32 sums, writes 32 bits, twice.
  EXPECT_EQ(c.weight_bytes, 4 * 38);
  EXPECT_EQ(c.activation_bytes, 8 * 38 + 4 * 3 + 2 * (4 * 32 + 4));
  EXPECT_EQ(c.state_bytes, 2 * 8 * 32);
  EXPECT_EQ(c.dense_weight_bytes, 2 * 4 * 18);
  EXPECT_EQ(count(half(g), frames).weight_bytes, 2 * 38) << "bfloat16";
  EXPECT_EQ(count(g, frames, Plan::dense).effective_acs, c.effective_acs) << "the plan changes the traffic, not the operations";
}

TEST(Counts, StrideWithoutPaddingLeavesOutUnreachedInputs) {
  const Graph g = conv_only(2, 0, {3, 1, 2, 2}, {1, 5, 5});  // outputs 2 x 2; row 4 and column 4 reach nothing
  std::vector<float> frames(50, 1.0f);
  const OpCounts c = count(g, frames);
  EXPECT_EQ(c.effective_acs, 3 * 16) << "16 inputs reach one window each; the second, equal frame is not multiplied again";
  EXPECT_EQ(c.dense, 2 * 3 * 16);
  frames[49] = 0;  // an unreached input: another frame, the same work again
  EXPECT_EQ(count(g, frames).effective_acs, 2 * 3 * 16);
}

TEST(Counts, OtherValuesAreMacsAndZeroWeightsAreFree) {
  Graph g = conv_only(1, 0, {1, 1, 1, 1}, {1, 1, 3});
  std::vector<float> frames{1, -1, 0, 1, 0.5f, 0};
  OpCounts c = count(g, frames);
  EXPECT_EQ(c.effective_acs, 2);
  EXPECT_EQ(c.effective_macs, 2);
  g.tensors["w"].values[0] = 0;
  c = count(g, frames);
  EXPECT_EQ(c.effective_acs + c.effective_macs, 0);
  EXPECT_EQ(c.dense, 2 * 3);
}

// --- tracing ----------------------------------------------------------------------------------------------------------------------

TEST(FirstDifference, FindsTheFlippedSpikeAndItsMembrane) {
  const Graph g = small_net();
  const auto frames = random_frames(g, 9, false);
  Session s(g, {.record_spikes = true});
  s.run(frames);
  EXPECT_FALSE(first_difference(g, frames, s.spikes(), s.spikes()));
  auto other = s.spikes();
  const std::int64_t neuron = 7;
  other[0].bits[3 * other[0].words()] ^= std::uint64_t{1} << 20;  // later and elsewhere: not the first
  other[1].bits[2 * other[1].words()] ^= std::uint64_t{1} << neuron;
  const auto d = first_difference(g, frames, s.spikes(), other);
  ASSERT_TRUE(d);
  EXPECT_EQ(d->t, 2);
  EXPECT_EQ(d->layer, "n2");
  EXPECT_EQ(d->neuron, neuron);
  const auto reference = run_reference(g, frames, &s.spikes());
  EXPECT_EQ(d->membrane, reference.membranes[1][2 * 16 + neuron]);
  EXPECT_EQ(d->distance, std::abs(d->membrane - 1.0));
  EXPECT_EQ(s.spikes()[1].fired(2, neuron), d->membrane >= 1.0);
  other.pop_back();
  EXPECT_THROW(first_difference(g, frames, s.spikes(), other), Error);
}

TEST(Reference, ForcedSpikesReplaceItsOwn) {
  Graph g;
  g.name = "chain", g.input_shape = {1}, g.T = 2;
  Lif lif;
  lif.decay = 1;
  g.nodes = {{"in", Input{}, {}, {}}, {"n", Neuron{lif, {}, ""}, {"in"}, {}}};
  validate(g);
  for (const ResetAt at : {ResetAt::same_step, ResetAt::next_step}) {
    std::get<Neuron>(g.nodes[1].op).lif.reset_at = at;
    const std::vector<float> frames{0.75f, 0.5f};
    std::vector<SpikeRecord> forced{{"n", 1, 1, std::vector<std::uint64_t>(8, 0)}};
    EXPECT_EQ(run_reference(g, frames).membranes[0], (std::vector<double>{0.75, 1.25}));
    forced[0].bits[0] = 1;  // says it fired at 0.75: the reset follows
    const double after = at == ResetAt::same_step ? -0.25 : 0.0;
    EXPECT_EQ(run_reference(g, frames, &forced).membranes[0], (std::vector<double>{0.75, after + 0.5}));
  }
}

}  // namespace
}  // namespace apical::runtime
