#include "apical/nn/two_point.h"

#include <cmath>

#include "apical/base/error.h"
#include "apical/base/philox.h"

namespace apical::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::size_t size_of(const torch::Tensor& t) { return static_cast<std::size_t>(t.numel()); }

// r and the context in one memory format, so that the kernel sees two flat arrays.
at::MemoryFormat format_of(const torch::Tensor& r) {
  return r.dim() == 4 && r.is_contiguous(at::MemoryFormat::ChannelsLast) ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

struct TwoPointCells : torch::autograd::Function<TwoPointCells> {
  static torch::Tensor forward(AutogradContext* ctx, const torch::Tensor& r_in, const c10::optional<torch::Tensor>& context_in, std::int64_t mtf,
                               std::int64_t output, double c_max) {
    const auto format = format_of(r_in);
    const auto r = r_in.contiguous(format), context = context_in ? context_in->contiguous(format) : torch::Tensor();
    auto h = at::empty(r.sizes(), r.options().memory_format(format));
    kernels::two_point_forward(cell(mtf, output, c_max), r.data_ptr<float>(), context.defined() ? context.data_ptr<float>() : nullptr, size_of(r),
                               h.data_ptr<float>());
    ctx->save_for_backward({r, context});
    ctx->saved_data["mtf"] = mtf, ctx->saved_data["output"] = output, ctx->saved_data["c_max"] = c_max;
    return h;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &r = saved[0], &context = saved[1];
    const auto format = format_of(r);
    const auto g = grads[0].contiguous(format);
    auto grad_r = at::empty(r.sizes(), r.options().memory_format(format));
    auto grad_context = context.defined() ? at::empty(r.sizes(), r.options().memory_format(format)) : torch::Tensor();
    kernels::two_point_backward(cell(ctx->saved_data["mtf"].toInt(), ctx->saved_data["output"].toInt(), ctx->saved_data["c_max"].toDouble()),
                                r.data_ptr<float>(), context.defined() ? context.data_ptr<float>() : nullptr, g.data_ptr<float>(), size_of(r),
                                grad_r.data_ptr<float>(), context.defined() ? grad_context.data_ptr<float>() : nullptr);
    return {grad_r, grad_context, torch::Tensor(), torch::Tensor(), torch::Tensor()};
  }
  static kernels::TwoPoint cell(std::int64_t mtf, std::int64_t output, double c_max) {
    return {static_cast<kernels::Mtf>(mtf), static_cast<kernels::TwoPointOutput>(output), static_cast<float>(c_max)};
  }
};

struct Shown : torch::autograd::Function<Shown> {
  static torch::Tensor forward(AutogradContext* ctx, const torch::Tensor& x_in) {
    const auto format = format_of(x_in);
    const auto x = x_in.contiguous(format);
    auto y = at::empty(x.sizes(), x.options().memory_format(format));
    kernels::tanh_forward(x.data_ptr<float>(), size_of(x), y.data_ptr<float>());
    ctx->save_for_backward({y});
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto y = ctx->get_saved_variables()[0];
    const auto format = format_of(y);
    const auto g = grads[0].contiguous(format);
    auto grad_x = at::empty(y.sizes(), y.options().memory_format(format));
    kernels::tanh_backward(y.data_ptr<float>(), g.data_ptr<float>(), size_of(y), grad_x.data_ptr<float>());
    return {grad_x};
  }
};

void check_width(const torch::Tensor& source, std::int64_t width, const char* field, const std::string& label) {
  if (source.dim() != 2 || source.size(1) != width)
    throw usage_error(std::string("the ") + field + " field needs [B, " + std::to_string(width) + "], not " + graph::shape_text(source.sizes().vec()), label);
}

}  // namespace

torch::Tensor two_point(const kernels::TwoPoint& cell, const torch::Tensor& r, const torch::Tensor& context) {
  if (context.defined() && context.sizes() != r.sizes())
    throw usage_error("R is " + graph::shape_text(r.sizes().vec()) + " and its context " + graph::shape_text(context.sizes().vec()), "two-point cells");
  return TwoPointCells::apply(r, context.defined() ? c10::optional<torch::Tensor>(context) : c10::nullopt, static_cast<std::int64_t>(cell.mtf),
                              static_cast<std::int64_t>(cell.output), static_cast<double>(cell.c_max));
}

void check_cell(const kernels::TwoPoint& cell, const std::string& label) {
  if (!(cell.c_max > 0) || !std::isfinite(cell.c_max)) throw usage_error("c_max must be > 0", label);
}

torch::Tensor shown(const torch::Tensor& x) { return Shown::apply(x); }

