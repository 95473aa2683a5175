#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "apical/base/error.h"
#include "apical/base/text.h"
#include "apical/graph/graph.h"
#include "apical/kernels/neurons/sliding.h"

namespace apical::graph {
namespace {

constexpr std::int64_t max_elements = std::int64_t{1} << 26;
constexpr std::int64_t max_total = std::int64_t{1} << 28;  // of all nodes: a session keeps them all
constexpr std::size_t max_nodes = 4096;
constexpr int max_steps = 65536;
constexpr std::size_t max_name = 256;

class Validator {
 public:
  Validator(Graph& graph, Values values) : graph_(graph), values_(values) {}

  void run() {
    check_header();
    for (const auto& [name, tensor] : graph_.tensors) check_tensor(name, tensor);
    std::set<std::string> used;
    for (auto& node : graph_.nodes) {
      check_name(node);
      check_inputs(node);
      where_ = "node '" + node.name + "'";
      node.shape = std::visit([&](const auto& op) { return shape_of(op, node); }, node.op);
      check_size(node.shape, "the output");
      total_ += elements(node.shape) * std::max<std::int64_t>(1, states_per_element(graph_, node.op));
      if (total_ > max_total) fail("the nodes have more than 2^28 elements together, those of their states counted");
      for (auto& t : tensor_names(node.op)) used.insert(t);
      if (!shapes_.emplace(node.name, &node.shape).second) fail("two nodes have the name '" + node.name + "'");
    }
    where_.clear();
    for (const auto& [name, tensor] : graph_.tensors)
      if (!used.count(name)) fail("no node reads the tensor '" + name + "'", "Remove it, or name it in the node that needs it.");
    check_figures();
    if (graph_.integer) check_integer(*graph_.integer);
  }

 private:
  [[noreturn]] void fail(const std::string& what, const std::string& hint = {}) const {
    std::string where = graph_.name.empty() ? "network" : "network '" + graph_.name.substr(0, max_name) + "'";
    if (!where_.empty()) where += ", " + where_;
    throw data_error(what, where, hint);
  }

  void check_size(const Shape& shape, const std::string& what) const {
    if (shape.empty() || shape.size() > 4) fail(what + " has the shape " + shape_text(shape) + ": 1 to 4 dimensions are possible");
    std::int64_t n = 1;
    for (const auto d : shape) {
      if (d < 1) fail(what + " has the shape " + shape_text(shape) + ": every dimension must be at least 1");
      if (d > max_elements || n * d > max_elements) fail(what + " has the shape " + shape_text(shape) + ": more than 2^26 elements");
      n *= d;
    }
  }

  void check_header() {
    if (graph_.schema != 1) fail("schema " + std::to_string(graph_.schema) + " is not known", "This version reads schema 1.");
    if (graph_.T < 1 || graph_.T > max_steps)
      fail("T is " + std::to_string(graph_.T) + ": a sample needs 1 to " + std::to_string(max_steps) + " steps");
    if (graph_.nodes.empty()) fail("the network has no nodes");
    if (graph_.nodes.size() > max_nodes) fail("the network has more than " + std::to_string(max_nodes) + " nodes");
    if (graph_.input_shape.size() != 1 && graph_.input_shape.size() != 3)
      fail("the input shape " + shape_text(graph_.input_shape) + " is neither [C, H, W] nor [N]");
    check_size(graph_.input_shape, "the input");
    const std::vector<std::string> kinds{"image", "events", "audio", "features"};
    if (std::find(kinds.begin(), kinds.end(), graph_.input_kind) == kinds.end())
      fail("unknown input kind '" + graph_.input_kind + "'", did_you_mean(graph_.input_kind, kinds));
    const auto channels = static_cast<std::size_t>(graph_.input_shape[0]);
    const auto per_channel = [&](const std::vector<float>& v, const char* name) {
      if (!v.empty() && channels % v.size() != 0)  // population codes make several channels of each
        fail("preprocess." + std::string(name) + " has " + std::to_string(v.size()) + " values for " + std::to_string(channels) +
             " channels");
      for (const float x : v)
        if (!std::isfinite(x)) fail("preprocess." + std::string(name) + " holds a value that is not finite");
    };
    per_channel(graph_.preprocess.mean, "mean");
    per_channel(graph_.preprocess.std, "std");
    for (const float x : graph_.preprocess.std)
      if (!(x > 0)) fail("preprocess.std must be positive");
    try {
      data::validate(graph_.encoder);
    } catch (const Error& e) {
      fail("encoder: " + e.message(), e.hint());
    }
  }

