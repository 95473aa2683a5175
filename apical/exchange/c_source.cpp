#include "apical/exchange/c_source.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "apical/base/error.h"
#include "apical/exchange/c_integer.h"
#include "apical/exchange/c_source_text.h"
#include "apical/exchange/c_writer.h"

namespace apical::exchange {
namespace {

using graph::Graph, graph::Node;

class FloatWriter : public CWriter {
 public:
  using CWriter::CWriter;

 private:
  std::string type(std::size_t i) const override {
    const Node& node = graph_.nodes[i];
    if (graph::is_neuron(node.op)) return graph::sends_counts(node.op) ? "float" : "unsigned char";
    const bool kept = std::holds_alternative<graph::Flatten>(node.op) || std::holds_alternative<graph::MaxPool2d>(node.op);
    return kept ? in(i).type : "float";
  }
  void emit(std::size_t k) override {
    std::visit([&](const auto& op) { emit(op, k); }, graph_.nodes[k].op);
  }
  std::string score() const override {
    const auto* readout = std::get_if<graph::Readout>(&graph_.nodes.back().op);
    if (!readout) return "(float)(" + items_.back().at + ")[i]";
    return readout->kind == graph::ReadoutKind::rate ? "net->readout[i] / (float)net->steps" : "net->readout[i]";
  }
  const char* head() const override { return c_text::head; }

  static bool spikes(const CItem& x) { return x.type != "float"; }
  std::span<const float> values(const std::string& tensor) const { return graph_.tensors.at(tensor).values; }

  // --- nodes ----------------------------------------------------------------------------------------------------------------------

  void emit(const graph::Input&, std::size_t k) {
    const CItem& y = items_[k];
    if (!y.frame) loop(k, "(" + y.at + ")[i] = frame[" + y.order.to_graph("i") + "];");
  }
  void emit(const graph::Flatten&, std::size_t) {}

  std::string bias(const std::string& tensor, std::size_t k) { return tensor.empty() ? "" : array(k, "b", "float", values(tensor)); }
  void emit(const graph::Conv2d& op, std::size_t k) {
    array(k, "w", "float", conv_weights(op, values(op.weight)));
    weights(c_text::conv, k, conv_sizes(op, k), {"float", "float", bias(op.bias, k), spikes(in(k))});
  }
  void emit(const graph::Linear& op, std::size_t k) {
    array(k, "w", "float", dense_weights(k, values(op.weight)));
    weights(c_text::dense, k, dense_sizes(k), {"float", "float", bias(op.bias, k), spikes(in(k))});
  }
  void emit(const graph::AvgPool2d& op, std::size_t k) {
    pool("y[c] + (float)from[c]", "y[c] * (1.0f / (float)(K * K))", k, pool_sizes(op.kernel, op.stride, k));
  }
  void emit(const graph::MaxPool2d& op, std::size_t k) { pool(c_text::larger, "", k, pool_sizes(op.kernel, op.stride, k)); }

  void emit(const graph::Affine& op, std::size_t k) {
    const CItem& y = items_[k];
    const auto channels = static_cast<std::size_t>(y.shape[0]);
    std::vector<float> scale(channels), shift(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      const std::size_t from = y.shape.size() == 3 ? c : y.order.graph_index(c);
      scale[c] = values(op.scale)[from], shift[c] = values(op.shift)[from];
    }
    array(k, "scale", "float", scale), array(k, "shift", "float", shift);
    layer(c_text::affine, k, {{"pixels", static_cast<std::int64_t>(y.n / channels)}, {"C", static_cast<std::int64_t>(channels)}});
  }

