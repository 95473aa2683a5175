#include "apical/runtime/tune.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "apical/base/clock.h"
#include "apical/base/error.h"

namespace apical::runtime {
namespace {

// Seconds a step of both graphs, taken in turns: the fastest round of each.
std::pair<double, double> compare(const graph::Graph& one, const graph::Graph& other, std::span<const float> frames, int rounds,
                                  const std::function<void()>& round_done) {
  const std::size_t frame = static_cast<std::size_t>(graph::elements(one.input_shape)), sample = frame * static_cast<std::size_t>(one.T);
  Session sessions[] = {Session(one), Session(other)};
  double fastest[] = {1e300, 1e300};
  for (int round = -1; round < rounds; ++round) {  // the first one warms up
    for (const int k : {0, 1}) {
      const double start = clock_seconds();
      for (std::size_t at = 0; at < frames.size(); at += sample) sessions[k].run(frames.subspan(at, sample));
      const double took = clock_seconds() - start;
      if (round >= 0) fastest[k] = std::min(fastest[k], took * static_cast<double>(frame) / static_cast<double>(frames.size()));
    }
    if (round >= 0 && round_done) round_done();
  }
  return {fastest[0], fastest[1]};
}

}  // namespace

void note_densities(graph::Graph& graph, const std::vector<LayerCounts>& counts) {
  for (const auto& layer : counts)
    if (layer.counts.dense > 0)
      graph.densities[layer.layer] = std::min(1.0, (layer.counts.effective_acs + layer.counts.effective_macs) / layer.counts.dense);
}

Tuning tune(graph::Graph& graph, std::span<const float> frames, int rounds, const std::function<void()>& round_done) {
  if (graph.integer) throw usage_error("a quantised network has one plan: all its layers run event by event");
  const auto sample = static_cast<std::size_t>(graph::elements(graph.input_shape) * graph.T);
  if (frames.empty() || frames.size() % sample || rounds < 1) throw usage_error("whole samples, and one round at least, are needed to measure plans");
  const graph::Graph before = graph;
  Session counting(graph, {.count = true});
  for (std::size_t at = 0; at < frames.size(); at += sample) counting.run(frames.subspan(at, sample));
  note_densities(graph, counting.layer_counts());
  Tuning tuning;
  for (const graph::Node& node : before.nodes) {
    if (graph::weight_name(node.op).empty()) continue;
    graph::Graph dense = graph;
    dense.plans[node.name] = Plan::dense, graph.plans[node.name] = Plan::event;
    const auto [dense_s, event_s] = compare(dense, graph, frames, rounds, round_done);
    if (dense_s < event_s) graph.plans[node.name] = Plan::dense;
    tuning.layers.push_back({node.name, graph.densities[node.name], dense_s, event_s});
  }
  std::tie(tuning.before_s, tuning.after_s) = compare(before, graph, frames, rounds, round_done);
  return tuning;
}

}  // namespace apical::runtime