  void check_tensor(const std::string& name, const Tensor& tensor) {
    where_ = "tensor '" + name.substr(0, max_name) + "'";
    if (name.empty() || name.size() > max_name) fail("a tensor needs a name of 1 to " + std::to_string(max_name) + " bytes");
    check_size(tensor.shape, "it");
    if (values_ == Values::shapes_only) return;
    if (tensor.values.size() != static_cast<std::size_t>(elements(tensor.shape)))
      fail("it holds " + std::to_string(tensor.values.size()) + " values for the shape " + shape_text(tensor.shape));
    for (std::size_t i = 0; i < tensor.values.size(); ++i)
      if (!std::isfinite(tensor.values[i])) fail("element " + std::to_string(i) + " is not a finite number");
    where_.clear();
  }

  void check_name(const Node& node) {
    where_.clear();
    if (node.name.empty() || node.name.size() > max_name) fail("a node needs a name of 1 to " + std::to_string(max_name) + " bytes");
  }

  void check_inputs(const Node& node) {
    where_ = "node '" + node.name + "'";
    const bool is_input = std::holds_alternative<Input>(node.op), is_cell = std::holds_alternative<TwoPoint>(node.op),
               is_many = std::holds_alternative<Add>(node.op) || std::holds_alternative<Concat>(node.op);
    if (is_input && !node.inputs.empty()) fail("an input node has no inputs");
    if (is_many && (node.inputs.size() < 2 || node.inputs.size() > 64))
      fail(op_name(node.op) + " needs 2 to 64 inputs, it has " + std::to_string(node.inputs.size()));
    if (is_cell && (node.inputs.empty() || node.inputs.size() > 2))
      fail("two_point needs 1 or 2 inputs, the receptive field and the context, it has " + std::to_string(node.inputs.size()));
    const bool is_attention = std::holds_alternative<Attention>(node.op);
    if (is_attention && node.inputs.size() != 3) fail("attention needs 3 inputs, queries, keys and values, it has " + std::to_string(node.inputs.size()));
    if (!is_input && !is_many && !is_cell && !is_attention && node.inputs.size() != 1)
      fail(op_name(node.op) + " needs exactly one input, it has " + std::to_string(node.inputs.size()));
    for (const auto& name : node.inputs) {
      if (shapes_.count(name)) continue;
      std::vector<std::string> earlier;
      bool later = false;
      for (const auto& other : graph_.nodes) {
        if (shapes_.count(other.name))
          earlier.push_back(other.name);
        else if (other.name == name)
          later = true;
      }
      if (later) fail("its input '" + name + "' comes later: the nodes must stand in order of execution, without cycles");
      fail("its input '" + name + "' does not exist", did_you_mean(name, earlier));
    }
    if (std::holds_alternative<Readout>(node.op) && &node != &graph_.nodes.back()) fail("a readout must be the last node");
  }

  const Shape& in(const Node& node) const { return *shapes_.at(node.inputs[0]); }

  const Tensor& tensor(const std::string& name, const char* role) const {
    const auto it = graph_.tensors.find(name);
    if (it != graph_.tensors.end()) return it->second;
    std::vector<std::string> names;
    for (const auto& [n, t] : graph_.tensors) names.push_back(n);
    fail(std::string(role) + " '" + name + "' is not among the tensors", did_you_mean(name, names));
  }

  void expect(const std::string& name, const char* role, const Shape& wanted) const {
    const Tensor& t = tensor(name, role);
    if (t.shape != wanted)
      fail(std::string(role) + " '" + name + "' has the shape " + shape_text(t.shape) + ", expected " + shape_text(wanted));
  }

  void at_least(int value, int least, const char* what) const {
    if (value < least || value > (1 << 20))
      fail(std::string(what) + " is " + std::to_string(value) + ", it must be at least " + std::to_string(least));
  }

  void image_input(const Node& node) const {
    if (in(node).size() != 3) fail(op_name(node.op) + " needs an input [C, H, W], it gets " + shape_text(in(node)));
  }

  std::int64_t window(std::int64_t size, std::int64_t kernel, int stride, int pad) const {
    if (size + 2 * pad < kernel)
      fail("a window of " + std::to_string(kernel) + " does not fit into " + std::to_string(size) + " with padding " + std::to_string(pad));
    return (size + 2 * pad - kernel) / stride + 1;
  }

