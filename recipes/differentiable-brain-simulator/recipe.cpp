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
  // Training goes here: run_dms() of dms.h, its metrics, section and cards.
  c.html.summary(
      "Events, merged state, and synapses that are drawn when needed, each beside what it stands in for, with the same sums, membranes and "
      "spikes; and how "
      "the time of a network grows with its size.");
}

}  // namespace
}  // namespace apical::simulator

void run_differentiable_brain_simulator(apical::recipe::RunContext& c) { apical::simulator::run(c); }
