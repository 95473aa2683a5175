#pragma once
// The integer network of a quantised graph (quantise.h): what the integer runtime executes and its reference defines. Its equations:
//
// The output of a node is integers q; their value is q * unit.
//   input     q = clamp(round(x / unit), -127, 127), to the even one of two neighbours as far away; NaN gives 0
//   conv2d, linear   q = bias + sum weight * q_in, unit = unit_in * 2^-exponent: weight int8, bias int32 = round(b / unit)
//   avg_pool2d       q = sum of the window (no division), unit = unit_in / (kernel * kernel)
//   max_pool2d       q = largest of the window
//   flatten          the same
//   add       q = sum of q_in * 2^shift, unit = the smallest of its inputs' units; the others are 2^shift times as large
//   neuron    kernels/neurons/integer_lif.h: q = 0 or 1, unit 1. A membrane of v is v * unit_in * 2^-shift. decay 15 bits, the nearest; the input
//             is not scaled: v_th and v_reset are, by 1 / input_scale (or 1 / (1 - decay)). shift: v_th lies in [2^11, 2^12], or shift is 11
//   readout   rate: score = (sum over the steps so far of q) * unit / steps; max_membrane: largest q so far; last: q. int64
// All sums are exact: the range of each node's q is proven from the weights (IntegerNode::least, most; every partial sum lies in it or
// between it and 0) to be within 2^30, and inputs of weight layers within int16. What does not fit is refused, by the node's name. Only
// neurons saturate, their membranes and what they add to them (integer_lif.h).
#include <cstdint>
#include <vector>

#include "apical/graph/graph.h"
#include "apical/kernels/neurons/integer_lif.h"

namespace apical::graph {

struct IntegerNode {
  double unit = 1;                  ///< value of an output of 1
  std::int64_t least = 0, most = 0; ///< range of the output; not of a readout
  std::vector<std::int8_t> weight;  ///< as the graph's tensor lies
  std::vector<std::int32_t> bias;   ///< [O]; empty: none
  kernels::IntegerLif lif;
  std::vector<std::int16_t> leak;   ///< minus each neuron's own decay, in the graph's order; empty: lif.decay
  std::vector<int> shifts;          ///< of add: one an input
};

struct IntegerNetwork {
  Graph graph;                     ///< shapes, encoder, classes; its tensors have no values
  std::vector<IntegerNode> nodes;  ///< one each of the graph's
};

/// Data error naming the node, with a hint: a graph that is not quantised; ranges as above; units of an add's
/// inputs that are not powers of two apart; input_scale or 1 - decay that is not positive, or differs from neuron to neuron.
IntegerNetwork integer_network(const Graph& graph);

}  // namespace apical::graph
