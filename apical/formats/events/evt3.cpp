// Prophesee EVT 3.0: 16-bit little-endian words, the upper 4 bits say the kind; the state (row, base column, time) carries over.
// t = TIME_HIGH * 4096 + TIME_LOW us, 24 bits; the only carry is a TIME_HIGH that steps back by more than half its range.
// VECT_12 and VECT_8 are masks of events at base x, base x + 1, ..., and move base x on by 12 and 8.
// Source: Prophesee Metavision documentation, "EVT 3.0 format".
#include <array>

#include "apical/formats/events/detail.h"
#include "apical/formats/events/evt.h"

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

class Evt3Reader final : public ReaderBase {
 public:
  explicit Evt3Reader(std::shared_ptr<ByteSource> source) : ReaderBase(std::move(source), EventFormat::evt3) {
    read_header("% ", "% end");
    sensor_from_header(info_);
    for (std::size_t kind = 0; kind < 16; ++kind)
      if (kind_names[kind]) {
        slot_[kind] = info_.words.size();
        info_.words.emplace_back(kind_names[kind], 0);
      }
  }

 private:
  bool decode() override {
    const auto bytes = records(2, "a word");
    std::array<std::uint64_t, 16> counts{};
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
      const unsigned w = load_le<std::uint16_t>(bytes.data() + i), value = w & 0xfff;
      ++counts[w >> 12];
      switch (w >> 12) {
        case addr_y:
          y_ = value & 0x7ff, has_row_ = true;
          break;
        case addr_x:
          one(value & 0x7ff, value >> 11);
          break;
        case base_x:
          base_ = value & 0x7ff, polarity_ = value >> 11, has_base_ = true;
          break;
        case vect_12:
          vector(value, 12);
          break;
        case vect_8:
          vector(value & 0xff, 8);
          break;
        case time_low:
          low_ = value;
          break;
        case time_high:
          set_high(value);
          break;
        default:
          break;  // counted below
      }
    }
    for (std::size_t kind = 0; kind < 16; ++kind) {
      if (!kind_names[kind])
        info_.unknown_words += counts[kind];
      else
        info_.words[slot_[kind]].second += counts[kind];
    }
    info_.special += counts[continued_4] + counts[ext_trigger] + counts[others] + counts[continued_12];
    in_.skip(bytes.size());
    return !bytes.empty();
  }
  void set_high(unsigned value) {
    const std::int64_t high = time_(value);
    // A new TIME_HIGH means that TIME_LOW has started again, even if its word is still to come.
    if (!has_time_ || high != high_) low_ = 0;
    high_ = high;
    has_time_ = true;
  }
  void one(unsigned x, unsigned polarity) {
    if (has_time_ && has_row_)
      emit(high_ * 4096 + low_, x, y_, polarity);
    else
      ++info_.dropped;
  }
  void vector(unsigned mask, unsigned length) {
    for (unsigned bits = mask; bits != 0; bits &= bits - 1) {
      if (has_base_)
        one(base_ + static_cast<unsigned>(__builtin_ctz(bits)), polarity_);
      else
        ++info_.dropped;
    }
    base_ = std::min(base_ + length, 0xffffu);  // a hostile file must not run it over
  }

  std::array<std::size_t, 16> slot_{};
  WrappingTime time_{high_period};
  std::int64_t high_ = 0;
  unsigned low_ = 0, y_ = 0, base_ = 0, polarity_ = 0;
  bool has_time_ = false, has_row_ = false, has_base_ = false;
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
