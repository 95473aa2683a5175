#include "apical/brain/description.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/named.h"
#include "apical/base/text.h"
#include "apical/base/units.h"
#include "apical/brain/description_rules.h"

namespace apical::brain {
namespace {

using Kind = Config::Kind;

// The parameters of a model that the table has, over `parameters`.
void read_parameters(const Table& t, const ModelInfo& info, std::vector<std::string> other_keys, Parameters& parameters) {
  each_given(t, info, std::move(other_keys), [&](const ParameterInfo& p) {
    parameters.insert_or_assign(p.name, p.list ? Value(t.reals(p.name, p.unit)) : t.value(p.name, p.unit));
  });
}

bool records(const ModelInfo& m) { return m.name.ends_with("recorder") || m.name == "multimeter"; }

class Reader {
 public:
  explicit Reader(const Config& config) : c_(config) {}

  Described read() {
    c_.allow_only({"name", "simulation", "model", "population", "connection", "device", "record", "analysis"});
    Described d{.name = c_.kind("name") == Kind::absent ? std::filesystem::path(c_.where()).stem().string() : c_.text("name"),
                .toml = {},
                .time = 0,
                .start = 0,
                .bin = 5,
                .options = {},
                .network = Network()};
    settings(d);
    d.network = located(c_.where() + ": simulation", [&] { return Network(d.options); });
    for (const auto& name : names("model")) add_model(name);
    for (const auto& name : names("population")) add_population(d, name);
    if (d.populations.empty()) throw usage_error("the file has no [population]", c_.where(), "docs/reference/circuits.md has examples.");
    for (const auto& name : names("connection")) connect(d, name);
    for (const auto& name : names("device")) add_device(d, name);
    const auto records = names("record");
    for (const auto& name : records) add_record(d, name);
    if (records.empty())
      for (std::size_t i = 0; i < d.populations.size(); ++i)
        d.spikes.push_back({d.populations[i].name, i, &d.network.record_spikes(d.populations[i].population)});
    return d;
  }

 private:
  // Tables below `key`. Their names become names of arrays and columns.
  std::vector<std::string> names(const std::string& key) const {
    if (c_.kind(key) != Kind::table && c_.kind(key) != Kind::absent)
      throw usage_error("'" + key + "' must be a table of tables", c_.where(), "Write [" + key + ".NAME].");
    auto all = c_.in_order(key);
    for (const auto& name : all)
      if (name.empty() ||
          !std::all_of(name.begin(), name.end(), [](unsigned char ch) { return std::isalnum(ch) || ch == '_' || ch == '-'; }))
        throw usage_error("'" + name + "' is no name", c_.where() + " [" + key + "]", "Names have letters, digits, _ and -.");
    return all;
  }

  void settings(Described& d) const {
    const Table s(c_, "simulation"), a(c_, "analysis");
    s.allow_only({"time", "dt", "seed", "precision", "memory"});
    d.time = s.real("time", "ms", 0);
    d.options.dt = s.real("dt", "ms", d.options.dt);
    if (s.has("seed")) d.options.seed = s.count("seed");
    const std::string precision = s.text("precision", "single");
    if (precision != "single" && precision != "double")
      throw usage_error("no precision is called '" + precision + "'", s.where("precision"), did_you_mean(precision, {"single", "double"}));
    d.options.double_precision = precision == "double";
    d.options.memory_gb = s.real("memory", "", 0);
    d.options.progress = log_level() <= LogLevel::info;
    a.allow_only({"start", "bin"});
    d.start = a.real("start", "ms", d.start), d.bin = a.real("bin", "ms", d.bin);
    if (!(d.bin >= d.options.dt) || !(d.start >= 0)) throw usage_error("a bin must be a step or more, a start 0 or more", a.where());
    Config rest = c_;
    rest.put("simulation.time=0");
    d.toml = rest.to_toml();
  }

  struct Base {
    std::string name, model;
    Parameters parameters;
    std::optional<EquationModel> equations{};
    const ModelInfo& info() const { return equations ? equations->info() : model_info(model); }
  };
  // A model of the file, or one of ours.
  Base base(const std::string& name, const std::string& where) const {
    std::vector<Base> all = bases_;
    for (const auto& m : models()) all.push_back({m.name, m.name, {}});
    return named(all, name, "no neuron model is called", where);
  }

