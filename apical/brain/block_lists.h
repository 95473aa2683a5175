#pragma once
// One thread's synapses in a quarter of the bytes, where each source has one weight and the rows of all delays are few: 16-bit places in
// blocks (kernels/circuit/deliver.h). Most published circuits of a few thousand neurons are so.
#include <vector>

#include "apical/brain/synapse_lists.h"

namespace apical::brain {

template <class T>
class BlockLists {
 public:
  using Block = kernels::Block<T>;
  static constexpr std::uint32_t kBlock = kernels::kBlock;

  /// Takes over lists of `sources`, whose rows have kBlock places from `spare` on that nobody reads. False, and nothing is done, where a
  /// source has synapses of different weights or a place needs more than 16 bits.
  bool take(const SynapseLists<T>& lists, std::uint32_t sources, std::size_t spare) {
    std::uint64_t blocks = 0;
    for (std::uint32_t s = 0; s < sources; ++s) {
      const auto* list = lists.list(s);
      const std::size_t n = lists.size(s);
      for (std::size_t k = 0; k < n; ++k)
        if (list[k].weight != list[0].weight || list[k].at >= kernels::kBlockPlaces) return false;
      blocks += (n + kBlock - 1) / kBlock;
    }
    if (blocks > ~std::uint32_t{0} - kBlock) return false;
    places_.resize(kBlock * blocks), first_.reserve(sources + std::size_t{1});
    std::uint16_t* to = places_.data();
    for (std::uint32_t s = 0; s < sources; ++s) {
      const auto* list = lists.list(s);
      const std::size_t n = lists.size(s);
      first_.push_back(static_cast<std::uint32_t>((to - places_.data()) / kBlock)), weight_.push_back(list[0].weight);
      for (std::size_t k = 0; k < n; ++k) *to++ = static_cast<std::uint16_t>(list[k].at);
      for (std::size_t k = n; k % kBlock; ++k) *to++ = static_cast<std::uint16_t>(spare + k % kBlock);
    }
    first_.push_back(static_cast<std::uint32_t>(blocks));
    return true;
  }
  bool empty() const noexcept { return first_.empty(); }
  const std::uint16_t* places() const noexcept { return places_.data(); }

  /// Puts the blocks of a spike of `source` at out[count] and behind; how many there are then.
  std::size_t append(std::uint32_t source, std::size_t count, std::vector<Block>& out) const {
    const std::uint32_t first = first_[source], n = first_[source + 1] - first;
    if (out.size() < count + n + kBlock) out.resize(2 * (count + n + kBlock));
    const T weight = weight_[source];
    // Eight at a time, whether they are there or not: when a loop over few of them ends would be guessed wrong.
    for (std::uint32_t b = 0; b < n; b += kBlock)
      for (std::uint32_t k = 0; k < kBlock; ++k) out[count + b + k] = {first + b + k, weight};
    for (std::uint32_t b = 0; b < n; b += 64 / (kBlock * sizeof(std::uint16_t))) __builtin_prefetch(places() + kBlock * (first + b), 0, 3);
    return count + n;
  }

  /// visit(delay << shift | place, weight) of each synapse and of the spare places behind, whose delay is 0.
  template <class Visit>
  void each(std::uint32_t source, Visit visit) const {
    for (std::size_t k = std::size_t{kBlock} * first_[source]; k < std::size_t{kBlock} * first_[source + 1]; ++k)
      visit(places_[k], weight_[source]);
  }

 private:
  HugeArray<std::uint16_t> places_;
  std::vector<std::uint32_t> first_;  // block of each source, and of one past the last
  std::vector<T> weight_;             // of each source
};

}  // namespace apical::brain
