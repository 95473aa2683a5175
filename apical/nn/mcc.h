#pragma once
// A network of two-point cells: M streams (modalities), each a stack of layers whose cells take the other streams as context.
//   stream m, layer l:   R = W_R h[m][l-1] + b_R
//   proximal             own = tanh(R[m])
//   distal               the mean of tanh(R[k]) over the other streams k that have a layer l
//   universal            u = tanh(W_u [h[0][l-1]; h[1][l-1]; ...] + rho u'), u' = u of the iteration before
//   outputs              scores = W [last h of every stream] + b
// With more iterations than one, P, D and u are made anew from h of the iteration before (an asynchronous context).
// With no context field and transfer function `add` it is one plain perceptron a stream.
// Source: Adeel et al., "Unlocking the potential of two-point cells ...", IEEE TETCI 2023, arXiv 2211.01950; wiring and sizes are our
// reading of it.
#include <string>
#include <utility>
#include <vector>

#include "apical/nn/two_point.h"

namespace apical::nn {

struct MccSpec {
  std::vector<std::int64_t> inputs;            ///< width of each stream's input
  std::vector<std::int64_t> layers;            ///< depth of each stream, >= 1; one number: of all of them
  std::int64_t cells = 128;                    ///< H
  std::int64_t outputs = 10;
  bool proximal = true, distal = true, universal = true;  ///< fields; distal is nothing with one stream
  std::int64_t universal_width = 0;            ///< K; 0: H / 4
  std::int64_t iterations = 1;
  double rho = 0.5;                            ///< of u
  kernels::TwoPoint cell;
};

/// What a pass did, for whoever asks: [stream][layer] of the last iteration; empty tensors of a stream that is missing.
struct MccTrace {
  std::vector<std::vector<torch::Tensor>> r, context, h;
  std::vector<Transmission> sent;  ///< every product, in order of execution; the context's once an iteration
};

/// Which cells live, [stream][layer]: [H] of 0 and 1, or undefined (all). A dead cell sends and shows nothing.
using Survivors = std::vector<std::vector<torch::Tensor>>;

class MccNetworkImpl : public torch::nn::Module {
 public:
  /// Weights are a function of (spec, seed). Usage errors: no stream, sizes < 1, rho outside [0, 1].
  MccNetworkImpl(MccSpec spec, std::uint64_t seed);

  /// Scores [B, outputs] of x[m] [B, inputs[m]]. An undefined x[m] is a missing modality: its cells are silent, and what it would be to
  /// others as context is 0. Usage errors: number of streams, widths, batch sizes that differ (both numbers named), all missing.
  torch::Tensor forward(const std::vector<torch::Tensor>& x, const Survivors* survivors = nullptr, MccTrace* trace = nullptr);

  /// As a graph over the inputs side by side [sum of inputs]; T = 1. Preprocessing and class names are the caller's to add.
  graph::Graph lower(const std::string& name) const;

  const MccSpec& spec() const noexcept { return spec_; }

 private:
  struct Pass;
  std::string lower_universal(graph::Graph& graph, std::int64_t layer, const std::string& below, const std::string& before, const std::string& end) const;
  std::string lower_others(graph::Graph& graph, std::int64_t layer, std::size_t stream, const std::vector<std::string>& own, const std::string& end) const;
  std::string suffix(std::int64_t iteration) const;  // of the nodes' names; the last iteration has none
  std::int64_t depth() const;
  std::vector<std::size_t> streams_of(std::int64_t layer) const;  ///< that have this layer

  MccSpec spec_;
  std::vector<std::vector<std::shared_ptr<TwoPointLayerImpl>>> layers_;  // [stream][layer]
  std::vector<torch::Tensor> shared_;                                    // W_u of each layer
  torch::Tensor head_, head_bias_;
};
TORCH_MODULE(MccNetwork);

/// Synapses that were used in a pass, summed over its samples: a synapse is used when its source is not exactly 0 and its weight is not.
/// These are the multiply-accumulates that the runtime executes for the same inputs.
struct SynapseCounts {
  double inputs = 0;        ///< from inputs of the network to receptive fields
  double feed_forward = 0;  ///< from cells to receptive fields and to the outputs
  double context = 0;       ///< P, D, U and what makes u
  SynapseCounts& operator+=(const SynapseCounts& o);
};
SynapseCounts count_synapses(const MccTrace& trace);
/// Per layer, in the order of Transmission: name of the graph's node and synapses used.
std::vector<std::pair<std::string, double>> synapses_by_node(const MccTrace& trace);
/// "visual2, context" of the first layer with a value that is not finite; "" when there is none.
std::string first_not_finite(const MccTrace& trace);

}  // namespace apical::nn
