// each_synapse of connect.h.
#include <algorithm>
#include <cmath>

#include "apical/base/error.h"

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

// Visits each of 0 to n - 1 with probability p: gaps between those visited are geometric.
template <class Visit>
void each_by_chance(double p, std::uint32_t n, Draws& draws, Visit visit) {
  const double scale = p < 1 ? 1 / std::log1p(-p) : 0;
  for (double k = 0;; k += 1) {
    k += std::floor(std::log(1 - draws.uniform()) * scale);
    if (!(k < n)) break;
    visit(static_cast<std::uint32_t>(k));
  }
}

// Visits source of each pair that pairwise_bernoulli makes with a target near it. Cell by cell: partners come with the largest probability
// in the cell, and are kept with what theirs is of that.
template <class Visit>
void each_near(const Space& space, const Kernel& p, const Mask& mask, std::uint32_t target, Draws& draws, Visit visit) {
  space.each_cell(mask, target, [&](const std::uint32_t* sources, std::uint32_t n, double near, double far) {
    const double most = std::min(p.most(near, far), 1.0);
    if (!(most > 0)) return;
    each_by_chance(most, n, draws, [&](std::uint32_t k) {
      const std::uint32_t s = sources[k];
      if (!space.within(mask, s, target)) return;
      const double here = p(space.distance(s, target));
      if (here >= most || draws.uniform() * most < here) visit(s);
    });
  });
}

// Draws sources near a target, as likely as the kernel says.
class NearSources {
 public:
  NearSources(const Space& space, const Rule& rule) : space_(space), rule_(rule) {}
  template <class Self, class Visit>
  void draw(std::uint32_t target, Draws& draws, Self self, Visit visit) {
    sources_.clear(), likely_.clear();
    double sum = 0;
    space_.each_cell(rule_.mask, target, [&](const std::uint32_t* sources, std::uint32_t n, double, double) {
      for (std::uint32_t k = 0; k < n; ++k) {
        const double p = (*rule_.kernel)(space_.distance(sources[k], target));
        if (p > 0 && space_.within(rule_.mask, sources[k], target) && !self(sources[k]))
          sources_.push_back(sources[k]), likely_.push_back(rule_.options.allow_multapses ? sum += p : p);
      }
    });
    if (rule_.number > 0 && (sources_.empty() || (!rule_.options.allow_multapses && rule_.number > sources_.size())))
      throw usage_error("there are not " + std::to_string(rule_.number) + " sources near a target",
                        "target " + std::to_string(target) + ": " + std::to_string(sources_.size()),
                        "Ask for fewer, or widen mask or kernel.");
    if (rule_.options.allow_multapses) {
      for (std::uint64_t k = 0; k < rule_.number; ++k) {
        const auto i = std::upper_bound(likely_.begin(), likely_.end() - 1, draws.uniform() * sum) - likely_.begin();
        visit(sources_[static_cast<std::size_t>(i)]);
      }
      return;
    }
    // Those whose exponential waiting times of rate p are over first: the same as drawing one after the other without those drawn before
    // (Efraimidis, Spirakis, Inf. Process. Lett. 97 (2006) 181).
    order_.resize(sources_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = {-std::log(1 - draws.uniform()) / likely_[i], sources_[i]};
    std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(rule_.number), order_.end());
    for (std::uint64_t k = 0; k < rule_.number; ++k) visit(order_[k].second);
  }

 private:
  const Space& space_;
  const Rule& rule_;
  std::vector<std::uint32_t> sources_;
  std::vector<double> likely_;  // added up when partners may come again
  std::vector<std::pair<double, std::uint32_t>> order_;
};

template <class Unit, class Visit>
void each_synapse(const Connection& c, std::uint32_t begin, std::uint32_t end, std::uint64_t seed, Unit unit, Visit synapse, Sources only) {
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
      if (c.rule.kernel) {
        NearSources near(*c.space, c.rule);
        for (std::uint32_t t = first; t < last; ++t) {
          unit(t - c.to.begin);
          draws.start(t - c.to.begin);
          near.draw(
              t - c.to.begin, draws, [&](std::uint32_t s) { return self(s, t); },
              [&](std::uint32_t s) { synapse(c.first_source + s, t, true); });
        }
        return;
      }
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
      for (std::uint32_t s = only.begin; s < std::min(from, only.end); ++s) {
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
      if (c.rule.kernel) {
        const Mask mask = c.rule.mask.reflected();
        for (std::uint32_t t = first; t < last; ++t) {
          unit(t - c.to.begin);
          draws.start(t - c.to.begin);
          each_near(*c.space, *c.rule.kernel, mask, t - c.to.begin, draws, [&](std::uint32_t s) {
            if (!self(s, t)) synapse(c.first_source + s, t, true);
          });
        }
        return;
      }
      if (c.rule.p == 0) return;
      if (c.synapses.procedural) {
        for (std::uint32_t s = only.begin; s < std::min(from, only.end); ++s) {
          unit(s);
          draws.start(s);
          each_by_chance(c.rule.p, c.to.size, draws, [&](std::uint32_t k) {
            const std::uint32_t t = c.to.begin + k;
            if (!self(s, t)) synapse(c.first_source + s, t, t >= first && t < last);
          });
        }
        return;
      }
      for (std::uint32_t t = first; t < last; ++t) {
        unit(t - c.to.begin);
        draws.start(t - c.to.begin);
        each_by_chance(c.rule.p, from, draws, [&](std::uint32_t s) {
          if (!self(s, t)) synapse(c.first_source + s, t, true);
        });
      }
      return;
    }
    case Rule::Kind::listed:
      for (std::uint32_t t = first; t < last; ++t) {
        unit(t - c.to.begin);
        for (auto e = c.edges->first[t - c.to.begin]; e < c.edges->first[t - c.to.begin + 1]; ++e)
          synapse(c.first_source + c.edges->source[e], t, true);
      }
      return;
  }
}

}  // namespace apical::brain