  void add_model(const std::string& name) {
    const Table t(c_, "model." + name);
    Base b;
    std::vector<std::string> keys{"copy"};
    if (t.has("equations")) {
      if (t.has("copy")) throw usage_error("a model has either 'equations' or 'copy'", t.where());
      keys = {"equations", "threshold", "reset", "refractory", "synapses", "excitatory", "inhibitory", "weight_unit", "initial", "method"};
      const auto text = [&](const char* key) { return t.text(key, ""); };
      b.model = name;
      b.equations = located(t.where(), [&] {
        return EquationModel({.equations = text("equations"),
                              .threshold = text("threshold"),
                              .reset = text("reset"),
                              .refractory = text("refractory"),
                              .synapses = text("synapses"),
                              .excitatory = text("excitatory"),
                              .inhibitory = text("inhibitory"),
                              .weight_unit = text("weight_unit"),
                              .initial = text("initial"),
                              .method = text("method"),
                              .name = name});
      });
    } else {
      b = base(t.text("copy"), t.where("copy"));
    }
    b.name = name;
    read_parameters(t, b.info(), keys, b.parameters);
    bases_.push_back(std::move(b));
  }

  void add_population(Described& d, const std::string& name) const {
    const Table t(c_, "population." + name);
    Base b = base(t.text("model"), t.where("model"));
    read_parameters(t, b.info(), {"model", "n", "positions"}, b.parameters);
    std::optional<Positions> positions;
    if (t.has("positions")) positions = read_positions(t.table("positions"));
    const bool counted = positions && !positions->points.empty() && !t.has("n");  // n may be left out
    const auto n =
        counted ? static_cast<std::uint32_t>(positions->points.size()) : static_cast<std::uint32_t>(t.count("n", std::int64_t{1} << 31));
    const auto p = located(t.where(), [&] {
      return b.equations ? d.network.create(*b.equations, n, b.parameters, name) : d.network.create(b.model, n, b.parameters, name);
    });
    if (positions) located(t.where("positions"), [&] { d.network.place(p, std::move(*positions)); });
    d.populations.push_back({name, b.model, p, b.info().weight_unit, b.equations ? b.info().parameters.front().name : "V_m"});
  }

  struct Range {
    std::size_t index;
    Population neurons;
  };
  // "e" or "e[10:60]": neurons 10 to 59.
  Range range(const Described& d, const std::string& text, const std::string& where) const {
    const auto open = text.find('[');
    const std::string name = text.substr(0, open);
    const auto& of = named(d.populations, name, "no population is called", where);
    const auto i = static_cast<std::size_t>(&of - d.populations.data());
    const Population all = of.population;
    if (open == std::string::npos) return {i, all};
    const auto colon = text.find(':', open);
    if (colon != std::string::npos && text.back() == ']') {
      const std::string from = text.substr(open + 1, colon - open - 1), to = text.substr(colon + 1, text.size() - colon - 2);
      const auto a = from.empty() ? 0u : as_number<std::uint32_t>(from), b = to.empty() ? all.size : as_number<std::uint32_t>(to);
      if (a && b && *a < *b && *b <= all.size) return {i, all.slice(*a, *b - *a)};
    }
    throw usage_error("'" + text + "' are no neurons of '" + name + "'", where,
                      "Write " + name + "[0:" + std::to_string(all.size) + "] for all " + std::to_string(all.size) + ".");
  }
  std::vector<Range> ranges(const Described& d, const Table& t, const std::string& key) const {
    std::vector<Range> all;
    for (const auto& text : t.texts(key)) {
      all.push_back(range(d, text, t.where(key)));
      Population& p = all.back().neurons;
      if (key == "to") p = located(t.where("receptor"), [&] { return d.network.receptor(p, t.text("receptor", "")); });
    }
    return all;
  }

  const std::string& weight_unit(const Described& d, std::size_t to) const { return d.populations[to].weight_unit; }

  void connect(Described& d, const std::string& name) {
    const Table t(c_, "connection." + name);
    DescribedRule r = read_rule(t);
    r.keys.insert(r.keys.end(), {"from", "to", "rule", "weight", "delay", "synapse_model", "procedural", "receptor", "volume_transmitter"});
    const ModelInfo learns = located(t.where("synapse_model"), [&] { return synapse_info(t.text("synapse_model", "static_synapse")); });
    const auto from = ranges(d, t, "from"), to = ranges(d, t, "to");
    if (r.rule.kind == Rule::Kind::listed && from.size() * to.size() != 1)
      throw usage_error("a file has the synapses of one population to one", t.where(), "Write a [connection] for each.");
    Connected& made = connections_.emplace_back(Connected{name, {}});
    for (const Range& target : to) {
      const std::string& unit = weight_unit(d, target.index);
      Synapses s = read_synapses(t, unit);
      s.model = learns.name;
      s.receptor = t.text("receptor", "");
      if (t.has("volume_transmitter")) s.volume_transmitter = range(d, t.text("volume_transmitter"), t.where("volume_transmitter")).neurons;
      each_given(t, learns, r.keys, [&](const ParameterInfo& p) {  // those in pA are weights
        s.parameters[p.name] = t.real(p.name, p.unit == "pA" ? unit : p.unit);
      });
      for (const Range& source : from)
        made.projections.push_back(located(t.where(), [&] {
          if (r.rule.kind != Rule::Kind::listed) return d.network.connect(source.neurons, target.neurons, r.rule, s);
          return d.network.connect(source.neurons, target.neurons, read_edges(t, {source.neurons, target.neurons, d.options.dt}), s);
        }));
    }
  }

