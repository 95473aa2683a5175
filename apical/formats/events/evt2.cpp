// Prophesee EVT 2.0: 32-bit little-endian words, the upper 4 bits say the kind. CD words: 6 low bits of time, x 11 bits, y 11 bits;
// TIME_HIGH: the 28 upper bits of the 34-bit time in us. Source: Prophesee Metavision documentation, "EVT 2.0 format".
#include "apical/formats/events/detail.h"
#include "apical/formats/events/evt.h"

namespace apical::formats::detail {
namespace {

constexpr std::int64_t high_period = std::int64_t{1} << 28;
constexpr int low_bits = 6;
enum Kind : std::uint32_t { cd_off = 0x0, cd_on = 0x1, time_high = 0x8, ext_trigger = 0xa, others = 0xe, continued = 0xf };

class Evt2Reader final : public ReaderBase {
 public:
  explicit Evt2Reader(std::shared_ptr<ByteSource> source) : ReaderBase(std::move(source), EventFormat::evt2) {
    read_header("% ", "% end");
    sensor_from_header(info_);
    info_.words = {{"CD_OFF", 0}, {"CD_ON", 0}, {"TIME_HIGH", 0}, {"EXT_TRIGGER", 0}, {"OTHERS", 0}, {"CONTINUED", 0}};
  }

 private:
  bool decode() override {
    const auto bytes = records(4, "a word");
    for (std::size_t i = 0; i < bytes.size(); i += 4) {
      const auto w = load_le<std::uint32_t>(bytes.data() + i);
      switch (w >> 28) {
        case cd_off:
        case cd_on:
          ++info_.words[w >> 28].second;
          if (has_time_)
            emit(high_ + ((w >> 22) & 0x3f), (w >> 11) & 0x7ff, w & 0x7ff, w >> 28);
          else
            ++info_.dropped;
          break;
        case time_high:
          ++info_.words[2].second;
          high_ = time_(w & 0x0fffffff) << low_bits;
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
    in_.skip(bytes.size());
    return !bytes.empty();
  }
  WrappingTime time_{high_period};
  std::int64_t high_ = 0;
  bool has_time_ = false;
};

class Evt2Writer final : public WriterBase {
 public:
  Evt2Writer(const std::filesystem::path& path, int width, int height) : WriterBase(path, EventFormat::evt2, width, height) {
    file_.write(evt_header("2.0", "EVT2", width, height));
  }

 private:
  void encode(const Event& e) override {
    check_evt_gap(e.t, last_, where_);
    clock_.advance(e.t >> low_bits, [&](std::int64_t high) { put((std::uint32_t{time_high} << 28) | static_cast<std::uint32_t>(high)); });
    put((static_cast<std::uint32_t>(e.polarity) << 28) | (static_cast<std::uint32_t>(e.t & 0x3f) << 22) |
        (static_cast<std::uint32_t>(e.x) << 11) | e.y);
  }
  HighClock clock_{high_period};
};

}  // namespace

std::unique_ptr<EventReader> open_evt2(std::shared_ptr<ByteSource> source) { return std::make_unique<Evt2Reader>(std::move(source)); }
std::unique_ptr<EventWriter> create_evt2(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<Evt2Writer>(path, width, height);
}

}  // namespace apical::formats::detail
