#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "apical/base/philox.h"
#include "apical/kernels/circuit/aeif.h"
#include "apical/kernels/circuit/astrocyte.h"
#include "apical/kernels/circuit/deliver.h"
#include "apical/kernels/circuit/draws.h"
#include "apical/kernels/circuit/gif.h"
#include "apical/kernels/circuit/hh.h"
#include "apical/kernels/circuit/iaf.h"
#include "apical/kernels/circuit/pyramidal.h"
#include "apical/kernels/circuit/rate.h"
#include "apical/kernels/simd.h"

namespace apical::kernels {
namespace {

// Runs `make` at the plain reference and at every other level: the same bytes must come out.
template <class Make>
void same_at_every_level(Make make) {
  set_simd_level("scalar");
  const auto want = make();
  for (const auto& level : simd_levels()) {
    set_simd_level(level);
    const auto got = make();
    ASSERT_EQ(got.size(), want.size());
    EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof want[0]), 0) << level;
  }
  set_simd_level("");
}

template <class Model>
Model model(int ports);
template <>
IafPscDelta model(int ports) {
  return {
      .refractory_input = ports == 2, .P33 = 0.99, .P30 = 0.0004, .I_e = 300, .theta = 15, .v_reset = -1, .v_min = -4, .refractory = 20};
}
template <>
IafPscExp model(int ports) {
  return {.ports = ports,
          .P22 = 0.99,
          .P20 = 0.0004,
          .P11 = {0.95, 0.9},
          .P21 = {0.0003, 0.0002},
          .I_e = 200,
          .theta = 15,
          .v_reset = -1,
          .refractory = 20};
}
template <>
IfCurrExp model(int ports) {
  return {model<IafPscExp>(ports), {0.0002, 0.0001}};
}
template <>
IafPscAlpha model(int ports) {
  return {.ports = ports,
          .P33m = -0.01,
          .P30 = 0.0004,
          .P11 = {0.95, 0.9},
          .P21 = {0.095, 0.09},
          .P31 = {0.00002, 0.00001},
          .P32 = {0.0003, 0.0002},
          .psc = {1.36, 0.7},
          .I_e = 200,
          .theta = 15,
          .v_reset = -1,
          .v_min = -4,
          .refractory = 20};
}

template <>
IafCond model(int ports) {
  return {.alpha = ports == 2,
          .leak = 0.006,
          .per_C = 0.0004,
          .G0 = {0.0003, 0.00035},
          .G1 = {-0.000015, -0.00001},
          .D0 = {0.00002, 0.000015},
          .D1 = {0.000001, 0.000002},
          .P11 = {0.9, 0.95},
          .P21 = {0.09, 0.095},
          .psc = {1, -1},
          .E = {70, -15},
          .I_e = 200,
          .theta = 15,
          .v_reset = -1,
          .refractory = 20};
}
template <>
HhCondExpTraub model(int) {
  HhCondExpTraub m{.block = {{1, 0.1, {}}, {1, 0.1, {}}, {2, 0.05, {}}, {5, 0.02, {}}},
                   .P11 = {0.98, 0.99},
                   .per_C = 0.005,
                   .g_L = 10,
                   .g_Na = 20000,
                   .g_K = 6000,
                   .E_L = -60,
                   .E_Na = 50,
                   .E_K = -90,
                   .E = {0, -80},
                   .I_e = 20,
                   .V_T = -63,
                   .refractory = 20};
  for (HhBlock& b : m.block)
    for (auto& port : b.left)
      for (double& f : port) f = 0.98;
  return m;
}

