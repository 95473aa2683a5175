#pragma once
// A spiking network built from a description, e.g. the [net] table of a TOML file:
//
//   [net.neuron]                # defaults of every neuron layer
//   tau = 2.0
//   [[net.layer]]
//   type = "conv"               # conv dense norm lif if plif cuba_lif adaptive_lif refractory_lif integer_lif sliding_psn pool flatten dropout two_point
//                               # two_point_conv two_point_spiking
//   channels = 16
//
// Layers run one after another on the whole sequence (or on one step of it: T = 1 with the state carried by the caller).
#include <functional>
#include <memory>
#include <variant>

#include "apical/base/config.h"
#include "apical/nn/layers.h"
#include "apical/nn/neuron_models.h"
#include "apical/nn/two_point_conv.h"
#include "apical/nn/two_point_spiking.h"

namespace apical::nn {

struct ConvSpec { std::int64_t channels = 16, kernel = 3, stride = 1, padding = 1, groups = 1; bool bias = false; };
struct DenseSpec { std::int64_t units = 10; bool bias = true; };
struct NormSpec { Stats stats = Stats::sequence; double momentum = 0.1, eps = 1e-5; };
enum class NeuronKind { lif, integrate, parametric, cuba, adaptive, refractory, integer };
struct NeuronSpec {
  NeuronKind kind = NeuronKind::lif;
  NeuronOptions options;
  double tau_syn = 2, tau_adapt = 10, beta = 0.2;  ///< of cuba; of adaptive
  std::int64_t steps = 1, levels = 4;              ///< of refractory; of integer
  bool learn = false;                              ///< the time constants, of those that neuron_models.h makes
};
struct SlidingSpec { std::int64_t window = 4; double v_th = 1; kernels::Surrogate surrogate; };
struct PoolSpec { bool maximum = false; std::int64_t size = 2, stride = 2; };
struct FlattenSpec {};
struct DropoutSpec { double p = 0.5; };
/// Two-point cells in place of a dense layer or a convolution: their context is the layer itself. `in`/`inputs` are not read.
struct TwoPointSpec { TwoPointOptions options; };
struct TwoPointConvSpec { TwoPointConvOptions options; };
struct SpikingTwoPointSpec { SpikingTwoPointOptions options; };
using LayerSpec = std::variant<ConvSpec, DenseSpec, NormSpec, NeuronSpec, SlidingSpec, PoolSpec, FlattenSpec, DropoutSpec, TwoPointSpec, TwoPointConvSpec,
                               SpikingTwoPointSpec>;

struct NetworkSpec {
  std::vector<LayerSpec> layers;
  graph::Shape input;                                       ///< [C, H, W] of one frame
  std::int64_t T = 4;                                       ///< steps a sample
  graph::ReadoutKind readout = graph::ReadoutKind::rate;
  /// Currents of conv and dense layers in front of neurons: made again in backward (recompute.h), or kept until their gradient is written over
  /// them, which is faster.
  bool recompute = false;
};

/// Reads a [net] table; unknown keys, wrong values, T < 1: usage errors naming the layer.
NetworkSpec parse_network(const Config& net, const graph::Shape& input);

/// State of all layers, explicit, as LayerImpl::run has it; undefined before the first step.
using States = std::vector<torch::Tensor>;

class NetworkImpl : public torch::nn::Module {
 public:
  /// Weights are a function of (spec, seed).
  NetworkImpl(NetworkSpec spec, std::uint64_t seed);

  /// Output of the last layer at every step, [T*B, K]. `states` are read and replaced; null: start at 0 and forget.
  /// `tap` is called with (label, spikes, neurons times steps) of every neuron layer; one that sends counts may have more spikes than places.
  using Tap = std::function<void(const std::string&, std::uint64_t, std::uint64_t)>;
  torch::Tensor forward(const Sequence& x, States* states = nullptr, const Tap& tap = {});
  /// Layers begin .. end-1 alone; x and the result are what flows between layers.
  Sequence run(const Sequence& x, std::size_t begin, std::size_t end, States* states = nullptr, const Tap& tap = {});
  /// Number of layers before the first neuron layer: on a constant sequence their output is the same at every step.
  std::size_t stateless_head() const;
  /// Scores [B, K] from the outputs at every step: their mean (rate), maximum over time (max_membrane) or last.
  torch::Tensor readout(const torch::Tensor& steps, std::int64_t T) const;

  const NetworkSpec& spec() const noexcept { return spec_; }
  const std::vector<std::shared_ptr<LayerImpl>>& layers() const noexcept { return layers_; }
  std::int64_t outputs() const noexcept { return outputs_; }
  void detach_temporal(bool on);                  ///< of every neuron layer (SLTT)
  void training_step(std::uint64_t step);         ///< number of the training step, for dropout masks
  /// The network as a graph: norms folded, shapes filled. Preprocessing, encoder and class names are the caller's to add.
  graph::Graph lower(const std::string& name) const;

 private:
  NetworkSpec spec_;
  std::vector<std::shared_ptr<LayerImpl>> layers_;
  std::int64_t outputs_ = 0;
};
TORCH_MODULE(Network);

}  // namespace apical::nn
