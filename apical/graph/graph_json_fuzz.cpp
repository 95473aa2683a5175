#include <cstdint>
#include <string_view>

#include "apical/base/error.h"
#include "apical/graph/graph_json.h"

// Text becomes a graph that is written and read again unchanged, or a data error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace apical::graph;
  try {
    const std::string text = to_json(parse_json({reinterpret_cast<const char*>(data), size}, "input"));
    if (to_json(parse_json(text, "again")) != text) __builtin_trap();
  } catch (const apical::Error& e) {
    if (e.code() != apical::ExitCode::data || e.where().empty()) __builtin_trap();
  }
  return 0;
}
