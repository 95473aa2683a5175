#include "apical/formats/events/words.h"

namespace apical::formats::detail {

void WordReader::start(std::unique_ptr<WordDecoder> decoder) {
  decoder_ = std::move(decoder);
  state_ = decoder_->first_state();
  report(*decoder_, counts_, state_, info_);
}

bool WordReader::decode() {
  const auto bytes = records(decoder_->bytes, decoder_->word);
  if (bytes.empty()) return false;
  const std::size_t words = decode_inside(*decoder_, bytes.data(), bytes.size() / decoder_->bytes, info_.width, info_.height, state_, block_, counts_);
  pass_on(block_);
  report(*decoder_, counts_, state_, info_);
  in_.skip(words * decoder_->bytes);
  return true;
}

std::uint64_t keep_inside(EventBlock& block, int width, int height) {
  if (!any_outside(block, width, height)) return 0;
  const auto limit = [](int size) { return static_cast<std::uint32_t>(size > 0 ? std::min(size, 32768) : 32768); };
  std::size_t kept = 0;
  for (std::size_t i = 0; i < block.size; ++i) {
    block.t[kept] = block.t[i];
    block.x[kept] = block.x[i];
    block.y[kept] = block.y[i];
    block.p[kept] = block.p[i];
    kept += static_cast<std::uint16_t>(block.x[i]) < limit(width) && static_cast<std::uint16_t>(block.y[i]) < limit(height);
  }
  const std::size_t outside = block.size - kept;
  block.size = kept;
  return outside;
}

std::size_t decode_inside(const WordDecoder& decoder, const std::uint8_t* words, std::size_t n, int width, int height, WordState& state,
                          EventBlock& block, WordCounts& counts) {
  block.size = 0;
  const std::size_t done = decoder.decode(words, n, state, block, counts);
  counts.outside += keep_inside(block, width, height);
  return done;
}

void report(const WordDecoder& decoder, const WordCounts& counts, const WordState& state, EventInfo& info) {
  info.dropped = counts.dropped;
  info.outside = counts.outside;
  info.wraps = static_cast<std::uint64_t>(state.time.base / decoder.period);
  decoder.report(counts, info);
}

}  // namespace apical::formats::detail