template <>
AeifCondExp model(int ports) {
  return {.parts = ports,
          .dt = 0.1,
          .P11 = {0.98, 0.99},
          .per_tau_syn = {0.2, 0.1},
          .per_C = 0.004,
          .g_L = 30,
          .E_L = -70,
          .E = {0, -85},
          .Delta_T = 2,
          .V_th = -50,
          .V_peak = 0,
          .V_reset = -60,
          .a = 4,
          .b = 10,
          .per_tau_w = 0.01,
          .I_e = 600,
          .refractory = 20};
}
template <>
GifPscExp model(int ports) {
  return {.stc = ports,
          .sfa = 3 - ports,
          .P33 = 0.99,
          .P30 = 0.0004,
          .P11 = {0.95, 0.9},
          .P21 = {0.0003, 0.0002},
          .P_stc = {0.9, 0.99},
          .q_stc = {10, 4},
          .P_sfa = {0.95, 0.995},
          .q_sfa = {2, 1},
          .I_e = 200,
          .threshold = 10,
          .v_reset = -1,
          .per_Delta_V = 0.5,
          .lambda_h = 0.1,
          .refractory = 20};
}
template <>
PyramidalNs2018 model(int ports) {
  return {.parts = ports,
          .part = 0.1 / ports,
          .half = {0.999, 0.99, 0.95, 0.98, 0.95},
          .whole = {0.998, 0.98, 0.9, 0.96, 0.9},
          .per_C = 0.0027,
          .per_tau_m = 0.0625,
          .g_s = 1300,
          .per_C_d = 0.006,
          .per_tau_d = 0.14,
          .g_d = 1200,
          .c_d = 2600,
          .E_L = -70,
          .E_d = -38,
          .per_D = 0.17,
          .a_d = -13,
          .per_tau_w = 0.03,
          .b_s = -200,
          .I_e = 500,
          .I_d = 200,
          .theta = -50,
          .v_reset = -70,
          .refractory = 20,
          .bap_ends = 25,
          .bap_steps = 20};
}
template <>
AstrocyteLr1994 model(int) {
  return {.dt = 0.1,
          .IP3_0 = 0.16,
          .per_tau_IP3 = 0.00014,
          .delta_IP3 = 0.0002,
          .Ca_tot = 2,
          .ratio = 0.185,
          .rate_IP3R = 0.006,
          .rate_L = 0.00011,
          .rate_SERCA = 0.0009,
          .Kd_IP3_1 = 0.13,
          .Kd_IP3_2 = 0.9434,
          .Kd_act = 0.08234,
          .Kd_inh = 1.049,
          .Km_SERCA = 0.1,
          .k_IP3R = 0.0002,
          .SIC_scale = 1,
          .SIC_th = 0.19669};
}
template <>
RateIpn model(int ports) {
  return {.tanh = ports == 2,
          .rectify = ports == 2,
          .P1 = 0.99,
          .P2 = 0.01,
          .noise = 0.1,
          .sigma = 2,
          .mu = 0.3,
          .g = 0.01,
          .theta = 3,
          .rectify_rate = -0.5};
}
template <>
Izhikevich model(int ports) {
  return {.consistent = ports == 1,
          .dt = 0.1,
          .a = 0.02,
          .b = 0.2,
          .d = 2,
          .I_e = 20,
          .theta = 30,
          .v_reset = -1,
          .v_min = -80,
          .refractory = 20};
}

