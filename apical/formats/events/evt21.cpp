// Prophesee EVT 2.1: 64-bit little-endian words. The upper half is an EVT 2.0 word: the kind in 4 bits, then for CD words 6 low bits of
// time, x 11 bits (a multiple of 32), y 11 bits, for TIME_HIGH the 28 upper bits of the 34-bit time in us. The lower half of a CD word
// is a mask: bit n set says an event at x + n. The IMX636 sends the upper half first, which its files call "endianness=legacy".
// Source: Prophesee Metavision documentation, "EVT 2.1 format"; OpenEB's evt21_event_types.h for the legacy order.
#include <bit>

#include "apical/formats/events/detail.h"
#include "apical/formats/events/evt.h"

namespace apical::formats::detail {
namespace {

constexpr std::int64_t high_period = std::int64_t{1} << 28;
constexpr int low_bits = 6;
constexpr std::uint32_t columns = 32;  // of one mask
enum Kind : std::uint32_t { evt_neg = 0x0, evt_pos = 0x1, time_high = 0x8, ext_trigger = 0xa, others = 0xe, continued = 0xf };

class Evt21Reader final : public ReaderBase {
 public:
  explicit Evt21Reader(std::shared_ptr<ByteSource> source) : ReaderBase(std::move(source), EventFormat::evt21) {
    read_header("% ", "% end");
    sensor_from_header(info_);
    const std::string order = format_option(info_.header, "endianness");
    if (!order.empty() && order != "little" && order != "legacy")
      throw in_.error_at(0, "EVT 2.1 words in the order '" + order.substr(0, 20) + "' are not read", "Orders little and legacy are read.");
    upper_first_ = order == "legacy";
    info_.words = {{"EVT_NEG", 0}, {"EVT_POS", 0}, {"TIME_HIGH", 0}, {"EXT_TRIGGER", 0}, {"OTHERS", 0}, {"CONTINUED", 0}};
  }

 private:
  bool decode() override {
    const auto bytes = records(8, "a word");
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
      const auto first = load_le<std::uint32_t>(bytes.data() + i), second = load_le<std::uint32_t>(bytes.data() + i + 4);
      if (upper_first_)
        word(first, second);
      else
        word(second, first);
    }
    in_.skip(bytes.size());
    return !bytes.empty();
  }
  void word(std::uint32_t upper, std::uint32_t mask) {
    switch (upper >> 28) {
      case evt_neg:
      case evt_pos:
        ++info_.words[upper >> 28].second;
        if (has_time_)
          vector(upper, mask);
        else
          info_.dropped += static_cast<std::uint64_t>(std::popcount(mask));
        break;
      case time_high:
        ++info_.words[2].second;
        high_ = time_(upper & 0x0fffffff) << low_bits;
        has_time_ = true;
        break;
      case ext_trigger:
        ++info_.words[3].second, ++info_.special;
        break;
      case others:
        ++info_.words[4].second, ++info_.special;
        break;
      case continued:
        ++info_.words[5].second, ++info_.special;
        break;
      default:
        ++info_.unknown_words;
    }
  }
  void vector(std::uint32_t upper, std::uint32_t mask) {
    const std::int64_t t = high_ + ((upper >> 22) & 0x3f);
    for (; mask != 0; mask &= mask - 1)
      emit(t, ((upper >> 11) & 0x7ff) + static_cast<std::uint32_t>(std::countr_zero(mask)), upper & 0x7ff, upper >> 28);
  }
  WrappingTime time_{high_period};
  std::int64_t high_ = 0;
  bool has_time_ = false, upper_first_ = false;
};

class Evt21Writer final : public WriterBase {
 public:
  Evt21Writer(const std::filesystem::path& path, int width, int height) : WriterBase(path, EventFormat::evt21, width, height) {
    file_.write(evt_header("2.1", "EVT21;endianness=little", width, height));
  }

 private:
  // Events of one time, row, polarity and group of 32 columns with growing x share a word without changing their order.
  void encode(const Event& e) override {
    check_evt_gap(e.t, last_, where_);
    const std::uint32_t base = e.x / columns * columns, bit = std::uint32_t{1} << (e.x % columns);
    const std::uint32_t upper =
        (static_cast<std::uint32_t>(e.polarity) << 28) | (static_cast<std::uint32_t>(e.t & 0x3f) << 22) | (base << 11) | e.y;
    if (e.t != last_ || upper != upper_ || bit <= mask_) close();  // bit > mask_: to the right of all columns in the mask
    clock_.advance(e.t >> low_bits, [&](std::int64_t high) {
      put(static_cast<std::uint64_t>((std::uint32_t{time_high} << 28) | static_cast<std::uint32_t>(high)) << 32);
    });
    upper_ = upper;
    mask_ |= bit;
  }
  void close() override {
    if (mask_ != 0) put((static_cast<std::uint64_t>(upper_) << 32) | mask_);
    mask_ = 0;
  }
  HighClock clock_{high_period};
  std::uint32_t upper_ = 0, mask_ = 0;  // of the word held back; none while the mask is 0
};

}  // namespace

std::unique_ptr<EventReader> open_evt21(std::shared_ptr<ByteSource> source) { return std::make_unique<Evt21Reader>(std::move(source)); }
std::unique_ptr<EventWriter> create_evt21(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<Evt21Writer>(path, width, height);
}

}  // namespace apical::formats::detail
