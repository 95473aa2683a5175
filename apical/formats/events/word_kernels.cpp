#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/formats/events/word_kernels.cpp"
#include "apical/formats/events/word_kernels.h"

#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "apical/formats/bytes.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::formats::detail::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using std::size_t, std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t, std::int16_t, std::int64_t;

const uint64_t* words64(const uint8_t* p) { return reinterpret_cast<const uint64_t*>(p); }  // for LoadU alone: may be unaligned
const uint32_t* words32(const uint8_t* p) { return reinterpret_cast<const uint32_t*>(p); }
const uint16_t* words16(const uint8_t* p) { return reinterpret_cast<const uint16_t*>(p); }

// The last Lanes of a block are written in full too: that is what its slack is for. What they read must be there: so copies of the tail.
template <class Full>
HWY_INLINE void in_full(const uint8_t* from, size_t n, size_t lanes, size_t size, Full full) {
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) full(from + i * size, i);
  if (i == n) return;
  alignas(64) uint8_t tail[2 * HWY_MAX_BYTES] = {};
  std::memcpy(tail, from + i * size, (n - i) * size);
  full(tail, i);
}

void add_records(const uint8_t* records, size_t n, int64_t base, const RecordFields& f, EventBlock& block) {
  const hn::ScalableTag<uint64_t> d;
  const hn::RebindToSigned<decltype(d)> i64;
  const hn::Rebind<uint16_t, decltype(d)> d16;
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const auto low = hn::Set(d, f.t_mask), origin = hn::Set(d, static_cast<uint64_t>(base)), one = hn::Set(d, 1u);
  const auto x_mask = hn::Set(d, f.x_mask), y_mask = hn::Set(d, f.y_mask), p_mask = hn::Set(d, f.p_mask);
  int64_t* t = block.t + block.size;
  uint16_t* x = reinterpret_cast<uint16_t*>(block.x + block.size);
  uint16_t* y = reinterpret_cast<uint16_t*>(block.y + block.size);
  uint8_t* p = block.p + block.size;
  in_full(records, n, hn::Lanes(d), 8, [&](const uint8_t* from, size_t i) HWY_ATTR {
    const auto record = hn::LoadU(d, words64(from)), address = hn::ShiftRight<32>(record);
    hn::StoreU(hn::BitCast(i64, hn::Add(hn::And(record, low), origin)), i64, t + i);
    hn::StoreU(hn::TruncateTo(d16, hn::And(hn::ShiftRightSame(address, f.x_shift), x_mask)), d16, x + i);
    hn::StoreU(hn::TruncateTo(d16, hn::And(hn::ShiftRightSame(address, f.y_shift), y_mask)), d16, y + i);
    const auto polarity = hn::And(hn::ShiftRightSame(address, f.p_shift), p_mask);
    hn::StoreU(hn::TruncateTo(d8, hn::IfThenZeroElse(hn::Eq(polarity, hn::Zero(d)), one)), d8, p + i);
  });
  block.size += n;
}

void add_dv_events(const uint8_t* events, size_t n, EventBlock& block) {
  const hn::ScalableTag<uint64_t> d;
  const hn::RebindToSigned<decltype(d)> i64;
  const hn::Rebind<uint16_t, decltype(d)> d16;
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const auto one = hn::Set(d, 1u), sixteen = hn::Set(d, 0xffffu), eight = hn::Set(d, 0xffu);
  int64_t* t = block.t + block.size;
  uint16_t* x = reinterpret_cast<uint16_t*>(block.x + block.size);
  uint16_t* y = reinterpret_cast<uint16_t*>(block.y + block.size);
  uint8_t* p = block.p + block.size;
  in_full(events, n, hn::Lanes(d), 16, [&](const uint8_t* from, size_t i) HWY_ATTR {
    auto time = hn::Zero(d), address = time;
    hn::LoadInterleaved2(d, words64(from), time, address);
    hn::StoreU(hn::BitCast(i64, time), i64, t + i);
    hn::StoreU(hn::TruncateTo(d16, hn::And(address, sixteen)), d16, x + i);
    hn::StoreU(hn::TruncateTo(d16, hn::And(hn::ShiftRight<16>(address), sixteen)), d16, y + i);
    const auto off = hn::Eq(hn::And(hn::ShiftRight<32>(address), eight), hn::Zero(d));
    hn::StoreU(hn::TruncateTo(d8, hn::IfThenZeroElse(off, one)), d8, p + i);
  });
  block.size += n;
}

