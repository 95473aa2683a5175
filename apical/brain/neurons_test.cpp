// Single neurons against solutions of their equations, and against NEST.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>

#include "apical/brain/network.h"

namespace apical::brain {
namespace {

constexpr double kDt = 0.1;

void expect_close(double got, double want, double from, const std::string& what) {
  EXPECT_LE(std::fabs(got - want), 1e-9 * std::max(std::fabs(want - from), 1e-3)) << what << ": " << got << " for " << want;
}

// V - E_L at the end of each step.
std::vector<double> trace(Network& net, const Multimeter& m, double ms, double E_L) {
  net.simulate(ms);
  std::vector<double> v;
  for (std::size_t i = 0; i < m.samples(); ++i) v.push_back(m.at(i, 0, 0) - E_L);
  return v;
}

TEST(Neurons, FollowAConstantCurrentExactly) {
  for (const char* model : {"iaf_psc_delta", "iaf_psc_exp", "iaf_psc_alpha"}) {
    Network net({.dt = kDt, .double_precision = true});
    const auto n = net.create(model, 1, {{"V_th", 1e6}, {"I_e", 123.0}, {"tau_m", 13.0}, {"C_m", 210.0}, {"E_L", -61.0}});
    net.connect(DcGenerator{.amplitude = 50, .start = 20, .stop = 1000}, n, 1.5, 1);
    const auto& m = net.record(n, {"V_m"}, kDt);
    const auto v = trace(net, m, 60, -61);
    ASSERT_EQ(v.size(), 600u);
    for (std::size_t i = 0; i < v.size(); ++i) {
      // Sent from 20 ms - dt on, arrives 1 ms later, acts from the next step on: from 21 ms on.
      const double t = static_cast<double>(i + 1) * kDt, since = std::max(0.0, t - 21.0);
      const double want = 13.0 / 210 * (123 * -std::expm1(-t / 13) + 75 * -std::expm1(-since / 13));
      expect_close(v[i], want, 0, std::string(model) + " at " + std::to_string(t));
    }
  }
}

// What one spike of weight w at time 0 does to V at t.
double response(const std::string& model, double t, double w, double tau, double tau_m, double C_m) {
  if (t < 0) return 0;
  if (model == "iaf_psc_delta") return w * std::exp(-t / tau_m);
  const double b = 1 / tau - 1 / tau_m;
  if (model == "iaf_psc_exp") {
    if (tau == tau_m) return w / C_m * t * std::exp(-t / tau);
    return w / (C_m * b) * (std::exp(-t / tau_m) - std::exp(-t / tau));
  }
  if (tau == tau_m) return w * std::numbers::e / (tau * C_m) * t * t / 2 * std::exp(-t / tau);
  return w * std::numbers::e / (tau * C_m * b) * ((std::exp(-t / tau_m) - std::exp(-t / tau)) / b - t * std::exp(-t / tau));
}

TEST(Neurons, FollowASpikeExactlyAndNotBeforeItsDelay) {
  for (const std::string model : {"iaf_psc_delta", "iaf_psc_exp", "iaf_psc_alpha"})
    for (const double tau_in : {2.0, 5.0, 10.0}) {  // one port; two; tau_syn = tau_m
      Network net({.dt = kDt, .double_precision = true});
      Parameters p{{"V_th", 1e6}, {"tau_m", 10.0}, {"C_m", 240.0}, {"V_m", -70.0}};
      if (model != "iaf_psc_delta") p.insert_or_assign("tau_syn_in", tau_in);
      const auto n = net.create(model, 1, p);
      net.connect(SpikeGenerator{{5.0}}, n, 31.7, 1.3);
      net.connect(SpikeGenerator{{12.0}}, n, -22.1, 0.1);
      const auto& m = net.record(n, {"V_m"}, kDt);
      const auto v = trace(net, m, 50, -70);
      for (std::size_t i = 0; i < v.size(); ++i) {
        const double t = static_cast<double>(i + 1) * kDt;
        const double want = response(model, t - 6.3 + 1e-12, 31.7, 2, 10, 240) +
                            response(model, t - 12.1 + 1e-12, -22.1, model == "iaf_psc_delta" ? 2 : tau_in, 10, 240);
        expect_close(v[i], want, 0, model + " at " + std::to_string(t));
      }
    }
}

TEST(Neurons, FireAndRestAsLongAsTheySay) {
  // tau_m/C_m I = 20 mV above rest, threshold 15: tau_m ln 4 = 13.86 ms to the first spike, from V_reset the same; the refractory time
  // between.
  Network net({.dt = kDt});
  const auto n = net.create("iaf_psc_exp", 1, {{"I_e", 500.0}, {"t_ref", 3.0}});
  const auto& spikes = net.record_spikes(n);
  net.simulate(60);
  ASSERT_EQ(spikes.size(), 3u);
  EXPECT_NEAR(spikes.time(0), 13.9, 1e-9);
  EXPECT_NEAR(spikes.time(1), 13.9 + 3 + 13.9, 1e-9);
  EXPECT_NEAR(spikes.time(2), 13.9 + 2 * 16.9, 1e-9);
  EXPECT_EQ(net.spikes(n), 3u);
}

// tests/golden/nest/make.py says what the files hold.
class Golden : public testing::TestWithParam<const char*> {};

TEST_P(Golden, TracesAndSpikesAreNests) {
  std::ifstream in(std::string(APICAL_SOURCE_DIR "/tests/golden/nest/") + GetParam() + ".json");
  ASSERT_TRUE(in);
  const auto file = nlohmann::json::parse(in);
  const double dt = file.at("dt_ms");
  for (const auto& run : file.at("runs")) {
    const std::string where = std::string(GetParam()) + " " + run.at("name").get<std::string>();
    Network net({.dt = dt, .double_precision = true});
    Parameters p{{"V_m", run.at("initial").at("V_m").get<double>()}};
    for (const auto& [name, value] : run.at("parameters").items())
      if (name != "delta" && name != "rho") p.insert_or_assign(name, value.is_boolean() ? value.get<bool>() * 1.0 : value.get<double>());
    const auto n = net.create(file.at("model").get<std::string>(), 1, p);
    if (run.contains("currents"))
      for (const auto& c : run.at("currents"))  // sent from start - dt on, arrives a step later, acts in the next
        net.connect(DcGenerator{.amplitude = c[2], .start = (c[0].get<int>() - 2) * dt, .stop = (c[1].get<int>() - 1) * dt}, n, 1, dt);
    if (run.contains("spikes"))
      for (const auto& s : run.at("spikes")) {
        SpikeGenerator train;
        for (const int step : s.at("steps")) train.times.push_back(step * dt);
        net.connect(train, n, s.at("weight"), s.at("delay_steps").get<int>() * dt);
      }
    const auto& meter = net.record(n, {"V_m"}, dt);
    const auto& spikes = net.record_spikes(n);
    net.simulate(file.at("steps").get<int>() * dt);
    const auto fired = run.at("spike_steps").get<std::vector<std::uint32_t>>();
    EXPECT_GE(fired.size(), 2u) << where;
    EXPECT_EQ(spikes.step, fired) << where;
    const auto step = run.at("step").get<std::vector<std::size_t>>();
    const auto V_m = run.at("V_m").get<std::vector<double>>();
    for (std::size_t i = 0; i < step.size(); ++i)
      if (step[i] > 0) expect_close(meter.at(step[i] - 1, 0, 0), V_m[i], 0, where + " V_m at step " + std::to_string(step[i]));
  }
}

INSTANTIATE_TEST_SUITE_P(Nest, Golden,
                         testing::Values("iaf_psc_delta_step", "iaf_psc_delta_spikes", "iaf_psc_exp_step", "iaf_psc_exp_spikes",
                                         "iaf_psc_alpha_step", "iaf_psc_alpha_spikes"));

}  // namespace
}  // namespace apical::brain
