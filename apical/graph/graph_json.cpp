#include "apical/graph/graph_json.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::graph {
namespace {

using Json = nlohmann::json;             // reading: logarithmic in the number of keys
using Ordered = nlohmann::ordered_json;  // writing
using kernels::Compare, kernels::Reset, kernels::ResetAt, kernels::SurrogateKind;

constexpr std::size_t max_text = std::size_t{16} << 20;
constexpr int max_depth = 16;

// Enumerations by name, in the order of their values.
const std::vector<std::string> reset_names{"hard", "soft", "none"}, compare_names{"ge", "gt"},
    reset_at_names{"same_step", "next_step", "next_step_decayed"},
    surrogate_names{std::begin(kernels::surrogate_names), std::end(kernels::surrogate_names)},
    readout_names{"rate", "max_membrane", "last"},
    known_ops{std::begin(op_names), std::end(op_names)},
    model_names{"cuba_lif", "adaptive_lif", "refractory_lif", "integer_lif"},  // of NeuronModel
    mtf_names{std::begin(kernels::mtf_names), std::end(kernels::mtf_names)},
    output_names{std::begin(kernels::two_point_output_names), std::end(kernels::two_point_output_names)};

// --- writing -------------------------------------------------------------------------------------------------------------------
struct Writer {
  Ordered& j;
  void operator()(const Input&) const {}
  void operator()(const Conv2d& c) const {
    j["weight"] = c.weight, j["bias"] = c.bias;
    j["stride"] = {c.stride_h, c.stride_w}, j["pad"] = {c.pad_h, c.pad_w}, j["groups"] = c.groups;
  }
  void operator()(const Linear& l) const { j["weight"] = l.weight, j["bias"] = l.bias; }
  void operator()(const AvgPool2d& p) const { j["kernel"] = p.kernel, j["stride"] = p.stride; }
  void operator()(const MaxPool2d& p) const { j["kernel"] = p.kernel, j["stride"] = p.stride; }
  void operator()(const Flatten&) const {}
  void operator()(const Affine& a) const { j["scale"] = a.scale, j["shift"] = a.shift; }
  void put(const kernels::Lif& l) const {
    j["decay"] = l.decay, j["input_scale"] = l.input_scale, j["decay_input"] = l.decay_input;
    j["v_th"] = l.v_th, j["v_reset"] = l.v_reset;
    j["reset"] = reset_names[static_cast<std::size_t>(l.reset)], j["compare"] = compare_names[static_cast<std::size_t>(l.compare)];
    j["reset_at"] = reset_at_names[static_cast<std::size_t>(l.reset_at)];
    j["detach_reset"] = l.detach_reset, j["detach_temporal"] = l.detach_temporal;
  }
  void put(const kernels::Surrogate& s) const {
    j["surrogate"] = {{"kind", surrogate_names[static_cast<std::size_t>(s.kind)]}, {"height", s.height}, {"width", s.width}};
  }
  void operator()(const Neuron& n) const {
    put(n.lif), put(n.surrogate);
    j["decay_tensor"] = n.decay;
  }
  void put(const kernels::Cuba& m) const { put(m.lif), j["alpha"] = m.alpha; }
  void put(const kernels::Alif& m) const { put(m.lif), j["rho"] = m.rho, j["beta"] = m.beta, j["reset_by"] = m.reset_by; }
  void put(const kernels::RefractoryLif& m) const { put(m.lif), j["steps"] = m.steps; }
  void put(const kernels::MultiLif& m) const {
    j["decay"] = m.decay, j["input_scale"] = m.input_scale, j["levels"] = m.levels;
    j["detach_reset"] = m.detach_reset, j["detach_temporal"] = m.detach_temporal;
  }
  void operator()(const SpikingNeuron& n) const {
    j["model"] = model_names[n.model.index()];
    std::visit([&](const auto& model) { put(model); }, n.model);
    put(n.surrogate);
  }
  void operator()(const SlidingNeuron& n) const { j["weights"] = n.weights, j["v_th"] = n.v_th, put(n.surrogate); }
  void operator()(const Add&) const {}
  void operator()(const Readout& r) const { j["kind"] = readout_names[static_cast<std::size_t>(r.kind)]; }
  void operator()(const Slice& s) const { j["begin"] = s.begin, j["size"] = s.size; }
  void operator()(const Concat&) const {}
  void operator()(const Tanh&) const {}
  void operator()(const TwoPoint& p) const {
    j["mtf"] = mtf_names[static_cast<std::size_t>(p.cell.mtf)], j["output"] = output_names[static_cast<std::size_t>(p.cell.output)];
    j["c_max"] = p.cell.c_max;
  }
  void operator()(const Attention& a) const { j["heads"] = a.heads; }
};

// --- reading -------------------------------------------------------------------------------------------------------------------
// One object of the text: every key is read or refused.
class Reader {
 public:
  Reader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json_.is_object()) throw data_error("expected an object", where_);
  }

  const Json* find(const std::string& key) {
    known_.push_back(key);
    const auto it = json_.find(key);
    return it == json_.end() ? nullptr : &*it;
  }
  const Json& at(const std::string& key) {
    if (const Json* j = find(key)) return *j;
    throw data_error("the key '" + key + "' is missing", where_);
  }
  [[noreturn]] void wrong(const std::string& key, const std::string& expected) const {
    throw data_error("'" + key + "' must be " + expected, where_);
  }

  std::string text(const std::string& key) {
    const Json& j = at(key);
    if (!j.is_string()) wrong(key, "a text");
    return j.get<std::string>();
  }
  std::int64_t integer(const std::string& key, const Json& j) const {
    if (!j.is_number_integer()) wrong(key, "a whole number");
    if (j.is_number_unsigned() && j.get<std::uint64_t>() > std::uint64_t{1} << 62) wrong(key, "a smaller number");
    return j.get<std::int64_t>();
  }
  int small(const std::string& key, const Json& j) const {
    const auto v = integer(key, j);
    if (v < std::numeric_limits<int>::min() || v > std::numeric_limits<int>::max()) wrong(key, "a smaller number");
    return static_cast<int>(v);
  }
  int small(const std::string& key) { return small(key, at(key)); }
  double real(const std::string& key, const Json& j) const {
    if (!j.is_number()) wrong(key, "a number");
    return j.get<double>();
  }
  float real(const std::string& key) {
    const double v = real(key, at(key));
    if (!(std::fabs(v) <= std::numeric_limits<float>::max())) wrong(key, "a finite number of single precision");
    return static_cast<float>(v);
  }
  bool boolean(const std::string& key) {
    const Json& j = at(key);
    if (!j.is_boolean()) wrong(key, "true or false");
    return j.get<bool>();
  }
  std::size_t choice(const std::string& key, const std::vector<std::string>& names) {
    const std::string v = text(key);
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == v) return i;
    const std::string near = nearest(v.substr(0, 64), names);
    throw data_error("unknown " + key + " '" + v.substr(0, 64) + "'", where_,
                     (near.empty() ? "" : "Did you mean '" + near + "'? ") + "Known: " + join(names, ", ") + ".");
  }
  std::vector<std::string> texts(const std::string& key) {
    const Json& j = at(key);
    std::vector<std::string> out;
    if (!j.is_array()) wrong(key, "a list of texts");
    for (const auto& e : j) {
      if (!e.is_string()) wrong(key, "a list of texts");
      out.push_back(e.get<std::string>());
    }
    return out;
  }
  std::vector<float> reals(const std::string& key) {
    const Json& j = at(key);
    std::vector<float> out;
    if (!j.is_array()) wrong(key, "a list of numbers");
    for (const auto& e : j) out.push_back(static_cast<float>(real(key, e)));
    return out;
  }
  Shape shape(const std::string& key, const Json& j) const {
    if (!j.is_array() || j.size() > 4) wrong(key, "a shape of at most 4 numbers");
    Shape out;
    for (const auto& e : j) out.push_back(integer(key, e));
    return out;
  }
  std::pair<int, int> pair(const std::string& key) {
    const Json& j = at(key);
    if (!j.is_array() || j.size() != 2) wrong(key, "a list of two whole numbers");
    return {small(key, j[0]), small(key, j[1])};
  }
  Reader object(const std::string& key) { return {at(key), where_ + ", " + key}; }
  const Json& json() const { return json_; }
  const std::string& where() const { return where_; }

  void finish() const {
    for (const auto& [key, value] : json_.items())
      if (std::find(known_.begin(), known_.end(), key) == known_.end())
        throw data_error("unknown key '" + key.substr(0, 64) + "'", where_, did_you_mean(key.substr(0, 64), known_));
  }

 private:
  const Json& json_;
  std::string where_;
  std::vector<std::string> known_;
};

