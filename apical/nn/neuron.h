#pragma once
// Spiking neuron layers on the fused scan over time (kernels/neurons/scan.h). The equation is in kernels/neurons/lif.h.
#include <optional>

#include "apical/kernels/neurons/lif.h"
#include "apical/nn/layer.h"

namespace apical::nn {

/// Spikes of a layer of LIF neurons for a whole sequence, with the surrogate gradient.
/// x: [T*B, ...] or [B, ...] (constant); v: membrane before the first step, [B, ...], undefined = 0; decay: undefined or a
/// one-element tensor that learns. Returns {spikes [T*B, ...] as 0/1, membrane after the last step [B, ...]}.
/// For backward nothing but x (already kept by whatever made it) is saved: the membrane is computed again.
/// pool > 1 (images only): instead of the spikes their averages over pool x pool windows, each beside the next. The same bits as an
/// average pool behind the spikes gives, but those are never stored as floats.
/// fired: not null, the number of spikes is written there.
/// own_x: nobody else reads x any more, nor does the backward of what made it (a product or a convolution does not). dL/dx is then written
/// over x: backward needs no memory of its own. Not where the graph is kept for another backward (retain_graph), nor where x is constant.
std::pair<torch::Tensor, torch::Tensor> lif_scan(const Sequence& x, const torch::Tensor& v, const torch::Tensor& decay,
                                                 const kernels::Lif& lif, const kernels::Surrogate& surrogate, std::int64_t pool = 1,
                                                 std::uint64_t* fired = nullptr, bool own_x = false);

struct NeuronOptions {
  double tau = 2.0;                ///< membrane time constant in steps, >= 1; decay = 1 - 1/tau
  double v_th = 1.0;
  std::optional<double> v_reset;   ///< hard reset to this value; without it soft reset (subtract v_th)
  bool decay_input = false;        ///< x is scaled by 1/tau (not without a leak)
  bool detach_reset = true;
  bool detach_temporal = false;    ///< no gradient through the membrane of the step before (SLTT)
  kernels::Surrogate surrogate{kernels::SurrogateKind::triangle, 1.0f, 1.0f};
};

/// 1 - 1/tau; usage error naming the key where tau < 1.
double decay_of_tau(double tau, const char* key = "tau");
/// Usage error for a surrogate without width.
void check_surrogate(const kernels::Surrogate& surrogate);
/// The neuron of these options with that decay. Usage errors: v_th not > 0, a surrogate without width.
kernels::Lif make_lif(const NeuronOptions& options, double decay);

/// Leaky integrate-and-fire: h[t] = (1 - 1/tau) v[t-1] + x[t] (or + x[t]/tau), spike at h >= v_th, reset in the same step.
class LIFNodeImpl : public LayerImpl {
 public:
  explicit LIFNodeImpl(const NeuronOptions& options);
  Sequence run(const Sequence& x, torch::Tensor* v) override { return fire(x, v, 1, nullptr); }
  /// run with the last three arguments of lif_scan.
  Sequence fire(const Sequence& x, torch::Tensor* v, std::int64_t pool, std::uint64_t* fired, bool own_x = false);
  /// The same behind the layer `before` without its currents kept; for neurons whose decay does not learn. With gradients they are made
  /// again (recompute.h), if `recompute` says so. Nothing where they have to be kept.
  std::optional<Sequence> fire_behind(const std::shared_ptr<LayerImpl>& before, const Sequence& x, torch::Tensor* v, std::uint64_t* fired,
                                      bool recompute);
  bool fixed() const { return !decay().defined(); }  ///< nothing of the neuron learns
  bool has_state() const override { return true; }
  std::string lower(graph::Graph& graph, const std::string& input) const override;
  const kernels::Lif& lif() const noexcept { return lif_; }
  void detach_temporal(bool on) override { lif_.detach_temporal = on; }

 protected:
  LIFNodeImpl(const NeuronOptions& options, double decay);
  virtual torch::Tensor decay() const { return {}; }  ///< a learnt decay, or undefined
  kernels::Lif lif_;
  kernels::Surrogate surrogate_;
};

/// Integrate-and-fire: no leak.
class IFNodeImpl : public LIFNodeImpl {
 public:
  explicit IFNodeImpl(const NeuronOptions& options) : LIFNodeImpl(options, 1.0) {}
};

/// LIF with one learnt time constant a layer: 1/tau = sigmoid(w) (Fang et al., ICCV 2021, eq. 9), w starts at the tau given.
class ParametricLIFNodeImpl : public LIFNodeImpl {
 public:
  explicit ParametricLIFNodeImpl(const NeuronOptions& options);
  std::string lower(graph::Graph& graph, const std::string& input) const override;

 protected:
  torch::Tensor decay() const override { return 1.0 - torch::sigmoid(w_); }

 private:
  torch::Tensor w_;
};

TORCH_MODULE(LIFNode);
TORCH_MODULE(IFNode);
TORCH_MODULE(ParametricLIFNode);

}  // namespace apical::nn
