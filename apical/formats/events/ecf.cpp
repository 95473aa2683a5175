#include "apical/formats/events/ecf.h"

#include <algorithm>

#include "apical/formats/bytes.h"

namespace apical::formats::detail {
namespace {

constexpr std::size_t slack = 16;
constexpr std::uint32_t yxp_packed = 2, xp_packed = 1;  // bits of the head
constexpr const char* too_short = "the chunk ends before its events do";
constexpr const char* too_many = "a run goes beyond the events of the chunk";

class Decoder {
 public:
  Decoder(std::span<const std::uint8_t> bytes, EventRows& rows)
      : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()), rows_(rows) {}

  EcfDamage decode() {
    if (!has(4)) return damage(too_short);
    const auto head = take<std::uint32_t>();
    n_ = head >> 2;
    if (n_ > ecf_limit) return damage("the chunk claims more than 65535 events");
    rows_.resize(n_);
    const char* wrong = times();
    if (!wrong && (head & yxp_packed)) return damage(packed_yxp());
    if (!wrong) wrong = runs<std::uint16_t, 5>(rows_.y.data());
    if (!wrong && (head & xp_packed)) return damage(packed_xp());
    if (!wrong) wrong = masks();
    if (!wrong) wrong = runs<std::uint8_t, 7>(rows_.p.data());
    return damage(wrong);
  }

 private:
  EcfDamage damage(const char* what) const { return {what, static_cast<std::size_t>(at_ - begin_)}; }
  bool has(std::size_t bytes) const { return static_cast<std::size_t>(end_ - at_) >= bytes; }
  template <class T>
  T take() {
    const T v = load_le<T>(at_);
    at_ += sizeof v;
    return v;
  }
  // Runs are short as a rule: four values are written whatever the run, and what is too much is written over.
  template <class T>
  static void fill(T* to, std::size_t n, T value) {
    for (int j = 0; j < 4; ++j) to[j] = value;
    if (n > 4) std::fill(to + 4, to + n, value);
  }

  const char* times() {
    if (!has(8)) return too_short;
    auto now = take<std::uint64_t>();  // hostile steps may overflow
    std::int64_t* t = rows_.t.data();
    for (std::size_t i = 0; i < n_;) {
      if (!has(1)) return too_short;
      auto v = take<std::uint8_t>();
      if (v >> 4 == 15) {
        std::uint64_t step = 0;
        for (unsigned shift = 0; v >> 4 == 15; shift += 4) {
          if (shift == 64) return "a step of time has more than 64 bits";
          step |= std::uint64_t{v & 15u} << shift;
          if (!has(1)) return too_short;
          v = take<std::uint8_t>();
        }
        now += step;
      }
      now += v >> 4;
      std::size_t run = v & 15;
      if (run == 15) {
        if (!has(2)) return too_short;
        run = take<std::uint16_t>();
      }
      if (run > n_ - i) return too_many;
      fill(t + i, run, static_cast<std::int64_t>(now));
      i += run;
    }
    return nullptr;
  }

  // Words of a value and a run of `bits` bits; the largest run says that the run follows.
  template <class T, int bits>
  const char* runs(T* to) {
    constexpr T longer = (1 << bits) - 1;
    for (std::size_t i = 0; i < n_;) {
      if (!has(sizeof(T))) return too_short;
      const T v = take<T>();
      std::size_t run = v & longer;
      if (run == longer) {
        if (!has(2)) return too_short;
        run = take<std::uint16_t>();
      }
      if (run > n_ - i) return too_many;
      fill(to + i, run, static_cast<T>(v >> bits));
      i += run;
    }
    return nullptr;
  }

  // The last mask may name columns behind the last event, which Prophesee's encoder leaves there by chance.
  const char* masks() {
    std::uint16_t* x = rows_.x.data();
    for (std::size_t i = 0; i < n_;) {
      if (!has(2)) return too_short;
      const unsigned v = take<std::uint16_t>(), first = v >> 5;
      x[i++] = static_cast<std::uint16_t>(first);
      for (unsigned j = 1; j <= 5; ++j) {
        x[i] = static_cast<std::uint16_t>(first + j);
        i += (v >> (5 - j)) & 1;
      }
    }
    return nullptr;
  }

  const char* packed_xp() {
    if (!has((n_ + 3) / 4 * 6)) return too_short;
    for (std::size_t i = 0; i < n_; i += 4) {
      const unsigned a = take<std::uint16_t>(), b = take<std::uint16_t>(), c = take<std::uint16_t>();
      const unsigned v[] = {a >> 4, (a & 0xf) | (b >> 8) << 4, (b & 0xff) | (c >> 12) << 8, c & 0xfff};
      for (std::size_t j = 0; j < 4; ++j) {
        rows_.x[i + j] = static_cast<std::uint16_t>(v[j] >> 1);
        rows_.p[i + j] = v[j] & 1;
      }
    }
    return nullptr;
  }

  const char* packed_yxp() {
    if (!has((n_ + 3) / 4 * 12)) return too_short;
    for (std::size_t i = 0; i < n_; i += 4) {
      const auto a = take<std::uint32_t>(), b = take<std::uint32_t>(), c = take<std::uint32_t>();
      const std::uint32_t v[] = {a >> 8, (a & 0xff) | (b >> 16) << 8, (b & 0xffff) | (c >> 24) << 16, c & 0xffffff};
      for (std::size_t j = 0; j < 4; ++j) {
        rows_.y[i + j] = (v[j] >> 12) & 0x7ff;
        rows_.x[i + j] = (v[j] >> 1) & 0x7ff;
        rows_.p[i + j] = v[j] & 1;
      }
    }
    return nullptr;
  }

