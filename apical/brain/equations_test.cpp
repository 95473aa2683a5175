#include "apical/brain/equations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/thread_pool.h"
#include "apical/brain/description.h"
#include "apical/brain/network.h"
#include "apical/brain/testing_models.h"
#include "apical/kernels/simd.h"

namespace apical::brain {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// --- against solutions -------------------------------------------------------------------------------------------------------

// A variable of one neuron at the end of each step.
std::vector<double> trace(const Equations& e, const std::string& variable, double ms, double dt, const Parameters& p = {}) {
  Network net({.dt = dt, .double_precision = true});
  const auto n = net.create(e, 1, p);
  const auto& m = net.record(n, {variable}, dt);
  net.simulate(ms);
  return m.values;
}

TEST(Equations, LinearOnesAreExact) {
  // A kernel of two stages with equal time constants (no eigenvectors), a constant drive, and a turning pair.
  const Equations e{.equations = R"(
                      dg/dt = (x - g) / tau : nS
                      dx/dt = -x / tau : nS
                      dv/dt = (E - v) / (3 * tau) : mV
                      dp/dt = -omega * q : 1
                      dq/dt = omega * p : 1
                      tau = 2 ms : ms
                      E = -70 mV : mV
                      omega = 3 /ms : 1/ms
                    )",
                    .initial = "x = 5 nS; p = 1; v = 10 mV"};
  EXPECT_EQ(EquationModel(e).make({}, 0.5).method, "exact");
  const auto g = trace(e, "g", 10, 0.5), v = trace(e, "v", 10, 0.5), p = trace(e, "p", 10, 0.5);
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double t = 0.5 * static_cast<double>(i + 1);
    EXPECT_NEAR(g[i], 5 * t / 2 * std::exp(-t / 2), 1e-13) << t;
    EXPECT_NEAR(v[i], -70 + 80 * std::exp(-t / 6), 1e-12) << t;
    EXPECT_NEAR(p[i], std::cos(3 * t), 1e-12) << t;
  }
}

// Halving the step divides the error by 2^order.
TEST(Equations, MethodsHaveTheirOrder) {
  // x = x0 exp(-k tau (1 - exp(-t/tau))): conditionally linear. y: the logistic equation. z: exponential decay.
  const auto with = [](const std::string& method) {
    return Equations{.equations = R"(
                       dx/dt = -k * a * x : 1
                       da/dt = -a / tau : 1
                       tau = 3 ms : ms
                       k = 0.4 /ms : 1/ms
                     )",
                     .initial = "x = 1; a = 1",
                     .method = method};
  };
  const Equations logistic{.equations = "dy/dt = r * y * (1 - y) : 1\nr = 1.3 /ms : 1/ms", .initial = "y = 0.1"};
  EXPECT_EQ(EquationModel(with("")).make({}, 0.1).method, "exponential_euler");
  EXPECT_EQ(EquationModel(logistic).make({}, 0.1).method, "rk4");
  const double x = std::exp(-0.4 * 3 * -std::expm1(-4.0 / 3)), y = 1 / (1 + 9 * std::exp(-1.3 * 4));
  const auto ratio = [](const Equations& e, const std::string& variable, double want, double dt) {
    return std::fabs(trace(e, variable, 4, dt).back() - want) / std::fabs(trace(e, variable, 4, dt / 2).back() - want);
  };
  EXPECT_NEAR(ratio(with("exponential_euler"), "x", x, 0.05), 2, 0.1);
  EXPECT_NEAR(ratio(with("euler"), "x", x, 0.05), 2, 0.1);
  EXPECT_NEAR(ratio(with("rk4"), "x", x, 0.1), 16, 1.5);
  EXPECT_NEAR(ratio(logistic, "y", y, 0.1), 16, 1.5);
  EXPECT_LT(std::fabs(trace(with(""), "a", 4, 0.5).back() - std::exp(-4.0 / 3)), 1e-15) << "exponential Euler is exact for it";
  EXPECT_LT(std::fabs(trace(logistic, "y", 4, 0.1).back() - y), 1e-6);
}

TEST(Equations, HeldVariablesRestWhileOthersMoveOn) {
  // Every 2 + 3 ms: u follows v, which is held at 0 for 3 ms.
  const auto with = [](const std::string& method) {
    return Equations{.equations = R"(
                       dv/dt = (20 mV - v) / (10 ms) - u / (40 ms) : mV (unless refractory)
                       du/dt = (v - u) / (7 ms) : mV
                     )",
                     .threshold = "v > 5 mV",
                     .reset = "v = 0 mV; u += 0.5 mV",
                     .refractory = "3 ms",
                     .method = method};
  };
  const auto exact = trace(with("exact"), "u", 40, 0.1), rk4 = trace(with("rk4"), "u", 40, 0.1), v = trace(with("exact"), "v", 40, 0.1);
  double worst = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) worst = std::max(worst, std::fabs(exact[i] - rk4[i]));
  EXPECT_LT(worst, 1e-8);
  int rests = 0;
  for (auto i = std::find(v.begin(), v.end(), 0.0); i != v.end(); i = std::find(i, v.end(), 0.0)) {
    const auto end = std::find_if(i, v.end(), [](double x) { return x != 0; });
    if (end != v.end()) {
      EXPECT_EQ(end - i, 31) << "the reset, and 30 steps of rest";
    }
    i = end, ++rests;
  }
  EXPECT_GE(rests, 5);
}

