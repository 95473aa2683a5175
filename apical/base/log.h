#pragma once
// Messages for people, on standard error. Standard output belongs to results.
#include <string_view>

namespace apical {
enum class LogLevel { debug, info, warn, error, off };
void set_log_level(LogLevel level);  ///< default info; --quiet sets warn
LogLevel log_level() noexcept;
void log_debug(std::string_view message);
void log_info(std::string_view message);
void log_warn(std::string_view message);
void log_error(std::string_view message);
}  // namespace apical
