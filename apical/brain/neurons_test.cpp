// Single neurons against solutions of their equations, and against NEST.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>

#include "apical/base/error.h"
#include "apical/base/philox.h"
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
nlohmann::json golden(const std::string& name) {
  std::ifstream in(APICAL_SOURCE_DIR "/tests/golden/nest/" + name + ".json");
  EXPECT_TRUE(in) << name;
  return nlohmann::json::parse(in);
}

// One of its runs.
struct Driven {
  Network net;
  Population n;
  const Multimeter& meter;
  const SpikeRecord& spikes;
  std::vector<std::uint32_t> fired;  // steps, of NEST

  Driven(const nlohmann::json& file, const nlohmann::json& run)
      : net({.dt = file.at("dt_ms"), .double_precision = true}),
        n(net.create(file.at("model").get<std::string>(), 1, parameters(file, run))),
        meter(net.record(n, {"V_m"}, file.at("dt_ms"))),
        spikes(net.record_spikes(n)),
        fired(run.at("spike_steps").get<std::vector<std::uint32_t>>()) {
    const double dt = file.at("dt_ms");
    if (run.contains("currents"))
      for (const auto& c : run.at("currents"))  // sent from start - dt on, arrives a step later, acts in the next
        net.connect(DcGenerator{.amplitude = c[2], .start = (c[0].get<int>() - 2) * dt, .stop = (c[1].get<int>() - 1) * dt}, n, 1, dt);
    if (run.contains("spikes"))
      for (const auto& s : run.at("spikes")) {
        SpikeGenerator train;
        for (const int step : s.at("steps")) train.times.push_back(step * dt);
        net.connect(train, n, s.at("weight"), s.at("delay_steps").get<int>() * dt);
      }
    net.simulate(file.at("steps").get<int>() * dt);
  }
  static Parameters parameters(const nlohmann::json& file, const nlohmann::json& run) {
    Parameters p;
    std::vector<std::string> known;
    for (const auto& info : model_info(file.at("model").get<std::string>()).parameters) known.push_back(info.name);
    const auto take = [&](const std::string& name, const nlohmann::json& value) {
      if (value.is_array())
        p.insert_or_assign(name, value.get<std::vector<double>>());
      else
        p.insert_or_assign(name, value.is_boolean() ? value.get<bool>() * 1.0 : value.get<double>());
    };
    for (const auto& [name, value] : run.at("parameters").items())
      if (name != "delta" && name != "rho") take(name, value);
    for (const auto& [name, value] : run.at("initial").items())
      if (std::find(known.begin(), known.end(), name) != known.end()) take(name, value);
    return p;
  }
  // Calls each(step, want, got) for the membrane at the steps of `trace`.
  template <class Each>
  void compare(const nlohmann::json& trace, const Each& each) const {
    const auto step = trace.at("step").get<std::vector<std::size_t>>();
    const auto V_m = trace.at("V_m").get<std::vector<double>>();
    for (std::size_t i = 0; i < step.size(); ++i)
      if (step[i] > 0) each(step[i], V_m[i], meter.at(step[i] - 1, 0, 0));
  }
};

// Models that NEST integrates exactly.
class Golden : public testing::TestWithParam<const char*> {};

