#pragma once
// How long something takes.
#include <chrono>

namespace apical {

/// Seconds since some moment, by a clock that never goes back.
inline double clock_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace apical