kernels::Lif read_lif(Reader& r) {
  kernels::Lif l;
  l.decay = r.real("decay"), l.input_scale = r.real("input_scale"), l.decay_input = r.boolean("decay_input");
  l.v_th = r.real("v_th"), l.v_reset = r.real("v_reset");
  l.reset = static_cast<Reset>(r.choice("reset", reset_names)), l.compare = static_cast<Compare>(r.choice("compare", compare_names));
  l.reset_at = static_cast<ResetAt>(r.choice("reset_at", reset_at_names));
  l.detach_reset = r.boolean("detach_reset"), l.detach_temporal = r.boolean("detach_temporal");
  return l;
}

kernels::Surrogate read_surrogate(Reader& r) {
  kernels::Surrogate surrogate;
  Reader s = r.object("surrogate");
  surrogate.kind = static_cast<SurrogateKind>(s.choice("kind", surrogate_names));
  surrogate.height = s.real("height"), surrogate.width = s.real("width");
  s.finish();
  return surrogate;
}

NeuronModel read_model(Reader& r) {
  switch (r.choice("model", model_names)) {
    case 0:
      return kernels::Cuba{read_lif(r), r.real("alpha")};
    case 1:
      return kernels::Alif{read_lif(r), r.real("rho"), r.real("beta"), r.real("reset_by")};
    case 2:
      return kernels::RefractoryLif{read_lif(r), r.small("steps")};
    default:
      return kernels::MultiLif{r.real("decay"), r.real("input_scale"), r.small("levels"), r.boolean("detach_reset"), r.boolean("detach_temporal")};
  }
}

