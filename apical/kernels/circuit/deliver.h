#pragma once
// What a spike does at its targets. A thread owns some targets; for these every source has a list of synapses, sorted by delay. A row
// holds one number for each port of each target: what arrives in one step. There are three ways, with the same sums in the same order:
//   deliver        a spike walks through its list as time passes, one piece (the synapses of one delay) a step, so that only one row is
//                  written at a time, and that stays in the first level caches;
//   deliver_whole  where the rows of all delays stay in the second level cache, a spike adds its list to all of them when it is fired: it
//                  need not be looked at in every step, which pieces of few synapses do not pay for;
//   deliver_blocks the same where a source's synapses weigh the same and the rows are small: lists are blocks of 16-bit places, a quarter
//                  of the bytes, and no loop ends within a list.
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace apical::kernels {

/// `at`: delay in steps << shift | place in the row. Lists end with one whose `at` is kListEnd.
template <class T>
struct Synapse {
  T weight;
  std::uint32_t at;
};
static_assert(sizeof(Synapse<float>) == 8);
inline constexpr std::uint32_t kListEnd = ~std::uint32_t{0};
inline constexpr std::size_t kListMargin = 12;  ///< synapses that can be read behind the end of any list

/// A spike on its way: the synapses it has not reached yet.
template <class T>
struct SpikeInFlight {
  const Synapse<T>* next;
  std::uint32_t at;  ///< next->at
};

inline constexpr std::size_t kFetched = 2048, kFetchedNear = 512;  ///< bytes

/// Asks for so many synapses of a list, up to kFetched bytes, that is about to be read: lists of few synapses are read faster than
/// their lines would come one after the other. Those of up to kFetchedNear come to the first level cache; more would be waited for there.
template <class T>
void fetch_ahead(const Synapse<T>* list, std::size_t synapses) noexcept {
  const char* at = reinterpret_cast<const char*>(list);
  const std::size_t bytes = std::min<std::size_t>(synapses * sizeof(Synapse<T>), kFetched);
  if (bytes <= kFetchedNear)
    for (std::size_t k = 0; k < bytes; k += 64) __builtin_prefetch(at + k, 0, 3);
  else
    for (std::size_t k = 0; k < bytes; k += 64) __builtin_prefetch(at + k, 0, 2);
}

/// What a synapse adds where nothing else decides.
struct ItsWeight {
  template <class T, class Spike>
  T operator()(const Synapse<T>& s, const Spike&) const noexcept {
    return s.weight;
  }
};

/// Adds what arrives after `delay` steps of each of `count` spikes, in their order, and moves them on. Spike: SpikeInFlight, or one that
/// has more; amount(synapse, spike) is added.
template <class T, class Spike, class Amount = ItsWeight>
void deliver(Spike* spikes, std::size_t count, std::uint32_t delay, int shift, T* row, Amount amount = {}) noexcept {
  constexpr std::size_t kAhead = 2, kLine = 64 / sizeof(Synapse<T>);
  const std::uint32_t first = delay << shift, size = std::uint32_t{1} << shift;
  const auto fetch = [](const char* at) { __builtin_prefetch(at, 0, 2); };  // to the second level: the first one is the row's
  for (std::size_t i = 0; i < count; ++i) {
    Spike& spike = spikes[i];
    // Lists lie anywhere in memory: with each line of this one the same line of a later one is asked for.
    const char* ahead = reinterpret_cast<const char*>(spikes[i + kAhead < count ? i + kAhead : i].next);
    fetch(ahead);
    if (spike.at - first >= size) continue;
    auto s = spike.next;
    for (bool more = true; more;) {
      fetch(ahead += 64);
#pragma GCC unroll 8
      for (std::size_t k = 0; k < kLine; ++k, ++s) {
        const std::uint32_t place = s->at - first;
        if (place >= size) {
          more = false;
          break;
        }
        row[place] = row[place] + amount(*s, spike);
      }
    }
    spike.next = s, spike.at = s->at;
  }
}

/// A spike that has just been fired, with its whole list.
template <class T>
struct FreshSpike {
  const Synapse<T>* list;
  std::size_t size;
};

/// Adds all synapses of `count` spikes of one step, in their order, to a ring of rows of 1 << shift numbers; fetch_ahead() has asked for
/// the first ones. from: slot of that step << shift; mask: of places in the ring, (slots << shift) - 1, slots a power of two.
template <class T>
void deliver_whole(const FreshSpike<T>* spikes, std::size_t count, std::uint32_t from, std::uint32_t mask, T* ring) noexcept {
  constexpr std::size_t kLine = 64 / sizeof(Synapse<T>);
  const auto add = [&](const Synapse<T>& s) {
    T& sum = ring[(s.at + from) & mask];
    sum = sum + s.weight;
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Synapse<T>* s = spikes[i].list;
    const Synapse<T>* const end = s + spikes[i].size;
    for (; end - s >= static_cast<std::ptrdiff_t>(kLine); s += kLine) {
      __builtin_prefetch(reinterpret_cast<const char*>(s) + kFetched, 0, 2);
#pragma GCC unroll 8
      for (std::size_t k = 0; k < kLine; ++k) add(s[k]);
    }
    for (; s != end; ++s) add(*s);
  }
}

inline constexpr std::uint32_t kBlock = 8;  ///< synapses
inline constexpr std::size_t kBlockPlaces = std::size_t{1} << 16;

/// Eight synapses of one source: places [8 * index, 8 * index + 8) of an array.
template <class T>
struct Block {
  std::uint32_t index;
  T weight;
};

/// Adds `count` blocks of spikes of one step, in their order, to a ring as deliver_whole() does. places: delay << shift | place in the row.
/// Where a list is no multiple of 8 long its last places are ones that nobody reads, eight different ones: additions to the same place
/// would wait for each other.
template <class T>
void deliver_blocks(const Block<T>* blocks, std::size_t count, const std::uint16_t* places, std::uint32_t from, std::uint32_t mask,
                    T* ring) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t* at = places + std::size_t{kBlock} * blocks[i].index;
    const T weight = blocks[i].weight;
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kBlock; ++k) {
      T& sum = ring[(at[k] + from) & mask];
      sum = sum + weight;
    }
  }
}

}  // namespace apical::kernels
