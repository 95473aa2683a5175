// Synapses that are kept, and synapses that are drawn anew whenever they are needed.
#include "recipes/differentiable-brain-simulator/procedural.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "apical/base/machine.h"
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
  double megabytes, build, simulate;  // growth of resident memory; seconds
  Coba coba;
};
Measured measure(Wiring wiring, std::size_t scale, std::uint64_t seed, double time) {
  const double before = current_rss_mb();
  Coba n = coba(Cells::lif, wiring, scale, seed);
  const double build = seconds([&] { n.net.build(); });
  const double simulate = seconds([&] { n.net.simulate(time); });
  return {current_rss_mb() - before, build, simulate, std::move(n)};
}

// Bytes that the lists of one step's spikes take at their most: synapses drawn anew are nowhere else. They grow by doubling.
double lists_megabytes(const Coba& n) {
  std::map<std::uint32_t, std::size_t> spikes;  // by step
  for (const auto* r : {n.e_spikes, n.i_spikes})
    for (const auto step : r->step) ++spikes[step];
  std::size_t most = 0;
  for (const auto& [step, count] : spikes) most = std::max(most, count);
  const std::size_t a_list = 64 + 1 + 16 + 1;  // its synapses among E and I, with what ends a list
  return 1e-6 * static_cast<double>(std::bit_ceil(most * a_list + 1) * sizeof(kernels::Synapse<float>));
}

}  // namespace

void procedural(recipe::RunContext& c) {
  const std::size_t scale = count(c, "procedural.scale", 1000);
  const double time = positive(c, "procedural.time", 1e5);
  std::size_t different = 0, spikes = 0;
  report::Table table{{"seed", "synapses", "resident memory", "of them synapses", "build", "simulate " + number(time) + " ms"}, {}};
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
    // All three live at once, so that none is given memory that another one gave back.
    const auto anew = measure(Wiring::targets_anew, scale, key, time), none = measure(Wiring::none, scale, key, time),
               kept = measure(Wiring::targets, scale, key, time);
    spikes += differences(anew.coba, kept.coba);
    const double synapses = static_cast<double>(kept.coba.net.synapses());
    for (const auto& [name, m] : {std::pair{"none", &none}, {"kept", &kept}, {"drawn anew", &anew}})
      table.rows.push_back({std::to_string(seed), name, number(m->megabytes) + " MB", number(m->megabytes - none.megabytes) + " MB",
                            si(m->build, "s"), si(m->simulate, "s")});
    // Counted: what resident memory shows depends on what was freed before.
    const double lists = lists_megabytes(anew.coba);
    c.result.set_seed("procedural_memory_ratio", seed, lists / (1e-6 * synapses * sizeof(kernels::Synapse<float>)));
    c.result.set_seed("procedural_lists_mb", seed, lists);
    c.result.set_seed("procedural_time_ratio", seed, anew.simulate / kept.simulate);
    c.result.set_seed("kept_bytes_a_synapse", seed, 1e6 * (kept.megabytes - none.megabytes) / synapses);
    c.check_stop();
  }
  c.result.set("procedural_differences", static_cast<double>(different));
  c.result.set("procedural_spike_differences", static_cast<double>(spikes));
  c.html.section("Synapses that are not kept");
  c.html.paragraph(
      "COBA with " + std::to_string(4000 * scale) +
      " neurons of 80 synapses, kept in lists or drawn from (seed, connection, source) for each spike: the growth of the "
      "process' memory while it "
      "is built and run, less that of the same neurons without synapses. Drawn anew, there are the lists of the spikes of one step, " +
      number(c.result.metrics["procedural_lists_mb"], 3) + " MB at the most, when the neurons start together. " +
      (spikes ? std::to_string(spikes) + " spikes differ." : std::string("Both have the same spikes.")));
  c.html.table(table, "One run each, on " + std::to_string(c.threads) + " threads.");
  c.html.paragraph(
      "Small matrices of three laws of weights and two rules, row by row in any order, transposed, in parts of 64 targets, and kept: " +
      std::to_string(different) + " entries differ.");
  c.html.card("Synapses drawn anew", number(100 * c.result.metrics["procedural_memory_ratio"], 3) + " %",
              "of the memory of those kept; " + number(c.result.metrics["procedural_time_ratio"], 3) + " x the time");
}

}  // namespace apical::simulator
