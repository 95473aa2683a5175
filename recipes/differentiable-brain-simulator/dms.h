#pragma once
// Arm (e): one circuit that is simulated, learns delayed match-to-sample by gradients, and is simulated again, the same object. Neurons
// with slow after-spike currents (GIF) against the same circuit without them (LIF).
//
// The task: one of 4 directions for 100 ms, a delay, a direction for 100 ms: was it the same? 24 inputs with Poisson spikes, tuned to
// directions. The answer is the sign of a weighted sum of the spikes of the excitatory neurons during the second direction.
// Time goes in steps of 1 ms, a fifth of the shortest time constant; training and simulation take the same steps.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "apical/brain/ei_circuit.h"

namespace apical::dms {

struct Options {
  std::uint32_t excitatory = 80, inhibitory = 20;  ///< neurons; half of the former adapt, the others are depolarised by their spikes
  std::int64_t delay_min = 300, delay_max = 300;   ///< ms, drawn for each trial
  std::int64_t steps = 300, batch = 64;            ///< of training
  std::vector<double> rates{2, 4, 8};            ///< grid of learning rates, pA: Adam's of input weights; the best on other trials is taken
  std::int64_t grid_steps = 100;                 ///< of a short run per rate, with the first seed
  std::int64_t validation = 256, test = 512;     ///< trials, drawn from streams of their own
  std::int64_t simulated = 128;                  ///< of the test trials: these the event-driven engine runs as well
  double adaptation = -40, depolarisation = 20;  ///< pA, A_2 of the two halves in GIF
  double tau_slow = 1000;                        ///< ms, tau_2
};

/// One circuit that has learnt.
struct Run {
  std::string model;  ///< "gif", "lif"
  std::int64_t seed = 0;
  double rate = 0;                         ///< learning rate
  std::vector<double> loss{}, accuracy{};  ///< of each training batch
  double test_accuracy = 0;                ///< by the pass that trains
  double simulated_accuracy = 0;           ///< by the engine, on the first of the test trials
  double equal_decisions = 0;              ///< share of these trials in which engine and training pass decide the same
  double equal_spikes = 0;                 ///< spikes of both as a share of those of either, both in float64
  double mean_rate = 0;                    ///< Hz, in the test trials
  double train_s = 0, simulate_s = 0;      ///< wall time: of training, of the simulated trials
};
struct Outcome {
  std::vector<Run> runs;  ///< gif, then lif; of each seed
  /// A test trial of the first GIF circuit, as the engine ran it; where its second direction begins and the trial ends (steps).
  brain::SpikeRecord raster;
  std::uint32_t raster_test = 0, raster_end = 0;
};

/// Called after every training step: e.g. "gif, seed 1"; the step just done, of how many. May throw, to stop.
using Report = std::function<void(const std::string& what, std::int64_t step, std::int64_t steps, double loss, double accuracy)>;

/// Trains and simulates both models with every seed. A function of the arguments alone, times apart. Usage errors.
Outcome study(const Options& options, const std::vector<std::int64_t>& seeds, const Report& report = {});

}  // namespace apical::dms
