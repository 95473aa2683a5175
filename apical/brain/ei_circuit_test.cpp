#include "apical/brain/ei_circuit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/kernels/circuit/ei_walk.h"

namespace apical::brain {
namespace {

EiCircuit circuit() {
  EiCircuit c({.dt = 0.5,
               .inputs = 6,
               .populations = {{"A", 20, true, {.a = 0.01, .tau_2 = 300, .R_1 = 0.5, .A_1 = -30, .A_2 = 6}},
                               {"B", 17, true, {.V_reset = -68, .V_th_reset = -46, .b = 0.02, .tau_2 = 150, .R_2 = 0.9, .A_2 = -25}},
                               {"I", 9, false, {.tau = 10}}}});
  Random random(4, "ei circuit test");
  for (std::size_t k = 0; k < c.weights.size(); ++k) c.weights[k] = 40 * random.normal() * (k < c.inputs() * c.neurons() ? 8.0f : 1.0f);
  c.obey_dale();
  return c;
}

// The event-driven engine and the walk that learns are two programs of one equation: every spike is the same.
TEST(EiCircuit, FiresAsTheWalkDoes) {
  const EiCircuit c = circuit();
  constexpr std::uint32_t kSteps = 600;
  Random random(5, "ei circuit input");
  std::vector<std::vector<std::uint32_t>> trains(c.inputs());
  std::vector<std::uint8_t> in(kSteps * c.inputs());
  for (std::uint32_t t = 0; t < kSteps; ++t)
    for (std::uint32_t k = 0; k < c.inputs(); ++k)
      if (random.uniform() < 0.05f) in[t * c.inputs() + k] = 1, trains[k].push_back(t);

  const auto constants = c.constants();
  const std::vector<double> weights(c.weights.begin(), c.weights.end());
  std::vector<double> spikes(kSteps * c.neurons());
  kernels::ei_forward<double>({kSteps, 1, c.inputs(), c.neurons(), c.excitatory(), constants.data(), weights.data(), in.data()},
                              spikes.data(), nullptr);
  std::vector<std::uint32_t> step, neuron;
  for (std::uint32_t t = 0; t < kSteps; ++t)
    for (std::uint32_t i = 0; i < c.neurons(); ++i)
      if (spikes[t * c.neurons() + i] != 0) step.push_back(t), neuron.push_back(i);

  const auto record = simulate(c, trains, kSteps, true);
  EXPECT_GT(step.size(), 200u);
  EXPECT_LT(step.size(), 3000u);
  EXPECT_EQ(record.step, step);
  EXPECT_EQ(record.neuron, neuron);
}

TEST(EiCircuit, DaleAndNoAutapses) {
  const EiCircuit c = circuit();
  std::size_t zeros = 0;
  for (std::size_t j = 0; j < c.inputs() + c.neurons(); ++j)
    for (std::size_t i = 0; i < c.neurons(); ++i) {
      const float w = c.weights[j * c.neurons() + i];
      EXPECT_TRUE(j < c.inputs() + c.excitatory() ? w >= 0 : w <= 0) << j;
      if (j == c.inputs() + i) {
        EXPECT_EQ(w, 0) << i;
      }
      zeros += w == 0;
    }
  EXPECT_LT(zeros, c.weights.size() * 6 / 10);
}

TEST(EiCircuit, RefusesWhatItCannotBe) {
  const auto words = [](EiOptions options) -> std::string {
    try {
      EiCircuit c(std::move(options));
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_THAT(words({.inputs = 3, .populations = {}}), testing::HasSubstr("no neurons"));
  EXPECT_THAT(words({.inputs = 0, .populations = {{"I", 2, false}, {"E", 2, true}}}), testing::HasSubstr("come first"));
  EXPECT_THAT(words({.inputs = 0, .populations = {{"E", 2, true, {.tau_2 = 0}}}}), testing::HasSubstr("tau_2 must be positive"));
  EXPECT_THROW(simulate(circuit(), {}, 10), Error);
}

}  // namespace
}  // namespace apical::brain
