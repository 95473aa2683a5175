#include "apical/nn/network.h"

#include <algorithm>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::nn {
namespace {

const std::vector<std::string> neuron_types{"lif", "if", "plif", "cuba_lif", "adaptive_lif", "refractory_lif", "integer_lif"};  // of NeuronKind

// Shape of one frame after each layer while the network is built, and running numbers for labels.
class Builder {
 public:
  Builder(const NetworkSpec& spec, std::uint64_t seed) : shape_(spec.input), seed_(seed) {}

  std::shared_ptr<LayerImpl> add(const ConvSpec& s) {
    need_image("conv");
    auto layer = std::make_shared<ConvImpl>(label("conv"), ConvOptions{shape_[0], s.channels, s.kernel, s.stride, s.padding, s.groups, s.bias}, seed_);
    shape_ = {s.channels, window(shape_[1] + 2 * s.padding, s.kernel, s.stride), window(shape_[2] + 2 * s.padding, s.kernel, s.stride)};
    return layer;
  }
  std::shared_ptr<LayerImpl> add(const DenseSpec& s) {
    if (shape_.size() != 1) throw usage_error("a dense layer needs flat input", label("dense"), "Put a flatten layer before it.");
    auto layer = std::make_shared<DenseImpl>(label("dense"), shape_[0], s.units, s.bias, seed_);
    shape_ = {s.units};
    return layer;
  }
  std::shared_ptr<LayerImpl> add(const NormSpec& s) { return std::make_shared<BatchNormImpl>(label("norm"), shape_[0], s.stats, s.momentum, s.eps); }
  std::shared_ptr<LayerImpl> add(const NeuronSpec& s) {
    const auto layer = make(s);
    layer->label = label(neuron_types[static_cast<std::size_t>(s.kind)]);
    return layer;
  }
  std::shared_ptr<LayerImpl> add(const SlidingSpec& s) {
    const auto layer = std::make_shared<SlidingPSNImpl>(s.window, s.v_th, s.surrogate);
    layer->label = label("sliding_psn");
    return layer;
  }
  std::shared_ptr<LayerImpl> add(const PoolSpec& s) {
    need_image("pool");
    auto layer = std::make_shared<PoolImpl>(label("pool"), s.maximum, s.size, s.stride);
    shape_ = {shape_[0], window(shape_[1], s.size, s.stride), window(shape_[2], s.size, s.stride)};
    return layer;
  }
  std::shared_ptr<LayerImpl> add(const FlattenSpec&) {
    std::int64_t n = 1;
    for (auto d : shape_) n *= d;
    shape_ = {n};
    return std::make_shared<FlattenImpl>(label("flatten"));
  }
  std::shared_ptr<LayerImpl> add(const TwoPointSpec& s) {
    if (shape_.size() != 1) throw usage_error("a two_point layer needs flat input", label("two_point"), "Put a flatten layer before it, or take two_point_conv.");
    TwoPointOptions o = s.options;
    o.inputs = shape_[0];
    shape_ = {o.cells};
    return std::make_shared<TwoPointLayerImpl>(label("two_point"), o, seed_);
  }
  std::shared_ptr<LayerImpl> add(const TwoPointConvSpec& s) {
    need_image("two_point_conv");
    TwoPointConvOptions o = s.options;
    o.in = shape_[0];
    shape_ = {o.maps, window(shape_[1] + 2 * o.padding, o.kernel, o.stride), window(shape_[2] + 2 * o.padding, o.kernel, o.stride)};
    return std::make_shared<TwoPointConvImpl>(label("two_point_conv"), o, seed_);
  }
  std::shared_ptr<LayerImpl> add(const SpikingTwoPointSpec& s) {
    if (shape_.size() != 1) throw usage_error("a two_point_spiking layer needs flat input", label("two_point_spiking"), "Put a flatten layer before it.");
    SpikingTwoPointOptions o = s.options;
    o.inputs = shape_[0];
    shape_ = {o.cells};
    return std::make_shared<SpikingTwoPointImpl>(label("two_point_spiking"), o, seed_);
  }
  std::shared_ptr<LayerImpl> add(const DropoutSpec& s) { return std::make_shared<DropoutImpl>(label("dropout"), s.p, seed_); }

