#pragma once
// The one event of all event cameras, and the streaming interface every event file format implements.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace apical::formats {

/// One change-detection event. Time in microseconds, x to the right, y down, polarity 1 = brighter (ON), 0 = darker (OFF).
struct Event {
  std::int64_t t = 0;
  std::uint16_t x = 0, y = 0;
  std::uint8_t polarity = 0;
  bool operator==(const Event&) const = default;
};

enum class EventFormat { aedat2, aedat4, dat, evt2, evt3, nmnist };
std::string name(EventFormat format);                       ///< "evt3"
EventFormat event_format(const std::string& name);          ///< usage error with a did-you-mean

/// What a file says or shows about itself.
struct EventInfo {
  EventFormat format{};
  int width = 0, height = 0;      ///< sensor size; 0 when the format does not say
  std::uint64_t dropped = 0;      ///< events that could not be placed in time (e.g. before the first TIME_HIGH)
  std::uint64_t unknown_words = 0;///< words of a type the format does not define
  std::vector<std::string> header;///< header lines as found
};

/// Reads a file piece by piece in constant memory.
class EventReader {
 public:
  virtual ~EventReader() = default;
  /// Fills `out` from the front and returns how many events were read; 0 at the end. Data error naming file and byte offset.
  virtual std::size_t read(std::span<Event> out) = 0;
  virtual const EventInfo& info() const = 0;
};

/// Writes piece by piece; nothing is left behind unless finish() returned. Events must come in order of time.
class EventWriter {
 public:
  virtual ~EventWriter() = default;
  virtual void write(std::span<const Event> events) = 0;
  virtual void finish() = 0;
};

/// Opens by content (magic, header), then by extension.
std::unique_ptr<EventReader> open_events(const std::filesystem::path& path);
std::unique_ptr<EventWriter> create_events(const std::filesystem::path& path, EventFormat format, int width, int height);

/// The whole file at once.
std::vector<Event> read_events(const std::filesystem::path& path, EventInfo* info = nullptr);
void write_events(const std::filesystem::path& path, EventFormat format, int width, int height, std::span<const Event> events);

}  // namespace apical::formats
