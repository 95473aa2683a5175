// Cells that are not one membrane: pyramidal cells of two compartments, astrocytes, rate units (kernels/circuit).
#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/base/text.h"
#include "apical/brain/model_entry.h"

namespace apical::brain {
namespace {

void make_pyramidal(Model& model, const Given& given, double dt) {
  kernels::PyramidalNs2018 m{};
  const double tau[2] = {given.positive("tau_syn_ex"), given.positive("tau_syn_in")};
  m.parts = static_cast<int>(std::ceil(dt / std::min({0.1, tau[0] / 4, tau[1] / 4}) - 1e-9)), m.part = dt / m.parts;
  const auto decays = [&](int k, double tau_k) { m.half[k] = std::exp(-m.part / (2 * tau_k)), m.whole[k] = std::exp(-m.part / tau_k); };
  decays(0, given.positive("tau_w_s"));
  for (int port = 0; port < m.kPorts; ++port) decays(1 + port, tau[port % 2]);
  m.per_C = 1 / given.positive("C_m"), m.per_tau_m = 1 / given.positive("tau_m"), m.g_s = given("g_s"), m.b_s = given("b_s");
  m.per_C_d = 1 / given.positive("C_d"), m.per_tau_d = 1 / given.positive("tau_d"), m.g_d = given("g_d"), m.c_d = given("c_d");
  m.E_d = given("E_d"), m.per_D = 1 / given.positive("D_d"), m.a_d = given("a_d"), m.per_tau_w = 1 / given.positive("tau_w_d");
  m.E_L = given("E_L"), m.theta = given("V_th"), m.v_reset = given("V_reset"), m.I_e = given("I_e"), m.I_d = given("I_d");
  if (!(m.v_reset < m.theta)) throw usage_error("V_reset must be below V_th", number(m.v_reset) + " mV and " + number(m.theta) + " mV");
  m.refractory = whole_steps(given, "t_ref", dt), m.bap_steps = whole_steps(given, "bap_duration", dt);
  m.bap_ends = whole_steps(given, "bap_delay", dt) + m.bap_steps;
  model.step = m, model.states = m.kStates, model.ports = m.kPorts, model.E_L = 0;
  model.start = {0, given.has("V_d") ? given("V_d") : m.E_L, given("w_d"), given("w_s")};
  model.variables = {"V_m", "V_d", "w_d", "w_s", "I_syn_ex", "I_syn_in", "I_apical_ex", "I_apical_in"};
  model.variable_state = {0, 1, 2, 3, 4, 5, 6, 7};
}

void make_astrocyte(Model& model, const Given& given, double dt) {
  kernels::AstrocyteLr1994 m{};
  m.dt = dt, m.per_tau_IP3 = 1 / given.positive("tau_IP3"), m.ratio = given.positive("ratio_ER_cyt"), m.Ca_tot = given.positive("Ca_tot");
  m.Kd_act = given.positive("Kd_act"), m.Kd_IP3_1 = given.positive("Kd_IP3_1"), m.Kd_IP3_2 = given.positive("Kd_IP3_2");
  m.Km_SERCA = given.positive("Km_SERCA"), m.SIC_scale = given.positive("SIC_scale");
  for (const auto& [name, to] : {std::pair<const char*, double*>{"IP3_0", &m.IP3_0},
                                 {"delta_IP3", &m.delta_IP3},
                                 {"rate_IP3R", &m.rate_IP3R},
                                 {"rate_L", &m.rate_L},
                                 {"rate_SERCA", &m.rate_SERCA},
                                 {"Kd_inh", &m.Kd_inh},
                                 {"k_IP3R", &m.k_IP3R},
                                 {"SIC_th", &m.SIC_th}})
    *to = given.not_negative(name);
  if (given("h_IP3R") > 1) throw usage_error("h_IP3R must be 0 to 1", model.name + ": " + number(given("h_IP3R")));
  model.step = m, model.states = m.kStates, model.E_L = 0, model.V_m = given.not_negative("Ca_astro");
  model.start = {0, given.has("IP3") ? given.not_negative("IP3") : m.IP3_0, given.not_negative("h_IP3R")};
  model.variables = {"Ca_astro", "IP3", "h_IP3R", "SIC"}, model.variable_state = {0, 1, 2, 3}, model.signal = 3;
  model.signal_connection = "sic_connection";
}

void make_rate(Model& model, const Given& given, double dt) {
  const double tau = given.positive("tau"), lambda = given.not_negative("lambda"), sigma = given.not_negative("sigma");
  kernels::RateIpn m{};
  m.tanh = model.name == "tanh_rate_ipn", m.g = given("g"), m.theta = m.tanh ? given("theta") : 0, m.mu = given("mu");
  m.rectify = given("rectify_output") != 0, m.rectify_rate = given.not_negative("rectify_rate"), m.sigma = sigma;
  m.P1 = std::exp(-lambda * dt / tau), m.P2 = lambda > 0 ? -std::expm1(-lambda * dt / tau) / lambda : dt / tau;
  m.noise = std::sqrt(lambda > 0 ? -std::expm1(-2 * lambda * dt / tau) / (2 * lambda) : dt / tau);
  model.step = m, model.states = m.kStates, model.E_L = 0, model.V_m = given("rate");
  model.variables = {"rate", "noise"}, model.variable_state = {0, 1};
  model.signal = 0, model.signal_connection = "rate_connection_delayed", model.takes_spikes = false, model.by_chance = sigma > 0;
}

}  // namespace

std::vector<ModelEntry> cell_models() {
  const auto rate_parameters = [](std::vector<ParameterInfo> more) {
    std::vector<ParameterInfo> all{{"tau", "ms", "time constant of the rate", 10},
                                   {"lambda", "", "how much of the rate decays", 1},
                                   {"mu", "", "mean input", 0},
                                   {"sigma", "", "noise of the input", 1},
                                   {"g", "", "gain", 1},
                                   {"rectify_output", "", "1: the rate is at least rectify_rate", 0},
                                   {"rectify_rate", "", "the least rate with rectify_output", 0},
                                   {"rate", "", "the rate at the start", 0}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const std::string rate_equation =
      "tau drate/dt = -lambda rate + mu + phi(h) + sqrt(tau) sigma xi, h what arrives by "
      "rate_connection_delayed and the currents of devices\n";
  return {
      {{"pyramidal_ns_2018",
        "pyramidal cell of two compartments (Naud and Sprekeler 2018): bursts when somatic and apical input coincide; synaptic currents "
        "jump by the weight (pA) and decay exponentially",
        with_defaults({{"E_L", -70},
                       {"C_m", 370},
                       {"tau_m", 16},
                       {"t_ref", 3},
                       {"V_th", -50},
                       {"V_reset", -70},
                       {"I_e", 0},
                       {"tau_syn_ex", 5},
                       {"tau_syn_in", 10},
                       {"V_m", -70}},
                      {{"b_s", "pA", "the somatic adaptation current grows by this at a spike", -200},
                       {"tau_w_s", "ms", "time constant of the somatic adaptation current", 100},
                       {"g_s", "pA", "what the open dendrite drives the soma with", 1300},
                       {"C_d", "pF", "capacity of the dendrite", 170},
                       {"tau_d", "ms", "time constant of the dendrite", 7},
                       {"g_d", "pA", "the dendrite's regenerative current when open", 1200},
                       {"E_d", "mV", "where the dendrite is half open", -38},
                       {"D_d", "mV", "how softly it opens", 6},
                       {"a_d", "nS", "dendritic adaptation", -13},
                       {"tau_w_d", "ms", "time constant of the dendritic adaptation current", 30},
                       {"c_d", "pA", "current of a spike that runs back into the dendrite", 2600},
                       {"bap_delay", "ms", "from the spike until that current", 0.5},
                       {"bap_duration", "ms", "how long that current lasts", 2},
                       {"I_d", "pA", "constant apical current", 0},
                       {"V_d", "mV", "the dendrite at the start; E_L when not given", -70},
                       {"w_s", "pA", "the somatic adaptation current at the start", 0},
                       {"w_d", "pA", "the dendritic adaptation current at the start", 0}}),
        "pA",
        "dV_m/dt = -(V_m - E_L) / tau_m + (g_s f + w_s + I_syn_ex + I_syn_in + I_e + I) / C_m\n"
        "dV_d/dt = -(V_d - E_L) / tau_d + (g_d f + c_d K + w_d + I_apical_ex + I_apical_in + I_d + I_apical) / C_d\n"
        "f = 1 / (1 + exp((E_d - V_d) / D_d)); K = 1 from bap_delay to bap_delay + bap_duration after the last spike, else 0\n"
        "dw_s/dt = -w_s / tau_w_s\ndw_d/dt = (a_d (V_d - E_L) - w_d) / tau_w_d\n"
        "dI_x/dt = -I_x / tau_syn_x\nspike that arrives: I_syn_ex += w where w >= 0, else I_syn_in += w; at receptor apical the same of "
        "I_apical_ex, I_apical_in\n"
        "V_m >= V_th: a spike; V_m = V_reset for t_ref, w_s += b_s",
        {"apical"}},
       make_pyramidal},
      {{"astrocyte_lr_1994",
        "astrocyte (Li and Rinzel 1994): calcium that is released and taken up, IP3 that grows with spikes; makes a slow inward current",
        {{"Ca_tot", "uM", "calcium in all, per volume of the cytosol", 2},
         {"IP3_0", "uM", "IP3 at rest", 0.16},
         {"Kd_IP3_1", "uM", "first dissociation constant of IP3", 0.13},
         {"Kd_IP3_2", "uM", "second dissociation constant of IP3", 0.9434},
         {"Kd_act", "uM", "dissociation constant of calcium, activation", 0.08234},
         {"Kd_inh", "uM", "dissociation constant of calcium, inhibition", 1.049},
         {"Km_SERCA", "uM", "calcium at which the pump is half active", 0.1},
         {"SIC_scale", "", "scale of the slow inward current", 1},
         {"SIC_th", "uM", "calcium above which there is one", 0.19669},
         {"delta_IP3", "uM", "IP3 grows by this times the weight at a spike", 0.0002},
         {"k_IP3R", "1/uM/ms", "binding constant of calcium, inhibition", 0.0002},
         {"rate_IP3R", "1/ms", "rate of release through open receptors", 0.006},
         {"rate_L", "1/ms", "rate of the leak", 0.00011},
         {"rate_SERCA", "uM/ms", "greatest rate of the pump", 0.0009},
         {"ratio_ER_cyt", "", "volume of the reticulum over that of the cytosol", 0.185},
         {"tau_IP3", "ms", "IP3 decays", 7142},
         {"Ca_astro", "uM", "calcium at the start", 0.073},
         {"IP3", "uM", "IP3 at the start; IP3_0 when not given", 0.16},
         {"h_IP3R", "", "receptors not inactivated at the start", 0.793}},
        "",
        "dCa_astro/dt = J_channel - J_pump + J_leak + I (I of devices in uM/ms)\n"
        "J_channel = ratio_ER_cyt rate_IP3R (m n h_IP3R)^3 (Ca_ER - Ca_astro)\n"
        "J_pump = rate_SERCA Ca_astro^2 / (Km_SERCA^2 + Ca_astro^2), J_leak = ratio_ER_cyt rate_L (Ca_ER - Ca_astro)\n"
        "m = IP3 / (IP3 + Kd_IP3_1), n = Ca_astro / (Ca_astro + Kd_act), Ca_ER = (Ca_tot - Ca_astro) / ratio_ER_cyt\n"
        "dh_IP3R/dt = k_IP3R Kd_inh (IP3 + Kd_IP3_1) / (IP3 + Kd_IP3_2) (1 - h_IP3R) - k_IP3R Ca_astro h_IP3R\n"
        "dIP3/dt = (IP3_0 - IP3) / tau_IP3\nspike that arrives: IP3 += delta_IP3 w, at least 0\n"
        "SIC = SIC_scale ln(y), y = 1000 (Ca_astro - SIC_th) / uM, where y > 1, else 0; it fires no spikes"},
       make_astrocyte},
      {{"lin_rate_ipn", "linear rate unit with noise at its input", rate_parameters({}), "", rate_equation + "phi(h) = g h"}, make_rate},
      {{"tanh_rate_ipn", "rate unit with the gain tanh and noise at its input",
        rate_parameters({{"theta", "", "the input at which phi is 0", 0}}), "", rate_equation + "phi(h) = tanh(g (h - theta))"},
       make_rate}};
}

}  // namespace apical::brain
