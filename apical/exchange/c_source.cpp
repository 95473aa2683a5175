#include "apical/exchange/c_source.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <unordered_map>

#include "apical/base/error.h"
#include "apical/base/machine.h"
#include "apical/exchange/c_source_text.h"

namespace apical::exchange {
namespace {

using graph::Graph, graph::Node, graph::Shape;

bool plain(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

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

/// The shortest text that reads back as this float.
std::string literal(float v) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, v).ptr;
  std::string s(text, end);
  if (s.find_first_of(".e") == std::string::npos) s += ".0";
  return s + "f";
}

std::string str(std::size_t n) { return std::to_string(n); }
std::string str(std::int64_t n) { return std::to_string(n); }
std::string str(int n) { return std::to_string(n); }

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
}

/// How the elements of a node lie: channel last, an image of [channels, plane]. {1, 1}: as in the graph.
struct Order {
  std::size_t channels = 1, plane = 1;
  bool operator==(const Order&) const = default;
  bool same() const { return channels == 1; }
  std::size_t graph_index(std::size_t i) const { return i % channels * plane + i / channels; }
  /// The same as a C expression of i, and its inverse.
  std::string to_graph(const std::string& i) const {
    return same() ? i : "(" + i + ") % " + str(channels) + " * " + str(plane) + " + (" + i + ") / " + str(channels);
  }
  std::string from_graph(const std::string& i) const { return Order{plane, channels}.to_graph(i); }
};

struct Item {
  std::string at;  // the C expression of its output
  Shape shape;
  std::size_t n = 0;
  Order order;
  bool spikes = false;
  std::size_t source = 0;  // whose memory it is: its own, or its input's (flatten)
  std::size_t last = 0;    // the last node that reads it
  std::size_t word = 0;    // where it lies in the struct's `work`
  bool frame = false;      // it is the caller's frame
};

class Writer {
 public:
  Writer(const Graph& graph, const std::string& name) : graph_(graph), name_(name), upper_(name) {
    for (char& c : upper_) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }

