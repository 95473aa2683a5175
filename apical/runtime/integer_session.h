#pragma once
// Runs a quantised network in integers: int8 weights, events, int16 membranes (graph/integer.h has the equations). The surface of Session
// (session.h); every spike, membrane and score is exactly that of run_integer_reference (integer_reference.h), at every SIMD level.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "apical/graph/integer.h"
#include "apical/runtime/session.h"

namespace apical::runtime {

/// The whole state of a session as a value.
struct IntegerState {
  std::vector<std::int64_t> values;  ///< graph::state_elements(): membranes, then sums (or largest, or last) of the readout; channel first
  int steps = 0;                     ///< steps done since reset
  bool operator==(const IntegerState&) const = default;
};

class IntegerProgram;

/// The network prepared for running; shared by sessions of many threads. Of the options record_spikes is read.
std::shared_ptr<const IntegerProgram> prepare(const graph::IntegerNetwork& network, const Options& options = {});

/// One stream. step(), reset() and the reading of scores allocate nothing (with record_spikes: until a stream grows longer than T steps).
class IntegerSession {
 public:
  explicit IntegerSession(const graph::IntegerNetwork& network, const Options& options = {});
  explicit IntegerSession(std::shared_ptr<const IntegerProgram> program);
  ~IntegerSession();
  IntegerSession(IntegerSession&&) noexcept;
  IntegerSession& operator=(IntegerSession&&) noexcept;

  /// Membranes and readout to zero, recorded spikes away.
  void reset();
  /// One step: frame [C, H, W] (or [N]) of the encoder, quantised here; the network's output after this step in its real unit, valid until the
  /// next call. A frame equal to the one before is not multiplied again. Usage error for a frame of another size.
  std::span<const float> step(std::span<const float> frame);
  /// reset(), then a step for each of the frames [T, C, H, W].
  Result run(std::span<const float> frames);

  std::span<const float> scores() const noexcept;
  int steps() const noexcept;
  IntegerState state() const;
  void set_state(const IntegerState& state);  ///< usage error for a state of another size, or a membrane beyond its limit
  /// One record a neuron layer, in the order of the nodes; empty without record_spikes.
  const std::vector<SpikeRecord>& spikes() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace apical::runtime
