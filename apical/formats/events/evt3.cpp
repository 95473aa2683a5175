// Prophesee EVT 3.0: 16-bit little-endian words, the upper 4 bits say the kind; the state (row, base column, time) carries over.
// t = TIME_HIGH * 4096 + TIME_LOW us, 24 bits; the only carry is a TIME_HIGH that steps back by more than half its range.
// VECT_12 and VECT_8 are masks of events at base x, base x + 1, ..., and move base x on by 12 and 8.
// Source: Prophesee Metavision documentation, "EVT 3.0 format".
#include <array>

#include "apical/formats/events/evt.h"
#include "apical/kernels/simd.h"

namespace apical::formats::detail {
namespace {

constexpr std::int64_t high_period = 4096;
enum Kind : unsigned {
  addr_y = 0x0,
  addr_x = 0x2,
  base_x = 0x3,
  vect_12 = 0x4,
  vect_8 = 0x5,
  time_low = 0x6,
  continued_4 = 0x7,
  time_high = 0x8,
  ext_trigger = 0xa,
  others = 0xe,
  continued_12 = 0xf
};
// Name of each kind; nullptr where the format defines none.
constexpr std::array<const char*, 16> kind_names = {"ADDR_Y",   nullptr,       "ADDR_X",    "BASE_X",      "VECT_12",     "VECT_8",
                                                    "TIME_LOW", "CONTINUED_4", "TIME_HIGH", nullptr,       "EXT_TRIGGER", nullptr,
                                                    nullptr,    nullptr,       "OTHERS",    "CONTINUED_12"};

class Evt3Decoder final : public WordDecoder {
 public:
  Evt3Decoder() : WordDecoder(2, "a word", high_period, 4096) {}
  std::uint64_t most(const std::uint8_t* words, std::size_t n) const override { return most_evt3(words, n); }
  std::size_t decode(const std::uint8_t* words, std::size_t n, WordState& s, EventBlock& block, WordCounts& counts) const override {
    const bool scalar = kernels::scalar_level();
    std::size_t i = 0;
    while (i < n && block.size + 12 <= EventBlock::capacity) {
      if (!scalar && s.has_time && s.has_row) i += run(words + 2 * i, n - i, s, block);
      if (i < n && block.size + 12 <= EventBlock::capacity) word(load_le<std::uint16_t>(words + 2 * i++), s, block, counts);
    }
    count_kinds(words, i, counts.kinds);
    return i;
  }
  void report(const WordCounts& counts, EventInfo& info) const override {
    info.words.clear();
    info.unknown_words = 0;
    for (std::size_t kind = 0; kind < 16; ++kind)
      if (kind_names[kind])
        info.words.emplace_back(kind_names[kind], counts.kinds[kind]);
      else
        info.unknown_words += counts.kinds[kind];
    info.special = counts.kinds[continued_4] + counts.kinds[ext_trigger] + counts.kinds[others] + counts.kinds[continued_12];
  }

