// N-MNIST and N-Caltech101 .bin: 5 bytes an event. Byte 0 x, byte 1 y, then 24 bits big-endian: polarity (1 = ON), 23 bits of us.
// Source: G. Orchard et al., "Converting static image datasets to spiking neuromorphic datasets using saccades", Front. Neurosci. 9
// (2015), and its Read_Ndataset: an entry with y = 240 is no event but says that 2^13 us have passed unseen by the clock.
#include "apical/formats/events/detail.h"

namespace apical::formats::detail {
namespace {

constexpr std::uint8_t overflow_row = 240;
constexpr std::int64_t overflow_us = std::int64_t{1} << 13, period = std::int64_t{1} << 23;

class NmnistReader final : public ReaderBase {
 public:
  explicit NmnistReader(std::shared_ptr<ByteSource> source) : ReaderBase(source, EventFormat::nmnist) {
    // The format does not say which sensor it was; the largest address tells N-MNIST from N-Caltech101.
    Cursor scan(std::move(source));
    int x = 0, y = 0;
    for (auto bytes = scan.peek(1 << 15); bytes.size() >= 5; bytes = scan.peek(1 << 15)) {
      for (std::size_t i = 0; i + 5 <= bytes.size(); i += 5)
        if (bytes[i + 1] != overflow_row) {
          x = std::max<int>(x, bytes[i]);
          y = std::max<int>(y, bytes[i + 1]);
        }
      scan.skip(bytes.size() / 5 * 5);
    }
    info_.width = x < 34 && y < 34 ? 34 : x < 240 && y < 180 ? 240 : 256;
    info_.height = info_.width == 34 ? 34 : info_.width == 240 ? 180 : 256;
  }

 private:
  bool decode() override {
    const auto bytes = records(5, "an event");
    for (std::size_t i = 0; i < bytes.size(); i += 5) {
      const std::uint8_t* p = bytes.data() + i;
      if (p[1] == overflow_row) {
        shift_ += overflow_us;
        ++info_.special;
        continue;
      }
      emit(shift_ + time_(((p[2] & 0x7f) << 16) | (p[3] << 8) | p[4]), p[0], p[1], p[2] >> 7);
    }
    info_.wraps = static_cast<std::uint64_t>(time_.base / period);
    in_.skip(bytes.size());
    return !bytes.empty();
  }
  WrappingTime time_{period};
  std::int64_t shift_ = 0;
};

class NmnistWriter final : public WriterBase {
 public:
  using WriterBase::WriterBase;

 private:
  void encode(const Event& e) override {
    check_clock(e.t, period);
    const auto t = static_cast<std::uint32_t>(e.t & (period - 1));
    const std::uint8_t bytes[5] = {static_cast<std::uint8_t>(e.x), static_cast<std::uint8_t>(e.y),
                                   static_cast<std::uint8_t>((e.polarity << 7) | (t >> 16)), static_cast<std::uint8_t>(t >> 8),
                                   static_cast<std::uint8_t>(t)};
    file_.write(bytes, sizeof bytes);
  }
};

}  // namespace

std::unique_ptr<EventReader> open_nmnist(std::shared_ptr<ByteSource> source) { return std::make_unique<NmnistReader>(std::move(source)); }
std::unique_ptr<EventWriter> create_nmnist(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<NmnistWriter>(path, EventFormat::nmnist, width, height);
}

}  // namespace apical::formats::detail