  const std::uint8_t *begin_, *at_, *end_;
  EventRows& rows_;
  std::size_t n_ = 0;
};

// How Prophesee's encoder chooses its form: by the first quarter of the events (all of fewer than 16).
std::size_t sample(std::size_t n) { return n < 16 ? n : static_cast<std::size_t>(0.25 * static_cast<double>(n) + 0.5); }
std::size_t share(std::size_t n, double percent) { return static_cast<std::size_t>(static_cast<double>(n) * percent / 100 + 0.5); }

bool rows_rarely_repeat(std::span<const Event> events) {
  const std::size_t n = sample(events.size());
  std::size_t same = 0;
  for (std::size_t i = 1; i < n; ++i) same += events[i].y == events[i - 1].y;
  return same <= share(n, 20);
}

bool columns_rarely_follow(std::span<const Event> events) {
  const std::size_t n = sample(events.size());
  std::size_t follow = 0;
  unsigned first = events[0].x;
  for (std::size_t i = 1; i < n; ++i) {
    if (events[i].x > events[i - 1].x && events[i].x <= first + 5)
      ++follow;
    else
      first = events[i].x;
  }
  return follow <= share(n, 8);
}

template <class Part>
std::size_t run_at(std::span<const Event> events, std::size_t i, Part part) {
  std::size_t run = 1;
  while (i + run < events.size() && part(events[i + run]) == part(events[i])) ++run;
  return run;
}

void append_times(std::span<const Event> events, std::vector<std::uint8_t>& bytes) {
  append_le(bytes, events[0].t);
  std::int64_t now = events[0].t;
  for (std::size_t i = 0; i < events.size();) {
    auto step = static_cast<std::uint64_t>(events[i].t - now);
    now = events[i].t;
    if (step >= 15)
      for (; step > 0; step >>= 4) bytes.push_back(static_cast<std::uint8_t>(0xf0 | (step & 15)));
    const std::size_t run = run_at(events, i, [](const Event& e) { return e.t; });
    bytes.push_back(static_cast<std::uint8_t>(step << 4 | std::min<std::size_t>(run, 15)));
    if (run >= 15) append_le(bytes, static_cast<std::uint16_t>(run));
    i += run;
  }
}

template <class T, int bits, class Part>
void append_runs(std::span<const Event> events, std::vector<std::uint8_t>& bytes, Part part) {
  constexpr std::size_t longer = (1 << bits) - 1;
  for (std::size_t i = 0; i < events.size();) {
    const std::size_t run = run_at(events, i, part);
    append_le(bytes, static_cast<T>(part(events[i]) << bits | std::min(run, longer)));
    if (run >= longer) append_le(bytes, static_cast<std::uint16_t>(run));
    i += run;
  }
}

void append_masks(std::span<const Event> events, std::vector<std::uint8_t>& bytes) {
  for (std::size_t i = 0; i < events.size();) {
    const unsigned x = events[i++].x;
    unsigned mask = 0;
    for (unsigned j = 1; j <= 5; ++j)
      if (i < events.size() && events[i].x == x + j) {
        mask |= 1u << (5 - j);
        ++i;
      }
    append_le(bytes, static_cast<std::uint16_t>(x << 5 | mask));
  }
}

// Four events at a time; those that are missing at the end are zero.
template <class Part>
void append_fours(std::span<const Event> events, std::vector<std::uint8_t>& bytes, bool rows_too, Part part) {
  for (std::size_t i = 0; i < events.size(); i += 4) {
    std::uint32_t v[4] = {};
    for (std::size_t j = 0; j < 4 && i + j < events.size(); ++j) v[j] = part(events[i + j]);
    if (rows_too) {
      append_le(bytes, v[0] << 8 | (v[1] & 0xff));
      append_le(bytes, v[1] >> 8 << 16 | (v[2] & 0xffff));
      append_le(bytes, v[2] >> 16 << 24 | v[3]);
    } else {
      append_le(bytes, static_cast<std::uint16_t>(v[0] << 4 | (v[1] & 0xf)));
      append_le(bytes, static_cast<std::uint16_t>(v[1] >> 4 << 8 | (v[2] & 0xff)));
      append_le(bytes, static_cast<std::uint16_t>(v[2] >> 8 << 12 | v[3]));
    }
  }
}

}  // namespace

void EventRows::resize(std::size_t n) {
  size = n;
  if (t.size() >= n + slack) return;
  t.resize(n + slack);
  x.resize(n + slack);
  y.resize(n + slack);
  p.resize(n + slack);
}

EcfDamage decode_ecf(std::span<const std::uint8_t> bytes, EventRows& rows) { return Decoder(bytes, rows).decode(); }

void append_ecf(std::span<const Event> events, std::vector<std::uint8_t>& bytes) {
  const bool yxp = rows_rarely_repeat(events), xp = !yxp && columns_rarely_follow(events);
  append_le(bytes, static_cast<std::uint32_t>(events.size() << 2 | (yxp ? yxp_packed : 0) | (xp ? xp_packed : 0)));
  append_times(events, bytes);
  const auto x_and_p = [](const Event& e) { return std::uint32_t{e.x} << 1 | e.polarity; };
  if (yxp) return append_fours(events, bytes, true, [&](const Event& e) { return std::uint32_t{e.y} << 12 | x_and_p(e); });
  append_runs<std::uint16_t, 5>(events, bytes, [](const Event& e) { return std::uint32_t{e.y}; });
  if (xp) return append_fours(events, bytes, false, x_and_p);
  append_masks(events, bytes);
  append_runs<std::uint8_t, 7>(events, bytes, [](const Event& e) { return std::uint32_t{e.polarity}; });
}

}  // namespace apical::formats::detail
