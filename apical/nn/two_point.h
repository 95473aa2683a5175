#pragma once
// A layer of two-point cells (kernels/neurons/two_point.h): what the layer below sends is its receptive field R, and three fields of
// context say how much of it is sent on.
//   R = W_R x + b_R                       receptive: the layer below                       [B, H]
//   P = W_P own, diagonal of W_P zero     proximal: the other cells of this layer          own [B, H]
//   D = W_D distal                        distal: cells of other layers, e.g. of the other modality   distal [B, H']
//   U = W_U u                             universal: one vector for the whole network      u [B, K]
//   h = output(T(R, c_max tanh((P + D + U + b_C) / c_max)))
// A cell shows tanh(R) to the others (`shown`), or with more iterations tanh(h) of the iteration before.
// Source of the fields: Adeel et al., IEEE TETCI 2023, arXiv 2211.01950; the exact form is our reading.
#include <vector>

#include "apical/kernels/neurons/two_point.h"
#include "apical/nn/layer.h"

namespace apical::nn {

struct TwoPointOptions {
  std::int64_t inputs = 1, cells = 1;  ///< widths of x and h
  bool proximal = true;
  std::int64_t distal = 0;     ///< width of the distal context; 0: no such field
  std::int64_t universal = 0;  ///< K; 0: no such field
  std::int64_t iterations = 1; ///< of run(): the proximal field is that of the cells themselves one iteration before
  kernels::TwoPoint cell;
};

/// h = output(T(r, c_max tanh(context / c_max))), fused, with gradients; context may be undefined (C = 0). Shapes equal.
torch::Tensor two_point(const kernels::TwoPoint& cell, const torch::Tensor& r, const torch::Tensor& context);
/// Usage error naming `label` when c_max is not > 0.
void check_cell(const kernels::TwoPoint& cell, const std::string& label);
/// tanh(x): what a cell shows.
torch::Tensor shown(const torch::Tensor& x);

enum class Field : std::uint8_t { receptive, proximal, distal, universal, shared };  ///< shared: what makes u
/// One product of a forward pass: for counting synapses, layer by layer.
struct Transmission {
  std::string node;  ///< name of the Linear in the graph
  Field field = Field::receptive;
  bool from_cells = true;  ///< false where the source is an input of the network
  torch::Tensor source, weight;  ///< [B, in], [out, in]
};

/// Weights start from Philox streams named by `label`: W_R Kaiming-uniform with bound 1 / sqrt(inputs), as every layer here, biases 0, context
/// normal with std 0.1 / sqrt(fan-in), so that the layer starts near T(R, 0). Usage errors: sizes < 1, c_max not > 0.
class TwoPointLayerImpl : public LayerImpl {
 public:
  TwoPointLayerImpl(std::string label, const TwoPointOptions& options, std::uint64_t seed);

  /// R of x [B, inputs].
  torch::Tensor receptive(const torch::Tensor& x, std::vector<Transmission>* sent = nullptr) const;
  /// P + D + U + b_C; undefined where the layer has no context field. A field whose source is undefined is 0 (a modality that is
  /// missing). Usage error naming the field for a source of another width. `suffix` goes behind the nodes' names.
  torch::Tensor context(const torch::Tensor& own, const torch::Tensor& distal, const torch::Tensor& u, std::vector<Transmission>* sent = nullptr,
                        const std::string& suffix = "") const;
  torch::Tensor respond(const torch::Tensor& r, const torch::Tensor& context) const { return two_point(o_.cell, r, context); }

  /// The layer alone, in place of a dense one: proximal context only (a layer that was made with others runs as if they were missing).
  Sequence run(const Sequence& x, torch::Tensor*) override;
  std::string lower(graph::Graph& graph, const std::string& input) const override;

  /// The nodes of receptive(), and of context() and respond() for sources that are nodes ("" = missing).
  std::string lower_receptive(graph::Graph& graph, const std::string& input) const;
  /// W_P own + b_C as a node.
  std::string lower_proximal(graph::Graph& graph, const std::string& own) const;
  std::string lower_response(graph::Graph& graph, const std::string& r, const std::string& own, const std::string& distal, const std::string& u,
                             const std::string& suffix = "") const;

  const TwoPointOptions& options() const noexcept { return o_; }
  bool has_context() const noexcept { return o_.proximal || o_.distal > 0 || o_.universal > 0; }
  torch::Tensor proximal_weight() const;  ///< without its diagonal; only where there is such a field

 private:

  TwoPointOptions o_;
  torch::Tensor receptive_, bias_, proximal_, distal_, universal_, context_bias_, others_;
};

}  // namespace apical::nn
