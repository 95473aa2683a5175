#pragma once
// Compression of AEDAT 4 packets, with a limit on what may come out.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace apical::formats::detail {

/// Largest packet unpacked: four million events. Real packets hold some ten thousand.
inline constexpr std::size_t dv_packet_limit = std::size_t{1} << 26;

enum class DvUnpack { good, damaged, cut_off, too_long };
struct DvUnpacked {
  DvUnpack state;
  std::span<const std::uint8_t> bytes;  ///< in the memory that was given
};
/// Unpacks one frame of `compression` (numbers of dv::Compression) into `memory`, which follows what really comes out, and does not
/// shrink: for the next frame it is as good.
DvUnpacked dv_unpack(int compression, std::span<const std::uint8_t> packed, std::vector<std::uint8_t>& memory,
                     std::size_t limit = dv_packet_limit);
/// Packs with LZ4 (a whole frame).
std::vector<std::uint8_t> dv_pack(std::span<const std::uint8_t> bytes);

}  // namespace apical::formats::detail