  const graph::Shape& shape() const { return shape_; }

 private:
  static std::shared_ptr<LayerImpl> make(const NeuronSpec& s) {
    switch (s.kind) {
      case NeuronKind::lif: return std::make_shared<LIFNodeImpl>(s.options);
      case NeuronKind::integrate: return std::make_shared<IFNodeImpl>(s.options);
      case NeuronKind::parametric: return std::make_shared<ParametricLIFNodeImpl>(s.options);
      case NeuronKind::cuba: return std::make_shared<CubaLIFImpl>(s.options, s.tau_syn, s.learn);
      case NeuronKind::adaptive: return std::make_shared<AdaptiveLIFImpl>(s.options, s.tau_adapt, s.beta, s.learn);
      case NeuronKind::refractory: return std::make_shared<RefractoryLIFImpl>(s.options, s.steps, s.learn);
      case NeuronKind::integer: break;
    }
    return std::make_shared<IntegerLIFImpl>(s.options, s.levels, s.learn);
  }
  std::string label(const std::string& kind) { return kind + std::to_string(++count_[kind]); }
  void need_image(const std::string& kind) {
    if (shape_.size() != 3) throw usage_error("a " + kind + " layer needs [channels, height, width] input", kind, "It comes before flatten and dense layers.");
  }
  static std::int64_t window(std::int64_t size, std::int64_t kernel, std::int64_t stride) {
    if (size < kernel || stride < 1) throw usage_error("a window of " + std::to_string(kernel) + " does not fit an input of " + std::to_string(size), "net.layer");
    return (size - kernel) / stride + 1;
  }
  graph::Shape shape_;
  std::uint64_t seed_;
  std::map<std::string, int> count_;
};

// Reads optional keys of one layer table with defaults.
struct Reader {
  const Config& table;
  std::int64_t integer(const char* key, std::int64_t otherwise) const { return table.has(key) ? table.integer(key) : otherwise; }
  double real(const char* key, double otherwise) const { return table.has(key) ? table.real(key) : otherwise; }
  bool boolean(const char* key, bool otherwise) const { return table.has(key) ? table.boolean(key) : otherwise; }
  std::string text(const char* key, const std::string& otherwise) const { return table.has(key) ? table.text(key) : otherwise; }
};

template <class E>
E choice(const std::string& word, const std::string& key, const std::string& where, const std::vector<std::pair<std::string, E>>& known) {
  std::vector<std::string> names;
  for (const auto& [name, value] : known) {
    if (name == word) return value;
    names.push_back(name);
  }
  throw usage_error("'" + key + "' cannot be '" + word + "'", where, did_you_mean(word, names));
}

const std::vector<std::string> neuron_keys = {"tau", "v_th", "v_reset", "reset", "decay_input", "detach_reset", "surrogate", "height", "width"};
// Near enough to where the apex starts, at 0, that its surrogate has a slope there: a context of fresh weights is small.
constexpr double apex_v_th = 0.25;

// The values of an enumeration by name, from the list of its names.
template <class E, std::size_t n>
std::vector<std::pair<std::string, E>> named(const char* const (&names)[n]) {
  std::vector<std::pair<std::string, E>> all;
  for (const char* name : names) all.emplace_back(name, static_cast<E>(all.size()));
  return all;
}

kernels::TwoPoint cell_options(const Config& table) {
  const Reader r{table};
  kernels::TwoPoint c;
  c.mtf = choice(r.text("mtf", "coop"), "mtf", table.where(), named<kernels::Mtf>(kernels::mtf_names));
  c.output = choice(r.text("output", "relu6"), "output", table.where(), named<kernels::TwoPointOutput>(kernels::two_point_output_names));
  c.c_max = static_cast<float>(r.real("c_max", c.c_max));
  return c;
}

NeuronOptions neuron_options(const Config& table, NeuronOptions o) {
  const Reader r{table};
  o.tau = r.real("tau", o.tau);
  o.v_th = r.real("v_th", o.v_th);
  o.decay_input = r.boolean("decay_input", o.decay_input);
  o.detach_reset = r.boolean("detach_reset", o.detach_reset);
  const std::string reset = r.text("reset", o.v_reset ? "hard" : "soft");
  if (choice<bool>(reset, "reset", table.where(), {{"hard", true}, {"soft", false}}))
    o.v_reset = r.real("v_reset", o.v_reset.value_or(0.0));
  else
    o.v_reset.reset();
  if (table.has("surrogate"))
    o.surrogate.kind = choice(table.text("surrogate"), "surrogate", table.where(), named<kernels::SurrogateKind>(kernels::surrogate_names));
  o.surrogate.height = static_cast<float>(r.real("height", o.surrogate.height));
  o.surrogate.width = static_cast<float>(r.real("width", o.surrogate.width));
  return o;
}

void allow(const Config& table, std::vector<std::string> keys) {
  keys.push_back("type");
  table.allow_only(keys);
}

NeuronSpec parse_neuron(const Config& table, NeuronKind kind, const NeuronOptions& defaults) {
  const Reader r{table};
  NeuronSpec s;
  s.kind = kind;
  auto keys = kind == NeuronKind::integer ? std::vector<std::string>{"tau", "detach_reset"} : neuron_keys;
  if (kind >= NeuronKind::cuba) keys.push_back("learn"), s.learn = r.boolean("learn", false);
  if (kind == NeuronKind::cuba) keys.push_back("tau_syn"), s.tau_syn = r.real("tau_syn", s.tau_syn);
  if (kind == NeuronKind::adaptive)
    keys.insert(keys.end(), {"tau_adapt", "beta"}), s.tau_adapt = r.real("tau_adapt", s.tau_adapt), s.beta = r.real("beta", s.beta);
  if (kind == NeuronKind::refractory) keys.push_back("refractory"), s.steps = r.integer("refractory", s.steps);
  if (kind == NeuronKind::integer) keys.push_back("levels"), s.levels = r.integer("levels", s.levels);
  allow(table, keys);
  s.options = neuron_options(table, defaults);
  return s;
}

LayerSpec parse_layer(const Config& table, const NeuronOptions& defaults) {
  const Reader r{table};
  const std::string type = table.text("type");
  if (type == "conv") {
    allow(table, {"channels", "kernel", "stride", "padding", "groups", "bias"});
    const auto kernel = r.integer("kernel", 3);
    return ConvSpec{table.integer("channels"), kernel, r.integer("stride", 1), r.integer("padding", kernel / 2), r.integer("groups", 1), r.boolean("bias", false)};
  }
  if (type == "dense") {
    allow(table, {"units", "bias"});
    return DenseSpec{table.integer("units"), r.boolean("bias", true)};
  }
  if (type == "norm") {
    allow(table, {"stats", "momentum", "eps"});
    return NormSpec{choice<Stats>(r.text("stats", "sequence"), "stats", table.where(), {{"sequence", Stats::sequence}, {"step", Stats::step}}),
                    r.real("momentum", 0.1), r.real("eps", 1e-5)};
  }
  if (const auto kind = std::find(neuron_types.begin(), neuron_types.end(), type); kind != neuron_types.end())
    return parse_neuron(table, static_cast<NeuronKind>(kind - neuron_types.begin()), defaults);
  if (type == "sliding_psn") {
    allow(table, {"window", "v_th", "surrogate", "height", "width"});
    const NeuronOptions o = neuron_options(table, defaults);
    return SlidingSpec{r.integer("window", 4), o.v_th, o.surrogate};
  }
  if (type == "pool") {
    allow(table, {"kind", "size", "stride"});
    const auto size = r.integer("size", 2);
    return PoolSpec{choice<bool>(r.text("kind", "avg"), "kind", table.where(), {{"avg", false}, {"max", true}}), size, r.integer("stride", size)};
  }
  if (type == "flatten") {
    allow(table, {});
    return FlattenSpec{};
  }
  if (type == "dropout") {
    allow(table, {"p"});
    return DropoutSpec{r.real("p", 0.5)};
  }
  if (type == "two_point") {
    allow(table, {"cells", "context", "iterations", "mtf", "output", "c_max"});
    TwoPointOptions o;
    o.cells = table.integer("cells"), o.proximal = r.boolean("context", true), o.iterations = r.integer("iterations", 1), o.cell = cell_options(table);
    return TwoPointSpec{o};
  }
  if (type == "two_point_conv") {
    allow(table, {"maps", "kernel", "stride", "padding", "context", "context_kernel", "iterations", "mtf", "output", "c_max"});
    TwoPointConvOptions o;
    o.maps = table.integer("maps"), o.kernel = r.integer("kernel", 3), o.stride = r.integer("stride", 1), o.padding = r.integer("padding", o.kernel / 2);
    o.proximal = r.boolean("context", true), o.context_kernel = r.integer("context_kernel", 3), o.iterations = r.integer("iterations", 1), o.cell = cell_options(table);
    return TwoPointConvSpec{o};
  }
  if (type == "two_point_spiking") {
    auto keys = neuron_keys;  // of the soma, and of the apex what is not named for itself
    keys.insert(keys.end(), {"cells", "apex_tau", "apex_v_th"});
    allow(table, keys);
    SpikingTwoPointOptions o;
    o.cells = table.integer("cells"), o.soma = o.apex = neuron_options(table, defaults);
    o.apex.tau = r.real("apex_tau", o.soma.tau), o.apex.v_th = r.real("apex_v_th", apex_v_th);
    o.apex.v_reset.reset();  // it never resets
    return SpikingTwoPointSpec{o};
  }
  throw usage_error("there is no layer type '" + type + "'", table.where(),
                    did_you_mean(type, {"conv", "dense", "norm", "lif", "if", "plif", "cuba_lif", "adaptive_lif", "refractory_lif", "integer_lif", "sliding_psn", "pool",
                                        "flatten", "dropout", "two_point", "two_point_conv", "two_point_spiking"}));
}

}  // namespace