 private:
  // Any word.
  static void word(unsigned w, WordState& s, EventBlock& block, WordCounts& counts) {
    const unsigned value = w & 0xfff;
    switch (w >> 12) {
      case addr_y:
        s.row = value & 0x7ff, s.has_row = true;
        break;
      case addr_x:
        one(value & 0x7ff, value >> 11, s, block, counts);
        break;
      case base_x:
        s.column = value & 0x7ff, s.polarity = value >> 11, s.has_column = true;
        break;
      case vect_12:
        vector(value, 12, s, block, counts);
        break;
      case vect_8:
        vector(value & 0xff, 8, s, block, counts);
        break;
      case time_low:
        s.low = value;
        break;
      case time_high:
        set_high(value, s);
        break;
      default:
        break;
    }
  }
  static void set_high(unsigned value, WordState& s) {
    const std::int64_t high = s.time(value) * 4096;
    // A new TIME_HIGH means that TIME_LOW has started again, even if its word is still to come.
    if (!s.has_time || high != s.high) s.low = 0;
    s.high = high;
    s.has_time = true;
  }
  static void one(unsigned x, unsigned polarity, const WordState& s, EventBlock& block, WordCounts& counts) {
    if (!s.has_time || !s.has_row)
      ++counts.dropped;
    else if (x > 0x7ff)
      ++counts.outside;  // no sensor of this format is so wide
    else
      block.add(s.high + s.low, x, s.row, polarity);
  }
  static void vector(unsigned mask, unsigned length, WordState& s, EventBlock& block, WordCounts& counts) {
    for (unsigned bits = mask; bits != 0; bits &= bits - 1) {
      if (s.has_column)
        one(s.column + static_cast<unsigned>(__builtin_ctz(bits)), s.polarity, s, block, counts);
      else
        ++counts.dropped;
    }
    s.column = std::min(s.column + length, 0x800u);  // a hostile file must not run it over
  }
  // As many words as the kernel can do.
  static std::size_t run(const std::uint8_t* words, std::size_t n, WordState& s, EventBlock& block) {
    alignas(64) std::uint64_t records[EventBlock::capacity + EventBlock::slack];
    Evt3Registers r{s.low, s.row};
    if (s.has_column && s.column < 0x800) r.base = s.column | (s.polarity << 11);
    if (s.high == (s.time.base + s.time.last) * 4096) r.high = static_cast<std::uint32_t>(s.time.last);
    const std::uint32_t before = r.base;
    const Evt3Done done = evt3_records(words, n, r, records, EventBlock::capacity - block.size);
    add_records(reinterpret_cast<const std::uint8_t*>(records), done.records, s.high, evt3_fields, block);
    s.low = r.low;
    s.row = r.row;
    if (r.base != before) s.column = r.base & 0x7ff, s.polarity = r.base >> 11, s.has_column = true;
    return done.words;
  }
};

class Evt3Reader final : public WordReader {
 public:
  explicit Evt3Reader(std::shared_ptr<ByteSource> source) : WordReader(std::move(source), EventFormat::evt3) {
    read_header("% ", "% end");
    sensor_from_header(info_);
    start(std::make_unique<Evt3Decoder>());
  }
};

class Evt3Writer final : public WriterBase {
 public:
  Evt3Writer(const std::filesystem::path& path, int width, int height) : WriterBase(path, EventFormat::evt3, width, height) {
    file_.write(evt_header("3.0", "EVT3", width, height));
  }

 private:
  // Events of one time, row and polarity with growing x are held back: they may share vector words without changing their order.
  void encode(const Event& e) override {
    check_evt_gap(e.t, last_, where_);
    if (!run_.empty()) {
      const Event& b = run_.back();
      if (b.t != e.t || b.y != e.y || b.polarity != e.polarity || b.x >= e.x) close();
    }
    run_.push_back(e);
  }
  void close() override {
    if (run_.empty()) return;
    put_time(run_.front().t);
    if (row_ != run_.front().y) word(addr_y, static_cast<unsigned>(row_ = run_.front().y));
    const unsigned polarity = run_.front().polarity;
    unsigned base = 1u << 16;  // of the next vector word; none yet
    for (std::size_t i = 0; i < run_.size();) {
      const unsigned x = run_[i].x;
      const unsigned from = x >= base && x < base + 12 ? base : x;
      std::size_t end = i;
      unsigned mask = 0;
      while (end < run_.size() && run_[end].x < from + 12) mask |= 1u << (run_[end++].x - from);
      // A vector costs one word, or two with its base; single addresses cost one each.
      if (from != base && end - i <= 2) {
        word(addr_x, x | (polarity << 11));
        ++i;
        continue;
      }
      if (from != base) word(base_x, from | (polarity << 11));
      if (mask < 256)
        word(vect_8, mask);
      else
        word(vect_12, mask);
      base = from + (mask < 256 ? 8 : 12);
      i = end;
    }
    run_.clear();
  }
  void put_time(std::int64_t t) {
    const std::int64_t before = clock_.now;
    clock_.advance(t >> 12, [&](std::int64_t high) { word(time_high, static_cast<unsigned>(high)); });
    const int low = static_cast<int>(t & 0xfff);
    if (before != clock_.now || low != low_) word(time_low, static_cast<unsigned>(low_ = low));
  }
  void word(unsigned kind, unsigned value) { put(static_cast<std::uint16_t>((kind << 12) | value)); }

  std::vector<Event> run_;  // at most one row: 2048 events
  HighClock clock_{high_period};
  int row_ = -1, low_ = -1;
};

}  // namespace

std::unique_ptr<EventReader> open_evt3(std::shared_ptr<ByteSource> source) { return std::make_unique<Evt3Reader>(std::move(source)); }
std::unique_ptr<EventWriter> create_evt3(const std::filesystem::path& path, int width, int height) {
  return std::make_unique<Evt3Writer>(path, width, height);
}

}  // namespace apical::formats::detail
