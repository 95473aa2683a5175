#include "apical/base/error.h"
#include "apical/exchange/c_source.h"
#include "apical/exchange/model.h"
#include "apical/graph/graph_json.h"
#include "apical/graph/integer.h"
#include "apical/graph/quantise.h"

// Bytes become a model or a data error; a model can be folded, written as C, and made an integer network.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    apical::graph::Graph g = apical::exchange::parse_model({data, size}, "input");
    apical::graph::fold_affine(g);
    apical::exchange::c_source(g);
    if (!g.integer) apical::graph::quantise(g, 8, {1, false});
    apical::graph::integer_network(g);
  } catch (const apical::Error& e) {
    if (e.code() != apical::ExitCode::data || e.where().empty()) __builtin_trap();
  }
  return 0;
}
