#pragma once
// What the writers of EVT 2.0, EVT 2.1 and EVT 3.0 share: the header and the time words.
#include <cstdint>
#include <string>

#include "apical/base/error.h"

namespace apical::formats::detail {

inline std::string evt_header(const std::string& version, const std::string& format, int width, int height) {
  const std::string w = std::to_string(width), h = std::to_string(height);
  return "% evt " + version + "\n% format " + format + ";height=" + h + ";width=" + w + "\n% geometry " + w + "x" + h + "\n% end\n";
}

/// Time words must follow each other within half a period, so long silences cost words: about 260,000 for this many us (12 days).
inline constexpr std::int64_t longest_evt_gap = std::int64_t{1} << 40;
inline void check_evt_gap(std::int64_t t, std::int64_t last, const std::string& where) {
  if (t - last > longest_evt_gap)
    throw usage_error("the step from " + std::to_string(last) + " to " + std::to_string(t) + " us is too long for time words", where,
                      "Shift the times so that they begin at 0 (--rebase), or choose another format.");
}

/// Emits the upper part of the time whenever it changes, in steps a reader that sees it modulo `period` can follow.
struct HighClock {
  std::int64_t period, now = -1;
  template <class Put>
  void advance(std::int64_t high, Put put) {
    if (now < 0 && high < period) {  // the first word may say anything
      put(high);
      now = high;
    }
    if (now < 0) now = 0;
    while (now < high) {
      now = high - now > period / 4 ? now + period / 4 : high;
      put(now & (period - 1));
    }
  }
};

}  // namespace apical::formats::detail