// State, waking step and spikes of 128 neurons after every one of 400 steps of random input.
template <class Model, class Row>
std::vector<double> course(int ports, bool with_current) {
  constexpr std::size_t n = 128;
  const auto m = model<Model>(ports);
  constexpr std::size_t kStates = 13;  // the most that a built-in model has
  constexpr bool traub = std::is_same_v<Model, HhCondExpTraub>, aeif = std::is_same_v<Model, AeifCondExp>,
                 gif = std::is_same_v<Model, GifPscExp>, conductances = traub || aeif || std::is_same_v<Model, IafCond>,
                 pyramidal = std::is_same_v<Model, PyramidalNs2018>, astrocyte = std::is_same_v<Model, AstrocyteLr1994>,
                 silent = astrocyte || std::is_same_v<Model, RateIpn>;
  std::vector<double> states(kStates * n), current(n), uniform(n), all;
  std::vector<std::int32_t> wakes(n);
  std::vector<Row> in(4 * n);
  std::uint64_t spikes[n / 64];
  Random random(1, "course");
  for (double& v : states) v = conductances || astrocyte ? random.uniform(0, 1) : random.uniform(-3, 3);
  for (std::size_t i = 0; (traub || aeif) && i < n; ++i) states[i] -= 60;
  for (std::size_t i = 0; pyramidal && i < 2 * n; ++i) states[i] -= 70;
  std::size_t fired = 0;
  for (int t = 0; t < 400; ++t) {
    for (std::size_t i = 0; i < n; ++i) {
      current[i] = astrocyte ? random.uniform(-0.001f, 0.001f) : random.uniform(-100, 500), uniform[i] = random.uniform(1e-9f, 1);
      for (int k = 0; k < (pyramidal ? 4 : conductances || gif ? 2 : astrocyte ? 1 : ports); ++k)
        in[i + static_cast<std::size_t>(k) * n] = conductances          ? random.uniform(k ? -3 : 0, k ? 0 : 9)
                                                  : Model::kStates == 2 ? random.uniform(-1, 1.5)
                                                                        : random.uniform(k % 2 ? -50 : -20, k % 2 ? 0 : 90);
    }
    NeuronArrays<Row> a{.n = n,
                        .step = t,
                        .state = {},
                        .wakes = wakes.data(),
                        .in = {in.data(), in.data() + n, in.data() + 2 * n, in.data() + 3 * n},
                        .current = with_current ? current.data() : nullptr,
                        .apical = with_current ? current.data() : nullptr,
                        .uniform = uniform.data(),
                        .spikes = spikes};
    for (std::size_t k = 0; k < kStates; ++k) a.state[k] = states.data() + k * n;
    EXPECT_TRUE(neuron_step(m, a));
    EXPECT_EQ(in[5], 0) << "what has arrived is gone";
    all.insert(all.end(), states.begin(), states.end());
    all.insert(all.end(), wakes.begin(), wakes.end());
    for (std::size_t i = 0; i < n; ++i) {
      const bool s = spikes[i / 64] >> (i % 64) & 1;
      all.push_back(s);
      fired += s;
      EXPECT_TRUE(!s || wakes[i] == t + 21);
      if constexpr (!traub && !aeif && !gif && !silent) {
        EXPECT_TRUE(!s || states[i] == m.v_reset);
      }
    }
  }
  EXPECT_TRUE(silent ? fired == 0 : fired > n) << fired;
  return all;
}

TEST(Neurons, SameBitsAtEveryLevel) {
  for (const bool current : {false, true}) {
    for (const int ports : {1, 2}) {
      same_at_every_level([&] { return course<IafPscDelta, float>(ports, current); });
      same_at_every_level([&] { return course<IafPscDelta, double>(ports, current); });
      same_at_every_level([&] { return course<IafPscExp, float>(ports, current); });
      same_at_every_level([&] { return course<IafPscExp, double>(ports, current); });
      same_at_every_level([&] { return course<IfCurrExp, float>(ports, current); });
      same_at_every_level([&] { return course<IfCurrExp, double>(ports, current); });
      same_at_every_level([&] { return course<IafPscAlpha, float>(ports, current); });
      same_at_every_level([&] { return course<IafPscAlpha, double>(ports, current); });
      same_at_every_level([&] { return course<IafCond, float>(ports, current); });
      same_at_every_level([&] { return course<IafCond, double>(ports, current); });
      same_at_every_level([&] { return course<Izhikevich, float>(ports, current); });
      same_at_every_level([&] { return course<Izhikevich, double>(ports, current); });
      same_at_every_level([&] { return course<GifPscExp, float>(ports, current); });
      same_at_every_level([&] { return course<GifPscExp, double>(ports, current); });
      same_at_every_level([&] { return course<PyramidalNs2018, float>(ports, current); });
      same_at_every_level([&] { return course<PyramidalNs2018, double>(ports, current); });
      same_at_every_level([&] { return course<AstrocyteLr1994, float>(ports, current); });
      same_at_every_level([&] { return course<AstrocyteLr1994, double>(ports, current); });
      same_at_every_level([&] { return course<RateIpn, float>(ports, current); });
      same_at_every_level([&] { return course<RateIpn, double>(ports, current); });
      same_at_every_level([&] { return course<AeifCondExp, float>(ports, current); });
      same_at_every_level([&] { return course<AeifCondExp, double>(ports, current); });
      same_at_every_level([&] { return course<HhCondExpTraub, float>(ports, current); });
      same_at_every_level([&] { return course<HhCondExpTraub, double>(ports, current); });
    }
  }
}