  // A loop over the neurons of node k, whose states are the arrays of these names: `lines` give y[i] of x[i].
  void neurons(std::size_t k, const std::vector<std::pair<std::string, std::string>>& states, const std::string& lines) {
    const CItem &x = in(k), &y = items_[k];
    step_ += "  {\n";
    for (const auto& [name, what] : states) {
      state("float", name + str(k), y.n, what + " of " + comment(graph_.nodes[k].name));
      step_ += "    float *const " + name + " = net->" + name + str(k) + ";\n";
    }
    step_ += "    const " + x.type + " *const x = " + x.at + ";\n    " + y.type + " *const y = " + y.at + ";\n    for (long i = 0; i < " + str(y.n) +
             "; ++i) {\n" + lines + "    }\n  }\n";
  }
  static std::string line(const std::string& statement) { return "      " + statement + ";\n"; }
  static std::string fires(const kernels::Lif& lif) { return lif.compare == kernels::Compare::ge ? " >= " : " > "; }
  static bool same_step(const kernels::Lif& lif) { return lif.reset == kernels::Reset::none || lif.reset_at == kernels::ResetAt::same_step; }
  static std::string after(const kernels::Lif& lif, float reset_by, const std::string& v, const std::string& s) {
    if (lif.reset == kernels::Reset::hard) return s + " ? " + literal(lif.v_reset) + " : " + v;
    if (lif.reset == kernels::Reset::soft) return s + " ? " + v + " - " + literal(reset_by) + " : " + v;
    return v;
  }

  // The equation of kernels/neurons/lif-inl.h, in its order of operations: the membrane `h` of v[i] and the input x.
  static std::string charge(const kernels::Lif& lif, const std::string& decay, const std::string& x, const std::string& h) {
    std::string lines = line("const float decay = " + decay);
    if (!same_step(lif)) lines += line("const int fired = v[i]" + fires(lif) + literal(lif.v_th));
    if (same_step(lif))
      lines += line("const float left = decay * v[i]");
    else if (lif.reset_at == kernels::ResetAt::next_step_decayed)
      lines += line("const float left = decay * (" + after(lif, lif.v_th, "v[i]", "fired") + ")");
    else
      lines += line("const float kept = decay * v[i]") + line("const float left = " + after(lif, lif.v_th, "kept", "fired"));
    return lines + line("const float " + h + " = left + " + (lif.decay_input ? "(1.0f - decay)" : literal(lif.input_scale)) + " * " + x);
  }
  // The state after h and the spike s.
  static std::string reset(const kernels::Lif& lif) { return line("v[i] = " + (same_step(lif) ? after(lif, lif.v_th, "h", "s") : std::string("h"))); }
  static std::string spike(const std::string& s) { return line("const int s = " + s) + line("y[i] = (unsigned char)s"); }
  static std::string spike(const kernels::Lif& lif) { return spike("h" + fires(lif) + literal(lif.v_th)); }

  void emit(const graph::Neuron& op, std::size_t k) {
    std::string decay = literal(op.lif.decay);
    if (!op.decay.empty()) {
      const auto all = values(op.decay);
      decay = all.size() == items_[k].n ? array(k, "decay", "float", as_it_lies(k, all)) + "[i]" : literal(all[0]);
    }
    neurons(k, {{"v", "membranes"}}, charge(op.lif, decay, "(float)x[i]", "h") + spike(op.lif) + reset(op.lif));
  }

  // The equations of kernels/neurons/models-inl.h, in their order of operations.
  void emit(const graph::SpikingNeuron& op, std::size_t k) {
    std::visit([&](const auto& model) { model_neurons(model, k); }, op.model);
  }
  void model_neurons(const kernels::Cuba& m, std::size_t k) {
    neurons(k, {{"w", "synaptic currents"}, {"v", "membranes"}},
            line("w[i] = " + literal(m.alpha) + " * w[i] + (float)x[i]") + charge(m.lif, literal(m.lif.decay), "w[i]", "h") + spike(m.lif) + reset(m.lif));
  }
  void model_neurons(const kernels::Alif& m, std::size_t k) {
    kernels::Lif lif = m.lif;
    lif.reset_at = kernels::ResetAt::same_step;
    neurons(k, {{"v", "membranes"}, {"w", "adaptation"}},
            charge(lif, literal(lif.decay), "(float)x[i]", "h") + spike("h" + fires(lif) + literal(lif.v_th) + " + " + literal(m.beta) + " * w[i]") +
                line("v[i] = " + after(lif, m.reset_by, "h", "s")) + line("w[i] = " + literal(m.rho) + " * w[i] + (float)s"));
  }
  void model_neurons(const kernels::RefractoryLif& m, std::size_t k) {
    neurons(k, {{"v", "membranes"}, {"w", "steps to wait"}},
            line("const int awake = 0.0f >= w[i]") + charge(m.lif, literal(m.lif.decay), "(float)x[i]", "charged") +
                line("const float h = awake ? charged : v[i]") + spike("awake && h" + fires(m.lif) + literal(m.lif.v_th)) + reset(m.lif) +
                line("w[i] = s ? " + literal(static_cast<float>(m.steps)) + " : w[i] > 1.0f ? w[i] - 1.0f : 0.0f"));
  }
  void model_neurons(const kernels::MultiLif& m, std::size_t k) {
    const std::string levels = literal(static_cast<float>(m.levels));
    neurons(k, {{"v", "membranes"}},
            line("const float h = " + literal(m.decay) + " * v[i] + " + literal(m.input_scale) + " * (float)x[i]") +
                line("const float low = h > 0.0f ? h : 0.0f") + line("const float held = low > " + levels + " ? " + levels + " : low") +
                line("const float count = (held + 12582912.0f) - 12582912.0f") + line("y[i] = count") + line("v[i] = h - count"));
  }

