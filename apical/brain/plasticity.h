#pragma once
// Synapse models by name: NEST's names, parameters and defaults. One set of parameters holds for all synapses of a projection.
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "apical/brain/models.h"

namespace apical::brain {

/// static_synapse, stdp_synapse (every spike of the source with every one of the target), stdp_nn_symm_synapse (each with the last of the
/// other; before the first spike of the source there is no pair, where NEST takes one at time 0), stdp_pl_synapse_hom (power law),
/// stdp_triplet_synapse, tsodyks2_synapse (short-term depression and facilitation), oja_synapse (Hebb's rule with Oja's decay, on traces),
/// stdp_dopamine_synapse (pairs leave an eligibility trace that a neuromodulator turns into weight), sic_connection (an astrocyte's slow
/// inward current, to any neuron), rate_connection_delayed (between rate units). Weights of those that learn are 0 to
/// Wmax. The time constants of a target's traces, tau_minus and tau_minus_triplet, are parameters of the target's population.
const std::vector<ModelInfo>& synapse_models();
/// Usage error with a did-you-mean.
const ModelInfo& synapse_info(std::string_view name);

inline constexpr double kLongestTau = 1e5;  ///< steps: decays are tables

enum class SynapseKind : std::uint8_t { fixed, stdp, nearest, power_law, triplet, depressing, oja, dopamine, signal };

/// What a projection's synapses do, worked out.
struct Plasticity {
  SynapseKind kind = SynapseKind::fixed;
  std::map<std::string, double> parameters;  ///< all of the model
  double operator[](const char* name) const { return parameters.at(name); }
  /// The largest weight; 0: weights do not change, and may be any.
  double most() const {
    if (kind == SynapseKind::fixed || kind == SynapseKind::depressing || kind == SynapseKind::signal) return 0;
    return kind == SynapseKind::power_law ? std::numeric_limits<double>::infinity() : (*this)["Wmax"];
  }
};
/// Usage error with a did-you-mean; time constants must be positive and rates not negative.
Plasticity make_plasticity(std::string_view model, const std::map<std::string, double>& parameters, double dt);

}  // namespace apical::brain
