#include "apical/nn/two_point_attention.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"

namespace apical::nn {

using torch::Tensor;

TwoPointAttentionImpl::TwoPointAttentionImpl(const std::string& label, const TwoPointAttentionOptions& o, std::uint64_t seed) : label_(label), o_(o) {
  if (o.width < 1 || o.heads < 1 || o.width % o.heads || o.iterations < 1)
    throw usage_error("attention needs iterations >= 1 and heads that divide its width, not " + std::to_string(o.heads) + " of " + std::to_string(o.width), label);
  TwoPointOptions cells;
  cells.inputs = cells.cells = o.width;
  cells.proximal = o.proximal, cells.distal = o.distal ? o.width : 0;
  const std::int64_t K = std::max<std::int64_t>(1, o.width / 4);
  cells.universal = o.universal ? K : 0;
  cells.cell = o.cell;
  for (const char* kind : {"query", "key", "value"}) {
    kinds_.push_back(std::make_shared<TwoPointLayerImpl>(label + "." + kind, cells, seed));
    register_module(kind, kinds_.back());
  }
  const double width = static_cast<double>(o.width);
  if (o.universal) shared_ = register_parameter("shared", normal({K, o.width}, 0.1 / std::sqrt(width), Random(seed, label + ".shared")));
  output_ = register_parameter("output", uniform({o.width, o.width}, 1.0 / std::sqrt(width), Random(seed, label + ".output")));
  output_bias_ = register_parameter("output_bias", torch::zeros({o.width}));
}

std::vector<Tensor> TwoPointAttentionImpl::cells(const Tensor& x, std::vector<Transmission>* sent) const {
  if (x.dim() != 3 || x.size(2) != o_.width)
    throw usage_error("attention needs [B, tokens, " + std::to_string(o_.width) + "], not " + graph::shape_text(x.sizes().vec()), label_);
  const auto B = x.size(0), N = x.size(1);
  const auto rows = x.reshape({B * N, o_.width});
  std::vector<Tensor> r, h(kinds_.size());
  for (const auto& kind : kinds_) r.push_back(kind->receptive(rows, sent));
  Tensor u;
  for (std::int64_t i = 0; i < o_.iterations; ++i) {
    const std::string suffix = i + 1 == o_.iterations ? "" : ".pass" + std::to_string(i + 1);
    std::vector<Tensor> own(kinds_.size());
    for (std::size_t k = 0; k < own.size(); ++k) own[k] = shown(i == 0 ? r[k] : h[k]);
    Tensor of_row;  // u of the row's sample
    if (o_.universal) {
      const auto tokens = x.mean(1);
      if (sent) sent->push_back({label_ + ".shared" + suffix, Field::shared, true, tokens, shared_});
      auto sum = at::mm(tokens, shared_.t());
      if (u.defined()) sum = sum + o_.rho * u;
      u = shown(sum);
      of_row = u.repeat_interleave(N, 0);
    }
    for (std::size_t k = 0; k < own.size(); ++k) {
      const auto distal = o_.distal ? (own[(k + 1) % 3] + own[(k + 2) % 3]) / 2 : Tensor();
      h[k] = kinds_[k]->respond(r[k], kinds_[k]->context(own[k], distal, of_row, sent, suffix));
    }
  }
  for (auto& kind : h) kind = kind.view({B, N, o_.width});
  return h;
}

Tensor TwoPointAttentionImpl::forward(const Tensor& x, std::vector<Transmission>* sent) const {
  const auto h = cells(x, sent);
  const auto B = x.size(0), N = x.size(1), of_head = o_.width / o_.heads;
  const auto by_head = [&](const Tensor& t) { return t.view({B, N, o_.heads, of_head}).transpose(1, 2); };
  const auto weight = at::softmax(at::matmul(by_head(h[0]), by_head(h[1]).transpose(2, 3)) / std::sqrt(static_cast<double>(of_head)), 3);
  const auto y = at::matmul(weight, by_head(h[2])).transpose(1, 2).reshape({B, N, o_.width});
  return at::linear(y, output_, output_bias_);
}

namespace {

// A convolution without stride over tokens: weight [O, I] at one place, or at each of `reach` places.
std::string conv(graph::Graph& g, const std::string& name, const std::string& weights, const Tensor& weight, const std::string& bias, const std::string& input,
                 std::int64_t reach = 1) {
  g.tensors[weights + ".weight"] = graph_tensor(weight.unsqueeze(2).unsqueeze(3).expand({weight.size(0), weight.size(1), reach, 1}).contiguous());
  graph::Conv2d op{weights + ".weight", bias};
  op.pad_h = static_cast<int>(reach) - 1;
  return add_node(g, name, op, {input});
}

std::string scaled(graph::Graph& g, const std::string& name, double factor, std::int64_t channels, const std::string& input) {
  g.tensors[name + ".scale"] = graph_tensor(torch::full({channels}, factor)), g.tensors[name + ".shift"] = graph_tensor(torch::zeros({channels}));
  return add_node(g, name, graph::Affine{name + ".scale", name + ".shift"}, {input});
}

}  // namespace

// u = tanh(W_u mean of the tokens + rho u'), [K, 1, 1].
std::string TwoPointAttentionImpl::lower_universal(graph::Graph& g, const std::string& input, const std::string& before, std::int64_t tokens, const std::string& suffix) const {
  const std::string mean = label_ + ".tokens";
  if (before.empty()) {
    g.tensors[mean + ".weight"] = graph_tensor(torch::full({o_.width, 1, tokens, 1}, 1.0 / static_cast<double>(tokens)));
    graph::Conv2d op{mean + ".weight", ""};
    op.groups = static_cast<int>(o_.width);
    add_node(g, mean, op, {input});
  }
  std::string sum = conv(g, label_ + ".shared" + suffix, label_ + ".shared", shared_, "", mean);
  if (!before.empty())
    sum = add_node(g, label_ + ".shared.sum" + suffix, graph::Add{}, {sum, scaled(g, label_ + ".memory" + suffix, o_.rho, shared_.size(0), before)});
  return add_node(g, label_ + ".u" + suffix, graph::Tanh{}, {sum});
}

std::string TwoPointAttentionImpl::lower_cells(graph::Graph& g, std::size_t kind, const std::string& r, const std::vector<std::string>& own, const std::string& u,
                                               std::int64_t tokens, const std::string& suffix) const {
  const auto& cells = *kinds_[kind];
  const auto p = cells.named_parameters(false);
  std::vector<std::string> fields, inputs{r};
  const auto add = [&](const char* field, const Tensor& weight, const std::string& source, std::int64_t reach) {
    const std::string bias = fields.empty() ? cells.label + ".context.bias" : "";
    if (!bias.empty()) g.tensors[bias] = graph_tensor(p["context_bias"]);
    fields.push_back(conv(g, cells.label + "." + field + suffix, cells.label + "." + field, weight, bias, source, reach));
  };
  if (o_.proximal) add("proximal", cells.proximal_weight(), own[kind], 1);
  if (o_.distal) {
    const std::string sum = add_node(g, cells.label + ".others.sum" + suffix, graph::Add{}, {own[(kind + 1) % 3], own[(kind + 2) % 3]});
    add("distal", p["distal"], scaled(g, cells.label + ".others" + suffix, 0.5, o_.width, sum), 1);
  }
  if (o_.universal) add("universal", p["universal"], u, tokens);
  if (fields.size() > 1) fields = {add_node(g, cells.label + ".context" + suffix, graph::Add{}, fields)};
  if (!fields.empty()) inputs.push_back(fields.front());
  return add_node(g, cells.label + suffix, graph::TwoPoint{o_.cell}, inputs);
}

std::string TwoPointAttentionImpl::lower(graph::Graph& g, const std::string& input, std::int64_t tokens) const {
  if (tokens < 1) throw usage_error("attention needs at least one token", label_);
  std::vector<std::string> r, h(kinds_.size());
  for (const auto& kind : kinds_) {
    const auto p = kind->named_parameters(false);
    g.tensors[kind->label + ".receptive.bias"] = graph_tensor(p["bias"]);
    r.push_back(conv(g, kind->label + ".receptive", kind->label + ".receptive", p["receptive"], kind->label + ".receptive.bias", input));
  }
  std::string u;
  for (std::int64_t i = 0; i < o_.iterations; ++i) {
    const std::string suffix = i + 1 == o_.iterations ? "" : ".pass" + std::to_string(i + 1);
    std::vector<std::string> own(kinds_.size());
    for (std::size_t k = 0; k < own.size() && (o_.proximal || o_.distal); ++k)
      own[k] = add_node(g, kinds_[k]->label + ".shown" + suffix, graph::Tanh{}, {i == 0 ? r[k] : h[k]});
    if (o_.universal) u = lower_universal(g, input, u, tokens, suffix);
    for (std::size_t k = 0; k < own.size(); ++k) h[k] = lower_cells(g, k, r[k], own, u, tokens, suffix);
  }
  const std::string mixed = add_node(g, label_ + ".heads", graph::Attention{static_cast<int>(o_.heads)}, h);
  g.tensors[label_ + ".output.bias"] = graph_tensor(output_bias_);
  return conv(g, label_, label_ + ".output", output_, label_ + ".output.bias", mixed);
}

}  // namespace apical::nn
