#pragma once
// Two-point cells in feature maps: a convolution whose maps are modulated by their surroundings.
//   R = conv(x; W_R) + b_R                    receptive
//   P = conv(own; W_P), no cell its own       proximal: the other maps and places of this layer within 1x1 or 3x3 ...
//   D = conv(distal; W_D)                     distal: maps of the same size, e.g. of the other modality
//   U = W_U u, the same at every place        universal: one vector for the whole network
//   h = output(T(R, c_max tanh((P + D + U + b_C) / c_max)))
// Shown to others: tanh(R), or with more iterations tanh(h) of the iteration before. The form is our reading of Adeel et al. (two_point.h),
// carried over to maps.
#include "apical/nn/two_point.h"

namespace apical::nn {

struct TwoPointConvOptions {
  std::int64_t in = 1, maps = 1, kernel = 3, stride = 1, padding = 1;  ///< of the receptive field
  std::int64_t context_kernel = 3;   ///< of P and D, odd
  bool proximal = true;
  std::int64_t distal = 0;           ///< maps of the distal context; 0: no such field
  std::int64_t universal = 0;        ///< K; 0: no such field
  std::int64_t iterations = 1;       ///< of run()
  kernels::TwoPoint cell;
};

/// Weights start as those of TwoPointLayer. Usage errors: sizes < 1, an even context kernel, c_max not > 0.
class TwoPointConvImpl : public LayerImpl {
 public:
  TwoPointConvImpl(std::string label, const TwoPointConvOptions& options, std::uint64_t seed);

  /// R [B, maps, H, W] of x [B, in, ...].
  torch::Tensor receptive(const torch::Tensor& x) const;
  /// P + D + U + b_C of own [B, maps, H, W], distal [B, distal, H, W] and u [B, K]; an undefined source is 0. Undefined without fields.
  torch::Tensor context(const torch::Tensor& own, const torch::Tensor& distal, const torch::Tensor& u) const;
  torch::Tensor respond(const torch::Tensor& r, const torch::Tensor& context) const { return two_point(o_.cell, r, context); }

  /// In place of a convolution: proximal context only, as TwoPointLayer::run.
  Sequence run(const Sequence& x, torch::Tensor*) override;
  std::string lower(graph::Graph& graph, const std::string& input) const override;

  bool has_context() const noexcept { return o_.proximal || o_.distal > 0 || o_.universal > 0; }

 private:
  torch::Tensor proximal_weight() const { return proximal_ * others_; }

  TwoPointConvOptions o_;
  torch::Tensor receptive_, bias_, proximal_, distal_, universal_, context_bias_, others_;
};

}  // namespace apical::nn
