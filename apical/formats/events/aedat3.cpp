// AEDAT 3.1 of cAER: lines "#...\r\n" up to "#!END-HEADER", then packets, all little-endian. A packet: i16 type, i16 source, i32 size of
// an event, i32 where its time stands, i32 overflow, i32 capacity, i32 events, i32 valid events; then the events. Polarity events (type 1,
// 8 bytes): u32 with bit 0 valid, bit 1 polarity, bits 2-16 y, bits 17-31 x; i32 time in us, to which overflow * 2^31 is added. The origin
// is in the upper left corner. Source: iniVation, "AEDAT 3.1"; libcaer's headers for the bits.
// Only the first source of polarity events is read; everything else is counted and skipped.
#include <limits>
#include <optional>

#include "apical/formats/events/aedat.h"

namespace apical::formats::detail {
namespace {

constexpr const char* version_line = "#!AER-DAT3.1";
constexpr const char* format_line = "#Format: ";
constexpr const char* end_line = "#!END-HEADER";
constexpr std::size_t head_size = 28, event_size = 8;
constexpr std::int16_t polarity_type = 1;
constexpr std::int64_t overflow_us = std::int64_t{1} << 31;
constexpr std::size_t events_per_packet = 4096;
constexpr const char* cut_hint = "The file is cut off or damaged; copy or download it again.";

class Aedat3Reader final : public ReaderBase {
 public:
  explicit Aedat3Reader(std::shared_ptr<ByteSource> source) : ReaderBase(std::move(source), EventFormat::aedat3) {
    read_header("#", end_line);
    if (info_.header.empty() || info_.header[0] != version_line) throw in_.error_at(0, "this is no AEDAT 3.1 file");
    if (info_.header.back() != end_line) throw in_.error(std::string("the header does not end with '") + end_line + "'", cut_hint);
    for (const std::string& line : info_.header) {
      if (line.rfind(format_line, 0) != 0) continue;
      const std::string format = line.substr(std::string_view(format_line).size());
      if (format != "RAW")
        throw in_.error_at(0, "AEDAT 3.1 packets of the format '" + format.substr(0, 40) + "' are not read", "RAW is read.");
    }
    sensor_from_source();
    info_.words = {{"event packets", 0}, {"other packets", 0}};
  }

 private:
  // "#Source 1: DAVIS240C"; a "#-Source" line tells of the recording this one was made from.
  void sensor_from_source() {
    for (const char* lead : {"#source ", "#-source "})
      for (const std::string& line : info_.header) {
        const std::string text = aedat_lower(line);
        const AedatChip* chip = text.rfind(lead, 0) == 0 ? aedat_chip(text) : nullptr;
        if (!chip || info_.width > 0) continue;
        info_.width = chip->width;
        info_.height = chip->height;
      }
    size_from_aedat_geometry(info_);
  }
  bool decode() override {
    if (left_ == 0) return next_packet();
    const auto bytes = in_.peek(std::size_t{1} << 15);
    if (bytes.size() < event_size)
      throw in_.error("the file ends inside a packet, of which " + std::to_string(left_) + " events are missing", cut_hint);
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() / event_size));
    for (std::size_t i = 0; i < n; ++i) {
      const auto a = load_le<std::uint32_t>(bytes.data() + i * event_size);
      const auto t = load_le<std::int32_t>(bytes.data() + i * event_size + 4);
      if ((a & 1) != 0)
        emit(base_ + t, a >> 17, (a >> 2) & 0x7fff, (a >> 1) & 1);
      else
        ++info_.special;
    }
    in_.skip(n * event_size);
    left_ -= n;
    return true;
  }
  // Reads the head of a packet, and passes over one that holds no events of ours.
  bool next_packet() {
    if (in_.left() == 0) return false;
    const std::uint64_t at = in_.offset();
    std::uint8_t head[head_size];
    in_.take(head, head_size, "the head of a packet");
    const auto type = load_le<std::int16_t>(head), source = load_le<std::int16_t>(head + 2);
    const auto size = load_le<std::int32_t>(head + 4), overflow = load_le<std::int32_t>(head + 12),
               count = load_le<std::int32_t>(head + 20);
    if (type < 0 || size < 0 || count < 0)
      throw in_.error_at(at,
                         "the head of a packet is damaged: type " + std::to_string(type) + ", " + std::to_string(count) + " events of " +
                             std::to_string(size) + " bytes",
                         cut_hint);
    if (type == polarity_type && (!source_ || source == *source_)) {
      if (size != static_cast<std::int32_t>(event_size))
        throw in_.error_at(at, "polarity events of " + std::to_string(size) + " bytes; they have 8", cut_hint);
      source_ = source;
      ++info_.words[0].second;
      base_ = overflow * overflow_us;
      left_ = static_cast<std::uint64_t>(count);
      return true;
    }
    const std::uint64_t bytes = static_cast<std::uint64_t>(size) * static_cast<std::uint64_t>(count);
    if (bytes > in_.left())
      throw in_.error_at(at, "a packet claims " + std::to_string(bytes) + " bytes; " + std::to_string(in_.left()) + " are left", cut_hint);
    ++info_.words[1].second;
    info_.special += static_cast<std::uint64_t>(count);
    in_.skip(bytes);
    return true;
  }

