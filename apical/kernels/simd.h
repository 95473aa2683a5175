#pragma once
// Which instructions the kernels use. The best this machine has, unless APICAL_SIMD or set_simd_level() names another.
// Every level gives the same bits: no fused multiply-add, one order of operations.
#include <string>
#include <string_view>
#include <vector>

namespace apical::kernels {

/// Level in use: "scalar" (the plain reference), "portable", "sse4", "avx2", "avx512", "neon", ...
/// Throws a usage error that lists the levels when APICAL_SIMD names one that this machine or this build lacks. Programs call
/// this once at their start; kernels never throw and take the best level in that case.
std::string simd_level();

/// Levels that this build holds and this machine can run, "scalar" first, best last.
std::vector<std::string> simd_levels();

/// Changes the level (for tests and comparisons); "" or "best" takes the best. Not to be called while kernels run.
void set_simd_level(std::string_view name);

/// True when the plain reference was asked for. Reads APICAL_SIMD at the first call. For kernels.
bool scalar_level() noexcept;

}  // namespace apical::kernels
