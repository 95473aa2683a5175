#pragma once
// Private to exchange: the C file of a quantised network (c_source.h).
#include <string>

#include "apical/graph/graph.h"

namespace apical::exchange {

/// The network of graph/integer.h as C99: the same integers at every step, so the scores of the integer runtime. Every output lies in the
/// smallest of 8, 16 and 32 bits that holds its proven range, whatever the frames. No operation depends on how the compiler shifts
/// negative numbers. Data error as integer_network().
std::string integer_c_source(const graph::Graph& graph, const std::string& prefix);

}  // namespace apical::exchange