NetworkSpec parse_network(const Config& net, const graph::Shape& input) {
  net.allow_only({"T", "readout", "recompute", "neuron", "layer"});
  NetworkSpec spec;
  spec.input = input;
  spec.T = net.has("T") ? net.integer("T") : 4;
  if (spec.T < 1 || spec.T > 100000) throw usage_error("T must be at least 1 step", net.where() + ", T = " + std::to_string(spec.T));
  if (net.has("readout"))
    spec.readout = choice<graph::ReadoutKind>(net.text("readout"), "readout", net.where(),
                                              {{"rate", graph::ReadoutKind::rate}, {"max_membrane", graph::ReadoutKind::max_membrane}, {"last", graph::ReadoutKind::last}});
  if (net.has("recompute")) spec.recompute = net.boolean("recompute");
  const Config neuron = net.table("neuron");
  neuron.allow_only(neuron_keys);
  const NeuronOptions defaults = neuron_options(neuron, {});
  for (const auto& table : net.tables("layer")) spec.layers.push_back(parse_layer(table, defaults));
  if (spec.layers.empty()) throw usage_error("the network has no layers", net.where(), "Add [[net.layer]] tables.");
  return spec;
}

NetworkImpl::NetworkImpl(NetworkSpec spec, std::uint64_t seed) : spec_(std::move(spec)) {
  Builder builder(spec_, seed);
  for (const auto& layer_spec : spec_.layers) {
    auto layer = std::visit([&](const auto& s) { return builder.add(s); }, layer_spec);
    register_module(layer->label, layer);
    layers_.push_back(std::move(layer));
  }
  if (builder.shape().size() != 1) throw usage_error("the network must end flat", "net.layer", "End it with flatten and dense.");
  outputs_ = builder.shape()[0];
}

