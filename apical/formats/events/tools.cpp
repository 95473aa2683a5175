#include "apical/formats/events/tools.h"

#include <algorithm>

#include "apical/base/error.h"
#include "apical/base/text.h"
#include "apical/formats/events/walk.h"

namespace apical::formats {
namespace {

constexpr std::int64_t peak_window_us = 10'000;

}  // namespace

EventSummary summarise_events(const std::filesystem::path& path, const EventTick& tick) {
  EventSummary s;
  std::int64_t origin = 0, window = 0;
  std::uint64_t in_window = 0, peak = 0;
  const auto reader = open_events(path);
  walk(*reader, {}, tick, [&](std::span<const Event> events) {
    for (const Event& e : events) {
      if (s.events++ == 0) s.first_us = s.last_us = origin = e.t;
      s.on += e.polarity;
      s.first_us = std::min(s.first_us, e.t);
      s.last_us = std::max(s.last_us, e.t);
      s.max_x = std::max<int>(s.max_x, e.x);
      s.max_y = std::max<int>(s.max_y, e.y);
      if (const std::int64_t w = microseconds_between(origin, e.t) / peak_window_us; w != window) {
        window = w;
        in_window = 0;
      }
      peak = std::max(peak, ++in_window);
    }
  });
  s.info = reader->info();
  s.bytes = reader->size();
  s.duration_s = static_cast<double>(microseconds_between(s.first_us, s.last_us)) * 1e-6;
  s.mean_rate_hz = s.duration_s > 0 ? static_cast<double>(s.events) / s.duration_s : 0;
  // A recording shorter than the window has no other peak than its mean.
  s.peak_rate_hz = std::max(s.mean_rate_hz, static_cast<double>(peak) / (static_cast<double>(peak_window_us) * 1e-6));
  return s;
}

std::string conversion_for(const std::filesystem::path& out) {
  const std::string ext = out.extension().string();
  if (ext == ".aedat" || ext == ".aedat2") return "aedat2";
  if (ext == ".aedat3") return "aedat3";
  if (ext == ".aedat4") return "aedat4";
  if (ext == ".dat") return "dat";
  if (ext == ".bin") return "nmnist";
  if (ext == ".csv") return "csv";
  if (ext == ".es") return "es";
  if (ext == ".hdf5" || ext == ".h5") return "hdf5";
  if (ext == ".npz") return "npz";
  if (ext == ".raw")
    throw usage_error("a .raw file may be EVT 2, 2.1 or 3", out.string(), "Say which: --to evt2, --to evt21 or --to evt3.");
  throw usage_error("the ending '" + ext + "' does not say which format is wanted", out.string(),
                    "Give --to: " + join(event_format_names(), ", ") + ".");
}

EventConverted convert_events(const std::filesystem::path& in, const std::filesystem::path& out, const EventConversion& how,
                              const EventTick& tick) {
  std::error_code ignored;
  if (std::filesystem::equivalent(in, out, ignored))
    throw usage_error("input and output are the same file", out.string(), "Choose another name.");
  EventConverted result;
  const auto reader = open_events(in);
  result.width = how.width;
  result.height = how.height;
  if (how.width <= 0 || how.height <= 0) {
    const Sensor sensor = sensor_of(in, *reader, tick);
    if (how.width <= 0) result.width = sensor.width;
    if (how.height <= 0) result.height = sensor.height;
    result.size_guessed = sensor.guessed;
  }
  const auto writer = create_events(out, event_format(how.to), result.width, result.height);
  std::vector<Event> shifted;
  std::optional<std::int64_t> first;
  walk(*reader, how.range, tick, [&](std::span<const Event> events) {
    result.events += events.size();
    if (!how.rebase) return writer->write(events);
    if (!first) first = events.front().t;
    shifted.assign(events.begin(), events.end());
    for (Event& e : shifted) e.t = microseconds_between(*first, e.t);
    writer->write(shifted);
  });
  writer->finish();
  return result;
}

}  // namespace apical::formats
