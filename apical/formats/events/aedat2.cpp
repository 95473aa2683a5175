// AEDAT 2.0 of jAER: lines "#...", then records of 8 bytes, big-endian: 32-bit address, 32-bit time in us.
// DVS128 addresses: bit 15 special, y bits 8-14, x bits 1-7, bit 0 clear for ON. DAVIS addresses: bit 31 frame or inertial sample,
// y bits 22-30, x bits 12-21, bit 11 set for ON, bit 10 external input. Stored x is mirrored and y counts from below.
// Source: jAER (DVS128 and DavisChip event extractors); iniVation, "AEDAT 2.0" (whose text has the DVS128 polarity the other way round
// than the program that recorded the files; the program counts).
#include "apical/formats/events/aedat.h"

namespace apical::formats::detail {
namespace {

constexpr std::int64_t period = std::int64_t{1} << 32;

constexpr const char* end_line = "#End Of ASCII Header";

bool davis_special(std::uint32_t a) { return (a & 0x80000400u) != 0; }
std::uint32_t davis_x(std::uint32_t a) { return (a >> 12) & 0x3ff; }
std::uint32_t davis_y(std::uint32_t a) { return (a >> 22) & 0x1ff; }

class Aedat2Reader final : public ReaderBase {
 public:
  explicit Aedat2Reader(std::shared_ptr<ByteSource> source) : ReaderBase(std::move(source), EventFormat::aedat2) {
    read_header("#", end_line);
    if (info_.header.empty() || info_.header[0].rfind("#!AER-DAT2.", 0) != 0) throw in_.error_at(0, "this is no AEDAT 2.0 file");
    if (!chip_from_header()) chip_from_addresses();
  }

 private:
  bool chip_from_header() {
    for (const std::string& line : info_.header) {
      const std::string text = aedat_lower(line);
      const AedatChip* chip = text.rfind("# aechip:", 0) == 0 ? aedat_chip(text) : nullptr;
      if (!chip) continue;
      davis_ = chip->davis;
      info_.width = chip->width;
      info_.height = chip->height;
      size_from_aedat_geometry(info_);
      return true;
    }
    return false;
  }
  // No chip named: DVS128 unless an address among the first 4096 has more than its 16 bits; then the smallest DAVIS that holds them.
  void chip_from_addresses() {
    const auto bytes = in_.peek(4096 * 8);
    std::uint32_t x = 0, y = 0;
    for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
      const auto a = load_be<std::uint32_t>(bytes.data() + i);
      if ((a >> 16) != 0) davis_ = true;
      if (davis_special(a)) continue;
      x = std::max(x, davis_x(a));
      y = std::max(y, davis_y(a));
    }
    info_.width = info_.height = 128;
    if (!davis_) return;
    info_.width = x < 240 && y < 180 ? 240 : x < 346 && y < 260 ? 346 : x < 640 && y < 480 ? 640 : 1024;
    info_.height = info_.width == 240 ? 180 : info_.width == 346 ? 260 : info_.width == 640 ? 480 : 512;
  }
  bool decode() override {
    const auto bytes = records(8, "a record");
    const auto right = static_cast<std::uint32_t>(info_.width - 1), bottom = static_cast<std::uint32_t>(info_.height - 1);
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
      const auto a = load_be<std::uint32_t>(bytes.data() + i);
      const std::int64_t t = time_(load_be<std::uint32_t>(bytes.data() + i + 4));
      // An address beyond the sensor becomes a huge unsigned number below, which emit() counts as outside.
      if (davis_ ? davis_special(a) : (a & ~0x7fffu) != 0)
        ++info_.special;
      else if (davis_)
        emit(t, right - davis_x(a), bottom - davis_y(a), (a >> 11) & 1);
      else
        emit(t, right - ((a >> 1) & 0x7f), bottom - ((a >> 8) & 0x7f), (a & 1) ^ 1);
    }
    info_.wraps = static_cast<std::uint64_t>(time_.base / period);
    in_.skip(bytes.size());
    return !bytes.empty();
  }
  WrappingTime time_{period};
  bool davis_ = false;
};

class Aedat2Writer final : public WriterBase {
 public:
  Aedat2Writer(const std::filesystem::path& path, int width, int height)
      : WriterBase(path, EventFormat::aedat2, width, height), davis_(width > 128 || height > 128) {
    std::string chip = "ch.unizh.ini.jaer.chip.retina.DVS128";
    if (davis_)
      chip = std::string("eu.seebetter.ini.chips.davis.") + (width <= 240 && height <= 180   ? "DAVIS240C"
                                                             : width <= 346 && height <= 260 ? "Davis346B"
                                                                                             : "Davis640");
    file_.write(
        "#!AER-DAT2.0\r\n# Data format is int32 address, int32 timestamp (8 bytes total), repeated for each event\r\n"
        "# Timestamps tick is 1 us\r\n# AEChip: " +
        chip + "\r\n" + aedat_geometry(width, height) + end_line + "\r\n");
  }

 private:
  void encode(const Event& e) override {
    check_clock(e.t, period);
    const auto x = static_cast<std::uint32_t>(width_ - 1 - e.x), y = static_cast<std::uint32_t>(height_ - 1 - e.y);
    const std::uint32_t p = e.polarity;
    const std::uint32_t address = davis_ ? (y << 22) | (x << 12) | (p << 11) : (y << 8) | (x << 1) | (p ^ 1);
    put(__builtin_bswap32(address));
    put(__builtin_bswap32(static_cast<std::uint32_t>(e.t)));
  }
  bool davis_;
};

}  // namespace

std::unique_ptr<EventReader> open_aedat2(std::shared_ptr<ByteSource> source) { return std::make_unique<Aedat2Reader>(std::move(source)); }
std::unique_ptr<EventWriter> create_aedat2(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<Aedat2Writer>(path, width, height);
}

}  // namespace apical::formats::detail
