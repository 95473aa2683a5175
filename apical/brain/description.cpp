#include "apical/brain/description.h"

#include <algorithm>
#include <cmath>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/text.h"
#include "apical/base/units.h"
#include "apical/brain/plasticity.h"

namespace apical::brain {
namespace {

using Kind = Config::Kind;

// Runs `f`; what goes wrong in it is said to be at `where`.
template <class F>
auto located(const std::string& where, F f) {
  try {
    return f();
  } catch (const Error& e) {
    throw Error(e.code(), e.message(), e.where().empty() ? where : where + ": " + e.where(), e.hint());
  }
}

// A table of the file, e.g. population.e.
class Table {
 public:
  Table(const Config& config, std::string path) : c_(config), path_(std::move(path)) {
    if (c_.kind(path_) != Kind::table && c_.kind(path_) != Kind::absent) throw usage_error("'" + path_ + "' must be a table", c_.where());
  }
  std::string at(const std::string& key) const { return path_ + "." + key; }
  std::string where() const { return c_.where() + ": " + path_; }
  std::string where(const std::string& key) const { return c_.where() + ": " + at(key); }
  bool has(const std::string& key) const { return c_.has(at(key)); }
  std::vector<std::string> keys() const { return c_.in_order(path_); }

  void allow_only(const std::vector<std::string>& known) const {
    for (const auto& key : keys())
      if (std::find(known.begin(), known.end(), key) == known.end())
        throw usage_error("unknown key '" + key + "'", where(), did_you_mean(key, known));
  }
  void need(const std::string& key) const {
    if (!has(key)) throw usage_error("'" + key + "' is missing", where());
  }
  std::string text(const std::string& key) const {
    need(key);
    return c_.text(at(key));
  }
  std::string text(const std::string& key, const std::string& standard) const { return has(key) ? text(key) : standard; }
  bool boolean(const std::string& key, bool standard) const { return has(key) ? c_.boolean(at(key)) : standard; }
  std::uint64_t count(const std::string& key, std::int64_t most = std::numeric_limits<std::int64_t>::max()) const {
    need(key);
    const auto n = c_.integer(at(key));
    if (n < 0 || n > most) throw usage_error("'" + key + "' must be 0 to " + std::to_string(most), where(key) + " = " + std::to_string(n));
    return static_cast<std::uint64_t>(n);
  }
  // A number of `unit`.
  double real(const std::string& key, const std::string& unit) const {
    need(key);
    switch (c_.kind(at(key))) {
      case Kind::text:
        return quantity(c_.text(at(key)), unit, key, where(key));
      case Kind::boolean:
        if (unit.empty()) return c_.boolean(at(key)) ? 1 : 0;
        [[fallthrough]];
      case Kind::number:
        return c_.real(at(key));
      default:
        throw usage_error("'" + key + "' must be a number" + (unit.empty() ? "" : " of " + unit), where(key));
    }
  }
  double real(const std::string& key, const std::string& unit, double standard) const { return has(key) ? real(key, unit) : standard; }
  // A text, or a list of them.
  std::vector<std::string> texts(const std::string& key) const {
    need(key);
    if (c_.kind(at(key)) == Kind::text) return {c_.text(at(key))};
    auto all = c_.texts(at(key));
    if (all.empty()) throw usage_error("'" + key + "' is empty", where(key));
    return all;
  }
  // Numbers of `unit`: [1, 2], ["1 ms", "2 ms"].
  std::vector<double> reals(const std::string& key, const std::string& unit) const {
    need(key);
    if (c_.kind(at(key)) != Kind::list) throw usage_error("'" + key + "' must be a list", where(key));
    try {
      return c_.reals(at(key));
    } catch (const Error&) {
      std::vector<double> all;
      for (const auto& t : c_.texts(at(key))) all.push_back(quantity(t, unit, key, where(key)));
      return all;
    }
  }
  // A number, or a table {distribution = "normal", mean = ..., std = ...}.
  Value value(const std::string& key, const std::string& unit) const {
    if (c_.kind(at(key)) != Kind::table) return real(key, unit);
    const Table t(c_, at(key));
    const std::string kind = t.text("distribution");
    Value v(0);
    if (kind == "uniform") {
      t.allow_only({"distribution", "min", "max"});
      v = Value::uniform(t.real("min", unit), t.real("max", unit));
    } else if (kind == "normal" || kind == "lognormal") {
      t.allow_only({"distribution", "mean", "std", "min", "max", "clip"});
      v = kind == "normal" ? Value::normal(t.real("mean", unit), t.real("std", unit))
                           : Value::lognormal(t.real("mean", ""), t.real("std", ""));
      const double low = t.real("min", unit, -kForever), high = t.real("max", unit, kForever);
      v = t.boolean("clip", false) ? v.clipped(low, high) : v.redrawn(low, high);
    } else {
      throw usage_error("no distribution is called '" + kind + "'", t.where("distribution"),
                        did_you_mean(kind, {"uniform", "normal", "lognormal"}));
    }
    located(t.where(), [&] { v.check(key); });
    return v;
  }

