// A chunk that is accepted, and could have been packed by an encoder, must survive being packed and unpacked again.
#include <algorithm>
#include <cstdlib>

#include "apical/formats/events/ecf.h"

using namespace apical::formats;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static detail::EventRows rows, again;
  if (const auto damage = detail::decode_ecf({data, size}, rows); damage.what) {
    if (damage.at > size) std::abort();
    return 0;
  }
  if (rows.size == 0) return 0;
  std::vector<Event> events;
  for (std::size_t i = 0; i < rows.size; ++i) events.push_back({rows.t[i], rows.x[i], rows.y[i], rows.p[i]});
  const auto possible = [](const Event& e) { return e.t >= 0 && e.x < detail::ecf_pixels && e.polarity < 2; };
  const auto earlier = [](const Event& a, const Event& b) { return a.t < b.t; };
  if (!std::all_of(events.begin(), events.end(), possible) || !std::is_sorted(events.begin(), events.end(), earlier)) return 0;
  std::vector<std::uint8_t> packed;
  detail::append_ecf(events, packed);
  if (detail::decode_ecf(packed, again).what || again.size != rows.size) std::abort();
  for (std::size_t i = 0; i < rows.size; ++i)
    if (events[i] != Event{again.t[i], again.x[i], again.y[i], again.p[i]}) std::abort();
  return 0;
}
