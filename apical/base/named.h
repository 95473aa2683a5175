#pragma once
// Things that users call by name.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical {

/// The one of `all` whose member `of` (a projection) is `name`. Usage error "MISSING 'name'" with a did-you-mean where there is none:
/// named(models, "lif", "no model is called", "net.toml", &Model::name).
template <class All, class Of>
const auto& named(const All& all, std::string_view name, const std::string& missing, const std::string& where, Of of) {
  std::vector<std::string> known;
  for (const auto& one : all) {
    if (std::invoke(of, one) == name) return one;
    known.push_back(std::invoke(of, one));
  }
  throw usage_error(missing + " '" + std::string(name) + "'", where, did_you_mean(name, known));
}
template <class All>
const auto& named(const All& all, std::string_view name, const std::string& missing, const std::string& where = {}) {
  return named(all, name, missing, where, [](const auto& one) -> const std::string& { return one.name; });
}

}  // namespace apical
