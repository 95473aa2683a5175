// A circuit simulator that is fast for four reasons, each measured beside what it replaces; and the same networks trained.
#include "apical/recipe/recipe.h"

#include "recipes/differentiable-brain-simulator/study.h"

namespace apical::simulator {
namespace {

void run(recipe::RunContext& c) {
  events(c);
  merging(c);
  scaling(c);
  procedural(c);
  training(c);
  c.html.summary(
      "Events, merged state, and synapses that are drawn when needed, each beside what it stands in for, with the same sums, membranes and "
      "spikes; how the time of a network grows with its size; and a circuit that learns a task and is simulated as it is.");
}

}  // namespace
}  // namespace apical::simulator

void run_differentiable_brain_simulator(apical::recipe::RunContext& c) { apical::simulator::run(c); }