// --- against the built-in models -----------------------------------------------------------------------------------------------

struct Course {
  std::vector<double> values;
  std::vector<std::uint32_t> steps, neurons;
};
// Twenty neurons under random spikes and a current.
Course course(const std::function<Population(Network&)>& create, const std::string& variable, double w_ex, double w_in, double current,
              double dt = 0.1, double ms = 200) {
  Network net({.dt = dt, .seed = 5, .double_precision = true});
  const auto n = create(net);
  net.connect(PoissonGenerator{.rate = 4000}, n, w_ex);
  net.connect(PoissonGenerator{.rate = 2000}, n, w_in);
  if (current != 0) net.connect(DcGenerator{.amplitude = current, .start = 20, .stop = 150}, n.slice(3, 9));
  const auto& m = net.record(n, {variable}, 0.5);
  const auto& s = net.record_spikes(n);
  net.simulate(ms);
  return {m.values, s.step, s.neuron};
}
// The largest difference up to a neuron's first spike, and after it where spikes are the same.
double difference(const Course& a, const Course& b, double dt, bool to_first) {
  std::vector<double> end(20, to_first ? 1e9 : 2e9);
  for (std::size_t i = a.steps.size(); to_first && i-- > 0;) end[a.neurons[i]] = a.steps[i] * dt;
  for (std::size_t i = b.steps.size(); to_first && i-- > 0;) end[b.neurons[i]] = std::min(end[b.neurons[i]], b.steps[i] * dt);
  double worst = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    if (0.5 * static_cast<double>(i / 20 + 1) < end[i % 20] - 1) worst = std::max(worst, std::fabs(a.values[i] - b.values[i]));
  return worst;
}

constexpr const char* kLeak = "E_L = -70 mV : mV\nC_m = 250 pF : pF\nI_e = 0 pA : pA\n";

TEST(Equations, IafPscExpAsTextIsTheBuiltIn) {
  const Equations text{.equations = std::string(kLeak) + R"(
                         dV_m/dt = -(V_m - E_L) / tau_m + (I_ex + I_in + I_e + I) / C_m : mV (unless refractory)
                         dI_ex/dt = -I_ex / tau_syn_ex : pA
                         dI_in/dt = -I_in / tau_syn_in : pA
                         tau_m = 10 ms : ms
                         tau_syn_ex = 2 ms : ms
                         tau_syn_in : ms
                         V_th = -55 mV : mV
                         t_ref = 2 ms : ms
                       )",
                       .threshold = "V_m >= V_th",
                       .reset = "V_m = E_L",
                       .refractory = "t_ref",
                       .excitatory = "I_ex += w",
                       .inhibitory = "I_in += w",
                       .initial = "V_m = E_L"};
  EXPECT_EQ(EquationModel(text).make({{"tau_syn_in", 5.0}}, 0.1).method, "exact");
  for (const double tau_in : {5.0, 10.0}) {  // 10: equal to tau_m
    const auto want = course([&](Network& net) { return net.create("iaf_psc_exp", 20, {{"tau_syn_in", tau_in}}); }, "V_m", 80, -10, 200);
    const auto got = course([&](Network& net) { return net.create(text, 20, {{"tau_syn_in", tau_in}}); }, "V_m", 80, -10, 200);
    EXPECT_GT(want.steps.size(), 100u);
    EXPECT_EQ(got.steps, want.steps);
    EXPECT_EQ(got.neurons, want.neurons);
    EXPECT_LT(difference(got, want, 0.1, false), 1e-9 * 15);
  }
}

TEST(Equations, IafPscDeltaAsTextLosesWhatArrivesWhileItRests) {
  const Equations text{.equations = std::string(kLeak) + R"(
                         dV_m/dt = (E_L - V_m) / (10 ms) + (I_e + I) / C_m : mV (unless refractory)
                       )",
                       .threshold = "V_m >= -55 mV",
                       .reset = "V_m = E_L",
                       .refractory = "2 ms",
                       .synapses = "V_m += w",
                       .initial = "V_m = E_L"};
  const auto want = course([&](Network& net) { return net.create("iaf_psc_delta", 20); }, "V_m", 0.9, -0.7, 150);
  const auto got = course([&](Network& net) { return net.create(text, 20); }, "V_m", 0.9, -0.7, 150);
  EXPECT_GT(want.steps.size(), 100u);
  EXPECT_EQ(got.steps, want.steps);
  EXPECT_LT(difference(got, want, 0.1, false), 1e-9);
}