size_t near_records(const uint8_t* records, size_t n) {
  const hn::ScalableTag<uint64_t> d;
  const size_t L = hn::Lanes(d);
  const auto low = hn::Set(d, 0xffffffffu), far = hn::Set(d, ~uint64_t{0} << 31);
  size_t i = 0;
  for (; i + L + 1 <= n; i += L) {
    const auto a = hn::And(hn::LoadU(d, words64(records) + i), low), b = hn::And(hn::LoadU(d, words64(records) + i + 1), low);
    const auto up = hn::Sub(b, a), down = hn::Sub(a, b);  // the negative one has its upper bits set
    if (!hn::AllTrue(d, hn::Or(hn::Eq(hn::And(up, far), hn::Zero(d)), hn::Eq(hn::And(down, far), hn::Zero(d))))) break;
  }
  for (; i + 1 < n; ++i) {
    const int64_t a = load_le<uint32_t>(records + 8 * i), b = load_le<uint32_t>(records + 8 * i + 8);
    if (std::max(a, b) - std::min(a, b) >= int64_t{1} << 31) return i + 1;
  }
  return n;
}

size_t add_cd_words(const uint8_t* words, size_t n, int64_t high, EventBlock& block, uint64_t& on) {
  const hn::ScalableTag<uint64_t> d64;
  const hn::RebindToSigned<decltype(d64)> i64;
  const hn::Rebind<uint32_t, decltype(d64)> d32;
  const hn::Rebind<uint16_t, decltype(d64)> d16;
  const hn::Rebind<uint8_t, decltype(d64)> d8;
  const size_t L = hn::Lanes(d32);
  const auto origin = hn::Set(d64, static_cast<uint64_t>(high));
  const auto six = hn::Set(d32, 0x3fu), eleven = hn::Set(d32, 0x7ffu), one = hn::Set(d32, 1u);
  for (size_t i = 0; i < n;) {
    auto w = hn::Zero(d32);
    if (i + L <= n) {
      w = hn::LoadU(d32, words32(words) + i);
    } else {
      alignas(64) uint32_t tail[HWY_MAX_BYTES / 4];
      std::fill(tail, tail + L, 0xffffffffu);  // no CD words
      std::memcpy(tail, words + 4 * i, 4 * (n - i));
      w = hn::Load(d32, tail);
    }
    const auto kind = hn::ShiftRight<28>(w);
    const auto time = hn::And(hn::ShiftRight<22>(w), six);
    const size_t at = block.size;
    hn::StoreU(hn::BitCast(i64, hn::Add(hn::PromoteTo(d64, time), origin)), i64, block.t + at);
    hn::StoreU(hn::TruncateTo(d16, hn::And(hn::ShiftRight<11>(w), eleven)), d16, reinterpret_cast<uint16_t*>(block.x + at));
    hn::StoreU(hn::TruncateTo(d16, hn::And(w, eleven)), d16, reinterpret_cast<uint16_t*>(block.y + at));
    hn::StoreU(hn::TruncateTo(d8, kind), d8, block.p + at);
    const auto other = hn::Gt(kind, one);
    const std::intptr_t end = hn::FindFirstTrue(d32, other);
    if (end < 0) {
      on += hn::CountTrue(d32, hn::Ne(kind, hn::Zero(d32)));
      block.size += L;
      i += L;
      continue;
    }
    for (std::intptr_t k = 0; k < end; ++k) on += block.p[at + static_cast<size_t>(k)];
    block.size += static_cast<size_t>(end);
    return i + static_cast<size_t>(end);
  }
  return n;
}

// Four records of a vector word: offsets of the set bits of 4 bits, in the place of x.
struct Nibbles {
  alignas(32) uint64_t offsets[16][4];
};
constexpr Nibbles nibbles = [] {
  Nibbles n{};
  for (unsigned bits = 0; bits < 16; ++bits)
    for (unsigned b = 0, k = 0; b < 4; ++b)
      if (bits >> b & 1) n.offsets[bits][k++] = static_cast<uint64_t>(b) << 32;
  return n;
}();

// Records at x, x + 1, ... of the set bits of `mask`; returns behind the last.
template <unsigned Length>
HWY_INLINE uint64_t* add_vector(uint64_t record, unsigned mask, uint64_t* to) {
  const hn::CappedTag<uint64_t, 4> d;
  const auto step = hn::Set(d, uint64_t{4} << 32);
  auto first = hn::Set(d, record);
  for (unsigned b = 0; b < Length; b += 4, first = hn::Add(first, step)) {
    const unsigned bits = mask >> b & 15;
    for (size_t k = 0; k < 4; k += hn::Lanes(d)) hn::StoreU(hn::Add(first, hn::Load(d, nibbles.offsets[bits] + k)), d, to + k);
    to += std::popcount(bits);
  }
  return to;
}

