#pragma once
// The parts of the recipe: each measures, sets metrics and writes its section of the report. Only training needs torch.
#include <vector>

#include "apical/base/clock.h"
#include "apical/brain/network.h"
#include "apical/recipe/recipe.h"
#include "apical/report/statistics.h"
#include "apical/report/svg.h"

namespace apical::simulator {

// ---- what they share

/// Seconds that f() takes.
template <class F>
double seconds(F f) {
  const double start = clock_seconds();
  f();
  return clock_seconds() - start;
}

inline report::Axes axes(const std::string& title, const std::string& x, const std::string& y, bool log_x = false, bool log_y = false) {
  report::Axes a;
  a.title = title, a.x_label = x, a.y_label = y, a.log_x = log_x, a.log_y = log_y;
  return a;
}

/// A positive setting, at most `most`; usage error.
double positive(const recipe::RunContext& c, const char* key, double most);
std::size_t count(const recipe::RunContext& c, const char* key, std::int64_t most);
std::vector<std::size_t> counts(const recipe::RunContext& c, const char* key, std::int64_t most);

/// The networks of the card: benchmark model 1, COBA-LIF, on iaf_cond_exp, whose equations it has (g_L = 10 nS, so that its weights 0.6
/// and 6.7 are 6 and 67 nS and its drive of 20 mV is 200 pA), or as text with the card's integrator, exponential Euler; benchmark model 2,
/// COBA-HH, likewise.
enum class Cells { lif, lif_text, hh, hh_text };
/// Who is connected: pairs with p = 0.02, 64 + 16 inputs a neuron, or on average as many where a source has 64 targets among E and 16
/// among I (what can be drawn anew for each spike).
enum class Wiring { pairs, inputs, targets, targets_anew };

struct Coba {
  brain::Network net;
  brain::Population e, i;
  const brain::SpikeRecord *e_spikes = nullptr, *i_spikes = nullptr;
  std::vector<brain::Projection> projections{};  // E to E, E to I, I to E, I to I
};
/// 3200 scale excitatory and 800 scale inhibitory neurons, delays of one step (0.1 ms). Nothing has been drawn yet.
Coba coba(Cells cells, Wiring wiring, std::size_t scale, std::uint64_t seed, bool double_precision = false);

/// Spikes that only one of two networks has.
std::size_t differences(const Coba& a, const Coba& b);

// ---- the parts, by file

void events(recipe::RunContext& c);      ///< events.cpp: products and their gradients
void merging(recipe::RunContext& c);     ///< merging.cpp: where the state of synapses lives
void scaling(recipe::RunContext& c);     ///< scaling.cpp: networks by size and threads
void procedural(recipe::RunContext& c);  ///< procedural.cpp: matrices that are not kept
void training(recipe::RunContext& c);    ///< training.cpp: a circuit learns (dms.h)

}  // namespace apical::simulator
