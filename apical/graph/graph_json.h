#pragma once
// The graph as JSON text: the value of "apical.graph" in a model file. Weights are not in it, their names and shapes are.
#include <string>
#include <string_view>

#include "apical/graph/graph.h"

namespace apical::graph {

/// The text of a valid graph; the same graph gives the same text.
std::string to_json(const Graph& graph);

/// Reads the text back. Tensors have their shapes and no values; the graph is validated (Values::shapes_only). Data error naming
/// `where` and the key for anything unknown, missing, doubled, of a wrong type, nested deeper than 16, or longer than 16 MiB.
Graph parse_json(std::string_view text, const std::string& where);

}  // namespace apical::graph
