#pragma once
// The synapses that end on one thread's neurons: for each source of the network a list sorted by delay (kernels/circuit/deliver.h).
#include <algorithm>
#include <limits>

#include "apical/base/error.h"
#include "apical/base/huge_array.h"
#include "apical/base/text.h"
#include "apical/brain/circuit.h"
#include "apical/kernels/circuit/deliver.h"

namespace apical::brain {

/// Which neurons of a group a thread owns, and where their ports are in its row.
struct Slice {
  std::uint32_t begin, end;  ///< begin a multiple of 64
  std::size_t row[4];        ///< of the ports in use, one after the other
  std::uint32_t padded() const noexcept { return (end - begin + 63) / 64 * 64; }
};

template <class T>
class SynapseLists {
 public:
  using Synapse = kernels::Synapse<T>;

  /// Draws those of some connections, whose sources are first_source and those after it. Twice: to count, and to fill what was counted for,
  /// so that nothing is held but the result.
  void build(const Circuit& circuit, const std::vector<const Connection*>& connections, std::uint32_t first_source, std::uint32_t sources,
             const std::vector<Slice>& slices, std::size_t row_size) {
    while ((std::size_t{1} << shift_) < row_size) ++shift_;
    base_ = first_source;
    first_.assign(sources + std::size_t{1}, 0);
    for (const Connection* c : connections)
      each(
          *c, slices, circuit.options.seed, [](std::uint32_t) {},
          [&](std::uint32_t source, std::uint32_t, bool mine) { first_[source - base_] += mine; });
    std::uint64_t at = 0;
    for (auto& f : first_) {
      const std::uint64_t count = f;
      f = at;
      at += count + 1;  // one that ends the list
    }
    count_ = at - first_.size();
    synapses_.resize(at + kernels::kListMargin);
    for (const Connection* c : connections) fill(circuit, *c, slices);
    for (std::size_t s = 0; s < first_.size(); ++s) synapses_.data()[first_[s]] = {0, kernels::kListEnd};
    for (std::size_t s = first_.size(); s-- > 1;) first_[s] = first_[s - 1] + 1;
    first_[0] = 0;
    if (min_delay_ < max_delay_)
      sort();
    else
      for (std::size_t s = 0; s + 1 < first_.size(); ++s) pieces_ += first_[s + 1] - first_[s] > 1;
  }

  const Synapse* list(std::uint32_t source) const noexcept { return synapses_.data() + first_[source - base_]; }
  Synapse* list(std::uint32_t source) noexcept { return synapses_.data() + first_[source - base_]; }
  std::uint64_t size(std::uint32_t source) const noexcept { return first_[source - base_ + 1] - first_[source - base_] - 1; }
  std::uint64_t size() const noexcept { return count_; }
  /// list() may not be called any more.
  void keep_sizes() noexcept { synapses_ = {}; }
  std::int64_t min_delay() const noexcept { return min_delay_; }  ///< steps; of no synapse: beyond max_delay()
  std::int64_t max_delay() const noexcept { return max_delay_; }
  int shift() const noexcept { return shift_; }
  /// Of lists: the synapses of one source and one delay are a piece.
  std::uint64_t pieces() const noexcept { return pieces_; }

  /// Whether all synapses have the same delay because nothing else was asked for.
  static bool one_delay(const Connection& c) noexcept {
    return c.synapses.delay.constant() && !(c.edges && !c.edges->delay.empty()) && !c.synapses.delay_by_distance;
  }
  /// Calls visit(source, target, delay in steps, weight, mine) as each_synapse() does. Usage error: a delay below the step or above
  /// most_delay, a weight that a rule cannot have.
  template <class Visit>
  static void draw(const Connection& c, const Options& options, std::uint32_t begin, std::uint32_t end, std::int64_t most_delay,
                   Visit visit, Sources only = {}) {
    Draws weights(options.seed, c.stream + 1), delays(options.seed, c.stream + 2);
    const double most_weight = c.plasticity.most();
    const Edges* edges = c.edges.get();  // those of a table come in its order
    std::uint64_t edge = edges ? edges->first[std::clamp(begin, c.to.begin, c.to.begin + c.to.size) - c.to.begin] : 0;
    const bool listed_weights = edges && !edges->weight.empty(), listed_delays = edges && !edges->delay.empty(), fixed = one_delay(c);
    std::int64_t delay = fixed ? steps(c.synapses.delay.a, options.dt, most_delay) : 0;
    each_synapse(
        c, begin, end, options.seed, [&](std::uint32_t row) { weights.start(row), delays.start(row); },
        [&](std::uint32_t source, std::uint32_t target, bool mine) {
          const auto at = [&](const Kernel& k) { return k(c.space->distance(source - c.first_source, target - c.to.begin)); };
          const double weight = listed_weights                  ? edges->weight[edge]
                                : c.synapses.weight_by_distance ? at(*c.synapses.weight_by_distance)
                                                                : weights.draw(c.synapses.weight);
          if (!fixed)
            delay = steps(listed_delays                  ? edges->delay[edge]
                          : c.synapses.delay_by_distance ? at(*c.synapses.delay_by_distance)
                                                         : delays.draw(c.synapses.delay),
                          options.dt, most_delay);
          ++edge;
          if (most_weight > 0 && !(weight >= 0 && weight <= most_weight))
            throw usage_error("a weight that learns must be 0 to Wmax", number(weight), "Bound what it is drawn from: redrawn(0, Wmax).");
          visit(source, target, delay, weight, mine);
        },
        only);
  }