torch::Tensor NetworkImpl::forward(const Sequence& x, States* states, const Tap& tap) {
  return run(x, 0, layers_.size(), states, tap).expanded().frames;
}

namespace {

// Whether a layer's output is memory of its own that no backward reads.
bool is_spent(const LayerSpec& s) {
  return std::holds_alternative<ConvSpec>(s) || std::holds_alternative<DenseSpec>(s) || std::holds_alternative<NormSpec>(s) ||
         std::holds_alternative<PoolSpec>(s);
}

}  // namespace

Sequence NetworkImpl::run(const Sequence& input, std::size_t begin, std::size_t end, States* states, const Tap& tap) {
  if (states) states->resize(layers_.size());
  Sequence x = input;
  for (std::size_t i = begin; i < end; ++i) {
    auto* const neuron = dynamic_cast<LIFNodeImpl*>(layers_[i].get());
    auto* const behind = i + 1 < end && !x.constant ? dynamic_cast<LIFNodeImpl*>(layers_[i + 1].get()) : nullptr;
    if (behind && behind->fixed() &&
        (std::holds_alternative<ConvSpec>(spec_.layers[i]) || std::holds_alternative<DenseSpec>(spec_.layers[i]))) {
      std::uint64_t fired = 0;
      if (auto spikes = behind->fire_behind(layers_[i], x, states ? &(*states)[i + 1] : nullptr, tap ? &fired : nullptr, spec_.recompute)) {
        x = *std::move(spikes);
        if (tap) tap(behind->label, fired, static_cast<std::uint64_t>(x.frames.numel()));
        ++i;
        continue;
      }
    }
    if (!neuron) {
      const bool stateful = layers_[i]->has_state();
      x = layers_[i]->run(x, states && stateful ? &(*states)[i] : nullptr);
      if (tap && stateful)
        tap(layers_[i]->label, static_cast<std::uint64_t>(x.frames.detach().sum(torch::kFloat64).item<double>()), static_cast<std::uint64_t>(x.frames.numel()));
      continue;
    }
    const auto neurons = static_cast<std::uint64_t>(x.frames.numel() * (x.constant ? x.T : 1));
    const auto* pool = i + 1 < end ? dynamic_cast<const PoolImpl*>(layers_[i + 1].get()) : nullptr;
    const auto size = pool ? pool->average_of_tiles() : 1;
    std::uint64_t fired = 0;
    const bool own_x = i > begin && is_spent(spec_.layers[i - 1]);  // what is first is the caller's
    x = neuron->fire(x, states ? &(*states)[i] : nullptr, size, tap ? &fired : nullptr, own_x);
    if (tap) tap(neuron->label, fired, neurons);
    if (size > 1) ++i;  // the pool's work is done
  }
  return x;
}

