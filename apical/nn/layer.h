#pragma once
// What every layer of a spiking network does: run on a sequence, say its state, lower itself to the graph.
#include <string>

#include "apical/base/philox.h"
#include "apical/graph/graph.h"
#include "apical/kernels/event_pool.h"
#include "apical/nn/sequence.h"

namespace apical::nn {

class LayerImpl : public torch::nn::Module {
 public:
  /// `v` is the layer's state (membranes [B, ...]; of several states a neuron [states, B, ...]): read and replaced; null or undefined for layers
  /// without state.
  virtual Sequence run(const Sequence& x, torch::Tensor* v) = 0;
  virtual bool has_state() const { return false; }
  /// No gradient through the state of the step before (SLTT).
  virtual void detach_temporal(bool) {}
  /// True when the output at one step depends on inputs of later steps (e.g. statistics over the whole sequence): a rule that
  /// walks step by step refuses such a layer.
  virtual bool mixes_time() const { return false; }
  /// Backward of run(frames), dL/d its output given, without a tensor of the weights' size beside their gradient: adds to `sums` (one a parameter;
  /// undefined: nothing so far) and writes dL/dframes (null: not wanted). False, and nothing done, where autograd has to do it.
  virtual bool add_gradients(const torch::Tensor& /*frames*/, const torch::Tensor& /*grad_out*/, std::vector<torch::Tensor>& /*sums*/,
                             torch::Tensor* /*grad_frames*/) const {
    return false;
  }
  /// Adds this layer's nodes to the graph after node `input`; returns the name of its output node.
  virtual std::string lower(graph::Graph& graph, const std::string& input) const = 0;

  std::string label;  ///< e.g. "conv1": names of nodes, messages, plots
};

/// The shape of a pool without padding over images [B, C, H, W].
kernels::Pool2d pool_shape(at::IntArrayRef sizes, std::int64_t kernel, std::int64_t stride);
/// A tensor as a graph tensor (float32, row-major).
graph::Tensor graph_tensor(const torch::Tensor& t);
/// Adds a node and returns its name.
std::string add_node(graph::Graph& graph, const std::string& name, graph::Op op, std::vector<std::string> inputs);

/// Fresh weights, value after value from the stream: uniform in [-bound, bound), normal with mean 0.
torch::Tensor uniform(const std::vector<std::int64_t>& shape, double bound, Random random);
torch::Tensor normal(const std::vector<std::int64_t>& shape, double deviation, Random random);

}  // namespace apical::nn
