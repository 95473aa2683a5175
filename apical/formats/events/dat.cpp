// Prophesee DAT: lines "% ...", a byte for the type of event, a byte for its size, then events of 8 bytes: u32 time in us, u32 address.
// Version 2 addresses: x 14 bits, y 14 bits, polarity 4 bits. Version 1 (ATIS): x 9 bits, y 8 bits, polarity 1 bit.
// Source: Prophesee Metavision documentation, "DAT file format"; its MATLAB reader load_atis_data for version 1.
#include "apical/formats/events/words.h"
#include "apical/kernels/simd.h"

namespace apical::formats::detail {
namespace {

constexpr std::int64_t clock_period = std::int64_t{1} << 32;
constexpr RecordFields first_fields = {0xffffffff, 0, 0x1ff, 9, 0xff, 17, 1}, second_fields = {0xffffffff, 0, 0x3fff, 14, 0x3fff, 28, 0xf};

class DatDecoder final : public WordDecoder {
 public:
  explicit DatDecoder(bool first_version) : WordDecoder(8, "an event", clock_period, 1), fields_(first_version ? first_fields : second_fields) {}
  std::uint64_t most(const std::uint8_t*, std::size_t n) const override { return n; }
  std::size_t decode(const std::uint8_t* records, std::size_t n, WordState& state, EventBlock& block, WordCounts&) const override {
    n = std::min(n, EventBlock::capacity);
    const bool scalar = kernels::scalar_level();
    for (std::size_t i = 0; i < n;) {
      const auto t = load_le<std::uint32_t>(records + 8 * i), address = load_le<std::uint32_t>(records + 8 * i + 4);
      // Times close to each other are the clock's own from here on; the others may have wrapped, or be late.
      if (const std::int64_t step = t - state.time.last; !scalar && step > -(period / 2) && step < period / 2) {
        const std::size_t run = near_records(records + 8 * i, n - i);
        add_records(records + 8 * i, run, state.time.base, fields_, block);
        i += run;
        state.time.last = load_le<std::uint32_t>(records + 8 * (i - 1));
      } else {
        block.add(state.time(t), (address >> fields_.x_shift) & fields_.x_mask, (address >> fields_.y_shift) & fields_.y_mask,
                  (address >> fields_.p_shift) & fields_.p_mask);
        ++i;
      }
    }
    state.has_time = true;
    return n;
  }
  void report(const WordCounts&, EventInfo&) const override {}

 private:
  const RecordFields& fields_;
};

class DatReader final : public WordReader {
 public:
  explicit DatReader(std::shared_ptr<ByteSource> source) : WordReader(std::move(source), EventFormat::dat) {
    read_header("%", "% end");
    if (info_.header.empty()) throw in_.error("a DAT file begins with header lines '% ...'; there is none");
    const std::string version = header_value(info_.header, "Version");
    start(std::make_unique<DatDecoder>(version == "1"));
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
    check_clock(e.t, clock_period);
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