  std::string run() {
    lay_out();
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (!std::holds_alternative<graph::Flatten>(node.op) && !items_[i].frame)
        step_ += "  /* " + comment(node.name) + ": " + graph::op_name(node.op) + " to " + graph::shape_text(node.shape) + " */\n";
      std::visit([&](const auto& op) { emit(op, i); }, node.op);
    }
    const Item& out = items_.back();
    const bool readout = std::holds_alternative<graph::Readout>(graph_.nodes.back().op);
    const bool rate = readout && std::get<graph::Readout>(graph_.nodes.back().op).kind == graph::ReadoutKind::rate;
    const std::string value = readout ? "net->readout[i]" : "(float)(" + out.at + ")[i]";
    scores_ = "  for (long i = 0; i < " + str(out.n) + "; ++i) scores[" + out.order.to_graph("i") + "] = " + value +
              (rate ? " / (float)net->steps" : "") + ";\n";
    return text();
  }

 private:
  const Item& in(std::size_t i, std::size_t k = 0) const { return items_[index_.at(graph_.nodes[i].inputs[k])]; }
  const graph::Floats& values(const std::string& tensor) const { return graph_.tensors.at(tensor).values; }

  // Orders, kinds, and a place in `work` for every output from its writer to its last reader.
  void lay_out() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      index_[node.name] = i;
      Item item{"", node.shape, static_cast<std::size_t>(graph::elements(node.shape)), {}, false, i, i, 0, false};
      if (node.shape.size() == 3)
        item.order = {static_cast<std::size_t>(node.shape[0]), static_cast<std::size_t>(node.shape[1] * node.shape[2])};
      else if (!node.inputs.empty() && !std::holds_alternative<graph::Linear>(node.op))
        item.order = in(i).order;
      if (item.order.channels == 1 || item.order.plane == 1) item.order = {};
      const bool flatten = std::holds_alternative<graph::Flatten>(node.op);
      item.spikes = std::holds_alternative<graph::Neuron>(node.op) ||
                    ((flatten || std::holds_alternative<graph::MaxPool2d>(node.op)) && in(i).spikes);
      if (flatten) item.source = in(i).source, item.frame = in(i).frame;
      if (std::holds_alternative<graph::Input>(node.op)) item.frame = item.order.same();
      items_.push_back(item);
      for (std::size_t k = 0; k < node.inputs.size(); ++k) items_[in(i, k).source].last = i;
    }
    items_[items_.back().source].last = items_.size();
    if (items_.back().frame)  // scores are read when the caller's frame may be gone
      for (Item& item : items_) item.frame = false;
    for (std::size_t i = 0; i < items_.size(); ++i) place(i);
  }

  // First fit among the outputs that are still to be read when node i writes.
  void place(std::size_t i) {
    Item& item = items_[i];
    const bool readout = std::holds_alternative<graph::Readout>(graph_.nodes[i].op);
    if (item.frame)
      item.at = "frame";
    else if (item.source != i)
      item.at = items_[item.source].at;
    if (item.frame || item.source != i || readout) return;
    std::vector<std::pair<std::size_t, std::size_t>> taken;
    for (std::size_t k = 0; k < i; ++k)
      if (items_[k].source == k && !items_[k].frame && items_[k].last >= i)
        taken.emplace_back(items_[k].word, items_[k].word + words(items_[k]));
    std::sort(taken.begin(), taken.end());
    for (const auto& [begin, end] : taken) {
      if (begin >= item.word + words(item)) break;
      item.word = std::max(item.word, end);
    }
    work_ = std::max(work_, item.word + words(item));
    const std::string at = item.word ? "net->work + " + str(item.word) : "net->work";
    item.at = item.spikes ? "(unsigned char *)(" + at + ")" : at;
  }
  static std::size_t words(const Item& item) { return item.spikes ? (item.n + 3) / 4 : item.n; }

  // --- pieces of text -------------------------------------------------------------------------------------------------------------

  /// A constant array; returns its name.
  std::string array(std::size_t node, const std::string& what, const std::vector<float>& v) {
    const std::string name = name_ + "_" + what + str(node);
    tables_ += "\n/* " + comment(graph_.nodes[node].name) + " */\nstatic const float " + name + "[" + str(v.size()) + "] = {";
    for (std::size_t i = 0; i < v.size(); ++i) tables_ += (i % 12 ? " " : "\n    ") + literal(v[i]) + (i + 1 < v.size() ? "," : "");
    tables_ += "};\n";
    return name;
  }
  std::string array_or_null(std::size_t node, const std::string& what, const std::string& tensor) {
    return tensor.empty() ? "NULL" : array(node, what, {values(tensor).begin(), values(tensor).end()});
  }

  /// A call of a fixed function for this kind of input.
  void call(const char* text, const char* function, const Item& x, const std::string& arguments) {
    const std::string kind = x.spikes ? "s" : "f";
    if (used_.insert(function + kind).second) {
      std::string body = text;
      replace_all(body, "@S", kind), replace_all(body, "@T", x.spikes ? "unsigned char" : "float");
      functions_ += body;
    }
    step_ += "  " + name_ + "_" + function + "_" + kind + "(" + arguments + ");\n";
  }

  /// for each element i of node k: statement
  void loop(std::size_t k, const std::string& statements) {
    step_ += "  for (long i = 0; i < " + str(items_[k].n) + "; ++i) " + statements + "\n";
  }

  // --- nodes ----------------------------------------------------------------------------------------------------------------------

  void emit(const graph::Input&, std::size_t k) {
    const Item& y = items_[k];
    if (!y.frame) loop(k, "(" + y.at + ")[i] = frame[" + y.order.to_graph("i") + "];");
  }
  void emit(const graph::Flatten&, std::size_t) {}

  void emit(const graph::Conv2d& op, std::size_t k) {
    const Item &x = in(k), &y = items_[k];
    const graph::Tensor& w = graph_.tensors.at(op.weight);
    const auto O = static_cast<std::size_t>(w.shape[0]), in_each = static_cast<std::size_t>(w.shape[1]),
               area = static_cast<std::size_t>(w.shape[2] * w.shape[3]);
    const std::size_t each = O / static_cast<std::size_t>(op.groups), I = in_each * static_cast<std::size_t>(op.groups);
    std::vector<float> turned(w.values.size());  // [O, I / groups, KH, KW] to [I, KH, KW, O / groups]
    for (std::size_t i = 0; i < I; ++i)
      for (std::size_t tap = 0; tap < area; ++tap)
        for (std::size_t o = 0; o < each; ++o)
          turned[(i * area + tap) * each + o] = w.values[((i / in_each * each + o) * in_each + i % in_each) * area + tap];
    const std::string weights = array(k, "w", turned), bias = array_or_null(k, "b", op.bias);
    std::string arguments = weights + ", " + bias + ", " + x.at;
    for (const std::int64_t v :
         {x.shape[1], x.shape[2], x.shape[0], y.shape[0], std::int64_t{op.groups}, w.shape[2], w.shape[3], std::int64_t{op.stride_h},
          std::int64_t{op.stride_w}, std::int64_t{op.pad_h}, std::int64_t{op.pad_w}, y.shape[1], y.shape[2]})
      arguments += ", " + str(v);
    call(c_text::conv, "conv", x, arguments + ", " + y.at);
  }

  void emit(const graph::Linear& op, std::size_t k) {
    const Item &x = in(k), &y = items_[k];
    std::vector<float> rows(x.n * y.n);  // [O, I] to [I, O], inputs as they lie
    for (std::size_t i = 0; i < x.n; ++i)
      for (std::size_t o = 0; o < y.n; ++o) rows[i * y.n + o] = values(op.weight)[o * x.n + x.order.graph_index(i)];
    const std::string weights = array(k, "w", rows), bias = array_or_null(k, "b", op.bias);
    call(c_text::dense, "dense", x, weights + ", " + bias + ", " + x.at + ", " + str(x.n) + ", " + str(y.n) + ", " + y.at);
  }

  template <class Pool>
  void pool(const char* text, const char* function, const Pool& op, std::size_t k) {
    const Item &x = in(k), &y = items_[k];
    call(text, function, x,
         x.at + ", " + str(x.shape[2]) + ", " + str(x.shape[0]) + ", " + str(op.kernel) + ", " + str(op.stride) + ", " + str(y.shape[1]) +
             ", " + str(y.shape[2]) + ", " + y.at);
  }
  void emit(const graph::AvgPool2d& op, std::size_t k) { pool(c_text::average, "average", op, k); }
  void emit(const graph::MaxPool2d& op, std::size_t k) { pool(c_text::largest, "max", op, k); }

  void emit(const graph::Affine& op, std::size_t k) {
    const Item &x = in(k), &y = items_[k];
    const auto channels = static_cast<std::size_t>(y.shape[0]);
    std::vector<float> scale(channels), shift(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      const std::size_t from = y.shape.size() == 3 ? c : y.order.graph_index(c);
      scale[c] = values(op.scale)[from], shift[c] = values(op.shift)[from];
    }
    const std::string factors = array(k, "scale", scale), terms = array(k, "shift", shift);
    call(c_text::affine, "affine", x,
         factors + ", " + terms + ", " + x.at + ", " + str(y.n / channels) + ", " + str(channels) + ", " + y.at);
  }

  // The equation of kernels/neurons/lif-inl.h, in its order of operations.
  void emit(const graph::Neuron& op, std::size_t k) {
    const Item &x = in(k), &y = items_[k];
    const kernels::Lif& lif = op.lif;
    state_ += "  float v" + str(k) + "[" + str(y.n) + "]; /* membranes of " + comment(graph_.nodes[k].name) + " */\n";
    reset_ += "  for (long i = 0; i < " + str(y.n) + "; ++i) net->v" + str(k) + "[i] = 0.0f;\n";
    std::string decay = literal(lif.decay);
    if (!op.decay.empty()) {
      const graph::Floats& all = values(op.decay);
      std::vector<float> ordered(all.begin(), all.end());
      if (all.size() == y.n)
        for (std::size_t i = 0; i < y.n; ++i) ordered[i] = all[y.order.graph_index(i)];
      decay = array(k, "decay", ordered) + (all.size() == y.n ? "[i]" : "[0]");
    }
    const std::string fires = lif.compare == kernels::Compare::ge ? " >= " : " > ", th = literal(lif.v_th);
    const auto after = [&](const std::string& v, const std::string& s) {
      if (lif.reset == kernels::Reset::hard) return s + " ? " + literal(lif.v_reset) + " : " + v;
      if (lif.reset == kernels::Reset::soft) return s + " ? " + v + " - " + th + " : " + v;
      return v;
    };
    const bool same_step = lif.reset == kernels::Reset::none || lif.reset_at == kernels::ResetAt::same_step;
    step_ += "  {\n    float *const v = net->v" + str(k) + ";\n    const " + (x.spikes ? "unsigned char" : "float") +
             " *const x = " + x.at + ";\n    unsigned char *const y = " + y.at + ";\n    for (long i = 0; i < " + str(y.n) + "; ++i) {\n";
    const std::string line = "      ";
    step_ += line + "const float decay = " + decay + ";\n";
    if (!same_step) step_ += line + "const int fired = v[i]" + fires + th + ";\n";
    if (same_step)
      step_ += line + "const float left = decay * v[i];\n";
    else if (lif.reset_at == kernels::ResetAt::next_step_decayed)
      step_ += line + "const float left = decay * (" + after("v[i]", "fired") + ");\n";
    else
      step_ += line + "const float kept = decay * v[i];\n" + line + "const float left = " + after("kept", "fired") + ";\n";
    step_ += line + "const float h = left + " + (lif.decay_input ? "(1.0f - decay)" : literal(lif.input_scale)) + " * (float)x[i];\n";
    step_ += line + "const int s = h" + fires + th + ";\n" + line + "y[i] = (unsigned char)s;\n";
    step_ += line + "v[i] = " + (same_step ? after("h", "s") : std::string("h")) + ";\n    }\n  }\n";
  }

  void emit(const graph::Add&, std::size_t k) {
    const Item& y = items_[k];
    std::string sum = "0.0f";
    for (std::size_t j = 0; j < graph_.nodes[k].inputs.size(); ++j) {
      const Item& x = in(k, j);
      const std::string at = x.order == y.order ? "i" : x.order.same() ? y.order.to_graph("i") : x.order.from_graph(y.order.to_graph("i"));
      sum = (j ? "(" + sum + ")" : sum) + " + (float)(" + x.at + ")[" + at + "]";
    }
    loop(k, "(" + y.at + ")[i] = " + sum + ";");
  }

  void emit(const graph::Readout& op, std::size_t k) {
    const Item& x = in(k);
    state_ += "  float readout[" + str(x.n) + "];\n";
    reset_ += "  for (long i = 0; i < " + str(x.n) + "; ++i) net->readout[i] = 0.0f;\n";
    const std::string value = "(float)(" + x.at + ")[i]", kept = "net->readout[i]";
    std::string next = value;
    if (op.kind == graph::ReadoutKind::rate) next = "net->steps == 0 ? " + value + " : " + kept + " + " + value;
    if (op.kind == graph::ReadoutKind::max_membrane) next = "net->steps == 0 || " + kept + " < " + value + " ? " + value + " : " + kept;
    loop(k, kept + " = " + next + ";");
  }

  std::string text() const {
    const std::size_t frame = static_cast<std::size_t>(graph::elements(graph_.input_shape)), outputs = items_.back().n;
    std::string s = "/* " + comment(graph_.name) + ": a network of Apical " + version() +
                    ", written by `apical compile`.\n *\n * A frame is " + graph::shape_text(graph_.input_shape) + " as the encoder '" +
                    comment(graph_.encoder.kind) + "' makes it; T is " + str(graph_.T) + ".\n";
    for (std::size_t i = 0; i < graph_.classes.size(); ++i) s += " * scores[" + str(i) + "]: " + comment(graph_.classes[i]) + "\n";
    s += std::string(c_text::head) + "\n#define @U_STEPS " + str(graph_.T) + "\n#define @U_FRAME " + str(frame) + "\n#define @U_SCORES " +
         str(outputs) + "\n\ntypedef struct @P_net {\n  long steps; /* done since reset */\n" + state_;
    if (work_) s += "  float work[" + str(work_) + "]; /* outputs of layers, some in the place of others */\n";
    s += "} @P_net;\n\nvoid @P_init(@P_net *net);\nvoid @P_reset(@P_net *net);\nvoid @P_step(@P_net *net, const float *frame);\n"
         "void @P_scores(const @P_net *net, float *scores);\n";
    s += tables_ + functions_;
    s += "\nvoid @P_reset(@P_net *net) {\n  net->steps = 0;\n" + reset_ + "}\n\nvoid @P_init(@P_net *net) {\n";
    if (work_) s += "  for (long i = 0; i < " + str(work_) + "; ++i) net->work[i] = 0.0f;\n";
    s += "  @P_reset(net);\n}\n\nvoid @P_step(@P_net *net, const float *frame) {\n  (void)frame;\n" + step_ +
         "  ++net->steps;\n}\n\n"
         "void @P_scores(const @P_net *net, float *scores) {\n" +
         scores_ + "}\n" + c_text::main;
    replace_all(s, "@P", name_), replace_all(s, "@U", upper_);
    return s;
  }

  const Graph& graph_;
  std::string name_, upper_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<Item> items_;
  std::size_t work_ = 0;  // floats
  std::set<std::string> used_;
  std::string tables_, functions_, state_, reset_, step_, scores_;
};

}  // namespace

std::string c_source(const Graph& graph, const std::string& name) {
  Graph checked = graph;
  graph::validate(checked);
  if (!name.empty() && (identifier(name) != name))
    throw usage_error("'" + name + "' is no name for C functions", "name", "Letters, digits and _, beginning with a letter, at most 32.");
  return Writer(checked, identifier(name.empty() ? checked.name : name)).run();
}

}  // namespace apical::exchange