// Registers are one number, laid out as evt3_fields say. A word clears and sets the bits of its kind (words without a register: bits 12 to
// 23, which nobody reads), and ADDR_X moves on to the next record.
struct Evt3Kind {
  uint64_t keep, shift, step;
};
constexpr uint64_t evt3_x = uint64_t{0xfff} << 32;
constexpr struct Evt3Kinds {
  Evt3Kind kind[16];
  constexpr Evt3Kinds() : kind{} {
    for (Evt3Kind& k : kind) k = {~uint64_t{0}, 12, 0};
    kind[0] = {~(uint64_t{0xfff} << 48), 48, 0};  // ADDR_Y
    kind[2] = {~evt3_x, 32, 1};                   // ADDR_X
    kind[6] = {~uint64_t{0xfff}, 0, 0};           // TIME_LOW
  }
} evt3_kinds;

Evt3Done evt3_records(const uint8_t* words, size_t n, Evt3Registers& r, uint64_t* records, size_t room) {
  constexpr unsigned last_base = 2047 - 12;
  if (room < 12) return {0, 0};
  uint64_t all = r.low | (static_cast<uint64_t>(r.row) << 48);
  uint32_t base = r.base;
  uint64_t* to = records;
  uint64_t* const end = records + room - 12;
  size_t i = 0;
  // Between vectors, a word makes one record at most: the room is looked at once.
  for (size_t stop = 0; i < n && to <= end;) {
    for (stop = std::min(n, i + static_cast<size_t>(end - to) + 1); i < stop; ++i) {
      const uint32_t w = load_le<uint16_t>(words + 2 * i), kind = w >> 12;
      if (0x138u >> kind & 1) break;  // BASE_X, VECT_12, VECT_8, TIME_HIGH
      const Evt3Kind& k = evt3_kinds.kind[kind];
      all = (all & k.keep) | (static_cast<uint64_t>(w & 0xfff) << k.shift);
      *to = all;
      to += k.step;
    }
    for (; i < stop && to <= end; ++i) {
      const uint32_t w = load_le<uint16_t>(words + 2 * i), kind = w >> 12;
      if (kind == 3) {
        base = w & 0xfff;
      } else if (kind == 4 || kind == 5) {
        if ((base & 0x7ff) > last_base) goto done;
        const uint64_t record = (all & ~evt3_x) | (static_cast<uint64_t>(base) << 32);
        to = kind == 4 ? add_vector<12>(record, w & 0xfff, to) : add_vector<8>(record, w & 0xff, to);
        base += kind == 4 ? 12 : 8;
      } else if (kind == 8) {
        if ((w & 0xfff) != r.high) goto done;
      } else {
        break;
      }
    }
  }
done:
  r.low = static_cast<uint32_t>(all & 0xfff);
  r.row = static_cast<uint32_t>(all >> 48) & 0x7ff;
  r.base = base;
  return {i, static_cast<size_t>(to - records)};
}

void count_kinds(const uint8_t* words, size_t n, uint64_t* counts) {
  const hn::ScalableTag<uint16_t> d;
  const size_t L = hn::Lanes(d);
  size_t i = 0;
  while (i + L <= n) {
    const size_t end = i + std::min(n - i, L * 0xfff0) / L * L;  // lanes of 16 bits count that far
    for (uint32_t first = 0; first < 16; first += 4) {
      auto a = hn::Zero(d), b = a, c = a, e = a;
      for (size_t k = i; k < end; k += L) {
        const auto kind = hn::ShiftRight<12>(hn::LoadU(d, words16(words) + k));
        const auto is = [&](uint32_t what) HWY_ATTR { return hn::VecFromMask(d, hn::Eq(kind, hn::Set(d, static_cast<uint16_t>(first + what)))); };
        a = hn::Sub(a, is(0)), b = hn::Sub(b, is(1)), c = hn::Sub(c, is(2)), e = hn::Sub(e, is(3));
      }
      alignas(64) uint16_t lanes[HWY_MAX_BYTES / 2];
      const auto sum = [&](auto v) HWY_ATTR {
        hn::Store(v, d, lanes);
        uint64_t all = 0;
        for (size_t k = 0; k < L; ++k) all += lanes[k];
        return all;
      };
      counts[first] += sum(a), counts[first + 1] += sum(b), counts[first + 2] += sum(c), counts[first + 3] += sum(e);
    }
    i = end;
  }
  for (; i < n; ++i) ++counts[load_le<uint16_t>(words + 2 * i) >> 12];
}

