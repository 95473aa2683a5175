#pragma once
// For tests of kernels: random inputs, and the comparison of results that may be NaN.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <vector>

#include "apical/base/philox.h"

namespace apical::kernels {

enum class Input { normal, special, denormal, quarters };

/// One value of a kind from a normal one.
inline float input_value(Input kind, float normal, std::uint32_t draw) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  const float odd[] = {NAN, inf, -inf, 0.0f, -0.0f, 1e-40f, -1e-40f, 3e38f, -3e38f, 0.6f, 1e-30f};
  if (kind == Input::special && draw % 16 == 0) return odd[(draw >> 8) % std::size(odd)];
  if (kind == Input::denormal) return normal * 1e-39f;
  return kind == Input::quarters ? std::round(4 * normal) / 4 : normal;
}

/// noise(n, stream): n normal numbers, the same ones every time; a test has a seed of its own.
struct Noise {
  std::uint64_t seed;
  std::vector<float> operator()(std::size_t n, std::uint64_t stream, float scale = 1.0f, Input kind = Input::normal) const {
    Random normal(seed, stream), odd(seed, stream + 1000000);
    std::vector<float> x(n);
    for (float& a : x) a = input_value(kind, scale * normal.normal(), odd.bits());
    return x;
  }
};

/// Equal values with equal signs; NaN equals NaN, its payload may differ.
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](T x, T y) { return x == y ? std::signbit(x) == std::signbit(y) : x != x && y != y; });
}

}  // namespace apical::kernels
