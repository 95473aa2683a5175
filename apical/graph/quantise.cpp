#include "apical/graph/quantise.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/graph/integer.h"
#include "apical/kernels/narrow.h"

namespace apical::graph {
namespace {

float rounded(float w, int exponent, float most) {
  return std::clamp(std::nearbyint(std::ldexp(w, exponent)), -most, most);
}

// The largest exponent with which |largest| is at most `most`.
int fitting(float largest, float most) {
  if (largest == 0) return 0;
  const int e = std::ilogb(most) - std::ilogb(largest) + 1;
  return std::ldexp(largest, e) <= most ? e : std::ldexp(largest, e - 1) <= most ? e - 1 : e - 2;
}

// From the one that keeps every weight on, each next one cuts off more and rounds less.
int best_exponent(const Floats& weights, float most) {
  float largest = 0;
  for (const float w : weights) largest = std::max(largest, std::fabs(w));
  const int first = fitting(largest, most);
  int best = first;
  double least = -1;
  for (int e = first; e <= first + 3; ++e) {
    double error = 0;
    for (const float w : weights) {
      const double d = double{w} - std::ldexp(double{rounded(w, e, most)}, -e);
      error += d * d;
    }
    if (least < 0 || error < least) least = error, best = e;
  }
  return best;
}

}  // namespace

void InputRange::see(std::span<const float> frames) noexcept {
  for (const float x : frames) {
    if (!std::isfinite(x)) continue;
    largest = std::max(largest, std::fabs(x));
    whole = whole && std::fabs(x) <= 127 && x == std::nearbyint(x);
  }
}

void quantise(Graph& graph, int bits, const InputRange& input) {
  if (bits != 16 && bits != 8 && bits != 4)
    throw usage_error("weights of " + std::to_string(bits) + " bits are not possible", "quantise", "Choose 16, 8 or 4.");
  Graph g = graph;
  validate(g);
  if (g.integer) throw data_error("it is quantised already", "network '" + g.name + "'");
  fold_affine(g);
  if (bits == 16) {
    for (const Node& node : g.nodes)
      if (const auto name = weight_name(node.op); !name.empty())
        for (float& w : g.tensors.at(name).values.own()) w = kernels::to_float(kernels::to_bfloat16(w));
    graph = std::move(g);
    return;
  }
  const float most = bits == 8 ? 127 : 7;
  Integer integer{bits, input.whole ? 0 : fitting(input.largest, 127), {}};
  for (const Node& node : g.nodes) {
    if (std::holds_alternative<Affine>(node.op))
      throw data_error("an affine has no integer form, and this one does not fold", "network '" + g.name + "', node '" + node.name + "'",
                       "It must stand behind a convolution or linear whose output nothing else reads.");
    const std::string name = weight_name(node.op);
    if (name.empty() || integer.exponents.count(name)) continue;
    Floats& weights = g.tensors.at(name).values;
    const int exponent = best_exponent(weights, most);
    if (std::abs(exponent) > max_exponent)
      throw data_error("its weights are too small or too large for 2^-" + std::to_string(exponent), "network '" + g.name + "', node '" + node.name + "'");
    for (float& w : weights.own()) w = std::ldexp(rounded(w, exponent, most), -exponent);
    integer.exponents[name] = exponent;
  }
  g.integer = std::move(integer);
  integer_network(g);  // says what cannot be
  graph = std::move(g);
}

}  // namespace apical::graph
