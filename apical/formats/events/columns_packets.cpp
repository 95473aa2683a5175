// Whole recordings of AEDAT 4.
#include <algorithm>
#include <array>
#include <exception>
#include <memory>

#include "apical/base/thread_pool.h"
#include "apical/formats/events/columns_detail.h"

namespace apical::formats::detail {
namespace {

constexpr std::size_t at_once = 16;  // packets unpacked before their events are put in place: some MB, in the caches

// The packets of our stream, in order, up to the first that is cut off: that one's error is for after the others.
std::vector<Aedat4Reader::Packet> index(const Aedat4Reader& reader, std::span<const std::uint8_t> file, EventInfo& info,
                                        std::exception_ptr& cut) {
  std::vector<Aedat4Reader::Packet> packets;
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

}  // namespace

EventColumns columns_of_packets(const Aedat4Reader& reader, std::span<const std::uint8_t> file, EventInfo& info) {
  std::exception_ptr cut;
  const auto packets = index(reader, file, info, cut);
  std::vector<Piece> pieces(packets.size());
  std::vector<std::uint64_t> outside(packets.size());
  std::array<std::vector<std::uint8_t>, at_once> bytes;
  std::array<std::span<const std::uint8_t>, at_once> events;
  // Room for what the file's table promises, so that columns need not move: address space alone, and no more than a byte an event.
  EventColumns columns;
  resize(columns, std::min<std::uint64_t>(info.declared.value_or(0), file.size()));
  std::size_t all = 0;
  for (std::size_t first = 0; first < packets.size(); first += at_once) {
    const std::size_t end = std::min(packets.size(), first + at_once);
    parallel_for(first, end, 1, [&](std::size_t i, std::size_t) {
      const auto& p = packets[i];
      const auto packed = file.subspan(static_cast<std::size_t>(p.at) + Aedat4Reader::head_size, p.size);
      events[i - first] = reader.unpack(p, packed, bytes[i - first]).value();
    });
    for (std::size_t i = first; i < end; ++i) {
      pieces[i].at = all;
      all += events[i - first].size() / Aedat4Reader::event_size;
    }
    if (all > columns.size()) resize(columns, std::max(all, 2 * columns.size()));
    parallel_for(first, end, 1, [&](std::size_t i, std::size_t) {
      const auto block = std::make_unique<EventBlock>();
      for (auto rest = events[i - first]; !rest.empty();) {
        const std::size_t n = std::min(rest.size() / Aedat4Reader::event_size, EventBlock::capacity);
        block->size = 0;
        add_dv_events(rest.data(), n, *block);
        outside[i] += keep_inside(*block, info.width, info.height);
        pieces[i].append(*block, columns);
        rest = rest.subspan(n * Aedat4Reader::event_size);
      }
      store_fence();
    });
  }
  if (cut) std::rethrow_exception(cut);
  for (const std::uint64_t n : outside) info.outside += n;
  join(pieces, columns, info);
  return columns;
}

}  // namespace apical::formats::detail
