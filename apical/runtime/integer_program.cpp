#include "apical/runtime/integer_program.h"

#include <algorithm>
#include <unordered_map>

#include "apical/kernels/bits.h"
#include "apical/kernels/simd.h"

namespace apical::runtime {
namespace {

using graph::IntegerNode, graph::Node;

std::size_t size(std::int64_t v) { return static_cast<std::size_t>(v); }

class Builder {
 public:
  Builder(const graph::IntegerNetwork& network, IntegerProgram& program) : graph_(network.graph), nodes_(network.nodes), program_(program) {}

  void run() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const Node& node = graph_.nodes[i];
      IntegerSlot slot;
      place(node, index_, program_.slots, slot);
      slot.unit = nodes_[i].unit;
      slot.list_size = slot.n;
      std::visit([&](const auto& op) { fill(op, nodes_[i], slot); }, node.op);
      index_[node.name] = i;
      say_needs(slot);
      program_.slots.push_back(std::move(slot));
    }
    source(program_.slots.size() - 1).wants_values = true;  // the output
    choose_rows();
  }

 private:
  const IntegerSlot& input(const IntegerSlot& s) const { return program_.slots[s.inputs[0]]; }

  void fill(const graph::Input&, const IntegerNode& node, IntegerSlot&) { program_.input_scale = static_cast<float>(1 / node.unit); }
  void fill(const graph::Flatten&, const IntegerNode&, IntegerSlot& s) { s.form = input(s).form; }
  void fill(const graph::Add&, const IntegerNode& node, IntegerSlot& s) { s.shifts = node.shifts; }
  template <class Other>
  void fill(const Other&, const IntegerNode&, IntegerSlot&) {}  // there is none

  void fill(const graph::Conv2d& op, const IntegerNode& node, IntegerSlot& s) {
    s.conv = conv_shape(op, graph_.tensors.at(op.weight).shape, input(s), s);
    prepare(node.weight, node, s);
  }
  void fill(const graph::Linear&, const IntegerNode& node, IntegerSlot& s) {
    const IntegerSlot& in = input(s);
    const auto ordered = in_order_of<std::int8_t>(in, node.weight);
    s.conv = kernels::linear_shape(s.n, in.n);
    s.order.clear();
    prepare(ordered, node, s);
  }
  void prepare(const std::vector<std::int8_t>& weight, const IntegerNode& node, IntegerSlot& s) const {
    s.weight.resize(s.conv.narrow_weights());
    kernels::prepare_int8(s.conv, weight.data(), s.weight.data());
    s.bias = node.bias;
  }

  void fill(const graph::AvgPool2d& op, const IntegerNode&, IntegerSlot& s) {
    s.pool = pool_shape(op.kernel, op.stride, input(s));
    if (input(s).form != Form::spikes) return;
    s.form = Form::sums, s.wants_list = true, s.list_size = s.n * size(op.kernel) * size(op.kernel);
  }
  void fill(const graph::MaxPool2d& op, const IntegerNode&, IntegerSlot& s) {
    s.pool = pool_shape(op.kernel, op.stride, input(s));
    if (input(s).form == Form::spikes) s.form = Form::spikes;
  }
  void fill(const graph::Neuron&, const IntegerNode& node, IntegerSlot& s) {
    s.form = Form::spikes, s.lif = node.lif;
    s.state_at = program_.state_size, program_.state_size += s.n;
    s.leak = node.leak;
    for (std::size_t i = 0; i < s.leak.size() && !s.order.empty(); ++i) s.leak[i] = node.leak[s.order[i]];
  }
  void fill(const graph::Readout& op, const IntegerNode&, IntegerSlot& s) {
    s.readout = op.kind;
    s.state_at = program_.state_size, program_.state_size += s.n;
  }

