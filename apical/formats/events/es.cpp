// Event Stream 2: "Event Stream", 3 bytes of version, a byte for the type of event, u16 width, u16 height, then bytes of a small machine.
// DVS: 0xff lets 127 us pass, 0xfe does nothing (it puts a machine that lost bits right again), any other byte begins an event of 5
// bytes: 7 bits of us since the event before and the polarity in bit 0, x u16, y u16. ATIS: 0xfc to 0xff let 0 to 3 times 63 us pass;
// 6 bits of us, bit 1 polarity, bit 0 set for a threshold crossing, which is no change event. y counts from below.
// Source: G. Haessig et al., github.com/neuromorphic-paris/event_stream (specification) and its decoder sepia.hpp.
#include <cstring>

#include "apical/formats/events/detail.h"

namespace apical::formats::detail {
namespace {

constexpr std::string_view magic = "Event Stream";
constexpr const char* kinds[] = {"generic", "DVS", "ATIS", "display", "colour"};
constexpr std::uint8_t dvs = 1, atis = 2;
constexpr std::size_t event_size = 5;
constexpr std::int64_t dvs_step = 127, atis_step = 63;
constexpr std::int64_t longest_gap = std::int64_t{1} << 34;  // a silence costs a byte every 127 us: 135 MB for these 4.8 hours

class EsReader final : public ReaderBase {
 public:
  explicit EsReader(std::shared_ptr<ByteSource> source) : ReaderBase(std::move(source), EventFormat::es) {
    std::uint8_t head[16];
    in_.take(head, sizeof head, "its header");
    if (std::memcmp(head, magic.data(), magic.size()) != 0) throw in_.error_at(0, "this is no Event Stream file");
    const std::string version = std::to_string(head[12]) + "." + std::to_string(head[13]) + "." + std::to_string(head[14]);
    if (head[12] != 2) throw in_.error_at(12, "Event Stream version " + version + " is not read", "Version 2 is read.");
    const std::uint8_t kind = head[15];
    if (kind >= std::size(kinds)) throw in_.error_at(15, "Event Stream events of type " + std::to_string(kind) + " are not known");
    if (kind != dvs && kind != atis)
      throw in_.error_at(15, std::string("Event Stream events of the type '") + kinds[kind] + "' are no pixel changes",
                         "Types DVS and ATIS are read.");
    atis_ = kind == atis;
    std::uint8_t size[4];
    in_.take(size, sizeof size, "the sensor size");
    info_.width = load_le<std::uint16_t>(size);
    info_.height = load_le<std::uint16_t>(size + 2);
    if (info_.width == 0 || info_.height == 0) throw in_.error_at(16, "a sensor without pixels");
    info_.header = {"version " + version, std::string("type ") + kinds[kind]};
  }

 private:
  bool decode() override {
    const auto bytes = in_.peek(std::size_t{1} << 15);
    std::size_t i = 0;
    while (i < bytes.size()) {
      const std::uint8_t b = bytes[i];
      if (b >= (atis_ ? 0xfc : 0xfe)) {
        t_ += atis_ ? atis_step * (b & 3) : dvs_step * (b & 1);
        ++i;
        continue;
      }
      if (bytes.size() - i < event_size) break;
      event(b, load_le<std::uint16_t>(bytes.data() + i + 1), load_le<std::uint16_t>(bytes.data() + i + 3));
      i += event_size;
    }
    if (i == 0 && !bytes.empty())
      throw in_.error("the file ends inside an event: " + std::to_string(bytes.size()) + " bytes are left of 5",
                      "The file is cut off; copy or download it again.");
    in_.skip(i);
    return !bytes.empty();
  }
  void event(std::uint8_t first, std::uint32_t x, std::uint32_t y) {
    t_ += first >> (atis_ ? 2 : 1);
    // A row beyond the sensor becomes a huge unsigned number, which emit() counts as outside.
    const std::uint32_t down = static_cast<std::uint32_t>(info_.height - 1) - y;
    if (!atis_)
      emit(t_, x, down, first & 1);
    else if ((first & 1) == 0)
      emit(t_, x, down, first & 2);
    else
      ++info_.special;
  }
  std::int64_t t_ = 0;
  bool atis_ = false;
};

class EsWriter final : public WriterBase {
 public:
  EsWriter(const std::filesystem::path& path, int width, int height) : WriterBase(path, EventFormat::es, width, height) {
    file_.write(magic);
    for (const std::uint8_t b : {std::uint8_t{2}, std::uint8_t{0}, std::uint8_t{0}, dvs}) put(b);
    put(static_cast<std::uint16_t>(width));
    put(static_cast<std::uint16_t>(height));
  }

 private:
  void encode(const Event& e) override {
    std::int64_t gap = e.t - last_;
    if (gap > longest_gap)
      throw refuse("the step from " + std::to_string(last_) + " to " + std::to_string(e.t) + " us is too long for Event Stream",
                   "Shift the times so that they begin at 0 (--rebase), or choose another format.");
    for (; gap >= dvs_step; gap -= dvs_step) put(std::uint8_t{0xff});
    put(static_cast<std::uint8_t>((gap << 1) | e.polarity));
    put(e.x);
    put(static_cast<std::uint16_t>(height_ - 1 - e.y));
  }
};

}  // namespace

std::unique_ptr<EventReader> open_es(std::shared_ptr<ByteSource> source) { return std::make_unique<EsReader>(std::move(source)); }
std::unique_ptr<EventWriter> create_es(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<EsWriter>(path, width, height);
}

}  // namespace apical::formats::detail
