#pragma once
// Post-training quantisation: weights become bfloat16, or int8 (or int4) numbers times a power of two, one for each weight tensor, and the input
// int8 times a power of two. What runs the latter in integers: integer.h.
#include <span>

#include "apical/graph/graph.h"

namespace apical::graph {

/// What the frames of a model hold, as far as it was seen.
struct InputRange {
  float largest = 0;  ///< of |x|, finite ones
  bool whole = true;  ///< all x are whole numbers up to 127: taken as they are

  void see(std::span<const float> frames) noexcept;
};

/// Folds norms (fold_affine) and rounds every weight of Conv2d and Linear. Nothing is trained anew; the result is still a graph in float that
/// everything can run.
/// bits 16: to bfloat16; the runtime then reads half the memory and gives the same as with those weights in float32. `input` is not used.
/// bits 8, 4: to q * 2^-exponent, |q| <= 127 or 7, with the exponent of the least squared error; the exponents are noted in Graph::integer,
/// inputs beyond the range saturate later.
/// Usage error for other bits; data error naming the node: as integer_network() gives it, a norm that does not fold, weights too small for any
/// exponent; or a graph quantised already.
void quantise(Graph& graph, int bits, const InputRange& input);

}  // namespace apical::graph
