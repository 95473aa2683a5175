#pragma once
// The neuron models by name: NEST's names, parameters, units and defaults.
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "apical/brain/values.h"
#include "apical/kernels/circuit/aeif.h"
#include "apical/kernels/circuit/gif.h"
#include "apical/kernels/circuit/hh.h"
#include "apical/kernels/circuit/iaf.h"

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
};
const std::vector<ModelInfo>& models();
/// Usage error with a did-you-mean.
const ModelInfo& model_info(std::string_view name);

/// What a step of a population needs, worked out from its parameters.
struct Model {
  std::string name;
  std::variant<kernels::IafPscDelta, kernels::IafPscExp, kernels::IfCurrExp, kernels::IafPscAlpha, kernels::IafCond,
               kernels::HhCondExpTraub, kernels::AeifCondExp, kernels::Izhikevich, kernels::Parrot, kernels::GifPscExp>
      step;
  double E_L;                          ///< mV: membranes in memory are relative to it; 0: they are as they are
  Value V_m;                           ///< mV, absolute: where neurons start
  int ports;                           ///< kinds of input; 2: excitatory and inhibitory by the sign of the weight, 1: both in one
  int states;                          ///< float64 values a neuron, of the ports in use
  std::vector<std::string> variables;  ///< what can be recorded: V_m, and I_syn (one port) or I_syn_ex and I_syn_in, g_ex and g_in, ...
  std::vector<int> variable_state;     ///< which of the states each of them is
  std::vector<double> start;           ///< the states but the membrane where neurons start; those that are not given are 0
  double tau_minus = 20, tau_minus_triplet = 110;  ///< ms: traces of its spikes, for synapses that learn
};
/// dt: ms. Usage error: an unknown model or parameter, a time constant that is not positive, V_reset not below V_th, ...
Model make_model(std::string_view name, const Parameters& parameters, double dt);

}  // namespace apical::brain