TEST(Equations, IzhikevichAsTextIsTheBuiltIn) {
  const Equations text{.equations = R"(
                         dV_m/dt = 0.04/ms/mV * V_m^2 + 5/ms * V_m + 140 mV/ms - U_m + (I + I_e) * 1 mV/ms/pA : mV
                         dU_m/dt = a * (b * V_m - U_m) : mV/ms
                         a = 0.02 /ms : 1/ms
                         b = 0.2 /ms : 1/ms
                         d = 8 mV/ms : mV/ms
                         I_e = 4 pA : pA
                       )",
                       .threshold = "V_m >= 30 mV",
                       .reset = "V_m = -65 mV; U_m += d",
                       .synapses = "V_m += w",
                       .initial = "V_m = -65 mV; U_m = -13 mV/ms",
                       .method = "euler"};
  const auto want = course([&](Network& net) { return net.create("izhikevich", 20, {{"I_e", 4.0}}); }, "V_m", 0.5, -0.6, 6);
  const auto got = course([&](Network& net) { return net.create(text, 20); }, "V_m", 0.5, -0.6, 6);
  EXPECT_GT(want.steps.size(), 40u);
  EXPECT_EQ(got.steps, want.steps);
  EXPECT_LT(difference(got, want, 0.1, true), 1e-9);
}

TEST(Equations, IafCondExpAsTextConvergesToTheBuiltIn) {
  const auto text = [](const std::string& method) {
    return Equations{.equations = std::string(kLeak) + R"(
                       dV_m/dt = (-g_L * (V_m - E_L) - g_ex * (V_m - 0 mV) - g_in * (V_m + 85 mV) + I_e + I) / C_m : mV (unless refractory)
                       dg_ex/dt = -g_ex / (2 ms) : nS
                       dg_in/dt = -g_in / (2 ms) : nS
                       g_L = 16.6667 nS : nS
                     )",
                     .threshold = "V_m >= -55 mV",
                     .reset = "V_m = -60 mV",
                     .refractory = "2 ms",
                     .excitatory = "g_ex += w",
                     .inhibitory = "g_in -= w",
                     .initial = "V_m = E_L",
                     .method = method};
  };
  const auto run = [&](const std::string& method) {
    return course([&](Network& net) { return net.create(text(method), 20); }, "V_m", 2, -2, 200);
  };
  const auto want = course([&](Network& net) { return net.create("iaf_cond_exp", 20, {{"tau_syn_ex", 2.0}}); }, "V_m", 2, -2, 200);
  EXPECT_GT(want.steps.size(), 20u);
  EXPECT_EQ(EquationModel(text("")).make({}, 0.1).method, "exponential_euler");
  EXPECT_LT(difference(run("rk4"), want, 0.1, true), 1e-5);
  EXPECT_LT(difference(run(""), want, 0.1, true), 0.5);
}

TEST(Equations, AeifAsTextIsNearTheBuiltIn) {
  const Equations text{.equations = R"(
                         dV_m/dt = (-g_L * (V_m - E_L) + g_L * D * exp(min((V_m - V_th) / D, 10)) - g_ex * V_m - g_in * (V_m + 85 mV) - w + I) / C_m : mV (unless refractory)
                         dw/dt = (4 nS * (V_m - E_L) - w) / (144 ms) : pA
                         dg_ex/dt = -g_ex / (2 ms) : nS
                         dg_in/dt = -g_in / (2 ms) : nS
                         E_L = -70.6 mV : mV
                         V_th = -50.4 mV : mV
                         D = 2 mV : mV
                         g_L = 30 nS : nS
                         C_m = 281 pF : pF
                       )",
                       .threshold = "V_m > 0 mV",
                       .reset = "V_m = -60 mV; w += 80.5 pA",
                       .excitatory = "g_ex += w",
                       .inhibitory = "g_in -= w",
                       .initial = "V_m = E_L"};
  EXPECT_EQ(EquationModel(text).make({}, 0.1).method, "rk4");
  const auto want = course([&](Network& net) { return net.create("aeif_cond_exp", 20, {{"tau_syn_ex", 2.0}}); }, "V_m", 1.2, -1, 400);
  const auto got = course([&](Network& net) { return net.create(text, 20); }, "V_m", 1.2, -1, 400);
  EXPECT_GT(want.steps.size(), 20u);
  EXPECT_NEAR(static_cast<double>(got.steps.size()), static_cast<double>(want.steps.size()), 3);
  EXPECT_LT(difference(got, want, 0.1, true), 1e-3);
}

