#include "apical/formats/events/columns.h"

#include <sys/mman.h>

#include <algorithm>
#include <limits>
#include <new>
#include <vector>

#include "apical/base/files.h"
#include "apical/base/log.h"
#include "apical/base/thread_pool.h"
#include "apical/formats/events/words.h"

namespace apical::formats {
namespace {

constexpr std::size_t huge_page = std::size_t{1} << 21;

}  // namespace

template <class T>
HugeArray<T>::HugeArray(std::size_t size) {
  resize(size);
}
template <class T>
HugeArray<T>::~HugeArray() {
  if (data_) ::munmap(data_, mapped_);
}
template <class T>
void HugeArray<T>::resize(std::size_t size) {
  if (size > std::numeric_limits<std::size_t>::max() / sizeof(T) - huge_page) throw std::bad_alloc();
  const std::size_t bytes = (size * sizeof(T) + 4095) / 4096 * 4096;
  if (bytes > mapped_) {
    void* at = data_ ? ::mremap(data_, mapped_, bytes, MREMAP_MAYMOVE)
                     : ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    if (bytes >= huge_page) ::madvise(at, bytes, MADV_HUGEPAGE);  // a wish
    data_ = static_cast<T*>(at);
    mapped_ = bytes;
  }
  size_ = size;
}
template class HugeArray<std::int64_t>;
template class HugeArray<std::int16_t>;
template class HugeArray<std::uint8_t>;

namespace {

using namespace detail;

void resize(EventColumns& c, std::size_t size) {
  c.t.resize(size);
  c.x.resize(size);
  c.y.resize(size);
  c.p.resize(size);
}

// Words that one thread decodes at a time, from the state that the words before them leave behind. That state is guessed from the last of
// those words and the guess is checked when they have been decoded too; where it was wrong, the chunk is decoded again.
struct Chunk {
  std::size_t first = 0, words = 0;  // in the file
  std::size_t most = 0, at = 0;      // events at most; where they go
  std::size_t events = 0;            // what was decoded
  WordState entry, exit;
  WordCounts counts;
  std::int64_t first_time = 0, last_time = 0;
  std::uint64_t steps_back = 0;
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
    parallel_for(0, chunks_.size(), 1, [&](std::size_t i, std::size_t) {
      Chunk& c = chunks_[i];
      c.first = i * each;
      c.words = std::min(each, words_ - c.first);
      c.most = decoder_.most(words(c.first), c.words);
      c.entry = guess(c.first);
    });
    count_wraps();
    std::size_t all = 0;
    for (Chunk& c : chunks_) {
      c.at = all;
      all += c.most;
    }
    resize(columns_, all);
    parallel_for(0, chunks_.size(), 1, [&](std::size_t i, std::size_t) { decode(chunks_[i]); });
    const WordState last = check();
    close_gaps();
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
  void decode(Chunk& c) {
    const auto block = std::make_unique<EventBlock>();
    c.counts = {};
    c.events = 0;
    c.steps_back = 0;
    WordState state = c.entry;
    for (std::size_t i = c.first, end = c.first + c.words; i < end;) {
      i += decode_inside(decoder_, words(i), end - i, width_, height_, state, *block, c.counts);
      if (block->size == 0) continue;
      if (c.events == 0) c.first_time = c.last_time = block->t[0];
      c.steps_back += steps_back(block->t, block->size, c.last_time);
      c.last_time = block->t[block->size - 1];
      const std::size_t at = c.at + c.events;
      copy_past_caches(columns_.t.data() + at, block->t, block->size * sizeof *block->t);
      copy_past_caches(columns_.x.data() + at, block->x, block->size * sizeof *block->x);
      copy_past_caches(columns_.y.data() + at, block->y, block->size * sizeof *block->y);
      copy_past_caches(columns_.p.data() + at, block->p, block->size);
      c.events += block->size;
    }
    store_fence();
    c.exit = state;
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
    for (Chunk& c : chunks_) {
      if (!good(c, state)) {
        c.entry = state;
        decode(c);
      }
      const WordState before = state;
      state = c.exit;
      if (!state.has_row) state.has_row = before.has_row, state.row = before.row;
      if (!state.has_column) state.has_column = before.has_column, state.column = before.column, state.polarity = before.polarity;
    }
    return state;
  }
  // Events that were dropped or lie outside have left room behind.
  void close_gaps() {
    std::size_t size = 0;
    for (const Chunk& c : chunks_) {
      if (c.at != size) {
        std::copy_n(columns_.t.data() + c.at, c.events, columns_.t.data() + size);
        std::copy_n(columns_.x.data() + c.at, c.events, columns_.x.data() + size);
        std::copy_n(columns_.y.data() + c.at, c.events, columns_.y.data() + size);
        std::copy_n(columns_.p.data() + c.at, c.events, columns_.p.data() + size);
      }
      size += c.events;
    }
    resize(columns_, size);
  }
  void sum(const WordState& last, EventInfo& info) const {
    WordCounts all;
    std::int64_t before = std::numeric_limits<std::int64_t>::min();
    info.steps_back = 0;
    for (const Chunk& c : chunks_) {
      for (std::size_t k = 0; k < all.kinds.size(); ++k) all.kinds[k] += c.counts.kinds[k];
      all.dropped += c.counts.dropped;
      all.outside += c.counts.outside;
      if (c.events == 0) continue;
      info.steps_back += c.steps_back + (c.first_time < before);
      before = c.last_time;
    }
    report(decoder_, all, last, info);
  }

  const WordDecoder& decoder_;
  const std::uint8_t* bytes_;
  std::size_t words_;
  int width_, height_;
  std::vector<Chunk> chunks_;
  EventColumns columns_;
};

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
  const auto* words = dynamic_cast<const WordReader*>(&reader);
  if (!words) {
    EventColumns columns = gathered(reader, where);
    if (info) *info = reader.info();
    return columns;
  }
  const auto body = bytes.subspan(static_cast<std::size_t>(reader.position()));
  EventInfo found = reader.info();
  EventColumns columns = WholeFile(words->decoder(), body, found).decode(found);
  if (const std::size_t size = words->decoder().bytes; body.size() % size != 0) {
    found.cut_bytes = body.size() % size;
    const Error cut = cut_off(words->decoder().word, size, found.cut_bytes, at_byte(where, bytes.size() - found.cut_bytes));
    if (body.size() < size) throw cut;
    log_warn(cut.what());
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
