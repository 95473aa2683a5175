#pragma once
// SIMD pieces of the decoders of DAT, EVT and AEDAT 4. Each gives the bits of the scalar loops in dat.cpp, evt2.cpp, evt21.cpp, evt3.cpp or
// beside it, which run instead at the level "scalar". Pointers to words may be unaligned. Not for use outside this folder.
#include <array>
#include <cstddef>
#include <cstdint>

namespace apical::formats::detail {

/// Decoded events as four columns, in the first-level cache. Kernels may write up to `slack` events of rubbish behind the last one.
struct EventBlock {
  static constexpr std::size_t capacity = 2048, slack = 64;
  std::size_t size = 0;
  alignas(64) std::int64_t t[capacity + slack];
  alignas(64) std::int16_t x[capacity + slack];
  alignas(64) std::int16_t y[capacity + slack];
  alignas(64) std::uint8_t p[capacity + slack];

  void add(std::int64_t time, std::uint32_t column, std::uint32_t row, std::uint32_t polarity) noexcept {
    t[size] = time;
    x[size] = static_cast<std::int16_t>(column);
    y[size] = static_cast<std::int16_t>(row);
    p[size++] = static_cast<std::uint8_t>(polarity != 0);
  }
};

/// Where a record of 64 bits holds its parts: the time in the lower half, the address as bits of the upper half.
struct RecordFields {
  std::uint32_t t_mask;
  int x_shift;
  std::uint32_t x_mask;
  int y_shift;
  std::uint32_t y_mask;
  int p_shift;
  std::uint32_t p_mask;
};

/// Appends n records (n <= room of the block): t = base + its time.
void add_records(const std::uint8_t* records, std::size_t n, std::int64_t base, const RecordFields& fields, EventBlock& block) noexcept;
/// Appends n events of AEDAT 4 (n <= room): 16 bytes each, time in 64 bits, x and y in 16, polarity in 8, and 3 unused.
void add_dv_events(const std::uint8_t* events, std::size_t n, EventBlock& block) noexcept;
/// Number of leading records of which each differs by less than 2^31 us from the one before.
std::size_t near_records(const std::uint8_t* records, std::size_t n) noexcept;

/// Appends the leading run of EVT 2 CD words (n <= room) and returns its length; t = high + 6 bits. Adds the ON events to `on`.
std::size_t add_cd_words(const std::uint8_t* words, std::size_t n, std::int64_t high, EventBlock& block, std::uint64_t& on) noexcept;

/// What EVT 3 words set and later words use.
struct Evt3Registers {
  std::uint32_t low = 0, row = 0;
  std::uint32_t base = no_base;      ///< BASE_X: 11 bits of x, then the polarity
  std::uint32_t high = no_high;      ///< a TIME_HIGH of this value changes nothing
  static constexpr std::uint32_t no_base = 0xffff, no_high = 0xffff;
};
inline constexpr RecordFields evt3_fields = {0xfff, 0, 0x7ff, 16, 0x7ff, 11, 1};
/// Turns leading EVT 3 words into records of 64 bits (fields above, TIME_LOW in the lower half) until the room, the words or what it
/// can do ends: at a TIME_HIGH that changes, and at vectors without a base or beyond x 2047. Returns words done and records made;
/// `records` needs a slack of 16.
struct Evt3Done {
  std::size_t words, records;
};
Evt3Done evt3_records(const std::uint8_t* words, std::size_t n, Evt3Registers& registers, std::uint64_t* records, std::size_t room) noexcept;

/// Adds to counts[k] how many words of 16 bits have k in their upper 4 bits.
void count_kinds(const std::uint8_t* words, std::size_t n, std::array<std::uint64_t, 16>& counts) noexcept;
/// Largest number of events the words can hold: CD words; masks' bits; ADDR_X and masks' bits. `upper_first` as in evt21.cpp.
std::uint64_t most_evt2(const std::uint8_t* words, std::size_t n) noexcept;
std::uint64_t most_evt21(const std::uint8_t* words, std::size_t n, bool upper_first) noexcept;
std::uint64_t most_evt3(const std::uint8_t* words, std::size_t n) noexcept;

/// Whether an event lies outside width x height.
bool any_outside(const EventBlock& block, int width, int height) noexcept;
/// Number of times smaller than the one before; `before` stands before the first.
std::uint64_t steps_back(const std::int64_t* t, std::size_t n, std::int64_t before) noexcept;
/// Copies past the caches (the target is larger than they are); finish with store_fence().
void copy_past_caches(void* to, const void* from, std::size_t bytes) noexcept;
void store_fence() noexcept;

}  // namespace apical::formats::detail
