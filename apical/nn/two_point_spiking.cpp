#include "apical/nn/two_point_spiking.h"

#include "apical/base/error.h"

namespace apical::nn {
namespace {

using torch::Tensor;

struct Apex : LIFNodeImpl {
  explicit Apex(const NeuronOptions& o) : LIFNodeImpl(o) { lif_.reset = kernels::Reset::none; }
};

TwoPointOptions weights_of(const SpikingTwoPointOptions& o) {
  TwoPointOptions w;
  w.inputs = o.inputs, w.cells = o.cells, w.proximal = o.proximal, w.distal = o.distal;
  return w;
}

}  // namespace

SpikingTwoPointImpl::SpikingTwoPointImpl(std::string name, const SpikingTwoPointOptions& o, std::uint64_t seed) : o_(o) {
  label = std::move(name);
  if (!o.proximal && o.distal == 0) throw usage_error("spiking two-point cells need a field of context: without one the apex never opens", label);
  weights_ = std::make_shared<TwoPointLayerImpl>(label, weights_of(o), seed);
  register_module("weights", weights_);
  soma_ = std::make_shared<LIFNodeImpl>(o.soma);
  apex_ = std::make_shared<Apex>(o.apex);
  soma_->label = label + ".soma", apex_->label = label + ".apex";
}

SpikingTwoPointImpl::Response SpikingTwoPointImpl::respond(const Sequence& x, const Tensor& distal, Tensor* v) {
  Tensor of_soma, of_apex;
  if (v && v->defined()) of_soma = (*v)[0], of_apex = (*v)[1];
  const Sequence r{weights_->receptive(x.frames), x.T, x.constant};
  const auto s = soma_->run(r, &of_soma).frames;
  auto context = weights_->context(s, distal, {});
  if (!context.defined()) context = torch::zeros_like(s);  // its only source is missing
  const auto a = apex_->run({context, x.T, false}, &of_apex).frames;
  if (v) *v = at::stack({of_soma, of_apex});
  return {s * a, s, a};
}

std::string SpikingTwoPointImpl::lower(graph::Graph& graph, const std::string& input) const {
  if (!o_.proximal) throw usage_error("a layer that only has distal context cannot be exported alone", label);
  const std::string soma = soma_->lower(graph, weights_->lower_receptive(graph, input));
  const std::string apex = apex_->lower(graph, weights_->lower_proximal(graph, soma));
  // s a as a two-point cell: T = s + C, C = 0 where a = 1 and 3 tanh(-10 / 3) < -1 where a = 0.
  constexpr float far = 10;
  const std::string scale = label + ".closed.scale", shift = label + ".closed.shift";
  graph.tensors[scale] = graph_tensor(torch::full({o_.cells}, far));
  graph.tensors[shift] = graph_tensor(torch::full({o_.cells}, -far));
  const std::string closed = add_node(graph, label + ".closed", graph::Affine{scale, shift}, {apex});
  return add_node(graph, label, graph::TwoPoint{{kernels::Mtf::add, kernels::TwoPointOutput::relu6, 3.0f}}, {soma, closed});
}

}  // namespace apical::nn