  const ModelInfo& device_info(const Table& t, bool recorder) const {
    std::vector<const ModelInfo*> all;
    for (const auto& m : device_models())
      if (records(m) == recorder) all.push_back(&m);
    return *named(all, t.text("model"), recorder ? "no recorder is called" : "no device is called", t.where("model"),
                  [](const ModelInfo* m) -> const std::string& { return m->name; });
  }

  void add_device(Described& d, const std::string& name) const {
    const Table t(c_, "device." + name);
    const ModelInfo& info = device_info(t, false);
    const std::string& model = info.name;
    each_given(t, info, {"model", "to", "weight", "delay", "receptor"}, [](const ParameterInfo&) {});
    const bool current = model == "dc_generator" || model == "step_current_generator" || model == "noise_generator";
    const double start = t.real("start", "ms", 0), stop = t.real("stop", "ms", kForever);
    for (const Range& to : ranges(d, t, "to")) {
      const Synapses s = read_synapses(t, current ? "" : weight_unit(d, to.index));
      if (!s.weight.constant() || !s.delay.constant() || s.weight_by_distance || s.delay_by_distance)
        throw usage_error("weight and delay of a device are the same for all", t.where(), "Write plain numbers.");
      const auto connect = [&](const auto& device) {
        located(t.where(), [&] { d.network.connect(device, to.neurons, s.weight.a, s.delay.a); });
      };
      if (model == "poisson_generator") connect(PoissonGenerator{t.real("rate", "Hz"), start, stop});
      if (model == "inhomogeneous_poisson_generator")
        connect(InhomogeneousPoissonGenerator{t.reals("rate_times", "ms"), t.reals("rate_values", "Hz"), start, stop});
      if (model == "noise_generator") {
        const auto real = [&](const char* key, const char* unit) { return t.real(key, unit, 0); };
        if (t.has("dt") && !(t.real("dt", "ms") > 0)) throw usage_error("an interval must be a step or more", t.where("dt"));
        connect(NoiseGenerator{real("mean", "pA"), real("std", "pA"), real("dt", "ms"), real("std_mod", "pA"), real("frequency", "Hz"),
                               real("phase", ""), start, stop});
      }
      if (model == "dc_generator") connect(DcGenerator{t.real("amplitude", "pA"), start, stop});
      if (model == "step_current_generator")
        connect(StepCurrentGenerator{t.reals("amplitude_times", "ms"), t.reals("amplitude_values", "pA"), start, stop});
      if (model == "spike_generator") connect(SpikeGenerator{t.reals("spike_times", "ms")});
    }
  }

  void add_record(Described& d, const std::string& name) const {
    const Table t(c_, "record." + name);
    const ModelInfo& info = device_info(t, true);
    each_given(t, info, {"model", "from"}, [](const ParameterInfo&) {});
    if (info.name == "weight_recorder") return add_weight_record(d, name, t);
    const auto all = ranges(d, t, "from");
    for (const Range& from : all) {
      const std::string full = all.size() == 1 ? name : name + "_" + d.populations[from.index].name;
      located(t.where(), [&] {
        if (info.name == "spike_recorder") {
          d.spikes.push_back({full, from.index, &d.network.record_spikes(from.neurons)});
        } else {
          const auto variables = t.has("variables") ? t.texts("variables") : std::vector<std::string>{d.populations[from.index].membrane};
          d.traces.push_back({full, from.index, &d.network.record(from.neurons, variables, t.real("interval", "ms", 1))});
        }
      });
    }
  }

  void add_weight_record(Described& d, const std::string& name, const Table& t) const {
    std::vector<Projection> all;
    for (const auto& text : t.texts("from")) {
      const auto& made = named(connections_, text, "no connection is called", t.where("from")).projections;
      all.insert(all.end(), made.begin(), made.end());
    }
    const double interval = t.real("interval", "ms", 1);
    const std::size_t count = t.has("count") ? t.count("count", std::int64_t{1} << 31) : 1000;
    for (std::size_t i = 0; i < all.size(); ++i)
      located(t.where(), [&] {
        d.weights.push_back({all.size() == 1 ? name : name + "_" + std::to_string(i), &d.network.record_weights(all[i], interval, count)});
      });
  }

