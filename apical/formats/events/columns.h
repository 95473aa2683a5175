#pragma once
// A whole recording as four columns, decoded from the mapped file at the speed of memory.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "apical/base/huge_array.h"
#include "apical/formats/events/event.h"

namespace apical::formats {

using apical::HugeArray;

/// Events as columns of the same size: time in us, x, y, polarity (1 = ON).
struct EventColumns {
  HugeArray<std::int64_t> t;
  HugeArray<std::int16_t> x, y;
  HugeArray<std::uint8_t> p;
  std::size_t size() const noexcept { return t.size(); }
  Event operator[](std::size_t i) const noexcept { return {t[i], static_cast<std::uint16_t>(x[i]), static_cast<std::uint16_t>(y[i]), p[i]}; }
};

/// The same events in the same order as open_events() gives, and the same info, for any format and any number of threads. AEDAT 4, DAT,
/// EVT and HDF5 (Prophesee's layout) are decoded by all threads at once. Data error as from EventReader::read(), and when x or y does not fit
/// 15 bits (CSV, ES, HDF5): then there are no columns.
EventColumns read_event_columns(const std::filesystem::path& path, EventInfo* info = nullptr);
/// The same over bytes in memory; `where` names them in errors.
EventColumns parse_event_columns(std::span<const std::uint8_t> bytes, const std::string& where, EventInfo* info = nullptr);
EventColumns parse_event_columns(std::span<const std::uint8_t> bytes, const std::string& where, EventFormat format);

}  // namespace apical::formats
