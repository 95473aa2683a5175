#pragma once
// What EVT 2.0, EVT 2.1 and EVT 3.0 share: the kinds of words of the first two; the header and the time words of all writers.
#include <cstdint>
#include <string>

#include "apical/base/error.h"
#include "apical/formats/events/words.h"

namespace apical::formats::detail {

/// Upper 4 bits of the words of EVT 2.0, and of the upper halves of the words of EVT 2.1.
namespace evt2 {
enum Kind : std::uint32_t { cd_off = 0x0, cd_on = 0x1, time_high = 0x8, ext_trigger = 0xa, others = 0xe, continued = 0xf };
inline constexpr std::int64_t high_period = std::int64_t{1} << 28;  // TIME_HIGH: the 28 upper bits of the 34-bit time
inline constexpr int low_bits = 6;

inline void set_high(std::uint32_t word, WordState& state) {
  state.high = state.time(word & 0x0fffffff) << low_bits;
  state.has_time = true;
}
inline void report(const WordCounts& counts, const char* off, const char* on, EventInfo& info) {
  const auto& k = counts.kinds;
  info.words = {{off, k[cd_off]},           {on, k[cd_on]},     {"TIME_HIGH", k[time_high]}, {"EXT_TRIGGER", k[ext_trigger]},
                {"OTHERS", k[others]}, {"CONTINUED", k[continued]}};
  info.special = k[ext_trigger] + k[others] + k[continued];
  info.unknown_words = k[2] + k[3] + k[4] + k[5] + k[6] + k[7] + k[9] + k[11] + k[12] + k[13];
}
}  // namespace evt2

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