TEST(Equations, HodgkinHuxleyAsTextConvergesToTheBuiltIn) {
  const Parameters start{{"Act_m", 0.05}, {"Inact_h", 0.6}, {"Act_n", 0.3}};
  const auto builtin = [&](double dt) {
    return course([&](Network& net) { return net.create("hh_cond_exp_traub", 20, start); }, "V_m", 2, -4, 100, dt, 100);
  };
  const auto text = [&](const std::string& method, double dt) {
    return course([&](Network& net) { return net.create(traub(method), 20); }, "V_m", 2, -4, 100, dt, 100);
  };
  EXPECT_EQ(EquationModel(traub("")).make({}, 0.1).method, "exponential_euler");
  const auto fine = builtin(0.02), coarse = builtin(0.05);
  EXPECT_GT(fine.steps.size(), 20u);
  EXPECT_LT(difference(text("rk4", 0.02), fine, 0.02, true), 1e-4);
  const double half = difference(text("", 0.02), fine, 0.02, true), whole = difference(text("", 0.05), coarse, 0.05, true);
  EXPECT_LT(half, 0.5);
  EXPECT_GT(half, 1e-3);
  EXPECT_NEAR(static_cast<double>(text("", 0.02).steps.size()), static_cast<double>(fine.steps.size()),
              0.03 * static_cast<double>(fine.steps.size()));
  EXPECT_GT(whole, half);
}

// --- the language ------------------------------------------------------------------------------------------------------------

// What a number of the language is, in its own unit.
double constant(const std::string& expression, const std::string& unit = "1") {
  const Equations e{.equations = "dx/dt = 0 /ms : 1\nz = 0.5 : 1\nv = -60 mV : mV\ny = " + expression + " + x * 0 : " + unit};
  try {
    return trace(e, "y", 0.1, 0.1).at(0);
  } catch (const Error&) {  // a number that is no plain one
    return trace({.equations = "dx/dt = 0 /ms : 1\nz = 0.5 : 1\nv = -60 mV : mV\ny = " + expression + " : " + unit}, "y", 0.1, 0.1).at(0);
  }
}

TEST(Equations, ExpressionsMeanWhatTheySay) {
  const struct {
    const char* text;
    double want;
    const char* unit = "1";
  } all[] = {{"1 + 2 * z", 2},
             {"-2^2 * z", -2},
             {"2^-1 * z", 0.25},
             {"2^3^2 * z", 256},
             {"2**3 * z", 4},
             {"8 / 4 / 2 * z", 0.5},
             {"1 - 2 - 3 * z", -2.5},
             {"-(z - 1)", 0.5},
             {"exp(z) - log(z)", std::exp(0.5) - std::log(0.5)},
             {"sqrt(z) + abs(-z) + sin(z) + cos(z) + tanh(z)", std::sqrt(0.5) + 0.5 + std::sin(0.5) + std::cos(0.5) + std::tanh(0.5)},
             {"expm1(z) + exprel(z)", std::expm1(0.5) + std::expm1(0.5) / 0.5},
             {"min(z, 0.25) + max(z, 3) + clip(z, 0, 0.1) + clip(z, 0.7, 1)", 0.25 + 3 + 0.1 + 0.7},
             {"pow(z, 3) + z^2.5", 0.125 + std::pow(0.5, 2.5)},
             {"where(z > 0.1 and not (z > 1 or z < 0), 3, 4)", 3},
             {"where(z >= 0.5 && z <= 0.5 && z == 0.5 && z != 1, 3, 4)", 3},
             {"int(z < 0.1) + int(z < 1)", 1},
             {"pi * z", 3.14159265358979323846 / 2},
             {"v + 10 mV * z", -55, "mV"},
             {"v + 0.01 V * z", -0.055, "V"},
             {"3 nA * z * 2 MOhm", 3, "mV"},
             {"sqrt(v^2)", 60, "mV"},
             {"v / (5 ms) * z", -6, "mV/ms"},
             {"2 um^2 * z * 1 /ms", 1e-3, "mm^2/s"},
             {"z * 20 Hz", 10, "1/s"},
             {"z * 3 uM", 1.5, "uM"}};
  for (const auto& a : all) EXPECT_NEAR(constant(a.text, a.unit), a.want, 1e-14 * std::fabs(a.want) + 1e-300) << a.text;
}

