#include "apical/formats/events/walk.h"

#include <algorithm>
#include <limits>

#include "apical/base/error.h"

namespace apical::formats {

std::int64_t microseconds_between(std::int64_t a, std::int64_t b) noexcept {
  std::int64_t d = 0;
  if (__builtin_sub_overflow(b, a, &d)) return b > a ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
  return d;
}

void walk(EventReader& reader, const EventRange& range, const EventTick& tick, const std::function<void(std::span<const Event>)>& use) {
  if (range.from < 0) throw usage_error("the range must not begin before 0 us", "--from-us");
  if (range.to && *range.to <= range.from)
    throw usage_error("the range ends before it begins", "--to-us", "Choose --to-us larger than --from-us.");
  std::vector<Event> some(1 << 13);
  std::int64_t first = 0;
  bool begun = false;
  while (std::size_t n = reader.read(some)) {
    if (!begun) {
      first = some[0].t;
      begun = true;
    }
    if (range.from > 0 || range.to) {
      const auto end = std::remove_if(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(n), [&](const Event& e) {
        const std::int64_t t = microseconds_between(first, e.t);
        return t < range.from || (range.to && t >= *range.to);
      });
      n = static_cast<std::size_t>(end - some.begin());
    }
    if (n > 0) use(std::span(some).first(n));
    if (tick) tick(reader.position(), reader.size());
  }
  if (tick && begun) tick(reader.size(), reader.size());  // what is left is no events (a table of contents)
}

Sensor sensor_of(const std::filesystem::path& path, const EventReader& reader, const EventTick& tick) {
  if (reader.info().width > 0 && reader.info().height > 0) return {reader.info().width, reader.info().height, false};
  Sensor s{1, 1, true};
  const auto scan = open_events(path);
  walk(*scan, {}, tick, [&](std::span<const Event> events) {
    for (const Event& e : events) {
      s.width = std::max(s.width, e.x + 1);
      s.height = std::max(s.height, e.y + 1);
    }
  });
  return s;
}

}  // namespace apical::formats
