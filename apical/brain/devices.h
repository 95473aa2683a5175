#pragma once
// Devices that drive neurons, and recorders: NEST's names and times. A spike at time t (ms) is sent at the end of the step that ends at t
// and arrives after its delay; a current acts one step after it has arrived.
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "apical/brain/connect.h"

namespace apical::brain {

inline constexpr double kForever = std::numeric_limits<double>::infinity();

/// Poisson spikes of `rate` Hz, drawn for each neuron it is connected to, at times in (start, stop].
struct PoissonGenerator {
  double rate, start = 0, stop = kForever;
};
/// Poisson spikes whose rate becomes rate_values[i] (Hz) with the spikes at rate_times[i] (ms, > 0, ascending), and is 0 before.
struct InhomogeneousPoissonGenerator {
  std::vector<double> rate_times, rate_values;
  double start = 0, stop = kForever;
};
/// A constant current (pA).
struct DcGenerator {
  double amplitude, start = 0, stop = kForever;
};
/// A current that becomes values[i] at times[i] (ms, > 0, ascending).
struct StepCurrentGenerator {
  std::vector<double> times, values;
  double start = 0, stop = kForever;
};
/// White noise: a current of mean + N sqrt(std^2 + std_mod^2 sin(2 pi frequency t + phase)) pA, where N is a standard normal number,
/// another for each neuron, drawn every `dt` from `start` on, and t the end of the step in which it is drawn. What a membrane feels is
/// std^2 dt: with half of dt, sqrt(2) of std has the same effect. Source: NEST's noise_generator.
struct NoiseGenerator {
  double mean = 0, std = 0;  ///< pA
  double dt = 0;             ///< ms, a multiple of the step; 0: ten steps
  double std_mod = 0;        ///< pA, at most std
  double frequency = 0;      ///< Hz
  double phase = 0;          ///< degrees
  double start = 0, stop = kForever;
};
/// Spikes at given times (ms, > 0, ascending), the same for all neurons.
struct SpikeGenerator {
  std::vector<double> times;
};

/// Spikes of some neurons, in order of time, then of neuron.
struct SpikeRecord {
  Population population;
  double dt;
  std::vector<std::uint32_t> step, neuron;  ///< neuron: among the recorded ones
  std::size_t size() const noexcept { return step.size(); }
  double time(std::size_t i) const noexcept { return step[i] * dt; }  ///< ms: the end of the step in which the threshold was crossed
};

/// Values of some variables of some neurons at times interval, 2 interval, ...
struct Multimeter {
  Population population;
  std::vector<std::string> variables;
  double interval, first = 0;  ///< ms; first: time of the first sample
  std::vector<double> values;  ///< [samples, variables, neurons]
  std::size_t samples() const noexcept { return values.size() / (variables.size() * population.size); }
  double at(std::size_t sample, std::size_t variable, std::size_t neuron) const noexcept {
    return values[(sample * variables.size() + variable) * population.size + neuron];
  }
};

/// What one call of Network::connect() has made.
struct Projection {
  std::uint32_t index = 0;
};

/// Weights of some synapses of a projection at times interval, 2 interval, ...
struct WeightRecord {
  Projection projection;
  double interval, first = 0;                 ///< ms; first: time of the first sample
  std::vector<std::uint32_t> source, target;  ///< of each synapse
  std::vector<double> values;                 ///< [samples, synapses]
  std::size_t samples() const noexcept { return source.empty() ? 0 : values.size() / source.size(); }
};

}  // namespace apical::brain
