#pragma once
// ECF, Prophesee's compression of a chunk of events in HDF5 files (filter 0x8ECF): runs of equal times, rows and polarities, and x with
// the neighbours to its right as a mask, or two forms that pack single events. Written anew after the reading of Prophesee's
// github.com/prophesee-ai/hdf5_ecf (Apache-2.0). Not for use outside this folder.
//
// | part    | bytes                                                                                                                  |
// |---------|------------------------------------------------------------------------------------------------------------------------|
// | head    | u32: number of events << 2, bit 1: y, x and p packed, bit 0: x and p packed                                             |
// | times   | u64 of the first; then bytes: step (0 to 14) << 4, run; run 15: the run follows as u16; 0xF0 + a nibble, lowest first, |
// |         | for longer steps, which are added to those of the next byte                                                            |
// | rows    | u16: y << 5, run; run 31: the run follows as u16                                                                       |
// | columns | u16: x << 5, bit 4 - j: x + 1 + j follows                                                                              |
// | polarity| bytes: p << 7, run; run 127: the run follows as u16                                                                    |
// | x and p | in place of the last two: four times 12 bits (x << 1, p) in 6 bytes                                                    |
// | y, x, p | in place of the last three: four times 24 bits (y << 12, x << 1, p) in 12 bytes                                        |
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "apical/formats/events/event.h"

namespace apical::formats::detail {

/// Events of a chunk as columns. What lies behind `size` is rubbish.
struct EventRows {
  std::size_t size = 0;
  std::vector<std::int64_t> t;
  std::vector<std::uint16_t> x, y;
  std::vector<std::uint8_t> p;
  /// Sets the size and makes room for it and a slack that loops may write to.
  void resize(std::size_t n);
};

inline constexpr std::size_t ecf_limit = 65535;  ///< events in a chunk
inline constexpr int ecf_pixels = 2048;          ///< x and y have 11 bits

struct EcfDamage {
  const char* what = nullptr;  ///< null: none
  std::size_t at = 0;          ///< byte of the chunk
};
/// Decodes a chunk; nothing is known of `rows` when it is damaged. Bytes behind the last event are left aside.
EcfDamage decode_ecf(std::span<const std::uint8_t> bytes, EventRows& rows);
/// Appends 1 to ecf_limit events, in order of time, as one chunk: the bytes that Prophesee's encoder makes.
void append_ecf(std::span<const Event> events, std::vector<std::uint8_t>& bytes);

}  // namespace apical::formats::detail