TEST(Equations, ErrorsSayWhereAndWhy) {
  const std::string good = "dv/dt = -v / tau : mV\ntau = 10 ms : ms\n";
  const auto message = [&](const Equations& e) -> std::string {
    try {
      EquationModel(e).make({}, 0.1);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      return error.what();
    }
    return "no error";
  };
  const auto of = [&](const std::string& text) { return message({.equations = text}); };
  EXPECT_THAT(of("dv/dt = (E_L - v) / tau_n : mV\nE_L = -70 mV : mV\ntau_m = 10 ms : ms"),
              AllOf(HasSubstr("unknown name 'tau_n'"), HasSubstr("\n  dv/dt = (E_L - v) / tau_n : mV\n                      ^^^^^\n"),
                    HasSubstr("equations, line 1, column 21"), HasSubstr("Did you mean 'tau_m'")));
  EXPECT_THAT(of("\ndv/dt = v * 3 pA : mV"), AllOf(HasSubstr("dv/dt is mV/ms, the right side is mV*pA"), HasSubstr("line 2, column 9")));
  EXPECT_THAT(of("dv/dt = (v + I) / (1 ms) : mV"), AllOf(HasSubstr("units differ: mV + pA"), HasSubstr("column 10"), HasSubstr("^^^^^")));
  EXPECT_THAT(of(good + "y = exp(v) : 1"), HasSubstr("what exp is of must be a plain number, not mV"));
  EXPECT_THAT(of(good + "y = v^0.5 : 1"), HasSubstr("must be a plain number, not mV"));
  EXPECT_THAT(of(good + "y = sqrt(v) : 1"), HasSubstr("the root of mV is no unit"));
  EXPECT_THAT(of(good + "y = v > 1 mV : 1"), HasSubstr("a number is needed"));
  EXPECT_THAT(of(good + "y = where(v, 1, 2) : 1"), HasSubstr("a condition is needed"));
  EXPECT_THAT(of(good + "y = v < 3 ms : 1"), HasSubstr("units differ: mV < ms"));
  EXPECT_THAT(of(good + "y = expp(2) : 1"), AllOf(HasSubstr("no function is called 'expp'"), HasSubstr("'exp'")));
  EXPECT_THAT(of(good + "y = min(2) : 1"), HasSubstr("min takes 2"));
  EXPECT_THAT(of(good + "y = (2 : 1"), HasSubstr("a ')' is missing"));
  EXPECT_THAT(of(good + "y = 2 2 : 1"), HasSubstr("does not belong"));
  EXPECT_THAT(of(good + "y = 2 v : mV"), AllOf(HasSubstr("'v' is no unit"), HasSubstr("2 * v")));
  EXPECT_THAT(of(good + "y = 2"), HasSubstr("the unit is missing"));
  EXPECT_THAT(of(good + "y = 2 : mVolt"), HasSubstr("a unit is needed"));
  EXPECT_THAT(of(good + "y = 2 : 1 (constant)"), HasSubstr("unless refractory"));
  EXPECT_THAT(of(good + "v = 2 mV : mV"), HasSubstr("'v' is there twice"));
  EXPECT_THAT(of(good + "exp = 2 : 1"), HasSubstr("a meaning of its own"));
  EXPECT_THAT(of(good + "a = b * v : mV\nb = a / v : 1"), HasSubstr("is made of itself"));
  EXPECT_THAT(of(good + "y = $ : 1"), HasSubstr("no sign of the language"));
  EXPECT_THAT(of(good + "3 = y : 1"), HasSubstr("a line begins with"));
  EXPECT_THAT(of("tau = 10 ms : ms"), HasSubstr("no differential equation"));
  EXPECT_THAT(of("dv/dx = 3 mV : mV"), HasSubstr("dNAME/dt"));
  EXPECT_THAT(of("dv/dt = -v / tau : mV\ntau : ms"), AllOf(HasSubstr("'tau' has no value"), HasSubstr("tau = 1 ms : ms")));
  EXPECT_THAT(message({.equations = good, .threshold = "v + 1 mV"}), AllOf(HasSubstr("threshold, line 1"), HasSubstr("a condition")));
  EXPECT_THAT(message({.equations = good, .threshold = "v > 1 mV; v > 2 mV"}), HasSubstr("one condition"));
  EXPECT_THAT(message({.equations = good, .reset = "u = 1 mV"}),
              AllOf(HasSubstr("reset, line 1, column 1"), HasSubstr("unknown name 'u'")));
  EXPECT_THAT(message({.equations = good, .reset = "tau = 1 ms"}), HasSubstr("'tau' has no differential equation"));
  EXPECT_THAT(message({.equations = good, .reset = "v = 1 ms"}), HasSubstr("v is mV, the right side is ms"));
  EXPECT_THAT(message({.equations = good, .refractory = "2 mV"}), HasSubstr("the refractory time is ms"));
  EXPECT_THAT(message({.equations = good, .refractory = "0.15 ms"}), HasSubstr("not a multiple"));
  EXPECT_THAT(message({.equations = good, .refractory = "v / (1 mV) * 1 ms"}), HasSubstr("refractory time is the same"));
  EXPECT_THAT(message({.equations = good, .synapses = "v = w"}), HasSubstr("only += and -="));
  EXPECT_THAT(message({.equations = good, .synapses = "v += w * w / (1 mV)"}), HasSubstr("its weight times a constant"));
  EXPECT_THAT(message({.equations = good, .synapses = "v += w + 1 mV"}), HasSubstr("its weight times a constant"));
  EXPECT_THAT(message({.equations = good, .synapses = "v += w * v / (1 mV)"}), HasSubstr("its weight times a constant"));
  EXPECT_THAT(message({.equations = good, .excitatory = "v += w"}), HasSubstr("'inhibitory' is missing"));
  EXPECT_THAT(message({.equations = good, .synapses = "v += w", .weight_unit = "nS"}), HasSubstr("v is mV, the right side is nS"));
  EXPECT_THAT(message({.equations = good, .initial = "v = v2"}), HasSubstr("unknown name 'v2'"));
  EXPECT_THAT(message({.equations = good, .method = "exac"}), HasSubstr("'exact'"));
  EXPECT_THAT(message({.equations = "dv/dt = -v * v / (1 mV * ms) : mV", .method = "exponential_euler"}),
              HasSubstr("dv/dt is not linear in v"));
  EXPECT_THAT(message({.equations = "dv/dt = -v * u / (1 ms) : mV\ndu/dt = 1 /ms : 1", .method = "exact"}),
              HasSubstr("dv/dt is not linear"));
}

