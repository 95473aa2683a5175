#pragma once
// The synapses of one projection that learn and end on one thread's neurons, with the traces of its sources and of these targets
// (kernels/circuit/plasticity.h). Private to the room.
#include <memory>

#include "apical/brain/synapse_lists.h"

namespace apical::brain {

template <class T>
class LearningLists {
 public:
  using Synapse = kernels::Synapse<T>;
  LearningLists(const Circuit& circuit, const Connection& c, const std::vector<Slice>& slices, std::size_t row_size)
      : dt_(circuit.options.dt), c_(c), slice_(slices[c.to.index]) {
    lists_.build(circuit, {&c}, c.first_source, c.from.size, slices, row_size);
  }
  virtual ~LearningLists() = default;
  LearningLists(const LearningLists&) = delete;

  const SynapseLists<T>& lists() const noexcept { return lists_; }
  Synapse* list(std::uint32_t source) noexcept { return lists_.list(source); }
  /// Synapses that a spike of this neuron of the network passes.
  std::uint64_t passed(std::uint32_t source) const noexcept { return has(source) ? lists_.size(source) : 0; }
  bool has(std::uint32_t source) const noexcept { return source - c_.first_source < c_.from.size; }

  /// longest: of all delays of the network; a batch has at most 256 steps.
  virtual void prepare(std::int64_t longest) = 0;
  virtual void begin_step(std::int64_t step) = 0;
  virtual void send(std::int64_t step, std::uint32_t source) = 0;
  virtual void end_step(std::int64_t step) = 0;
  /// Brings the weights up to date that arrive in this step, before deliver() adds them.
  virtual void learn(std::int64_t step) = 0;
  virtual void deliver(std::int64_t step, T* row) = 0;
  /// Spikes of the targets' population in this step.
  virtual void post(std::int64_t step, const std::uint64_t* bits) = 0;
  /// Brings the synapses of sources up to date whose trace has vanished, so that spikes of targets can be forgotten: when is the same.
  virtual void settle(std::int64_t step) = 0;
  std::int64_t settle_every() const noexcept { return settle_every_; }

  /// Synapses of a source by target, then delay, then as drawn.
  std::vector<Synapse*> ordered(std::uint32_t source) {
    std::vector<Synapse*> all(lists_.size(source));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = lists_.list(source) + i;
    const auto before = [&](const Synapse* a, const Synapse* b) { return target(*a) < target(*b); };
    if (!std::is_sorted(all.begin(), all.end(), before)) std::stable_sort(all.begin(), all.end(), before);
    return all;
  }
  std::uint32_t target(const Synapse& s) const noexcept {  // in its population
    const std::size_t place = s.at & ((std::uint32_t{1} << lists_.shift()) - 1);
    return slice_.begin + static_cast<std::uint32_t>((place - slice_.row[0]) % slice_.padded());
  }
  std::uint32_t delay(const Synapse& s) const noexcept { return s.at >> lists_.shift(); }
  /// Weights of synapses of a source at the end of step - 1.
  virtual std::vector<double> now(std::uint32_t source, const std::vector<Synapse*>& synapses, std::int64_t step) const = 0;

  /// Where the eligibility trace of a synapse is; null: its rule has none.
  virtual T* eligibility(const Synapse& synapse) noexcept = 0;

  virtual void get_sources(LearnedState& state, std::int64_t step) const = 0;
  virtual void get_targets(LearnedState& state) const = 0;
  virtual void set(const LearnedState& state, std::int64_t step, const std::vector<PastSpike>& past) = 0;

 protected:
  double dt_;
  Connection c_;
  Slice slice_;
  SynapseLists<T> lists_;
  std::int64_t longest_ = 1, settle_every_ = std::numeric_limits<std::int64_t>::max();
};

/// Draws the synapses of one projection. Null: they do not change, and are in the thread's common lists. T: float, double.
template <class T>
std::unique_ptr<LearningLists<T>> make_learning_lists(const Circuit& circuit, const Connection& c, const std::vector<Slice>& slices,
                                                      std::size_t row_size);

}  // namespace apical::brain
