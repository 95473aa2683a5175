#pragma once
// A network as a value: the only thing runtime, energy and exchange know of it.
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "apical/kernels/neurons/lif.h"

namespace apical::graph {

using Shape = std::vector<std::int64_t>;  ///< of one sample at one step, channel first: [C, H, W] or [N]

struct Tensor {
  Shape shape;
  std::vector<float> values;  ///< row-major
};

// Operations. Weights are named tensors of Graph::tensors.
struct Input {};                                              ///< the encoded frame of the step
struct Conv2d {                                               ///< y[o] = bias[o] + sum w[o, i/groups, kh, kw] * x
  std::string weight, bias;                                   ///< [O, I/groups, KH, KW], [O] (bias may be "")
  int stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, groups = 1;
};
struct Linear { std::string weight, bias; };                  ///< [O, I], [O] (bias may be "")
struct AvgPool2d { int kernel = 2, stride = 2; };
struct MaxPool2d { int kernel = 2, stride = 2; };
struct Flatten {};
struct Affine { std::string scale, shift; };                  ///< per channel (a norm that was not folded): [C], [C]
struct Neuron {                                               ///< stateful: one membrane value an element
  kernels::Lif lif;
  kernels::Surrogate surrogate;                               ///< not used by the runtime; kept so that a model can be trained on
  std::string decay;                                          ///< per-neuron or one-element decay tensor (learnt tau); "" = lif.decay
};
struct Add {};                                                ///< sum of its inputs
enum class ReadoutKind { rate, max_membrane, last };          ///< mean over T of the input; max over T; value at the last step
struct Readout { ReadoutKind kind = ReadoutKind::rate; };

using Op = std::variant<Input, Conv2d, Linear, AvgPool2d, MaxPool2d, Flatten, Affine, Neuron, Add, Readout>;
std::string op_name(const Op& op);                            ///< "conv2d"

struct Node {
  std::string name;
  Op op;
  std::vector<std::string> inputs;  ///< names of earlier nodes; exactly one except Input (none) and Add (two or more)
  Shape shape;                      ///< of the output; filled by infer_shapes
};

/// From stored sample to the first node: value = (pixel / 255 - mean[c]) / std[c] for images; events are binned (see encoder).
struct Preprocess {
  std::vector<float> mean, std;     ///< per channel; empty = 0 and 1
};
/// How a sample becomes T frames.
struct Encoder {
  std::string kind = "direct";      ///< direct | rate | latency | delta | population | event_frames (events cut into T equal bins, counts)
  std::uint64_t seed = 0;           ///< of `rate`
  std::map<std::string, double> parameters;  ///< e.g. {"clip": 1} for event_frames: counts are cut at it
};

struct Graph {
  int schema = 1;
  std::string name;                          ///< e.g. "digits"
  std::vector<Node> nodes;                   ///< in order of execution; the last is the output
  std::map<std::string, Tensor> tensors;
  Shape input_shape;                         ///< [C, H, W]
  std::string input_kind = "image";          ///< image | events
  int T = 4;                                 ///< steps a sample
  Preprocess preprocess;
  Encoder encoder;
  std::vector<std::string> classes;
  std::map<std::string, double> densities;   ///< measured share of nonzero inputs per weight layer, by node name (for plans)
};

/// Checks names, order, tensors, attributes, T, decay and v_th, and fills every shape; data error naming the node or tensor.
void validate(Graph& graph);
/// Folds every Affine that follows (or, where padding allows, precedes) a Conv2d or Linear into its weights, in float64.
void fold_affine(Graph& graph);

/// Bytes of state a session needs: one float a neuron element.
std::size_t state_elements(const Graph& graph);

/// Operations executed for one sample or many, under NeuroBench's names. "dense" is what a twin without sparsity would execute.
struct OpCounts {
  double effective_acs = 0;      ///< accumulations with a 0/1 (or +-1) activation and nonzero weight
  double effective_macs = 0;     ///< multiply-accumulates with another activation and nonzero weight
  double dense = 0;              ///< all synaptic operations of the dense twin at T steps
  double membrane_updates = 0;
  double weight_bytes = 0, activation_bytes = 0, state_bytes = 0;  ///< moved, read and written
  double steps = 0, samples = 0;
  OpCounts& operator+=(const OpCounts& o);
};

}  // namespace apical::graph
