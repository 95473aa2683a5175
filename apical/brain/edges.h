#pragma once
// Synapses that are listed: in a table, in a CSV file, in SONATA's edges.
#include <filesystem>
#include <string>
#include <string_view>

#include "apical/brain/connect.h"
#include "apical/formats/hdf5_arrays.h"

namespace apical::brain {

/// Who may be connected, numbered as in their populations, and how long the step is (ms).
struct EdgeLimits {
  Population from, to;
  double dt;
};

/// A table sorted by target. Usage error that names the edge: a neuron outside of `from` or `to`, a weight that is no finite number, a
/// delay below the step, columns of different lengths.
Edges make_edges(const SynapseTable& table, const EdgeLimits& limits);

/// Text, a line an edge. The first line names the columns: source, target, and weight (of the target's unit) and delay (ms) where they are
/// in the file, in any order, between commas, semicolons or blanks; lines that begin with # are comments. Data error that names the line.
SynapseTable parse_edges_csv(std::string_view text, const std::string& where, const EdgeLimits& limits);
SynapseTable read_edges_csv(const std::filesystem::path& path, const EdgeLimits& limits);
/// Read back, and connected, it gives the same spikes.
void write_edges_csv(const std::filesystem::path& path, const SynapseTable& table);

/// Edges of a population in SONATA's HDF5 layout (github.com/AllenInstitute/sonata): below /edges/POPULATION source_node_id,
/// target_node_id, edge_type_id, edge_group_id, edge_group_index, and in the groups 0, 1, ... syn_weight and delay (ms). What an edge's
/// group has not, its type has: the text of the edge types CSV ("": none), with edge_type_id, syn_weight and delay among its columns. Node
/// numbers are those of our populations; weights are taken as they are, other attributes are not read. Data error that names the file and
/// the row.
SynapseTable parse_sonata_edges(const formats::Hdf5Columns& file, const std::string& population, std::string_view types,
                                const std::string& types_where, const EdgeLimits& limits);

/// A file of either kind: HDF5 by its first bytes, else CSV. population, types: of SONATA, else "". Usage error: one is needed, or not.
SynapseTable read_edges(const std::filesystem::path& path, const std::string& population, const std::filesystem::path& types,
                        const EdgeLimits& limits);

}  // namespace apical::brain
