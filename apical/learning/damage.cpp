#include "apical/learning/damage.h"

#include <cmath>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/base/text.h"

namespace apical::learning {
namespace {

// How many of n; the first so many of a permutation are lost.
std::int64_t lost(std::int64_t n, double fraction) {
  if (!(fraction >= 0 && fraction <= 1)) throw usage_error("a damaged fraction lies in 0..1, not " + number(fraction), "damage");
  return std::llround(fraction * static_cast<double>(n));
}

}  // namespace

torch::Tensor survivors(std::int64_t cells, double fraction, std::uint64_t seed, const std::string& name) {
  auto alive = torch::ones({cells});
  const auto order = permutation(static_cast<std::uint32_t>(cells), Random(seed, "damage." + name));
  for (std::int64_t i = 0, n = lost(cells, fraction); i < n; ++i) alive.data_ptr<float>()[order[static_cast<std::size_t>(i)]] = 0;
  return alive;
}

void cut_synapses(torch::nn::Module& module, double fraction, std::uint64_t seed) {
  torch::NoGradGuard no_grad;
  for (auto& p : module.named_parameters())
    if (p.value().dim() >= 2) p.value().mul_(survivors(p.value().numel(), fraction, seed, p.key()).view(p.value().sizes()));
}

}  // namespace apical::learning
