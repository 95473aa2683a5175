#include "apical/base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

#include "apical/base/progress.h"

namespace apical {
namespace {

std::atomic<LogLevel> level{LogLevel::info};

spdlog::logger& logger() {
  static const auto instance = [] {
    auto l = spdlog::stderr_color_mt("apical");
    l->set_pattern("%^%v%$");
    l->set_level(spdlog::level::debug);
    return l;
  }();
  return *instance;
}

void say(LogLevel at, spdlog::level::level_enum as, std::string_view prefix, std::string_view message) {
  if (at < level) return;
  Progress::clear_line();  // a bar that is being drawn makes room
  logger().log(as, "{}{}", prefix, message);
}

}  // namespace

void set_log_level(LogLevel l) { level = l; }
LogLevel log_level() noexcept { return level; }
void log_debug(std::string_view m) { say(LogLevel::debug, spdlog::level::debug, "debug: ", m); }
void log_info(std::string_view m) { say(LogLevel::info, spdlog::level::info, "", m); }
void log_warn(std::string_view m) { say(LogLevel::warn, spdlog::level::warn, "warning: ", m); }
void log_error(std::string_view m) { say(LogLevel::error, spdlog::level::err, "error: ", m); }

}  // namespace apical
