#pragma once
// A model is one .safetensors file: the weights, and the network as JSON text in __metadata__["apical.graph"]. Weights of a quantised
// network (Graph::integer) are I8 tensors q, of q * 2^-exponent; those of 4 bits too, one a byte. Weights that are bfloat16 numbers, all of a
// tensor, are BF16. All others are F32.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "apical/graph/graph.h"

namespace apical::exchange {

/// Writes atomically. The graph is validated first; same graph, same bytes.
void save_model(const std::filesystem::path& path, const graph::Graph& graph);

/// Reads and validates. Data error naming the file and, as may be, the key, node or tensor: not a safetensors file, no
/// "apical.graph", a tensor that is missing, unread, of another type or shape than the graph says, an integer beyond its bits.
/// The file is mapped and its tensors are read in place (graph::Floats) for as long as a copy of them lives; a tensor that a foreign
/// writer did not align to four bytes is copied. Who replaces the file must do so by rename, as everything here does: a file that is
/// cut short under a map ends the program.
graph::Graph load_model(const std::filesystem::path& path);
/// The same over bytes in memory, copied; `where` stands for the file name in messages.
graph::Graph parse_model(std::span<const std::uint8_t> bytes, const std::string& where);

}  // namespace apical::exchange
