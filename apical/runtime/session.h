#pragma once
// Runs a network step by step, event by event, without torch. Start here.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "apical/graph/graph.h"
#include "apical/runtime/spikes.h"

namespace apical::runtime {

using graph::Plan;
/// `automatic` takes the graph's plan (Graph::plans); without one, event when the measured density of the layer's inputs (Graph::densities) is
/// below that of its kind, or, when none was measured, when the inputs are spikes. Linear layers of 128 to 1024 outputs are faster by events up to
/// about 0.9, of 32 outputs up to 0.5.
inline constexpr double event_density_linear = 0.6, event_density_conv = 0.35;

struct Options {
  Plan plan = Plan::automatic;
  bool record_spikes = false;  ///< keep the spikes of every neuron layer and step
  bool count = false;          ///< count operations (OpCounts)
};

/// The whole state of a session as a value: a stream can be cut here and continued, also by another session of the same graph.
struct State {
  std::vector<float> values;  ///< graph::state_elements(): membranes, then sums of the readout; channel first
  int steps = 0;              ///< steps done since reset
  bool operator==(const State&) const = default;
};

struct Result {
  std::vector<float> scores;   ///< the output of the last step, channel first
  std::int64_t predicted = 0;  ///< index of the largest score; the first of equals
};

struct LayerCounts {
  std::string layer, op;
  bool event = false;  ///< the plan of a weight layer
  graph::OpCounts counts;
};

class Program;

/// The graph prepared for running: weights laid out channel last, plans chosen. Immutable and shared by sessions of many threads.
std::shared_ptr<const Program> prepare(const graph::Graph& graph, const Options& options = {});

/// One stream. All memory is laid out with the program and allocated by the constructor in one block: step(), reset() and the
/// reading of scores allocate nothing (with record_spikes: until a stream grows longer than T steps).
class Session {
 public:
  explicit Session(const graph::Graph& graph, const Options& options = {});
  explicit Session(std::shared_ptr<const Program> program);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// Membranes and readout to zero, recorded spikes away. Counts go on.
  void reset();
  /// One step: frame [C, H, W] (or [N]) of the encoder; the network's output after this step, valid until the next call. A frame
  /// equal to the one before is not multiplied again. Usage error for a frame of another size.
  std::span<const float> step(std::span<const float> frame);
  /// reset(), then a step for each of the frames [T, C, H, W].
  Result run(std::span<const float> frames);

  std::span<const float> scores() const noexcept;  ///< what the last step gave; after reset() still that
  int steps() const noexcept;                      ///< steps done since reset
  /// What a node gave in the last step, channel first (spikes: 0 and 1). Usage error when there is no such node.
  std::vector<float> output(const std::string& node) const;

  State state() const;
  void set_state(const State& state);  ///< usage error for a state of another size

  /// One record a neuron layer, in the order of the nodes; empty without record_spikes.
  const std::vector<SpikeRecord>& spikes() const noexcept;
  graph::OpCounts counts() const;
  std::vector<LayerCounts> layer_counts() const;  ///< one a weight, affine, pool or neuron layer
  void clear_counts();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace apical::runtime
