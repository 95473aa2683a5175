#pragma once
// The one exception of Apical and the exit codes every program ends with.
#include <exception>
#include <string>

namespace apical {

/// What a program returns to the shell.
enum class ExitCode : int {
  good = 0,
  check_failed = 1,  ///< a claim, a gate or a comparison did not hold
  usage = 2,         ///< wrong command line, configuration key or value
  data = 3,          ///< a file or data set is missing, damaged or cannot be written
  internal = 4,      ///< a defect of Apical
  interrupted = 130  ///< stopped by Ctrl-C
};

/// An error a user can act on: what happened, where (file, offset, key), and what to do about it.
class Error : public std::exception {
 public:
  Error(ExitCode code, std::string what, std::string where = {}, std::string hint = {});

  const char* what() const noexcept override { return text_.c_str(); }  ///< "what (where). hint"
  ExitCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& where() const noexcept { return where_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  ExitCode code_;
  std::string message_, where_, hint_, text_;
};

/// Shorthands, so that a throw site reads as a sentence.
[[nodiscard]] Error usage_error(std::string what, std::string where = {}, std::string hint = {});
[[nodiscard]] Error data_error(std::string what, std::string where = {}, std::string hint = {});
[[nodiscard]] Error internal_error(std::string what, std::string where = {}, std::string hint = {});

}  // namespace apical
