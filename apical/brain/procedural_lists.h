#pragma once
// Synapses that are not kept: those of one connection that end on one thread's neurons, drawn anew for each spike. Draws are functions of
// seed, connection and source, so they come out the same each time (Knight, Nowotny, Nat. Comput. Sci. 1 (2021) 136).
#include "apical/brain/synapse_lists.h"

namespace apical::brain {

template <class T>
class ProceduralLists {
 public:
  using Synapse = kernels::Synapse<T>;

  /// Draws all of them once, to count them and to know their delays. `shift`: as that of the thread's SynapseLists.
  ProceduralLists(const Circuit& circuit, const Connection& connection, const std::vector<Slice>& slices, int shift)
      : circuit_(circuit), c_(connection), slice_(slices[connection.to.index]), shift_(shift),
        at_once_(SynapseLists<T>::one_delay(connection)) {
    visit({}, [&](std::int64_t delay, const Synapse&) {
      ++count_;
      min_delay_ = std::min(min_delay_, delay), max_delay_ = std::max(max_delay_, delay);
    });
  }
  std::uint64_t size() const noexcept { return count_; }
  std::int64_t min_delay() const noexcept { return min_delay_; }
  std::int64_t max_delay() const noexcept { return max_delay_; }

  /// Whether all that a spike of it does arrives after `delay`: then it needs no list, see add().
  bool at_once(std::int64_t delay) const noexcept { return at_once_ && delay == max_delay_; }
  /// Adds what a spike of a source of the network does to the thread's row, if it is one of this connection; of how many synapses.
  /// Needs at_once().
  std::size_t add(std::uint32_t source, T* row) const {
    const std::uint32_t i = source - c_.first_source, places = (std::uint32_t{1} << shift_) - 1;
    std::size_t n = 0;
    if (i < c_.from.size) visit({i, i + 1}, [&](std::int64_t, const Synapse& s) { row[s.at & places] += s.weight, ++n; });
    return n;
  }
  /// Adds the list of a source of the network, sorted by delay and ended, if it is one of this connection that is not at_once(); how many
  /// synapses that are.
  std::size_t append(std::uint32_t source, std::vector<Synapse>& out) const {
    const std::uint32_t i = source - c_.first_source;
    if (at_once_ || i >= c_.from.size) return 0;
    const std::size_t begin = out.size();
    visit({i, i + 1}, [&](std::int64_t, const Synapse& s) { out.push_back(s); });
    const std::size_t n = out.size() - begin;
    if (min_delay_ != max_delay_)
      std::stable_sort(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(),
                       [this](const Synapse& a, const Synapse& b) { return a.at >> shift_ < b.at >> shift_; });
    out.push_back({0, kernels::kListEnd});
    return n;
  }

 private:
  template <class Visit>
  void visit(Sources only, Visit visit) const {
    SynapseLists<T>::draw(
        c_, circuit_.options, slice_.begin, slice_.end, SynapseLists<T>::most_delay(shift_),
        [&](std::uint32_t, std::uint32_t target, std::int64_t delay, double weight, bool mine) {
          if (mine) visit(delay, SynapseLists<T>::entry(circuit_, c_, slice_, shift_, target, delay, weight));
        },
        only);
  }

  const Circuit& circuit_;
  const Connection& c_;
  const Slice& slice_;
  int shift_;
  bool at_once_;
  std::uint64_t count_ = 0;
  std::int64_t min_delay_ = std::numeric_limits<std::int64_t>::max(), max_delay_ = 0;
};

}  // namespace apical::brain
