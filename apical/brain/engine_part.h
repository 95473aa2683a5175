#pragma once
// What one thread of the engine owns: slices of all populations, the synapses that end there, and what is on its way to them. Private to
// the room.
#include <memory>
#include <vector>

#include "apical/brain/block_lists.h"
#include "apical/brain/learning_lists.h"
#include "apical/brain/procedural_lists.h"
#include "apical/brain/signals.h"

namespace apical::brain {

// What a thread writes in every step lies on cache lines of its own, or the others would wait for them.
template <class T>
struct alignas(128) Part {
  std::vector<Slice> slices;  // of each group
  // Of its neurons while a run lasts; between runs they are the groups'. A processor fetches lines ahead: beyond a slice of common arrays
  // it would take those of another thread.
  struct Place {
    std::size_t state, wakes;
  };
  std::vector<Place> places;  // of each group
  Lines<double> state;        // [model.states, slice.padded()] of each group
  Lines<std::int32_t> wakes;  // [slice.padded()], counted from the run's first step
  std::size_t row_size = 0, slots = 1;                      // its last places, from spare() on, are nobody's
  HugeArray<T> rows;                                        // one of row_size; whole: a slot of 1 << lists.shift() for each step under way
  bool whole = false;                                       // spikes are delivered when they are fired
  SynapseLists<T> lists;                                    // of all connections that do not learn
  BlockLists<T> blocks;                                     // not empty: the same, and `lists` has their sizes alone
  std::vector<std::unique_ptr<LearningLists<T>>> learning;  // of each connection; null: it does not
  std::vector<ProceduralLists<T>> procedural;               // of each connection that is
  std::vector<Signals> signals;
  Lines<std::vector<std::uint32_t>> sent;                   // of each step under way (a slot): sources of its spikes, in order
  Lines<std::vector<kernels::SpikeInFlight<T>>> flight;     // of each slot
  Lines<std::vector<kernels::Synapse<T>>> grown;            // of each slot: lists for them, where connections are procedural
  std::vector<kernels::FreshSpike<T>> fresh;                // of the step that is delivered whole; of blocks:
  std::vector<kernels::Block<T>> fresh_blocks;              // the first block_count of them
  std::size_t block_count = 0;
  std::vector<Lines<double>> current;                       // of each group [receptors, neurons]; empty: no device
  std::vector<kernels::NeuronArrays<T>> arrays;             // of each group: those that stay where they are while a run lasts
  struct Drawn {
    std::int64_t interval = -1;
    std::vector<double> values;  // of each neuron of the slice
  };
  std::vector<Drawn> noise;          // of each current device, as of its present interval
  std::vector<std::uint32_t> words;  // random ones of a step
  Lines<double> chances;
  double update = 0, learning_time = 0, delivery = 0;
  std::uint64_t events = 0;
  std::int64_t strange_step = -1;  // the first in which a membrane of strange_group was no number
  std::size_t strange_group = 0;

  std::uint32_t slot_of(std::int64_t step) const noexcept {
    return static_cast<std::uint32_t>((static_cast<std::size_t>(step) & (slots - 1)) << lists.shift());
  }
  std::uint32_t mask() const noexcept { return static_cast<std::uint32_t>((slots << lists.shift()) - 1); }
  T* row(std::int64_t step) noexcept { return rows.data() + slot_of(step); }
  double* states(std::size_t group, int k) noexcept {
    return state.data() + places[group].state + static_cast<std::size_t>(k) * slices[group].padded();
  }
  std::int32_t* waking(std::size_t group) noexcept { return wakes.data() + places[group].wakes; }
  std::size_t spare() const noexcept { return row_size - kernels::kBlock; }

  // A spike that is delivered whole.
  void fire(std::uint32_t source) {
    if (!blocks.empty()) {
      block_count = blocks.append(source, block_count, fresh_blocks);
    } else {
      fresh.push_back({lists.list(source), lists.size(source)});
      kernels::fetch_ahead(fresh.back().list, fresh.back().size);
    }
  }
  // Those of a step, as they were fired.
  void deliver_fired(std::int64_t step) noexcept {
    if (!blocks.empty())
      kernels::deliver_blocks(fresh_blocks.data(), block_count, blocks.places(), slot_of(step), mask(), rows.data());
    else
      kernels::deliver_whole(fresh.data(), fresh.size(), slot_of(step), mask(), rows.data());
    fresh.clear(), block_count = 0;
  }
  // Of one of an earlier step what arrives from `now` on.
  void deliver_rest(std::uint32_t source, std::int64_t step, std::int64_t now) noexcept {
    const auto add = [&](std::uint32_t at, T weight) {
      if (step + (at >> lists.shift()) >= now) rows.data()[(at + slot_of(step)) & mask()] += weight;
    };
    if (!blocks.empty()) return blocks.each(source, add);
    const auto* list = lists.list(source);
    for (std::size_t k = 0; k < lists.size(source); ++k) add(list[k].at, list[k].weight);
  }
  // What of a list has not arrived before `now`.
  const kernels::Synapse<T>* arrived(const kernels::Synapse<T>* list, std::int64_t step, std::int64_t now) const noexcept {
    while (list->at != kernels::kListEnd && step + (list->at >> lists.shift()) < now) ++list;
    return list;
  }
};

}  // namespace apical::brain
