#include "apical/nn/mcc.h"

#include <algorithm>
#include <numeric>

#include "apical/base/error.h"

namespace apical::nn {
namespace {

using torch::Tensor;

std::size_t index_of(std::int64_t i) { return static_cast<std::size_t>(i); }

void check(const MccSpec& s) {
  const auto positive = [](const std::vector<std::int64_t>& list) { return std::all_of(list.begin(), list.end(), [](auto n) { return n >= 1; }); };
  if (s.inputs.empty() || !positive(s.inputs)) throw usage_error("a network of two-point cells needs streams with inputs", "inputs");
  if ((s.layers.size() != 1 && s.layers.size() != s.inputs.size()) || !positive(s.layers))
    throw usage_error("needs one depth >= 1, or one a stream: " + std::to_string(s.layers.size()) + " are given for " + std::to_string(s.inputs.size()) + " streams", "layers");
  if (s.cells < 1 || s.outputs < 1 || s.universal_width < 0) throw usage_error("needs cells and outputs >= 1", "cells");
  if (s.iterations < 1) throw usage_error("needs at least one iteration", "iterations");
  if (!(s.rho >= 0 && s.rho <= 1)) throw usage_error("rho lies in 0..1", "rho");
}

Tensor silent(const Tensor& t, const Survivors* survivors, std::size_t m, std::size_t l) {
  return survivors && (*survivors)[m][l].defined() ? t * (*survivors)[m][l] : t;
}

}  // namespace

MccNetworkImpl::MccNetworkImpl(MccSpec spec, std::uint64_t seed) : spec_(std::move(spec)) {
  check(spec_);
  if (spec_.layers.size() == 1) spec_.layers.assign(spec_.inputs.size(), spec_.layers.front());
  if (spec_.universal_width == 0) spec_.universal_width = std::max<std::int64_t>(1, spec_.cells / 4);
  layers_.resize(spec_.inputs.size());
  for (std::int64_t l = 0; l < depth(); ++l) {
    const auto streams = streams_of(l);
    std::int64_t below = 0;  // width of what is sent from below
    for (const auto m : streams) {
      TwoPointOptions o;
      o.inputs = l == 0 ? spec_.inputs[m] : spec_.cells;
      o.cells = spec_.cells;
      o.proximal = spec_.proximal;
      o.distal = spec_.distal && streams.size() > 1 ? spec_.cells : 0;
      o.universal = spec_.universal ? spec_.universal_width : 0;
      o.cell = spec_.cell;
      below += o.inputs;
      const std::string name = "stream" + std::to_string(m + 1) + "_layer" + std::to_string(l + 1);
      layers_[m].push_back(std::make_shared<TwoPointLayerImpl>(name, o, seed));
      register_module(name, layers_[m].back());
    }
    if (!spec_.universal) continue;
    const std::string name = "shared" + std::to_string(l + 1);
    shared_.push_back(register_parameter(name, normal({spec_.universal_width, below}, 0.1 / std::sqrt(static_cast<double>(below)), Random(seed, name))));
  }
  const std::int64_t width = spec_.cells * static_cast<std::int64_t>(layers_.size());
  head_ = register_parameter("head", uniform({spec_.outputs, width}, 1.0 / std::sqrt(static_cast<double>(width)), Random(seed, "head")));
  head_bias_ = register_parameter("head_bias", torch::zeros({spec_.outputs}));
}

std::int64_t MccNetworkImpl::depth() const { return *std::max_element(spec_.layers.begin(), spec_.layers.end()); }

std::vector<std::size_t> MccNetworkImpl::streams_of(std::int64_t layer) const {
  std::vector<std::size_t> streams;
  for (std::size_t m = 0; m < spec_.inputs.size(); ++m)
    if (spec_.layers[m] > layer) streams.push_back(m);
  return streams;
}

// One forward pass. h[m]: what stream m sends so far, undefined while it is missing.
struct MccNetworkImpl::Pass {
  const MccNetworkImpl& net;
  const Survivors* survivors;
  MccTrace* trace;
  std::int64_t batch;
  std::vector<Tensor> h;

  std::vector<Transmission>* sent() const { return trace ? &trace->sent : nullptr; }

  // Stands for a stream that is missing where the streams are put side by side.
  Tensor or_silence(std::size_t m, std::int64_t width) const { return h[m].defined() ? h[m] : torch::zeros({batch, width}); }

  Tensor universal(std::int64_t l, const std::vector<std::size_t>& streams, const Tensor& before, const std::string& suffix) const {
    std::vector<Tensor> below;
    for (const auto m : streams) below.push_back(or_silence(m, l == 0 ? net.spec_.inputs[m] : net.spec_.cells));
    const auto all = at::cat(below, 1);
    const auto& weight = net.shared_[index_of(l)];
    if (trace) trace->sent.push_back({"shared" + std::to_string(l + 1) + suffix, Field::shared, l > 0, all, weight});
    auto sum = at::mm(all, weight.t());
    if (before.defined()) sum = sum + net.spec_.rho * before;
    return shown(sum);
  }

