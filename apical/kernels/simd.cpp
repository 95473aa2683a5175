#include "apical/kernels/simd.h"

#include <hwy/highway.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::kernels {
namespace {

struct Level {
  const char* name;
  int64_t target;
};

// Best last. Highway's names say which AVX-512 subset; users know "avx512".
constexpr Level kLevels[] = {
    {"portable", HWY_EMU128 | HWY_SCALAR},
#if HWY_ARCH_X86
    {"sse4", HWY_SSE4},
    {"avx2", HWY_AVX2},
    {"avx512", HWY_AVX3},
#elif HWY_ARCH_ARM
    {"neon", HWY_NEON},
#endif
};

int64_t usable() { return hwy::SupportedTargets() & (HWY_TARGETS); }

std::mutex mutex;
std::atomic<bool> ready{false}, scalar{false};
std::string current;  // guarded by mutex
std::string refused;  // value of APICAL_SIMD that is not to be had

std::vector<std::string> levels() {
  std::vector<std::string> names{"scalar"};
  for (const Level& l : kLevels)
    if (usable() & l.target) names.emplace_back(l.name);
  return names;
}

bool choose(std::string_view name) {
  if (name.empty() || name == "best") {
    current = levels().back();
    scalar = current == "scalar";
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    return true;
  }
  if (name == "scalar") {
    current = name;
    scalar = true;
    return true;
  }
  for (const Level& l : kLevels)
    if (name == l.name && (usable() & l.target)) {
      current = name;
      scalar = false;
      hwy::GetChosenTarget().Update(l.target);
      return true;
    }
  return false;
}

void prepare() {  // with mutex held
  if (ready) return;
  const char* wanted = std::getenv("APICAL_SIMD");
  if (!choose(wanted ? wanted : "")) {
    refused = wanted;
    choose("");
  }
  ready = true;
}

Error unknown(std::string_view name, const char* where) {
  return usage_error("SIMD level '" + std::string(name) + "' is not available here", where, "Levels: " + join(levels(), ", ") + ".");
}

}  // namespace

std::vector<std::string> simd_levels() { return levels(); }

std::string simd_level() {
  std::lock_guard lock(mutex);
  prepare();
  if (!refused.empty()) throw unknown(refused, "APICAL_SIMD");
  return current;
}

void set_simd_level(std::string_view name) {
  std::lock_guard lock(mutex);
  prepare();
  if (!choose(name)) throw unknown(name, "set_simd_level");
  refused.clear();
}

bool scalar_level() noexcept {
  if (!ready.load(std::memory_order_acquire)) {
    std::lock_guard lock(mutex);
    prepare();
  }
  return scalar.load(std::memory_order_relaxed);
}

}  // namespace apical::kernels