TEST(Equations, HostileTextsAreRefusedInTime) {
  const auto refused = [](const std::string& equations) {
    try {
      EquationModel({.equations = equations}).make({}, 0.1);
    } catch (const Error& e) {
      return e.code() == ExitCode::usage;
    }
    return false;
  };
  const auto many = [](const char* text, int n) {
    std::string all;
    for (int i = 0; i < n; ++i) all += text;
    return all;
  };
  const std::string x = "dx/dt = ", unit = " : 1\n";
  EXPECT_TRUE(refused(x + many("(", 50000) + "1" + many(")", 50000) + unit));
  EXPECT_TRUE(refused(x + many("-", 5000) + "x" + unit));
  EXPECT_TRUE(refused(x + many("not ", 5000) + "x" + unit));
  EXPECT_TRUE(refused(x + many("x^", 3000) + "2" + unit));
  EXPECT_TRUE(refused(x + "1" + many("+x", 20000) + unit));
  EXPECT_TRUE(refused(many(" ", 100000)));
  std::string lines = "dx/dt = -x / (1 ms) : 1\na0 = x * x : 1\n";
  for (int i = 1; i < 1000; ++i)
    lines += "a" + std::to_string(i) + " = a" + std::to_string(i - 1) + " * (a" + std::to_string(i - 1) + " + 1) : 1\n";
  EXPECT_TRUE(refused(lines));
  std::string deep = "dx/dt = a400 / (1 ms) : 1\na0 = x * x : 1\n";
  for (int i = 1; i <= 400; ++i) {
    const std::string before = "a" + std::to_string(i - 1);
    deep += "a" + std::to_string(i) + " = " + before + " * (" + before + " + 1) * (" + before + " + 2) : 1\n";
  }
  EXPECT_TRUE(refused(deep)) << "each is the third power of the one before";
  std::string wide = "dx/dt = 0 /ms : 1\ny = x";
  for (int i = 0; i < 200; ++i) wide += " + exp(x * " + std::to_string(i) + ") * log(x + " + std::to_string(i) + ")";
  EXPECT_NO_THROW(EquationModel({.equations = wide + " : 1"}).make({}, 0.1));
}

// --- in networks ----------------------------------------------------------------------------------------------------------------

struct Busy {
  Network net{{.dt = 0.1, .seed = 3}};
  Population e, i;
  Projection learns;
  const SpikeRecord *spikes_e, *spikes_i;
  const Multimeter* meter;

