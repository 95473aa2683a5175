#include "apical/brain/models.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "apical/base/error.h"
#include "apical/base/named.h"
#include "apical/base/text.h"
#include "apical/brain/model_entry.h"

namespace apical::brain {
namespace {

// What a current that decays with tau_syn does to the membrane within a step (P32 of Rotter and Diesmann), and what dI of an alpha function
// does (P31). Written with expm1, so that close time constants cost no digits; at equal ones the limit.
struct Propagators {
  double P31, P32;
};
Propagators propagators(double tau_syn, double tau_m, double C_m, double h) {
  const double beta = tau_syn * tau_m / (tau_m - tau_syn), gamma = beta / C_m, e = std::exp(-h / tau_syn);
  const double rise = std::expm1(h * (tau_m - tau_syn) / (tau_syn * tau_m));
  const double P32 = gamma * e * rise;
  const double limit = std::exp(-h / tau_m) * h / C_m;
  // beta expm1(h / beta) - h loses digits as beta grows; below this the limit is closer (NEST's criterion)
  const bool close = h <= 1e-7 * tau_m * tau_m / std::fabs(tau_m - tau_syn);
  return {close ? 0.5 * h * limit : gamma * e * (beta * rise - h), std::isnormal(P32) && P32 > 0 ? P32 : limit};
}

template <class M>
void common(M& m, const Given& given, double dt) {
  const double E_L = given("E_L");
  m.I_e = given("I_e"), m.theta = given("V_th") - E_L, m.v_reset = given("V_reset") - E_L;
  if (!(m.v_reset < m.theta))
    throw usage_error("V_reset must be below V_th", number(given("V_reset")) + " mV and " + number(given("V_th")) + " mV");
  m.refractory = whole_steps(given, "t_ref", dt);
}

void make_psc(Model& model, const Given& given, double dt) {
  const double C_m = given.positive("C_m"), tau_m = given.positive("tau_m"), E_L = given("E_L");
  const double leak = std::expm1(-dt / tau_m);  // exp(-dt/tau_m) - 1
  if (model.name == "iaf_psc_delta") {
    kernels::IafPscDelta m{};
    common(m, given, dt);
    m.refractory_input = given("refractory_input") != 0;
    if (m.refractory_input) model.states = 2;
    m.P33 = std::exp(-dt / tau_m), m.P30 = tau_m / C_m * (1 - m.P33), m.v_min = given("V_min") - E_L;
    model.step = m;
    return;
  }
  const double tau[2] = {given.positive("tau_syn_ex"), given.positive("tau_syn_in")};
  const int ports = model.ports = tau[0] == tau[1] ? 1 : 2;
  const bool alpha = model.name == "iaf_psc_alpha";
  const int per_port = alpha ? 2 : 1;
  model.states = 1 + ports * per_port;
  for (int k = 0; k < ports; ++k) {
    model.variables.push_back(ports == 1 ? "I_syn" : k == 0 ? "I_syn_ex" : "I_syn_in");
    model.variable_state.push_back(per_port * (k + 1));
  }
  if (alpha) {
    kernels::IafPscAlpha m{};
    common(m, given, dt);
    m.ports = ports, m.P33m = leak, m.P30 = -tau_m / C_m * leak, m.v_min = given("V_min") - E_L;
    for (int k = 0; k < 2; ++k) {
      const auto p = propagators(tau[k], tau_m, C_m, dt);
      m.P11[k] = std::exp(-dt / tau[k]), m.P21[k] = dt * m.P11[k], m.P31[k] = p.P31, m.P32[k] = p.P32, m.psc[k] = std::numbers::e / tau[k];
    }
    model.step = m;
  } else {
    kernels::IafPscExp m{};
    common(m, given, dt);
    m.ports = ports, m.P22 = std::exp(-dt / tau_m), m.P20 = tau_m / C_m * (1 - m.P22);
    for (int k = 0; k < 2; ++k) m.P11[k] = std::exp(-dt / tau[k]), m.P21[k] = propagators(tau[k], tau_m, C_m, dt).P32;
    model.step = m;
    if (model.name == "if_curr_exp") {
      kernels::IfCurrExp now{m, {}};
      for (int k = 0; k < 2; ++k) now.P21_now[k] = m.P20 * tau[k] * -std::expm1(-dt / tau[k]) / dt, now.P21[k] = now.P21_now[k] * m.P11[k];
      model.step = now;
    }
  }
}

// int_0^h (t - middle)^moment t^power exp(-t/tau) dt, by Gauss's rule of four points on 32 pieces: no digits are lost for any h / tau.
double integral(double h, double tau, double middle, int moment, int power) {
  static constexpr double at[] = {0.861136311594052575, 0.339981043584856265}, weight[] = {0.347854845137453857, 0.652145154862546143};
  double sum = 0;
  for (int piece = 0; piece < 32; ++piece)
    for (int k = 0; k < 4; ++k) {
      const double t = h / 64 * (2 * piece + 1 + (k < 2 ? at[k] : -at[k - 2]));
      sum += h / 64 * weight[k % 2] * (moment ? t - middle : 1) * (power ? t : 1) * std::exp(-t / tau);
    }
  return sum;
}

void two_conductances(Model& model, int first, int step) {
  model.ports = 2;
  for (int k = 0; k < 2; ++k) model.variables.push_back(k == 0 ? "g_ex" : "g_in"), model.variable_state.push_back(first + step * k);
}

void make_cond(Model& model, const Given& given, double dt) {
  const double C_m = given.positive("C_m"), E_L = given("E_L");
  const double tau[2] = {given.positive("tau_syn_ex"), given.positive("tau_syn_in")}, E[2] = {given("E_ex"), given("E_in")};
  kernels::IafCond m{};
  common(m, given, dt);
  m.alpha = model.name == "iaf_cond_alpha";
  m.leak = given.positive("g_L") * dt / C_m, m.per_C = dt / C_m;
  for (int k = 0; k < 2; ++k) {
    m.G0[k] = integral(dt, tau[k], 0, 0, 0) / C_m, m.G1[k] = integral(dt, tau[k], dt / 2, 1, 0) / (dt * C_m);
    m.D0[k] = integral(dt, tau[k], 0, 0, 1) / C_m, m.D1[k] = integral(dt, tau[k], dt / 2, 1, 1) / (dt * C_m);
    m.P11[k] = std::exp(-dt / tau[k]), m.P21[k] = dt * m.P11[k], m.E[k] = E[k] - E_L;
    m.psc[k] = (k == 0 ? 1 : -1) * (m.alpha ? std::numbers::e / tau[k] : 1);
  }
  model.step = m, model.states = m.alpha ? 5 : 3;
  two_conductances(model, m.alpha ? 2 : 1, m.alpha ? 2 : 1);
}

// Where NEST's gates start: in equilibrium at E_L, as if V_T were 0.
void traub_equilibrium(double V, double& m, double& h, double& n) {
  const auto ratio = [](double x, double k) { return x == 0 ? k : x / std::expm1(x / k); };
  const double a_m = 0.32 * ratio(13 - V, 4), b_m = 0.28 * ratio(V - 40, 5), a_h = 0.128 * std::exp((17 - V) / 18),
               b_h = 4 / (1 + std::exp((40 - V) / 5)), a_n = 0.032 * ratio(15 - V, 5), b_n = 0.5 * std::exp((10 - V) / 40);
  m = a_m / (a_m + b_m), h = a_h / (a_h + b_h), n = a_n / (a_n + b_n);
}

void make_hh(Model& model, const Given& given, double dt) {
  const double tau[2] = {given.positive("tau_syn_ex"), given.positive("tau_syn_in")};
  kernels::HhCondExpTraub m{};
  m.per_C = 1 / given.positive("C_m"), m.g_L = given.not_negative("g_L"), m.g_Na = given.not_negative("g_Na"),
  m.g_K = given.not_negative("g_K");
  m.E_L = given("E_L"), m.E_Na = given("E_Na"), m.E_K = given("E_K"), m.E[0] = given("E_ex"), m.E[1] = given("E_in");
  m.I_e = given("I_e"), m.V_T = given("V_T"), m.refractory = whole_steps(given, "t_ref", dt);
  for (int way = 0; way < m.kWays; ++way) {
    kernels::HhBlock& b = m.block[way];
    b.count = static_cast<int>(std::ceil(dt / m.kLongest[way] - 1e-9)), b.dt = dt / b.count;
    for (int k = 0; k < 2; ++k)
      for (int j = 1; j <= 4; ++j)
        for (int i = 0; i < j; ++i) b.left[k][j * (j - 1) / 2 + i] = std::exp(-b.dt * (i + 1) / j / tau[k]);
  }
  for (int k = 0; k < 2; ++k) m.P11[k] = std::exp(-dt / tau[k]);
  model.step = m, model.states = 6, model.E_L = 0;
  double act_m, inact_h, act_n;
  traub_equilibrium(given("E_L"), act_m, inact_h, act_n);
  model.start = {0, act_m, inact_h, act_n};
  model.variables.insert(model.variables.end(), {"Act_m", "Inact_h", "Act_n"}),
      model.variable_state.insert(model.variable_state.end(), {1, 2, 3});
  for (int k = 1; k < 4; ++k)
    if (given.has(model.variables[static_cast<std::size_t>(k)]))
      model.start[static_cast<std::size_t>(k)] = given.not_negative(model.variables[static_cast<std::size_t>(k)]);
  two_conductances(model, 4, 1);
}

void make_aeif(Model& model, const Given& given, double dt) {
  kernels::AeifCondExp m{};
  const double tau[2] = {given.positive("tau_syn_ex"), given.positive("tau_syn_in")};
  m.parts = static_cast<int>(std::ceil(dt / std::min({0.1, tau[0] / 4, tau[1] / 4}) - 1e-9)), m.dt = dt;
  for (int k = 0; k < 2; ++k) m.P11[k] = std::exp(-dt / tau[k]), m.per_tau_syn[k] = 1 / tau[k];
  m.per_C = 1 / given.positive("C_m"), m.g_L = given.not_negative("g_L"), m.E_L = given("E_L"), m.E[0] = given("E_ex"),
  m.E[1] = given("E_in");
  m.Delta_T = given.not_negative("Delta_T"), m.V_th = given("V_th"), m.V_peak = given("V_peak"), m.V_reset = given("V_reset");
  m.a = given("a"), m.b = given("b"), m.per_tau_w = 1 / given.positive("tau_w"), m.I_e = given("I_e");
  m.refractory = whole_steps(given, "t_ref", dt);
  if (m.V_peak < m.V_th || m.V_reset >= m.V_peak)
    throw usage_error("V_peak must be above V_reset, and not below V_th", number(m.V_peak) + " mV",
                      "V_reset " + number(m.V_reset) + ", V_th " + number(m.V_th));
  if (m.Delta_T > 0 && (m.V_peak - m.V_th) / m.Delta_T > 600)
    throw usage_error("(V_peak - V_th) / Delta_T must be at most 600", number(m.Delta_T) + " mV");
  if (m.Delta_T == 0) m.V_peak = m.V_th;
  model.step = m, model.states = 4, model.E_L = 0, model.start = {0, given("w")};
  model.variables.push_back("w"), model.variable_state.push_back(1);
  two_conductances(model, 2, 1);
}

void make_izhikevich(Model& model, const Given& given, double dt) {
  model.step = kernels::Izhikevich{.consistent = given("consistent_integration") != 0,
                                   .dt = dt,
                                   .a = given("a"),
                                   .b = given("b"),
                                   .d = given("d"),
                                   .I_e = given("I_e"),
                                   .theta = given("V_th"),
                                   .v_reset = given("c"),
                                   .v_min = given("V_min"),
                                   .refractory = 0};
  if (!(given("c") < given("V_th")))
    throw usage_error("c must be below V_th", number(given("c")) + " mV and " + number(given("V_th")) + " mV");
  model.states = 2, model.start = {0, given("U_m")};
  model.variables.push_back("U_m"), model.variable_state.push_back(1);
}

void make_gif(Model& model, const Given& given, double dt) {
  const double C_m = given.positive("C_m"), g_L = given.positive("g_L"), E_L = given("E_L"), tau_m = C_m / g_L;
  kernels::GifPscExp m{};
  m.P33 = std::exp(-dt / tau_m), m.P30 = -std::expm1(-dt / tau_m) / g_L;
  for (int k = 0; k < 2; ++k) {
    const double tau = given.positive(k == 0 ? "tau_syn_ex" : "tau_syn_in");
    m.P11[k] = std::exp(-dt / tau), m.P21[k] = propagators(tau, tau_m, C_m, dt).P32;
  }
  const auto elements = [&](const std::string& kind, int& count, double* decay, double* q) {
    const auto taus = given.list("tau_" + kind), qs = given.list("q_" + kind);
    if (taus.size() != qs.size() || taus.size() > m.kElements)
      throw usage_error("tau_" + kind + " and q_" + kind + " need as many numbers as each other, at most " + std::to_string(m.kElements),
                        std::to_string(taus.size()) + " and " + std::to_string(qs.size()));
    for (const double tau : taus)
      if (!(tau > 0 && std::isfinite(tau))) throw usage_error("tau_" + kind + " must be positive", number(tau) + " ms");
    for (const double x : qs)
      if (!std::isfinite(x)) throw usage_error("q_" + kind + " is not a finite number");
    count = static_cast<int>(taus.size());
    for (std::size_t k = 0; k < taus.size(); ++k) decay[k] = std::exp(-dt / taus[k]), q[k] = qs[k];
  };
  elements("stc", m.stc, m.P_stc, m.q_stc), elements("sfa", m.sfa, m.P_sfa, m.q_sfa);
  m.I_e = given("I_e"), m.threshold = given("V_T_star") - E_L, m.v_reset = given("V_reset") - E_L,
  m.per_Delta_V = 1 / given.positive("Delta_V");
  m.lambda_h = given.not_negative("lambda_0") / 1000 * dt, m.refractory = whole_steps(given, "t_ref", dt);
  model.step = m, model.states = 5 + m.stc + m.sfa, model.ports = 2, model.by_chance = true;
  model.variables.insert(model.variables.end(), {"I_syn_ex", "I_syn_in", "E_sfa", "I_stc"});
  model.variable_state.insert(model.variable_state.end(), {1, 2, 3, 4});
}

void make_parrot(Model& model, const Given&, double) { model.step = kernels::Parrot{}; }

const std::vector<ModelEntry>& entries() {
  static const std::vector<ModelEntry> all = [] {
    const auto traces = with_defaults({{"tau_minus", 20}, {"tau_minus_triplet", 110}});
    const auto psc = [](std::initializer_list<std::pair<const char*, double>> more, std::vector<ParameterInfo> own = {}) {
      auto p = with_defaults(
          {{"E_L", -70}, {"C_m", 250}, {"tau_m", 10}, {"t_ref", 2}, {"V_th", -55}, {"V_reset", -70}, {"I_e", 0}, {"V_m", -70}});
      const auto rest = with_defaults(more, std::move(own));
      p.insert(p.end(), rest.begin(), rest.end());
      return p;
    };
    const auto cond = with_defaults({{"E_L", -70},
                                     {"C_m", 250},
                                     {"g_L", 16.6667},
                                     {"t_ref", 2},
                                     {"V_th", -55},
                                     {"V_reset", -60},
                                     {"E_ex", 0},
                                     {"E_in", -85},
                                     {"tau_syn_ex", 0.2},
                                     {"tau_syn_in", 2},
                                     {"I_e", 0},
                                     {"V_m", -70}});
    const std::string fires = "\nV_m >= V_th: a spike; V_m = V_reset for t_ref";
    const std::string current_leak = "dV_m/dt = -(V_m - E_L) / tau_m + (I_syn_ex + I_syn_in + I_e + I) / C_m\n";
    const std::string conductance_leak = "C_m dV_m/dt = -g_L (V_m - E_L) - g_ex (V_m - E_ex) - g_in (V_m - E_in) + I_e + I\n";
    const std::string conductances = "dg_x/dt = -g_x / tau_syn_x\nspike that arrives: g_ex += w where w >= 0, else g_in -= w";
    std::vector<ModelEntry> list{
        {{"iaf_psc_delta", "leaky integrate and fire; a spike moves the membrane by its weight (mV)",
          psc({{"V_min", kNone}}, {{"refractory_input", "", "1: what arrives while refractory is kept and acts afterwards", 0}}), "mV",
          "dV_m/dt = -(V_m - E_L) / tau_m + (I_e + I) / C_m\nspike that arrives: V_m += w" + fires},
         make_psc},
        {{"iaf_psc_exp", "leaky integrate and fire; synaptic currents jump by the weight (pA) and decay exponentially",
          psc({{"tau_syn_ex", 2}, {"tau_syn_in", 2}}), "pA",
          current_leak + "dI_syn_x/dt = -I_syn_x / tau_syn_x\nspike that arrives: I_syn_ex += w where w >= 0, else I_syn_in += w" + fires},
         make_psc},
        {{"if_curr_exp", "iaf_psc_exp as SpiNNaker steps it: what arrives acts on the membrane within the step it arrives in",
          psc({{"tau_syn_ex", 2}, {"tau_syn_in", 2}}), "pA",
          current_leak +
              "dI_syn_x/dt = -I_syn_x / tau_syn_x\nspike that arrives: I_syn_ex += w where w >= 0, else I_syn_in += w\n"
              "in a step: I_syn_x += w; V_m moves with the mean of I_syn_x over the step; I_syn_x decays" +
              fires},
         make_psc},
        {{"iaf_psc_alpha", "leaky integrate and fire; synaptic currents are alpha functions whose peak is the weight (pA)",
          psc({{"tau_syn_ex", 2}, {"tau_syn_in", 2}, {"V_min", kNone}}), "pA",
          current_leak + "spike that arrives at 0: I_syn_x += w e t / tau_syn_x exp(-t / tau_syn_x), x by the sign of w" + fires},
         make_psc},
        {{"iaf_cond_exp", "leaky integrate and fire; synaptic conductances jump by the weight (nS) and decay exponentially", cond, "nS",
          conductance_leak + conductances + fires},
         make_cond},
        {{"iaf_cond_alpha", "leaky integrate and fire; synaptic conductances are alpha functions whose peak is the weight (nS)", cond, "nS",
          conductance_leak + "spike that arrives at 0: g_x += |w| e t / tau_syn_x exp(-t / tau_syn_x), x by the sign of w" + fires},
         make_cond},
        {{"hh_cond_exp_traub", "Hodgkin-Huxley (Traub and Miles); synaptic conductances jump by the weight (nS) and decay exponentially",
          with_defaults({{"E_L", -60},
                         {"C_m", 200},
                         {"g_L", 10},
                         {"E_ex", 0},
                         {"E_in", -80},
                         {"tau_syn_ex", 5},
                         {"tau_syn_in", 10},
                         {"I_e", 0},
                         {"V_m", -60}},
                        {{"t_ref", "ms", "time after a spike in which no other one is sent", 2},
                         {"g_Na", "nS", "conductance of sodium", 20000},
                         {"g_K", "nS", "conductance of potassium", 6000},
                         {"E_Na", "mV", "reversal potential of sodium", 50},
                         {"E_K", "mV", "reversal potential of potassium", -90},
                         {"V_T", "mV", "shifts the rates of the gates; the threshold is about 13 mV above", -63},
                         {"Act_m", "", "activation of sodium at the start; that in equilibrium at E_L with V_T = 0 when not given", 0},
                         {"Inact_h", "", "inactivation of sodium at the start, the same", 0},
                         {"Act_n", "", "activation of potassium at the start, the same", 0}}),
          "nS",
          "C_m dV_m/dt = -g_L (V_m - E_L) - g_Na m^3 h (V_m - E_Na) - g_K n^4 (V_m - E_K) - g_ex (V_m - E_ex) - g_in (V_m - E_in) + I_e + "
          "I\n"
          "dx/dt = alpha_x(V_m - V_T) (1 - x) - beta_x(V_m - V_T) x for x = m, h, n\n" +
              conductances + "\nV_m falls and is at least V_T + 30 mV, more than t_ref after the last: a spike"},
         make_hh},
        {{"aeif_cond_exp", "adaptive exponential integrate and fire; synaptic conductances jump by the weight (nS) and decay exponentially",
          with_defaults({{"E_L", -70.6},
                         {"C_m", 281},
                         {"g_L", 30},
                         {"t_ref", 0},
                         {"V_reset", -60},
                         {"E_ex", 0},
                         {"E_in", -85},
                         {"tau_syn_ex", 0.2},
                         {"tau_syn_in", 2},
                         {"I_e", 0},
                         {"V_m", -70.6}},
                        {{"V_th", "mV", "where the exponential begins to grow", -50.4},
                         {"V_peak", "mV", "a spike has come", 0},
                         {"Delta_T", "mV", "how soft the threshold is; 0: fires at V_th", 2},
                         {"a", "nS", "adaptation below the threshold", 4},
                         {"b", "pA", "the adaptation current grows by this at a spike", 80.5},
                         {"tau_w", "ms", "time constant of the adaptation current", 144},
                         {"w", "pA", "the adaptation current at the start", 0}}),
          "nS",
          "C_m dV_m/dt = -g_L (V_m - E_L) + g_L Delta_T exp((V_m - V_th) / Delta_T) - g_ex (V_m - E_ex) - g_in (V_m - E_in) - w + I_e + I\n"
          "tau_w dw/dt = a (V_m - E_L) - w\n" +
              conductances + "\nV_m >= V_peak: a spike; V_m = V_reset for t_ref, w += b"},
         make_aeif},
        {{"izhikevich", "Izhikevich's neuron of two variables; a spike moves the membrane by its weight (mV)",
          with_defaults({{"V_th", 30}, {"V_min", kNone}, {"I_e", 0}},
                        {{"a", "1/ms", "how fast U_m recovers", 0.02},
                         {"b", "1/ms", "how much U_m follows the membrane", 0.2},
                         {"c", "mV", "the membrane after a spike", -65},
                         {"d", "mV/ms", "U_m grows by this at a spike", 8},
                         {"V_m", "mV", "the membrane at the start", -65},
                         {"U_m", "mV/ms", "the recovery variable at the start", -13},
                         {"consistent_integration", "", "1: Euler's steps; 0: the steps of Izhikevich's program, for dt = 1 ms", 1}}),
          "mV",
          "dV_m/dt = 0.04 V_m^2 + 5 V_m + 140 - U_m + I_e + I (V_m in mV, t in ms)\ndU_m/dt = a (b V_m - U_m)\n"
          "spike that arrives: V_m += w\nV_m >= V_th: a spike; V_m = c, U_m += d"},
         make_izhikevich},
        {{"gif_psc_exp",
          "generalised integrate and fire: spikes by chance, spike-triggered currents and threshold; synaptic currents jump by the weight "
          "(pA)",
          with_defaults({{"E_L", -70},
                         {"C_m", 80},
                         {"g_L", 4},
                         {"t_ref", 4},
                         {"V_reset", -55},
                         {"tau_syn_ex", 2},
                         {"tau_syn_in", 2},
                         {"I_e", 0},
                         {"V_m", -70}},
                        {{"V_T_star", "mV", "the threshold without spikes", -35},
                         {"Delta_V", "mV", "how soft the threshold is", 0.5},
                         {"lambda_0", "1/s", "spikes a second where the membrane is at the threshold", 1},
                         {"tau_stc", "ms", "time constants of the spike-triggered currents", 0, true},
                         {"q_stc", "pA", "how much each of them grows at a spike", 0, true},
                         {"tau_sfa", "ms", "time constants of the parts of the threshold", 0, true},
                         {"q_sfa", "mV", "how much each of them grows at a spike", 0, true}}),
          "pA",
          "C_m dV_m/dt = -g_L (V_m - E_L) - sum stc_i + I_syn_ex + I_syn_in + I_e + I\n"
          "dI_syn_x/dt = -I_syn_x / tau_syn_x\nspike that arrives: I_syn_ex += w where w >= 0, else I_syn_in += w\n"
          "dstc_i/dt = -stc_i / tau_stc_i, dsfa_i/dt = -sfa_i / tau_sfa_i\n"
          "a spike by chance, lambda_0 exp((V_m - V_T_star - sum sfa_i) / Delta_V) a second; V_m = V_reset for t_ref, stc_i += q_stc_i, "
          "sfa_i += q_sfa_i"},
         make_gif},
        {{"parrot_neuron",
          "sends a spike in each step in which anything arrives, whatever its weight; V_m has no meaning",
          {},
          "",
          "spike that arrives in a step: a spike in that step"},
         make_parrot}};
    for (ModelEntry& e : cell_models()) list.push_back(std::move(e));
    for (ModelEntry& e : list) e.info.parameters.insert(e.info.parameters.end(), traces.begin(), traces.end());
    return list;
  }();
  return all;
}

const ModelEntry& entry(std::string_view name) {
  return named(entries(), name, "no neuron model is called", {}, [](const ModelEntry& e) -> const std::string& { return e.info.name; });
}

}  // namespace

double whole_steps(double ms, const std::string& name, double dt) {
  const double steps = std::round(ms / dt);
  if (!(ms >= 0) || steps >= 1 << 24) throw usage_error(name + " must be 0 or more, and less than 2^24 steps", number(ms) + " ms");
  if (std::fabs(steps * dt - ms) > 1e-6 * dt)
    throw usage_error(name + " is not a multiple of the step", number(ms) + " ms and " + number(dt) + " ms");
  return steps;
}

const std::vector<ModelInfo>& models() {
  static const std::vector<ModelInfo> all = [] {
    std::vector<ModelInfo> infos;
    for (const auto& e : entries()) infos.push_back(e.info);
    return infos;
  }();
  return all;
}

const ModelInfo& model_info(std::string_view name) { return entry(name).info; }

Model make_model(std::string_view name, const Parameters& parameters, double dt) {
  const ModelEntry& e = entry(name);
  const Given given(e.info, parameters);
  const auto knows = [&](const char* parameter) {
    const auto& all = e.info.parameters;
    return std::any_of(all.begin(), all.end(), [&](const auto& p) { return p.name == parameter; });
  };
  const double E_L = knows("E_L") ? given("E_L") : 0, rest = knows("E_L") ? E_L : knows("V_m") ? given("V_m") : 0;
  Model model{.name = e.info.name,
              .step = {},
              .E_L = E_L,
              .V_m = rest,
              .ports = 1,
              .states = 1,
              .variables = {"V_m"},
              .variable_state = {0},
              .start = {}};
  if (const auto i = parameters.find("V_m"); i != parameters.end()) model.V_m = i->second;
  model.tau_minus = given.positive("tau_minus"), model.tau_minus_triplet = given.positive("tau_minus_triplet");
  model.receptors = static_cast<int>(e.info.receptors.size()) + 1;
  e.make(model, given, dt);
  return model;
}

}  // namespace apical::brain
