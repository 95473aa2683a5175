#include "apical/runtime/program.h"

#include <numeric>
#include <unordered_map>

namespace apical::runtime {
namespace {

using graph::Graph, graph::Node, graph::Shape;

/// Graph index of each channel-last element of [C, H, W]; empty when the two orders are the same.
std::vector<std::uint32_t> channel_last(const Shape& shape) {
  if (shape.size() != 3 || shape[0] == 1 || shape[1] * shape[2] == 1) return {};
  const auto C = static_cast<std::size_t>(shape[0]), plane = static_cast<std::size_t>(shape[1] * shape[2]);
  std::vector<std::uint32_t> order(C * plane);
  for (std::size_t p = 0; p < plane; ++p)
    for (std::size_t c = 0; c < C; ++c) order[p * C + c] = static_cast<std::uint32_t>(c * plane + p);
  return order;
}

class Builder {
 public:
  Builder(const Graph& graph, Program& program) : graph_(graph), program_(program) {}

  void run() {
    for (const Node& node : graph_.nodes) {
      Slot slot;
      slot.name = node.name, slot.op = graph::op_name(node.op), slot.kind = static_cast<Kind>(node.op.index());
      slot.n = static_cast<std::size_t>(graph::elements(node.shape));
      slot.channels = static_cast<int>(node.shape[0]);
      if (node.shape.size() == 3) slot.height = static_cast<int>(node.shape[1]), slot.width = static_cast<int>(node.shape[2]);
      for (const auto& name : node.inputs) slot.inputs.push_back(index_.at(name));
      slot.changing = slot.kind == Kind::neuron || slot.kind == Kind::readout;
      for (const auto i : slot.inputs) slot.changing |= program_.slots[i].changing;
      slot.order = node.shape.size() == 3 || slot.inputs.empty() ? channel_last(node.shape) : program_.slots[slot.inputs[0]].order;
      std::visit([&](const auto& op) { fill(op, slot); }, node.op);
      index_[node.name] = program_.slots.size();
      program_.slots.push_back(std::move(slot));
      say_needs(program_.slots.back());
    }
  }

 private:
  Slot& input(const Slot& s, std::size_t i = 0) { return program_.slots[s.inputs[i]]; }
  const std::vector<float>& values(const std::string& name) const { return graph_.tensors.at(name).values; }

  void fill(const graph::Input&, Slot&) {}
  void fill(const graph::Flatten&, Slot& s) { s.spikes = input(s).spikes; }
  void fill(const graph::Add&, Slot&) {}

  void fill(const graph::Conv2d& op, Slot& s) {
    const Slot& in = input(s);
    const Shape& w = graph_.tensors.at(op.weight).shape;
    const auto O = static_cast<std::size_t>(w[0]), I = static_cast<std::size_t>(w[1]), taps = static_cast<std::size_t>(w[2] * w[3]);
    const std::size_t G = static_cast<std::size_t>(op.groups), Og = O / G, all = I * G;
    s.conv = {in.channels, in.height,         in.width,    s.channels,  s.height, s.width, static_cast<int>(w[2]), static_cast<int>(w[3]),
              op.stride_h, op.stride_w, op.pad_h, op.pad_w, op.groups};
    const auto& from = values(op.weight);
    s.weight.resize(from.size());
    for (std::size_t o = 0; o < O; ++o)
      for (std::size_t i = 0; i < I; ++i)
        for (std::size_t k = 0; k < taps; ++k) s.weight[(k * all + o / Og * I + i) * Og + o % Og] = from[(o * I + i) * taps + k];
    if (!op.bias.empty()) s.bias = values(op.bias);
    choose_plan(s, in);
    if (program_.options.count) conv_reach(s);
  }

  void fill(const graph::Linear& op, Slot& s) {
    const Slot& in = input(s);
    const auto& from = values(op.weight);
    s.weight.resize(from.size());
    for (std::size_t i = 0; i < in.n; ++i)
      for (std::size_t o = 0; o < s.n; ++o) s.weight[i * s.n + o] = from[o * in.n + (in.order.empty() ? i : in.order[i])];
    if (!op.bias.empty()) s.bias = values(op.bias);
    s.order.clear();
    choose_plan(s, in);
    if (!program_.options.count) return;
    s.reach.assign(in.n, static_cast<std::uint32_t>(s.n)), s.fan.assign(in.n, 0);
    for (std::size_t i = 0; i < in.n; ++i)
      for (std::size_t o = 0; o < s.n; ++o) s.fan[i] += s.weight[i * s.n + o] != 0.0f;
    s.synapses = static_cast<double>(in.n) * static_cast<double>(s.n);
  }

