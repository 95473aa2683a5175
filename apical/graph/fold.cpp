#include <algorithm>
#include <optional>
#include <set>

#include "apical/graph/graph.h"

namespace apical::graph {
namespace {

class Folder {
 public:
  explicit Folder(Graph& graph) : graph_(graph) {}

  void run() {
    for (std::size_t i = 0; i < graph_.nodes.size();) {
      const auto* affine = std::get_if<Affine>(&graph_.nodes[i].op);
      // Without the last node the one before it becomes the output: it must be the one the affine reads.
      const bool strays = i + 1 == graph_.nodes.size() && i > 0 && graph_.nodes[i].inputs != std::vector{graph_.nodes[i - 1].name};
      if (affine && !strays && (fold_backward(i, *affine) || fold_forward(i, *affine)))
        remove(i);
      else
        ++i;
    }
    drop_unread();
    validate(graph_);
  }

 private:
  std::size_t index(const std::string& name) const {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (graph_.nodes[i].name == name) return i;
    return graph_.nodes.size();
  }
  // The only reader of node i, or nothing when there are several or it is the output.
  std::optional<std::size_t> only_reader(std::size_t i) const {
    std::optional<std::size_t> reader;
    for (std::size_t k = i + 1; k < graph_.nodes.size(); ++k)
      for (const auto& name : graph_.nodes[k].inputs)
        if (name == graph_.nodes[i].name) {
          if (reader) return {};
          reader = k;
        }
    return reader;
  }

  // Affine after (AvgPool after)* Conv or Linear: an average of scale * x + shift is scale * average + shift.
  bool fold_backward(std::size_t i, const Affine& affine) {
    std::size_t k = index(graph_.nodes[i].inputs[0]);
    while (std::holds_alternative<AvgPool2d>(graph_.nodes[k].op) && only_reader(k)) k = index(graph_.nodes[k].inputs[0]);
    if (!only_reader(k)) return false;
    Op& op = graph_.nodes[k].op;
    if (auto* conv = std::get_if<Conv2d>(&op)) return scale_outputs(graph_.nodes[k].name, conv->weight, conv->bias, affine);
    if (auto* linear = std::get_if<Linear>(&op)) return scale_outputs(graph_.nodes[k].name, linear->weight, linear->bias, affine);
    return false;
  }

  // Affine before (AvgPool, Flatten before)* Conv without padding, or Linear.
  bool fold_forward(std::size_t i, const Affine& affine) {
    std::optional<std::size_t> k = only_reader(i);
    while (k && (std::holds_alternative<AvgPool2d>(graph_.nodes[*k].op) || std::holds_alternative<Flatten>(graph_.nodes[*k].op)))
      k = only_reader(*k);
    if (!k) return false;
    const std::string name = graph_.nodes[*k].name;
    Op& op = graph_.nodes[*k].op;
    if (auto* conv = std::get_if<Conv2d>(&op)) {
      if (conv->pad_h || conv->pad_w) return false;  // the shift would have to reach the padding too
      return scale_inputs(name, conv->weight, conv->bias, affine, conv->groups);
    }
    if (auto* linear = std::get_if<Linear>(&op)) return scale_inputs(name, linear->weight, linear->bias, affine, 1);
    return false;
  }

  // A tensor of this name that only one node reads: the tensor itself, or a copy under a name of its own.
  Tensor& own(const std::string& node, std::string& name) {
    int readers = 0;
    for (const auto& n : graph_.nodes)
      for (const auto& t : tensor_names(n.op)) readers += t == name;
    if (readers > 1) {
      const Tensor copy = graph_.tensors.at(name);
      name = fresh(node + ".folded");
      graph_.tensors[name] = copy;
    }
    return graph_.tensors.at(name);
  }
  std::string fresh(const std::string& wanted) const {
    std::string name = wanted;
    for (int i = 2; graph_.tensors.count(name); ++i) name = wanted + std::to_string(i);
    return name;
  }
  Tensor& own_bias(const std::string& node, std::string& name, std::int64_t outputs) {
    if (!name.empty()) return own(node, name);
    name = fresh(node + ".bias");
    return graph_.tensors[name] = Tensor{{outputs}, std::vector<float>(static_cast<std::size_t>(outputs), 0.0f)};
  }

  bool scale_outputs(const std::string& node, std::string& weight, std::string& bias, const Affine& affine) {
    const Floats scale = graph_.tensors.at(affine.scale).values, shift = graph_.tensors.at(affine.shift).values;
    own(node, weight);
    std::vector<float>& b = own_bias(node, bias, static_cast<std::int64_t>(scale.size())).values.own();
    std::vector<float>& w = graph_.tensors.at(weight).values.own();
    const std::size_t row = w.size() / scale.size();
    for (std::size_t o = 0; o < scale.size(); ++o) {
      for (std::size_t i = o * row; i < (o + 1) * row; ++i) w[i] = static_cast<float>(double{w[i]} * scale[o]);
      b[o] = static_cast<float>(double{b[o]} * scale[o] + shift[o]);
    }
    return true;
  }

  // Weight [O, I / groups, ...]; each channel of the affine covers `span` consecutive inputs (H * W behind a Flatten).
  bool scale_inputs(const std::string& node, std::string& weight, std::string& bias, const Affine& affine, int groups) {
    const Floats scale = graph_.tensors.at(affine.scale).values, shift = graph_.tensors.at(affine.shift).values;
    own(node, weight);
    const auto outputs = static_cast<std::size_t>(graph_.tensors.at(weight).shape[0]);
    std::vector<float>& b = own_bias(node, bias, static_cast<std::int64_t>(outputs)).values.own();
    std::vector<float>& w = graph_.tensors.at(weight).values.own();
    const std::size_t row = w.size() / outputs;
    const std::size_t channels = scale.size() / static_cast<std::size_t>(groups);  // of one group
    const std::size_t span = row / channels;
    for (std::size_t o = 0; o < outputs; ++o) {
      const std::size_t first = o / (outputs / static_cast<std::size_t>(groups)) * channels;
      double sum = b[o];
      for (std::size_t i = 0; i < row; ++i) {
        float& x = w[o * row + i];
        const std::size_t c = first + i / span;
        sum += double{x} * shift[c];
        x = static_cast<float>(double{x} * scale[c]);
      }
      b[o] = static_cast<float>(sum);
    }
    return true;
  }

  void remove(std::size_t i) {
    const std::string name = graph_.nodes[i].name, before = graph_.nodes[i].inputs[0];
    graph_.nodes.erase(graph_.nodes.begin() + static_cast<std::ptrdiff_t>(i));
    for (auto& node : graph_.nodes) std::replace(node.inputs.begin(), node.inputs.end(), name, before);
    graph_.densities.erase(name);
  }

  void drop_unread() {
    std::set<std::string> used;
    for (const auto& node : graph_.nodes)
      for (const auto& t : tensor_names(node.op)) used.insert(t);
    for (auto it = graph_.tensors.begin(); it != graph_.tensors.end();)
      it = used.count(it->first) ? std::next(it) : graph_.tensors.erase(it);
  }

  Graph& graph_;
};

}  // namespace

void fold_affine(Graph& graph) {
  validate(graph);
  Folder(graph).run();
}

}  // namespace apical::graph
