#include "apical/exchange/c_writer.h"

#include <algorithm>
#include <charconv>

#include "apical/base/machine.h"
#include "apical/exchange/c_source_text.h"

namespace apical::exchange {
namespace {

using graph::Graph, graph::Node;

bool plain(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

template <class T>
std::string shortest(T v) {
  char text[40];
  std::string s(text, std::to_chars(text, text + sizeof text, v).ptr);
  if (s.find_first_of(".e") == std::string::npos) s += ".0";
  return s;
}

// Vectors that lie as in the graph, however their inputs do.
bool as_in_graph(const graph::Op& op) {
  return std::holds_alternative<graph::Linear>(op) || std::holds_alternative<graph::Slice>(op) || std::holds_alternative<graph::Concat>(op);
}

// The field that holds outputs of this type. What C allows to share an array does: signed and unsigned of one size.
std::string field_of(const std::string& type) {
  return type == "float" ? "values" : type == "int32_t" ? "words" : type == "int16_t" ? "halves" : "bytes";
}

}  // namespace

std::string identifier(const std::string& name) {
  std::string out;
  for (const char c : name.substr(0, 32)) out += plain(c) ? c : '_';
  if (out.empty() || (out[0] >= '0' && out[0] <= '9') || out[0] == '_') out = "net" + out;
  return out;
}

// Names come from a file: nothing of them may end a comment or begin anything else.
std::string comment(const std::string& text) {
  std::string out;
  for (const char c : text.substr(0, 64)) out += plain(c) || c == '.' || c == '-' || c == ' ' ? c : '_';
  return out;
}

std::string literal(float v) { return shortest(v) + "f"; }
std::string literal(double v) { return shortest(v); }
std::string literal(std::int64_t v) { return std::to_string(v); }

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
}

std::string COrder::to_graph(const std::string& i) const {
  return same() ? i : "(" + i + ") % " + str(channels) + " * " + str(plane) + " + (" + i + ") / " + str(channels);
}

CWriter::CWriter(const Graph& graph, const std::string& name) : graph_(graph), name_(name), upper_(name) {
  for (char& c : upper_) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

std::string CWriter::run() {
  lay_out();
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const Node& node = graph_.nodes[i];
    if (!std::holds_alternative<graph::Flatten>(node.op) && !items_[i].frame)
      step_ += "  /* " + comment(node.name) + ": " + graph::op_name(node.op) + " to " + graph::shape_text(node.shape) + " */\n";
    emit(i);
  }
  return text();
}

// Orders, types, and a place for every output from its writer to its last reader.
void CWriter::lay_out() {
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    index_[node.name] = i;
    CItem item{"", type(i), node.shape, static_cast<std::size_t>(graph::elements(node.shape)), {}, i, i, 0, false};
    if (node.shape.size() == 3)
      item.order = {static_cast<std::size_t>(node.shape[0]), static_cast<std::size_t>(node.shape[1] * node.shape[2])};
    else if (!node.inputs.empty() && !as_in_graph(node.op))
      item.order = in(i).order;
    if (item.order.channels == 1 || item.order.plane == 1) item.order = {};
    if (std::holds_alternative<graph::Flatten>(node.op)) item.source = in(i).source, item.frame = in(i).frame;
    if (std::holds_alternative<graph::Input>(node.op)) item.frame = item.order.same() && item.type == "float";
    items_.push_back(item);
    for (std::size_t k = 0; k < node.inputs.size(); ++k) items_[in(i, k).source].last = i;
  }
  items_[items_.back().source].last = items_.size();
  if (items_.back().frame)  // scores are read when the caller's frame may be gone
    for (CItem& item : items_) item.frame = false;
  for (std::size_t i = 0; i < items_.size(); ++i) place(i);
}

// First fit among the outputs of the same field that are still to be read when node i writes.
void CWriter::place(std::size_t i) {
  CItem& item = items_[i];
  if (item.frame)
    item.at = "frame";
  else if (item.source != i)
    item.at = items_[item.source].at;
  if (item.frame || item.source != i || std::holds_alternative<graph::Readout>(graph_.nodes[i].op)) return;
  const std::string field = field_of(item.type);
  std::vector<std::pair<std::size_t, std::size_t>> taken;
  for (std::size_t k = 0; k < i; ++k)
    if (const CItem& other = items_[k]; other.source == k && !other.frame && other.last >= i && field_of(other.type) == field)
      taken.emplace_back(other.first, other.first + other.n);
  std::sort(taken.begin(), taken.end());
  for (const auto& [begin, end] : taken) {
    if (begin >= item.first + item.n) break;
    item.first = std::max(item.first, end);
  }
  Memory& memory = memory_[field];
  const bool is_signed = item.type == "int8_t";  // by its unsigned twin's field
  memory.type = is_signed ? "uint8_t" : item.type, memory.n = std::max(memory.n, item.first + item.n);
  item.at = "net->" + field + (item.first ? " + " + str(item.first) : "");
  if (is_signed) item.at = "(int8_t *)(" + item.at + ")";
}

void CWriter::state(const std::string& type, const std::string& name, std::size_t n, const std::string& what) {
  state_ += "  " + type + " " + name + "[" + str(n) + "]; /* " + what + " */\n";
  reset_ += "  for (long i = 0; i < " + str(n) + "; ++i) net->" + name + "[i] = 0;\n";
}