  Shape shape_of(const Input&, const Node&) { return graph_.input_shape; }

  Shape shape_of(const Conv2d& op, const Node& node) {
    image_input(node);
    at_least(op.stride_h, 1, "stride"), at_least(op.stride_w, 1, "stride");
    at_least(op.pad_h, 0, "pad"), at_least(op.pad_w, 0, "pad"), at_least(op.groups, 1, "groups");
    const Shape& x = in(node);
    const Shape& w = tensor(op.weight, "weight").shape;
    if (w.size() != 4) fail("weight '" + op.weight + "' has the shape " + shape_text(w) + ", expected [O, I, KH, KW]");
    if (x[0] % op.groups || w[0] % op.groups)
      fail("groups " + std::to_string(op.groups) + " does not divide the channels " + std::to_string(x[0]) + " and " +
           std::to_string(w[0]));
    expect(op.weight, "weight", {w[0], x[0] / op.groups, w[2], w[3]});
    if (!op.bias.empty()) expect(op.bias, "bias", {w[0]});
    if (op.pad_h >= w[2] || op.pad_w >= w[3]) fail("the padding must be smaller than the kernel");
    return {w[0], window(x[1], w[2], op.stride_h, op.pad_h), window(x[2], w[3], op.stride_w, op.pad_w)};
  }

  Shape shape_of(const Linear& op, const Node& node) {
    const Shape& x = in(node);
    if (x.size() != 1) fail("linear needs an input [N], it gets " + shape_text(x), "Put a flatten node before it.");
    const Shape& w = tensor(op.weight, "weight").shape;
    if (w.size() != 2) fail("weight '" + op.weight + "' has the shape " + shape_text(w) + ", expected [O, I]");
    expect(op.weight, "weight", {w[0], x[0]});
    if (!op.bias.empty()) expect(op.bias, "bias", {w[0]});
    return {w[0]};
  }

  template <class Pool>
  Shape pooled(const Pool& op, const Node& node) {
    image_input(node);
    at_least(op.kernel, 1, "kernel"), at_least(op.stride, 1, "stride");
    const Shape& x = in(node);
    return {x[0], window(x[1], op.kernel, op.stride, 0), window(x[2], op.kernel, op.stride, 0)};
  }
  Shape shape_of(const AvgPool2d& op, const Node& node) { return pooled(op, node); }
  Shape shape_of(const MaxPool2d& op, const Node& node) { return pooled(op, node); }
  Shape shape_of(const Flatten&, const Node& node) { return {elements(in(node))}; }

  Shape shape_of(const Affine& op, const Node& node) {
    expect(op.scale, "scale", {in(node)[0]});
    expect(op.shift, "shift", {in(node)[0]});
    return in(node);
  }

  void finite(float v, const char* what) const {
    if (!std::isfinite(v)) fail(std::string(what) + " is not a finite number");
  }

  void check_decay(float d, const std::string& what) const {
    if (!(d >= 0.0f && d <= 1.0f))
      fail(what + " is " + number(d) + ", it must lie in [0, 1]", "A decay of 1 - 1/tau needs tau >= 1; a negative tau has no meaning.");
  }

  void check_threshold(float v_th) const {
    if (!(v_th > 0) || !std::isfinite(v_th)) fail("v_th is " + number(v_th) + ", it must be positive");
  }
  void check_lif(const kernels::Lif& lif) const {
    check_decay(lif.decay, "decay");
    finite(lif.input_scale, "input_scale"), finite(lif.v_reset, "v_reset");
    check_threshold(lif.v_th);
    if (lif.reset == kernels::Reset::hard && !(lif.v_reset < lif.v_th))
      fail("v_reset is " + number(lif.v_reset) + ", it must lie below v_th");
  }
  void check_surrogate(const kernels::Surrogate& s) const {
    if (!(s.height > 0) || !(s.width > 0) || !std::isfinite(s.height) || !std::isfinite(s.width))
      fail("the surrogate's height and width must be positive");
  }

