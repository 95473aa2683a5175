#include "apical/kernels/circuit/ei_walk.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/simd.h"

namespace apical::kernels {
namespace {

// A circuit in which everything takes part: both slow currents, a threshold that moves, resets that keep a share.
template <class T>
struct Case {
  std::size_t steps, trials, inputs, neurons, excitatory;
  std::vector<T> constants, weights, grad;
  std::vector<std::uint8_t> in;

  Case(std::size_t steps_, std::size_t trials_, std::size_t inputs_, std::size_t neurons_, std::size_t excitatory_)
      : steps(steps_), trials(trials_), inputs(inputs_), neurons(neurons_), excitatory(excitatory_) {
    Random random(3, "ei walk test");
    const double low[kEiConstants] = {0.9, 0.008, 0.97, 0.02, 0.3, 0.8, 0.98, 0.7, 0.8, 0.5, 0.9, -60, -30, -2, 11, 9};
    const double high[kEiConstants] = {0.96, 0.012, 0.98, 0.04, 0.35, 0.9, 0.99, 0.8, 0.9, 1, 1, -20, 30, 1, 13, 12};
    for (std::size_t k = 0; k < kEiConstants; ++k)
      for (std::size_t i = 0; i < neurons; ++i)
        constants.push_back(static_cast<T>(low[k] + (high[k] - low[k]) * static_cast<double>(random.uniform())));
    for (std::size_t j = 0; j < inputs + neurons; ++j)
      for (std::size_t i = 0; i < neurons; ++i)
        weights.push_back(static_cast<T>(random.uniform(0, 1) * (j < inputs ? 600 : j < inputs + excitatory ? 200 : -300)));
    for (std::size_t i = 0; i < steps * trials * inputs; ++i) in.push_back(random.uniform() < 0.3f);
    for (std::size_t i = 0; i < steps * trials * neurons; ++i) grad.push_back(static_cast<T>(random.normal()));
  }
  EiWalk<T> walk() const { return {steps, trials, inputs, neurons, excitatory, constants.data(), weights.data(), in.data(), 0.7, 15}; }
};

template <class T>
struct Outcome {
  std::vector<T> spikes, grad_weights;
};
template <class T>
Outcome<T> run(const Case<T>& c, const EiWalk<T>& a) {
  Outcome<T> o{std::vector<T>(c.grad.size()), std::vector<T>(c.weights.size())};
  std::vector<T> kept(ei_kept_size(a));
  ei_forward(a, o.spikes.data(), kept.data());
  ei_backward(a, c.grad.data(), kept.data(), o.grad_weights.data());
  return o;
}

// With spikes that are a smooth function of the membrane the gradient is an ordinary one; more than two strides of steps.
TEST(EiWalk, GradientIsThatOfDifferences) {
  Case<double> c(2 * kEiStride + 9, 2, 3, 7, 4);
  auto a = c.walk();
  a.smooth = true;
  const auto o = run(c, a);
  const auto loss = [&] {
    std::vector<double> s(c.grad.size());
    ei_forward(a, s.data(), static_cast<double*>(nullptr));
    double sum = 0;
    for (std::size_t i = 0; i < s.size(); ++i) sum += s[i] * c.grad[i];
    return sum;
  };
  double largest = 0, worst = 0;
  for (std::size_t k = 0; k < c.weights.size(); ++k) {
    const double w = c.weights[k], step = 1e-4;
    c.weights[k] = w + step;
    const double above = loss();
    c.weights[k] = w - step;
    const double below = loss();
    c.weights[k] = w;
    largest = std::max(largest, std::fabs(o.grad_weights[k])),
    worst = std::max(worst, std::fabs((above - below) / (2 * step) - o.grad_weights[k]));
  }
  EXPECT_GT(largest, 1e-3);
  EXPECT_LT(worst, 1e-6 * largest);
}

TEST(EiWalk, SameBitsAtEveryLevelAndForEveryNumberOfThreads) {
  const Case<float> c(150, 19, 5, 37, 22);
  set_simd_level("scalar");
  const auto want = run(c, c.walk());
  double spikes = 0;
  for (const float s : want.spikes) spikes += static_cast<double>(s);
  EXPECT_GT(spikes, 0.01 * static_cast<double>(want.spikes.size()));
  EXPECT_LT(spikes, 0.5 * static_cast<double>(want.spikes.size()));
  for (const auto& level : simd_levels()) {
    set_simd_level(level);
    const auto got = run(c, c.walk());
    EXPECT_EQ(got.spikes, want.spikes) << level;
    EXPECT_EQ(got.grad_weights, want.grad_weights) << level;
  }
  set_simd_level("");
  for (const int threads : {1, 2, 7}) {
    set_thread_count(threads);
    const auto got = run(c, c.walk());
    EXPECT_EQ(got.spikes, want.spikes) << threads;
    EXPECT_EQ(got.grad_weights, want.grad_weights) << threads;
  }
}

}  // namespace
}  // namespace apical::kernels
