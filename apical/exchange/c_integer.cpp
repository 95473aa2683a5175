#include "apical/exchange/c_integer.h"

#include <algorithm>
#include <cmath>

#include "apical/exchange/c_integer_text.h"
#include "apical/exchange/c_source_text.h"
#include "apical/exchange/c_writer.h"
#include "apical/graph/integer.h"

namespace apical::exchange {
namespace {

using graph::IntegerNode, graph::Node;

class IntegerWriter : public CWriter {
 public:
  IntegerWriter(const graph::Graph& graph, const std::string& name) : CWriter(graph, name), nodes_(graph::integer_network(graph).nodes) {}

 private:
  std::string type(std::size_t i) const override {
    const auto within = [&](std::int64_t least, std::int64_t most) { return nodes_[i].least >= least && nodes_[i].most <= most; };
    return within(0, 255) ? "uint8_t" : within(-128, 127) ? "int8_t" : within(-32768, 32767) ? "int16_t" : "int32_t";
  }
  void emit(std::size_t k) override {
    std::visit([&](const auto& op) { emit(op, k); }, graph_.nodes[k].op);
  }
  std::string score() const override {
    const auto* readout = std::get_if<graph::Readout>(&graph_.nodes.back().op);
    const std::string q = readout ? "net->readout[i]" : "(" + items_.back().at + ")[i]";
    const bool rate = readout && readout->kind == graph::ReadoutKind::rate;
    return "(float)((double)" + q + " * " + literal(nodes_.back().unit) + (rate ? " / (double)net->steps" : "") + ")";
  }
  const char* head() const override { return c_text::integer_head; }

  const IntegerNode& input(std::size_t k) const { return nodes_[static_cast<std::size_t>(&in(k)-items_.data())]; }

  // --- nodes ----------------------------------------------------------------------------------------------------------------------

  void emit(const graph::Input&, std::size_t k) {
    std::string body = c_text::whole;
    replace_all(body, "@F", literal(static_cast<float>(1 / nodes_[k].unit)));
    functions_ += body;
    loop(k, "(" + items_[k].at + ")[i] = " + name_ + "_whole(frame[" + items_[k].order.to_graph("i") + "]);");
  }
  void emit(const graph::Flatten&, std::size_t) {}
  template <class Other>
  void emit(const Other&, std::size_t) {}  // there is none

  std::string bias(std::size_t k) { return nodes_[k].bias.empty() ? "" : array(k, "b", "int32_t", nodes_[k].bias); }
  void emit(const graph::Conv2d& op, std::size_t k) {
    array(k, "w", "int8_t", conv_weights<std::int8_t>(op, nodes_[k].weight));
    weights(c_text::conv, k, conv_sizes(op, k), {"int8_t", "int32_t", bias(k), input(k).least >= 0 && input(k).most <= 1});
  }
  void emit(const graph::Linear&, std::size_t k) {
    array(k, "w", "int8_t", dense_weights<std::int8_t>(k, nodes_[k].weight));
    weights(c_text::dense, k, dense_sizes(k), {"int8_t", "int32_t", bias(k), input(k).least >= 0 && input(k).most <= 1});
  }
  void emit(const graph::AvgPool2d& op, std::size_t k) { pool("(@Y)(y[c] + from[c])", "", k, pool_sizes(op.kernel, op.stride, k)); }
  void emit(const graph::MaxPool2d& op, std::size_t k) { pool(c_text::larger, "", k, pool_sizes(op.kernel, op.stride, k)); }

  // What a current x[i] adds to the membrane (kernels/neurons/integer_lif.h). Only numbers that are not negative are shifted to the right:
  // 2^30, a multiple of every unit, is added before and taken away after.
  std::string charge(const IntegerNode& from, int shift) const {
    const std::int32_t most = kernels::integer_limit >> std::max(shift, 0);
    std::string x = "x[i]";
    if (shift < 0) {
      const std::uint32_t high = std::uint32_t{1} << 30, half = std::uint32_t{1} << (-shift - 1);
      x = "(int32_t)(((uint32_t)x[i] + " + std::to_string(high + half) + "u) >> " + str(-shift) + ") - " + std::to_string(high >> -shift);
    }
    std::string s = "    int32_t in = " + x + ";\n";
    if (shift < 0 || from.least < -most || from.most > most)
      s += "    in = in < -" + str(most) + " ? -" + str(most) + " : in > " + str(most) + " ? " + str(most) + " : in;\n";
    if (shift > 0) s += "    in = in * " + str(1 << shift) + ";\n";
    return s;
  }