  const Config& c_;
  std::vector<Base> bases_;
  struct Connected {
    std::string name;
    std::vector<Projection> projections;
  };
  std::vector<Connected> connections_;
};

}  // namespace

const std::vector<ModelInfo>& device_models() {
  static const ParameterInfo start{"start", "ms", "acts after this time", 0}, stop{"stop", "ms", "acts up to this time", kForever};
  static const std::vector<ModelInfo> all{
      {"poisson_generator", "Poisson spikes, drawn anew for each neuron", {{"rate", "Hz", "spikes a second, needed", 0}, start, stop}},
      {"spike_generator", "spikes at given times, the same for all neurons", {{"spike_times", "ms", "a list, ascending, needed", 0}}},
      {"inhomogeneous_poisson_generator",
       "Poisson spikes of a rate that changes at given times, drawn anew for each neuron",
       {{"rate_times", "ms", "a list, ascending, needed", 0},
        {"rate_values", "Hz", "the rates from these times on, needed", 0},
        start,
        stop}},
      {"dc_generator", "a constant current", {{"amplitude", "pA", "the current, needed", 0}, start, stop}, ""},
      {"step_current_generator",
       "a current that changes at given times",
       {{"amplitude_times", "ms", "a list, ascending, needed", 0},
        {"amplitude_values", "pA", "the currents from these times on, needed", 0},
        start,
        stop},
       ""},
      {"noise_generator",
       "white noise, drawn anew for each neuron",
       {{"mean", "pA", "of the current", 0},
        {"std", "pA", "its standard deviation", 0},
        {"dt", "ms", "a new value after this time; default ten steps", 0},
        {"std_mod", "pA", "modulation of std: sqrt(std^2 + std_mod^2 sin(2 pi frequency t + phase))", 0},
        {"frequency", "Hz", "of the modulation", 0},
        {"phase", "", "of the modulation, degrees", 0},
        start,
        stop},
       ""},
      {"spike_recorder", "records spikes", {}, ""},
      {"multimeter",
       "records variables of neurons",
       {{"variables", "", "a list of names; default [\"V_m\"]", 0}, {"interval", "ms", "time between two samples", 1}},
       ""},
      {"weight_recorder",
       "records weights of a connection that learns",
       {{"interval", "ms", "time between two samples", 1}, {"count", "", "of so many synapses at most, evenly from all", 1000}},
       ""}};
  return all;
}

Described describe(const Config& config) { return Reader(config).read(); }

Described describe(const std::filesystem::path& path, const std::vector<std::string>& set) {
  Config config = Config::load(path);
  for (const auto& assignment : set) config.put(assignment);
  return describe(config);
}

void save_checkpoint(const Described& d, const std::filesystem::path& path, bool recordings) {
  auto npz = d.network.state(recordings);
  npz["circuit"] = formats::Array::of<std::uint8_t>({d.toml.size()}, {reinterpret_cast<const std::uint8_t*>(d.toml.data()), d.toml.size()});
  formats::write_npz(path, npz, false);
}

void load_checkpoint(Described& d, const std::filesystem::path& path) {
  const auto npz = formats::read_npz(path);
  const auto circuit = npz.find("circuit");
  if (circuit == npz.end()) throw data_error("this is no checkpoint of apical simulate", path.string());
  const auto bytes = circuit->second.bytes;
  if (std::string(bytes.begin(), bytes.end()) != d.toml)
    throw usage_error("this is the checkpoint of another circuit", path.string(),
                      "Everything but the time must be as it was: the file, --dt, --seed, --precision and --set.");
  d.network.set_state(npz, path.string());
  d.from = d.network.time();
}

std::pair<double, double> quantity_range(const std::string& text, const std::string& unit, const std::string& key) {
  const auto dots = text.find("..");
  if (dots == std::string::npos) throw usage_error("'" + key + "' must be a range", text, "Example: 0..1000" + unit);
  const std::string last = text.substr(dots + 2);
  double high = quantity(last, unit, key), low = 0;
  std::string first = text.substr(0, dots);
  if (as_number<double>(first))
    first += last.substr(std::min(last.size(), last.find_first_not_of("+-.0123456789eE")));  // the unit stands last
  low = quantity(first, unit, key);
  return {low, high};
}

}  // namespace apical::brain