 private:
  const Config& c_;
  std::string path_;
};

// The parameters of a model that the table has, over `parameters`.
void read_parameters(const Table& t, const ModelInfo& info, std::vector<std::string> other_keys, Parameters& parameters) {
  std::vector<std::string> known = std::move(other_keys);
  const std::size_t others = known.size();
  for (const auto& p : info.parameters) known.push_back(p.name);
  t.allow_only(known);
  for (std::size_t i = others; i < known.size(); ++i) {
    const ParameterInfo& p = info.parameters[i - others];
    const bool other = std::find(known.begin(), known.begin() + static_cast<std::ptrdiff_t>(others), p.name) !=
                       known.begin() + static_cast<std::ptrdiff_t>(others);
    if (t.has(p.name) && !other) parameters.insert_or_assign(p.name, p.list ? Value(t.reals(p.name, p.unit)) : t.value(p.name, p.unit));
  }
}

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
    std::vector<std::string> known;
    for (const auto& b : bases_) {
      if (b.name == name) return b;
      known.push_back(b.name);
    }
    for (const auto& m : models()) {
      if (m.name == name) return {name, name, {}};
      known.push_back(m.name);
    }
    throw usage_error("no neuron model is called '" + name + "'", where, did_you_mean(name, known));
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
    const auto n = static_cast<std::uint32_t>(t.count("n", std::int64_t{1} << 31));
    read_parameters(t, b.info(), {"model", "n"}, b.parameters);
    const auto p = located(t.where(), [&] {
      return b.equations ? d.network.create(*b.equations, n, b.parameters, name) : d.network.create(b.model, n, b.parameters, name);
    });
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
    std::vector<std::string> known;
    for (std::size_t i = 0; i < d.populations.size(); ++i) {
      known.push_back(d.populations[i].name);
      if (known.back() != name) continue;
      const Population all = d.populations[i].population;
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
    throw usage_error("no population is called '" + name + "'", where, did_you_mean(name, known));
  }
  std::vector<Range> ranges(const Described& d, const Table& t, const std::string& key) const {
    std::vector<Range> all;
    for (const auto& text : t.texts(key)) all.push_back(range(d, text, t.where(key)));
    return all;
  }

  // Synapses to neurons of this population.
  Synapses synapses(const Described& d, const Table& t, std::size_t to, bool of_currents) const {
    Synapses s;
    const std::string unit = of_currents ? "" : d.populations[to].weight_unit;
    if (t.has("weight")) s.weight = t.value("weight", unit);
    if (t.has("delay")) s.delay = t.value("delay", "ms");
    return s;
  }

  Rule rule(const Table& t, std::vector<std::string>& keys) const {
    const std::string name = t.text("rule");
    RuleOptions o{t.boolean("allow_autapses", true), t.boolean("allow_multapses", true)};
    const auto needs = [&](const char* key) { return keys.push_back(key), t.count(key); };
    if (name == "one_to_one") return Rule::one_to_one();
    if (name == "all_to_all") return Rule::all_to_all(o);
    if (name == "fixed_indegree") return Rule::fixed_indegree(needs("indegree"), o);
    if (name == "fixed_outdegree") return Rule::fixed_outdegree(needs("outdegree"), o);
    if (name == "fixed_total_number") return Rule::fixed_total_number(needs("N"), o);
    if (name == "pairwise_bernoulli") return keys.push_back("p"), Rule::pairwise_bernoulli(t.real("p", ""), o);
    throw usage_error(
        "no connection rule is called '" + name + "'", t.where("rule"),
        did_you_mean(name, {"one_to_one", "all_to_all", "fixed_indegree", "fixed_outdegree", "fixed_total_number", "pairwise_bernoulli"}));
  }

