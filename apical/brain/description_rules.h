#pragma once
// What a described circuit says of connections and positions. Private to the room.
#include "apical/brain/description_table.h"
#include "apical/brain/edges.h"
#include "apical/brain/network.h"

namespace apical::brain {

struct DescribedRule {
  Rule rule;                      ///< `listed` when the synapses are in a file
  std::vector<std::string> keys;  ///< of the table, that say it
};
DescribedRule read_rule(const Table& connection);
/// Those of rule = "file". Usage error: a key says what the file says.
SynapseTable read_edges(const Table& connection, const EdgeLimits& limits);
/// weight and delay, where they are given.
Synapses read_synapses(const Table& t, const std::string& weight_unit);
Positions read_positions(const Table& positions);

}  // namespace apical::brain
