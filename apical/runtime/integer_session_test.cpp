#include "apical/runtime/integer_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apical/base/error.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/simd.h"
#include "apical/runtime/batch.h"
#include "apical/runtime/integer_reference.h"
#include "apical/runtime/testing_nets.h"

namespace apical::runtime {
namespace {

using namespace apical::graph;
using apical::testing::branched_net, apical::testing::random_frames, apical::testing::random_net, apical::testing::small_net,
    apical::testing::whole_words_net;
using kernels::Compare, kernels::Lif, kernels::Reset, kernels::ResetAt;

IntegerNetwork quantised(const Graph& g, const std::vector<float>& frames, int bits = 8) {
  return integer_network(apical::testing::quantised(g, frames, bits));
}

// Everything that can be seen, after every step, at every level, whether the sums of an input that stands still are kept (direct) or made again.
// Returns the spikes of all layers.
std::size_t expect_exact(IntegerNetwork network, const std::vector<float>& frames) {
  const IntegerReference reference = run_integer_reference(network, frames);
  const auto n = static_cast<std::size_t>(elements(network.graph.input_shape));
  for (const std::string encoder : {"direct", "event_frames"})
    for (const std::string& level : kernels::simd_levels()) {
      kernels::set_simd_level(level);
      network.graph.encoder.kind = encoder;
      SCOPED_TRACE(network.graph.name + ", " + level + ", " + encoder);
      IntegerSession session(network, {.record_spikes = true});
      for (std::size_t t = 0; t * n < frames.size(); ++t) {
        session.step(std::span(frames).subspan(t * n, n));
        EXPECT_EQ(session.state(), reference.states[t]) << "step " << t;
      }
      EXPECT_THAT(std::vector<float>(session.scores().begin(), session.scores().end()), ::testing::ElementsAreArray(reference.scores));
      EXPECT_EQ(session.spikes(), reference.spikes);
    }
  kernels::set_simd_level("");
  std::size_t spikes = 0;
  for (const auto& r : reference.spikes) spikes += kernels::count_bits(r.bits.data(), static_cast<std::size_t>(r.steps), static_cast<std::size_t>(r.neurons));
  return spikes;
}

TEST(IntegerSession, IsTheReferenceForEveryFormOfNeuron) {
  for (const Reset reset : {Reset::hard, Reset::soft, Reset::none})
    for (const ResetAt at : {ResetAt::same_step, ResetAt::next_step, ResetAt::next_step_decayed})
      for (const Compare compare : {Compare::ge, Compare::gt})
        for (const bool constant : {false, true}) {
          Lif lif;
          lif.reset = reset, lif.reset_at = at, lif.compare = compare, lif.decay = 0.6f, lif.v_th = 0.5f, lif.v_reset = -0.1f;
          const Graph g = small_net(lif);
          const auto frames = random_frames(g, 3, constant);
          EXPECT_GT(expect_exact(quantised(g, frames), frames), 10u) << "a silent network proves nothing";
        }
}

TEST(IntegerSession, RunsBranchesAndPools) {
  for (const Graph& g : {small_net(), branched_net(), whole_words_net()})
    for (const int bits : {8, 4})
      for (const bool constant : {true, false}) {
        const auto frames = random_frames(g, 11, constant);
        EXPECT_GT(expect_exact(quantised(g, frames, bits), frames), 10u);
      }
}

TEST(IntegerSession, IsTheReferenceOnRandomNetworks) {
  std::size_t spikes = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Graph g = random_net(seed);
    const auto frames = random_frames(g, seed, seed % 2);
    spikes += expect_exact(quantised(g, frames, seed % 3 ? 8 : 4), frames);
  }
  EXPECT_GT(spikes, 10000u);
}

TEST(IntegerSession, FollowsTheFloatNetwork) {
  const Graph g = small_net();
  double worst = 0, largest = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const auto frames = random_frames(g, seed, true);
    const auto a = Session(g).run(frames).scores, b = IntegerSession(quantised(g, frames)).run(frames).scores;
    for (std::size_t i = 0; i < a.size(); ++i) worst = std::max<double>(worst, std::abs(a[i] - b[i])), largest = std::max<double>(largest, std::abs(a[i]));
  }
  EXPECT_LT(worst, 0.35 * largest) << "a spike more or less, not another network";
}

TEST(IntegerSession, InputsSaturateAndNansAreZero) {
  const Graph g = small_net();
  auto frames = random_frames(g, 3, true);
  const IntegerNetwork network = quantised(g, frames);
  frames[0] = std::numeric_limits<float>::quiet_NaN(), frames[1] = std::numeric_limits<float>::infinity(), frames[2] = -1e30f, frames[3] = 1e-40f;
  for (std::size_t i = 0; i < 60; ++i) frames[10 + i] = static_cast<float>(static_cast<double>(i) - 29.5) / 32 / 2;  // halves: to the even one
  expect_exact(network, frames);
}

TEST(IntegerSession, AStreamIsCutAndContinuedByAnotherSession) {
  const Graph g = small_net();
  const auto n = static_cast<std::size_t>(elements(g.input_shape));
  const auto frames = random_frames(g, 5, true);
  const IntegerNetwork network = quantised(g, frames);
  IntegerSession whole(network), first(network), second(network);
  const Result expected = whole.run(frames);
  for (std::size_t t = 0; t < 2; ++t) first.step(std::span(frames).subspan(t * n, n));
  second.set_state(first.state());
  for (std::size_t t = 2; t < 5; ++t) second.step(std::span(frames).subspan(t * n, n));
  EXPECT_EQ(std::vector<float>(second.scores().begin(), second.scores().end()), expected.scores);
  EXPECT_EQ(second.state(), whole.state());
  EXPECT_THROW(second.step(std::vector<float>(5)), Error);
  EXPECT_THROW(second.set_state({std::vector<std::int64_t>(3), 1}), Error);
  IntegerState state = whole.state();
  state.values[0] = kernels::integer_limit + 1;
  EXPECT_THROW(second.set_state(state), Error);
  EXPECT_EQ(second.state(), whole.state()) << "a refused state changes nothing";
}

TEST(IntegerBatch, DoesNotDependOnThreads) {
  const Graph g = small_net();
  const IntegerNetwork network = quantised(g, random_frames(g, 0, true));
  const auto fill = [&](std::size_t i, std::span<float> out) {
    const auto f = random_frames(g, i, i % 3 == 0);
    std::copy(f.begin(), f.end(), out.begin());
  };
  std::vector<BatchResult> results;
  for (const int threads : {1, 2, 7}) {
    set_thread_count(threads);
    results.push_back(run_batch(network, 61, fill));
  }
  set_thread_count(1);
  for (const auto& r : results) {
    EXPECT_EQ(r.scores, results[0].scores);
    EXPECT_EQ(r.predicted, results[0].predicted);
  }
  std::vector<float> one(static_cast<std::size_t>(elements(g.input_shape)) * 5);
  fill(17, one);
  const auto alone = IntegerSession(network).run(one);
  EXPECT_TRUE(std::equal(alone.scores.begin(), alone.scores.end(), results[0].scores.begin() + 17 * 3));
}

}  // namespace
}  // namespace apical::runtime
