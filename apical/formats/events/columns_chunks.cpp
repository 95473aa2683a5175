// Whole recordings of HDF5 in Prophesee's layout. The library hands out the chunks one by one; we unpack many at once.
#include <algorithm>

#include "apical/base/thread_pool.h"
#include "apical/formats/events/columns_detail.h"

namespace apical::formats::detail {
namespace {

constexpr std::size_t at_once = 64;                          // chunks
constexpr std::size_t bytes_at_once = std::size_t{1} << 25;  // or their rows, where chunks are large

void append(const EventRows& rows, EventColumns& c, Piece& piece) {
  if (rows.size == 0) return;
  piece.first_time = rows.t[0];
  piece.last_time = rows.t[rows.size - 1];
  piece.steps_back = steps_back(rows.t.data(), rows.size, rows.t[0]);
  piece.events = rows.size;
  copy_past_caches(c.t.data() + piece.at, rows.t.data(), rows.size * sizeof rows.t[0]);
  copy_past_caches(c.x.data() + piece.at, rows.x.data(), rows.size * sizeof rows.x[0]);
  copy_past_caches(c.y.data() + piece.at, rows.y.data(), rows.size * sizeof rows.y[0]);
  copy_past_caches(c.p.data() + piece.at, rows.p.data(), rows.size);
  store_fence();
}

// x and y are 16 bits here, and 16 bits with sign in the columns.
void check_signs(const EventRows& rows, const std::string& where) {
  unsigned all = 0;
  for (std::size_t i = 0; i < rows.size; ++i) all |= rows.x[i] | rows.y[i];
  if (all >> 15 == 0) return;
  for (std::size_t i = 0; i < rows.size; ++i)
    if ((rows.x[i] | rows.y[i]) >> 15 != 0)
      throw data_error(
          "an event at x " + std::to_string(rows.x[i]) + ", y " + std::to_string(rows.y[i]) + " does not fit columns of 16 bits with sign",
          where);
}

}  // namespace

EventColumns columns_of_chunks(const Hdf5Reader& reader, const std::string& where, EventInfo& info) {
  const Hdf5Dataset& set = *reader.events();
  const std::uint64_t most = std::clamp<std::uint64_t>(bytes_at_once / (set.piece_rows() * set.row_bytes()), 1, at_once);
  std::vector<Hdf5Dataset::Piece> stored(static_cast<std::size_t>(std::min(most, set.pieces())));
  std::vector<Piece> pieces;
  std::vector<std::uint64_t> outside(stored.size());
  EventColumns columns;
  for (std::uint64_t first = 0; first < set.pieces(); first += stored.size()) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(stored.size(), set.pieces() - first));
    std::size_t rows = 0;
    for (std::size_t i = 0; i < n; ++i) {
      set.fetch(first + i, stored[i]);  // the first chunk that is not there ends it: a file cannot promise more than it holds
      pieces.push_back({.at = static_cast<std::size_t>((first + i) * set.piece_rows())});
      rows += set.rows_in(first + i);
    }
    resize(columns, static_cast<std::size_t>(first * set.piece_rows()) + rows);
    parallel_for(0, n, 1, [&](std::size_t i, std::size_t) {
      static thread_local EventRows unpacked;
      outside[i] = reader.unpack(first + i, stored[i], unpacked);
      check_signs(unpacked, where);
      append(unpacked, columns, pieces[static_cast<std::size_t>(first) + i]);
    });
    for (std::size_t i = 0; i < n; ++i) info.outside += outside[i];
  }
  join(pieces, columns, info);
  return columns;
}

}  // namespace apical::formats::detail
