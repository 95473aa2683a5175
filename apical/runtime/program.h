#pragma once
// Private to the runtime: a graph laid out for running. Everything is channel last: element (c, y, x) of [C, H, W] lies at
// (y * W + x) * C + c, so that the outputs one event reaches are neighbours.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apical/graph/graph.h"
#include "apical/kernels/pool.h"
#include "apical/runtime/dense_conv.h"
#include "apical/runtime/session.h"

namespace apical::runtime {

enum class Kind : std::uint8_t { input, conv, linear, avg_pool, max_pool, flatten, affine, neuron, add, readout };

/// Graph index of each channel-last element of [C, H, W]; empty when the two orders are the same.
std::vector<std::uint32_t> channel_last(const graph::Shape& shape);

/// The memory of a session, laid out when a program is made: buffers one behind the other in one block, each at its own cache lines.
/// None is used twice: a step may need any output of the step before (Slot::changing).
class MemoryPlan {
 public:
  static constexpr std::size_t line = 64;
  /// Offset in bytes of a new buffer of n T's; `none` for no elements.
  template <class T>
  std::size_t take(std::size_t n) {
    static_assert(alignof(T) <= line);
    if (n == 0) return none;
    const std::size_t at = bytes_;
    bytes_ += (n * sizeof(T) + line - 1) / line * line;
    return at;
  }
  std::size_t bytes() const noexcept { return bytes_; }
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

 private:
  std::size_t bytes_ = 0;
};

/// Where the buffers of a slot lie.
struct BufferPlan {
  std::size_t x = MemoryPlan::none;       // float[n]: values; of bits: 0 and 1, when some reader wants them
  std::size_t bits = MemoryPlan::none;    // uint64[words_per_row(n)]: spikes
  std::size_t list = MemoryPlan::none;    // uint32[n]: indices of the nonzero elements, when some reader wants them
  std::size_t padded = MemoryPlan::none;  // float[]: input of a dense convolution with its border, which stays zero
  std::size_t starts = MemoryPlan::none;  // uint32[H * W + 1]: of an event convolution, where the events of each pixel begin in the list
};

/// A node, ready to run.
struct Slot {
  std::string name, op;
  Kind kind{};
  std::vector<std::size_t> inputs;
  std::size_t n = 0;                              // elements of the output
  int channels = 1, height = 1, width = 1;        // of the output; [N] is N channels of one pixel
  bool spikes = false;                            // the output is bits
  bool changing = true;                           // differs from step to step even when the frame does not
  bool event = false;                             // plan of a weight layer
  bool wants_floats = false, wants_list = false;  // some reader needs this form of the output too
  std::vector<std::uint32_t> order;               // graph index of each element; empty: the same
  kernels::Pool2d pool;
  DenseConv conv;
  // As the plan's kernel wants them; affine: scale and shift of each element. What the kernel wants as the model holds it stays in
  // place in a mapped file: biases of linear and event layers, decays.
  graph::Floats weight, bias;
  std::size_t tensor_elements = 0;  // of its weight and bias in the graph
  std::size_t biases = 0;
  kernels::Lif lif;
  graph::Floats decay;  // [], [1] or [n]
  graph::ReadoutKind readout{};
  std::size_t state_at = 0;  // first element in State::values
  BufferPlan at;
  // Counting: of each input element, the synapses it reaches, and those of them with a nonzero weight.
  std::vector<std::uint32_t> reach, fan;
  double synapses = 0;  // sum of reach
};

class Program {
 public:
  Program(const graph::Graph& graph, const Options& options);

  Options options;
  std::vector<Slot> slots;
  std::size_t state_size = 0;
  int T = 1;
  std::size_t frame_size = 0;

  MemoryPlan memory;
  std::size_t values_at = 0, frame_at = 0, output_at = 0;        // float[state_size], [frame_size], [n of the last slot]
  std::size_t reordered_at = 0, listed_at = 0;  // float[largest n]: of one slot's inputs, used at once

 private:
  void plan_memory();
};

}  // namespace apical::runtime
