#pragma once
// Layers without a membrane: convolution, dense, norm, pooling, flatten, dropout.
#include <optional>

#include "apical/base/philox.h"
#include "apical/kernels/neurons/lif.h"
#include "apical/nn/layer.h"

namespace apical::nn {

struct ConvOptions {
  std::int64_t in = 1, out = 1, kernel = 3, stride = 1, padding = 1, groups = 1;
  bool bias = false;
};
/// 2-D convolution of every frame. Weights start Kaiming-uniform (gain 1/sqrt(fan_in)) from a Philox stream named by `label`.
class ConvImpl : public LayerImpl {
 public:
  ConvImpl(std::string label, const ConvOptions& options, std::uint64_t seed);
  Sequence run(const Sequence& x, torch::Tensor*) override;
  std::string lower(graph::Graph& graph, const std::string& input) const override;

 private:
  ConvOptions o_;
  torch::Tensor weight_, bias_;
};

/// y = x W^T + b, W [out, in]; started like Conv. A layer of 65,536 weights and more whose input is spikes, few of them and in many rows,
/// runs event by event, with the sums of the runtime in the same order; so does the gradient of its weights, for which the spikes are kept as bits.
class DenseImpl : public LayerImpl {
 public:
  static constexpr double event_density = 0.10;   ///< share of ones above which the product is taken
  static constexpr std::size_t event_rows = 1024;  ///< fewer rows (steps times batch) do not pay for laying out the weights anew
  DenseImpl(std::string label, std::int64_t in, std::int64_t out, bool bias, std::uint64_t seed);
  Sequence run(const Sequence& x, torch::Tensor*) override;
  /// Without gradients and where run() would go event by event: the spikes of LIF neurons behind this layer and their last membranes, from
  /// membranes v (undefined: 0), without the currents between them; the bits are those of run() and lif_scan(). Else nothing.
  /// fired: not null, the number of spikes is written there.
  std::optional<std::pair<torch::Tensor, torch::Tensor>> spikes_behind(const Sequence& x, const torch::Tensor& v, const kernels::Lif& lif,
                                                                       std::uint64_t* fired) const;
  bool add_gradients(const torch::Tensor& frames, const torch::Tensor& grad_out, std::vector<torch::Tensor>& sums,
                     torch::Tensor* grad_frames) const override;
  std::string lower(graph::Graph& graph, const std::string& input) const override;

 private:
  torch::Tensor few_spikes(const torch::Tensor& frames) const;
  torch::Tensor weight_, bias_;
};

/// Where batch norm takes its statistics from.
enum class Stats {
  sequence,  ///< over time, batch and space at once
  step       ///< over batch and space, each step for itself; the running statistics move once a step
};
/// Batch normalisation per channel (Ioffe & Szegedy 2015); with running statistics in evaluation and in the graph.
class BatchNormImpl : public LayerImpl {
 public:
  BatchNormImpl(std::string label, std::int64_t channels, Stats stats, double momentum = 0.1, double eps = 1e-5);
  Sequence run(const Sequence& x, torch::Tensor*) override;
  bool mixes_time() const override { return stats_ == Stats::sequence; }
  std::string lower(graph::Graph& graph, const std::string& input) const override;

 private:
  torch::Tensor normalise(const torch::Tensor& x, double momentum);
  Stats stats_;
  double momentum_, eps_;
  torch::Tensor weight_, bias_, mean_, var_;
};

/// Average or maximum over k x k windows of every frame.
class PoolImpl : public LayerImpl {
 public:
  PoolImpl(std::string label, bool maximum, std::int64_t kernel, std::int64_t stride);
  /// Width of the windows of an average where each lies beside the next; else 1.
  std::int64_t average_of_tiles() const noexcept { return !maximum_ && kernel_ == stride_ ? kernel_ : 1; }
  Sequence run(const Sequence& x, torch::Tensor*) override;
  std::string lower(graph::Graph& graph, const std::string& input) const override;

 private:
  bool maximum_;
  std::int64_t kernel_, stride_;
};

class FlattenImpl : public LayerImpl {
 public:
  explicit FlattenImpl(std::string label);
  Sequence run(const Sequence& x, torch::Tensor*) override;
  std::string lower(graph::Graph& graph, const std::string& input) const override;
};

/// Dropout with one mask a sample for all T steps. The mask is a function of (seed, label, step number of the training), so
/// that a resumed run draws the same one.
class DropoutImpl : public LayerImpl {
 public:
  DropoutImpl(std::string label, double p, std::uint64_t seed);
  Sequence run(const Sequence& x, torch::Tensor*) override;
  std::string lower(graph::Graph& graph, const std::string& input) const override;
  void training_step(std::uint64_t step) noexcept { step_ = step; }

 private:
  double p_;
  std::uint64_t seed_, step_ = 0;
};

}  // namespace apical::nn
