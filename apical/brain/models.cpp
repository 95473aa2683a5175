#include "apical/brain/models.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::brain {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();

std::vector<ParameterInfo> parameters_of(bool currents, bool bounded) {
  std::vector<ParameterInfo> p{{"E_L", "mV", "resting potential", -70},
                               {"C_m", "pF", "capacity of the membrane", 250},
                               {"tau_m", "ms", "time constant of the membrane", 10},
                               {"t_ref", "ms", "refractory time, in which the membrane stays at V_reset", 2},
                               {"V_th", "mV", "threshold", -55},
                               {"V_reset", "mV", "the membrane after a spike", -70},
                               {"I_e", "pA", "constant current", 0},
                               {"V_m", "mV", "the membrane at the start; E_L when not given", -70},
                               {"tau_minus", "ms", "time constant of the trace of its spikes that STDP reads", 20},
                               {"tau_minus_triplet", "ms", "the same of stdp_triplet_synapse's slower trace", 110}};
  if (currents) {
    p.push_back({"tau_syn_ex", "ms", "time constant of excitatory currents (weights >= 0)", 2});
    p.push_back({"tau_syn_in", "ms", "time constant of inhibitory currents (weights < 0)", 2});
  }
  if (bounded) p.push_back({"V_min", "mV", "the membrane does not go below", kNone});
  if (!currents) p.push_back({"refractory_input", "", "1: what arrives while refractory is kept and acts afterwards", 0});
  return p;
}

// The values of one population, checked.
class Given {
 public:
  Given(const ModelInfo& info, const Parameters& given) : info_(info), given_(given) {
    std::vector<std::string> known;
    for (const auto& p : info.parameters) known.push_back(p.name);
    for (const auto& [name, value] : given) {
      if (std::find(known.begin(), known.end(), name) == known.end())
        throw usage_error(info.name + " has no parameter '" + name + "'", {}, did_you_mean(name, known));
      if (!value.constant() && name != "V_m")
        throw usage_error(name + " is the same for all neurons of a population", info.name, "Only V_m, where neurons start, may be drawn.");
      if (name != "V_min") value.check(name);
    }
  }
  double operator()(const std::string& name) const {
    if (const auto i = given_.find(name); i != given_.end()) return i->second.a;
    for (const auto& p : info_.parameters)
      if (p.name == name) return p.standard;
    throw internal_error(info_.name + " has no parameter " + name);
  }
  double positive(const std::string& name) const {
    if (const double v = (*this)(name); v > 0) return v;
    throw usage_error(name + " must be positive", info_.name + ": " + number((*this)(name)));
  }

 private:
  const ModelInfo& info_;
  const Parameters& given_;
};

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
  const double E_L = given("E_L"), t_ref = given("t_ref"), steps = std::round(t_ref / dt);
  m.I_e = given("I_e"), m.theta = given("V_th") - E_L, m.v_reset = given("V_reset") - E_L;
  if (!(m.v_reset < m.theta))
    throw usage_error("V_reset must be below V_th", number(given("V_reset")) + " mV and " + number(given("V_th")) + " mV");
  if (t_ref < 0 || steps >= 1 << 24) throw usage_error("t_ref must be 0 or more, and less than 2^24 steps", number(t_ref) + " ms");
  if (std::fabs(steps * dt - t_ref) > 1e-6 * dt)
    throw usage_error("t_ref is not a multiple of the step", number(t_ref) + " ms and " + number(dt) + " ms");
  m.refractory = steps;
}

}  // namespace

const std::vector<ModelInfo>& models() {
  static const std::vector<ModelInfo> all{
      {"iaf_psc_delta", "leaky integrate and fire; a spike moves the membrane by its weight (mV)", parameters_of(false, true)},
      {"iaf_psc_exp", "leaky integrate and fire; synaptic currents jump by the weight (pA) and decay exponentially",
       parameters_of(true, false)},
      {"iaf_psc_alpha", "leaky integrate and fire; synaptic currents are alpha functions whose peak is the weight (pA)",
       parameters_of(true, true)}};
  return all;
}

const ModelInfo& model_info(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& m : models()) {
    if (m.name == name) return m;
    names.push_back(m.name);
  }
  throw usage_error("no neuron model is called '" + std::string(name) + "'", {}, did_you_mean(name, names));
}

Model make_model(std::string_view name, const Parameters& parameters, double dt) {
  const ModelInfo& info = model_info(name);
  const Given given(info, parameters);
  const double C_m = given.positive("C_m"), tau_m = given.positive("tau_m"), E_L = given("E_L");
  Model model{.name = info.name, .step = {}, .E_L = E_L, .V_m = E_L, .ports = 1, .states = 1, .variables = {"V_m"}, .variable_state = {0}};
  if (const auto i = parameters.find("V_m"); i != parameters.end()) model.V_m = i->second;
  model.tau_minus = given.positive("tau_minus"), model.tau_minus_triplet = given.positive("tau_minus_triplet");
  const double leak = std::expm1(-dt / tau_m);  // exp(-dt/tau_m) - 1
  if (name == "iaf_psc_delta") {
    kernels::IafPscDelta m{};
    common(m, given, dt);
    m.refractory_input = given("refractory_input") != 0;
    if (m.refractory_input) model.states = 2;
    m.P33 = std::exp(-dt / tau_m), m.P30 = tau_m / C_m * (1 - m.P33), m.v_min = given("V_min") - E_L;
    model.step = m;
    return model;
  }
  const double tau[2] = {given.positive("tau_syn_ex"), given.positive("tau_syn_in")};
  const int ports = model.ports = tau[0] == tau[1] ? 1 : 2;
  const bool alpha = name == "iaf_psc_alpha";
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
  }
  return model;
}

}  // namespace apical::brain