  std::optional<std::int16_t> source_;  // of the events
  std::uint64_t left_ = 0;              // events of this packet still to come
  std::int64_t base_ = 0;               // to which their times are added
};

class Aedat3Writer final : public WriterBase {
 public:
  Aedat3Writer(const std::filesystem::path& path, int width, int height) : WriterBase(path, EventFormat::aedat3, width, height) {
    const char* chip = width <= 128 && height <= 128   ? "DVS128"
                       : width <= 240 && height <= 180 ? "DAVIS240C"
                       : width <= 346 && height <= 260 ? "DAVIS346B"
                       : width <= 640 && height <= 480 ? "DAVIS640"
                                                       : "Unknown";
    // The format asks for a start time; ours says none, so that the same events give the same bytes.
    file_.write(std::string(version_line) + "\r\n" + format_line + "RAW\r\n#Source 1: " + chip +
                "\r\n#Start-Time: 1970-01-01 00:00:00 (TZ+0000)\r\n" + aedat_geometry(width, height) + end_line + "\r\n");
    packet_.reserve(events_per_packet);
  }

 private:
  void encode(const Event& e) override {
    if (e.t / overflow_us > std::numeric_limits<std::int32_t>::max())
      throw refuse("the time " + std::to_string(e.t) + " us is too large for AEDAT 3.1",
                   "Shift the times so that they begin at 0 (--rebase).");
    if (!packet_.empty() && (packet_.size() == events_per_packet || packet_.back().t / overflow_us != e.t / overflow_us)) close();
    packet_.push_back(e);
  }
  void close() override {
    if (packet_.empty()) return;
    const auto count = static_cast<std::int32_t>(packet_.size());
    put(polarity_type);
    put(std::int16_t{1});
    for (const std::int32_t value : {static_cast<std::int32_t>(event_size), std::int32_t{4},
                                     static_cast<std::int32_t>(packet_.front().t / overflow_us), count, count, count})
      put(value);
    for (const Event& e : packet_) {
      put((static_cast<std::uint32_t>(e.x) << 17) | (static_cast<std::uint32_t>(e.y) << 2) | (static_cast<std::uint32_t>(e.polarity) << 1) |
          1u);
      put(static_cast<std::int32_t>(e.t % overflow_us));
    }
    packet_.clear();
  }
  std::vector<Event> packet_;
};

}  // namespace

std::unique_ptr<EventReader> open_aedat3(std::shared_ptr<ByteSource> source) { return std::make_unique<Aedat3Reader>(std::move(source)); }
std::unique_ptr<EventWriter> create_aedat3(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<Aedat3Writer>(path, width, height);
}

}  // namespace apical::formats::detail
