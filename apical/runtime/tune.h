#pragma once
// Which plan (graph::Plan) is faster for each weight layer, measured on this machine with frames like those to come. Written into the model, so
// that later runs, and what they count, do not depend on a machine.
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "apical/runtime/session.h"

namespace apical::runtime {

/// Sets Graph::densities of every weight layer: the share of its synapses whose input is nonzero.
void note_densities(graph::Graph& graph, const std::vector<LayerCounts>& counts);

struct LayerTiming {
  std::string layer;
  double density = 0;
  double dense_s = 0, event_s = 0;  ///< a step of the whole network with this layer either way
};
struct Tuning {
  std::vector<LayerTiming> layers;
  double before_s = 0, after_s = 0;  ///< a step of the whole network, with the plans of before and of now
};

/// Measures on frames [N, T, C, H, W], one thread, the fastest of `rounds`; sets Graph::plans and Graph::densities. `round_done` is called after each
/// round, rounds * (weight layers + 1) times; may throw to stop. Usage error for a quantised graph, which has no dense plan, or frames of another size.
Tuning tune(graph::Graph& graph, std::span<const float> frames, int rounds, const std::function<void()>& round_done = {});

}  // namespace apical::runtime
