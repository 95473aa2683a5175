#pragma once
// Private to the runtime: what both sessions (session.h, integer_session.h) do around their arithmetic.
#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "apical/base/error.h"
#include "apical/runtime/layout.h"

namespace apical::runtime {

/// The spikes of a session's neuron layers, in the order of the nodes; nothing without Options::record_spikes.
class SpikeRecorder {
 public:
  template <class S>
  explicit SpikeRecorder(const ProgramOf<S>& program) : record_of_(program.slots.size()) {
    if (!program.options.record_spikes) return;
    for (std::size_t i = 0; i < program.slots.size(); ++i) {
      const NodeSlot& s = program.slots[i];
      if (!s.fires) continue;
      record_of_[i] = records_.size();
      SpikeRecord record{s.name, static_cast<std::int64_t>(s.n), 0, {}};
      record.bits.reserve(record.words() * static_cast<std::size_t>(program.T));
      if (s.counts) record.counts.reserve(s.n * static_cast<std::size_t>(program.T));
      records_.push_back(std::move(record));
    }
  }
  /// One step of neuron slot i, as bits and as the list of those that fired; counts: of a slot that sends them.
  void add(std::size_t i, const NodeSlot& s, std::span<const std::uint64_t> bits, std::span<const std::uint32_t> list, std::span<const float> counts = {}) {
    if (records_.empty()) return;
    SpikeRecord& r = records_[record_of_[i]];
    const std::size_t at = r.bits.size();
    r.bits.resize(at + r.words());
    if (s.order.empty())
      std::copy(bits.begin(), bits.end(), r.bits.begin() + static_cast<std::ptrdiff_t>(at));
    else
      for (const std::uint32_t e : list) {
        const std::uint32_t k = s.order[e];
        r.bits[at + k / 64] |= std::uint64_t{1} << (k % 64);
      }
    if (s.counts) {
      const std::size_t first = r.counts.size();
      r.counts.resize(first + s.n);
      for (const std::uint32_t e : list) r.counts[first + (s.order.empty() ? e : s.order[e])] = static_cast<std::uint8_t>(counts[e]);
    }
    ++r.steps;
  }
  void clear() {
    for (auto& r : records_) r.bits.clear(), r.counts.clear(), r.steps = 0;
  }
  const std::vector<SpikeRecord>& records() const noexcept { return records_; }

 private:
  std::vector<SpikeRecord> records_;
  std::vector<std::size_t> record_of_;  // of each slot
};

/// The frame of the step at hand; whether it is that of the step before.
inline bool same_frame(std::span<float> kept, std::span<const float> next, bool& have) {
  const bool same = have && std::memcmp(kept.data(), next.data(), next.size_bytes()) == 0;
  if (!same) std::copy(next.begin(), next.end(), kept.begin());
  have = true;
  return same;
}

/// Usage error for a frame of another size.
inline void check_frame(std::size_t wanted, std::size_t given) {
  if (given != wanted) throw usage_error("a frame of this network has " + std::to_string(wanted) + " values, not " + std::to_string(given));
}
/// Usage error for a state of another size.
inline void check_state(std::size_t wanted, std::size_t given, int steps) {
  if (given != wanted || steps < 0)
    throw usage_error("the state of this network has " + std::to_string(wanted) + " values, not " + std::to_string(given));
}

/// A step of `session` (its Impl) for each of the frames of n values, after a reset.
template <class Impl>
Result run_frames(Impl& session, std::size_t n, std::span<const float> frames) {
  if (frames.empty() || frames.size() % n)
    throw usage_error("frames of " + std::to_string(n) + " values are needed, " + std::to_string(frames.size()) +
                      " values are no multiple of it");
  session.reset();
  for (std::size_t at = 0; at < frames.size(); at += n) session.step(frames.subspan(at, n));
  Result r{{session.output.begin(), session.output.end()}, 0};
  r.predicted = std::max_element(r.scores.begin(), r.scores.end()) - r.scores.begin();
  return r;
}

}  // namespace apical::runtime
