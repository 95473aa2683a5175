// Whole recordings of AEDAT 4. The file's table tells where the events of each packet go, so that threads need not wait for one another;
// where it is not there, or found to be wrong, the packets are unpacked once more to count them.
#include <algorithm>
#include <atomic>
#include <exception>
#include <optional>

#include "apical/base/thread_pool.h"
#include "apical/formats/events/columns_detail.h"

namespace apical::formats::detail {
namespace {

using Packets = std::vector<Aedat4Reader::Packet>;
using Counts = std::vector<std::uint64_t>;

// The packets of our stream, in order, up to the first that is cut off: that one's error is for after the others.
Packets index(const Aedat4Reader& reader, std::span<const std::uint8_t> file, EventInfo& info, std::exception_ptr& cut) {
  Packets packets;
  try {
    for (std::uint64_t at = reader.position(); at < reader.end();) {
      const auto p = reader.packet(at, file.data() + at);
      at += Aedat4Reader::head_size + p.size;
      if (reader.ours(p))
        packets.push_back(p);
      else
        ++info.words[1].second;
    }
  } catch (const Error&) {
    cut = std::current_exception();
  }
  info.words[0].second = packets.size();
  return packets;
}

// Calls use(i, events) for every packet, many at once.
template <class Use>
void unpack_all(const Aedat4Reader& reader, std::span<const std::uint8_t> file, const Packets& packets, const Use& use) {
  constexpr std::size_t chunk = 32;  // packets in the same memory
  parallel_for(0, packets.size(), chunk, [&](std::size_t begin, std::size_t end) {
    std::vector<std::uint8_t> memory;
    for (std::size_t i = begin; i < end; ++i) {
      const auto& p = packets[i];
      use(i, reader.unpack(p, file.subspan(static_cast<std::size_t>(p.at) + Aedat4Reader::head_size, p.size), memory).value());
    }
  });
}

// Events in each packet as the file's table has it; nothing when that cannot be so, or is more than an event a byte of the file.
std::optional<Counts> promised(const Aedat4Reader& reader, std::span<const std::uint8_t> file, const Packets& packets) {
  const Counts& counts = reader.promised();
  if (counts.size() != packets.size()) return std::nullopt;
  std::uint64_t all = 0;
  for (const std::uint64_t n : counts) {
    if (n > file.size() - all) return std::nullopt;
    all += n;
  }
  return counts;
}

Counts counted(const Aedat4Reader& reader, std::span<const std::uint8_t> file, const Packets& packets) {
  Counts counts(packets.size());
  unpack_all(reader, file, packets, [&](std::size_t i, std::span<const std::uint8_t> events) {
    counts[i] = events.size() / Aedat4Reader::event_size;
  });
  return counts;
}

// All packets at once, each to its place; nothing when one holds another number of events than was said.
std::optional<EventColumns> placed(const Aedat4Reader& reader, std::span<const std::uint8_t> file, const Packets& packets,
                                   const Counts& counts, EventInfo& info) {
  std::vector<Piece> pieces(packets.size());
  std::size_t all = 0;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    pieces[i].at = all;
    all += counts[i];
  }
  EventColumns columns;
  resize(columns, all);
  std::vector<std::uint64_t> outside(packets.size());
  std::atomic<bool> wrong = false;
  unpack_all(reader, file, packets, [&](std::size_t i, std::span<const std::uint8_t> events) {
    if (events.size() != counts[i] * Aedat4Reader::event_size) wrong = true;
    if (wrong) return;
    EventBlock block;
    for (; !events.empty(); events = events.subspan(std::min(events.size(), EventBlock::capacity * Aedat4Reader::event_size))) {
      block.size = 0;
      add_dv_events(events.data(), std::min(events.size() / Aedat4Reader::event_size, EventBlock::capacity), block);
      outside[i] += keep_inside(block, info.width, info.height);
      pieces[i].append(block, columns);
    }
    store_fence();
  });
  if (wrong) return std::nullopt;
  for (const std::uint64_t n : outside) info.outside += n;
  join(pieces, columns, info);
  return columns;
}

}  // namespace

EventColumns columns_of_packets(const Aedat4Reader& reader, std::span<const std::uint8_t> file, EventInfo& info) {
  std::exception_ptr cut;
  const Packets packets = index(reader, file, info, cut);
  std::optional<EventColumns> columns;
  if (const auto counts = promised(reader, file, packets)) columns = placed(reader, file, packets, *counts, info);
  if (!columns) columns = placed(reader, file, packets, counted(reader, file, packets), info);
  if (cut) std::rethrow_exception(cut);
  return std::move(*columns);
}

}  // namespace apical::formats::detail
