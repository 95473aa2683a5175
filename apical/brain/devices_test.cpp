#include "apical/brain/devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "apical/base/error.h"
#include "apical/base/thread_pool.h"
#include "apical/brain/network.h"

namespace apical::brain {
namespace {

using testing::HasSubstr;

// Membranes without leak and threshold: they add up currents (C_m 100 pF: 1 pA moves them by 0.001 mV a step of 0.1 ms) and spikes.
const Parameters kCounts{{"tau_m", 1e12}, {"V_th", 1e12}, {"V_m", 0.0}, {"E_L", 0.0}, {"V_reset", -1.0}, {"C_m", 100.0}};

// pA in each step of each neuron: currents[step][neuron].
std::vector<std::vector<double>> currents(const NoiseGenerator& device, std::uint32_t n, int steps, double weight = 1) {
  Network net({.dt = 0.1, .seed = 8});
  const auto p = net.create("iaf_psc_delta", n, kCounts);
  net.connect(device, p, weight);
  const auto& m = net.record(p, {"V_m"}, 0.1);
  net.simulate(0.1 * steps);
  std::vector<std::vector<double>> all(static_cast<std::size_t>(steps), std::vector<double>(n));
  for (std::size_t s = 0; s < all.size(); ++s)
    for (std::size_t i = 0; i < n; ++i) all[s][i] = (m.at(s, 0, i) - (s > 0 ? m.at(s - 1, 0, i) : 0)) * 1000;
  return all;
}

TEST(NoiseGenerator, HasItsMeanDeviationAndIntervals) {
  constexpr std::uint32_t n = 2000;
  const auto i = currents({.mean = 50, .std = 20, .dt = 0.5, .start = 3, .stop = 43}, n, 500, 2);
  // NEST 3.10.0, delay 1 ms, start 3 ms: the first step with current ends at 4.1 ms, the last at stop + 1 ms, and values change every 0.5
  // ms.
  for (std::size_t s = 0; s < 500; ++s)
    for (std::uint32_t k = 0; k < n; k += 111) {
      if (s < 40 || s >= 440) {
        EXPECT_NEAR(i[s][k], 0, 1e-6);
      } else if ((s - 40) % 5 != 0) {
        EXPECT_NEAR(i[s][k], i[s - 1][k], 1e-6);
      } else if (s > 40) {
        EXPECT_GT(std::fabs(i[s][k] - i[s - 1][k]), 1e-6);
      }
    }
  // 80 intervals x 2000 neurons, independent: mean, variance, fourth moment (3 of a normal), correlation in time and between neurons.
  double mean = 0, square = 0, fourth = 0, next = 0, neighbour = 0, half = 0;
  for (std::size_t s = 40; s < 440; s += 5)
    for (std::uint32_t k = 0; k < n; ++k) {
      const double z = (i[s][k] / 2 - 50) / 20;
      mean += z, square += z * z, fourth += z * z * z * z;
      if (s > 40) next += z * (i[s - 5][k] / 2 - 50) / 20;
      if (k > 0) neighbour += z * (i[s][k - 1] / 2 - 50) / 20;
      if (k >= 32) half += z * (i[s][k - 32] / 2 - 50) / 20;  // the two numbers of a Box-Muller pair
    }
  const double all = 80.0 * n, sd = 1 / std::sqrt(all);
  EXPECT_NEAR(mean / all, 0, 4 * sd);
  EXPECT_NEAR(square / all, 1, 4 * sd * std::sqrt(2));
  EXPECT_NEAR(fourth / all, 3, 4 * sd * std::sqrt(96));
  for (const double product : {next, neighbour, half}) EXPECT_NEAR(product / all, 0, 4 * sd);
}

TEST(NoiseGenerator, ItsDeviationIsModulated) {
  constexpr std::uint32_t n = 4000;
  // Every step: variance std^2 + std_mod^2 sin(2 pi f t + phase), t the end of the step in which it is drawn; it arrives 1 ms, and acts a
  // step later.
  const auto i = currents({.std = 30, .dt = 0.1, .std_mod = 25, .frequency = 50, .phase = 90}, n, 220);
  double chi2 = 0;
  for (int s = 11; s < 211; ++s) {
    double square = 0;
    for (const double x : i[static_cast<std::size_t>(s)]) square += x * x;
    const double t = (s - 11 + 1) * 0.1, want = 900 + 625 * std::sin(2 * std::numbers::pi * 0.05 * t + std::numbers::pi / 2);
    chi2 += std::pow((square / n / want - 1) / std::sqrt(2.0 / n), 2);
  }
  EXPECT_NEAR(chi2, 200, 4 * std::sqrt(400));
}

TEST(InhomogeneousPoissonGenerator, HasItsRates) {
  constexpr std::uint32_t n = 5000;
  Network net({.dt = 0.1, .seed = 5});
  const auto p = net.create("iaf_psc_delta", n, kCounts);
  net.connect(InhomogeneousPoissonGenerator{.rate_times = {10, 20, 30}, .rate_values = {500, 0, 2000}, .stop = 35}, p, 1, 1);
  const auto& m = net.record(p, {"V_m"}, 0.1);
  net.simulate(50);
  const auto count = [&](double from, double to) {  // spikes that arrive at (from, to]
    double sum = 0;
    for (std::uint32_t i = 0; i < n; ++i)
      sum += std::round(m.at(static_cast<std::size_t>(std::lround(to * 10)) - 1, 0, i)) -
             std::round(m.at(static_cast<std::size_t>(std::lround(from * 10)) - 1, 0, i));
    return sum;
  };
  // NEST 3.10.0 with rate_times 10, 20 and delay 1 ms: the first spikes arrive at 11.0 ms, the last at 20.9 ms.
  EXPECT_EQ(count(0.1, 10.9), 0);
  EXPECT_GT(count(10.9, 11.0), 0);
  EXPECT_NEAR(count(10.9, 20.9), 5 * n, 4 * std::sqrt(5 * n));
  EXPECT_EQ(count(20.9, 30.9), 0);
  EXPECT_NEAR(count(30.9, 31.0), 0.2 * n, 4 * std::sqrt(0.2 * n));
  EXPECT_NEAR(count(30.9, 36.0), 2 * 5.1 * n, 4 * std::sqrt(2 * 5.1 * n));
  EXPECT_EQ(count(36.0, 50), 0);
}

// Everything that is drawn while time passes.
struct Driven {
  Network net;
  Population e;
  const SpikeRecord* spikes;
  const Multimeter* meter;
  Driven() : net({.seed = 2}), e(net.create("iaf_psc_exp", 777, {{"V_m", Value::normal(-60, 3)}})) {
    net.connect(e, e, Rule::fixed_indegree(20), {.weight = 30, .delay = 0.4});
    net.connect(NoiseGenerator{.mean = 300, .std = 400, .std_mod = 100, .frequency = 20}, e.slice(30, 700));
    net.connect(NoiseGenerator{.mean = 50, .std = 100, .dt = 0.3}, e);
    net.connect(InhomogeneousPoissonGenerator{{5, 20, 21}, {8000, 1000, 9000}}, e.slice(0, 500), 40);
    spikes = &net.record_spikes(e);
    meter = &net.record(e, {"V_m"}, 0.7);
  }
  bool same(const Driven& d) const {
    return spikes->step == d.spikes->step && spikes->neuron == d.spikes->neuron && meter->values == d.meter->values;
  }
};

TEST(Devices, ThreadsCutsAndCheckpointsChangeNoBit) {
  set_thread_count(1);
  Driven one;
  one.net.simulate(60);
  EXPECT_GT(one.spikes->size(), 777u);
  for (const int threads : {2, 7}) {
    set_thread_count(threads);
    Driven other, next;
    for (const double ms : {0.2, 19.9, 7.4}) other.net.simulate(ms);  // within intervals of the noise
    next.net.set_state(other.net.state(true), "memory");
    other.net.simulate(32.5), next.net.simulate(32.5);
    EXPECT_TRUE(one.same(other)) << threads << " threads";
    EXPECT_TRUE(one.same(next)) << threads << " threads, from a checkpoint";
  }
  set_thread_count(2);
}

TEST(Devices, RefuseWhatCannotBe) {
  Network net;
  const auto e = net.create("iaf_psc_exp", 5);
  const auto words = [&](const auto& device) -> std::string {
    try {
      net.connect(device, e);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      return error.what();
    }
    return "taken";
  };
  EXPECT_THAT(words(NoiseGenerator{.std = -1}), HasSubstr("a standard deviation is negative"));
  EXPECT_THAT(words(NoiseGenerator{.std = 1, .std_mod = 2}), HasSubstr("std_mod must be at most std"));
  EXPECT_THAT(words(NoiseGenerator{.std = 1, .dt = 0.25}), HasSubstr("not a multiple of the step"));
  EXPECT_THAT(words(NoiseGenerator{.mean = NAN}), HasSubstr("not a finite number"));
  EXPECT_THAT(words(NoiseGenerator{.std = INFINITY}), HasSubstr("not finite"));
  EXPECT_THAT(words(InhomogeneousPoissonGenerator{{10}, {-1}}), HasSubstr("a rate must be 0 or more"));
  EXPECT_THAT(words(InhomogeneousPoissonGenerator{{10, 5}, {1, 1}}), HasSubstr("ascending"));
  EXPECT_THAT(words(InhomogeneousPoissonGenerator{{0}, {1}}), HasSubstr("above 0"));
  EXPECT_THAT(words(InhomogeneousPoissonGenerator{{10}, {1, 1}}), HasSubstr("as many rates as times"));
}

}  // namespace
}  // namespace apical::brain
