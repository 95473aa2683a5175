// Which format is this file? Content decides; the extension only where the content has no mark.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "apical/base/text.h"
#include "apical/formats/events/detail.h"

namespace apical::formats {
namespace {

const std::vector<std::string> names = {"aedat2", "aedat3", "aedat4", "csv", "dat", "es", "evt2", "evt21", "evt3", "hdf5", "hdf5_ecf", "nmnist", "npz"};
constexpr const char* readable =
    "Formats that are read: AEDAT 2, AEDAT 3.1, AEDAT 4, CSV, Prophesee DAT, EVT 2, EVT 2.1, EVT 3, Event Stream .es, HDF5 (Prophesee, columns), N-MNIST .bin, NPZ.";

std::string extension(const std::string& path) {
  std::string e = std::filesystem::path(path).extension().string();
  std::transform(e.begin(), e.end(), e.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return e;
}

EventFormat by_percent_header(const std::shared_ptr<ByteSource>& source) {
  Cursor in(source);
  std::vector<std::string> header;
  while (header.size() < 10000) {
    auto line = in.text_line("%");
    if (!line) break;
    header.push_back(std::move(*line));
    if (header.back() == "% end") break;
  }
  std::string evt = detail::header_value(header, "evt");
  const std::string format = detail::header_value(header, "format");
  if (const std::string kind = format.substr(0, format.find(';')); kind.rfind("EVT", 0) == 0)
    evt = kind == "EVT2" ? "2.0" : kind == "EVT21" ? "2.1" : kind == "EVT3" ? "3.0" : kind;
  if (evt == "2.0") return EventFormat::evt2;
  if (evt == "2.1") return EventFormat::evt21;
  if (evt == "3.0") return EventFormat::evt3;
  if (!evt.empty()) throw data_error("EVT " + evt.substr(0, 20) + " files are not read yet", source->name(), readable);
  const std::string ext = extension(source->name());
  if (ext == ".csv" || detail::is_csv(source)) return EventFormat::csv;  // these lines were comments
  const bool data_file = std::any_of(header.begin(), header.end(), [](const std::string& l) { return l.rfind("% Data file", 0) == 0; });
  if (data_file || ext == ".dat" || !detail::header_value(header, "Version").empty()) return EventFormat::dat;
  throw data_error("the header does not name a format ('% evt 3.0', '% format EVT3', '% Version 2')", source->name(), readable);
}

EventFormat sniff(const std::shared_ptr<ByteSource>& source) {
  std::array<std::uint8_t, 128> head{};
  const std::size_t n = source->read_at(0, head.data(), head.size());
  const auto starts = [&](std::string_view magic) {
    return n >= magic.size() && std::memcmp(head.data(), magic.data(), magic.size()) == 0;
  };
  const auto not_yet = [&](const std::string& what) { return data_error(what + " files are not read yet", source->name(), readable); };
  const std::string ext = extension(source->name());
  if (starts("#!AER-DAT4.")) return EventFormat::aedat4;
  if (starts("#!AER-DAT2.")) return EventFormat::aedat2;
  if (starts("#!AER-DAT3.1")) return EventFormat::aedat3;
  if (starts("#!AER-DAT3.")) throw not_yet("AEDAT 3.0");
  if (starts("#!AER-DAT1.") || (ext == ".aedat" && n > 0)) throw not_yet("AEDAT 1");
  if (starts("Event Stream")) return EventFormat::es;
  if (starts("PK\x03\x04")) return EventFormat::npz;
  if (starts("MATLAB 5.0")) throw not_yet("MATLAB event");
  if (starts("\x89HDF\r\n\x1a\n")) return EventFormat::hdf5;
  if (starts("% ")) return by_percent_header(source);
  if (ext == ".bin") return EventFormat::nmnist;
  if (n == 0) throw data_error("the file is empty", source->name(), readable);
  if (ext == ".csv" || detail::is_csv(source)) return EventFormat::csv;
  throw data_error("this is no event file of a known format", source->name(), readable);
}

std::unique_ptr<EventReader> open_as(std::shared_ptr<ByteSource> source, EventFormat format) {
  switch (format) {
    case EventFormat::aedat2:
      return detail::open_aedat2(std::move(source));
    case EventFormat::aedat3:
      return detail::open_aedat3(std::move(source));
    case EventFormat::aedat4:
      return detail::open_aedat4(std::move(source));
    case EventFormat::csv:
      return detail::open_csv(std::move(source));
    case EventFormat::dat:
      return detail::open_dat(std::move(source));
    case EventFormat::es:
      return detail::open_es(std::move(source));
    case EventFormat::evt2:
      return detail::open_evt2(std::move(source));
    case EventFormat::evt21:
      return detail::open_evt21(std::move(source));
    case EventFormat::evt3:
      return detail::open_evt3(std::move(source));
    case EventFormat::hdf5:
    case EventFormat::hdf5_ecf:
      return detail::open_hdf5_events(std::move(source));
    case EventFormat::nmnist:
      return detail::open_nmnist(std::move(source));
    case EventFormat::npz:
      return detail::open_npz(std::move(source));
  }
  throw internal_error("no such event format");
}

}  // namespace

std::string name(EventFormat format) { return names.at(static_cast<std::size_t>(format)); }
const std::vector<std::string>& event_format_names() { return names; }

EventFormat event_format(const std::string& text) {
  const auto it = std::find(names.begin(), names.end(), text);
  if (it == names.end()) throw usage_error("'" + text + "' is no event format", {}, did_you_mean(text, names));
  return static_cast<EventFormat>(it - names.begin());
}

std::unique_ptr<EventReader> open_events(const std::filesystem::path& path) {
  auto source = file_source(path);
  const EventFormat format = sniff(source);
  return open_as(std::move(source), format);
}
std::unique_ptr<EventReader> open_events(std::span<const std::uint8_t> bytes, const std::string& where) {
  auto source = memory_source(bytes, where);
  const EventFormat format = sniff(source);
  return open_as(std::move(source), format);
}
std::unique_ptr<EventReader> open_events(std::span<const std::uint8_t> bytes, const std::string& where, EventFormat format) {
  return open_as(memory_source(bytes, where), format);
}

std::unique_ptr<EventWriter> create_events(const std::filesystem::path& path, EventFormat format, int width, int height) {
  const auto [w, h] = detail::largest_sensor(format);
  if (width < 1 || height < 1 || width > w || height > h)
    throw usage_error("a sensor of " + std::to_string(width) + "x" + std::to_string(height) + " pixels does not fit " + name(format) +
                          " (1x1 to " + std::to_string(w) + "x" + std::to_string(h) + ")",
                      path.string(), width < 1 || height < 1 ? "Give the sensor size (--width, --height)." : "");
  switch (format) {
    case EventFormat::aedat2:
      return detail::create_aedat2(path, width, height);
    case EventFormat::aedat3:
      return detail::create_aedat3(path, width, height);
    case EventFormat::aedat4:
      return detail::create_aedat4(path, width, height);
    case EventFormat::csv:
      return detail::create_csv(path, width, height);
    case EventFormat::dat:
      return detail::create_dat(path, width, height);
    case EventFormat::es:
      return detail::create_es(path, width, height);
    case EventFormat::evt2:
      return detail::create_evt2(path, width, height);
    case EventFormat::evt21:
      return detail::create_evt21(path, width, height);
    case EventFormat::evt3:
      return detail::create_evt3(path, width, height);
    case EventFormat::hdf5:
    case EventFormat::hdf5_ecf:
      return detail::create_hdf5_events(path, format, width, height);
    case EventFormat::nmnist:
      return detail::create_nmnist(path, width, height);
    case EventFormat::npz:
      return detail::create_npz(path, width, height);
  }
  throw internal_error("no such event format");
}

std::vector<Event> read_events(const std::filesystem::path& path, EventInfo* info) {
  const auto reader = open_events(path);
  std::vector<Event> events;
  for (std::size_t n = 1; n > 0;) {
    const std::size_t at = events.size();
    events.resize(at + std::max<std::size_t>(1 << 14, at));
    n = reader->read(std::span(events).subspan(at));
    events.resize(at + n);
  }
  if (info) *info = reader->info();
  return events;
}

void write_events(const std::filesystem::path& path, EventFormat format, int width, int height, std::span<const Event> events) {
  const auto writer = create_events(path, format, width, height);
  writer->write(events);
  writer->finish();
}

}  // namespace apical::formats
