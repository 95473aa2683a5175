#pragma once
// Post-training quantisation: weights become int8 (or int4) numbers times a power of two, one for each weight tensor, and the input int8 times
// a power of two. What runs it in integers: integer.h.
#include <span>

#include "apical/graph/graph.h"

namespace apical::graph {

/// What the frames of a model hold, as far as it was seen.
struct InputRange {
  float largest = 0;  ///< of |x|, finite ones
  bool whole = true;  ///< all x are whole numbers up to 127: taken as they are

  void see(std::span<const float> frames) noexcept;
};

/// Folds norms (fold_affine), rounds every weight of Conv2d and Linear to q * 2^-exponent, |q| <= 127 (bits 8) or 7 (bits 4), with the exponent of
/// the least squared error, and notes the exponents in Graph::integer. The result is still a graph in float that everything can run. Nothing is
/// trained anew. Inputs beyond the range saturate later. Usage error for other bits; data error naming the node: as integer_network() gives
/// it, a norm that does not fold, weights too small for any exponent; or a graph quantised already.
void quantise(Graph& graph, int bits, const InputRange& input);

}  // namespace apical::graph