  void emit(const graph::SlidingNeuron& op, std::size_t k) {
    const std::size_t n = items_[k].n, K = values(op.weights).size();
    array(k, "w", "float", values(op.weights));
    state("float", "past" + str(k), std::max<std::size_t>(K - 1, 1) * n, "inputs of " + comment(graph_.nodes[k].name) + ", oldest first");
    std::string body = c_text::sliding;
    replace_all(body, "@T", literal(op.v_th));
    layer(body, k, {{"N", static_cast<std::int64_t>(n)}, {"K", static_cast<std::int64_t>(K)}}, "net->past" + str(k) + ", ");
  }

  void emit(const graph::Add&, std::size_t k) {
    const CItem& y = items_[k];
    std::string sum = "0.0f";
    for (std::size_t j = 0; j < graph_.nodes[k].inputs.size(); ++j) {
      const CItem& x = in(k, j);
      sum = (j ? "(" + sum + ")" : sum) + " + (float)(" + x.at + ")[" + same_element(k, j) + "]";
    }
    loop(k, "(" + y.at + ")[i] = " + sum + ";");
  }

  void emit(const graph::Slice& op, std::size_t k) {
    loop(k, "(" + items_[k].at + ")[i] = (float)(" + in(k).at + ")[" + in(k).order.from_graph(op.begin ? "(i + " + str(op.begin) + ")" : "i") + "];");
  }
  void emit(const graph::Concat&, std::size_t k) {
    std::size_t at = 0;
    for (std::size_t j = 0; j < graph_.nodes[k].inputs.size(); ++j) {
      const CItem& x = in(k, j);
      step_ += "  for (long i = 0; i < " + str(x.n) + "; ++i) (" + items_[k].at + ")[i + " + str(at) + "] = (float)(" + x.at + ")[" +
               x.order.from_graph("i") + "];\n";
      at += x.n;
    }
  }
  // A function of c_text::functions, after those it calls; returns its name in the file.
  std::string function(const std::string& name) {
    if (std::find(written_.begin(), written_.end(), name) == written_.end()) {
      if (name != "exp2_parts") function("exp2_parts");
      functions_ += c_text::functions.at(name);
      written_.push_back(name);
    }
    return name_ + "_" + name;
  }

  void emit(const graph::Tanh&, std::size_t k) {
    loop(k, "(" + items_[k].at + ")[i] = " + function("tanh") + "((float)(" + in(k).at + ")[i], " + literal(-kTanh) + ");");
  }

