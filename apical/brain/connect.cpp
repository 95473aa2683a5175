#include "apical/brain/connect.h"

#include <cmath>
#include <random>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::brain {

Population Population::slice(std::uint32_t first, std::uint32_t count) const {
  if (first > size || count > size - first)
    throw usage_error("neurons " + std::to_string(first) + " to " + std::to_string(std::uint64_t{first} + count) + " of a population of " +
                      std::to_string(size));
  return {index, begin + first, count, receptor};
}

void check_connection(const Connection& c, double dt) {
  c.synapses.weight.check("weight");
  const Value& delay = c.synapses.delay;
  delay.check("delay");
  const std::string step = number(dt) + " ms";
  if (delay.constant() && delay.a < 0) throw usage_error("a delay is negative", number(delay.a) + " ms");
  if (delay.constant() && std::floor(delay.a / dt + 0.5) < 1)
    throw usage_error("a delay is below the step", number(delay.a) + " ms, step " + step);
  if (c.from.size == 0 || c.to.size == 0) throw usage_error("a population to connect is empty");
  const Rule& r = c.rule;
  if (r.kind == Rule::Kind::listed && !c.edges) throw usage_error("which synapses is not said", {}, "Connect with a SynapseTable.");
  if (r.kernel) r.kernel->check("the probability"), c.space->check(r.mask);
  if (c.synapses.weight_by_distance) c.synapses.weight_by_distance->check("weight");
  if (c.synapses.delay_by_distance) c.synapses.delay_by_distance->check("delay");
  if (c.synapses.procedural) {
    const bool from_source = r.kind == Rule::Kind::fixed_outdegree || (r.kind == Rule::Kind::pairwise_bernoulli && !r.kernel);
    if (!from_source || c.plasticity.kind != SynapseKind::fixed || c.synapses.weight_by_distance || c.synapses.delay_by_distance)
      throw usage_error("these synapses must be kept in memory", {},
                        "Procedural are static synapses of fixed_outdegree, and of pairwise_bernoulli without distances.");
  }
  const bool same = c.from.index == c.to.index;
  switch (r.kind) {
    case Rule::Kind::one_to_one:
      if (c.from.size != c.to.size)
        throw usage_error("one_to_one needs as many sources as targets", std::to_string(c.from.size) + " and " + std::to_string(c.to.size));
      return;
    case Rule::Kind::all_to_all:
    case Rule::Kind::listed:
      return;
    case Rule::Kind::pairwise_bernoulli:
      if (!(r.p >= 0 && r.p <= 1)) throw usage_error("a probability must be 0 to 1", "p " + number(r.p));
      return;
    default:
      break;
  }
  if (r.kind == Rule::Kind::fixed_total_number && !r.options.allow_multapses)
    throw usage_error("fixed_total_number may connect two neurons more than once", {}, "Allow multapses, or take pairwise_bernoulli.");
  const std::uint64_t others = r.kind == Rule::Kind::fixed_outdegree ? c.to.size : c.from.size;
  const std::uint64_t usable = others - (same && !r.options.allow_autapses ? 1 : 0);
  if (r.number > 0 && (usable == 0 || (r.kind != Rule::Kind::fixed_total_number && !r.options.allow_multapses && r.number > usable)))
    throw usage_error("there are not " + std::to_string(r.number) + " different partners", std::to_string(usable) + " neurons",
                      "Allow multapses, or ask for fewer.");
  if (expected_synapses(c) > 1e15) throw usage_error("more synapses than any machine holds", number(expected_synapses(c)));
}

double expected_synapses(const Connection& c) {
  const double from = c.from.size, to = c.to.size, n = static_cast<double>(c.rule.number);
  switch (c.rule.kind) {
    case Rule::Kind::one_to_one:
      return to;
    case Rule::Kind::all_to_all:
      return from * to;
    case Rule::Kind::fixed_indegree:
      return n * to;
    case Rule::Kind::fixed_outdegree:
      return n * from;
    case Rule::Kind::fixed_total_number:
      return n;
    case Rule::Kind::listed:
      return static_cast<double>(c.edges->source.size());
    case Rule::Kind::pairwise_bernoulli:
      break;
  }
  if (!c.rule.kernel) return c.rule.p * from * to;
  const std::uint32_t some = std::min(c.to.size, 64u);
  double sum = 0;
  for (std::uint32_t i = 0; i < some; ++i) {
    const auto target = static_cast<std::uint32_t>(std::uint64_t{c.to.size} * i / some);
    const Mask mask = c.rule.mask.reflected();
    c.space->each_cell(mask, target, [&](const std::uint32_t* sources, std::uint32_t n, double, double) {
      for (std::uint32_t k = 0; k < n; ++k)
        if (c.space->within(mask, sources[k], target)) sum += std::clamp((*c.rule.kernel)(c.space->distance(sources[k], target)), 0.0, 1.0);
    });
  }
  return sum / some * to;
}

void share_total(Connection& c, std::uint64_t seed) {
  if (c.rule.kind != Rule::Kind::fixed_total_number) return;
  // Binomials one after the other give the multinomial distribution.
  struct Words {
    using result_type = std::uint32_t;
    Draws draws;
    static constexpr result_type min() { return 0; }
    static constexpr result_type max() { return ~result_type{0}; }
    result_type operator()() { return draws.bits(); }
  } words{Draws(seed, c.stream)};
  words.draws.start(~std::uint32_t{0});
  std::uint64_t left = c.rule.number;
  const std::uint32_t end = c.to.begin + c.to.size;
  c.block_totals.clear();
  for (std::uint32_t at = c.to.begin; at < end;) {
    const std::uint32_t next = std::min(end, (at / 64 + 1) * 64);
    std::uint64_t here = left;
    if (next < end && left > 0)
      here = static_cast<std::uint64_t>(
          std::binomial_distribution<std::int64_t>(static_cast<std::int64_t>(left), double(next - at) / (end - at))(words));
    if (here > 0xffffffffu) throw usage_error("more than 2^32 synapses to 64 neurons");
    c.block_totals.push_back(static_cast<std::uint32_t>(here));
    left -= here, at = next;
  }
}

}  // namespace apical::brain
