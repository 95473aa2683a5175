// Prophesee DAT: lines "% ...", a byte for the type of event, a byte for its size, then events of 8 bytes: u32 time in us, u32 address.
// Version 2 addresses: x 14 bits, y 14 bits, polarity 4 bits. Version 1 (ATIS): x 9 bits, y 8 bits, polarity 1 bit.
// Source: Prophesee Metavision documentation, "DAT file format"; its MATLAB reader load_atis_data for version 1.
#include "apical/formats/events/detail.h"

namespace apical::formats::detail {
namespace {

constexpr std::int64_t period = std::int64_t{1} << 32;

class DatReader final : public ReaderBase {
 public:
  explicit DatReader(std::shared_ptr<ByteSource> source) : ReaderBase(std::move(source), EventFormat::dat) {
    read_header("%", "% end");
    if (info_.header.empty()) throw in_.error("a DAT file begins with header lines '% ...'; there is none");
    const std::string version = header_value(info_.header, "Version");
    first_version_ = version == "1";
    if (!version.empty() && version != "1" && version != "2")
      throw in_.error_at(0, "DAT version '" + version.substr(0, 20) + "' is not known", "Versions 1 and 2 are read.");
    sensor_from_header(info_);
    std::uint8_t kind[2];
    in_.take(kind, 2, "the type and size of its events");
    if (kind[0] != 0x00 && kind[0] != 0x0c)
      throw in_.error_at(in_.offset() - 2, "events of type " + std::to_string(kind[0]) + " are no change-detection events",
                         "Types 0 (2D) and 12 (CD) are read.");
    if (kind[1] != 8)
      throw in_.error_at(in_.offset() - 1, "events of " + std::to_string(kind[1]) + " bytes; change-detection events have 8");
  }

 private:
  bool decode() override {
    const auto bytes = records(8, "an event");
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
      const std::int64_t t = time_(load_le<std::uint32_t>(bytes.data() + i));
      const auto a = load_le<std::uint32_t>(bytes.data() + i + 4);
      if (first_version_)
        emit(t, a & 0x1ff, (a >> 9) & 0xff, (a >> 17) & 1);
      else
        emit(t, a & 0x3fff, (a >> 14) & 0x3fff, a >> 28);
    }
    in_.skip(bytes.size());
    return !bytes.empty();
  }
  WrappingTime time_{period};
  bool first_version_ = false;
};

class DatWriter final : public WriterBase {
 public:
  DatWriter(const std::filesystem::path& path, int width, int height) : WriterBase(path, EventFormat::dat, width, height) {
    file_.write("% Data file containing CD events.\n% Version 2\n% Width " + std::to_string(width) + "\n% Height " +
                std::to_string(height) + "\n");
    put(std::uint8_t{0x0c});
    put(std::uint8_t{8});
  }

 private:
  void encode(const Event& e) override {
    check_clock(e.t, period);
    put(static_cast<std::uint32_t>(e.t));
    put(static_cast<std::uint32_t>(e.x) | (static_cast<std::uint32_t>(e.y) << 14) | (static_cast<std::uint32_t>(e.polarity) << 28));
  }
};

}  // namespace

std::unique_ptr<EventReader> open_dat(std::shared_ptr<ByteSource> source) { return std::make_unique<DatReader>(std::move(source)); }
std::unique_ptr<EventWriter> create_dat(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<DatWriter>(path, width, height);
}

}  // namespace apical::formats::detail
