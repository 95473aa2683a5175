#include "apical/formats/events/columns.h"

#include <algorithm>
#include <limits>

#include "apical/base/files.h"
#include "apical/base/log.h"
#include "apical/formats/events/columns_detail.h"

namespace apical::formats {
namespace detail {

void resize(EventColumns& c, std::size_t size) {
  c.t.resize(size);
  c.x.resize(size);
  c.y.resize(size);
  c.p.resize(size);
}

void Piece::append(const EventBlock& block, EventColumns& c) {
  if (block.size == 0) return;
  if (events == 0) first_time = last_time = block.t[0];
  steps_back += detail::steps_back(block.t, block.size, last_time);
  last_time = block.t[block.size - 1];
  copy_past_caches(c.t.data() + at + events, block.t, block.size * sizeof *block.t);
  copy_past_caches(c.x.data() + at + events, block.x, block.size * sizeof *block.x);
  copy_past_caches(c.y.data() + at + events, block.y, block.size * sizeof *block.y);
  copy_past_caches(c.p.data() + at + events, block.p, block.size);
  events += block.size;
}

// Events that were dropped or lie outside have left room behind.
void join(const std::vector<Piece>& pieces, EventColumns& c, EventInfo& info) {
  std::size_t size = 0;
  std::int64_t before = std::numeric_limits<std::int64_t>::min();
  info.steps_back = 0;
  for (const Piece& p : pieces) {
    if (p.at != size) {
      std::copy_n(c.t.data() + p.at, p.events, c.t.data() + size);
      std::copy_n(c.x.data() + p.at, p.events, c.x.data() + size);
      std::copy_n(c.y.data() + p.at, p.events, c.y.data() + size);
      std::copy_n(c.p.data() + p.at, p.events, c.p.data() + size);
    }
    size += p.events;
    if (p.events == 0) continue;
    info.steps_back += p.steps_back + (p.first_time < before);
    before = p.last_time;
  }
  resize(c, size);
}

}  // namespace detail

namespace {

using namespace detail;

EventColumns gathered(EventReader& reader, const std::string& where) {
  EventColumns c;
  std::size_t size = 0;
  std::vector<Event> some(1 << 13);
  while (const std::size_t n = reader.read(some)) {
    if (size + n > c.size()) resize(c, std::max(2 * c.size(), size + n));
    for (std::size_t i = 0; i < n; ++i, ++size) {
      const Event& e = some[i];
      if (((e.x | e.y) >> 15) != 0)
        throw data_error("event " + std::to_string(size) + " at x " + std::to_string(e.x) + ", y " + std::to_string(e.y) +
                             " does not fit columns of 16 bits with sign",
                         where);
      c.t.data()[size] = e.t;
      c.x.data()[size] = static_cast<std::int16_t>(e.x);
      c.y.data()[size] = static_cast<std::int16_t>(e.y);
      c.p.data()[size] = e.polarity;
    }
  }
  resize(c, size);
  return c;
}

EventColumns columns_of(EventReader& reader, std::span<const std::uint8_t> bytes, const std::string& where, EventInfo* info) {
  EventInfo found = reader.info();
  EventColumns columns;
  if (const auto* words = dynamic_cast<const WordReader*>(&reader)) {
    const auto body = bytes.subspan(static_cast<std::size_t>(reader.position()));
    columns = columns_of_words(words->decoder(), body, found);
    if (const std::size_t size = words->decoder().bytes; body.size() % size != 0) {
      found.cut_bytes = body.size() % size;
      const Error cut = cut_off(words->decoder().word, size, found.cut_bytes, at_byte(where, bytes.size() - found.cut_bytes));
      if (body.size() < size) throw cut;
      log_warn(cut.what());
    }
  } else if (const auto* packets = dynamic_cast<const Aedat4Reader*>(&reader); packets && packets->known_streams()) {
    columns = columns_of_packets(*packets, bytes, found);
  } else if (const auto* chunks = dynamic_cast<const Hdf5Reader*>(&reader); chunks && chunks->events()) {
    columns = columns_of_chunks(*chunks, where, found);
  } else {
    columns = gathered(reader, where);
    found = reader.info();
  }
  if (info) *info = std::move(found);
  return columns;
}

}  // namespace

EventColumns parse_event_columns(std::span<const std::uint8_t> bytes, const std::string& where, EventInfo* info) {
  return columns_of(*open_events(bytes, where), bytes, where, info);
}
EventColumns parse_event_columns(std::span<const std::uint8_t> bytes, const std::string& where, EventFormat format) {
  return columns_of(*open_events(bytes, where, format), bytes, where, nullptr);
}

EventColumns read_event_columns(const std::filesystem::path& path, EventInfo* info) {
  const MappedFile file(path);
  return parse_event_columns(file.bytes(), path.string(), info);
}

}  // namespace apical::formats
