#include <cstdint>
#include <string_view>

#include "apical/base/error.h"
#include "apical/brain/description.h"

// A file, JSON when it begins with a brace, becomes a circuit, or a usage error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace apical;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    Config config = text.substr(0, 1) == "{" ? Config::parse_json(text, "input.json") : Config::parse(text, "input.toml");
    config.put("simulation.memory=0.001");  // a network of a million bytes
    brain::describe(config);
  } catch (const Error& e) {
    if ((e.code() != ExitCode::usage && e.code() != ExitCode::data) || e.message().empty()) __builtin_trap();
  }
  return 0;
}
