#pragma once
// Private to the runtime: a graph laid out for running in float32.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apical/graph/graph.h"
#include "apical/kernels/pool.h"
#include "apical/runtime/dense_conv.h"
#include "apical/runtime/layout.h"

namespace apical::runtime {

/// Where the buffers of a slot lie.
struct BufferPlan {
  std::size_t x = MemoryPlan::none;       // float[n]: values; of bits: 0 and 1, when some reader wants them
  std::size_t bits = MemoryPlan::none;    // uint64[words_per_row(n)]: spikes; of counts, when they are recorded: at least one
  std::size_t list = MemoryPlan::none;    // uint32[n]: indices of the nonzero elements, when some reader wants them
  std::size_t listed = MemoryPlan::none;  // float[n]: values of those, unless they are spikes
  std::size_t padded = MemoryPlan::none;  // float[]: input of a dense convolution with its border, which stays zero
  std::size_t starts = MemoryPlan::none;  // uint32[H * W + 1]: of an event convolution, where the events of each pixel begin in the list
};

/// A node, ready to run.
struct Slot : NodeSlot {
  std::string op;
  bool spikes = false;                            // the output is bits
  bool event = false;                             // plan of a weight layer
  bool wants_floats = false, wants_list = false;  // some reader needs this form of the output too
  DenseConv conv;
  // As the plan's kernel wants them; affine: scale and shift of each element. What the kernel wants as the model holds it stays in
  // place in a mapped file: biases of linear and event layers, decays.
  Lines<float> weight;
  graph::Floats bias;
  Lines<kernels::Bfloat16> half;  // instead of weight, where the model's are all bfloat16 numbers (not of a dense convolution)
  double weight_size = 4;               // bytes that a weight of the model needs
  std::size_t weights = 0;              // in the graph; of an affine too
  std::size_t biases = 0;
  kernels::Lif lif;
  graph::Floats decay;  // [], [1] or [n]
  graph::NeuronModel model;  // of a spiking_neuron
  graph::Floats window;      // weights of a sliding_neuron
  float v_th = 1;
  kernels::TwoPoint cell;
  std::size_t begin = 0;  // of a slice
  std::size_t heads = 1;
  BufferPlan at;
  // Counting: of each input element, the synapses it reaches, and those of them with a nonzero weight.
  std::vector<std::uint32_t> reach, fan;
  double synapses = 0;  // sum of reach
};

class Program : public ProgramOf<Slot> {
 public:
  Program(const graph::Graph& graph, const Options& options);

  std::size_t values_at = 0, frame_at = 0, output_at = 0;        // float[state_size], [frame_size], [n of the last slot]
  std::size_t reordered_at = 0, ordered_at = 0;  // float[largest n]: of one slot's inputs, used at once

 private:
  void plan_memory();
};

}  // namespace apical::runtime