uint64_t most_evt2(const uint8_t* words, size_t n) {
  const hn::ScalableTag<uint32_t> d;
  const size_t L = hn::Lanes(d);
  const auto last = hn::Set(d, 0x1fffffffu);
  uint64_t most = 0;
  size_t i = 0;
  for (; i + L <= n; i += L) most += L - hn::CountTrue(d, hn::Gt(hn::LoadU(d, words32(words) + i), last));
  for (; i < n; ++i) most += load_le<uint32_t>(words + 4 * i) <= 0x1fffffffu;
  return most;
}

uint64_t most_evt3(const uint8_t* words, size_t n) {
  const hn::ScalableTag<uint16_t> d;
  const size_t L = hn::Lanes(d);
  const auto set = [&](uint32_t v) HWY_ATTR { return hn::Set(d, static_cast<uint16_t>(v)); };
  const auto one = set(1), twelve = set(0xfff), eight = set(0xff);
  uint64_t most = 0;
  size_t i = 0;
  while (i + L <= n) {
    const size_t end = i + std::min(n - i, L * 4096) / L * L;  // 12 events a word fit lanes of 16 bits so long
    auto sum = hn::Zero(d);
    for (; i < end; i += L) {
      const auto w = hn::LoadU(d, words16(words) + i), kind = hn::ShiftRight<12>(w);
      const auto bits12 = hn::IfThenElseZero(hn::Eq(kind, set(4)), hn::And(w, twelve));
      const auto bits8 = hn::IfThenElseZero(hn::Eq(kind, set(5)), hn::And(w, eight));
      const auto single = hn::IfThenElseZero(hn::Eq(kind, set(2)), one);
      sum = hn::Add(sum, hn::PopulationCount(hn::Or(hn::Or(bits12, bits8), single)));
    }
    alignas(64) uint16_t lanes[HWY_MAX_BYTES / 2];
    hn::Store(sum, d, lanes);
    for (size_t k = 0; k < L; ++k) most += lanes[k];
  }
  for (; i < n; ++i) {
    const uint32_t w = load_le<uint16_t>(words + 2 * i), kind = w >> 12;
    most += kind == 2 ? 1u : static_cast<uint32_t>(std::popcount(kind == 4 ? w & 0xfff : kind == 5 ? w & 0xff : 0));
  }
  return most;
}

bool any_outside(const EventBlock& block, int width, int height) {
  const hn::ScalableTag<uint16_t> d;  // what is negative becomes huge
  const size_t L = hn::Lanes(d);
  const auto w = hn::Set(d, static_cast<uint16_t>(width - 1)), h = hn::Set(d, static_cast<uint16_t>(height - 1));
  const auto* x = reinterpret_cast<const uint16_t*>(block.x);
  const auto* y = reinterpret_cast<const uint16_t*>(block.y);
  size_t i = 0;
  auto out = hn::Gt(hn::Zero(d), hn::Zero(d));
  for (; i + L <= block.size; i += L) out = hn::Or(out, hn::Or(hn::Gt(hn::LoadU(d, x + i), w), hn::Gt(hn::LoadU(d, y + i), h)));
  bool any = !hn::AllFalse(d, out);
  for (; i < block.size; ++i) any |= x[i] >= width || y[i] >= height;
  return any;
}

uint64_t steps_back(const int64_t* t, size_t n) {
  const hn::ScalableTag<int64_t> d;
  const size_t L = hn::Lanes(d);
  uint64_t back = 0;
  size_t i = 1;
  for (; i + L <= n; i += L) back += hn::CountTrue(d, hn::Lt(hn::LoadU(d, t + i), hn::LoadU(d, t + i - 1)));
  for (; i < n; ++i) back += t[i] < t[i - 1];
  return back;
}

void copy_past_caches(void* to, const void* from, size_t bytes) {
  const hn::ScalableTag<uint8_t> d;
  const size_t L = hn::Lanes(d);
  auto* out = static_cast<uint8_t*>(to);
  const auto* in = static_cast<const uint8_t*>(from);
  const size_t head = std::min(bytes, (64 - reinterpret_cast<std::uintptr_t>(out) % 64) % 64);
  std::memcpy(out, in, head);
  size_t i = head;
  for (; i + L <= bytes; i += L) hn::Stream(hn::LoadU(d, in + i), d, out + i);
  std::memcpy(out + i, in + i, bytes - i);
}

}  // namespace
}  // namespace apical::formats::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::formats::detail {

