#include "apical/brain/plasticity.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/base/named.h"
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
        {"tau_fac", "ms", "the share falls back to U; 0: no facilitation", 0}}},
      {"oja_synapse",
       "Hebb's rule with Oja's decay: at each spike of the target w += eta (x - alpha w y), x and y the rates that traces say",
       {kTauPlus,
        {"eta", "pA*ms", "rate of learning", 0.01},
        {"alpha", "", "decay; 0: Hebb's rule without. A linear target's weights come to a sum of squares of 1 / (alpha gain)", 1},
        kWmax}},
      {"stdp_dopamine_synapse",
       "spike-timing dependent plasticity by three factors: pairs leave an eligibility trace c that dopamine n turns into weight, "
       "dw/dt = c (n - b)",
       {kTauPlus,
        {"A_plus", "pA", "c grows by this for a pair, source first", 1},
        {"A_minus", "pA", "c falls by this for a pair, target first", 1.5},
        {"tau_c", "ms", "time constant of the eligibility trace", 1000},
        {"tau_n", "ms", "time constant of dopamine; each spike of the volume transmitter adds 1 / tau_n", 200},
        {"b", "1/ms", "dopamine at which weights stay", 0},
        {"Wmin", "pA", "the smallest weight", 0},
        {"Wmax", "pA", "the largest weight", 200}}},
      {"sic_connection", "an astrocyte's slow inward current SIC, times the weight (pA), in every step; to any neuron", {}},
      {"rate_connection_delayed", "a rate, times the weight, in every step; between rate units", {}}};
  return all;
}

const ModelInfo& synapse_info(std::string_view name) { return named(synapse_models(), name, "no synapse model is called"); }

Plasticity make_plasticity(std::string_view model, const std::map<std::string, double>& parameters, double dt) {
  static constexpr SynapseKind kinds[] = {SynapseKind::fixed,   SynapseKind::stdp,       SynapseKind::nearest, SynapseKind::power_law,
                                          SynapseKind::triplet, SynapseKind::depressing, SynapseKind::oja,     SynapseKind::dopamine,
                                          SynapseKind::signal,  SynapseKind::signal};
  const ModelInfo& info = synapse_info(model);
  Plasticity p{.kind = kinds[&info - synapse_models().data()], .parameters = {}};
  for (const auto& parameter : info.parameters) p.parameters[parameter.name] = parameter.standard;
  for (const auto& [name, value] : parameters) {
    named(info.parameters, name, info.name + " has no parameter");
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
  if (p.kind == SynapseKind::dopamine && !(p["Wmin"] <= p["Wmax"]))
    throw usage_error("Wmin must not be above Wmax", std::string(model) + ": " + number(p["Wmin"]));
  return p;
}

}  // namespace apical::brain
