#include "apical/graph/integer.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::graph {
namespace {

constexpr std::int64_t max_sum = kernels::integer_current_limit;
constexpr int v_th_bits = 12, most_shift = 11;

class Lowering {
 public:
  explicit Lowering(const Graph& graph) : graph_(graph) {}

  IntegerNetwork run() {
    validate(graph_);
    if (!graph_.integer) fail("it is not quantised", "apical quantise makes an integer network of a model.");
    for (const Node& node : graph_.nodes) {
      where_ = ", node '" + node.name + "'";
      out_.nodes.emplace_back();
      std::visit([&](const auto& op) { lower(op, node, out_.nodes.back()); }, node.op);
      index_[node.name] = out_.nodes.size() - 1;
    }
    out_.graph = graph_;
    for (auto& [name, tensor] : out_.graph.tensors) tensor.values = {};
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const std::string& what, const std::string& hint = {}) const {
    throw data_error(what, "network '" + graph_.name + "'" + where_, hint);
  }
  const IntegerNode& in(const Node& node, std::size_t i = 0) const { return out_.nodes[index_.at(node.inputs[i])]; }
  const Tensor& tensor(const std::string& name) const { return graph_.tensors.at(name); }

  void in_range(const IntegerNode& y, const std::string& hint = {}) const {
    if (y.least < -max_sum || y.most > max_sum) fail("its sums can leave 30 bits (" + std::to_string(y.least) + " to " + std::to_string(y.most) + ")", hint);
  }
  void same_range(const Node& node, IntegerNode& y) const { y.unit = in(node).unit, y.least = in(node).least, y.most = in(node).most; }

  void lower(const Input&, const Node&, IntegerNode& y) const {
    y.unit = std::ldexp(1.0, -graph_.integer->input_exponent), y.least = -127, y.most = 127;
  }
  void lower(const Conv2d& op, const Node& node, IntegerNode& y) const { weights(op.weight, op.bias, node, y); }
  void lower(const Linear& op, const Node& node, IntegerNode& y) const { weights(op.weight, op.bias, node, y); }

  void weights(const std::string& weight, const std::string& bias, const Node& node, IntegerNode& y) const {
    const IntegerNode& x = in(node);
    if (x.least < -32768 || x.most > 32767)
      fail("it reads sums of up to " + std::to_string(std::max(-x.least, x.most)) + ", more than 16 bits", "Put a neuron before it.");
    const int exponent = graph_.integer->exponents.at(weight);
    y.unit = std::ldexp(x.unit, -exponent);
    const Floats& w = tensor(weight).values;
    y.weight.resize(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) y.weight[i] = static_cast<std::int8_t>(std::ldexp(w[i], exponent));  // whole: validate
    const auto outputs = static_cast<std::size_t>(tensor(weight).shape[0]), row = w.size() / outputs;
    if (!bias.empty()) y.bias.resize(outputs);
    for (std::size_t o = 0; o < outputs; ++o) {
      std::int64_t least = 0, most = 0;
      if (!bias.empty()) {
        const double b = std::nearbyint(tensor(bias).values[o] / y.unit);
        if (!(std::fabs(b) <= static_cast<double>(max_sum)))
          fail("bias '" + bias + "' element " + std::to_string(o) + " is " + number(b) + " in the unit of its sums, more than 30 bits",
               "Its weights are small beside it.");
        y.bias[o] = static_cast<std::int32_t>(b);
        least = most = y.bias[o];
      }
      for (std::size_t i = o * row; i < (o + 1) * row; ++i) {
        const std::int64_t a = y.weight[i] * x.least, b = y.weight[i] * x.most;
        least += std::min({a, b, std::int64_t{0}}), most += std::max({a, b, std::int64_t{0}});  // 0: padding, or an event that is not there
      }
      y.least = o == 0 ? least : std::min(y.least, least), y.most = o == 0 ? most : std::max(y.most, most);
    }
    in_range(y, "Fewer inputs, or smaller ones, are needed.");
  }

