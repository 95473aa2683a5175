// Prophesee EVT 2.0: 32-bit little-endian words, the upper 4 bits say the kind. CD words: 6 low bits of time, x 11 bits, y 11 bits;
// TIME_HIGH: the 28 upper bits of the 34-bit time in us. Source: Prophesee Metavision documentation, "EVT 2.0 format".
#include "apical/formats/events/evt.h"
#include "apical/kernels/simd.h"

namespace apical::formats::detail {
namespace {

class Evt2Decoder final : public WordDecoder {
 public:
  Evt2Decoder() : WordDecoder(4, "a word", evt2::high_period, 1 << evt2::low_bits) {}
  std::uint64_t most(const std::uint8_t* words, std::size_t n) const override { return most_evt2(words, n); }
  std::size_t decode(const std::uint8_t* words, std::size_t n, WordState& state, EventBlock& block, WordCounts& counts) const override {
    n = std::min(n, EventBlock::capacity);
    const bool scalar = kernels::scalar_level();
    for (std::size_t i = 0; i < n; ++i) {
      if (!scalar && state.has_time) {
        const std::size_t before = block.size;
        std::uint64_t on = 0;
        i += add_cd_words(words + 4 * i, n - i, state.high, block, on);
        counts.kinds[evt2::cd_on] += on;
        counts.kinds[evt2::cd_off] += block.size - before - on;
        if (i == n) break;
      }
      const auto w = load_le<std::uint32_t>(words + 4 * i), kind = w >> 28;
      ++counts.kinds[kind];
      if (kind == evt2::time_high)
        evt2::set_high(w, state);
      else if (kind > evt2::cd_on)
        continue;
      else if (state.has_time)
        block.add(state.high + ((w >> 22) & 0x3f), (w >> 11) & 0x7ff, w & 0x7ff, kind);
      else
        ++counts.dropped;
    }
    return n;
  }
  void report(const WordCounts& counts, EventInfo& info) const override { evt2::report(counts, "CD_OFF", "CD_ON", info); }
};

class Evt2Reader final : public WordReader {
 public:
  explicit Evt2Reader(std::shared_ptr<ByteSource> source) : WordReader(std::move(source), EventFormat::evt2) {
    read_header("% ", "% end");
    sensor_from_header(info_);
    start(std::make_unique<Evt2Decoder>());
  }
};

class Evt2Writer final : public WriterBase {
 public:
  Evt2Writer(const std::filesystem::path& path, int width, int height) : WriterBase(path, EventFormat::evt2, width, height) {
    file_.write(evt_header("2.0", "EVT2", width, height));
  }

 private:
  void encode(const Event& e) override {
    check_evt_gap(e.t, last_, where_);
    clock_.advance(e.t >> evt2::low_bits,
                   [&](std::int64_t high) { put((std::uint32_t{evt2::time_high} << 28) | static_cast<std::uint32_t>(high)); });
    put((static_cast<std::uint32_t>(e.polarity) << 28) | (static_cast<std::uint32_t>(e.t & 0x3f) << 22) |
        (static_cast<std::uint32_t>(e.x) << 11) | e.y);
  }
  HighClock clock_{evt2::high_period};
};

}  // namespace

std::unique_ptr<EventReader> open_evt2(std::shared_ptr<ByteSource> source) { return std::make_unique<Evt2Reader>(std::move(source)); }
std::unique_ptr<EventWriter> create_evt2(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<Evt2Writer>(path, width, height);
}

}  // namespace apical::formats::detail