template <class Pool>
Pool read_pool(Reader& r) {
  Pool p;
  p.kernel = r.small("kernel"), p.stride = r.small("stride");
  return p;
}

Op read_op(Reader& r) {
  switch (r.choice("op", known_ops)) {
    case 0:
      return Input{};
    case 1: {
      Conv2d c;
      c.weight = r.text("weight"), c.bias = r.text("bias");
      std::tie(c.stride_h, c.stride_w) = r.pair("stride");
      std::tie(c.pad_h, c.pad_w) = r.pair("pad");
      c.groups = r.small("groups");
      return c;
    }
    case 2: {
      Linear l;
      l.weight = r.text("weight"), l.bias = r.text("bias");
      return l;
    }
    case 3:
      return read_pool<AvgPool2d>(r);
    case 4:
      return read_pool<MaxPool2d>(r);
    case 5:
      return Flatten{};
    case 6: {
      Affine a;
      a.scale = r.text("scale"), a.shift = r.text("shift");
      return a;
    }
    case 7:
      return Neuron{read_lif(r), read_surrogate(r), r.text("decay_tensor")};
    case 8:
      return Add{};
    case 9:
      return Readout{static_cast<ReadoutKind>(r.choice("kind", readout_names))};
    case 10: {
      Slice s;
      s.begin = r.integer("begin", r.at("begin")), s.size = r.integer("size", r.at("size"));
      return s;
    }
    case 11:
      return Concat{};
    case 12:
      return Tanh{};
    case 13: {
      TwoPoint p;
      p.cell.mtf = static_cast<kernels::Mtf>(r.choice("mtf", mtf_names));
      p.cell.output = static_cast<kernels::TwoPointOutput>(r.choice("output", output_names));
      p.cell.c_max = r.real("c_max");
      return p;
    }
    case 14:
      return SpikingNeuron{read_model(r), read_surrogate(r)};
    case 15:
      return SlidingNeuron{r.text("weights"), r.real("v_th"), read_surrogate(r)};
    default:
      return Attention{r.small("heads")};
  }
}

Node read_node(const Json& json, std::size_t index, const std::string& where) {
  Reader r(json, where + ", nodes[" + std::to_string(index) + "]");
  Node node;
  node.name = r.text("name");
  node.op = read_op(r);
  node.inputs = r.texts("inputs");
  if (const Json* s = r.find("shape")) node.shape = r.shape("shape", *s);
  r.finish();
  return node;
}

void read_encoder(Reader r, Encoder& encoder) {
  encoder.kind = r.text("kind");
  const Json& seed = r.at("seed");
  if (!seed.is_number_unsigned() && !(seed.is_number_integer() && seed.get<std::int64_t>() >= 0)) r.wrong("seed", "a whole number >= 0");
  encoder.seed = seed.get<std::uint64_t>();
  const Reader p = r.object("parameters");
  for (const auto& [key, value] : p.json().items()) encoder.parameters[key] = p.real(key, value);
  r.finish();
}

Integer read_integer(Reader r) {
  Integer integer;
  integer.bits = r.small("bits"), integer.input_exponent = r.small("input_exponent");
  const Reader e = r.object("exponents");
  for (const auto& [key, value] : e.json().items()) integer.exponents[key] = e.small(key, value);
  r.finish();
  return integer;
}

std::map<std::string, Plan> read_plans(const Reader& r) {
  std::map<std::string, Plan> plans;
  for (const auto& [key, value] : r.json().items()) {
    if (value != "dense" && value != "event") r.wrong(key, "\"dense\" or \"event\"");
    plans[key] = value == "event" ? Plan::event : Plan::dense;
  }
  return plans;
}

// Brackets outside of texts, counted before the parser sees them.
void check_depth(std::string_view text, const std::string& where) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > max_depth) throw data_error("the network's JSON is nested deeper than " + std::to_string(max_depth), where);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
}