  void say_needs(IntegerSlot& s) {
    const bool pool = s.kind == Kind::max_pool || s.kind == Kind::avg_pool, bits_alone = s.kind == Kind::max_pool && s.pool.whole_words();
    for (const auto i : s.inputs) {
      IntegerSlot& in = source(i);
      if (s.kind == Kind::flatten) continue;  // its readers say
      const bool list = s.kind == Kind::conv || s.kind == Kind::linear || (pool && in.form == Form::spikes);
      if (list && bits_alone) continue;
      (list ? in.wants_list : in.wants_values) = true;
    }
    if (s.kind == Kind::neuron && program_.options.record_spikes) s.wants_list = true;
  }
  // A row of sums that is used up at once stays in the first level cache. Its bits must be whole words, unless it is the only one. Sums of an input
  // that is the same at every step are kept instead.
  void choose_rows() {
    std::vector<int> readers(program_.slots.size());
    for (const IntegerSlot& s : program_.slots)
      for (const auto i : s.inputs) ++readers[i];
    for (const IntegerSlot& s : program_.slots) {
      if (s.kind != Kind::neuron) continue;
      IntegerSlot& in = program_.slots[s.inputs[0]];
      const bool weights = in.kind == Kind::conv || in.kind == Kind::linear;
      const bool fresh = in.changing || graph_.encoder.kind != "direct";
      in.by_rows = weights && fresh && readers[s.inputs[0]] == 1 && (in.height == 1 || in.row() % 64 == 0);
      const bool small = std::all_of(in.bias.begin(), in.bias.end(), [](std::int32_t b) { return b == static_cast<std::int16_t>(b); });
      in.narrow = in.by_rows && s.lif.shift >= 0 && small && in.conv.groups == 1 && (in.kind == Kind::linear || window_events(in) <= kernels::kWindow);
      if (in.by_rows) in.shares = std::min(std::size_t{16}, static_cast<std::size_t>(in.height));
      if (in.narrow) in.narrow_bias.assign(in.bias.begin(), in.bias.end());
    }
  }
  // As many as the window of an output can have: elements of sums are listed several times.
  std::size_t window_events(const IntegerSlot& s) {
    const IntegerSlot& in = source(s.inputs[0]);
    return s.conv.kernel_h * s.conv.kernel_w * s.conv.in_channels * (in.list_size / in.n);
  }
  IntegerSlot& source(std::size_t i) { return program_.slots[program_.source(i)]; }

  const graph::Graph& graph_;
  const std::vector<IntegerNode>& nodes_;
  IntegerProgram& program_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace

IntegerProgram::IntegerProgram(const graph::IntegerNetwork& network, const Options& o) {
  options = o, T = network.graph.T;
  frame_size = size(graph::elements(network.graph.input_shape));
  slots.reserve(network.nodes.size());
  Builder(network, *this).run();
  plan_memory();
  kernels::scalar_level();  // the level is chosen now, not by the first step
}

void IntegerProgram::plan_memory() {
  std::size_t most = 0;
  for (IntegerSlot& s : slots) {
    most = std::max(most, s.n);
    if (s.kind == Kind::flatten) continue;  // it is its input's buffer
    if (s.form == Form::values || s.wants_values) s.values_at = s.narrow ? memory.take<std::int16_t>(s.row() * s.shares) : memory.take<std::int32_t>(s.by_rows ? s.row() * s.shares : s.n);
    if (s.form == Form::spikes || (s.form == Form::values && s.wants_list && s.kind != Kind::input)) s.bits_at = memory.take<std::uint64_t>(kernels::words_per_row(s.n));
    if (s.wants_list) s.list_at = memory.take<std::uint32_t>(s.list_size);
    if (s.form == Form::values && s.wants_list) s.factors_at = memory.take<std::int16_t>(s.n);
    if (s.kind == Kind::conv) s.starts_at = memory.take<std::uint32_t>(s.conv.height * s.conv.width + 1);
    if (s.form == Form::sums && s.kind == Kind::avg_pool) s.starts_at = memory.take<std::uint32_t>(s.pool.height * s.pool.width + 1);
    if (s.kind == Kind::neuron) s.kept_at = memory.take<std::int16_t>(s.n);
    if (s.kind == Kind::readout) s.kept_at = memory.take<std::int64_t>(s.n);
  }
  for (std::size_t* at : {&frame_at, &ordered_at, &listed_at}) *at = memory.take<float>(frame_size);
  output_at = memory.take<float>(slots.back().n);
  reordered_at = memory.take<std::int32_t>(most);
}

std::shared_ptr<const IntegerProgram> prepare(const graph::IntegerNetwork& network, const Options& options) {
  return std::make_shared<const IntegerProgram>(network, options);
}

}  // namespace apical::runtime
