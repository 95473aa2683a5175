#pragma once
// How whole recordings become columns: pieces of a file are decoded in many places at once. Not for use outside this folder.
#include <span>
#include <vector>

#include "apical/formats/events/aedat4.h"
#include "apical/formats/events/columns.h"
#include "apical/formats/events/hdf5.h"
#include "apical/formats/events/words.h"

namespace apical::formats::detail {

void resize(EventColumns& columns, std::size_t size);

/// What was decoded from a part of a file.
struct Piece {
  std::size_t at = 0, events = 0;  ///< in the columns
  std::int64_t first_time = 0, last_time = 0;
  std::uint64_t steps_back = 0;

  /// Puts a block behind the piece's events; store_fence() when all are put.
  void append(const EventBlock& block, EventColumns& columns);
};
/// Closes the gaps between pieces, sets the size of the columns and info.steps_back.
void join(const std::vector<Piece>& pieces, EventColumns& columns, EventInfo& info);

/// `body`: the words behind the header.
EventColumns columns_of_words(const WordDecoder& decoder, std::span<const std::uint8_t> body, EventInfo& info);
/// `file`: all of it; the reader stands at the first packet and knows the streams.
EventColumns columns_of_packets(const Aedat4Reader& reader, std::span<const std::uint8_t> file, EventInfo& info);
/// `reader`: one that knows events().
EventColumns columns_of_chunks(const Hdf5Reader& reader, const std::string& where, EventInfo& info);

}  // namespace apical::formats::detail
