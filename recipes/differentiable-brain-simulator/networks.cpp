// The networks that the parts share.
#include <algorithm>
#include <iterator>

#include "apical/base/text.h"
#include "recipes/differentiable-brain-simulator/study.h"

namespace apical::simulator {

using brain::EquationModel, brain::Parameters, brain::Rule, brain::Value;

double positive(const recipe::RunContext& c, const char* key, double most) {
  const double x = c.config.real(key);
  if (!(x > 0 && x <= most)) throw usage_error("must be more than 0 and at most " + number(most) + ", not " + number(x), key);
  return x;
}
namespace {
std::size_t checked(std::int64_t n, const char* key, std::int64_t most) {
  if (n < 1 || n > most) throw usage_error("must be 1 to " + std::to_string(most) + ", not " + std::to_string(n), key);
  return static_cast<std::size_t>(n);
}
}  // namespace
std::size_t count(const recipe::RunContext& c, const char* key, std::int64_t most) { return checked(c.config.integer(key), key, most); }
std::vector<std::size_t> counts(const recipe::RunContext& c, const char* key, std::int64_t most) {
  std::vector<std::size_t> all;
  for (const auto n : c.config.integers(key)) all.push_back(checked(n, key, most));
  if (all.empty()) throw usage_error("is empty", key);
  return all;
}

namespace {

// Benchmark model 1 as the card has it: conductances relative to the leak.
EquationModel lif_text() {
  return EquationModel({.equations = R"(
                          dv/dt = (-(v - V_rest) + ge * (0 mV - v) + gi * (-80 mV - v) + drive) / (20 ms) : mV (unless refractory)
                          dge/dt = -ge / (5 ms) : 1
                          dgi/dt = -gi / (10 ms) : 1
                          V_rest = -60 mV : mV
                          drive = 20 mV : mV
                        )",
                        .threshold = "v >= -50 mV",
                        .reset = "v = V_rest",
                        .refractory = "5 ms",
                        .excitatory = "ge += w",
                        .inhibitory = "gi -= w",
                        .initial = "v = V_rest",
                        .method = "exponential_euler",
                        .name = "coba_lif"});
}

// Benchmark model 2: 20,000 um^2, so that 1 mS/cm^2 is 200 nS. A spike is where the membrane passes -20 mV, and for 3 ms no other one
// (Brette et al. 2007, as Brian2's script has it).
EquationModel hh_text() {
  return EquationModel({.equations = R"(
                          dv/dt = (g_l * (E_l - v) + ge * (0 mV - v) + gi * (-80 mV - v) + I_na + I_k) / C_m : mV
                          I_na = g_na * m^3 * h * (E_na - v) : pA
                          I_k = g_k * n^4 * (E_k - v) : pA
                          dm/dt = a_m * (1 - m) - b_m * m : 1
                          dn/dt = a_n * (1 - n) - b_n * n : 1
                          dh/dt = a_h * (1 - h) - b_h * h : 1
                          dge/dt = -ge / (5 ms) : nS
                          dgi/dt = -gi / (10 ms) : nS
                          u = (v + 63 mV) / (1 mV) : 1
                          a_m = 1.28 / exprel((13 - u) / 4) / (1 ms) : 1/ms
                          b_m = 1.4 / exprel((u - 40) / 5) / (1 ms) : 1/ms
                          a_h = 0.128 * exp((17 - u) / 18) / (1 ms) : 1/ms
                          b_h = 4 / (1 + exp((40 - u) / 5)) / (1 ms) : 1/ms
                          a_n = 0.16 / exprel((15 - u) / 5) / (1 ms) : 1/ms
                          b_n = 0.5 * exp((10 - u) / 40) / (1 ms) : 1/ms
                          C_m = 200 pF : pF
                          g_l = 10 nS : nS
                          g_na = 20000 nS : nS
                          g_k = 6000 nS : nS
                          E_l = -60 mV : mV
                          E_na = 50 mV : mV
                          E_k = -90 mV : mV
                        )",
                        .threshold = "v > -20 mV",
                        .refractory = "3 ms",
                        .excitatory = "ge += w",
                        .inhibitory = "gi -= w",
                        .initial = "v = E_l",
                        .method = "exponential_euler",
                        .name = "coba_hh"});
}

}  // namespace