  void lower(const AvgPool2d& op, const Node& node, IntegerNode& y) const {
    const auto area = std::int64_t{op.kernel} * op.kernel;
    same_range(node, y);
    y.unit /= static_cast<double>(area), y.least *= area, y.most *= area;
    in_range(y);
  }
  void lower(const MaxPool2d&, const Node& node, IntegerNode& y) const { same_range(node, y); }
  void lower(const Flatten&, const Node& node, IntegerNode& y) const { same_range(node, y); }
  template <class Other>
  void lower(const Other&, const Node&, IntegerNode&) const {}  // there is none: validate

  void lower(const Add&, const Node& node, IntegerNode& y) const {
    y.unit = in(node).unit;
    for (std::size_t i = 1; i < node.inputs.size(); ++i) y.unit = std::min(y.unit, in(node, i).unit);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      int exponent = 0;
      if (std::frexp(in(node, i).unit / y.unit, &exponent) != 0.5)
        fail("the units of its inputs are not powers of two apart ('" + node.inputs[i] + "')", "An average over 3 x 3 before one of them? 2 x 2 or 4 x 4 can be.");
      if (exponent > 31) fail("the units of its inputs are more than 30 bits apart");
      y.shifts.push_back(exponent - 1);
      IntegerNode part = in(node, i);
      const std::int64_t factor = std::int64_t{1} << y.shifts.back();
      part.least *= factor, part.most *= factor;
      in_range(part);
      y.least += part.least, y.most += part.most;
      in_range(y);
    }
  }

  void lower(const Neuron& op, const Node& node, IntegerNode& y) const {
    const IntegerNode& x = in(node);
    y.unit = 1, y.least = 0, y.most = 1;
    double decay = op.lif.decay;
    if (!op.decay.empty()) {
      const Floats& each = tensor(op.decay).values;
      decay = each[0];
      if (op.lif.decay_input && std::any_of(each.begin(), each.end(), [&](float d) { return d != each[0]; }))
        fail("the factors of its input, 1 - decay, differ from neuron to neuron", "One decay a layer is possible, or decay_input = false.");
      if (each.size() > 1)
        for (const float d : each) y.leak.push_back(static_cast<std::int16_t>(-fixed_decay(d)));
    }
    const double scale = op.lif.decay_input ? 1.0 - decay : double{op.lif.input_scale};
    if (!(scale > 0)) fail("the factor of its input is " + number(scale) + ", it must be positive");
    // v_th and v_reset in units of the current; as a whole number of 2^11 to 2^12 units of the membrane, unless one of the current is more.
    const double v_th = op.lif.v_th / scale / x.unit, v_reset = op.lif.v_reset / scale / x.unit;
    int exponent = 0;
    std::frexp(v_th, &exponent);
    const int shift = std::min(v_th_bits - exponent, most_shift);
    kernels::IntegerLif& lif = y.lif;
    lif = {fixed_decay(decay), 0, 0, shift, op.lif.reset, op.lif.compare, op.lif.reset_at};
    const double th = std::nearbyint(std::ldexp(v_th, shift)), reset = std::nearbyint(std::ldexp(v_reset, shift));
    if (shift < -30) fail("its threshold is " + number(v_th) + " units of its input, more than 42 bits", "The weights before it are small beside v_th.");
    if (!(th >= 16)) fail("its threshold is " + number(v_th) + " units of its input", "The weights before it are too large beside v_th.");
    lif.v_th = static_cast<std::int32_t>(th);
    if (lif.reset != kernels::Reset::hard) return;
    if (!(std::fabs(reset) <= kernels::integer_limit)) fail("v_reset is more than 8 times v_th");
    lif.v_reset = std::min(static_cast<std::int32_t>(reset), lif.v_th - 1);
  }
  static std::int32_t fixed_decay(double d) { return static_cast<std::int32_t>(std::nearbyint(std::ldexp(d, kernels::integer_decay_bits))); }

  void lower(const Readout&, const Node& node, IntegerNode& y) const { same_range(node, y); }

  Graph graph_;
  IntegerNetwork out_;
  std::string where_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace

IntegerNetwork integer_network(const Graph& graph) { return Lowering(graph).run(); }

}  // namespace apical::graph
