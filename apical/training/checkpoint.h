#pragma once
// A training run on disk: one safetensors file that holds weights, statistics, optimiser, position and history, and appears
// whole or not at all.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <torch/torch.h>

namespace apical::training {

struct Checkpoint {
  std::vector<std::pair<std::string, torch::Tensor>> tensors;  ///< float32, contiguous
  std::map<std::string, std::string> facts;                    ///< position, history, versions
};

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);
Checkpoint load_checkpoint(const std::filesystem::path& path);

/// What a bit-identical continuation depends on beside the settings: threads, SIMD level, versions.
std::map<std::string, std::string> environment_facts();
/// Warns for every fact of the checkpoint that differs here.
void warn_if_environment_differs(const Checkpoint& checkpoint);

}  // namespace apical::training