Coba coba(Cells cells, Wiring wiring, std::size_t scale, std::uint64_t seed, bool double_precision) {
  Coba c{brain::Network({.dt = 0.1, .seed = seed, .double_precision = double_precision}), {}, {}, nullptr, nullptr, {}};
  const auto k = static_cast<std::uint32_t>(scale);
  const bool text = cells == Cells::lif_text || cells == Cells::hh_text, hh = cells == Cells::hh || cells == Cells::hh_text;
  const auto add = [&](std::uint32_t n, const char* name) {
    if (cells == Cells::lif_text) return c.net.create(lif_text(), n, {{"v", Value::normal(-55, 2)}}, name);
    if (cells == Cells::hh_text)  // where Brian2's script starts: conductances that make the network go
      return c.net.create(hh_text(), n, {{"v", Value::normal(-65, 5)}, {"ge", Value::normal(40, 15)}, {"gi", Value::normal(200, 120)}},
                          name);
    if (hh) return c.net.create("hh_cond_exp_traub", n, {{"t_ref", 3.0}}, name);
    return c.net.create("iaf_cond_exp", n,
                        {{"E_L", -60.0},
                         {"V_m", Value::normal(-55, 2)},
                         {"V_th", -50.0},
                         {"V_reset", -60.0},
                         {"C_m", 200.0},
                         {"g_L", 10.0},
                         {"E_ex", 0.0},
                         {"E_in", -80.0},
                         {"tau_syn_ex", 5.0},
                         {"tau_syn_in", 10.0},
                         {"t_ref", 5.0},
                         {"I_e", 200.0}},
                        name);
  };
  c.e = add(3200 * k, "E"), c.i = add(800 * k, "I");
  c.e_spikes = &c.net.record_spikes(c.e), c.i_spikes = &c.net.record_spikes(c.i);
  const double unit = text && !hh ? 0.1 : 1;  // nS, or relative to the leak
  for (const auto& from : {c.e, c.i})
    for (const auto& to : {c.e, c.i}) {
      const bool e = from.index == c.e.index;
      const Rule rule = wiring == Wiring::pairs    ? Rule::pairwise_bernoulli(0.02)
                        : wiring == Wiring::inputs ? Rule::fixed_indegree(e ? 64 : 16)
                                                   : Rule::fixed_outdegree(to.index == c.e.index ? 64 : 16);
      c.projections.push_back(
          c.net.connect(from, to, rule, {.weight = unit * (e ? 6 : -67), .delay = 0.1, .procedural = wiring == Wiring::targets_anew}));
    }
  // The built-in Hodgkin-Huxley cells start at rest and have no drive: NEST's script kicks 50 of them.
  if (cells == Cells::hh) c.net.connect(brain::PoissonGenerator{.rate = 300, .start = 1, .stop = 51}, c.e.slice(0, 50), 6, 0.1);
  return c;
}

std::size_t differences(const Coba& a, const Coba& b) {
  using Spike = std::pair<std::uint32_t, std::uint32_t>;  // step, neuron: in this order in a record
  const auto of_one = [](const brain::SpikeRecord& x, const brain::SpikeRecord& y) {
    const auto all = [](const brain::SpikeRecord& r) {
      std::vector<Spike> s(r.size());
      for (std::size_t i = 0; i < s.size(); ++i) s[i] = {r.step[i], r.neuron[i]};
      return s;
    };
    std::vector<Spike> found;
    const auto in_x = all(x), in_y = all(y);
    std::set_symmetric_difference(in_x.begin(), in_x.end(), in_y.begin(), in_y.end(), std::back_inserter(found));
    return found.size();
  };
  return of_one(*a.e_spikes, *b.e_spikes) + of_one(*a.i_spikes, *b.i_spikes);
}

}  // namespace apical::simulator
