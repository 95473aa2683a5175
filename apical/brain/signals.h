#pragma once
// Connections that pass on a variable of their sources (Model::signal) in every step, as a current. Private to the room.
#include <tuple>

#include "apical/brain/synapse_lists.h"

namespace apical::brain {

/// Those of one connection that end on one thread's neurons.
class Signals {
 public:
  Signals(const Circuit& circuit, const Connection& c, const Slice& slice) : connection(c) {
    // A target's sum is made in an order that does not depend on who owns it.
    SynapseLists<double>::draw(
        c, circuit.options, slice.begin, slice.end, kLongestDelay,
        [&](std::uint32_t source, std::uint32_t target, std::int64_t delay, double weight, bool mine) {
          if (!mine) return;
          all_.push_back({target - slice.begin, source - circuit.groups[c.from.index].first, static_cast<std::uint32_t>(delay), weight});
        });
    std::sort(all_.begin(), all_.end());
  }

  std::uint64_t size() const noexcept { return all_.size(); }
  std::int64_t min_delay() const noexcept {
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (const One& s : all_) least = std::min<std::int64_t>(least, s.delay);
    return least;
  }
  std::int64_t max_delay() const noexcept {
    std::int64_t most = 0;
    for (const One& s : all_) most = std::max<std::int64_t>(most, s.delay);
    return most;
  }
  /// What acts in `step`: sent at the end of step - delay - 1 (-1: at the start), as currents of devices are. current: of the targets from
  /// the thread's first on.
  void add(const Group& from, std::int64_t step, double* current) const noexcept {
    for (const One& s : all_)
      if (const std::int64_t sent = step - 1 - s.delay; sent >= -1) current[s.target] += s.weight * from.signal(sent)[s.source];
  }

  const Connection& connection;

 private:
  static constexpr std::int64_t kLongestDelay = 1 << 20;  // steps; so many values of each source are kept
  struct One {
    std::uint32_t target, source, delay;  // in the slice; in its population; steps
    double weight;
    bool operator<(const One& o) const noexcept {
      return std::tie(target, source, delay, weight) < std::tie(o.target, o.source, o.delay, o.weight);
    }
  };
  std::vector<One> all_;
};

}  // namespace apical::brain