TEST(Neurons, TellMembranesThatAreNoNumbers) {
  for (const auto& level : simd_levels()) {
    set_simd_level(level);
    for (const double wrong : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
      std::vector<double> v(64);
      std::vector<float> in(64);
      std::vector<std::int32_t> wakes(64);
      std::uint64_t spikes = 0;
      const NeuronArrays<float> a{.n = 64,
                                  .step = 0,
                                  .state = {v.data()},
                                  .wakes = wakes.data(),
                                  .in = {in.data()},
                                  .current = nullptr,
                                  .apical = nullptr,
                                  .uniform = nullptr,
                                  .spikes = &spikes};
      EXPECT_TRUE(neuron_step(model<IafPscDelta>(1), a));
      in[37] = static_cast<float>(wrong);
      EXPECT_FALSE(neuron_step(model<IafPscDelta>(1), a)) << level;
    }
  }
  set_simd_level("");
}

TEST(Draws, QuantilesAreThoseOfTheNormalDistribution) {
  for (const double p : {0x1p-33, 1e-6, 0.01, 0.074, 0.0751, 0.3, 0.5, 0.81, 0.999, 1 - 0x1p-33})
    EXPECT_NEAR(0.5 * std::erfc(-normal_quantile(p) / std::sqrt(2.0)) / p, 1, 1e-13) << p;
  EXPECT_EQ(normal_quantile(0.5), 0);
}

TEST(Draws, WordsAreThoseOfPhiloxAtEveryLevel) {
  same_at_every_level([] {
    std::vector<std::uint32_t> words(3 * 64);
    random_words(0x123456789abcdefull, 0xfedcba9876543210ull, 77, 5, 3, words.data());
    return words;
  });
  std::uint32_t words[64];
  random_words(9, 8, 7, 6, 1, words);
  EXPECT_EQ(words[2 * 16 + 3], Random(9, std::uint64_t{8}).block_at(std::uint64_t{7} << 32 | (6 * 16 + 3))[2]);
}

TEST(Draws, PoissonCountsFollowTheDistribution) {
  for (const double mean : {0.03, 1.3, 17.0, 2000.0}) {
    const PoissonTable table(mean);
    same_at_every_level([&] {
      std::vector<float> to(128, 3);
      add_poisson(table, 1, 2, 3, 64, 128, -0.5f, to.data());
      return to;
    });
    constexpr std::size_t n = 6400, steps = 50;
    double sum = 0, square = 0;
    std::vector<double> histogram(60);
    for (std::uint32_t t = 0; t < steps; ++t) {
      std::vector<double> count(n);
      add_poisson(table, 4, 5, t, 0, n, 1.0, count.data());
      for (const double c : count) {
        sum += c, square += (c - mean) * (c - mean);
        if (c < 60) ++histogram[static_cast<std::size_t>(c)];
      }
    }
    const double N = n * steps;
    EXPECT_NEAR(sum / N, mean, 5 * std::sqrt(mean / N)) << mean;
    EXPECT_NEAR(square / N, mean, 5 * std::sqrt((mean + 2 * mean * mean) / N)) << mean;
    if (mean > 20) continue;
    double chi2 = 0;
    int cells = 0;
    for (int k = 0; k < 60; ++k) {
      const double expected = N * std::exp(k * std::log(mean) - mean - std::lgamma(k + 1.0));
      if (expected < 10) continue;
      chi2 += (histogram[static_cast<std::size_t>(k)] - expected) * (histogram[static_cast<std::size_t>(k)] - expected) / expected;
      ++cells;
    }
    EXPECT_LT(chi2, cells + 5 * std::sqrt(2.0 * cells)) << mean;
  }
}

