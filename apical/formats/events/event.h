#pragma once
// The one event of all event cameras, and the streaming interface every event file format implements.
//
// | format | usual name | extension      | time                           | largest x, y         | sensor size known from       |
// |--------|------------|----------------|--------------------------------|----------------------|------------------------------|
// | aedat2 | AEDAT 2.0  | .aedat         | 32 bits us, unwrapped          | DVS128, DAVIS 10/9 b | "# AEChip" line, else address|
// | aedat3 | AEDAT 3.1  | .aedat         | 62 bits us                     | 15 bits              | "#Source" line               |
// | aedat4 | AEDAT 4.0  | .aedat4        | 64 bits us (Unix time)         | 15 bits              | the streams' description     |
// | csv    | text       | .csv           | 64 bits us                     | 16 bits              | "# geometry" line of ours    |
// | dat    | DAT 1, 2   | .dat           | 32 bits us, unwrapped          | 14 bits              | "% Width", "% Height"        |
// | es     | ES 2       | .es            | steps of us                    | 16 bits              | the header                   |
// | evt2   | EVT 2.0    | .raw           | 34 bits us, unwrapped          | 11 bits              | "% geometry", "% format", ...|
// | evt21  | EVT 2.1    | .raw           | 34 bits us, unwrapped          | 11 bits              | "% geometry", "% format", ...|
// | evt3   | EVT 3.0    | .raw           | 24 bits us, unwrapped          | 11 bits              | "% geometry", "% format", ...|
// | hdf5   | HDF5       | .hdf5, .h5     | 64 bits us                     | 16 bits              | attribute "geometry"         |
// | hdf5_ecf | same, ECF| .hdf5, .h5     | 64 bits us                     | 11 bits              | attribute "geometry"         |
// | nmnist | N-MNIST    | .bin           | 23 bits us, unwrapped          | 8 bits, y != 240     | largest address in the file  |
// | npz    | NPZ        | .npz           | 64 bits us                     | 16 bits              | array sensor_size of ours    |
//
// All of them are read and written. Coordinates always have the origin in the upper left corner: AEDAT 2 stores the mirrored x and
// the y counted from below, which is undone here as jAER does; ES (Event Stream) counts y from below too.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace apical::formats {

/// One change-detection event. Time in microseconds, x to the right, y down, polarity 1 = brighter (ON), 0 = darker (OFF).
struct Event {
  std::int64_t t = 0;
  std::uint16_t x = 0, y = 0;
  std::uint8_t polarity = 0;
  bool operator==(const Event&) const = default;
};

enum class EventFormat { aedat2, aedat3, aedat4, csv, dat, es, evt2, evt21, evt3, hdf5, hdf5_ecf, nmnist, npz };
std::string name(EventFormat format);                  ///< "evt3"
EventFormat event_format(const std::string& name);     ///< usage error with a did-you-mean
const std::vector<std::string>& event_format_names();  ///< in the order of the enumeration

/// What a file says or shows about itself. The counts grow while the file is read and are complete at its end.
struct EventInfo {
  EventFormat format{};
  int width = 0, height = 0;        ///< sensor size in pixels; 0 when the file does not say
  std::uint64_t dropped = 0;        ///< events that could not be placed: before the first time word, row or column base
  std::uint64_t outside = 0;        ///< events left out because they lie outside width x height (never for size 0)
  std::uint64_t special = 0;        ///< other things left out: triggers, frames, inertial samples, synchronisation
  std::uint64_t unknown_words = 0;  ///< words of a type the format does not define, left out
  std::uint64_t steps_back = 0;     ///< events earlier than the one before
  std::uint64_t wraps = 0;          ///< how often the file's clock started again
  std::uint64_t cut_bytes = 0;      ///< bytes of a last record that is not whole, left out with a warning
  std::vector<std::pair<std::string, std::uint64_t>> words;  ///< how many words (EVT) or packets (AEDAT 3, 4) of each kind
  std::optional<std::uint64_t> declared;                     ///< number of events the file's own table promises (AEDAT 4, HDF5)
  std::vector<std::string> header;                           ///< header lines as found, without line ends
};

/// Reads a file piece by piece in constant memory (npz: all of it at once).
class EventReader {
 public:
  virtual ~EventReader() = default;
  /// Fills `out` from the front and returns how many events were read; 0 at the end. Data error naming file and byte offset,
  /// after the events before the damage have been returned. A last record that is cut off is left out, with a warning.
  /// Times are passed on as stored (unwrapped): recordings whose times step back a little keep doing so.
  virtual std::size_t read(std::span<Event> out) = 0;
  virtual const EventInfo& info() const = 0;
  /// Bytes of the file behind us, and all of them (for progress).
  virtual std::uint64_t position() const = 0;
  virtual std::uint64_t size() const = 0;
};

/// Writes piece by piece; nothing is left behind unless finish() returned. Memory is constant (AEDAT 4: 32 bytes for 10,000 events; npz: 13
/// bytes an event).
class EventWriter {
 public:
  virtual ~EventWriter() = default;
  /// Usage error when times step back or are negative, when x or y is outside the sensor, or when a time cannot be expressed: formats
  /// whose clock wraps after P us (nmnist 2^23, dat and aedat2 2^32) take any t < P, and beyond it gaps below P / 2. csv and npz take any times.
  virtual void write(std::span<const Event> events) = 0;
  virtual void finish() = 0;
};

/// Opens by content (magic, header), then by extension. A data error tells by name the formats that are known but not read yet.
std::unique_ptr<EventReader> open_events(const std::filesystem::path& path);
/// The same over bytes in memory, which must outlive the reader; `where` names them in errors.
std::unique_ptr<EventReader> open_events(std::span<const std::uint8_t> bytes, const std::string& where);
std::unique_ptr<EventReader> open_events(std::span<const std::uint8_t> bytes, const std::string& where, EventFormat format);
/// Usage error when the sensor is too large for the format. Bytes do not depend on how write() calls cut the sequence.
/// aedat2 writes DVS128 addresses up to 128x128 and DAVIS addresses above.
std::unique_ptr<EventWriter> create_events(const std::filesystem::path& path, EventFormat format, int width, int height);

/// The whole file at once.
std::vector<Event> read_events(const std::filesystem::path& path, EventInfo* info = nullptr);
void write_events(const std::filesystem::path& path, EventFormat format, int width, int height, std::span<const Event> events);

}  // namespace apical::formats