  Shape shape_of(const Neuron& op, const Node& node) {
    const Shape& x = in(node);
    check_lif(op.lif), check_surrogate(op.surrogate);
    if (!op.decay.empty()) {
      const Tensor& t = tensor(op.decay, "decay");
      if (t.shape != Shape{1} && t.shape != x)
        fail("decay '" + op.decay + "' has the shape " + shape_text(t.shape) + ", expected [1] or " + shape_text(x));
      for (std::size_t i = 0; i < t.values.size(); ++i) check_decay(t.values[i], "decay '" + op.decay + "' element " + std::to_string(i));
    }
    return x;
  }

  void check_model(const kernels::Cuba& m) const { check_lif(m.lif), check_decay(m.alpha, "alpha"); }
  void check_model(const kernels::Alif& m) const {
    check_lif(m.lif), check_decay(m.rho, "rho"), finite(m.reset_by, "reset_by");
    if (!(m.beta >= 0) || !std::isfinite(m.beta)) fail("beta is " + number(m.beta) + ", it must be >= 0", "A spike raises the threshold.");
  }
  void check_model(const kernels::RefractoryLif& m) const {
    check_lif(m.lif);
    if (m.steps < 0 || m.steps >= 1 << 24) fail("steps is " + std::to_string(m.steps) + ": 0 to 2^24 - 1 refractory steps are possible");
  }
  void check_model(const kernels::MultiLif& m) const {
    check_decay(m.decay, "decay"), finite(m.input_scale, "input_scale");
    if (m.levels < 1 || m.levels > 255) fail("levels is " + std::to_string(m.levels) + ": 1 to 255 spikes a step are possible");
  }
  Shape shape_of(const SpikingNeuron& op, const Node& node) {
    std::visit([&](const auto& model) { check_model(model); }, op.model);
    check_surrogate(op.surrogate);
    return in(node);
  }
  Shape shape_of(const SlidingNeuron& op, const Node& node) {
    const Shape& w = tensor(op.weights, "weights").shape;
    if (w.size() != 1 || w[0] > static_cast<std::int64_t>(kernels::max_window))
      fail("weights '" + op.weights + "' has the shape " + shape_text(w) + ", expected [K] with K <= " + std::to_string(kernels::max_window));
    finite(op.v_th, "v_th"), check_surrogate(op.surrogate);
    return in(node);
  }

  Shape shape_of(const Add&, const Node& node) {
    for (const auto& name : node.inputs)
      if (*shapes_.at(name) != in(node))
        fail("its inputs have different shapes: " + shape_text(in(node)) + " and " + shape_text(*shapes_.at(name)) + " ('" + name + "')");
    return in(node);
  }
  Shape shape_of(const Readout&, const Node& node) { return in(node); }

  std::int64_t flat(const Node& node, const std::string& input) const {
    const Shape& x = *shapes_.at(input);
    if (x.size() != 1) fail(op_name(node.op) + " needs inputs [N], '" + input + "' has " + shape_text(x), "Put a flatten node before it.");
    return x[0];
  }
  Shape shape_of(const Slice& op, const Node& node) {
    const std::int64_t n = flat(node, node.inputs[0]);
    if (op.begin < 0 || op.size < 1 || op.size > n || op.begin > n - op.size)
      fail("a slice of " + std::to_string(op.size) + " from element " + std::to_string(op.begin) + " on does not lie within the " +
           std::to_string(n) + " of '" + node.inputs[0] + "'");
    return {op.size};
  }
  Shape shape_of(const Concat&, const Node& node) {
    std::int64_t n = 0;
    for (const auto& name : node.inputs) n += flat(node, name);
    return {n};
  }
  Shape shape_of(const Tanh&, const Node& node) { return in(node); }
  Shape shape_of(const TwoPoint& op, const Node& node) {
    if (!(op.cell.c_max > 0) || !std::isfinite(op.cell.c_max))
      fail("c_max is " + number(op.cell.c_max) + ", it must be positive and finite", "It bounds the context; 3 is usual.");
    if (node.inputs.size() == 2)
      if (const Shape& context = *shapes_.at(node.inputs[1]); context != in(node))
        fail("its context '" + node.inputs[1] + "' has the shape " + shape_text(context) + ", its receptive field '" + node.inputs[0] + "' has " +
             shape_text(in(node)));
    return in(node);
  }

