#pragma once
// Neurons of several states or other outputs as layers: current-based, adaptive, refractory and integer LIF on the fused scan of
// kernels/neurons/neuron_scan.h (equations: models.h beside it), and the sliding parallel spiking neuron (sliding.h there).
#include "apical/nn/neuron.h"

namespace apical::nn {

/// Spikes of a layer for a whole sequence, of a MultiLif numbers of spikes, with the surrogate gradient.
/// x: [T*B, ...] or [B, ...] (constant); state before the first step: [kStates, B, ...], undefined = 0; params: undefined, or [kParams] values for
/// all neurons in the model's order, which may learn. Returns {spikes [T*B, ...], state after the last step}; usage error for a state of
/// another shape. For backward x alone is kept: states are computed again.
std::pair<torch::Tensor, torch::Tensor> neuron_scan(const Sequence& x, const torch::Tensor& state, const torch::Tensor& params,
                                                    const graph::NeuronModel& model, const kernels::Surrogate& surrogate);

/// The same of a window over the input. past: [K - 1, B, ...], oldest first, undefined = 0, a constant to gradients; weights: [K], the first for
/// the input of the same step; v_th: [1]. Returns {spikes, past of the next step}.
std::pair<torch::Tensor, torch::Tensor> sliding_scan(const Sequence& x, const torch::Tensor& past, const torch::Tensor& weights, const torch::Tensor& v_th,
                                                     const kernels::Surrogate& surrogate);

/// What the four layers below have in common. Their state is [kStates, B, ...].
class ModelNodeImpl : public LayerImpl {
 public:
  Sequence run(const Sequence& x, torch::Tensor* state) override;
  bool has_state() const override { return true; }
  void detach_temporal(bool on) override;
  std::string lower(graph::Graph& graph, const std::string& input) const override;

 protected:
  /// learn: 1/tau = sigmoid(w), one w for each tau of a layer, in the model's order of parameters; each must start above 1 then.
  ModelNodeImpl(const graph::NeuronModel& model, const kernels::Surrogate& surrogate, const std::vector<double>& taus, bool learn);

 private:
  torch::Tensor params() const;
  graph::NeuronModel model_;
  kernels::Surrogate surrogate_;
  torch::Tensor w_;
};

// Usage errors of all: as LIFNode's; a tau below 1, or not above 1 where it learns.

/// i[t] = (1 - 1/tau_syn) i[t-1] + x[t] drives the LIF neuron of `options`.
class CubaLIFImpl : public ModelNodeImpl {
 public:
  CubaLIFImpl(const NeuronOptions& options, double tau_syn, bool learn = false);
};

/// Each spike raises the threshold by beta, which falls back with 1 - 1/tau_adapt a step. Usage error: beta < 0.
class AdaptiveLIFImpl : public ModelNodeImpl {
 public:
  AdaptiveLIFImpl(const NeuronOptions& options, double tau_adapt, double beta, bool learn = false);
};

/// LIF that rests for `steps` steps after each spike. Usage error: steps outside 0 .. 2^24 - 1.
class RefractoryLIFImpl : public ModelNodeImpl {
 public:
  RefractoryLIFImpl(const NeuronOptions& options, std::int64_t steps, bool learn = false);
};

/// Sends 0 .. levels spikes at once. Of `options` tau and detach_reset count: a spike stands for a membrane of 1, the input is not scaled, the
/// gradient goes straight through. Usage error: levels outside 1 .. 255.
class IntegerLIFImpl : public ModelNodeImpl {
 public:
  IntegerLIFImpl(const NeuronOptions& options, std::int64_t levels, bool learn = false);
};

/// s[t] = 1 where the sum of weights[k] x[t-k] over k < window reaches v_th. Weights, which start at 1, 1/2, 1/4, .., and v_th learn: one set a
/// layer. Its state is the last inputs, [window - 1, B, ...]. Usage error: window outside 1 .. 1024, a surrogate without width.
/// Source: as kernels/neurons/sliding.h.
class SlidingPSNImpl : public LayerImpl {
 public:
  SlidingPSNImpl(std::int64_t window, double v_th, const kernels::Surrogate& surrogate);
  Sequence run(const Sequence& x, torch::Tensor* past) override;
  bool has_state() const override { return true; }
  std::string lower(graph::Graph& graph, const std::string& input) const override;

 private:
  kernels::Surrogate surrogate_;
  torch::Tensor weights_, v_th_;
};

TORCH_MODULE(CubaLIF);
TORCH_MODULE(AdaptiveLIF);
TORCH_MODULE(RefractoryLIF);
TORCH_MODULE(IntegerLIF);
TORCH_MODULE(SlidingPSN);

}  // namespace apical::nn
