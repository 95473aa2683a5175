// Pyramidal cells and astrocytes against their equations, integrated on their own, and against NEST.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "apical/brain/network.h"

namespace apical::brain {
namespace {

constexpr double kDt = 0.1;

// Naud and Sprekeler's equations with their parameters, by the explicit midpoint rule: 256 parts a step.
struct Pyramidal {
  double V = -70, V_d = -70, w_s = 0, w_d = 0, I[4] = {};  // I: somatic excitatory, inhibitory, apical the same
  int since = 1 << 20;                                     // steps since the last spike

  bool step(double I_s, double I_d, const double (&arrives)[4]) {
    const double part = kDt / 256, K = since >= 5 && since < 25;
    const auto slopes = [&](const double* y, double* f) {
      const double open = 1 / (1 + std::exp(-(y[1] + 38) / 6));
      f[0] = -(y[0] + 70) / 16 + (1300 * open + y[2] + y[4] + y[5] + I_s) / 370;
      f[1] = -(y[1] + 70) / 7 + (1200 * open + 2600 * K + y[3] + y[6] + y[7] + I_d) / 170;
      f[2] = -y[2] / 100;
      f[3] = (-13 * (y[1] + 70) - y[3]) / 30;
      for (int k = 0; k < 4; ++k) f[4 + k] = -y[4 + k] / (k % 2 ? 10 : 5);
    };
    double y[8] = {V, V_d, w_s, w_d, I[0], I[1], I[2], I[3]}, f[8], middle[8];
    for (int i = 0; i < 256; ++i) {
      slopes(y, f);
      for (int x = 0; x < 8; ++x) middle[x] = y[x] + part / 2 * f[x];
      slopes(middle, f);
      for (int x = 0; x < 8; ++x) y[x] += part * f[x];
    }
    V = since < 30 ? -70 : y[0], V_d = y[1], w_s = y[2], w_d = y[3];
    for (int k = 0; k < 4; ++k) I[k] = y[4 + k] + arrives[k];
    ++since;
    if (V < -50) return false;
    V = -70, w_s -= 200, since = 0;
    return true;
  }
};

TEST(PyramidalCell, FollowsItsEquations) {
  Network net({.dt = kDt, .double_precision = true});
  const auto soma = net.create("pyramidal_ns_2018", 1), apical = net.receptor(soma, "apical");
  constexpr int steps = 6000, delay = 7;
  const double weights[4] = {310, -160, 240, -120};
  std::vector<std::vector<double>> arrives(steps + delay, std::vector<double>(4));
  Random random(3, "cells");
  for (int port = 0; port < 4; ++port) {
    SpikeGenerator train;
    for (int s = 10; s < steps; ++s)
      if (random.uniform() < (port % 2 ? 0.006f : 0.012f)) {
        train.times.push_back(s * kDt);
        arrives[static_cast<std::size_t>(s + delay - 1)][static_cast<std::size_t>(port)] += weights[port];
      }
    net.connect(train, port < 2 ? soma : apical, weights[port], delay * kDt);
  }
  net.connect(DcGenerator{.amplitude = 400, .start = 100, .stop = 500}, soma, 1, 1);
  net.connect(DcGenerator{.amplitude = 150, .start = 200, .stop = 400}, apical, 2, 1);
  const auto& meter = net.record(soma, {"V_m", "V_d", "w_s", "w_d", "I_syn_ex", "I_syn_in", "I_apical_ex", "I_apical_in"}, kDt);
  const auto& spikes = net.record_spikes(soma);
  net.simulate(steps * kDt);
  Pyramidal cell;
  std::vector<std::uint32_t> fired;
  double worst[2] = {}, calcium = -70;
  for (std::size_t i = 0; i < steps; ++i) {
    const double at[4] = {arrives[i][0], arrives[i][1], arrives[i][2], arrives[i][3]};
    if (cell.step(i >= 1010 && i < 5010 ? 400 : 0, i >= 2010 && i < 4010 ? 300 : 0, at)) fired.push_back(static_cast<std::uint32_t>(i + 1));
    const double want[8] = {cell.V, cell.V_d, cell.w_s, cell.w_d, cell.I[0], cell.I[1], cell.I[2], cell.I[3]};
    for (std::size_t v = 0; v < 8; ++v) worst[v > 1] = std::max(worst[v > 1], std::fabs(meter.at(i, v, 0) - want[v]));
    calcium = std::max(calcium, cell.V_d);
  }
  EXPECT_EQ(spikes.step, fired);
  EXPECT_GE(fired.size(), 8u);
  EXPECT_GT(calcium, -10) << "the dendrite has spiked";
  EXPECT_LT(worst[0], 2e-5) << "mV";
  EXPECT_LT(worst[1], 1e-5) << "pA";
}

std::vector<double> intervals(const SpikeRecord& spikes) {
  std::map<std::uint32_t, double> last;
  std::vector<double> all;
  for (std::size_t i = 0; i < spikes.size(); ++i) {
    const auto found = last.find(spikes.neuron[i]);
    if (found != last.end()) all.push_back(spikes.time(i) - found->second);
    last[spikes.neuron[i]] = spikes.time(i);
  }
  return all;
}

TEST(PyramidalCell, BurstsWhenBothInputsCoincide) {
  for (const bool somatic : {false, true})
    for (const bool apical : {false, true}) {
      Network net({.dt = kDt});
      const auto cell = net.create("pyramidal_ns_2018", 1);
      if (somatic) net.connect(DcGenerator{.amplitude = 550, .start = 50, .stop = 350}, cell);
      if (apical) net.connect(DcGenerator{.amplitude = 350, .start = 50, .stop = 350}, net.receptor(cell, "apical"));
      const auto& spikes = net.record_spikes(cell);
      net.simulate(400);
      const auto between = intervals(spikes);
      if (!somatic) {
        EXPECT_EQ(spikes.size(), 0u) << "apical input alone, or none";
      } else if (!apical) {
        ASSERT_GE(between.size(), 2u);
        EXPECT_GT(*std::min_element(between.begin(), between.end()), 50) << "single spikes";
      } else {
        ASSERT_GE(between.size(), 4u);
        EXPECT_LT(*std::max_element(between.begin(), between.begin() + 4), 16) << "a burst";
      }
    }
}

// Share of intervals within a burst (16 ms), in the noise of Poisson input to both compartments.
double burst_share(double apical_current, double& rate) {
  Network net({.dt = kDt, .seed = 11});
  const auto cells = net.create("pyramidal_ns_2018", 100), apical = net.receptor(cells, "apical");
  net.connect(PoissonGenerator{.rate = 2000}, cells, 60);
  net.connect(PoissonGenerator{.rate = 500}, cells, -40);
  net.connect(PoissonGenerator{.rate = 2000}, apical, 15);
  net.connect(PoissonGenerator{.rate = 1000}, apical, -20);
  net.connect(DcGenerator{.amplitude = apical_current}, apical);
  const auto& spikes = net.record_spikes(cells);
  net.simulate(2000);
  const auto between = intervals(spikes);
  rate = static_cast<double>(spikes.size()) / 200;
  return static_cast<double>(std::count_if(between.begin(), between.end(), [](double t) { return t < 16; })) /
         static_cast<double>(between.size());
}

TEST(PyramidalCell, ApicalInputTurnsSpikesIntoBurstsInNoise) {
  double rate = 0, driven_rate = 0;
  const double bursts = burst_share(0, rate), driven = burst_share(250, driven_rate);
  EXPECT_GT(rate, 1);
  EXPECT_LT(bursts, 0.15);
  EXPECT_GT(driven, 0.4);
}

struct CellNetwork {
  Network net;
  const SpikeRecord* spikes;
  const Multimeter *meter, *rate_meter;
  Projection learns;

