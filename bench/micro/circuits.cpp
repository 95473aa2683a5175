// A step of the clock of neurons of circuits: built-in models, and the same as text (brain/equations.h).
#include <cmath>
#include <memory>

#include "apical/brain/testing_models.h"
#include "bench/micro/micro.h"

namespace apical::bench {
namespace {

using brain::EquationModel, brain::Equations, brain::Model;

constexpr std::uint32_t n = 4096;

// A population that nothing arrives at but small inputs of both signs, again and again.
struct Cells {
  Model model;
  std::vector<double> state;
  std::vector<float> in, kick;
  std::vector<std::int32_t> wakes;
  std::vector<std::uint64_t> spikes;
  std::int32_t taken = 0;
  explicit Cells(Model m)
      : model(std::move(m)),
        state(n * static_cast<std::size_t>(model.states)),
        in(2 * n),
        kick(noise(2 * n, 5)),
        wakes(n),
        spikes(n / 64) {
    const std::vector<float> spread = noise(n, 6);
    for (std::size_t k = 1; k < model.start.size(); ++k)
      std::fill_n(state.begin() + static_cast<std::ptrdiff_t>(k * n), n, model.start[k].a);
    for (std::size_t i = 0; i < n; ++i) state[i] = model.V_m.a - model.E_L + static_cast<double>(spread[i]);
  }
  void step() {
    kernels::NeuronArrays<float> a{};
    a.n = n, a.step = taken++, a.wakes = wakes.data(), a.spikes = spikes.data();
    for (int k = 0; k < model.states; ++k) a.state[k] = state.data() + static_cast<std::size_t>(k) * n;
    for (int k = 0; k < 2; ++k) a.in[k] = in.data() + k * n;
    in[0] = kick[0], in[n] = -std::abs(kick[0]);
    std::visit([&](const auto& m) { kernels::neuron_step(m, a); }, model.step);
  }
};

void add_cells(const std::string& name, double operations, const std::function<Model()>& make) {
  add("circuit_" + name, Threads::one, [=] {
    auto cells = std::make_shared<Cells>(make());
    const double bytes = n * (8.0 * cells->model.states + 4 + 4 * cells->model.ports);
    return Case{{n, bytes, bytes + n / 8.0, 2 * n * operations}, [=] { cells->step(); }};
  });
}

const Equations lif{.equations = R"(
    dV_m/dt = (E_L - V_m) / tau_m + (I_ex + I_in + I_e) / C_m : mV (unless refractory)
    dI_ex/dt = -I_ex / (2 ms) : pA
    dI_in/dt = -I_in / (5 ms) : pA
    E_L = -70 mV : mV
    tau_m = 10 ms : ms
    C_m = 250 pF : pF
    I_e = 400 pA : pA
  )",
                    .threshold = "V_m >= -55 mV",
                    .reset = "V_m = E_L",
                    .refractory = "2 ms",
                    .excitatory = "I_ex += w",
                    .inhibitory = "I_in += w",
                    .initial = "V_m = E_L"};
const Equations izhikevich{.equations = R"(
    dV_m/dt = 0.04/ms/mV * V_m^2 + 5/ms * V_m + 140 mV/ms - U_m + I_e : mV
    dU_m/dt = a * (b * V_m - U_m) : mV/ms
    a = 0.02 /ms : 1/ms
    b = 0.2 /ms : 1/ms
    d = 8 mV/ms : mV/ms
    I_e = 4 mV/ms : mV/ms
  )",
                           .threshold = "V_m >= 30 mV",
                           .reset = "V_m = -65 mV; U_m += d",
                           .synapses = "V_m += w",
                           .initial = "V_m = -65 mV; U_m = -13 mV/ms",
                           .method = "euler"};
Model text(const Equations& e) { return EquationModel(e).make({}, 0.1); }

}  // namespace

void add_circuits() {
  add_cells("iaf_psc_exp", 13, [] { return brain::make_model("iaf_psc_exp", {{"tau_syn_in", 5.0}, {"I_e", 400.0}}, 0.1); });
  add_cells("iaf_psc_exp_text", 13, [] { return text(lif); });
  add_cells("izhikevich", 16, [] { return brain::make_model("izhikevich", {{"I_e", 4.0}}, 0.1); });
  add_cells("izhikevich_text", 16, [] { return text(izhikevich); });
  add_cells("hh_cond_exp_traub", 400, [] { return brain::make_model("hh_cond_exp_traub", {{"I_e", 50.0}}, 0.1); });
  add_cells("hh_cond_exp_traub_text", 250, [] { return text(brain::traub("", "50 pA")); });
  add_cells("hh_cond_exp_traub_text_rk4", 900, [] { return text(brain::traub("rk4", "50 pA")); });
}

}  // namespace apical::bench
