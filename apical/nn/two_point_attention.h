#pragma once
// Attention whose queries, keys and values are two-point cells that are each other's context:
//   R_Q = W_Q x + b_Q,  R_K and R_V alike                             x [B, N, F]: N tokens
//   P: the other cells of the same kind and token;  D: the mean of what the cells of the other two kinds show for this token
//   U: u = tanh(W_u mean of the tokens + rho u'), u' = u of the iteration before
//   Q = output(T(R_Q, C_Q)), K and V alike;  n iterations: the fields are made of the iteration before, the first of tanh(R)
//   y = W_O [heads of softmax(Q K^T / sqrt(F / heads)) V] + b_O
// Source: the later papers of Adeel's group (arXiv 2305.10449, 2505.06257) let Q, K, V of the iteration before be the context and a common
// vector the universal one; the exact form is our reading. With `add` and no fields it is attention over relu6(Q), relu6(K), relu6(V).
#include "apical/nn/two_point.h"

namespace apical::nn {

struct TwoPointAttentionOptions {
  std::int64_t width = 64, heads = 4;  ///< F; heads divide it
  bool proximal = true, distal = true, universal = true;
  std::int64_t iterations = 1;
  double rho = 0.5;
  kernels::TwoPoint cell;
};

class TwoPointAttentionImpl : public torch::nn::Module {
 public:
  /// Weights are a function of (label, options, seed). Usage errors: sizes < 1, heads that do not divide the width.
  TwoPointAttentionImpl(const std::string& label, const TwoPointAttentionOptions& options, std::uint64_t seed);

  /// y [B, N, F] of x [B, N, F]. `sent`: every product of the cells, as MccTrace has them (rows: samples times tokens).
  torch::Tensor forward(const torch::Tensor& x, std::vector<Transmission>* sent = nullptr) const;
  /// Q, K, V [B, N, F] alone.
  std::vector<torch::Tensor> cells(const torch::Tensor& x, std::vector<Transmission>* sent = nullptr) const;

  /// Adds its nodes after `input` [F, tokens, 1], the transpose of a sample of x; returns the name of its output, of the same shape. Weights
  /// become convolutions of 1 x 1; what u sends to every token is one whose kernel reaches all of them. The mean of the tokens is a product of
  /// its own, F for each token, that Transmission does not have.
  std::string lower(graph::Graph& graph, const std::string& input, std::int64_t tokens) const;

 private:
  std::string lower_universal(graph::Graph& graph, const std::string& input, const std::string& before, std::int64_t tokens, const std::string& suffix) const;
  std::string lower_cells(graph::Graph& graph, std::size_t kind, const std::string& r, const std::vector<std::string>& own, const std::string& u, std::int64_t tokens,
                          const std::string& suffix) const;
  std::string label_;
  TwoPointAttentionOptions o_;
  std::vector<std::shared_ptr<TwoPointLayerImpl>> kinds_;  // Q, K, V
  torch::Tensor shared_, output_, output_bias_;
};
TORCH_MODULE(TwoPointAttention);

}  // namespace apical::nn
