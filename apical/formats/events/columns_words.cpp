// Whole recordings of DAT and EVT.
#include <algorithm>
#include <memory>

#include "apical/base/thread_pool.h"
#include "apical/formats/events/columns_detail.h"

namespace apical::formats::detail {
namespace {

// Words that one thread decodes at a time, from the state that the words before them leave behind. That state is guessed from the last of
// those words and the guess is checked when they have been decoded too; where it was wrong, the chunk is decoded again.
struct Chunk {
  std::size_t first = 0, words = 0;  // in the file
  WordState entry, exit;
  WordCounts counts;
};
constexpr std::size_t chunk_bytes = std::size_t{1} << 19;  // 4 s of EVT 3 at the least: less than half a period of its clock
constexpr std::size_t guess_bytes = std::size_t{1} << 13;  // of the words before a chunk

class WholeFile {
 public:
  WholeFile(const WordDecoder& decoder, std::span<const std::uint8_t> bytes, const EventInfo& info)
      : decoder_(decoder), bytes_(bytes.data()), words_(bytes.size() / decoder.bytes), width_(info.width), height_(info.height) {}

  EventColumns decode(EventInfo& info) {
    const std::size_t each = chunk_bytes / decoder_.bytes;
    chunks_.resize((words_ + each - 1) / each);
    pieces_.resize(chunks_.size());
    parallel_for(0, chunks_.size(), 1, [&](std::size_t i, std::size_t) {
      Chunk& c = chunks_[i];
      c.first = i * each;
      c.words = std::min(each, words_ - c.first);
      pieces_[i].events = decoder_.most(words(c.first), c.words);  // at most
      c.entry = guess(c.first);
    });
    count_wraps();
    std::size_t all = 0;
    for (Piece& p : pieces_) {
      p.at = all;
      all += p.events;
    }
    resize(columns_, all);
    parallel_for(0, chunks_.size(), 1, [&](std::size_t i, std::size_t) { decode(i); });
    const WordState last = check();
    join(pieces_, columns_, info);
    sum(last, info);
    return std::move(columns_);
  }

 private:
  const std::uint8_t* words(std::size_t first) const { return bytes_ + first * decoder_.bytes; }

  // The state after the last words before `first`, as far as they tell.
  WordState guess(std::size_t first) const {
    WordState state = decoder_.first_state();
    const auto block = std::make_unique<EventBlock>();
    WordCounts ignored;
    for (std::size_t i = first - std::min(first, guess_bytes / decoder_.bytes); i < first;) {
      block->size = 0;
      i += decoder_.decode(words(i), first - i, state, *block, ignored);
    }
    return state;
  }
  // Guesses know nothing of wraps before their words. From border to border less than half a period passes, as a rule.
  void count_wraps() {
    WrappingTime clock{decoder_.period};
    for (Chunk& c : chunks_) {
      if (!c.entry.has_time) continue;
      clock(c.entry.time.last);
      c.entry.high += (clock.base - c.entry.time.base) * decoder_.tick;
      c.entry.time.base = clock.base;
    }
  }
  void decode(std::size_t chunk) {
    const auto block = std::make_unique<EventBlock>();
    Chunk& c = chunks_[chunk];
    Piece& piece = pieces_[chunk];
    piece = {.at = piece.at};
    c.counts = {};
    c.exit = c.entry;
    for (std::size_t i = c.first, end = c.first + c.words; i < end;) {
      i += decode_inside(decoder_, words(i), end - i, width_, height_, c.exit, *block, c.counts);
      piece.append(*block, columns_);
    }
    store_fence();
  }
  // A row or column base that a guess lacks does no harm unless the chunk needed it (then events were dropped).
  static bool good(const Chunk& c, const WordState& truth) {
    WordState known = truth;
    const bool unused = c.counts.dropped == 0;
    if (unused && !c.entry.has_row) known.has_row = false, known.row = c.entry.row;
    if (unused && !c.entry.has_column) known.has_column = false, known.column = c.entry.column, known.polarity = c.entry.polarity;
    return known == c.entry;
  }
  // Follows the true state through all chunks; returns the last.
  WordState check() {
    WordState state = decoder_.first_state();
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      Chunk& c = chunks_[i];
      if (!good(c, state)) {
        c.entry = state;
        decode(i);
      }
      const WordState before = state;
      state = c.exit;
      if (!state.has_row) state.has_row = before.has_row, state.row = before.row;
      if (!state.has_column) state.has_column = before.has_column, state.column = before.column, state.polarity = before.polarity;
    }
    return state;
  }
  void sum(const WordState& last, EventInfo& info) const {
    WordCounts all;
    for (const Chunk& c : chunks_) {
      for (std::size_t k = 0; k < all.kinds.size(); ++k) all.kinds[k] += c.counts.kinds[k];
      all.dropped += c.counts.dropped;
      all.outside += c.counts.outside;
    }
    report(decoder_, all, last, info);
  }

  const WordDecoder& decoder_;
  const std::uint8_t* bytes_;
  std::size_t words_;
  int width_, height_;
  std::vector<Chunk> chunks_;
  std::vector<Piece> pieces_;
  EventColumns columns_;
};

}  // namespace

EventColumns columns_of_words(const WordDecoder& decoder, std::span<const std::uint8_t> body, EventInfo& info) {
  return WholeFile(decoder, body, info).decode(info);
}

}  // namespace apical::formats::detail
