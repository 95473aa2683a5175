#include "apical/runtime/program.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "apical/kernels/bits.h"
#include "apical/kernels/event_linear.h"
#include "apical/kernels/simd.h"

namespace apical::runtime {
namespace {

using graph::Graph, graph::Node;

class Builder {
 public:
  Builder(const Graph& graph, Program& program) : graph_(graph), program_(program) {}

  void run() {
    for (const Node& node : graph_.nodes) {
      Slot slot;
      place(node, index_, program_.slots, slot);
      slot.op = graph::op_name(node.op);
      if (const auto rows = graph::states_per_element(graph_, node.op); rows > 0) {
        slot.state_rows = static_cast<std::size_t>(rows);
        slot.state_at = program_.state_size, program_.state_size += slot.state_rows * slot.n;
      }
      std::visit([&](const auto& op) { fill(op, slot); }, node.op);
      index_[node.name] = program_.slots.size();
      program_.slots.push_back(std::move(slot));
      say_needs(program_.slots.back());
    }
  }

 private:
  Slot& input(const Slot& s, std::size_t i = 0) { return program_.slots[s.inputs[i]]; }
  const graph::Floats& values(const std::string& name) const { return graph_.tensors.at(name).values; }

  void fill(const graph::Input&, Slot&) {}
  void fill(const graph::Flatten&, Slot& s) { s.spikes = input(s).spikes; }
  void fill(const graph::Add&, Slot&) {}

  void fill(const graph::Conv2d& op, Slot& s) {
    const Slot& in = input(s);
    s.conv.shape = conv_shape(op, graph_.tensors.at(op.weight).shape, in, s);
    const auto& from = values(op.weight);
    choose_plan(s, in);
    note_tensors(s, from, op.bias);
    lay_out(s, s.event, s.conv.shape.weights(), s.conv.shape.narrow_weights(), [&](auto* to) { kernels::prepare_conv(s.conv.shape, from.data(), to); });
    if (s.event) {
      if (!op.bias.empty()) s.bias = values(op.bias);
    } else {
      std::vector<float> biases(s.conv.biases());
      if (!op.bias.empty()) s.conv.prepare_bias(values(op.bias).data(), biases.data());
      s.bias = std::move(biases);
    }
    if (program_.options.count) conv_reach(s, from);
  }

  void fill(const graph::Linear& op, Slot& s) {
    const Slot& in = input(s);
    const auto& from = values(op.weight);
    const auto ordered = in_order_of<float>(in, {from.data(), from.size()});
    note_tensors(s, from, op.bias);
    lay_out(s, true, in.n * kernels::linear_stride(s.n), in.n * kernels::pair_row(s.n), [&](auto* to) { kernels::prepare_linear(ordered.data(), s.n, in.n, to); });
    if (!op.bias.empty()) s.bias = values(op.bias);
    s.order.clear();
    choose_plan(s, in);
    if (!program_.options.count) return;
    s.reach.assign(in.n, static_cast<std::uint32_t>(s.n)), s.fan.assign(in.n, 0);
    for (std::size_t o = 0; o < s.n; ++o)
      for (std::size_t i = 0; i < in.n; ++i) s.fan[i] += ordered[o * in.n + i] != 0.0f;
    s.synapses = static_cast<double>(in.n) * static_cast<double>(s.n);
  }

  void note_tensors(Slot& s, const graph::Floats& weights, const std::string& bias) const {
    s.biases = bias.empty() ? 0 : values(bias).size();
    s.weights = weights.size();
    if (std::all_of(weights.data(), weights.data() + weights.size(), kernels::is_bfloat16)) s.weight_size = 2;
  }
  template <class Prepare>
  static void lay_out(Slot& s, bool may_be_half, std::size_t floats, std::size_t halves, const Prepare& prepare) {
    if (may_be_half && s.weight_size == 2) {
      s.half.resize(halves);
      prepare(s.half.data());
      return;
    }
    s.weight.resize(floats);
    prepare(s.weight.data());
  }

  void fill(const graph::AvgPool2d& op, Slot& s) { s.pool = pool_shape(op.kernel, op.stride, input(s)); }
  void fill(const graph::MaxPool2d& op, Slot& s) {
    s.pool = pool_shape(op.kernel, op.stride, input(s));
    s.spikes = input(s).spikes;
  }
  void fill(const graph::Affine& op, Slot& s) {
    const std::size_t plane = s.n / static_cast<std::size_t>(s.channels);
    s.weight.resize(s.n);
    std::vector<float> shift(s.n);
    for (std::size_t i = 0; i < s.n; ++i) {
      const std::size_t channel = (s.order.empty() ? i : s.order[i]) / plane;
      s.weight[i] = values(op.scale)[channel], shift[i] = values(op.shift)[channel];
    }
    s.bias = std::move(shift);
    s.weights = 2 * static_cast<std::size_t>(s.channels);
  }

  void fill(const graph::Neuron& op, Slot& s) {
    s.spikes = true, s.lif = op.lif;
    if (op.decay.empty()) return;
    s.decay = values(op.decay);
    if (s.decay.size() == s.n && !s.order.empty()) {
      std::vector<float>& decay = s.decay.own();
      for (std::size_t i = 0; i < s.n; ++i) decay[i] = values(op.decay)[s.order[i]];
    }
  }

