#include "apical/graph/graph.h"

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::graph {

std::string op_name(const Op& op) { return op_names[op.index()]; }

std::int64_t elements(const Shape& shape) noexcept {
  std::int64_t n = 1;
  for (const auto d : shape) n *= d;
  return n;
}

std::string shape_text(const Shape& shape) {
  std::string s = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) s += (i ? ", " : "") + std::to_string(shape[i]);
  return s + "]";
}

const Node& node(const Graph& graph, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& n : graph.nodes) {
    if (n.name == name) return n;
    names.push_back(n.name);
  }
  throw data_error("the network has no node '" + name + "'", graph.name, did_you_mean(name, names));
}

std::string weight_name(const Op& op) {
  if (const auto* c = std::get_if<Conv2d>(&op)) return c->weight;
  if (const auto* l = std::get_if<Linear>(&op)) return l->weight;
  return "";
}

std::vector<std::string> tensor_names(const Op& op) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& n) {
    if (!n.empty()) names.push_back(n);
  };
  if (const auto* c = std::get_if<Conv2d>(&op)) add(c->weight), add(c->bias);
  if (const auto* l = std::get_if<Linear>(&op)) add(l->weight), add(l->bias);
  if (const auto* a = std::get_if<Affine>(&op)) add(a->scale), add(a->shift);
  if (const auto* n = std::get_if<Neuron>(&op)) add(n->decay);
  if (const auto* n = std::get_if<SlidingNeuron>(&op)) add(n->weights);
  return names;
}

bool is_neuron(const Op& op) {
  return std::holds_alternative<Neuron>(op) || std::holds_alternative<SpikingNeuron>(op) || std::holds_alternative<SlidingNeuron>(op);
}

bool sends_counts(const Op& op) {
  const auto* n = std::get_if<SpikingNeuron>(&op);
  return n && std::holds_alternative<kernels::MultiLif>(n->model);
}

std::set<std::string> feed_forward(const Graph& graph) {
  std::set<std::string> found;
  for (auto n = graph.nodes.rbegin(); n != graph.nodes.rend(); ++n) {
    if (n != graph.nodes.rbegin() && !found.count(n->name)) continue;
    found.insert(n->name);
    for (std::size_t i = 0; i < n->inputs.size(); ++i)
      if (i == 0 || !std::holds_alternative<TwoPoint>(n->op)) found.insert(n->inputs[i]);
  }
  return found;
}

std::int64_t states_per_element(const Graph& graph, const Op& op) {
  if (std::holds_alternative<Neuron>(op) || std::holds_alternative<Readout>(op)) return 1;
  if (const auto* n = std::get_if<SpikingNeuron>(&op))
    return std::visit([](const auto& model) { return static_cast<std::int64_t>(model.kStates); }, n->model);
  if (const auto* n = std::get_if<SlidingNeuron>(&op)) return elements(graph.tensors.at(n->weights).shape) - 1;
  return 0;
}

std::size_t state_elements(const Graph& graph) {
  std::int64_t n = 0;
  for (const auto& node : graph.nodes) n += states_per_element(graph, node.op) * elements(node.shape);
  return static_cast<std::size_t>(n);
}

OpCounts& OpCounts::operator+=(const OpCounts& o) {
  effective_acs += o.effective_acs;
  effective_macs += o.effective_macs;
  dense += o.dense;
  membrane_updates += o.membrane_updates;
  weight_bytes += o.weight_bytes;
  activation_bytes += o.activation_bytes;
  state_bytes += o.state_bytes;
  dense_weight_bytes += o.dense_weight_bytes;
  dense_activation_bytes += o.dense_activation_bytes;
  ann += o.ann;
  ann_weight_bytes += o.ann_weight_bytes;
  ann_activation_bytes += o.ann_activation_bytes;
  active_inputs += o.active_inputs;
  inputs += o.inputs;
  steps += o.steps;
  samples += o.samples;
  return *this;
}

}  // namespace apical::graph