std::size_t NetworkImpl::stateless_head() const {
  const auto first = std::find_if(layers_.begin(), layers_.end(), [](const auto& layer) { return layer->has_state(); });
  return static_cast<std::size_t>(first - layers_.begin());
}

torch::Tensor NetworkImpl::readout(const torch::Tensor& steps, std::int64_t T) const {
  const auto by_time = steps.view({T, steps.size(0) / T, steps.size(1)});
  switch (spec_.readout) {
    case graph::ReadoutKind::rate: return by_time.mean(0);
    case graph::ReadoutKind::max_membrane: return std::get<0>(by_time.max(0));
    case graph::ReadoutKind::last: break;
  }
  return by_time[T - 1];
}

void NetworkImpl::detach_temporal(bool on) {
  for (auto& layer : layers_) layer->detach_temporal(on);
}

void NetworkImpl::training_step(std::uint64_t step) {
  for (auto& layer : layers_)
    if (auto* dropout = dynamic_cast<DropoutImpl*>(layer.get())) dropout->training_step(step);
}

graph::Graph NetworkImpl::lower(const std::string& name) const {
  graph::Graph graph;
  graph.name = name;
  graph.T = static_cast<int>(spec_.T);
  graph.input_shape = spec_.input;
  graph.nodes.push_back({"input", graph::Input{}, {}, {}});
  std::string last = "input";
  for (const auto& layer : layers_) last = layer->lower(graph, last);
  graph.nodes.push_back({"readout", graph::Readout{spec_.readout}, {last}, {}});
  graph::fold_affine(graph);
  graph::validate(graph);
  return graph;
}

}  // namespace apical::nn
