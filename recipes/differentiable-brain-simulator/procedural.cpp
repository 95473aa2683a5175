// Synapses that are kept, and synapses that are drawn anew whenever they are needed.
#include "recipes/differentiable-brain-simulator/procedural.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "apical/base/philox.h"
#include "apical/base/text.h"
#include "recipes/differentiable-brain-simulator/event_matrix.h"
#include "recipes/differentiable-brain-simulator/study.h"

namespace apical::simulator {

std::size_t walk_differences(const brain::Connection& matrix, std::uint64_t seed) {
  const std::uint32_t sources = matrix.from.size, targets = matrix.to.size;
  const auto blank = [&] { return std::vector<double>(std::size_t{sources} * targets); };
  std::vector<double> x(sources), dy(targets);
  // Row by row, as spikes ask for them: in any order.
  auto rows = blank();
  for (const auto i : permutation(sources, Random(seed, "rows")))
    each_entry(matrix, seed, 0, targets, {i, i + 1},
               [&](std::uint32_t source, std::uint32_t target, double w) { rows[std::size_t{source} * targets + target] += w; });
  // Transposed, as gradients do: dx_i = sum of w dy_j, of one target at a time.
  auto transposed = blank();
  for (std::uint32_t j = 0; j < targets; ++j) {
    std::fill(x.begin(), x.end(), 0.0), std::fill(dy.begin(), dy.end(), 0.0);
    dy[j] = 1;
    each_entry(matrix, seed, 0, targets, {}, [&](std::uint32_t source, std::uint32_t target, double w) { x[source] += w * dy[target]; });
    for (std::uint32_t i = 0; i < sources; ++i) transposed[std::size_t{i} * targets + j] = x[i];
  }
  // In parts, as threads that own targets do.
  auto parts = blank();
  for (std::uint32_t begin = 0; begin < targets; begin += 64)
    each_entry(matrix, seed, begin, std::min(begin + 64, targets), {},
               [&](std::uint32_t source, std::uint32_t target, double w) { parts[std::size_t{source} * targets + target] += w; });
  // And kept.
  auto kept = blank();
  const EventMatrix<double> stored(matrix, seed);
  for (std::uint32_t i = 0; i < sources; ++i)
    for (const auto& s : stored.list(i)) kept[std::size_t{i} * targets + stored.target(s)] += s.weight;
  std::size_t different = 0, filled = 0;
  for (std::size_t k = 0; k < rows.size(); ++k)
    different += rows[k] != transposed[k] || rows[k] != parts[k] || rows[k] != kept[k], filled += rows[k] != 0;
  return filled > 0 ? different : rows.size();
}

namespace {

struct Measured {
  double build, simulate;  // seconds
  Coba coba;
};
Measured measure(Wiring wiring, std::size_t scale, std::uint64_t seed, double time) {
  Coba n = coba(Cells::lif, wiring, scale, seed);
  const double build = seconds([&] { n.net.build(); });
  const double simulate = seconds([&] { n.net.simulate(time); });
  return {build, simulate, std::move(n)};
}

// Of synapses drawn anew, which all arrive after one delay, nothing is kept but the sources of one step's spikes: what these take at
// their most, in each thread. Their room grows by doubling.
double sources_megabytes(const Coba& n, int threads) {
  std::map<std::uint32_t, std::size_t> spikes;  // by step
  for (const auto* r : {n.e_spikes, n.i_spikes})
    for (const auto step : r->step) ++spikes[step];
  std::size_t most = 0;
  for (const auto& [step, count] : spikes) most = std::max(most, count);
  return 1e-6 * static_cast<double>(std::bit_ceil(most) * sizeof(std::uint32_t)) * threads;
}

}  // namespace

void procedural(recipe::RunContext& c) {
  const std::size_t scale = count(c, "procedural.scale", 1000);
  const double time = positive(c, "procedural.time", 1e5);
  std::size_t different = 0, spikes = 0;
  report::Table table{{"seed", "synapses", "memory", "build", "simulate " + number(time) + " ms"}, {}};
  const std::map<std::string, brain::Value> laws{
      {"homogeneous", 0.7}, {"uniform", brain::Value::uniform(-1, 1)}, {"normal", brain::Value::normal(0.2, 1)}};
  for (const auto seed : c.seeds) {
    const auto key = static_cast<std::uint64_t>(seed);
    for (const auto& [name, law] : laws) {
      auto matrix = random_matrix(150, 200, 12, law);
      different += walk_differences(matrix, key);
      matrix.rule = brain::Rule::pairwise_bernoulli(0.05);
      different += walk_differences(matrix, key);
    }
    const auto anew = measure(Wiring::targets_anew, scale, key, time), kept = measure(Wiring::targets, scale, key, time);
    spikes += differences(anew.coba, kept.coba);
    // Counted: what resident memory shows depends on what was freed before.
    const double lists = 1e-6 * static_cast<double>(kept.coba.net.synapses() * sizeof(kernels::Synapse<float>)),
                 sources = sources_megabytes(anew.coba, c.threads);
    for (const auto& [name, m, megabytes] : {std::tuple{"kept", &kept, lists}, {"drawn anew", &anew, sources}})
      table.rows.push_back(
          {std::to_string(seed), name, number(megabytes, 3) + " MB", si(m->build, "s"), si(m->simulate, "s")});
    c.result.set_seed("procedural_memory_ratio", seed, sources / lists);
    c.result.set_seed("procedural_mb", seed, sources);
    c.result.set_seed("procedural_time_ratio", seed, anew.simulate / kept.simulate);
    c.check_stop();
  }
  c.result.set("procedural_differences", static_cast<double>(different));
  c.result.set("procedural_spike_differences", static_cast<double>(spikes));
  c.html.section("Synapses that are not kept");
  c.html.paragraph(
      "COBA with " + std::to_string(4000 * scale) +
      " neurons of 80 synapses, kept in lists or drawn from (seed, connection, source) for each spike as it arrives. Memory: of the "
      "lists, 8 bytes a synapse; drawn anew, of the sources of one step's spikes at their most, when the neurons start together. " +
      (spikes ? std::to_string(spikes) + " spikes differ." : std::string("Both have the same spikes.")));
  c.html.table(table, "One run each, on " + std::to_string(c.threads) + " threads.");
  c.html.paragraph(
      "Small matrices of three laws of weights and two rules, row by row in any order, transposed, in parts of 64 targets, and kept: " +
      std::to_string(different) + " entries differ.");
  c.html.card("Synapses drawn anew", number(100 * c.result.metrics["procedural_memory_ratio"], 3) + " %",
              "of the memory of those kept; " + number(c.result.metrics["procedural_time_ratio"], 3) + " x the time");
}

}  // namespace apical::simulator