TEST_P(Golden, TracesAndSpikesAreNests) {
  const auto file = golden(GetParam());
  for (const auto& run : file.at("runs")) {
    const std::string where = std::string(GetParam()) + " " + run.at("name").get<std::string>();
    const Driven r(file, run);
    EXPECT_TRUE(r.fired.size() >= 2 || run.at("parameters").value("lambda_0", 1.0) == 0) << where;
    EXPECT_EQ(r.spikes.step, r.fired) << where;
    r.compare(run, [&](std::size_t step, double want, double got) {
      expect_close(got, want, 0, where + " V_m at step " + std::to_string(step));
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Nest, Golden,
                         testing::Values("iaf_psc_delta_step", "iaf_psc_delta_spikes", "iaf_psc_exp_step", "iaf_psc_exp_spikes",
                                         "iaf_psc_alpha_step", "iaf_psc_alpha_spikes", "izhikevich_step", "izhikevich_spikes",
                                         "gif_psc_exp_step", "gif_psc_exp_spikes"));

// Models that NEST integrates to some tolerance: the trace up to the first spike is that of DOP853, spikes are NEST's within a step.
class Solved : public testing::TestWithParam<const char*> {};

TEST_P(Solved, TracesAreThoseOfTheEquation) {
  const auto file = golden(GetParam());
  for (const auto& run : file.at("runs")) {
    const std::string where = std::string(GetParam()) + " " + run.at("name").get<std::string>();
    const Driven r(file, run);
    EXPECT_GE(r.fired.size(), 2u) << where;
    double worst = 0;
    r.compare(run.at("reference"), [&](std::size_t, double want, double got) { worst = std::max(worst, std::fabs(got - want)); });
    EXPECT_LE(worst, 2e-5) << where << " mV";
    ASSERT_EQ(r.spikes.size(), r.fired.size()) << where;
    for (std::size_t i = 0; i < r.fired.size(); ++i) EXPECT_NEAR(r.spikes.step[i], r.fired[i], 1) << where << " spike " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Nest, Solved,
                         testing::Values("iaf_cond_exp_step", "iaf_cond_exp_spikes", "iaf_cond_alpha_step", "iaf_cond_alpha_spikes",
                                         "hh_cond_exp_traub_step", "hh_cond_exp_traub_spikes", "aeif_cond_exp_step",
                                         "aeif_cond_exp_spikes"));

// The steps of if_curr_exp's description, one by one: a spike that arrives in a step acts in it.
TEST(Neurons, SpiNNakersStepsTakeWhatArrivesAtOnce) {
  for (const double tau_in : {0.3, 1.7}) {  // one port; two
    Network net({.dt = 1, .double_precision = true});
    const auto n = net.create("if_curr_exp", 1,
                              {{"E_L", -60.0},
                               {"V_reset", -61.0},
                               {"V_m", -60.0},
                               {"V_th", -57.0},
                               {"C_m", 270.0},
                               {"tau_m", 3.0},
                               {"tau_syn_ex", 0.3},
                               {"tau_syn_in", tau_in},
                               {"t_ref", 1.0},
                               {"I_e", 12.0}});
    std::vector<double> ex(300), in(300);
    Random random(4, "spikes");
    std::vector<double> times[2];
    for (int t = 1; t < 299; ++t)
      for (const bool inhibits : {false, true})
        if (random.uniform() < (inhibits ? 0.15 : 0.3))
          times[inhibits].push_back(t), (inhibits ? in : ex)[static_cast<std::size_t>(t)] = inhibits ? -1700 : 5000;
    net.connect(SpikeGenerator{times[0]}, n, 5000, 1);  // of time t: sent in step t - 1, arrives in step t
    net.connect(SpikeGenerator{times[1]}, n, -1700, 1);
    const auto& meter = net.record(n, {"V_m"}, 1);
    const auto& spikes = net.record_spikes(n);
    net.simulate(300);
    double V = -60, I[2] = {0, 0};
    int rest = 0;
    std::size_t fired = 0;
    for (std::size_t t = 0; t < 300; ++t) {
      const double tau[2] = {0.3, tau_in}, arrives[2] = {ex[t], in[t]};
      for (int k = 0; k < 2; ++k) I[k] += arrives[k] * tau[k] * (1 - std::exp(-1 / tau[k]));
      const double to = -60 + (I[0] + I[1] + 12) * 3 / 270;
      if (rest == 0) V = to + (V - to) * std::exp(-1 / 3.0);
      for (int k = 0; k < 2; ++k) I[k] *= std::exp(-1 / tau[k]);
      if (V >= -57) {
        V = -61, rest = 1;
        ASSERT_LT(fired, spikes.size());
        EXPECT_EQ(spikes.step[fired++], t + 1);
      } else {
        rest = 0;
      }
      ASSERT_NEAR(meter.at(t, 0, 0), V, 1e-11) << "step " << t;
    }
    EXPECT_EQ(fired, spikes.size());
    EXPECT_GT(fired, 20u);
  }
}

TEST(Neurons, IzhikevichsOwnStepsTakeTwoHalves) {
  Network net({.dt = 1.0, .double_precision = true});
  const auto n = net.create("izhikevich", 1, {{"consistent_integration", 0.0}, {"I_e", 10.0}, {"V_m", -65.0}, {"U_m", -13.0}});
  const auto& meter = net.record(n, {"V_m", "U_m"}, 1);
  net.simulate(3);
  double v = -65, u = -13;
  for (std::size_t i = 0; i < 3; ++i) {
    for (int half = 0; half < 2; ++half) v += 0.5 * (0.04 * v * v + 5 * v + 140 - u + 10);
    u += 0.02 * (0.2 * v - u);
    EXPECT_NEAR(meter.at(i, 0, 0), v, 1e-9) << i;
    EXPECT_NEAR(meter.at(i, 1, 0), u, 1e-9) << i;
  }
}

TEST(Neurons, GifFiresByChanceAsOftenAsItsHazardSays) {
  // A hazard that does not depend on the membrane: t_ref / dt steps of rest, then success with probability p in each step.
  const double p = -std::expm1(-0.05 * kDt), rest = 20;
  Network net({.dt = kDt, .seed = 5});
  const auto n = net.create("gif_psc_exp", 2000, {{"lambda_0", 50.0}, {"Delta_V", 1e12}, {"t_ref", 2.0}});
  const auto& spikes = net.record_spikes(n);
  net.simulate(500);
  std::vector<std::int64_t> last(2000, -1);
  double count = 0, sum = 0, square = 0;
  for (std::size_t i = 0; i < spikes.size(); ++i) {
    auto& before = last[spikes.neuron[i]];
    const double interval = static_cast<double>(spikes.step[i] - before);
    // Intervals that begin late are cut off at the end: take those of the first half, up to what the second half has room for.
    if (before >= 0 && before < 2500 && interval < 2500) count += 1, sum += interval, square += interval * interval;
    before = spikes.step[i];
  }
  ASSERT_GT(count, 15000);
  const double mean = sum / count, sd = std::sqrt((1 - p)) / p;
  EXPECT_NEAR(mean, rest + 1 / p, 5 * sd / std::sqrt(count));
  EXPECT_NEAR(std::sqrt(square / count - mean * mean), sd, 0.05 * sd);
}

TEST(Neurons, ParrotsSayWhatTheyHear) {
  Network net({.dt = kDt});
  const auto parrot = net.create("parrot_neuron", 3), listener = net.create("parrot_neuron", 3);
  net.connect(SpikeGenerator{{1.0, 1.1, 5.0}}, parrot.slice(1, 1), 0.5, 0.7);
  net.connect(SpikeGenerator{{5.0}}, parrot.slice(1, 1), -3, 0.7);
  net.connect(parrot, listener, Rule::one_to_one(), {.weight = -2, .delay = 1.5});
  const auto &said = net.record_spikes(parrot), &heard = net.record_spikes(listener);
  net.simulate(10);
  EXPECT_EQ(said.step, (std::vector<std::uint32_t>{17, 18, 57}));
  EXPECT_EQ(heard.step, (std::vector<std::uint32_t>{32, 33, 72}));
  EXPECT_EQ(heard.neuron, (std::vector<std::uint32_t>{1, 1, 1}));
}

TEST(Neurons, RefuseImpossibleParameters) {
  Network net;
  EXPECT_THROW(net.create("iaf_cond_exp", 1, {{"g_L", 0.0}}), Error);
  EXPECT_THROW(net.create("aeif_cond_exp", 1, {{"V_peak", -55.0}}), Error);
  EXPECT_THROW(net.create("aeif_cond_exp", 1, {{"Delta_T", 0.05}}), Error);
  EXPECT_THROW(net.create("hh_cond_exp_traub", 1, {{"Act_m", -0.1}}), Error);
  EXPECT_THROW(net.create("izhikevich", 1, {{"c", 40.0}}), Error);
}

}  // namespace
}  // namespace apical::brain
