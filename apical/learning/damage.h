#pragma once
// Sudden damage: which cells of a layer die, which synapses are cut. Every draw is a function of (seed, name), so that all arms of a
// study lose the same ones.
#include <torch/torch.h>

#include <cstdint>
#include <string>

namespace apical::learning {

/// [cells] of 1 (lives) and 0 (dead): round(fraction * cells) of them dead. Cells that die at a fraction are dead at every larger one.
/// Usage error for a fraction outside [0, 1].
torch::Tensor survivors(std::int64_t cells, double fraction, std::uint64_t seed, const std::string& name);

/// Sets round(fraction * synapses) weights of every parameter with two dimensions or more to 0, drawn by the parameter's name. Biases
/// stay. Usage error for a fraction outside [0, 1].
void cut_synapses(torch::nn::Module& module, double fraction, std::uint64_t seed);

}  // namespace apical::learning
