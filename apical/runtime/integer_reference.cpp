#include "apical/runtime/integer_reference.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "apical/base/error.h"
#include "apical/runtime/plain_layers.h"

namespace apical::runtime {
namespace {

using graph::IntegerNode, graph::Node, graph::Shape;
using kernels::Compare, kernels::Reset, kernels::ResetAt;
using Values = std::vector<std::int64_t>;

std::size_t size(std::int64_t v) { return static_cast<std::size_t>(v); }
std::int64_t half_up(std::int64_t a, int bits) { return (a + (std::int64_t{1} << (bits - 1))) >> bits; }
std::int64_t half_down(std::int64_t a, int bits) { return -half_up(-a, bits); }

class Reference {
 public:
  explicit Reference(const graph::IntegerNetwork& network) : graph_(network.graph), nodes_(network.nodes), out_(nodes_.size()), kept_(nodes_.size()) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) index_[graph_.nodes[i].name] = i;
  }

  IntegerReference run(std::span<const float> frames) {
    const std::size_t n = size(graph::elements(graph_.input_shape));
    for (const Node& node : graph_.nodes)
      if (std::holds_alternative<graph::Neuron>(node.op)) result_.spikes.push_back({node.name, graph::elements(node.shape), 0, {}});
    for (; size(t_) * n < frames.size(); ++t_) {
      frame_ = frames.subspan(size(t_) * n, n);
      layer_ = 0;
      IntegerState state{{}, t_ + 1};
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const Node& node = graph_.nodes[i];
        Values y(size(graph::elements(node.shape)), 0);
        std::visit([&](const auto& op) { step(op, node, i, y); }, node.op);
        for (const auto v : y)
          if (!std::holds_alternative<graph::Readout>(node.op) && (v < nodes_[i].least || v > nodes_[i].most))
            throw internal_error("a value left its proven range", "node '" + node.name + "'");
        out_[i] = std::move(y);
        state.values.insert(state.values.end(), kept_[i].begin(), kept_[i].end());
      }
      result_.states.push_back(std::move(state));
    }
    const auto* readout = std::get_if<graph::Readout>(&graph_.nodes.back().op);
    for (const auto q : out_.back()) {
      const double v = static_cast<double>(q) * nodes_.back().unit;
      result_.scores.push_back(static_cast<float>(readout && readout->kind == graph::ReadoutKind::rate ? v / t_ : v));
    }
    return std::move(result_);
  }

 private:
  const Values& in(const Node& node, std::size_t i = 0) const { return out_[index_.at(node.inputs[i])]; }
  const Shape& in_shape(const Node& node) const { return graph_.nodes[index_.at(node.inputs[0])].shape; }

  auto bias(std::size_t n) const {
    return [&values = nodes_[n].bias](std::size_t o) { return values.empty() ? std::int64_t{0} : std::int64_t{values[o]}; };
  }

  void step(const graph::Input&, const Node&, std::size_t i, Values& y) const {
    for (std::size_t k = 0; k < y.size(); ++k) {
      const double v = frame_[k] / nodes_[i].unit;
      y[k] = std::isnan(v) ? 0 : static_cast<std::int64_t>(std::nearbyint(std::clamp(v, -127.0, 127.0)));
    }
  }

  void step(const graph::Conv2d& op, const Node& node, std::size_t n, Values& y) const {
    plain_conv(op, in_shape(node), graph_.tensors.at(op.weight).shape, node.shape, in(node), nodes_[n].weight, bias(n), y);
  }

  void step(const graph::Linear&, const Node& node, std::size_t n, Values& y) const {
    plain_linear(in(node), nodes_[n].weight, bias(n), y);
  }

  void step(const graph::AvgPool2d& op, const Node& node, std::size_t, Values& y) const {
    plain_pool(op.kernel, op.stride, in_shape(node), node.shape, in(node), y, [](std::int64_t a, std::int64_t b) { return a + b; });
  }
  void step(const graph::MaxPool2d& op, const Node& node, std::size_t, Values& y) const {
    plain_pool(op.kernel, op.stride, in_shape(node), node.shape, in(node), y, [](std::int64_t a, std::int64_t b) { return std::max(a, b); });
  }
  void step(const graph::Flatten&, const Node& node, std::size_t, Values& y) const { y = in(node); }
  template <class Other>
  void step(const Other& op, const Node& node, std::size_t, Values&) const { throw internal_error("a " + graph::op_name(op), node.name); }

  void step(const graph::Add&, const Node& node, std::size_t n, Values& y) const {
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      for (std::size_t k = 0; k < y.size(); ++k) y[k] += in(node, i)[k] << nodes_[n].shifts[i];
  }

  void step(const graph::Neuron&, const Node& node, std::size_t n, Values& y) {
    const kernels::IntegerLif& l = nodes_[n].lif;
    const auto fires = [&](std::int64_t h) { return l.compare == Compare::ge ? h >= l.v_th : h > l.v_th; };
    const auto reset = [&](std::int64_t h, bool s) { return !s || l.reset == Reset::none ? h : l.reset == Reset::hard ? l.v_reset : h - l.v_th; };
    Values& v = kept_[n];
    v.resize(y.size(), 0);
    SpikeRecord& record = result_.spikes[layer_++];
    record.bits.resize(record.bits.size() + record.words(), 0);
    for (std::size_t k = 0; k < y.size(); ++k) {
      const std::int64_t decay = nodes_[n].leak.empty() ? l.decay : -nodes_[n].leak[k], I = in(node)[k];
      const bool pending = l.reset_at != ResetAt::same_step && fires(v[k]);
      std::int64_t leak = half_down(decay * (l.reset_at == ResetAt::next_step_decayed ? reset(v[k], pending) : v[k]), kernels::integer_decay_bits);
      if (l.reset_at == ResetAt::next_step) leak = reset(leak, pending);
      const std::int64_t limit = kernels::integer_limit, most = limit >> std::max(l.shift, 0);
      const std::int64_t x = l.shift >= 0 ? std::clamp(I, -most, most) << l.shift : std::clamp(half_up(I, -l.shift), -most, most);
      const std::int64_t h = std::clamp(leak + x, -limit, limit);
      const bool s = fires(h);
      v[k] = l.reset_at == ResetAt::same_step ? reset(h, s) : h;
      y[k] = s;
      if (s) record.bits[size(t_) * record.words() + k / 64] |= std::uint64_t{1} << (k % 64);
    }
    ++record.steps;
  }

  void step(const graph::Readout& op, const Node& node, std::size_t n, Values& y) {
    Values& kept = kept_[n];
    const Values& x = in(node);
    if (t_ == 0 || op.kind == graph::ReadoutKind::last)
      kept = x;
    else
      for (std::size_t k = 0; k < y.size(); ++k) kept[k] = op.kind == graph::ReadoutKind::rate ? kept[k] + x[k] : std::max(kept[k], x[k]);
    y = kept;
  }

  const graph::Graph& graph_;
  const std::vector<IntegerNode>& nodes_;
  std::vector<Values> out_, kept_;
  std::unordered_map<std::string, std::size_t> index_;
  IntegerReference result_;
  std::span<const float> frame_;
  std::size_t layer_ = 0;
  int t_ = 0;
};

}  // namespace

IntegerReference run_integer_reference(const graph::IntegerNetwork& network, std::span<const float> frames) { return Reference(network).run(frames); }

}  // namespace apical::runtime
