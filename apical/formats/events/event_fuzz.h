#pragma once
// Body of the fuzz targets of event files: damaged bytes end in a data error and nothing else, and what is read keeps its promises.
#include <cstdlib>
#include <vector>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/formats/events/columns.h"
#include "apical/kernels/simd.h"

namespace apical::formats {

/// Which events, in which order.
struct FuzzSum {
  std::uint64_t count = 0, sum = 0;
  bool operator==(const FuzzSum&) const = default;
  void add(const Event& e) {
    ++count;
    sum = (sum ^ static_cast<std::uint64_t>(e.t)) * 0x9e3779b97f4a7c15u + e.x + (std::uint64_t{e.y} << 16) + (std::uint64_t{e.polarity} << 32);
  }
};

inline FuzzSum fuzz_read(std::span<const std::uint8_t> bytes, EventFormat format, std::size_t at_once) {
  FuzzSum sum;
  try {
    const auto reader = open_events(bytes, "fuzz", format);
    static std::vector<Event> buffer(4096);
    const auto events = std::span(buffer).first(at_once);
    while (const std::size_t n = reader->read(events)) {
      const EventInfo& info = reader->info();
      for (std::size_t i = 0; i < n; ++i) {
        const Event& e = events[i];
        if (e.polarity > 1 || (info.width > 0 && e.x >= info.width) || (info.height > 0 && e.y >= info.height)) std::abort();
        sum.add(e);
      }
    }
  } catch (const Error& e) {
    if (e.code() != ExitCode::data) std::abort();
  }
  return sum;
}

/// The events as columns, or those before the damage where there are none.
inline FuzzSum fuzz_columns(std::span<const std::uint8_t> bytes, EventFormat format, const FuzzSum& otherwise) {
  try {
    const EventColumns columns = parse_event_columns(bytes, "fuzz", format);
    FuzzSum sum;
    for (std::size_t i = 0; i < columns.size(); ++i) sum.add(columns[i]);
    return sum;
  } catch (const Error& e) {
    if (e.code() != ExitCode::data) std::abort();
    return otherwise;
  }
}

/// However the events are fetched, they are the same.
inline int fuzz_events(const std::uint8_t* data, std::size_t size, EventFormat format) {
  set_log_level(LogLevel::error);  // files that are cut are warned about
  const std::span<const std::uint8_t> bytes(data, size);
  kernels::set_simd_level("scalar");
  const FuzzSum events = fuzz_read(bytes, format, 4096);
  kernels::set_simd_level("best");
  if (events != fuzz_read(bytes, format, 1 + size % 97) || events != fuzz_columns(bytes, format, events)) std::abort();
  return 0;
}

}  // namespace apical::formats
