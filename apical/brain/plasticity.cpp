#include "apical/brain/plasticity.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::brain {
namespace {

using P = ParameterInfo;
const P kTauPlus{"tau_plus", "ms", "time constant of the source's trace", 20}, kWmax{"Wmax", "pA", "the largest weight", 100};

std::vector<P> pair_rule() {
  return {kTauPlus,
          {"lambda", "", "size of a step up, of Wmax", 0.01},
          {"alpha", "", "steps down over steps up", 1},
          {"mu_plus", "", "power of 1 - w/Wmax in a step up; 0: additive, 1: multiplicative", 1},
          {"mu_minus", "", "power of w/Wmax in a step down", 1},
          {"tie", "", "1: spikes of both sides at once are a step down, as on SpiNNaker; 0: no pair, as in NEST", 0},
          kWmax};
}

}  // namespace

const std::vector<ModelInfo>& synapse_models() {
  static const std::vector<ModelInfo> all{
      {"static_synapse", "a constant weight", {}},
      {"stdp_synapse", "spike-timing dependent plasticity, all pairs of spikes", pair_rule()},
      {"stdp_nn_symm_synapse", "spike-timing dependent plasticity, each spike paired with the last of the other side", pair_rule()},
      {"stdp_pl_synapse_hom",
       "spike-timing dependent plasticity, steps up by a power of the weight",
       {kTauPlus,
        {"lambda", "", "size of a step up", 0.1},
        {"alpha", "", "steps down over steps up", 1},
        {"mu", "", "power of the weight in a step up", 0.4}}},
      {"stdp_triplet_synapse",
       "spike-timing dependent plasticity of three spikes",
       {{"tau_plus", "ms", "time constant of the source's trace", 16.8},
        {"tau_plus_triplet", "ms", "time constant of the source's slower trace", 101},
        {"Aplus", "pA", "step up of a pair", 5e-10},
        {"Aminus", "pA", "step down of a pair", 7e-3},
        {"Aplus_triplet", "pA", "step up of a triplet", 6.2e-3},
        {"Aminus_triplet", "pA", "step down of a triplet", 2.3e-4},
        kWmax}},
      {"tsodyks2_synapse",
       "short-term depression and facilitation",
       {{"U", "", "share of the resources that a spike uses, at rest", 0.5},
        {"tau_rec", "ms", "resources recover", 800},
        {"tau_fac", "ms", "the share falls back to U; 0: no facilitation", 0}}}};
  return all;
}

const ModelInfo& synapse_info(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& m : synapse_models()) {
    if (m.name == name) return m;
    names.push_back(m.name);
  }
  throw usage_error("no synapse model is called '" + std::string(name) + "'", {}, did_you_mean(name, names));
}

Plasticity make_plasticity(std::string_view model, const std::map<std::string, double>& parameters, double dt) {
  static constexpr SynapseKind kinds[] = {SynapseKind::fixed,     SynapseKind::stdp,    SynapseKind::nearest,
                                          SynapseKind::power_law, SynapseKind::triplet, SynapseKind::depressing};
  const ModelInfo& info = synapse_info(model);
  Plasticity p{.kind = kinds[&info - synapse_models().data()], .parameters = {}};
  std::vector<std::string> names;
  for (const auto& parameter : info.parameters) p.parameters[parameter.name] = parameter.standard;
  for (const auto& [name, value] : p.parameters) names.push_back(name);
  for (const auto& [name, value] : parameters) {
    if (!p.parameters.count(name))
      throw usage_error(std::string(model) + " has no parameter '" + name + "'", {}, did_you_mean(name, names));
    const bool positive = name == "Wmax" || (name.starts_with("tau") && name != "tau_fac"), share = name == "U" || name == "tie";
    if (!(positive ? value > 0 : value >= 0) || !std::isfinite(value) || (share && value > 1))
      throw usage_error(name + (positive ? " must be positive"
                                : share  ? " must be 0 to 1"
                                         : " must be 0 or more"),
                        std::string(model) + ": " + number(value));
    if (name.starts_with("tau") && value / dt > kLongestTau)
      throw usage_error(name + " is at most " + number(kLongestTau) + " steps", std::string(model) + ": " + number(value) + " ms");
    p.parameters[name] = value;
  }
  return p;
}

}  // namespace apical::brain
