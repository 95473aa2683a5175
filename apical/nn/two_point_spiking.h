#pragma once
// Spiking two-point cells: soma and apex are leaky integrators over T steps, and a cell sends something only where both pass their
// thresholds in the same step: a burst.
//   soma    R[t] = W_R x[t] + b_R drives LIF neurons: spikes s[t]
//   apex    C[t] = W_P s[t] + W_D distal[t] + b_C drives a leaky integrator without reset: a[t] = 1 while it is above its threshold
//   burst   h[t] = s[t] a[t]
// Both thresholds have a surrogate, so dh = a ds + s da. Coincidence of the two points: Larkum, Trends in Neurosciences 36, 2013; the form is
// our reading. The context modulates and never drives: without a spike of the soma nothing is sent.
#include "apical/nn/neuron.h"
#include "apical/nn/two_point.h"

namespace apical::nn {

struct SpikingTwoPointOptions {
  std::int64_t inputs = 1, cells = 1;
  bool proximal = true;      ///< W_P: soma spikes of the other cells, in the same step
  std::int64_t distal = 0;   ///< width of the distal context; 0: no such field
  NeuronOptions soma, apex;  ///< the apex never resets: of `apex` tau, v_th, decay_input and the surrogate count
};

class SpikingTwoPointImpl : public LayerImpl {
 public:
  /// Weights start as those of TwoPointLayer. Usage errors: sizes < 1, tau < 1, v_th not > 0, no field of context.
  SpikingTwoPointImpl(std::string label, const SpikingTwoPointOptions& options, std::uint64_t seed);

  struct Response {
    torch::Tensor bursts, soma, apex;  ///< h, s, a: [T*B, cells] of 0 and 1
  };
  /// x [T*B, inputs]; distal: [T*B, width], undefined = 0. v: membranes of soma and apex before the first step and after the last,
  /// [2, B, cells], undefined = 0; null: start at 0 and forget.
  Response respond(const Sequence& x, const torch::Tensor& distal, torch::Tensor* v = nullptr);

  /// The layer alone: bursts, with proximal context only.
  Sequence run(const Sequence& x, torch::Tensor* v) override { return {respond(x, {}, v).bursts, x.T, false}; }
  bool has_state() const override { return true; }
  void detach_temporal(bool on) override { soma_->detach_temporal(on), apex_->detach_temporal(on); }
  std::string lower(graph::Graph& graph, const std::string& input) const override;

 private:
  SpikingTwoPointOptions o_;
  std::shared_ptr<TwoPointLayerImpl> weights_;
  std::shared_ptr<LIFNodeImpl> soma_, apex_;
};

}  // namespace apical::nn