  Shape shape_of(const Attention& op, const Node& node) {
    image_input(node);
    for (const auto& name : node.inputs)
      if (*shapes_.at(name) != in(node))
        fail("its inputs have different shapes: " + shape_text(in(node)) + " and " + shape_text(*shapes_.at(name)) + " ('" + name + "')");
    at_least(op.heads, 1, "heads");
    if (const auto tokens = in(node)[1] * in(node)[2]; tokens * tokens > max_elements)
      fail(std::to_string(tokens) + " tokens have more than 2^26 pairs");
    if (in(node)[0] % op.heads) fail("heads " + std::to_string(op.heads) + " does not divide the channels " + std::to_string(in(node)[0]));
    return in(node);
  }

  void check_figures() {
    for (const auto& [name, value] : graph_.densities) {
      if (!shapes_.count(name)) fail("a density is given for '" + name + "', which is no node");
      if (!(value >= 0 && value <= 1)) fail("the density of '" + name + "' is " + number(value) + ", it must lie in [0, 1]");
    }
    for (const auto& named : graph_.plans) {
      const auto& [name, plan] = named;  // of no use in a lambda to clang 14
      const auto at = std::find_if(graph_.nodes.begin(), graph_.nodes.end(), [&](const Node& node) { return node.name == named.first; });
      if (at == graph_.nodes.end() || weight_name(at->op).empty()) fail("a plan is given for '" + name + "', which is no node with weights");
      if (plan == Plan::automatic) fail("the plan of '" + name + "' must be dense or event");
    }
    if (!graph_.classes.empty() && static_cast<std::int64_t>(graph_.classes.size()) != elements(graph_.nodes.back().shape))
      fail(std::to_string(graph_.classes.size()) + " class names for " + std::to_string(elements(graph_.nodes.back().shape)) + " outputs");
  }

  void check_integer(const Integer& integer) {
    if (integer.bits != 8 && integer.bits != 4) fail("integer.bits is " + std::to_string(integer.bits) + ", it must be 8 or 4");
    if (std::abs(integer.input_exponent) > max_exponent) fail("integer.input_exponent is " + std::to_string(integer.input_exponent) + ": -60 to 60 are possible");
    std::set<std::string> weights;
    for (const auto& node : graph_.nodes)
      if (const auto name = weight_name(node.op); !name.empty()) weights.insert(name);
    for (const auto& name : weights)
      if (!integer.exponents.count(name)) fail("no integer exponent is given for the weight '" + name + "'");
    for (const auto& [name, exponent] : integer.exponents) {
      where_ = "tensor '" + name.substr(0, max_name) + "'";
      if (!weights.count(name)) fail("an integer exponent is given, but no conv2d or linear reads it as its weight");
      if (std::abs(exponent) > max_exponent) fail("its integer exponent is " + std::to_string(exponent) + ": -60 to 60 are possible");
      if (values_ == Values::shapes_only) continue;
      const float most = integer.bits == 8 ? 127 : 7;
      const Floats& values = graph_.tensors.at(name).values;
      for (std::size_t i = 0; i < values.size(); ++i)
        if (const float q = std::ldexp(values[i], exponent); q != std::nearbyint(q) || std::fabs(q) > most)
          fail("element " + std::to_string(i) + " is no whole number within " + number(most) + " times 2^" + std::to_string(-exponent));
    }
    for (const auto& node : graph_.nodes) {
      if (std::holds_alternative<Affine>(node.op)) fail("a quantised network has no affines, but '" + node.name + "' is one", "Fold it, then quantise.");
      if (std::holds_alternative<Slice>(node.op) || std::holds_alternative<Concat>(node.op) || std::holds_alternative<Tanh>(node.op) ||
          std::holds_alternative<TwoPoint>(node.op) || std::holds_alternative<SpikingNeuron>(node.op) || std::holds_alternative<SlidingNeuron>(node.op) ||
          std::holds_alternative<Attention>(node.op))
        fail("a " + op_name(node.op) + " has no integer form, and '" + node.name + "' is one",
             "Integers know conv2d, linear, pools, flatten, add, neuron and readout. 16 bits, which are bfloat16, are possible.");
      for (const auto& name : tensor_names(node.op))
        if (weights.count(name) && name != weight_name(node.op)) fail("the weight '" + name + "' is something else to the node '" + node.name + "'");
    }
    where_.clear();
  }

  Graph& graph_;
  Values values_;
  std::string where_;
  std::int64_t total_ = 0;
  std::unordered_map<std::string, const Shape*> shapes_;  // of the nodes seen so far
};

}  // namespace

void validate(Graph& graph, Values values) { Validator(graph, values).run(); }

}  // namespace apical::graph
