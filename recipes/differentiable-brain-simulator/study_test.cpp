// The references of the recipe against what they stand for: products and gradients, forms of synaptic state, matrices drawn anew.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "recipes/differentiable-brain-simulator/event_matrix.h"
#include "recipes/differentiable-brain-simulator/merging.h"
#include "recipes/differentiable-brain-simulator/procedural.h"

namespace apical::simulator {
namespace {

// 130 targets: places need 8 bits.
TEST(EventMatrix, SpikesAndGradedEventsAreTheSameProduct) {
  EventMatrix<double> m(random_matrix(40, 130, 9, brain::Value::normal(0, 1)), 3);
  EXPECT_EQ(m.size(), 40u * 9);
  const std::array<std::uint32_t, 3> spikes{0, 17, 39};
  std::vector<double> x(40), by_spikes(130), graded(130), by_hand(130);
  for (const auto i : spikes) {
    x[i] = 1;
    for (const auto& s : m.list(i)) by_hand[m.target(s)] += s.weight;
  }
  m.product(std::span<const std::uint32_t>(spikes), by_spikes.data()), m.product(std::span<const double>(x), graded.data());
  EXPECT_EQ(by_spikes, by_hand);
  EXPECT_EQ(graded, by_hand);
}

TEST(EventMatrix, SourcesWithoutSynapsesHaveEmptyLists) {
  auto c = random_matrix(200, 70, 1, 1);
  c.rule = brain::Rule::pairwise_bernoulli(0.005);
  const EventMatrix<float> m(c, 1);
  EXPECT_EQ(m.sources(), 200u);
  std::size_t all = 0, empty = 0;
  for (std::size_t i = 0; i < 200; ++i) all += m.list(i).size(), empty += m.list(i).empty();
  EXPECT_EQ(all, m.size());
  EXPECT_GT(all, 20u);
  EXPECT_GT(empty, 100u);
}

TEST(EventMatrix, GradientsAreThoseOfFiniteDifferences) {
  for (const std::uint64_t seed : {1, 2}) EXPECT_LT(gradient_difference(seed), 1e-6);
}

// One spike of an excitatory source and one of an inhibitory one over two synapses, all to the same target: what is to come is known.
TEST(Forms, ConductancesJumpAndDecayInEveryForm) {
  Wires w;
  w.neurons = 4, w.excitatory = 2;
  w.source = {0, 2, 2}, w.target = {1, 1, 1}, w.weight = {0.5, 0.25, 0.125};
  const std::vector<double> start{-49, -60, -49, -60};  // 0 and 2 fire in the first step, and are held for 50
  for (const Form form : kForms) {
    const auto run = run_form(form, w, start, 53);
    const auto v = [&](std::size_t step, std::size_t neuron) { return run.v[step * 4 + neuron]; };
    double u = -60, ge = 0, gi = 0;
    for (std::size_t step = 0; step < 53; ++step) {
      const double b = (1 + ge + gi) / 20, rest = (-60 - 80 * gi + 20) / (20 * b);
      u = rest + (u - rest) * std::exp(-b * 0.1);
      ge *= std::exp(-0.1 / 5), gi *= std::exp(-0.1 / 10);
      if (step == 1) ge += 0.5, gi += 0.375;
      EXPECT_NEAR(v(step, 1), u, 1e-11) << step;
      EXPECT_EQ(v(step, 0) == -60, step <= 50) << step;
    }
    EXPECT_EQ(run.spikes, 2u);
  }
}

TEST(Forms, TheEngineIsTheMergedForm) {
  auto c = coba(Cells::lif_text, Wiring::pairs, 1, 5, true);
  c.net.build();
  const auto w = wires(c);
  EXPECT_EQ(w.source.size(), c.net.synapses());
  EXPECT_EQ(w.neurons, 4000u);
  const auto saved = c.net.state();
  std::vector<double> start;
  for (const auto& [name, n] : {std::pair{"state0", 3200}, {"state1", 800}}) {
    const auto state = saved.at(name).as<double>();
    start.insert(start.end(), state.begin(), state.begin() + n);
  }
  c.net.simulate(20);
  const auto run = run_form(Form::per_target, w, start, 200);
  EXPECT_EQ(run.spikes, c.net.spikes(c.e) + c.net.spikes(c.i));
  EXPECT_GT(run.spikes, 500u);
}

TEST(Procedural, EveryWalkFindsTheSameMatrix) {
  auto matrix = random_matrix(90, 130, 7, brain::Value::normal(0, 1));
  EXPECT_EQ(walk_differences(matrix, 4), 0u);
  matrix.rule = brain::Rule::pairwise_bernoulli(0.1);
  EXPECT_EQ(walk_differences(matrix, 4), 0u);
  matrix.synapses.procedural = false;  // then it is drawn by target, for all sources or none
  EXPECT_GT(walk_differences(matrix, 4), 0u);
}

TEST(Differences, AreSpikesThatOnlyOneHas) {
  auto a = coba(Cells::lif, Wiring::inputs, 1, 1), b = coba(Cells::lif, Wiring::inputs, 1, 1),
       other = coba(Cells::lif, Wiring::inputs, 1, 2);
  for (auto* n : {&a, &b, &other}) n->net.simulate(10);
  EXPECT_EQ(differences(a, b), 0u);
  EXPECT_GT(differences(a, other), 100u);
}

}  // namespace
}  // namespace apical::simulator