  Busy()
      : e(net.create(EquationModel({.equations = R"(
                        dv/dt = (E_L - v + R * (I_ex + I_in + I)) / tau : mV (unless refractory)
                        dI_ex/dt = -I_ex / (2 ms) : pA
                        dI_in/dt = -I_in / (5 ms) : pA
                        drive = I_ex + I_in + I : pA
                        E_L = -70 mV : mV
                        R = 40 MOhm : MOhm
                        tau = 10 ms : ms
                      )",
                                    .threshold = "v > -55 mV",
                                    .reset = "v = -70 mV",
                                    .refractory = "2 ms",
                                    .excitatory = "I_ex += w",
                                    .inhibitory = "I_in += w",
                                    .initial = "v = E_L"}),
                     900, {{"v", Value::normal(-60, 4)}, {"E_L", Value::uniform(-72, -68)}})),
        i(net.create(EquationModel(traub("")), 333)) {
    net.connect(e, e, Rule::fixed_indegree(60), {.weight = Value::normal(20, 5), .delay = Value::uniform(1.5, 6)});
    learns = net.connect(e, e.slice(0, 100), Rule::fixed_indegree(20),
                         {.weight = 20, .delay = 1.5, .model = "stdp_synapse", .parameters = {{"Wmax", 60}}});
    net.connect(e, i, Rule::pairwise_bernoulli(0.1), {.weight = 0.5, .delay = 1.5});
    net.connect(i, e, Rule::fixed_total_number(20000), {.weight = -8, .delay = 2});
    net.connect(PoissonGenerator{.rate = 9000}, e, 30);
    net.connect(PoissonGenerator{.rate = 9000}, i.slice(50, 200), 1);
    net.connect(DcGenerator{.amplitude = 200, .start = 10, .stop = 50}, i.slice(100, 100));
    net.connect(StepCurrentGenerator{.times = {20, 40}, .values = {150, -100}}, e.slice(0, 450));
    spikes_e = &net.record_spikes(e.slice(5, 800)), spikes_i = &net.record_spikes(i);
    meter = &net.record(e.slice(440, 100), {"v", "drive", "E_L", "I_in", "I_ex"}, 0.7);
  }
  bool same(const Busy& b) const {
    return spikes_e->step == b.spikes_e->step && spikes_e->neuron == b.spikes_e->neuron && spikes_i->step == b.spikes_i->step &&
           spikes_i->neuron == b.spikes_i->neuron && meter->values == b.meter->values;
  }
};

class EquationNetworks : public testing::Test {
 protected:
  void TearDown() override { set_thread_count(2), kernels::set_simd_level(""); }
};

TEST_F(EquationNetworks, NeitherThreadsNorSimdLevelsChangeABit) {
  set_thread_count(1);
  Busy one;
  one.net.simulate(100);
  EXPECT_GT(one.net.spikes(one.e), 900u);
  EXPECT_GT(one.net.spikes(one.i), 100u);
  for (const int threads : {2, 7}) {
    set_thread_count(threads);
    Busy other;
    other.net.simulate(100);
    EXPECT_TRUE(one.same(other)) << threads << " threads";
    EXPECT_EQ(one.net.events(), other.net.events());
    EXPECT_EQ(one.net.synapses(one.learns).weight, other.net.synapses(other.learns).weight);
  }
  kernels::set_simd_level("scalar");
  Busy scalar;
  scalar.net.simulate(100);
  EXPECT_TRUE(one.same(scalar));
}

TEST_F(EquationNetworks, GoOnFromASavedStateBitForBit) {
  Busy whole, first;
  whole.net.simulate(80);
  first.net.simulate(30);
  set_thread_count(3);  // who goes on need not have as many
  Busy second;
  second.net.set_state(first.net.state(true), "memory");
  second.net.simulate(50);
  EXPECT_TRUE(whole.same(second));
  Network other;
  other.create(EquationModel({.equations = "dv/dt = -v / (1 ms) : mV"}), 900);
  EXPECT_THROW(other.set_state(first.net.state(), "memory"), Error);
}

TEST_F(EquationNetworks, VariablesThatAreNotStatesAreRecordedToo) {
  Busy b;
  b.net.simulate(45);
  const auto& m = *b.meter;  // of neurons 440 to 539; the first ten get a current: sent at 20 and 40 ms, it acts 1 ms later
  for (std::size_t s = 0; s < m.samples(); ++s) {
    const double t = 0.7 * static_cast<double>(s + 1), current = t < 21.05 ? 0 : t < 41.05 ? 150 : -100;
    for (std::size_t k = 0; k < 100; ++k) {
      const double drive = m.at(s, 1, k), E_L = m.at(s, 2, k), I_in = m.at(s, 3, k), I_ex = m.at(s, 4, k);
      EXPECT_NEAR(drive - I_ex - I_in, k < 10 ? current : 0, 1e-9) << t << " ms, neuron " << k;
      EXPECT_EQ(E_L, m.at(0, 2, k)) << "a parameter of the neuron";
      EXPECT_TRUE(E_L >= -72 && E_L < -68);
    }
  }
  EXPECT_NE(m.at(0, 2, 0), m.at(0, 2, 1));
  EXPECT_NE(m.at(30, 4, 0), 0);
}

TEST_F(EquationNetworks, TellVariablesThatAreNoNumbers) {
  Network net;
  net.create("iaf_psc_delta", 5);
  const auto n =
      net.create(EquationModel({.equations = "dv/dt = v^2 / (1 mV * ms) : mV", .initial = "v = 1 mV", .name = "blows_up"}), 70, {}, "mine");
  net.record_spikes(n);
  try {
    net.simulate(10);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
    EXPECT_THAT(e.what(), AllOf(HasSubstr("a variable is no finite number"), HasSubstr("population mine (blows_up, 70 neurons) at 1")));
  }
}