  void connect(Described& d, const std::string& name) const {
    const Table t(c_, "connection." + name);
    std::vector<std::string> keys{"from", "to", "rule", "weight", "delay", "allow_autapses", "allow_multapses", "synapse_model"};
    const Rule r = rule(t, keys);
    const ModelInfo learns = located(t.where("synapse_model"), [&] { return synapse_info(t.text("synapse_model", "static_synapse")); });
    t.allow_only(keys_of(learns, keys));
    for (const Range& to : ranges(d, t, "to")) {
      Synapses s = synapses(d, t, to.index, false);
      s.model = learns.name;
      for (const auto& p : learns.parameters)  // those in pA are weights
        if (t.has(p.name)) s.parameters[p.name] = t.real(p.name, p.unit == "pA" ? d.populations[to.index].weight_unit : p.unit);
      for (const Range& from : ranges(d, t, "from")) located(t.where(), [&] { d.network.connect(from.neurons, to.neurons, r, s); });
    }
  }

  const ModelInfo& device_info(const Table& t, bool recorder) const {
    const std::string name = t.text("model");
    std::vector<std::string> known;
    for (const auto& m : device_models()) {
      if ((m.name == "spike_recorder" || m.name == "multimeter") != recorder) continue;
      if (m.name == name) return m;
      known.push_back(m.name);
    }
    throw usage_error("no " + std::string(recorder ? "recorder" : "device") + " is called '" + name + "'", t.where("model"),
                      did_you_mean(name, known));
  }
  static std::vector<std::string> keys_of(const ModelInfo& info, std::vector<std::string> keys) {
    for (const auto& p : info.parameters) keys.push_back(p.name);
    return keys;
  }

  void add_device(Described& d, const std::string& name) const {
    const Table t(c_, "device." + name);
    const std::string model = device_info(t, false).name;
    t.allow_only(keys_of(device_info(t, false), {"model", "to", "weight", "delay"}));
    const bool current = model == "dc_generator" || model == "step_current_generator";
    const double start = t.real("start", "ms", 0), stop = t.real("stop", "ms", kForever);
    for (const Range& to : ranges(d, t, "to")) {
      const Synapses s = synapses(d, t, to.index, current);
      if (!s.weight.constant() || !s.delay.constant())
        throw usage_error("weight and delay of a device are the same for all", t.where(), "Write plain numbers.");
      const auto connect = [&](const auto& device) {
        located(t.where(), [&] { d.network.connect(device, to.neurons, s.weight.a, s.delay.a); });
      };
      if (model == "poisson_generator") connect(PoissonGenerator{t.real("rate", "Hz"), start, stop});
      if (model == "dc_generator") connect(DcGenerator{t.real("amplitude", "pA"), start, stop});
      if (model == "step_current_generator")
        connect(StepCurrentGenerator{t.reals("amplitude_times", "ms"), t.reals("amplitude_values", "pA"), start, stop});
      if (model == "spike_generator") connect(SpikeGenerator{t.reals("spike_times", "ms")});
    }
  }

  void add_record(Described& d, const std::string& name) const {
    const Table t(c_, "record." + name);
    const ModelInfo& info = device_info(t, true);
    t.allow_only(keys_of(info, {"model", "from"}));
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

  const Config& c_;
  std::vector<Base> bases_;
};

}  // namespace

const std::vector<ModelInfo>& device_models() {
  static const ParameterInfo start{"start", "ms", "acts after this time", 0}, stop{"stop", "ms", "acts up to this time", kForever};
  static const std::vector<ModelInfo> all{
      {"poisson_generator", "Poisson spikes, drawn anew for each neuron", {{"rate", "Hz", "spikes a second, needed", 0}, start, stop}},
      {"spike_generator", "spikes at given times, the same for all neurons", {{"spike_times", "ms", "a list, ascending, needed", 0}}},
      {"dc_generator", "a constant current", {{"amplitude", "pA", "the current, needed", 0}, start, stop}, ""},
      {"step_current_generator",
       "a current that changes at given times",
       {{"amplitude_times", "ms", "a list, ascending, needed", 0},
        {"amplitude_values", "pA", "the currents from these times on, needed", 0},
        start,
        stop},
       ""},
      {"spike_recorder", "records spikes", {}, ""},
      {"multimeter",
       "records variables of neurons",
       {{"variables", "", "a list of names; default [\"V_m\"]", 0}, {"interval", "ms", "time between two samples", 1}},
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
