#include "apical/nn/two_point_conv.h"

#include <cmath>

#include "apical/base/error.h"

namespace apical::nn {

using torch::Tensor;

TwoPointConvImpl::TwoPointConvImpl(std::string name, const TwoPointConvOptions& o, std::uint64_t seed) : o_(o) {
  label = std::move(name);
  if (o.in < 1 || o.maps < 1 || o.kernel < 1 || o.stride < 1 || o.padding < 0 || o.distal < 0 || o.universal < 0 || o.iterations < 1)
    throw usage_error("maps of two-point cells need inputs, maps, kernel, stride and iterations >= 1", label);
  if (o.context_kernel < 1 || o.context_kernel % 2 == 0)
    throw usage_error("the context needs an odd kernel, not " + std::to_string(o.context_kernel), label, "1: the same place; 3: its neighbours too.");
  check_cell(o.cell, label);
  const auto fan_in = [](std::int64_t maps, std::int64_t kernel) { return static_cast<double>(maps * kernel * kernel); };
  receptive_ = register_parameter("receptive", uniform({o.maps, o.in, o.kernel, o.kernel}, 1.0 / std::sqrt(fan_in(o.in, o.kernel)), Random(seed, label + ".receptive")));
  bias_ = register_parameter("bias", torch::zeros({o.maps}));
  const auto field = [&](const char* which, std::int64_t maps) {
    const auto k = o.context_kernel;
    return register_parameter(which, normal({o.maps, maps, k, k}, 0.1 / std::sqrt(fan_in(maps, k)), Random(seed, label + "." + which)));
  };
  if (o.proximal) {
    proximal_ = field("proximal", o.maps);
    others_ = torch::ones_like(proximal_);
    const auto centre = o.context_kernel / 2;
    for (std::int64_t m = 0; m < o.maps; ++m) others_[m][m][centre][centre] = 0;
  }
  if (o.distal > 0) distal_ = field("distal", o.distal);
  if (o.universal > 0)
    universal_ = register_parameter("universal", normal({o.maps, o.universal}, 0.1 / std::sqrt(static_cast<double>(o.universal)), Random(seed, label + ".universal")));
  if (has_context()) context_bias_ = register_parameter("context_bias", torch::zeros({o.maps}));
}

Tensor TwoPointConvImpl::receptive(const Tensor& x) const {
  if (x.dim() != 4 || x.size(1) != o_.in)
    throw usage_error("the receptive field needs [B, " + std::to_string(o_.in) + ", height, width], not " + graph::shape_text(x.sizes().vec()), label);
  return at::conv2d(Sequence::dense(x), receptive_, bias_, o_.stride, o_.padding);
}

Tensor TwoPointConvImpl::context(const Tensor& own, const Tensor& distal, const Tensor& u) const {
  if (!has_context()) return {};
  Tensor sum;
  const auto add = [&](const Tensor& source, const Tensor& weight, const char* name) {
    if (source.dim() != 4 || source.size(1) != weight.size(1))
      throw usage_error(std::string("the ") + name + " field needs [B, " + std::to_string(weight.size(1)) + ", height, width], not " + graph::shape_text(source.sizes().vec()),
                        label);
    const auto part = at::conv2d(Sequence::dense(source), weight, sum.defined() ? Tensor() : context_bias_, 1, o_.context_kernel / 2);
    sum = sum.defined() ? sum + part : part;
  };
  if (o_.proximal && own.defined()) add(own, proximal_weight(), "proximal");
  if (distal_.defined() && distal.defined()) add(distal, distal_, "distal");
  if (universal_.defined() && u.defined()) {
    if (u.dim() != 2 || u.size(1) != o_.universal)
      throw usage_error("the universal field needs [B, " + std::to_string(o_.universal) + "], not " + graph::shape_text(u.sizes().vec()), label);
    if (!sum.defined()) throw usage_error("the universal field alone has no height and width", label, "Give the proximal or the distal field too.");
    sum = sum + at::mm(u, universal_.t()).unsqueeze(2).unsqueeze(3);
  }
  return sum;
}

Sequence TwoPointConvImpl::run(const Sequence& x, Tensor*) {
  const auto r = receptive(x.frames);
  Tensor h;
  for (std::int64_t i = 0; i < (o_.proximal ? o_.iterations : 1); ++i)
    h = respond(r, context(o_.proximal ? shown(i == 0 ? r : h) : Tensor(), {}, {}));
  return {h, x.T, x.constant};
}

std::string TwoPointConvImpl::lower(graph::Graph& graph, const std::string& input) const {
  const auto conv = [&](const std::string& node, const std::string& from, const std::string& tensor, const Tensor& weight, const Tensor& bias, std::int64_t stride,
                        std::int64_t padding) {
    graph::Conv2d op;
    op.weight = tensor + ".weight", op.bias = tensor + ".bias";
    op.stride_h = op.stride_w = static_cast<int>(stride), op.pad_h = op.pad_w = static_cast<int>(padding);
    graph.tensors[op.weight] = graph_tensor(weight), graph.tensors[op.bias] = graph_tensor(bias);
    return add_node(graph, node, op, {from});
  };
  const std::string r = conv(label + ".receptive", input, label + ".receptive", receptive_, bias_, o_.stride, o_.padding);
  if (!o_.proximal) return add_node(graph, label, graph::TwoPoint{o_.cell}, {r});
  std::string h;
  for (std::int64_t i = 0; i < o_.iterations; ++i) {
    const std::string suffix = i + 1 == o_.iterations ? "" : ".pass" + std::to_string(i + 1);
    const std::string own = add_node(graph, label + ".shown" + suffix, graph::Tanh{}, {i == 0 ? r : h});
    const std::string c = conv(label + ".proximal" + suffix, own, label + ".proximal", proximal_weight(), context_bias_, 1, o_.context_kernel / 2);
    h = add_node(graph, label + suffix, graph::TwoPoint{o_.cell}, {r, c});
  }
  return h;
}

}  // namespace apical::nn
