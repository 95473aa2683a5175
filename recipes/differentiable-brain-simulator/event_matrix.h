#pragma once
// The event operator of the card: a sparse matrix by source whose product reads the rows of sources that fire, and its gradients.
#include <cstdint>
#include <span>
#include <vector>

#include "apical/brain/synapse_lists.h"
#include "apical/kernels/circuit/deliver.h"

namespace apical::simulator {

/// A random matrix that is never kept: `synapses` targets of each source, weights from `weight`. What draws it is what the engine has for
/// procedural connections.
inline brain::Connection random_matrix(std::uint32_t sources, std::uint32_t targets, std::uint64_t synapses, const brain::Value& weight) {
  brain::Connection c;
  c.from = {0, 0, sources}, c.to = {1, 0, targets};
  c.rule = brain::Rule::fixed_outdegree(synapses);
  c.synapses.weight = weight, c.synapses.procedural = true;
  return c;
}
/// visit(source, target, weight) of some sources' synapses whose targets lie in [begin, end), begin a multiple of 64.
template <class Visit>
void each_entry(const brain::Connection& c, std::uint64_t seed, std::uint32_t begin, std::uint32_t end, brain::Sources only, Visit visit) {
  brain::SynapseLists<double>::draw(
      c, {.dt = 1, .seed = seed}, begin, end, 2,
      [&](std::uint32_t source, std::uint32_t target, std::int64_t, double weight, bool mine) {
        if (mine) visit(source, target, weight);
      },
      only);
}

/// y_j = sum over i, k of x_i w_k, k the synapses of source i that end on j. The lists are the circuits' own (kernels/circuit/deliver.h).
template <class T>
class EventMatrix {
 public:
  using Synapse = kernels::Synapse<T>;

  EventMatrix(const brain::Connection& c, std::uint64_t seed) : targets_(c.to.size) {
    while ((std::size_t{1} << shift_) < targets_) ++shift_;
    const auto begin_lists = [&](std::size_t n) {  // so that n have begun, and all before the last are ended
      for (; first_.size() < n; first_.push_back(synapses_.size()))
        if (!first_.empty()) synapses_.push_back({0, kernels::kListEnd});
    };
    each_entry(c, seed, 0, c.to.size, {}, [&](std::uint32_t source, std::uint32_t target, double weight) {
      begin_lists(source + std::size_t{1});
      synapses_.push_back({static_cast<T>(weight), std::uint32_t{1} << shift_ | target});
    });
    begin_lists(c.from.size + std::size_t{1});
    synapses_.resize(synapses_.size() + kernels::kListMargin);
  }

  std::size_t sources() const noexcept { return first_.size() - 1; }
  std::size_t targets() const noexcept { return targets_; }
  std::size_t size() const noexcept { return first_.back() - sources(); }  ///< synapses
  std::size_t places() const noexcept { return synapses_.size(); }         ///< of weight_gradient
  std::span<Synapse> list(std::size_t i) noexcept { return {synapses_.data() + first_[i], synapses_.data() + first_[i + 1] - 1}; }
  std::span<const Synapse> list(std::size_t i) const noexcept {
    return {synapses_.data() + first_[i], synapses_.data() + first_[i + 1] - 1};
  }
  std::size_t place(std::size_t i, std::size_t k) const noexcept { return first_[i] + k; }
  std::uint32_t target(const Synapse& s) const noexcept { return s.at & ((std::uint32_t{1} << shift_) - 1); }

  /// y += of spikes: x is 1 at these sources and 0 elsewhere.
  void product(std::span<const std::uint32_t> spikes, T* y) {
    flight_.clear();
    for (const auto i : spikes) flight_.push_back({synapses_.data() + first_[i], 0});
    for (auto& spike : flight_) spike.at = spike.next->at;
    kernels::deliver(flight_.data(), flight_.size(), 1, shift_, y);
  }
  /// y += of graded events; zeros are skipped.
  void product(std::span<const T> x, T* y) const {
    for (std::size_t i = 0; i < sources(); ++i)
      if (x[i] != 0)
        for (const Synapse& s : list(i)) y[target(s)] += x[i] * s.weight;
  }
  /// dw_k += x_i dy_j, at place(i, k) of dw: only the sources that fire have any.
  void weight_gradient(std::span<const T> x, std::span<const T> dy, T* dw) const {
    for (std::size_t i = 0; i < sources(); ++i)
      if (x[i] != 0)
        for (std::size_t k = 0; k < list(i).size(); ++k) dw[place(i, k)] += x[i] * dy[target(list(i)[k])];
  }
  /// dx_i += sum over k of w_k dy_j.
  void input_gradient(std::span<const T> dy, T* dx) const {
    for (std::size_t i = 0; i < sources(); ++i)
      for (const Synapse& s : list(i)) dx[i] += s.weight * dy[target(s)];
  }

 private:
  std::size_t targets_;
  int shift_ = 0;
  std::vector<Synapse> synapses_;
  std::vector<std::size_t> first_;
  std::vector<kernels::SpikeInFlight<T>> flight_;
};

/// The largest difference of the gradients from central differences of a loss sum of y_j^3 / 3, relative to the largest derivative: weights
/// and inputs, half of which are 0.
double gradient_difference(std::uint64_t seed);

}  // namespace apical::simulator