  // The equations of kernels/neurons/two_point-inl.h, in their order of operations.
  static constexpr float kLog2E = std::numbers::log2e_v<float>, kTanh = 2 * kLog2E;
  void emit(const graph::TwoPoint& op, std::size_t k) {
    const bool has_context = graph_.nodes[k].inputs.size() > 1;
    const float c_max = op.cell.c_max;
    std::string c = "0.0f";
    if (has_context)
      c = literal(c_max) + " * " + function("tanh") + "((float)context[" + same_element(k, 1) + "], " + literal(-kTanh / c_max) + ")";
    std::string body = c_text::two_point;
    replace_all(body, "@A", has_context ? "const " + in(k, 1).type + " *context, " : ""), replace_all(body, "@K", c);
    replace_all(body, "@T", transfer(op.cell.mtf)), replace_all(body, "@S", sent(op.cell.output));
    layer(body, k, {{"N", static_cast<std::int64_t>(items_[k].n)}}, has_context ? in(k, 1).at + ", " : "");
  }
  std::string transfer(kernels::Mtf mtf) {  // t of r and c
    using kernels::Mtf;
    const std::string held = "const float p = r * c, e = ";
    switch (mtf) {
      case Mtf::tm1:
        return held + function("exp2") + "(" + literal(kLog2E) + " * (p > 8.0f ? 8.0f : p));\n    const float t = 0.5f * r * (1.0f + e);";
      case Mtf::tm2:
        return "const float t = r + r * c;";
      case Mtf::tm3:
        return "const float t = r * (1.0f + " + function("tanh") + "(r * c, " + literal(-kTanh) + "));";
      case Mtf::tm4:
        return held + function("exp2") + "(p > 8.0f ? 8.0f : p);\n    const float t = r * e;";
      case Mtf::coop:
        return "const float t = r * (r + 2.0f) + c * (1.0f + (r < 0.0f ? -r : r));";
      case Mtf::add:
        return "const float t = r + c;";
      case Mtf::gate:
        return "const float e = " + function("exp2") + "(" + literal(-kLog2E) +
               " * (c < 0.0f ? -c : c)), q = 1.0f / (1.0f + e);\n    const float t = r * (2.0f * (c >= 0.0f ? q : e * q));";
    }
    return "";
  }
  std::string sent(kernels::TwoPointOutput output) {  // h of t
    if (output == kernels::TwoPointOutput::half_gaussian)
      return "0.0f >= t ? 0.0f : " + function("one_minus_exp2") + "(" + literal(-0.5f * kLog2E) + " * (t * t))";
    return output == kernels::TwoPointOutput::relu ? "0.0f >= t ? 0.0f : t" : "0.0f >= t ? 0.0f : t > 6.0f ? 6.0f : t";
  }

  // runtime/attention.cpp, in its order of operations.
  void emit(const graph::Attention& op, std::size_t k) {
    const CItem& y = items_[k];
    const std::int64_t width = y.shape[0], tokens = y.shape[1] * y.shape[2], each = width / op.heads;
    std::string body = c_text::attention;
    replace_all(body, "@K", in(k, 1).type), replace_all(body, "@V", in(k, 2).type), replace_all(body, "@E", function("exp2"));
    replace_all(body, "@D", literal(std::sqrt(static_cast<float>(each)))), replace_all(body, "@L", literal(kLog2E));
    state("float", "weights" + str(k), static_cast<std::size_t>(tokens), "of the tokens, for one query of " + comment(graph_.nodes[k].name));
    layer(body, k, {{"tokens", tokens}, {"width", width}, {"each", each}}, in(k, 1).at + ", " + in(k, 2).at + ", net->weights" + str(k) + ", ");
  }

  void emit(const graph::Readout& op, std::size_t k) {
    const CItem& x = in(k);
    state("float", "readout", x.n, "of the steps so far");
    const std::string value = "(float)(" + x.at + ")[i]", kept = "net->readout[i]";
    std::string next = value;
    if (op.kind == graph::ReadoutKind::rate) next = "net->steps == 0 ? " + value + " : " + kept + " + " + value;
    if (op.kind == graph::ReadoutKind::max_membrane) next = "net->steps == 0 || " + kept + " < " + value + " ? " + value + " : " + kept;
    loop(k, kept + " = " + next + ";");
  }

  std::vector<std::string> written_;  // functions
};

}  // namespace

std::string c_source(const Graph& graph, const std::string& name) {
  Graph checked = graph;
  graph::validate(checked);
  if (!name.empty() && (identifier(name) != name))
    throw usage_error("'" + name + "' is no name for C functions", "name", "Letters, digits and _, beginning with a letter, at most 32.");
  const std::string prefix = identifier(name.empty() ? checked.name : name);
  return checked.integer ? integer_c_source(checked, prefix) : FloatWriter(checked, prefix).run();
}

}  // namespace apical::exchange
