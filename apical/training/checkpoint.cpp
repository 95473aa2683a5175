#include "apical/training/checkpoint.h"

#include <ATen/Parallel.h>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/machine.h"
#include "apical/base/thread_pool.h"
#include "apical/formats/safetensors.h"
#include "apical/kernels/simd.h"

namespace apical::training {
namespace {
constexpr const char* format_key = "apical.checkpoint";
}

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  std::vector<torch::Tensor> kept;  // contiguous copies must outlive the write
  std::vector<formats::NamedTensor> tensors;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    kept.push_back(tensor.detach().to(torch::kFloat32).contiguous());
    const auto& t = kept.back();
    std::vector<std::uint64_t> shape(t.sizes().begin(), t.sizes().end());
    tensors.push_back(formats::named<float>(name, shape, {t.data_ptr<float>(), static_cast<std::size_t>(t.numel())}));
  }
  auto metadata = checkpoint.facts;
  metadata[format_key] = "1";
  formats::write_safetensors(path, tensors, metadata);
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  const auto file = formats::SafeTensors::open(path);
  Checkpoint c;
  c.facts = file.metadata();
  if (c.facts.erase(format_key) == 0) throw data_error("this is not a checkpoint", path.string());
  for (const auto& [name, view] : file.tensors()) {
    const auto values = view.copy<float>(name);
    std::vector<std::int64_t> shape(view.shape.begin(), view.shape.end());
    c.tensors.emplace_back(name, torch::from_blob(const_cast<float*>(values.data()), shape).clone());
  }
  return c;
}

std::map<std::string, std::string> environment_facts() {
  return {{"env.threads", std::to_string(thread_count()) + "+" + std::to_string(at::get_num_threads())},
          {"env.simd", std::string(kernels::simd_level())},
          {"env.torch", TORCH_VERSION},
          {"env.apical", version()}};
}

void warn_if_environment_differs(const Checkpoint& checkpoint) {
  for (const auto& [key, value] : environment_facts())
    if (const auto it = checkpoint.facts.find(key); it != checkpoint.facts.end() && it->second != value)
      log_warn("the run was made with " + key.substr(4) + " " + it->second + ", now it is " + value + ": the result may differ in the last bits");
}

}  // namespace apical::training