  // The mean of what the other streams show; a missing one shows 0.
  static Tensor others(const std::vector<Tensor>& own, std::size_t m, const std::vector<std::size_t>& streams) {
    Tensor sum;
    for (const auto k : streams)
      if (k != m && own[k].defined()) sum = sum.defined() ? sum + own[k] : own[k];
    return sum.defined() && streams.size() > 2 ? sum / static_cast<double>(streams.size() - 1) : sum;
  }

  void layer(std::int64_t l) {
    const auto streams = net.streams_of(l);
    const auto at = index_of(l);
    const auto cells = [&](std::size_t m) -> const TwoPointLayerImpl& { return *net.layers_[m][at]; };
    std::vector<Tensor> r(h.size()), own(h.size()), next(h.size()), context(h.size());
    for (const auto m : streams) {
      if (!h[m].defined()) continue;
      r[m] = cells(m).receptive(h[m], sent());
      if (trace) trace->sent.back().from_cells = l > 0;
    }
    Tensor u;
    for (std::int64_t i = 0; i < net.spec_.iterations; ++i) {
      const std::string suffix = net.suffix(i);
      for (const auto m : streams)
        if (r[m].defined() && cells(m).has_context()) own[m] = silent(shown(i == 0 ? r[m] : next[m]), survivors, m, at);
      if (net.spec_.universal) u = universal(l, streams, u, suffix);
      for (const auto m : streams) {
        if (!r[m].defined()) continue;
        context[m] = cells(m).context(own[m], others(own, m, streams), u, sent(), suffix);
        next[m] = silent(cells(m).respond(r[m], context[m]), survivors, m, at);
      }
    }
    for (const auto m : streams) {
      h[m] = next[m];
      if (trace) trace->r[m].push_back(r[m]), trace->context[m].push_back(context[m]), trace->h[m].push_back(h[m]);
    }
  }
};

std::string MccNetworkImpl::suffix(std::int64_t iteration) const {
  return iteration + 1 == spec_.iterations ? "" : ".pass" + std::to_string(iteration + 1);
}

Tensor MccNetworkImpl::forward(const std::vector<Tensor>& x, const Survivors* survivors, MccTrace* trace) {
  if (x.size() != spec_.inputs.size())
    throw usage_error("this network has " + std::to_string(spec_.inputs.size()) + " streams, " + std::to_string(x.size()) + " inputs are given", "streams");
  std::int64_t batch = -1;
  for (std::size_t m = 0; m < x.size(); ++m) {
    if (!x[m].defined()) continue;
    const std::string where = "stream " + std::to_string(m + 1);
    if (x[m].dim() != 2 || x[m].size(1) != spec_.inputs[m])
      throw usage_error("the input is " + graph::shape_text(x[m].sizes().vec()) + ", not [B, " + std::to_string(spec_.inputs[m]) + "]", where);
    if (batch >= 0 && x[m].size(0) != batch)
      throw usage_error("batch sizes differ: " + std::to_string(x[m].size(0)) + " samples, and " + std::to_string(batch) + " in the stream before", where);
    batch = x[m].size(0);
  }
  if (batch < 0) throw usage_error("every stream is missing", "streams");
  if (trace) *trace = {std::vector<std::vector<Tensor>>(x.size()), std::vector<std::vector<Tensor>>(x.size()), std::vector<std::vector<Tensor>>(x.size()), {}};
  Pass pass{*this, survivors, trace, batch, x};
  for (std::int64_t l = 0; l < depth(); ++l) pass.layer(l);
  std::vector<Tensor> last;
  for (std::size_t m = 0; m < x.size(); ++m) last.push_back(pass.or_silence(m, spec_.cells));
  const auto all = last.size() == 1 ? last.front() : at::cat(last, 1);
  if (trace) trace->sent.push_back({"head", Field::receptive, true, all, head_});
  return at::linear(all, head_, head_bias_);
}

graph::Graph MccNetworkImpl::lower(const std::string& name) const {
  graph::Graph g;
  g.name = name, g.T = 1;
  g.input_kind = "features";
  g.input_shape = {std::accumulate(spec_.inputs.begin(), spec_.inputs.end(), std::int64_t{0})};
  add_node(g, "input", graph::Input{}, {});
  const std::size_t M = layers_.size();
  std::vector<std::string> h(M);
  std::int64_t begin = 0;
  for (std::size_t m = 0; m < M; ++m) {
    h[m] = M == 1 ? "input" : add_node(g, "stream" + std::to_string(m + 1), graph::Slice{begin, spec_.inputs[m]}, {"input"});
    begin += spec_.inputs[m];
  }
  const auto joined = [&](const std::string& node, const std::vector<std::string>& parts) { return parts.size() == 1 ? parts.front() : add_node(g, node, graph::Concat{}, parts); };
  for (std::int64_t l = 0; l < depth(); ++l) {
    const auto streams = streams_of(l);
    const std::string number = std::to_string(l + 1);
    std::vector<std::string> r(M), next(M), own(M), below;
    for (const auto m : streams) below.push_back(h[m]), r[m] = layers_[m][index_of(l)]->lower_receptive(g, h[m]);
    std::string all, u;
    for (std::int64_t i = 0; i < spec_.iterations; ++i) {
      const std::string end = suffix(i);
      for (const auto m : streams)
        if (layers_[m][index_of(l)]->has_context()) own[m] = add_node(g, layers_[m][index_of(l)]->label + ".shown" + end, graph::Tanh{}, {i == 0 ? r[m] : next[m]});
      if (spec_.universal) {
        if (i == 0) all = joined("below" + number, below);
        u = lower_universal(g, l, all, u, end);
      }
      for (const auto m : streams) {
        const std::string distal = lower_others(g, l, m, own, end);
        next[m] = layers_[m][index_of(l)]->lower_response(g, r[m], own[m], distal, u, end);
      }
    }
    for (const auto m : streams) h[m] = next[m];
  }
  g.tensors["head.weight"] = graph_tensor(head_);
  g.tensors["head.bias"] = graph_tensor(head_bias_);
  const std::string scores = add_node(g, "head", graph::Linear{"head.weight", "head.bias"}, {joined("last", h)});
  add_node(g, "readout", graph::Readout{graph::ReadoutKind::last}, {scores});
  graph::validate(g);
  return g;
}

// u = tanh(W_u below + rho u'), where rho u' is a scaling of u'.
std::string MccNetworkImpl::lower_universal(graph::Graph& g, std::int64_t l, const std::string& below, const std::string& before, const std::string& end) const {
  const std::string name = "shared" + std::to_string(l + 1);
  g.tensors[name + ".weight"] = graph_tensor(shared_[index_of(l)]);
  std::string sum = add_node(g, name + end, graph::Linear{name + ".weight", ""}, {below});
  if (!before.empty()) {
    g.tensors["rho"] = graph_tensor(torch::full({spec_.universal_width}, spec_.rho));
    g.tensors["rho.shift"] = graph_tensor(torch::zeros({spec_.universal_width}));
    sum = add_node(g, name + ".sum" + end, graph::Add{}, {sum, add_node(g, name + ".memory" + end, graph::Affine{"rho", "rho.shift"}, {before})});
  }
  return add_node(g, name + ".u" + end, graph::Tanh{}, {sum});
}

// What the other streams show to stream m: their mean; "" where there is none.
std::string MccNetworkImpl::lower_others(graph::Graph& g, std::int64_t l, std::size_t m, const std::vector<std::string>& own, const std::string& end) const {
  if (layers_[m][index_of(l)]->options().distal == 0) return "";
  std::vector<std::string> others;
  for (const auto k : streams_of(l))
    if (k != m) others.push_back(own[k]);
  if (others.size() == 1) return others.front();
  const std::string name = layers_[m][index_of(l)]->label + ".others" + end;
  const std::string tensor = "mean_of_" + std::to_string(others.size());
  g.tensors[tensor] = graph_tensor(torch::full({spec_.cells}, 1.0 / static_cast<double>(others.size())));
  g.tensors[tensor + ".shift"] = graph_tensor(torch::zeros({spec_.cells}));
  return add_node(g, name, graph::Affine{tensor, tensor + ".shift"}, {add_node(g, name + ".sum", graph::Add{}, others)});
}

SynapseCounts& SynapseCounts::operator+=(const SynapseCounts& o) {
  inputs += o.inputs, feed_forward += o.feed_forward, context += o.context;
  return *this;
}

namespace {

double used(const Transmission& s) {
  torch::NoGradGuard no_grad;
  const auto active = (s.source != 0).sum(0).to(torch::kFloat64), reached = (s.weight != 0).sum(0).to(torch::kFloat64);
  return active.dot(reached).item<double>();
}

}  // namespace

SynapseCounts count_synapses(const MccTrace& trace) {
  SynapseCounts c;
  for (const auto& s : trace.sent) (s.field != Field::receptive ? c.context : s.from_cells ? c.feed_forward : c.inputs) += used(s);
  return c;
}

std::vector<std::pair<std::string, double>> synapses_by_node(const MccTrace& trace) {
  std::vector<std::pair<std::string, double>> list;
  for (const auto& s : trace.sent) list.emplace_back(s.node, used(s));
  return list;
}

std::string first_not_finite(const MccTrace& trace) {
  const auto bad = [](const Tensor& t) { return t.defined() && !t.isfinite().all().item<bool>(); };
  std::size_t depth = 0;
  for (const auto& stream : trace.h) depth = std::max(depth, stream.size());
  for (std::size_t l = 0; l < depth; ++l)
    for (std::size_t m = 0; m < trace.h.size(); ++m) {
      if (l >= trace.h[m].size()) continue;
      const std::string layer = "stream " + std::to_string(m + 1) + ", layer " + std::to_string(l + 1);
      if (bad(trace.r[m][l])) return layer + ", receptive field";
      if (bad(trace.context[m][l])) return layer + ", context";
      if (bad(trace.h[m][l])) return layer + ", output";
    }
  return "";
}

}  // namespace apical::nn
