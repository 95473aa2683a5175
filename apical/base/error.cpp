#include "apical/base/error.h"

namespace apical {

Error::Error(ExitCode code, std::string what, std::string where, std::string hint)
    : code_(code), message_(std::move(what)), where_(std::move(where)), hint_(std::move(hint)) {
  text_ = message_;
  if (!where_.empty()) text_ += " (" + where_ + ")";
  if (!hint_.empty()) text_ += ". " + hint_;
}

Error usage_error(std::string what, std::string where, std::string hint) {
  return Error(ExitCode::usage, std::move(what), std::move(where), std::move(hint));
}
Error data_error(std::string what, std::string where, std::string hint) {
  return Error(ExitCode::data, std::move(what), std::move(where), std::move(hint));
}
Error internal_error(std::string what, std::string where, std::string hint) {
  return Error(ExitCode::internal, std::move(what), std::move(where), std::move(hint));
}

}  // namespace apical