std::string CWriter::same_element(std::size_t k, std::size_t j) const {
  const CItem &x = in(k, j), &y = items_[k];
  return x.order == y.order ? "i" : x.order.same() ? y.order.to_graph("i") : x.order.from_graph(y.order.to_graph("i"));
}

CWriter::Sizes CWriter::conv_sizes(const graph::Conv2d& op, std::size_t k) const {
  const graph::Shape &x = in(k).shape, &y = items_[k].shape, &w = graph_.tensors.at(op.weight).shape;
  return {{"H", x[1]},         {"W", x[2]},         {"C", x[0]},      {"O", y[0]},      {"G", op.groups}, {"KH", w[2]}, {"KW", w[3]},
          {"SH", op.stride_h}, {"SW", op.stride_w}, {"PH", op.pad_h}, {"PW", op.pad_w}, {"OH", y[1]},     {"OW", y[2]}};
}

CWriter::Sizes CWriter::pool_sizes(int kernel, int stride, std::size_t k) const {
  const graph::Shape &x = in(k).shape, &y = items_[k].shape;
  return {{"W", x[2]}, {"C", x[0]}, {"K", kernel}, {"D", stride}, {"OH", y[1]}, {"OW", y[2]}};
}

CWriter::Sizes CWriter::dense_sizes(std::size_t k) const {
  return {{"I", static_cast<std::int64_t>(in(k).n)}, {"O", static_cast<std::int64_t>(items_[k].n)}};
}

void CWriter::layer(std::string body, std::size_t k, const Sizes& sizes, const std::string& more_arguments) {
  const CItem &x = in(k), &y = items_[k];
  std::string constants;
  for (const auto& [name, size] : sizes) constants += (constants.empty() ? "  const long " : ", ") + std::string(name) + " = " + str(size);
  replace_all(body, "@C", constants + ";\n"), replace_all(body, "@N", str(k)), replace_all(body, "@X", x.type),
      replace_all(body, "@Y", y.type);
  functions_ += body;
  step_ += "  " + name_ + "_layer" + str(k) + "(" + x.at + ", " + more_arguments + y.at + ");\n";
}

void CWriter::weights(std::string body, std::size_t k, const Sizes& sizes, const Weights& w) {
  replace_all(body, "@B", w.bias.empty() ? "0" : "(@Y)" + w.bias + "[o]"), replace_all(body, "@M", w.spikes ? "" : "v * ");
  replace_all(body, "@W", w.weight), replace_all(body, "@V", w.factor);
  layer(std::move(body), k, sizes);
}

void CWriter::pool(const std::string& join, const std::string& end, std::size_t k, const Sizes& sizes) {
  std::string body = c_text::pool;
  replace_all(body, "@J", join), replace_all(body, "@E", end.empty() ? "" : "      for (long c = 0; c < C; ++c) y[c] = " + end + ";\n");
  layer(std::move(body), k, sizes);
}

std::string CWriter::text() const {
  const CItem& out = items_.back();
  std::string s = "/* " + comment(graph_.name) + ": a network of Apical " + version() +
                  ", written by `apical compile`.\n *\n * A frame is " + graph::shape_text(graph_.input_shape) + " as the encoder '" +
                  comment(graph_.encoder.kind) + "' makes it; T is " + str(graph_.T) + ".\n";
  for (std::size_t i = 0; i < graph_.classes.size(); ++i) s += " * scores[" + str(i) + "]: " + comment(graph_.classes[i]) + "\n";
  s += c_text::usage;
  s += head();
  s += "\n#define @U_STEPS " + str(graph_.T) + "\n#define @U_FRAME " + str(graph::elements(graph_.input_shape)) + "\n#define @U_SCORES " +
       str(out.n) + "\n\ntypedef struct @P_net {\n  long steps; /* done since reset */\n" + state_;
  if (!memory_.empty()) s += "  /* outputs of layers, some in the place of others */\n";
  for (const auto& [field, memory] : memory_) s += "  " + memory.type + " " + field + "[" + str(memory.n) + "];\n";
  s += "} @P_net;\n\nvoid @P_init(@P_net *net);\nvoid @P_reset(@P_net *net);\nvoid @P_step(@P_net *net, const float *frame);\n"
       "void @P_scores(const @P_net *net, float *scores);\n";
  s += tables_ + functions_;
  s += "\nvoid @P_reset(@P_net *net) {\n  net->steps = 0;\n" + reset_ + "}\n\nvoid @P_init(@P_net *net) {\n";
  for (const auto& [field, memory] : memory_) s += "  for (long i = 0; i < " + str(memory.n) + "; ++i) net->" + field + "[i] = 0;\n";
  s += "  @P_reset(net);\n}\n\nvoid @P_step(@P_net *net, const float *frame) {\n  (void)frame;\n" + step_ +
       "  ++net->steps;\n}\n\nvoid @P_scores(const @P_net *net, float *scores) {\n  for (long i = 0; i < " + str(out.n) + "; ++i) scores[" +
       out.order.to_graph("i") + "] = " + score() + ";\n}\n" + c_text::main;
  replace_all(s, "@P", name_), replace_all(s, "@U", upper_);
  return s;
}

}  // namespace apical::exchange