  /// Steps.
  static std::int64_t most_delay(int shift) noexcept { return (std::int64_t{1} << (32 - shift)) - 2; }
  static Synapse entry(const Circuit& circuit, const Connection& c, const Slice& slice, int shift, std::uint32_t target, std::int64_t delay,
                       double weight) noexcept {
    const std::size_t port = circuit.groups[c.to.index].model.port(c.to.receptor, weight);
    const std::size_t place = slice.row[port] + (target - slice.begin);
    return {static_cast<T>(weight), static_cast<std::uint32_t>(delay << shift | static_cast<std::int64_t>(place))};
  }

 private:
  template <class Unit, class Visit>
  static void each(const Connection& c, const std::vector<Slice>& slices, std::uint64_t seed, Unit unit, Visit visit) {
    each_synapse(c, slices[c.to.index].begin, slices[c.to.index].end, seed, unit, visit);
  }

  void fill(const Circuit& circuit, const Connection& c, const std::vector<Slice>& slices) {
    const Slice& slice = slices[c.to.index];
    draw(c, circuit.options, slice.begin, slice.end, most_delay(shift_),
         [&](std::uint32_t source, std::uint32_t target, std::int64_t delay, double weight, bool mine) {
           if (!mine) return;
           min_delay_ = std::min(min_delay_, delay), max_delay_ = std::max(max_delay_, delay);
           synapses_.data()[first_[source - base_]++] = entry(circuit, c, slice, shift_, target, delay, weight);
         });
  }

  static std::int64_t steps(double ms, double dt, std::int64_t most) {
    const double s = ms / dt + 0.5;  // of which the whole part counts
    if (s < 1)
      throw usage_error("a delay is below the step", number(ms) + " ms, step " + number(dt) + " ms",
                        "Bound what it is drawn from: redrawn(dt, ...).");
    if (s > static_cast<double>(most))
      throw usage_error("a delay is too long", number(ms) + " ms, at most " + number(static_cast<double>(most) * dt) + " ms");
    return static_cast<std::int64_t>(s);
  }

  // Counting sort of each list by delay (of few synapses among many delays: by comparisons). It keeps the order of equals: by connection,
  // then as drawn, which no number of threads changes.
  void sort() {
    std::vector<std::uint32_t> starts(static_cast<std::size_t>(max_delay_) + 2);
    std::vector<Synapse> sorted;
    for (std::size_t s = 0; s + 1 < first_.size(); ++s) {
      Synapse* list = synapses_.data() + first_[s];
      const std::size_t n = first_[s + 1] - first_[s] - 1;
      if (n < 2) {
        pieces_ += n;
        continue;
      }
      if (starts.size() / 16 > n) {
        std::stable_sort(list, list + n, [this](const Synapse& a, const Synapse& b) { return a.at >> shift_ < b.at >> shift_; });
        ++pieces_;
        for (std::size_t i = 1; i < n; ++i) pieces_ += list[i].at >> shift_ != list[i - 1].at >> shift_;
        continue;
      }
      std::fill(starts.begin(), starts.end(), 0);
      for (std::size_t i = 0; i < n; ++i) ++starts[(list[i].at >> shift_) + 1];
      for (std::size_t d = 1; d < starts.size(); ++d) pieces_ += starts[d] > 0, starts[d] += starts[d - 1];
      sorted.resize(std::max(sorted.size(), n));
      for (std::size_t i = 0; i < n; ++i) sorted[starts[list[i].at >> shift_]++] = list[i];
      std::copy(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(n), list);
    }
  }

  HugeArray<Synapse> synapses_;
  std::vector<std::uint64_t> first_;  // of each source, and of one past the last
  std::uint64_t count_ = 0, pieces_ = 0;
  std::uint32_t base_ = 0;
  int shift_ = 0;
  std::int64_t min_delay_ = std::numeric_limits<std::int64_t>::max(), max_delay_ = 0;
};

}  // namespace apical::brain
