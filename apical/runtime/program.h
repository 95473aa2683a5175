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
  std::vector<float> weight, bias;  // as the plan's kernel wants them; affine: scale and shift of each element
  std::size_t tensor_elements = 0;  // of its weight and bias in the graph
  std::size_t biases = 0;
  kernels::Lif lif;
  std::vector<float> decay;  // [], [1] or [n]
  graph::ReadoutKind readout{};
  std::size_t state_at = 0;  // first element in State::values
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
};

}  // namespace apical::runtime
