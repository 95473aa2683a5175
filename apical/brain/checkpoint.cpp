// The state of a network as an NPZ file. Of synapses only the weights that have changed are in it: they are drawn again.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "apical/base/error.h"
#include "apical/brain/network_impl.h"
#include "apical/formats/npy.h"
#include "apical/kernels/circuit/plasticity.h"

namespace apical::brain {
namespace {

using formats::Array;
using formats::Npz;

// What two networks must have in common for one to go on where the other stopped.
std::vector<double> description(const Circuit& c, const Engine& engine) {
  std::vector<double> d{2,
                        c.options.dt,
                        static_cast<double>(c.options.seed >> 32),
                        static_cast<double>(c.options.seed & 0xffffffffu),
                        c.options.double_precision ? 1.0 : 0.0,
                        static_cast<double>(engine.synapses()),
                        static_cast<double>(c.groups.size())};
  for (const Group& g : c.groups) {
    d.push_back(g.n), d.push_back(static_cast<double>(g.model.step.index())), d.push_back(g.model.ports);
    if (const auto* program = std::get_if<kernels::Program>(&g.model.step)) {
      d.push_back(g.model.states);
      for (const auto& i : program->code) d.push_back(static_cast<double>(i.op));
    }
  }
  for (const Connection& connection : c.connections) {
    d.push_back(static_cast<double>(connection.plasticity.kind));
    if (connection.edges) d.push_back(static_cast<double>(connection.edges->fingerprint >> 11));  // 53 bits: exact
  }
  return d;
}

template <class Values>
Array column(const Values& values) {
  return Array::of<typename Values::value_type>({values.size()}, {values.data(), values.size()});
}

template <class T>
std::vector<T> get(const Npz& npz, const std::string& name, std::size_t size, const std::string& where) {
  const auto i = npz.find(name);
  if (i == npz.end()) throw data_error("a saved state lacks '" + name + "'", where);
  const auto values = i->second.as<T>(where + ": " + name);
  if (values.size() != size)
    throw data_error("'" + name + "' of a saved state has " + std::to_string(values.size()) + " values, not " + std::to_string(size),
                     where);
  std::vector<T> copy(size);  // bytes of an array need not lie as T wants
  if (size > 0) std::memcpy(copy.data(), i->second.bytes.data(), size * sizeof(T));
  return copy;
}

// Recordings that a state has with it, none or all.
struct Recorded {
  std::vector<SpikeRecord> spikes;
  std::vector<std::vector<double>> values, weights;
};
Recorded read_recorded(const Circuit& c, const Npz& npz, std::int64_t now, const std::string& where) {
  Recorded all;
  const auto size = [&](const std::string& name) {
    const auto i = npz.find(name);
    return i == npz.end() ? 0 : static_cast<std::size_t>(i->second.size());
  };
  if (!npz.contains("recorded_steps0") && !npz.contains("recorded_values0") && !npz.contains("recorded_weights0")) return all;
  for (std::size_t k = 0; k < c.spike_records.size(); ++k) {
    const std::string steps = "recorded_steps" + std::to_string(k), neurons = "recorded_neurons" + std::to_string(k);
    SpikeRecord r = c.spike_records[k];
    r.step = get<std::uint32_t>(npz, steps, size(steps), where), r.neuron = get<std::uint32_t>(npz, neurons, r.step.size(), where);
    for (std::size_t i = 0; i < r.size(); ++i)
      if (r.step[i] > now || r.neuron[i] >= r.population.size || (i > 0 && r.step[i] < r.step[i - 1]))
        throw data_error("a saved state holds an impossible recorded spike", where + ": " + std::to_string(i));
    all.spikes.push_back(std::move(r));
  }
  for (std::size_t k = 0; k < c.recordings.size(); ++k) {
    const Recording& r = c.recordings[k];
    all.values.push_back(get<double>(npz, "recorded_values" + std::to_string(k),
                                     samples_until(now, r.next, r.every) * r.states.size() * r.data.population.size, where));
  }
  for (std::size_t k = 0; k < c.weight_samplings.size(); ++k) {
    const WeightSampling& s = c.weight_samplings[k];
    all.weights.push_back(
        get<double>(npz, "recorded_weights" + std::to_string(k), samples_until(now, s.next, s.every) * s.picks.size(), where));
  }
  return all;
}

// Calls visit(name, array, size it must have) for all that a projection has come to; what a size depends on comes before it.
template <class State, class Visit>
void each_array(State& s, std::size_t k, const Circuit& circuit, std::size_t weights, std::size_t flight, std::size_t modulation,
                Visit visit) {
  const Connection& c = circuit.connections[k];
  const bool learns = c.plasticity.most() > 0;
  const std::string of = "projection" + std::to_string(k) + ".";
  const std::size_t from = c.from.size, to = learns ? c.to.size : 0;
  if (learns) visit(of + "weights", s.weights, weights);
  if (c.modulators > 0) visit(of + "eligibility", s.eligibility, weights), visit(of + "modulation", s.modulation, modulation);
  visit(of + "source_last", s.source_last, from), visit(of + "source_trace", s.source_trace, 2 * from);
  visit(of + "flight_last", s.flight_last, flight), visit(of + "flight_trace", s.flight_trace, 2 * flight);
  visit(of + "target_last", s.target_last, to), visit(of + "target_trace", s.target_trace, 2 * to);
  visit(of + "post_count", s.post_count, to);
  std::size_t posts = 0;
  for (const auto n : s.post_count) posts += n;
  visit(of + "post_step", s.post_step, posts), visit(of + "post_trace", s.post_trace, 2 * posts);
}

// Whether synapses have a state of their own.
bool changes(const Connection& c) { return c.plasticity.kind != SynapseKind::fixed && c.plasticity.kind != SynapseKind::signal; }

// Throws when the state is none that the network can have.
void check_learned(const LearnedState& s, std::uint32_t now, double most, const std::string& where) {
  const auto wrong = [&](const char* what) { throw data_error(std::string("a saved state holds an impossible ") + what, where); };
  for (const double w : s.weights)
    if (!(w >= 0 && w <= most)) wrong("weight");
  for (const auto* steps : {&s.source_last, &s.flight_last, &s.target_last, &s.post_step})
    for (const auto step : *steps)
      if (step >= now || (step > 0 && step < kernels::kFirstStep - 1)) wrong("time of a spike");
  for (const auto* traces : {&s.source_trace, &s.flight_trace, &s.target_trace, &s.post_trace})
    for (const double t : *traces)
      if (!(t >= 0 && std::isfinite(t))) wrong("trace");
  for (const auto* numbers : {&s.eligibility, &s.modulation})
    for (const double x : *numbers)
      if (!std::isfinite(x)) wrong("trace");
  std::size_t at = 0;
  for (const auto n : s.post_count)
    for (std::size_t i = 0; i < n; ++i, ++at)
      if (s.post_step[at] == 0 || (i > 0 && s.post_step[at] >= s.post_step[at - 1])) wrong("order of spikes");
}

}  // namespace

Npz Network::state(bool recordings) const {
  const Circuit& c = impl_->circuit;
  if (!impl_->engine) throw usage_error("a network has no state before it is built");
  Npz npz;
  npz["description"] = column(description(c, *impl_->engine));
  std::vector<std::int64_t> steps{c.step};
  std::vector<std::uint32_t> sources;
  for (const auto& s : impl_->engine->past()) steps.push_back(s.step), sources.push_back(s.source);
  npz["steps"] = column(steps);  // now, and when the spikes on their way were sent
  npz["sources"] = column(sources);
  for (std::size_t g = 0; g < c.groups.size(); ++g) {
    npz["state" + std::to_string(g)] = column(c.groups[g].state);
    npz["refractory" + std::to_string(g)] = column(c.groups[g].refractory);
    if (!c.groups[g].signals.empty()) npz["signals" + std::to_string(g)] = column(c.groups[g].signals);
    npz["spikes" + std::to_string(g)] = column(std::vector<std::uint64_t>{c.groups[g].spikes});
  }
  for (std::size_t k = 0; k < c.connections.size(); ++k)
    if (changes(c.connections[k])) {
      const LearnedState state = impl_->engine->learned(static_cast<std::uint32_t>(k));
      each_array(state, k, c, 0, 0, 0, [&](const std::string& name, const auto& values, std::size_t) { npz[name] = column(values); });
    }
  if (!recordings) return npz;
  for (std::size_t r = 0; r < c.spike_records.size(); ++r) {
    npz["recorded_steps" + std::to_string(r)] = column(c.spike_records[r].step);
    npz["recorded_neurons" + std::to_string(r)] = column(c.spike_records[r].neuron);
  }
  for (std::size_t r = 0; r < c.recordings.size(); ++r) npz["recorded_values" + std::to_string(r)] = column(c.recordings[r].data.values);
  for (std::size_t r = 0; r < c.weight_samplings.size(); ++r)
    npz["recorded_weights" + std::to_string(r)] = column(c.weight_samplings[r].data.values);
  return npz;
}

void Network::set_state(const Npz& npz, const std::string& where) {
  build();
  Circuit& c = impl_->circuit;
  const auto want = description(c, *impl_->engine);
  if (get<double>(npz, "description", want.size(), where) != want)
    throw data_error("this is the state of another network", where, "Seed, step, precision, populations and synapses must be the same.");
  const auto found = npz.find("sources");
  const std::size_t n = found == npz.end() ? 0 : found->second.size();
  const auto sources = get<std::uint32_t>(npz, "sources", n, where);
  const auto steps = get<std::int64_t>(npz, "steps", n + 1, where);
  if (steps[0] < 0 || steps[0] > 4000000000) throw data_error("a saved state is of no possible time", where);
  std::vector<PastSpike> past;
  for (std::size_t i = 0; i < n; ++i) {
    if (sources[i] >= c.neurons || steps[i + 1] < 0 || steps[i + 1] >= steps[0] || (i > 0 && steps[i + 1] < steps[i]))
      throw data_error("a saved state holds an impossible spike", where + ": " + std::to_string(i));
    past.push_back({steps[i + 1], sources[i]});
  }
  auto groups = c.groups;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto state = get<double>(npz, "state" + std::to_string(g), groups[g].state.size(), where);
    const auto refractory = get<float>(npz, "refractory" + std::to_string(g), groups[g].refractory.size(), where);
    groups[g].state.assign(state.begin(), state.end()), groups[g].refractory.assign(refractory.begin(), refractory.end());
    if (!groups[g].signals.empty()) groups[g].signals = get<double>(npz, "signals" + std::to_string(g), groups[g].signals.size(), where);
    groups[g].spikes = get<std::uint64_t>(npz, "spikes" + std::to_string(g), 1, where)[0];
  }
  for (WeightSampling& s : c.weight_samplings) impl_->engine->choose(s);
  Recorded recorded = read_recorded(c, npz, steps[0], where);
  std::map<std::uint32_t, LearnedState> learned;
  for (std::size_t k = 0; k < c.connections.size(); ++k) {
    const Connection& connection = c.connections[k];
    if (!changes(connection)) continue;
    const auto in_flight = static_cast<std::size_t>(std::count_if(
        past.begin(), past.end(), [&](const PastSpike& s) { return s.source - connection.first_source < connection.from.size; }));
    const auto number = static_cast<std::uint32_t>(k);
    LearnedState& state = learned[number];
    each_array(
        state, k, c, impl_->engine->synapses(number), in_flight,
        connection.modulators > 0 ? impl_->engine->learned(number).modulation.size() : 0,
        [&]<class V>(const std::string& name, std::vector<V>& values, std::size_t size) { values = get<V>(npz, name, size, where); });
    check_learned(state, kernels::kFirstStep + static_cast<std::uint32_t>(steps[0]), connection.plasticity.most(), where);
  }
  c.groups = std::move(groups);
  c.step = steps[0];
  for (std::size_t k = 0; k < recorded.spikes.size(); ++k) c.spike_records[k] = std::move(recorded.spikes[k]);  // others refer to them
  impl_->engine->set_past(past);
  for (std::size_t k = 0; k < recorded.values.size(); ++k) c.recordings[k].data.values = std::move(recorded.values[k]);
  for (std::size_t k = 0; k < recorded.weights.size(); ++k) c.weight_samplings[k].data.values = std::move(recorded.weights[k]);
  for (const auto& [k, state] : learned) impl_->engine->set_learned(k, state, past);
  for (Recording& r : c.recordings) {  // recordings go on from here
    r.next = (c.step / r.every + 1) * r.every;
    if (r.data.values.empty()) r.data.first = static_cast<double>(r.next) * c.options.dt;
  }
  for (WeightSampling& s : c.weight_samplings) {
    s.next = (c.step / s.every + 1) * s.every;
    if (s.data.values.empty()) s.data.first = static_cast<double>(s.next) * c.options.dt;
  }
}

}  // namespace apical::brain