Json parse_strict(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
      throw data_error("the key '" + value.get<std::string>().substr(0, 64) + "' stands twice in one object", where);
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), watch);
  } catch (const nlohmann::json::parse_error& e) {
    throw data_error("the network is not valid JSON", where + ", byte " + std::to_string(e.byte));
  } catch (const nlohmann::json::exception&) {  // e.g. a number out of range
    throw data_error("the network's JSON holds a value that cannot be represented", where);
  }
}

}  // namespace

std::string to_json(const Graph& graph) {
  Ordered j;
  j["format"] = "apical.graph", j["schema"] = graph.schema, j["name"] = graph.name, j["T"] = graph.T;
  j["input"] = {{"shape", graph.input_shape}, {"kind", graph.input_kind}};
  j["preprocess"] = {{"mean", graph.preprocess.mean}, {"std", graph.preprocess.std}};
  Ordered parameters = Ordered::object(), tensors = Ordered::object(), densities = Ordered::object();
  for (const auto& [k, v] : graph.encoder.parameters) parameters[k] = v;
  for (const auto& [k, v] : graph.tensors) tensors[k] = v.shape;
  for (const auto& [k, v] : graph.densities) densities[k] = v;
  j["encoder"] = {{"kind", graph.encoder.kind}, {"seed", graph.encoder.seed}, {"parameters", parameters}};
  j["classes"] = graph.classes;
  j["nodes"] = Ordered::array();
  for (const auto& node : graph.nodes) {
    Ordered n;
    n["name"] = node.name, n["op"] = op_name(node.op), n["inputs"] = node.inputs;
    std::visit(Writer{n}, node.op);
    n["shape"] = node.shape;
    j["nodes"].push_back(std::move(n));
  }
  j["tensors"] = tensors, j["densities"] = densities;
  if (!graph.plans.empty()) {
    Ordered plans = Ordered::object();
    for (const auto& [k, v] : graph.plans) plans[k] = v == Plan::event ? "event" : "dense";
    j["plans"] = plans;
  }
  if (graph.integer) {
    Ordered exponents = Ordered::object();
    for (const auto& [k, v] : graph.integer->exponents) exponents[k] = v;
    j["integer"] = {{"bits", graph.integer->bits}, {"input_exponent", graph.integer->input_exponent}, {"exponents", exponents}};
  }
  try {
    return j.dump(1);
  } catch (const nlohmann::json::exception&) {
    throw data_error("a name in the network is not valid UTF-8", "network");
  }
}

Graph parse_json(std::string_view text, const std::string& where) {
  if (text.size() > max_text) throw data_error("the network's JSON is longer than 16 MiB", where);
  check_depth(text, where);
  const Json json = parse_strict(text, where);
  Reader r(json, where);
  if (r.text("format") != "apical.graph") throw data_error("'format' must be \"apical.graph\"", where);
  Graph g;
  g.schema = r.small("schema");
  if (g.schema != 1)
    throw data_error("schema " + std::to_string(g.schema) + " is not known", where,
                     "This version reads schema 1; a newer Apical wrote it.");
  g.name = r.text("name"), g.T = r.small("T");
  Reader in = r.object("input");
  g.input_shape = in.shape("shape", in.at("shape")), g.input_kind = in.text("kind");
  in.finish();
  Reader pre = r.object("preprocess");
  g.preprocess.mean = pre.reals("mean"), g.preprocess.std = pre.reals("std");
  pre.finish();
  read_encoder(r.object("encoder"), g.encoder);
  g.classes = r.texts("classes");
  const Json& nodes = r.at("nodes");
  if (!nodes.is_array()) r.wrong("nodes", "a list");
  for (std::size_t i = 0; i < nodes.size(); ++i) g.nodes.push_back(read_node(nodes[i], i, where));
  const Reader tensors = r.object("tensors");
  for (const auto& [key, value] : tensors.json().items()) g.tensors[key].shape = tensors.shape(key, value);
  const Reader densities = r.object("densities");
  for (const auto& [key, value] : densities.json().items()) g.densities[key] = densities.real(key, value);
  if (r.find("plans")) g.plans = read_plans(r.object("plans"));
  if (r.find("integer")) g.integer = read_integer(r.object("integer"));
  r.finish();
  std::vector<Shape> stated;
  for (const auto& node : g.nodes) stated.push_back(node.shape);
  try {
    validate(g, Values::shapes_only);
  } catch (const Error& e) {
    throw Error(e.code(), e.message(), where + ", " + e.where(), e.hint());
  }
  for (std::size_t i = 0; i < g.nodes.size(); ++i)
    if (!stated[i].empty() && stated[i] != g.nodes[i].shape)
      throw data_error("the stated shape " + shape_text(stated[i]) + " differs from " + shape_text(g.nodes[i].shape) +
                           ", which follows from the nodes before",
                       where + ", node '" + g.nodes[i].name + "'");
  return g;
}

}  // namespace apical::graph
