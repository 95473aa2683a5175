#pragma once
// Going through a recording piece by piece: a range of time, progress, and the sensor's size when the file does not say it.
#include <filesystem>
#include <functional>

#include "apical/formats/events/tools.h"

namespace apical::formats {

/// b - a, held at the ends of the number range (times of damaged files may be anything).
std::int64_t microseconds_between(std::int64_t a, std::int64_t b) noexcept;

/// Calls `use` with the events of the range in order, some thousands at a time and never with none.
void walk(EventReader& reader, const EventRange& range, const EventTick& tick, const std::function<void(std::span<const Event>)>& use);

struct Sensor {
  int width = 0, height = 0;
  bool guessed = false;
};
/// What the reader says, or the smallest sensor that holds all events of the file, which is read once for it; 1x1 when there are none.
Sensor sensor_of(const std::filesystem::path& path, const EventReader& reader, const EventTick& tick);

}  // namespace apical::formats