  // Parts of a vector, and vectors behind each other, lie as in the graph.
  void fill(const graph::Slice& op, Slot& s) { s.begin = static_cast<std::size_t>(op.begin), s.order.clear(); }
  void fill(const graph::Concat&, Slot& s) { s.order.clear(); }
  void fill(const graph::Tanh&, Slot&) {}
  void fill(const graph::TwoPoint& op, Slot& s) { s.cell = op.cell; }
  void fill(const graph::Attention& op, Slot& s) { s.heads = static_cast<std::size_t>(op.heads); }

  void fill(const graph::SpikingNeuron& op, Slot& s) { s.spikes = !s.counts, s.model = op.model; }
  void fill(const graph::SlidingNeuron& op, Slot& s) {
    s.spikes = true, s.window = values(op.weights), s.v_th = op.v_th;
    s.weights = s.window.size();
  }

  void fill(const graph::Readout& op, Slot& s) { s.readout = op.kind; }

  void choose_plan(Slot& s, const Slot& in) const {
    const auto density = graph_.densities.find(s.name);
    s.event = density != graph_.densities.end() ? density->second < (s.kind == Kind::conv ? event_density_conv : event_density_linear) : in.spikes;
    if (const auto plan = graph_.plans.find(s.name); plan != graph_.plans.end()) s.event = plan->second == Plan::event;
    if (program_.options.plan != Plan::automatic) s.event = program_.options.plan == Plan::event;
  }

  // An input reaches the output channels of its group for each kernel tap that lands inside the output.
  void conv_reach(Slot& s, const graph::Floats& weight) {
    const kernels::Conv2d& c = s.conv.shape;
    const std::size_t each = c.out_channels / c.groups, in_each = c.in_channels / c.groups, taps = c.kernel_h * c.kernel_w;
    std::vector<std::uint32_t> nonzero(taps * c.in_channels, 0);  // weights of each (tap, input channel)
    for (std::size_t at = 0; at < weight.size(); ++at) {
      const std::size_t o = at / (taps * in_each), i = at / taps % in_each;
      nonzero[at % taps * c.in_channels + o / each * in_each + i] += weight[at] != 0.0f;
    }
    s.reach.assign(c.inputs(), 0), s.fan.assign(c.inputs(), 0);
    for (std::size_t oy = 0; oy < c.out_height(); ++oy)
      for (std::size_t ox = 0; ox < c.out_width(); ++ox)
        for (std::size_t k = 0; k < taps; ++k) {
          const std::size_t y = oy * c.stride_h + k / c.kernel_w, x = ox * c.stride_w + k % c.kernel_w;
          if (y < c.pad_h || x < c.pad_w || y - c.pad_h >= c.height || x - c.pad_w >= c.width) continue;
          for (std::size_t i = 0; i < c.in_channels; ++i) {
            const std::size_t at = ((y - c.pad_h) * c.width + x - c.pad_w) * c.in_channels + i;
            s.reach[at] += static_cast<std::uint32_t>(each), s.fan[at] += nonzero[k * c.in_channels + i];
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
      if ((weights && (s.event || program_.options.count)) || (spike_pool && !s.pool.whole_words())) in.wants_list = true;
      if (!(weights && s.event) && !spike_pool) in.wants_floats = true;
    }
    if (s.fires && program_.options.record_spikes) program_.slots.back().wants_list = true;
    if (&s == &program_.slots[graph_.nodes.size() - 1]) source(program_.slots.size() - 1).wants_floats = true;  // the output
  }
  Slot& source(std::size_t i) { return program_.slots[program_.source(i)]; }

  const Graph& graph_;
  Program& program_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace

Program::Program(const graph::Graph& graph, const Options& o) {
  options = o, T = graph.T;
  graph::Graph checked = graph;
  graph::validate(checked);
  frame_size = static_cast<std::size_t>(graph::elements(checked.input_shape));
  slots.reserve(checked.nodes.size());
  Builder(checked, *this).run();
  plan_memory();
  kernels::scalar_level();  // the level is chosen now, not by the first step
}

void Program::plan_memory() {
  std::size_t most = 0;
  for (Slot& s : slots) {
    most = std::max(most, s.n);
    if (s.kind == Kind::flatten) continue;  // it is its input's buffer
    if (!s.spikes || s.wants_floats) s.at.x = memory.take<float>(s.n);
    if (s.spikes || (s.counts && options.record_spikes)) s.at.bits = memory.take<std::uint64_t>(kernels::words_per_row(s.n));
    if (s.wants_list) s.at.list = memory.take<std::uint32_t>(s.n);
    if (s.wants_list && !s.spikes) s.at.listed = memory.take<float>(s.n);
    if (s.kind == Kind::conv && !s.event) s.at.padded = memory.take<float>(s.conv.padded());
    if (s.kind == Kind::conv && s.event) s.at.starts = memory.take<std::uint32_t>(s.conv.shape.height * s.conv.shape.width + 1);
  }
  reordered_at = memory.take<float>(most), ordered_at = memory.take<float>(most);
  values_at = memory.take<float>(state_size);
  frame_at = memory.take<float>(frame_size), output_at = memory.take<float>(slots.back().n);
}

std::shared_ptr<const Program> prepare(const graph::Graph& graph, const Options& options) {
  return std::make_shared<const Program>(graph, options);
}

}  // namespace apical::runtime
