#include "apical/nn/ei_gradient.h"

#include "apical/base/error.h"
#include "apical/kernels/circuit/ei_walk.h"

namespace apical::nn {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::size_t size_of(std::int64_t n) { return static_cast<std::size_t>(n); }

// A walk of these tensors; in: [T, B, inputs], weights: [inputs + neurons, neurons], all contiguous.
template <class T>
kernels::EiWalk<T> walk(const Tensor& weights, const Tensor& in, const Tensor& constants, std::int64_t excitatory, const EiSurrogate& s) {
  return {.steps = size_of(in.size(0)),
          .trials = size_of(in.size(1)),
          .inputs = size_of(in.size(2)),
          .neurons = size_of(weights.size(1)),
          .excitatory = size_of(excitatory),
          .constants = constants.data_ptr<T>(),
          .weights = weights.data_ptr<T>(),
          .in = in.data_ptr<std::uint8_t>(),
          .height = s.height,
          .width = s.width,
          .detach_reset = s.detach_reset};
}

struct EiSpikes : torch::autograd::Function<EiSpikes> {
  static Tensor forward(AutogradContext* ctx, const Tensor& weights_in, const Tensor& in, const Tensor& constants, std::int64_t excitatory,
                        double height, double width, bool detach_reset) {
    const auto weights = weights_in.detach().contiguous();
    auto spikes = at::empty({in.size(0), in.size(1), weights.size(1)}, weights.options());
    Tensor kept;
    AT_DISPATCH_FLOATING_TYPES(weights.scalar_type(), "ei_spikes", [&] {
      const auto a = walk<scalar_t>(weights, in, constants, excitatory, {height, width, detach_reset});
      if (weights_in.requires_grad()) kept = at::empty({static_cast<std::int64_t>(kernels::ei_kept_size(a))}, weights.options());
      kernels::ei_forward(a, spikes.data_ptr<scalar_t>(), kept.defined() ? kept.data_ptr<scalar_t>() : nullptr);
    });
    // A copy: an optimiser may change the weights before backward is through with them.
    if (kept.defined()) ctx->save_for_backward({weights.clone(), in, constants, kept});
    ctx->saved_data["excitatory"] = excitatory, ctx->saved_data["height"] = height, ctx->saved_data["width"] = width;
    ctx->saved_data["detach_reset"] = detach_reset;
    return spikes;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto& weights = saved[0];
    const auto grad = grads[0].contiguous();
    auto grad_weights = at::empty_like(weights);
    AT_DISPATCH_FLOATING_TYPES(weights.scalar_type(), "ei_spikes", [&] {
      const auto a = walk<scalar_t>(
          weights, saved[1], saved[2], ctx->saved_data["excitatory"].toInt(),
          {ctx->saved_data["height"].toDouble(), ctx->saved_data["width"].toDouble(), ctx->saved_data["detach_reset"].toBool()});
      kernels::ei_backward(a, grad.data_ptr<scalar_t>(), saved[3].data_ptr<scalar_t>(), grad_weights.data_ptr<scalar_t>());
    });
    return {grad_weights, {}, {}, {}, {}, {}, {}};
  }
};

}  // namespace

EiWeights::EiWeights(brain::EiCircuit& circuit) {
  const std::int64_t n = circuit.neurons(), inputs = circuit.inputs();
  input = torch::from_blob(circuit.weights.data(), {inputs, n}).set_requires_grad(true);
  recurrent = torch::from_blob(circuit.weights.data() + inputs * n, {n, n}).set_requires_grad(true);
}

Tensor ei_spikes(const brain::EiCircuit& circuit, const Tensor& weights, const Tensor& in, const EiSurrogate& surrogate) {
  const std::int64_t n = circuit.neurons(), inputs = circuit.inputs();
  if (weights.sizes() != at::IntArrayRef{inputs + n, n} || (weights.scalar_type() != at::kFloat && weights.scalar_type() != at::kDouble))
    throw usage_error("the weights of this circuit are float32 or float64 " + graph::shape_text({inputs + n, n}) + ", not " +
                      graph::shape_text(weights.sizes().vec()));
  if (in.dim() != 3 || in.size(2) != inputs || in.scalar_type() != at::kByte)
    throw usage_error("the input of this circuit is uint8 [T, B, " + std::to_string(inputs) + "], not " +
                      graph::shape_text(in.sizes().vec()));
  if (!(surrogate.width > 0)) throw usage_error("the surrogate has no width");
  const auto constants = at::tensor(circuit.constants(), at::kDouble).to(weights.scalar_type());
  return EiSpikes::apply(weights, in.contiguous(), constants, static_cast<std::int64_t>(circuit.excitatory()), surrogate.height,
                         surrogate.width, surrogate.detach_reset);
}

}  // namespace apical::nn
