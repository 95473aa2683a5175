#pragma once
// What the network describes and the engine works on. Private to the room.
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "apical/base/lines.h"
#include "apical/brain/network.h"
#include "apical/kernels/circuit/draws.h"

namespace apical::brain {

/// The neurons of one population. Arrays are padded to whole words of 64 neurons.
struct Group {
  Model model;
  std::uint32_t n, padded;
  std::uint32_t first;       ///< number of its first neuron in the network
  std::uint32_t first_word;  ///< of its spikes in a row of bits
  Lines<double> state;       ///< [model.states, padded]
  Lines<float> refractory;   ///< [padded] steps left
  std::uint64_t spikes = 0;
  std::string name{};  ///< "": its number is
  std::shared_ptr<const Positions> positions{};
  std::vector<double> signals{};  ///< of a source of signals: what it has sent, [steps, padded], of step + 1 modulo their number
  const double* signal(std::int64_t step) const noexcept { return signals.data() + place(step); }
  double* signal(std::int64_t step) noexcept { return signals.data() + place(step); }

 private:
  std::size_t place(std::int64_t step) const noexcept {
    return static_cast<std::size_t>((step + 1) % static_cast<std::int64_t>(signals.size() / padded)) * padded;
  }
};

/// Poisson and given spikes, in steps.
struct SpikeDevice {
  Population to;
  double weight;
  std::int64_t delay, start, stop;             ///< sent in steps [start, stop)
  std::vector<std::int64_t> steps;             ///< ascending: those of given spikes; of Poisson spikes, those from which each rate holds
  std::vector<kernels::PoissonTable> poisson;  ///< of each rate; none: the spikes are given
  std::uint64_t stream = 0;
};
/// White noise that a current device adds to its own.
struct Noise {
  double std, std_mod, omega, phase;  ///< pA; radians a step, radians
  std::int64_t every;                 ///< steps
  std::uint64_t stream;
  /// pA: what standard normal numbers are multiplied by when they are drawn in this step.
  double scale(std::int64_t step) const noexcept;
};
struct CurrentDevice {
  Population to;
  double weight;
  std::int64_t delay, start, stop;  ///< sent in steps [start, stop)
  std::vector<std::int64_t> from;   ///< ascending: values[i] from step from[i] on
  std::vector<double> values;
  std::optional<Noise> noise{};
  bool acts(std::int64_t step) const noexcept { return step >= start && step < stop; }
  double at(std::int64_t step) const noexcept;  ///< pA sent in this step, times weight, but for the noise
};

/// How many samples are taken up to step `now`, of which `next` is the first and each comes `every` steps after the one before.
inline std::size_t samples_until(std::int64_t now, std::int64_t next, std::int64_t every) noexcept {
  return now < next ? 0 : static_cast<std::size_t>((now - next) / every) + 1;
}

struct Recording {
  Multimeter data;
  std::int64_t every, next;    ///< steps; next: end of the step of the sample to come
  std::vector<int> states;     ///< which states the variables are
  std::size_t base = 0;        ///< samples there were before this stretch
  std::int64_t base_step = 0;  ///< when the first sample of this stretch is taken
};

/// Some synapses whose weights are sampled.
struct WeightSampling {
  WeightRecord data;
  std::size_t count;         ///< how many at most
  std::int64_t every, next;  ///< steps
  struct Pick {
    std::size_t part;
    std::uint32_t source;
    std::ptrdiff_t at;  ///< in the source's list
  };
  std::vector<Pick> picks;
};

struct Circuit {
  Options options;
  std::vector<Group> groups;
  std::vector<Connection> connections;
  std::vector<SpikeDevice> spike_devices;
  std::vector<CurrentDevice> current_devices;
  std::deque<SpikeRecord> spike_records;
  std::deque<Recording> recordings;
  std::deque<WeightSampling> weight_samplings;
  std::int64_t step = 0;  ///< steps done
  std::uint32_t neurons = 0, words = 0;
  Timing timing;
};

/// A spike that has happened: sent in `step`.
struct PastSpike {
  std::int64_t step;
  std::uint32_t source;
};

/// What a projection that learns has come to; the order of weights is that of SynapseTable, of traces that of neurons, two each.
struct LearnedState {
  std::vector<double> weights;  ///< as they lie in memory: as of the last spike of their source
  std::vector<std::uint32_t> source_last, flight_last, target_last, post_count, post_step;
  std::vector<double> source_trace, flight_trace, target_trace, post_trace;
  std::vector<double> eligibility, modulation;  ///< of rules that have them; eligibility in the order of weights
};

/// Simulates a circuit. One for each precision.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual void run(std::int64_t steps) = 0;  ///< moves circuit.step on
  virtual std::uint64_t synapses() const = 0;
  virtual std::uint64_t synapses(std::uint32_t connection) const = 0;  ///< of one that is not static
  virtual std::uint64_t events() const = 0;
  virtual std::vector<PastSpike> past() const = 0;  ///< those that may still be on their way, in order
  virtual void set_past(const std::vector<PastSpike>& spikes) = 0;
  virtual SynapseTable table(std::uint32_t connection) = 0;
  virtual void choose(WeightSampling& sampling) = 0;  ///< the synapses, where that was not done
  virtual void sample(WeightSampling& sampling) = 0;  ///< adds one sample
  virtual LearnedState learned(std::uint32_t connection) = 0;
  virtual void set_learned(std::uint32_t connection, const LearnedState& state, const std::vector<PastSpike>& past) = 0;
};
/// Draws the synapses.
std::unique_ptr<Engine> make_engine(Circuit& circuit);

/// What a circuit may take, 1e9 bytes; 0: nobody says.
double memory_gb(const Options& options);

}  // namespace apical::brain