  // The equation of kernels/neurons/integer_lif.h. The product with the decay lies within 2^30 - 2^15; as above, 2^30 keeps what is shifted
  // positive.
  void emit(const graph::Neuron&, std::size_t k) {
    const kernels::IntegerLif& lif = nodes_[k].lif;
    const std::size_t n = items_[k].n;
    const std::string v = "v" + str(k), th = str(lif.v_th), fires = lif.compare == kernels::Compare::ge ? " >= " : " > ";
    state("int16_t", v, n, "membranes of " + comment(graph_.nodes[k].name));
    std::string decay = "- " + str(lif.decay);
    if (!nodes_[k].leak.empty()) decay = "+ " + array(k, "leak", "int16_t", as_it_lies<std::int16_t>(k, nodes_[k].leak)) + "[i]";
    const auto after = [&](const std::string& membrane, const std::string& s) {
      if (lif.reset == kernels::Reset::hard) return s + " ? " + str(lif.v_reset) + " : " + membrane;
      if (lif.reset == kernels::Reset::soft) return s + " ? " + membrane + " - " + th + " : " + membrane;
      return membrane;
    };
    const auto decayed = [&](const std::string& membrane) { return "32768 - ((1073758208 " + decay + " * " + membrane + ") >> 15)"; };
    const bool same_step = lif.reset == kernels::Reset::none || lif.reset_at == kernels::ResetAt::same_step;
    std::string s =
        "\nstatic void @P_layer@N(const @X *restrict x, int16_t *restrict v, @Y *restrict y) {\n@C  for (long i = 0; i < N; ++i) {\n";
    s += charge(input(k), lif.shift);
    s += "    int32_t h = v[i];\n";
    if (!same_step) s += "    const int fired = h" + fires + th + ";\n";
    if (!same_step && lif.reset_at == kernels::ResetAt::next_step_decayed) s += "    h = " + after("h", "fired") + ";\n";
    s += "    h = " + decayed("h") + ";\n";
    if (!same_step && lif.reset_at == kernels::ResetAt::next_step) s += "    h = " + after("h", "fired") + ";\n";
    s += "    h += in;\n    h = h < -32767 ? -32767 : h > 32767 ? 32767 : h;\n    y[i] = h" + fires + th + ";\n";
    s += "    v[i] = (int16_t)(" + (same_step ? after("h", "y[i]") : std::string("h")) + ");\n  }\n}\n";
    layer(std::move(s), k, {{"N", static_cast<std::int64_t>(n)}}, "net->" + v + ", ");
  }

  void emit(const graph::Add&, std::size_t k) {
    const CItem& y = items_[k];
    std::string sum;
    for (std::size_t j = 0; j < graph_.nodes[k].inputs.size(); ++j)
      sum += (j ? " + " : "") +
             ("(int32_t)(" + in(k, j).at + ")[" + same_element(k, j) + "] * " + str(std::int64_t{1} << nodes_[k].shifts[j]));
    loop(k, "(" + y.at + ")[i] = (" + y.type + ")(" + sum + ");");
  }

  void emit(const graph::Readout& op, std::size_t k) {
    const CItem& x = in(k);
    const std::string value = "(" + x.at + ")[i]", kept = "net->readout[i]";
    state(op.kind == graph::ReadoutKind::rate ? "int64_t" : "int32_t", "readout", x.n, "of the steps so far");
    std::string next = value;
    if (op.kind == graph::ReadoutKind::rate) next = kept + " + " + value;
    if (op.kind == graph::ReadoutKind::max_membrane) next = "net->steps == 0 || " + kept + " < " + value + " ? " + value + " : " + kept;
    loop(k, kept + " = " + next + ";");
  }

  std::vector<IntegerNode> nodes_;
};

}  // namespace

std::string integer_c_source(const graph::Graph& graph, const std::string& prefix) { return IntegerWriter(graph, prefix).run(); }

}  // namespace apical::exchange