TwoPointLayerImpl::TwoPointLayerImpl(std::string name, const TwoPointOptions& o, std::uint64_t seed) : o_(o) {
  label = std::move(name);
  if (o.inputs < 1 || o.cells < 1 || o.distal < 0 || o.universal < 0 || o.iterations < 1)
    throw usage_error("a layer of two-point cells needs inputs, cells and iterations >= 1", label);
  check_cell(o.cell, label);
  const double bound = 1.0 / std::sqrt(static_cast<double>(o.inputs));
  receptive_ = register_parameter("receptive", uniform({o.cells, o.inputs}, bound, Random(seed, label + ".receptive")));
  bias_ = register_parameter("bias", torch::zeros({o.cells}));
  const auto normal = [&](const char* field, std::int64_t width) {
    return register_parameter(field, nn::normal({o.cells, width}, 0.1 / std::sqrt(static_cast<double>(width)), Random(seed, label + "." + field)));
  };
  if (o.proximal) {
    proximal_ = normal("proximal", o.cells);
    others_ = 1 - torch::eye(o.cells);
  }
  if (o.distal > 0) distal_ = normal("distal", o.distal);
  if (o.universal > 0) universal_ = normal("universal", o.universal);
  if (has_context()) context_bias_ = register_parameter("context_bias", torch::zeros({o.cells}));
}

torch::Tensor TwoPointLayerImpl::proximal_weight() const { return proximal_ * others_; }

torch::Tensor TwoPointLayerImpl::receptive(const torch::Tensor& x, std::vector<Transmission>* sent) const {
  check_width(x, o_.inputs, "receptive", label);
  if (sent) sent->push_back({label + ".receptive", Field::receptive, true, x, receptive_});
  return at::linear(x, receptive_, bias_);
}

torch::Tensor TwoPointLayerImpl::context(const torch::Tensor& own, const torch::Tensor& distal, const torch::Tensor& u, std::vector<Transmission>* sent,
                                         const std::string& suffix) const {
  if (!has_context()) return {};
  torch::Tensor sum;
  const auto add = [&](const torch::Tensor& source, const torch::Tensor& weight, Field field, const char* name) {
    check_width(source, weight.size(1), name, label);
    if (sent) sent->push_back({label + "." + name + suffix, field, true, source, weight});
    sum = at::addmm(sum.defined() ? sum : context_bias_, source, weight.t());
  };
  if (o_.proximal && own.defined()) add(own, proximal_weight(), Field::proximal, "proximal");
  if (distal_.defined() && distal.defined()) add(distal, distal_, Field::distal, "distal");
  if (universal_.defined() && u.defined()) add(u, universal_, Field::universal, "universal");
  return sum;
}

Sequence TwoPointLayerImpl::run(const Sequence& x, torch::Tensor*) {
  const auto r = receptive(x.frames);
  torch::Tensor h;
  for (std::int64_t i = 0; i < o_.iterations; ++i) {
    const auto own = o_.proximal ? shown(i == 0 ? r : h) : torch::Tensor();
    h = respond(r, context(own, {}, {}));
    if (!o_.proximal) break;
  }
  return {h, x.T, x.constant};
}

std::string TwoPointLayerImpl::lower_receptive(graph::Graph& graph, const std::string& input) const {
  const graph::Linear op{label + ".receptive.weight", label + ".receptive.bias"};
  graph.tensors[op.weight] = graph_tensor(receptive_);
  graph.tensors[op.bias] = graph_tensor(bias_);
  return add_node(graph, label + ".receptive", op, {input});
}

std::string TwoPointLayerImpl::lower_proximal(graph::Graph& graph, const std::string& own) const {
  const graph::Linear op{label + ".proximal.weight", label + ".context.bias"};
  graph.tensors[op.weight] = graph_tensor(proximal_weight());
  graph.tensors[op.bias] = graph_tensor(context_bias_);
  return add_node(graph, label + ".proximal", op, {own});
}

std::string TwoPointLayerImpl::lower_response(graph::Graph& graph, const std::string& r, const std::string& own, const std::string& distal,
                                              const std::string& u, const std::string& suffix) const {
  std::vector<std::string> fields;
  const auto add = [&](const std::string& source, const torch::Tensor& weight, const std::string& field) {
    if (source.empty() || !weight.defined()) return;
    graph::Linear op{label + "." + field + ".weight", fields.empty() ? label + ".context.bias" : ""};
    graph.tensors[op.weight] = graph_tensor(weight);
    if (!op.bias.empty()) graph.tensors[op.bias] = graph_tensor(context_bias_);
    fields.push_back(add_node(graph, label + "." + field + suffix, op, {source}));
  };
  add(own, o_.proximal ? proximal_weight() : torch::Tensor(), "proximal");
  add(distal, distal_, "distal");
  add(u, universal_, "universal");
  std::vector<std::string> inputs{r};
  if (fields.size() > 1) fields = {add_node(graph, label + ".context" + suffix, graph::Add{}, fields)};
  if (!fields.empty()) inputs.push_back(fields.front());
  return add_node(graph, label + suffix, graph::TwoPoint{o_.cell}, inputs);
}

std::string TwoPointLayerImpl::lower(graph::Graph& graph, const std::string& input) const {
  const std::string r = lower_receptive(graph, input);
  std::string h;
  for (std::int64_t i = 0; i < o_.iterations; ++i) {
    const std::string suffix = i + 1 == o_.iterations || !o_.proximal ? "" : ".pass" + std::to_string(i + 1);
    const std::string own = o_.proximal ? add_node(graph, label + ".shown" + suffix, graph::Tanh{}, {i == 0 ? r : h}) : "";
    h = lower_response(graph, r, own, "", "", suffix);
    if (!o_.proximal) break;
  }
  return h;
}

}  // namespace apical::nn
