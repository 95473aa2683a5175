#pragma once
// The neuron models by name: NEST's names, parameters, units and defaults.
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "apical/brain/values.h"
#include "apical/kernels/circuit/aeif.h"
#include "apical/kernels/circuit/astrocyte.h"
#include "apical/kernels/circuit/gif.h"
#include "apical/kernels/circuit/hh.h"
#include "apical/kernels/circuit/iaf.h"
#include "apical/kernels/circuit/program.h"
#include "apical/kernels/circuit/pyramidal.h"
#include "apical/kernels/circuit/rate.h"

namespace apical::brain {

using Parameters = std::map<std::string, Value>;

struct ParameterInfo {
  std::string name, unit, text;
  double standard;
  bool list = false;  ///< several numbers, none by default
};
struct ModelInfo {
  std::string name, text;
  std::vector<ParameterInfo> parameters;  ///< V_m, where each neuron starts, may be drawn; the others hold for a population
  std::string weight_unit = "pA";         ///< of synapses to it
  std::string equations{};                ///< lines of text: what is integrated, what a spike does
  std::vector<std::string> receptors{};   ///< where synapses may arrive beside the soma: "apical"
};
const std::vector<ModelInfo>& models();
/// Usage error with a did-you-mean.
const ModelInfo& model_info(std::string_view name);

/// What a step of a population needs, worked out from its parameters.
struct Model {
  std::string name;
  std::variant<kernels::IafPscDelta, kernels::IafPscExp, kernels::IfCurrExp, kernels::IafPscAlpha, kernels::IafCond,
               kernels::HhCondExpTraub, kernels::AeifCondExp, kernels::Izhikevich, kernels::Parrot, kernels::GifPscExp,
               kernels::PyramidalNs2018, kernels::AstrocyteLr1994, kernels::RateIpn, kernels::Program>
      step;
  double E_L;                          ///< mV: membranes in memory are relative to it; 0: they are as they are
  Value V_m;                           ///< mV, absolute: where neurons start
  int ports;                           ///< kinds of input, of each receptor 2: excitatory and inhibitory by the weight's sign, or 1: both
  int states;                          ///< float64 values a neuron, of the ports in use
  std::vector<std::string> variables;  ///< what can be recorded: V_m, and I_syn (one port) or I_syn_ex and I_syn_in, g_ex and g_in, ...
  std::vector<int> variable_state;     ///< which of the states each of them is; from `states` on: which of `computed`
  std::vector<Value> start;            ///< the states but the membrane where neurons start; those that are not given are 0
  double tau_minus = 20, tau_minus_triplet = 110;  ///< ms: traces of its spikes, for synapses that learn
  int signal = -1;                                 ///< the state that connections of signals pass on; -1: none
  std::string signal_connection{};                 ///< the synapse model that does
  bool by_chance = false;                          ///< a step needs a random number for each neuron
  int receptors = 1;
  int port(int receptor, double weight) const noexcept {
    const int each = ports / receptors;
    return each * receptor + (each == 2 && weight < 0);
  }
  std::vector<kernels::Program> computed{};        ///< equations.h: variables that are worked out where they are recorded
  std::string method{};                            ///< equations.h: how the equations are integrated
  bool takes_spikes = true, takes_current = true;  ///< whether what arrives from synapses, and currents of devices, do anything
};
/// A time (ms) in steps, 0 or more and less than 2^24. Usage error, which calls it `name`: no multiple of dt.
double whole_steps(double ms, const std::string& name, double dt);
/// dt: ms. Usage error: an unknown model or parameter, a time constant that is not positive, V_reset not below V_th, ...
Model make_model(std::string_view name, const Parameters& parameters, double dt);

}  // namespace apical::brain