  void fill(const graph::AvgPool2d& op, Slot& s) { pool(op, s); }
  void fill(const graph::MaxPool2d& op, Slot& s) {
    pool(op, s);
    s.spikes = input(s).spikes;
  }
  template <class Pool>
  void pool(const Pool& op, Slot& s) {
    const Slot& in = input(s);
    s.conv = {in.channels, in.height, in.width, s.channels, s.height, s.width, op.kernel, op.kernel, op.stride, op.stride, 0, 0, 1};
  }

  void fill(const graph::Affine& op, Slot& s) {
    const std::size_t plane = s.n / static_cast<std::size_t>(s.channels);
    for (std::size_t i = 0; i < s.n; ++i) {
      const std::size_t channel = (s.order.empty() ? i : s.order[i]) / plane;
      s.weight.push_back(values(op.scale)[channel]), s.bias.push_back(values(op.shift)[channel]);
    }
  }

  void fill(const graph::Neuron& op, Slot& s) {
    s.spikes = true, s.lif = op.lif;
    s.state_at = program_.state_size, program_.state_size += s.n;
    if (op.decay.empty()) return;
    s.decay = values(op.decay);
    if (s.decay.size() == s.n && !s.order.empty())
      for (std::size_t i = 0; i < s.n; ++i) s.decay[i] = values(op.decay)[s.order[i]];
  }

  void fill(const graph::Readout& op, Slot& s) {
    s.readout = op.kind;
    s.state_at = program_.state_size, program_.state_size += s.n;
  }

  void choose_plan(Slot& s, const Slot& in) const {
    const auto density = graph_.densities.find(s.name);
    s.event = density != graph_.densities.end() ? density->second < event_density : in.spikes;
    if (program_.options.plan != Plan::automatic) s.event = program_.options.plan == Plan::event;
  }

  // An input reaches one output channel of its group for each kernel tap that lands inside the output.
  void conv_reach(Slot& s) {
    const ConvShape& c = s.conv;
    const std::size_t n = static_cast<std::size_t>(c.in_channels) * c.in_height * c.in_width, Og = static_cast<std::size_t>(c.out_channels / c.groups);
    std::vector<std::uint32_t> nonzero(s.weight.size() / Og, 0);  // of each (tap, input channel)
    for (std::size_t i = 0; i < s.weight.size(); ++i) nonzero[i / Og] += s.weight[i] != 0.0f;
    s.reach.assign(n, 0), s.fan.assign(n, 0);
    for (int oy = 0; oy < c.out_height; ++oy)
      for (int ox = 0; ox < c.out_width; ++ox)
        for (int k = 0; k < c.kernel_h * c.kernel_w; ++k) {
          const int iy = oy * c.stride_h + k / c.kernel_w - c.pad_h, ix = ox * c.stride_w + k % c.kernel_w - c.pad_w;
          if (iy < 0 || ix < 0 || iy >= c.in_height || ix >= c.in_width) continue;
          for (int i = 0; i < c.in_channels; ++i) {
            const std::size_t at = (static_cast<std::size_t>(iy) * c.in_width + ix) * c.in_channels + i;
            s.reach[at] += static_cast<std::uint32_t>(Og), s.fan[at] += nonzero[static_cast<std::size_t>(k) * c.in_channels + i];
          }
        }
    s.synapses = std::accumulate(s.reach.begin(), s.reach.end(), 0.0);
  }

  // Which forms of its inputs the slot reads: bits are made floats or lists once a step, however many read them.
  void say_needs(const Slot& s) {
    const bool weights = s.kind == Kind::conv || s.kind == Kind::linear;
    for (const auto i : s.inputs) {
      Slot& in = source(i);
      if (s.kind == Kind::flatten) continue;  // its readers say
      const bool spike_pool = s.kind == Kind::max_pool && in.spikes;
      if ((weights && (s.event || program_.options.count)) || spike_pool) in.wants_list = true;
      if (!(weights && s.event) && !spike_pool) in.wants_floats = true;
    }
    if (s.kind == Kind::neuron && program_.options.record_spikes) program_.slots.back().wants_list = true;
    if (&s == &program_.slots[graph_.nodes.size() - 1]) source(program_.slots.size() - 1).wants_floats = true;  // the output
  }
  Slot& source(std::size_t i) {
    while (program_.slots[i].kind == Kind::flatten) i = program_.slots[i].inputs[0];
    return program_.slots[i];
  }

  const Graph& graph_;
  Program& program_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace

Program::Program(const graph::Graph& graph, const Options& o) : options(o), T(graph.T) {
  graph::Graph checked = graph;
  graph::validate(checked);
  frame_size = static_cast<std::size_t>(graph::elements(checked.input_shape));
  slots.reserve(checked.nodes.size());
  Builder(checked, *this).run();
}

std::shared_ptr<const Program> prepare(const graph::Graph& graph, const Options& options) {
  return std::make_shared<const Program>(graph, options);
}

}  // namespace apical::runtime