HWY_EXPORT(add_records);
HWY_EXPORT(add_dv_events);
HWY_EXPORT(near_records);
HWY_EXPORT(add_cd_words);
HWY_EXPORT(evt3_records);
HWY_EXPORT(count_kinds);
HWY_EXPORT(most_evt2);
HWY_EXPORT(most_evt3);
HWY_EXPORT(any_outside);
HWY_EXPORT(steps_back);
HWY_EXPORT(copy_past_caches);

void add_records(const std::uint8_t* records, std::size_t n, std::int64_t base, const RecordFields& fields, EventBlock& block) noexcept {
  HWY_DYNAMIC_DISPATCH(add_records)(records, n, base, fields, block);
}
void add_dv_events(const std::uint8_t* events, std::size_t n, EventBlock& block) noexcept {
  if (!kernels::scalar_level()) return HWY_DYNAMIC_DISPATCH(add_dv_events)(events, n, block);
  for (; n > 0; --n, events += 16)
    block.add(load_le<std::int64_t>(events), load_le<std::uint16_t>(events + 8), load_le<std::uint16_t>(events + 10), events[12]);
}
std::size_t near_records(const std::uint8_t* records, std::size_t n) noexcept { return HWY_DYNAMIC_DISPATCH(near_records)(records, n); }
std::size_t add_cd_words(const std::uint8_t* words, std::size_t n, std::int64_t high, EventBlock& block, std::uint64_t& on) noexcept {
  return HWY_DYNAMIC_DISPATCH(add_cd_words)(words, n, high, block, on);
}
Evt3Done evt3_records(const std::uint8_t* words, std::size_t n, Evt3Registers& registers, std::uint64_t* records, std::size_t room) noexcept {
  return HWY_DYNAMIC_DISPATCH(evt3_records)(words, n, registers, records, room);
}

void count_kinds(const std::uint8_t* words, std::size_t n, std::array<std::uint64_t, 16>& counts) noexcept {
  if (!kernels::scalar_level()) return HWY_DYNAMIC_DISPATCH(count_kinds)(words, n, counts.data());
  for (std::size_t i = 0; i < n; ++i) ++counts[load_le<std::uint16_t>(words + 2 * i) >> 12];
}

std::uint64_t most_evt2(const std::uint8_t* words, std::size_t n) noexcept {
  if (!kernels::scalar_level()) return HWY_DYNAMIC_DISPATCH(most_evt2)(words, n);
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < n; ++i) most += load_le<std::uint32_t>(words + 4 * i) >> 28 < 2;
  return most;
}

std::uint64_t most_evt21(const std::uint8_t* words, std::size_t n, bool upper_first) noexcept {
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint8_t* w = words + 8 * i;
    const auto upper = load_le<std::uint32_t>(w + (upper_first ? 0 : 4)), mask = load_le<std::uint32_t>(w + (upper_first ? 4 : 0));
    if (upper >> 28 < 2) most += static_cast<std::uint64_t>(std::popcount(mask));
  }
  return most;
}

std::uint64_t most_evt3(const std::uint8_t* words, std::size_t n) noexcept {
  if (!kernels::scalar_level()) return HWY_DYNAMIC_DISPATCH(most_evt3)(words, n);
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const unsigned w = load_le<std::uint16_t>(words + 2 * i), kind = w >> 12;
    most += kind == 2 ? 1u : static_cast<unsigned>(std::popcount(kind == 4 ? w & 0xfff : kind == 5 ? w & 0xff : 0));
  }
  return most;
}

bool any_outside(const EventBlock& block, int width, int height) noexcept {
  width = width > 0 ? std::min(width, 32768) : 32768;  // columns of 16 bits hold no more
  height = height > 0 ? std::min(height, 32768) : 32768;
  if (!kernels::scalar_level()) return HWY_DYNAMIC_DISPATCH(any_outside)(block, width, height);
  for (std::size_t i = 0; i < block.size; ++i)
    if (static_cast<std::uint16_t>(block.x[i]) >= width || static_cast<std::uint16_t>(block.y[i]) >= height) return true;
  return false;
}

std::uint64_t steps_back(const std::int64_t* t, std::size_t n, std::int64_t before) noexcept {
  if (n == 0) return 0;
  std::uint64_t back = t[0] < before;
  if (!kernels::scalar_level()) return back + HWY_DYNAMIC_DISPATCH(steps_back)(t, n);
  for (std::size_t i = 1; i < n; ++i) back += t[i] < t[i - 1];
  return back;
}

void copy_past_caches(void* to, const void* from, std::size_t bytes) noexcept { HWY_DYNAMIC_DISPATCH(copy_past_caches)(to, from, bytes); }
void store_fence() noexcept { hwy::FlushStream(); }

}  // namespace apical::formats::detail
#endif  // HWY_ONCE
