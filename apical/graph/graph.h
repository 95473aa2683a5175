#pragma once
// A network as a value: the only thing runtime, energy and exchange know of it.
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "apical/data/encoders.h"
#include "apical/graph/floats.h"
#include "apical/kernels/neurons/models.h"
#include "apical/kernels/neurons/two_point.h"

namespace apical::graph {

using Shape = std::vector<std::int64_t>;  ///< of one sample at one step, channel first: [C, H, W] or [N]

struct Tensor {
  Shape shape;
  Floats values;  ///< row-major
};

// Operations. Weights are named tensors of Graph::tensors.
struct Input {};             ///< the encoded frame of the step
struct Conv2d {              ///< y[o] = bias[o] + sum w[o, i/groups, kh, kw] * x
  std::string weight, bias;  ///< [O, I/groups, KH, KW], [O] (bias may be "")
  int stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, groups = 1;
};
struct Linear {
  std::string weight, bias;
};  ///< [O, I], [O] (bias may be "")
struct AvgPool2d {
  int kernel = 2, stride = 2;
};
struct MaxPool2d {
  int kernel = 2, stride = 2;
};
struct Flatten {};
struct Affine {
  std::string scale, shift;
};               ///< per channel (a norm that was not folded): [C], [C]
struct Neuron {  ///< stateful: one membrane value an element
  kernels::Lif lif;
  kernels::Surrogate surrogate;  ///< not used by the runtime; kept so that a model can be trained on
  std::string decay;             ///< per-neuron or one-element decay tensor (learnt tau); "" = lif.decay
};
struct Add {};                                        ///< sum of its inputs
enum class ReadoutKind { rate, max_membrane, last };  ///< mean over T of the input; max over T; value at the last step
struct Readout {
  ReadoutKind kind = ReadoutKind::rate;
};
struct Slice {  ///< elements begin .. begin + size - 1 of an input [N]: one stream of several
  std::int64_t begin = 0, size = 1;
};
struct Concat {};    ///< its inputs [N] one behind the other
struct Tanh {};      ///< what a two-point cell shows the others of its receptive field
struct TwoPoint {    ///< cells without state; inputs: receptive field and, if there is one, context (the sum of its fields), of one shape
  kernels::TwoPoint cell;
};
using NeuronModel = std::variant<kernels::Cuba, kernels::Alif, kernels::RefractoryLif, kernels::MultiLif>;
struct SpikingNeuron {  ///< neurons of kernels/neurons/models.h; stateful: their kStates floats an element. A MultiLif sends counts, 0..levels
  NeuronModel model;
  kernels::Surrogate surrogate;  ///< as of a Neuron; a MultiLif reads none
};
struct SlidingNeuron {  ///< kernels/neurons/sliding.h; stateful: its last K - 1 inputs, oldest first
  std::string weights;  ///< [K], K <= kernels::max_window
  float v_th = 1;
  kernels::Surrogate surrogate;
};
struct Attention {  ///< inputs: Q, K and V [F, H, W], each of the H W places a token: heads of softmax(Q K^T / sqrt(F / heads)) V, [F, H, W]; H W <= 8192
  int heads = 1;    ///< divides F: head i has the channels i F / heads and on
};

using Op = std::variant<Input, Conv2d, Linear, AvgPool2d, MaxPool2d, Flatten, Affine, Neuron, Add, Readout, Slice, Concat, Tanh, TwoPoint,
                        SpikingNeuron, SlidingNeuron, Attention>;
/// By the alternatives of Op.
inline constexpr const char* op_names[] = {"input",   "conv2d", "linear", "avg_pool2d", "max_pool2d", "flatten",        "affine",        "neuron", "add",
                                           "readout", "slice",  "concat", "tanh",       "two_point",  "spiking_neuron", "sliding_neuron", "attention"};
static_assert(std::variant_size_v<Op> == std::size(op_names));
std::string op_name(const Op& op);  ///< "conv2d"

struct Node {
  std::string name;
  Op op;
  /// Names of earlier nodes; exactly one except Input (none), Add and Concat (two or more), TwoPoint (one or two), Attention (three).
  std::vector<std::string> inputs;
  Shape shape;                      ///< of the output; filled by infer_shapes
};

using data::Encoder;     ///< how a sample becomes T frames
using data::Preprocess;  ///< from stored sample to the values of a frame

/// What makes a graph's weights integers (quantise.h, integer.h): weight = q * 2^-exponent, |q| <= 2^(bits - 1) - 1.
struct Integer {
  int bits = 8;                          ///< 8 or 4
  int input_exponent = 0;                ///< inputs are int8 numbers times 2^-input_exponent
  std::map<std::string, int> exponents;  ///< of every weight tensor
};
inline constexpr int max_exponent = 60;  ///< of |exponent|: floats hold q * 2^-exponent exactly

/// How a weight layer is computed. `event`: each active input adds its weights to the outputs it reaches. `dense`: every output
/// sums all its inputs. Both add in the same order and give the same bits. `automatic`: the runtime decides.
enum class Plan : std::uint8_t { automatic, dense, event };

struct Graph {
  int schema = 1;
  std::string name;         ///< e.g. "digits"
  std::vector<Node> nodes;  ///< in order of execution; the last is the output
  std::map<std::string, Tensor> tensors;
  Shape input_shape;                 ///< [C, H, W]
  std::string input_kind = "image";  ///< image | events | audio | features (numbers made by a front end, fed as they are)
  int T = 4;                         ///< steps a sample
  Preprocess preprocess;
  Encoder encoder;
  std::vector<std::string> classes;
  std::map<std::string, double> densities;  ///< measured share of nonzero inputs per weight layer, by node name (for plans)
  std::map<std::string, Plan> plans;        ///< of weight layers, dense or event, as measured (runtime/tune.h); the others are automatic
  std::optional<Integer> integer;           ///< of a quantised graph
};

/// Whether validate also looks at the tensors' values, or at their shapes alone (a graph read from JSON, before the tensors).
enum class Values { required, shapes_only };

/// Checks names, order, tensors, attributes, T, decay and v_th, and fills every shape; data error naming the node or tensor.
/// Sizes are bounded: at most 4096 nodes, 2^26 elements a node or tensor, 2^28 all nodes, T <= 65536.
void validate(Graph& graph, Values values = Values::required);
/// Folds every Affine that follows (or, where padding allows, precedes) a Conv2d or Linear into its weights, in float64, also
/// through AvgPool2d and Flatten, where that is exact: nothing else may read what lies between. The others stay. Tensors that two
/// nodes share are copied first; tensors nobody reads any more are dropped. The graph must be valid and stays valid.
void fold_affine(Graph& graph);

/// Product of the dimensions.
std::int64_t elements(const Shape& shape) noexcept;
std::string shape_text(const Shape& shape);  ///< "[16, 28, 28]"
/// The node of that name; data error with a did-you-mean.
const Node& node(const Graph& graph, const std::string& name);
/// Name of the weight tensor of a Conv2d or Linear; "" of others.
std::string weight_name(const Op& op);
/// Names of the tensors a node reads.
std::vector<std::string> tensor_names(const Op& op);
/// Whether it fires: Neuron, SpikingNeuron, SlidingNeuron.
bool is_neuron(const Op& op);
/// Whether it sends numbers of spikes, not only 0 and 1: a SpikingNeuron whose model is MultiLif.
bool sends_counts(const Op& op);

/// Names of the nodes whose output reaches the network's other than through the context of a two-point cell: the weight layers among them are
/// feed-forward, the others context.
std::set<std::string> feed_forward(const Graph& graph);

/// Floats of state of each output element of a node: 1 of a Neuron or Readout, kStates of a SpikingNeuron, K - 1 of a SlidingNeuron, else 0.
std::int64_t states_per_element(const Graph& graph, const Op& op);
/// State of a session, in floats: [states_per_element, shape] of each node in their order, channel first.
std::size_t state_elements(const Graph& graph);

/// Operations executed for one sample or many, under NeuroBench's names (Yik et al. 2025, "The NeuroBench framework"), and what
/// twins without sparsity would execute. All are whole numbers, so sums do not depend on their order.
///
/// What counts: a synaptic operation is one product of a nonzero activation with a nonzero weight. A step of a weight layer whose
/// nonzero activations are all +-1 counts accumulations, any other counts multiply-accumulates. An Affine that was not folded counts
/// one multiply-accumulate an element, a SlidingNeuron K and one membrane update. Biases, pooling and tanh are not counted, by NeuroBench's rule;
/// a two-point cell that is computed counts one membrane update, and moves no state. Attention counts multiply-accumulates: a product of q and k
/// where both are nonzero, a product with a nonzero v (the weights of a softmax count as nonzero); its dense twin 2 N^2 F of them for N tokens. An
/// input that does not change from
/// one step to the next (direct encoding) is multiplied once and its current reused: it is counted once.
///
/// Bytes moved, float32, no cache assumed beyond one layer's step. A layer run event by event: 4 bytes of weight, and 8 of partial sum
/// (read, write), a synaptic operation, and 4 an event. A dense layer: its weights once a step, its input once (a bit a spike, 4
/// bytes another value), its output once. State: 8 bytes (read, write) a float of it and step; a SlidingNeuron reads K - 1 and writes one.
struct OpCounts {
  double effective_acs = 0;   ///< accumulations with a 0/1 (or +-1) activation and nonzero weight
  double effective_macs = 0;  ///< multiply-accumulates with another activation and nonzero weight
  double dense = 0;           ///< all synaptic operations of the dense twin at T steps
  double membrane_updates = 0;
  double weight_bytes = 0, activation_bytes = 0, state_bytes = 0;  ///< moved, read and written
  double dense_weight_bytes = 0, dense_activation_bytes = 0;       ///< the dense twin at T steps (its state: state_bytes)
  double ann = 0;                                                  ///< MACs of the same network run once, without spikes and time
  double ann_weight_bytes = 0, ann_activation_bytes = 0;
  double active_inputs = 0, inputs = 0;  ///< nonzero and all activations that reached weight layers; 1 - ratio: activation sparsity
  double steps = 0, samples = 0;
  OpCounts& operator+=(const OpCounts& o);
  bool operator==(const OpCounts&) const = default;
};

}  // namespace apical::graph