TEST(Deliver, TakesOnePieceAStepInOrder) {
  constexpr int shift = 4;
  const auto at = [](std::uint32_t delay, std::uint32_t place) { return delay << shift | place; };
  const std::vector<Synapse<float>> list{{1, at(2, 0)}, {2, at(2, 15)}, {4, at(2, 0)}, {8, at(5, 3)}, {0, kListEnd}};
  std::vector<SpikeInFlight<float>> spikes{{list.data(), list[0].at}};
  std::vector<std::vector<float>> rows(7, std::vector<float>(16));
  for (std::uint32_t d = 1; d < 7; ++d) deliver(spikes.data(), spikes.size(), d, shift, rows[d].data());
  EXPECT_EQ(rows[2][0], 5);
  EXPECT_EQ(rows[2][15], 2);
  EXPECT_EQ(rows[5][3], 8);
  float sum = 0;
  for (const auto& row : rows)
    for (const float v : row) sum += v;
  EXPECT_EQ(sum, 15);
  EXPECT_EQ(spikes[0].at, kListEnd);
}

TEST(Deliver, WholeListsGiveTheSameSumsInARing) {
  constexpr int shift = 5;
  constexpr std::uint32_t slots = 8, step = 6, longest = 7, lists = 5;
  Random random(3, "lists");
  std::vector<Synapse<float>> synapses;
  std::vector<FreshSpike<float>> fresh;
  std::vector<SpikeInFlight<float>> flight;
  synapses.reserve(1000);
  for (std::uint32_t k = 0; k < lists; ++k) {  // of 0, 7, ... synapses
    const std::size_t first = synapses.size();
    for (std::uint32_t delay = 1; delay <= longest; ++delay)
      for (std::uint32_t n = 0; n < k; ++n) synapses.push_back({random.normal(), delay << shift | random.below(32)});
    fresh.push_back({synapses.data() + first, synapses.size() - first});
    synapses.push_back({0, kListEnd});
    flight.push_back({synapses.data() + first, synapses[first].at});
  }
  synapses.resize(synapses.size() + kListMargin);
  std::vector<float> ring(slots << shift);
  for (std::size_t i = 0; i < ring.size(); ++i) ring[i] = random.normal();
  auto want = ring;
  for (std::uint32_t delay = 1; delay <= longest; ++delay)
    deliver(flight.data(), flight.size(), delay, shift, want.data() + ((step + delay) % slots << shift));
  deliver_whole(fresh.data(), fresh.size(), step << shift, (slots << shift) - 1, ring.data());
  EXPECT_EQ(ring, want);
}

TEST(Deliver, BlocksGiveTheSameSumsInARing) {
  constexpr int shift = 6;
  constexpr std::uint32_t slots = 4, step = 3, mask = (slots << shift) - 1, nobodys = 50;  // places of a row from here on
  Random random(4, "blocks");
  std::vector<std::vector<Synapse<float>>> lists;
  std::vector<FreshSpike<float>> fresh;
  std::vector<Block<float>> blocks;
  std::vector<std::uint16_t> places;
  for (const std::uint32_t n : {0, 1, 7, 8, 9, 40}) {
    const float weight = random.normal();
    auto& list = lists.emplace_back();
    for (std::uint32_t k = 0; k < n; ++k) list.push_back({weight, (1 + random.below(slots)) << shift | random.below(nobodys)});
    fresh.push_back({list.data(), n});
    for (std::uint32_t k = 0; k < (n + kBlock - 1) / kBlock * kBlock; ++k) {
      if (k % kBlock == 0) blocks.push_back({static_cast<std::uint32_t>(places.size() / kBlock), weight});
      places.push_back(static_cast<std::uint16_t>(k < n ? list[k].at : nobodys + k % kBlock));
    }
  }
  std::vector<float> ring(slots << shift);
  for (float& v : ring) v = random.normal();
  auto want = ring;
  deliver_whole(fresh.data(), fresh.size(), step << shift, mask, want.data());
  deliver_blocks(blocks.data(), blocks.size(), places.data(), step << shift, mask, ring.data());
  for (std::size_t row = 0; row < ring.size(); row += std::size_t{1} << shift)
    for (std::size_t i = row; i < row + nobodys; ++i) EXPECT_EQ(ring[i], want[i]) << i;
}

}  // namespace
}  // namespace apical::kernels
