// each_synapse of connect.h.
#include <algorithm>
#include <cmath>

namespace apical::brain {

// Marks who was drawn already, and forgets it at little cost.
class Drawn {
 public:
  explicit Drawn(std::size_t n) : marked_(n) {}
  bool add(std::uint32_t i) {
    if (marked_[i]) return false;
    marked_[i] = true;
    list_.push_back(i);
    return true;
  }
  void clear() {
    for (const auto i : list_) marked_[i] = false;
    list_.clear();
  }

 private:
  std::vector<bool> marked_;
  std::vector<std::uint32_t> list_;
};

template <class Unit, class Visit>
void each_synapse(const Connection& c, std::uint32_t begin, std::uint32_t end, std::uint64_t seed, Unit unit, Visit synapse) {
  const std::uint32_t from = c.from.size, first = std::max(begin, c.to.begin), last = std::min(end, c.to.begin + c.to.size);
  if (first >= last) return;
  const bool same = c.from.index == c.to.index, autapses = c.rule.options.allow_autapses || !same,
             multapses = c.rule.options.allow_multapses;
  const auto self = [&](std::uint32_t s, std::uint32_t t) {
    return !autapses && c.from.begin + s == t;
  };  // s among from, t in its population
  Draws draws(seed, c.stream);
  Drawn drawn(multapses ? 0 : std::max(from, c.to.size));
  switch (c.rule.kind) {
    case Rule::Kind::one_to_one:
      for (std::uint32_t t = first; t < last; ++t) unit(t - c.to.begin), synapse(c.first_source + (t - c.to.begin), t, true);
      return;
    case Rule::Kind::all_to_all:
      for (std::uint32_t t = first; t < last; ++t) {
        unit(t - c.to.begin);
        for (std::uint32_t s = 0; s < from; ++s)
          if (!self(s, t)) synapse(c.first_source + s, t, true);
      }
      return;
    case Rule::Kind::fixed_indegree:
      for (std::uint32_t t = first; t < last; ++t) {
        unit(t - c.to.begin);
        draws.start(t - c.to.begin);
        for (std::uint64_t k = 0; k < c.rule.number; ++k) {
          std::uint32_t s;
          do s = draws.below(from);
          while (self(s, t) || (!multapses && !drawn.add(s)));
          synapse(c.first_source + s, t, true);
        }
        drawn.clear();
      }
      return;
    case Rule::Kind::fixed_outdegree:
      for (std::uint32_t s = 0; s < from; ++s) {
        unit(s);
        draws.start(s);
        for (std::uint64_t k = 0; k < c.rule.number; ++k) {
          std::uint32_t t;
          do t = draws.below(c.to.size);
          while (self(s, c.to.begin + t) || (!multapses && !drawn.add(t)));
          t += c.to.begin;
          synapse(c.first_source + s, t, t >= first && t < last);
        }
        drawn.clear();
      }
      return;
    case Rule::Kind::fixed_total_number:
      for (std::uint32_t block = first / 64; block * 64 < last; ++block) {
        const std::uint32_t row = block - c.to.begin / 64, low = std::max(block * 64, c.to.begin);
        const std::uint32_t size = std::min(block * 64 + 64, c.to.begin + c.to.size) - low;
        unit(row);
        draws.start(row);
        for (std::uint32_t k = 0; k < c.block_totals[row]; ++k) {
          std::uint32_t s, t;
          do t = low + draws.below(size), s = draws.below(from);
          while (self(s, t));
          synapse(c.first_source + s, t, true);
        }
      }
      return;
    case Rule::Kind::pairwise_bernoulli: {
      if (c.rule.p == 0) return;
      const double scale = c.rule.p < 1 ? 1 / std::log1p(-c.rule.p) : 0;  // gaps between partners are geometric
      for (std::uint32_t t = first; t < last; ++t) {
        unit(t - c.to.begin);
        draws.start(t - c.to.begin);
        for (double s = 0;; s += 1) {
          s += std::floor(std::log(1 - draws.uniform()) * scale);
          if (s >= from) break;
          if (!self(static_cast<std::uint32_t>(s), t)) synapse(c.first_source + static_cast<std::uint32_t>(s), t, true);
        }
      }
      return;
    }
  }
}

}  // namespace apical::brain
