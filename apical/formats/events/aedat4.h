#pragma once
// The reader of AEDAT 4, packet by packet: streaming, and for whole files in many places at once.
#include <optional>

#include "apical/formats/events/detail.h"

namespace apical::formats::detail {

class Aedat4Reader final : public ReaderBase {
 public:
  explicit Aedat4Reader(std::shared_ptr<ByteSource> source);

  static constexpr std::size_t head_size = 8, event_size = 16;
  struct Packet {
    std::uint64_t at;  ///< of its head, which its bytes follow
    std::int32_t id;   ///< of its stream
    std::size_t size;  ///< packed
  };
  std::uint64_t end() const { return end_; }                  ///< of the packets in the file
  bool known_streams() const { return known_streams_; }       ///< the header names the streams
  bool ours(const Packet& p) const { return !known_streams_ || p.id == stream_; }  ///< it may hold events of the stream that is read
  /// Events in each packet of the stream, in order, as the file's table has it; empty without a table. Nothing vouches for it.
  const std::vector<std::uint64_t>& promised() const { return promised_; }
  /// The packet whose head lies at `at` < end() (`head`: those bytes). Data error when it is cut off.
  Packet packet(std::uint64_t at, const std::uint8_t* head) const;
  /// The events in it, event_size bytes each, within `memory`; nothing when it belongs to another stream after all.
  std::optional<std::span<const std::uint8_t>> unpack(const Packet& p, std::span<const std::uint8_t> packed,
                                                      std::vector<std::uint8_t>& memory) const;

 private:
  void read_io_header();
  void read_table();
  bool decode() override;

  int compression_ = 0;
  std::int32_t stream_ = -1;
  bool known_streams_ = false;
  std::uint64_t end_ = 0;
  std::vector<std::uint64_t> promised_;
  std::vector<std::uint8_t> packed_, unpacked_;
  EventBlock block_;
};

}  // namespace apical::formats::detail