TEST_F(EquationNetworks, RefuseWhatTheEquationsDoNotKnow) {
  Network net;
  const auto n = net.create(EquationModel({.equations = "dv/dt = -v / (1 ms) : mV"}), 3);
  EXPECT_THROW(net.connect(n, n, Rule::all_to_all()), Error);
  EXPECT_THROW(net.connect(PoissonGenerator{.rate = 1}, n), Error);
  EXPECT_THROW(net.connect(DcGenerator{.amplitude = 1}, n), Error);
  EXPECT_THROW(net.record(n, {"u"}), Error);
  EXPECT_THROW(net.create(EquationModel({.equations = "dv/dt = -v / (1 ms) : mV"}), 3, {{"u", 1.0}}), Error);
}

TEST_F(EquationNetworks, AFileDescribesTheSame) {
  const std::string file = R"(
[model.lif]
equations = """
dv/dt = (E_L - v + R * (I_syn + I)) / tau : mV (unless refractory)
dI_syn/dt = -I_syn / tau_syn : pA
E_L = -70 mV : mV
R = 40 MOhm : MOhm
tau : ms
tau_syn = 2 ms : ms
"""
threshold = "v > -55 mV"
reset = "v = -60 mV"
refractory = "2 ms"
synapses = "I_syn += w"
initial = "v = E_L"
tau = "0.01 s"
[model.slow]
copy = "lif"
tau = 20
[population.a]
model = "lif"
n = 50
v = {distribution = "uniform", min = "-0.07 V", max = -56}
[population.b]
model = "slow"
n = 50
[connection.ab]
from = "a"
to = ["a", "b"]
rule = "fixed_indegree"
indegree = 10
weight = "0.03 nA"
[device.drive]
model = "poisson_generator"
rate = "9 kHz"
to = ["a", "b"]
weight = 40
[device.dc]
model = "dc_generator"
amplitude = 100
to = "b"
[record.spikes]
model = "spike_recorder"
from = ["a", "b"]
[record.v]
model = "multimeter"
from = "b[3:5]"
)";
  Described d = describe(Config::parse(file, "file.toml"));
  d.network.simulate(50);
  const EquationModel lif({.equations = R"(
                             dv/dt = (E_L - v + R * (I_syn + I)) / tau : mV (unless refractory)
                             dI_syn/dt = -I_syn / tau_syn : pA
                             E_L = -70 mV : mV
                             R = 40 MOhm : MOhm
                             tau : ms
                             tau_syn = 2 ms : ms
                           )",
                           .threshold = "v > -55 mV",
                           .reset = "v = -60 mV",
                           .refractory = "2 ms",
                           .synapses = "I_syn += w",
                           .initial = "v = E_L"});
  Network net;
  const auto a = net.create(lif, 50, {{"tau", 10.0}, {"v", Value::uniform(-70, -56)}}), b = net.create(lif, 50, {{"tau", 20.0}});
  for (const auto to : {a, b}) net.connect(a, to, Rule::fixed_indegree(10), {.weight = 30});
  for (const auto to : {a, b}) net.connect(PoissonGenerator{.rate = 9000}, to, 40);
  net.connect(DcGenerator{.amplitude = 100}, b);
  const auto &sa = net.record_spikes(a), &sb = net.record_spikes(b);
  const auto& v = net.record(b.slice(3, 2), {"v"});
  net.simulate(50);
  EXPECT_GT(sa.size(), 50u);
  EXPECT_GT(sb.size(), 20u);
  EXPECT_EQ(d.spikes.at(0).record->step, sa.step);
  EXPECT_EQ(d.spikes.at(1).record->step, sb.step);
  EXPECT_EQ(d.traces.at(0).record->variables, std::vector<std::string>{"v"});
  EXPECT_EQ(d.traces.at(0).record->values, v.values);

  const auto message = [&](const std::string& from, const std::string& to) -> std::string {
    std::string changed = file;
    changed.replace(changed.find(from), from.size(), to);
    try {
      describe(Config::parse(changed, "file.toml"));
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_THAT(message("(E_L - v", "(E_M - v"), AllOf(HasSubstr("file.toml: model.lif: equations, line 1, column 10"), HasSubstr("'E_L'")));
  EXPECT_THAT(message("\"0.03 nA\"", "\"0.03 nS\""), HasSubstr("must be in pA"));
  EXPECT_THAT(message("\"0.01 s\"", "\"0.01 V\""), HasSubstr("must be in ms"));
  EXPECT_THAT(message("tau = \"0.01 s\"", ""), AllOf(HasSubstr("'tau' has no value"), HasSubstr("population.a")));
  EXPECT_THAT(message("threshold =", "treshold ="), HasSubstr("'threshold'"));
  EXPECT_THAT(message("threshold =", "copy = \"iaf_psc_exp\"\nthreshold ="), HasSubstr("either 'equations' or 'copy'"));
}

}  // namespace
}  // namespace apical::brain
