#pragma once
// Formats that are a header and then words of one size (DAT, EVT 2, 2.1 and 3): one decoder each, used block by block while streaming and
// in many places at once for whole files. Not for use outside this folder.
#include <array>
#include <memory>
#include <span>

#include "apical/formats/events/detail.h"
#include "apical/formats/events/word_kernels.h"

namespace apical::formats::detail {

/// All that words leave behind for later words. Each format uses what it has.
struct WordState {
  WrappingTime time{0};
  std::int64_t high = 0;                   ///< upper part of the time, in us
  std::uint32_t low = 0, row = 0;          ///< lower part of the time; y
  std::uint32_t column = 0, polarity = 0;  ///< of the next vector
  bool has_time = false, has_row = false, has_column = false;
  bool operator==(const WordState&) const = default;
};

struct WordCounts {
  std::array<std::uint64_t, 16> kinds{};  ///< words by their kind of 4 bits
  std::uint64_t dropped = 0, outside = 0;
};

class WordDecoder {
 public:
  /// Words of `bytes` bytes, called `word` in messages; `period` of the clock's counter, of which a step is `tick` us.
  WordDecoder(std::size_t bytes, const char* word, std::int64_t period, std::int64_t tick) : bytes(bytes), word(word), period(period), tick(tick) {}
  virtual ~WordDecoder() = default;
  /// Events that n words hold at most.
  virtual std::uint64_t most(const std::uint8_t* words, std::size_t n) const = 0;
  /// Decodes leading words into an empty block and returns how many: at least one of n > 0, all when the block holds their events.
  virtual std::size_t decode(const std::uint8_t* words, std::size_t n, WordState& state, EventBlock& block, WordCounts& counts) const = 0;
  /// Puts the counts of words into info.words, .special and .unknown_words.
  virtual void report(const WordCounts& counts, EventInfo& info) const = 0;

  const std::size_t bytes;
  const char* const word;
  const std::int64_t period, tick;

  WordState first_state() const { return {.time = {period}}; }
};

/// The streaming reader of such a format; the constructor of a subclass reads the header and calls start().
class WordReader : public ReaderBase {
 public:
  const WordDecoder& decoder() const { return *decoder_; }

 protected:
  using ReaderBase::ReaderBase;
  void start(std::unique_ptr<WordDecoder> decoder);

 private:
  bool decode() final;
  std::unique_ptr<WordDecoder> decoder_;
  WordState state_;
  WordCounts counts_;
  EventBlock block_;
};

/// Takes out the events outside the sensor (width or height 0: beyond 15 bits) and returns how many.
std::uint64_t keep_inside(EventBlock& block, int width, int height);
/// decode(), then keep_inside().
std::size_t decode_inside(const WordDecoder& decoder, const std::uint8_t* words, std::size_t n, int width, int height, WordState& state,
                          EventBlock& block, WordCounts& counts);
/// info's words, dropped, outside, special, unknown_words and wraps from what was counted.
void report(const WordDecoder& decoder, const WordCounts& counts, const WordState& state, EventInfo& info);

}  // namespace apical::formats::detail
