// Prophesee EVT 2.1: 64-bit little-endian words. The upper half is an EVT 2.0 word: the kind in 4 bits, then for CD words 6 low bits of
// time, x 11 bits (a multiple of 32), y 11 bits, for TIME_HIGH the 28 upper bits of the 34-bit time in us. The lower half of a CD word
// is a mask: bit n set says an event at x + n. The IMX636 sends the upper half first, which its files call "endianness=legacy".
// Source: Prophesee Metavision documentation, "EVT 2.1 format"; OpenEB's evt21_event_types.h for the legacy order.
#include <array>
#include <bit>

#include "apical/formats/events/evt.h"
#include "apical/kernels/simd.h"

namespace apical::formats::detail {
namespace {

constexpr std::uint32_t columns = 32;  // of one mask

class Evt21Decoder final : public WordDecoder {
 public:
  explicit Evt21Decoder(bool upper_first) : WordDecoder(8, "a word", evt2::high_period, 1 << evt2::low_bits), upper_first_(upper_first) {}
  std::uint64_t most(const std::uint8_t* words, std::size_t n) const override { return most_evt21(words, n, upper_first_); }
  std::size_t decode(const std::uint8_t* words, std::size_t n, WordState& state, EventBlock& block, WordCounts& counts) const override {
    const bool scalar = kernels::scalar_level();
    Records records;
    std::size_t i = 0;
    for (; i < n && block.size + records.size + columns <= EventBlock::capacity; ++i) {
      const std::uint8_t* p = words + 8 * i;
      const auto upper = load_le<std::uint32_t>(p + (upper_first_ ? 0 : 4)), mask = load_le<std::uint32_t>(p + (upper_first_ ? 4 : 0));
      const std::uint32_t kind = upper >> 28;
      ++counts.kinds[kind];
      if (kind == evt2::time_high) {
        records.flush(state.high, block);
        evt2::set_high(upper, state);
      } else if (kind > evt2::cd_on) {
        continue;
      } else if (!state.has_time) {
        counts.dropped += static_cast<std::uint64_t>(std::popcount(mask));
      } else if (scalar) {
        for (std::uint32_t bits = mask; bits != 0; bits &= bits - 1)
          block.add(state.high + ((upper >> 22) & 0x3f), ((upper >> 11) & 0x7ff) + static_cast<std::uint32_t>(std::countr_zero(bits)),
                    upper & 0x7ff, kind);
      } else {
        records.add(upper, mask);
      }
    }
    records.flush(state.high, block);
    return i;
  }
  void report(const WordCounts& counts, EventInfo& info) const override { evt2::report(counts, "EVT_NEG", "EVT_POS", info); }

 private:
  // Events between two time words: 6 bits of time, from bit 32 x in 12 bits (a mask may reach beyond 2047) and polarity, from bit 48 y.
  struct Records {
    static constexpr RecordFields fields = {0x3f, 0, 0xfff, 16, 0x7ff, 12, 1};
    std::array<std::uint64_t, EventBlock::capacity> list;
    std::size_t size = 0;
    void add(std::uint32_t upper, std::uint32_t mask) {
      const std::uint64_t first = ((upper >> 22) & 0x3f) | (static_cast<std::uint64_t>((upper >> 11) & 0x7ff) << 32) |
                                  (static_cast<std::uint64_t>(upper >> 28) << 44) | (static_cast<std::uint64_t>(upper & 0x7ff) << 48);
      for (; mask != 0; mask &= mask - 1) list[size++] = first + (static_cast<std::uint64_t>(std::countr_zero(mask)) << 32);
    }
    void flush(std::int64_t high, EventBlock& block) {
      if (size > 0) add_records(reinterpret_cast<const std::uint8_t*>(list.data()), size, high, fields, block);
      size = 0;
    }
  };
  bool upper_first_;
};

class Evt21Reader final : public WordReader {
 public:
  explicit Evt21Reader(std::shared_ptr<ByteSource> source) : WordReader(std::move(source), EventFormat::evt21) {
    read_header("% ", "% end");
    sensor_from_header(info_);
    const std::string order = format_option(info_.header, "endianness");
    if (!order.empty() && order != "little" && order != "legacy")
      throw in_.error_at(0, "EVT 2.1 words in the order '" + order.substr(0, 20) + "' are not read", "Orders little and legacy are read.");
    start(std::make_unique<Evt21Decoder>(order == "legacy"));
  }
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
    clock_.advance(e.t >> evt2::low_bits, [&](std::int64_t high) {
      put(static_cast<std::uint64_t>((std::uint32_t{evt2::time_high} << 28) | static_cast<std::uint32_t>(high)) << 32);
    });
    upper_ = upper;
    mask_ |= bit;
  }
  void close() override {
    if (mask_ != 0) put((static_cast<std::uint64_t>(upper_) << 32) | mask_);
    mask_ = 0;
  }
  HighClock clock_{evt2::high_period};
  std::uint32_t upper_ = 0, mask_ = 0;  // of the word held back; none while the mask is 0
};

}  // namespace

std::unique_ptr<EventReader> open_evt21(std::shared_ptr<ByteSource> source) { return std::make_unique<Evt21Reader>(std::move(source)); }
std::unique_ptr<EventWriter> create_evt21(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<Evt21Writer>(path, width, height);
}

}  // namespace apical::formats::detail
