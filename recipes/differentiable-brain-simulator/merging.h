#pragma once
// Where the state of synapses lives: in each synapse, in its source (AlignPre), or merged in its target (AlignPost). Plain loops, the
// references that the engine is compared with.
#include <cstdint>
#include <vector>

#include "recipes/differentiable-brain-simulator/study.h"

namespace apical::simulator {

enum class Form { per_synapse, per_source, per_target };
inline constexpr Form kForms[] = {Form::per_synapse, Form::per_source, Form::per_target};

/// The synapses of a COBA network as the engine drew them, neurons numbered E first.
struct Wires {
  std::size_t neurons = 0, excitatory = 0;
  std::vector<std::uint32_t> source, target;  ///< by target
  std::vector<double> weight;                 ///< conductance over that of the leak, >= 0
};
Wires wires(Coba& c);

/// Membranes (mV) after every step, [steps, neurons], with the equations of Cells::lif_text and the engine's order of operations:
/// integrate, add what arrives (a step after it was sent), look at the threshold. float64.
struct FormRun {
  std::vector<double> v;
  std::size_t spikes = 0, state_bytes = 0;  ///< bytes: synaptic state alone
  double seconds = 0;
};
FormRun run_form(Form form, const Wires& wires, const std::vector<double>& start, std::size_t steps);

}  // namespace apical::simulator