  CellNetwork() : net({.dt = kDt, .seed = 5}) {
    const auto e = net.create("pyramidal_ns_2018", 150, {{"V_m", Value::normal(-65, 5)}}), i = net.create("iaf_psc_exp", 70);
    const auto astrocytes = net.create("astrocyte_lr_1994", 20, {{"delta_IP3", 0.01}, {"SIC_th", 0.07}});
    net.connect(e, e, Rule::fixed_indegree(15), {.weight = Value::uniform(5, 30), .delay = Value::uniform(1, 3)});
    learns = net.connect(e, e, Rule::fixed_indegree(15),
                         {.weight = Value::uniform(5, 30), .delay = Value::uniform(1, 3), .model = "stdp_synapse", .receptor = "apical"});
    net.connect(i, e, Rule::pairwise_bernoulli(0.2), {.weight = -30, .delay = 1.2, .model = "tsodyks2_synapse", .receptor = "apical"});
    net.connect(e, i, Rule::fixed_indegree(20), {.weight = 30});
    net.connect(e, astrocytes, Rule::fixed_indegree(10), {.weight = 0.5});
    net.connect(astrocytes, e, Rule::fixed_indegree(2), {.weight = 40, .delay = Value::uniform(1, 3), .model = "sic_connection"});
    const auto rates = net.create("tanh_rate_ipn", 90, {{"g", 1.5}});
    net.connect(rates, rates, Rule::fixed_indegree(9),
                {.weight = Value::normal(0, 0.5), .delay = Value::uniform(1, 4), .model = "rate_connection_delayed"});
    net.connect(PoissonGenerator{.rate = 3000}, e, 60);
    net.connect(PoissonGenerator{.rate = 2000}, net.receptor(e.slice(30, 60), "apical"), 30);
    net.connect(DcGenerator{.amplitude = 100}, net.receptor(e.slice(10, 90), "apical"));
    spikes = &net.record_spikes(e), meter = &net.record(astrocytes, {"IP3", "Ca_astro"}, 10), rate_meter = &net.record(rates, {"rate"}, 10);
  }
};

TEST(Cells, AreTheSameForAnyNumberOfThreadsAndGoOnWhereTheyWereSaved) {
  set_thread_count(1);
  CellNetwork one;
  one.net.simulate(300);
  EXPECT_GT(one.spikes->size(), 300u);
  const auto want = one.net.state();
  for (const int threads : {2, 7}) {
    set_thread_count(threads);
    CellNetwork other;
    other.net.simulate(300);
    EXPECT_EQ(other.net.state(), want) << threads << " threads";
    EXPECT_EQ(other.meter->values, one.meter->values);
    EXPECT_EQ(other.rate_meter->values, one.rate_meter->values);
  }
  CellNetwork first;
  first.net.simulate(137.3);
  const auto saved = first.net.state();
  set_thread_count(3);
  CellNetwork second;
  second.net.set_state(saved, "saved");
  second.net.simulate(300 - 137.3);
  EXPECT_EQ(second.net.state(), want);
  const SynapseTable t = second.net.synapses(second.learns);
  EXPECT_EQ(t.weight.size(), 150u * 15u);
  EXPECT_LT(*std::max_element(t.target.begin(), t.target.end()), 150u) << "targets are neurons, not places of their ports";
  set_thread_count(2);
}

TEST(Cells, SayWhatReceptorsThereAre) {
  Network net;
  const auto e = net.create("pyramidal_ns_2018", 2), i = net.create("iaf_psc_exp", 2);
  try {
    net.connect(e, e, Rule::all_to_all(), {.receptor = "apcal"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "pyramidal_ns_2018 has no receptor 'apcal'");
    EXPECT_NE(error.hint().find("apical"), std::string::npos);
  }
  EXPECT_THROW(net.receptor(i, "apical"), Error);
  try {
    net.connect(PoissonGenerator{.rate = 10}, net.create("lin_rate_ipn", 1));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "lin_rate_ipn takes rates, not spikes");
  }
  EXPECT_THROW(net.create("pyramidal_ns_2018", 1, {{"bap_delay", 0.55}}), Error);
  EXPECT_THROW(net.create("pyramidal_ns_2018", 1, {{"V_reset", -50.0}}), Error);
  EXPECT_THROW(net.create("astrocyte_lr_1994", 1, {{"h_IP3R", 1.5}}), Error);
  EXPECT_THROW(net.create("astrocyte_lr_1994", 1, {{"Ca_tot", 0.0}}), Error);
  EXPECT_THROW(net.connect(e, i, Rule::all_to_all(), {.model = "sic_connection"}), Error);
}

TEST(Astrocyte, IsNests) {
  std::ifstream in(APICAL_SOURCE_DIR "/tests/golden/nest/astrocyte.json");
  const auto golden = nlohmann::json::parse(in);
  EXPECT_EQ(golden.at("nest"), "3.10.0");
  ASSERT_EQ(golden.at("runs").size(), 2u);
  for (const auto& run : golden.at("runs")) {
    Parameters p;
    for (const char* part : {"parameters", "initial"})
      for (const auto& [name, value] : run.at(part).items()) p.insert_or_assign(name, value.get<double>());
    Network net({.dt = golden.at("dt_ms"), .double_precision = true});
    const auto n = net.create("astrocyte_lr_1994", 1, p);
    const auto &spikes = run.at("spikes"), &current = run.at("current");
    net.connect(SpikeGenerator{spikes.at("times_ms").get<std::vector<double>>()}, n, spikes.at("weight"), spikes.at("delay_ms"));
    net.connect(DcGenerator{.amplitude = current.at("amplitude"), .start = current.at("start_ms"), .stop = current.at("stop_ms")}, n, 1,
                current.at("delay_ms"));
    const std::vector<double> times = run.at("times_ms");
    const std::vector<std::string> names{"Ca_astro", "IP3", "h_IP3R"};
    const auto& meter = net.record(n, names, times[0]);
    const auto& never = net.record_spikes(n);
    // The neuron's SIC is what has arrived at its time, and acts from then on.
    const double weight = run.at("sic").at("weight"), delay = run.at("sic").at("delay_ms");
    const auto neuron = net.create("aeif_cond_exp", 1);
    net.connect(n, neuron, Rule::one_to_one(), {.weight = weight, .delay = delay, .model = "sic_connection"});
    const auto &sic = net.record(n, {"SIC"}, kDt), &membrane = net.record(neuron, {"V_m"}, times[0]);
    net.simulate(times.back());
    const std::vector<double> I_SIC = run.at("I_SIC"), V_m = run.at("V_m");
    const auto shift = static_cast<std::size_t>(std::lround(delay / kDt));
    std::size_t first = 0;
    while (sic.at(first, 0, 0) == 0) ++first;
    EXPECT_EQ(std::lround(run.at("first_sic_ms").get<double>() / kDt), static_cast<long>(first + shift + 1));
    const double highest = *std::max_element(V_m.begin(), V_m.end());
    EXPECT_GT(highest, -70.5);
    for (std::size_t i = 0; i < times.size(); ++i) {
      const auto at = static_cast<std::size_t>(std::lround(times[i] / kDt)) - 1;
      EXPECT_NEAR(weight * sic.at(at - shift, 0, 0), I_SIC[i],
                  1e-4 * (I_SIC[i] + weight * run.at("parameters").at("SIC_scale").get<double>()))
          << times[i];
      EXPECT_NEAR(membrane.at(i, 0, 0), V_m[i], 1e-4 * (highest + 70.6)) << times[i];
    }
    ASSERT_EQ(meter.samples(), times.size());
    EXPECT_EQ(never.size(), 0u);
    for (std::size_t v = 0; v < names.size(); ++v) {
      const std::vector<double> want = run.at(names[v]);
      EXPECT_GT(*std::max_element(want.begin(), want.end()), 1.3 * *std::min_element(want.begin(), want.end())) << names[v];
      for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(meter.at(i, v, 0), want[i], 1e-4 * want[i]) << names[v] << " " << times[i];
    }
  }
}

TEST(RateUnits, AreNests) {
  std::ifstream in(APICAL_SOURCE_DIR "/tests/golden/nest/rates.json");
  const auto golden = nlohmann::json::parse(in);
  EXPECT_EQ(golden.at("nest"), "3.10.0");
  ASSERT_EQ(golden.at("runs").size(), 2u);
  for (const auto& run : golden.at("runs")) {
    const std::string model = run.at("model");
    Network net({.dt = golden.at("dt_ms"), .double_precision = true});
    std::vector<Population> units;
    for (const auto& of_one : run.at("parameters")) {
      Parameters p;
      for (const auto& [name, value] : of_one.items()) p.insert_or_assign(name, value.get<double>());
      units.push_back(net.create(model, 1, p));
    }
    for (const auto& c : run.at("connections"))
      net.connect(units[c[0].get<std::size_t>()], units[c[1].get<std::size_t>()], Rule::one_to_one(),
                  {.weight = c[2].get<double>(), .delay = c[3].get<double>(), .model = "rate_connection_delayed"});
    const std::vector<double> times = run.at("times_ms");
    std::vector<const Multimeter*> meters;
    for (const auto& unit : units) meters.push_back(&net.record(unit, {"rate"}, times[0]));
    net.simulate(times.back());
    for (std::size_t u = 0; u < units.size(); ++u) {
      const std::vector<double> want = run.at("rate")[u];
      for (std::size_t i = 0; i < want.size(); ++i)
        EXPECT_NEAR(meters[u]->at(i, 0, 0), want[i], 1e-12) << model << " unit " << u << " at " << times[i];
    }
  }
}

TEST(RateUnits, HaveTheNoiseTheySay) {
  Network net({.dt = 1.0, .seed = 4});
  const auto units = net.create("lin_rate_ipn", 2000, {{"sigma", 3.0}, {"lambda", 0.5}, {"mu", 2.0}});
  const auto& meter = net.record(units, {"rate"}, 50);
  net.simulate(400);
  double sum = 0, square = 0, count = 0;
  for (std::size_t sample = 4; sample < 8; ++sample)
    for (std::size_t i = 0; i < 2000; ++i, ++count)
      sum += meter.at(sample, 0, i), square += meter.at(sample, 0, i) * meter.at(sample, 0, i);
  const double mean = sum / count, variance = square / count - mean * mean, want = 3.0 * 3.0 / (2 * 0.5);
  EXPECT_NEAR(mean, 2.0 / 0.5, 5 * std::sqrt(want / count));
  EXPECT_NEAR(variance, want, 5 * want * std::sqrt(2 / count));
  EXPECT_THROW(net.connect(PoissonGenerator{.rate = 10}, units), Error);
  EXPECT_THROW(net.connect(units, units, Rule::one_to_one()), Error);
}

}  // namespace
}  // namespace apical::brain
