#include "apical/brain/network.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "apical/base/clock.h"
#include "apical/base/error.h"
#include "apical/base/machine.h"
#include "apical/base/philox.h"
#include "apical/base/progress.h"
#include "apical/base/stop.h"
#include "apical/base/text.h"
#include "apical/base/thread_pool.h"
#include "apical/brain/edges.h"
#include "apical/brain/network_impl.h"
#include "apical/brain/ranks.h"

namespace apical::brain {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max() / 4;

// A time on the grid, in steps.
std::int64_t grid(double ms, double dt, const char* what) {
  if (ms == kForever) return kNever;
  const double steps = std::round(ms / dt);
  if (!(ms >= 0) || steps > 4e9)
    throw usage_error(std::string(what) + " must be 0 ms or more, and less than 4e9 steps", number(ms) + " ms");
  if (std::fabs(steps * dt - ms) > 1e-6 * dt)
    throw usage_error(std::string(what) + " is not a multiple of the step", number(ms, 9) + " ms, step " + number(dt) + " ms");
  return static_cast<std::int64_t>(steps);
}

std::int64_t delay_steps(double delay, double dt) {
  const double steps = std::floor(delay / dt + 0.5);
  if (!(delay >= 0)) throw usage_error("a delay is negative", number(delay) + " ms");
  if (steps < 1) throw usage_error("a delay is below the step", number(delay) + " ms, step " + number(dt) + " ms");
  if (steps > 4e9) throw usage_error("a delay is too long", number(delay) + " ms");
  return static_cast<std::int64_t>(steps);
}

std::vector<std::int64_t> grid_times(const std::vector<double>& times, double dt, const char* what) {
  std::vector<std::int64_t> steps;
  for (const double t : times) {
    steps.push_back(grid(t, dt, what));
    if (steps.back() < 1 || (steps.size() > 1 && steps.back() <= steps[steps.size() - 2]))
      throw usage_error(std::string(what) + " must be above 0 and ascending", number(t) + " ms");
  }
  return steps;
}

std::int64_t sampling_steps(double interval, double dt) {
  const std::int64_t every = grid(interval, dt, "an interval");
  if (every < 1 || every == kNever) throw usage_error("an interval must be a step or more", number(interval) + " ms");
  return every;
}

// A model whose spikes a synapse learns from.
void check_traces(const Model& m, double dt) {
  for (const double tau : {m.tau_minus, m.tau_minus_triplet})
    if (tau / dt > kLongestTau)
      throw usage_error("tau_minus is at most " + number(kLongestTau) + " steps", m.name + ": " + number(tau) + " ms");
}

// What a connection of signals passes on is what its source has and its target takes.
void check_signal(const std::string& synapses, const Model& from, const Model& to) {
  const bool rates = synapses == "rate_connection_delayed";
  if (from.signal_connection != synapses || to.takes_spikes == rates || to.signal_connection == "sic_connection")
    throw usage_error(synapses + " cannot connect " + from.name + " to " + to.name, {},
                      "rate_connection_delayed is between rate units, sic_connection from astrocytes to neurons.");
}

void check_weight(double weight) {
  if (!std::isfinite(weight)) throw usage_error("weight is not a finite number");
}

}  // namespace

double memory_gb(const Options& options) { return options.memory_gb > 0 ? options.memory_gb : available_memory_mb() / 1000; }

Network::Network(Options options) : impl_(std::make_unique<Impl>()) {
  if (!(options.dt > 0) || !std::isfinite(options.dt)) throw usage_error("the step must be positive", "dt " + number(options.dt) + " ms");
  impl_->circuit.options = options;
}
Network::~Network() = default;
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(Network&&) noexcept = default;

const Group& Network::Impl::group(const Population& p) const {
  if (p.index >= circuit.groups.size() || p.receptor >= circuit.groups[p.index].model.receptors || p.begin > circuit.groups[p.index].n ||
      p.size > circuit.groups[p.index].n - p.begin)
    throw usage_error("this population is of another network");
  return circuit.groups[p.index];
}

const Connection& Network::Impl::connection(Projection p) const {
  if (p.index >= circuit.connections.size()) throw usage_error("this projection is of another network");
  return circuit.connections[p.index];
}

void Network::Impl::check_open() const {
  if (engine) throw usage_error("the network is built already", {}, "Create and connect before the first step.");
}

Population Network::create(std::string_view model, std::uint32_t n, const Parameters& parameters, std::string_view name) {
  return impl_->create([&] { return make_model(model, parameters, impl_->circuit.options.dt); }, model, n, name);
}
Population Network::create(const EquationModel& model, std::uint32_t n, const Parameters& parameters, std::string_view name) {
  return impl_->create([&] { return model.make(parameters, impl_->circuit.options.dt); }, model.info().name, n, name);
}

Population Network::Impl::create(const std::function<Model()>& make, std::string_view model, std::uint32_t n, std::string_view name) {
  Circuit& c = circuit;
  check_open();
  if (n == 0) throw usage_error("a population needs neurons", std::string(model) + ": 0");
  if (n > (1u << 31) - c.neurons) throw usage_error("a network holds at most 2^31 neurons", std::to_string(n) + " more");
  Group g{.model = make(),
          .n = n,
          .padded = (n + 63) / 64 * 64,
          .first = c.neurons,
          .first_word = c.words,
          .state = {},
          .refractory = {},
          .name = std::string(name)};
  const double needed = 1e-9 * g.padded * (sizeof(double) * g.model.states + sizeof(float)), available = memory_gb(c.options);
  if (available > 0 && needed > available)
    throw usage_error("the neurons need " + number(needed, 3) + " GB, " + number(available, 3) + " available",
                      std::to_string(n) + " neurons", "Scale the network down.");
  g.state.resize(static_cast<std::size_t>(g.model.states) * g.padded);
  g.refractory.resize(g.padded);
  const bool text = std::holds_alternative<kernels::Program>(g.model.step);
  const auto fill = [&](std::size_t k, const Value& from, const char* stream, double less) {
    const auto first = g.state.begin() + static_cast<std::ptrdiff_t>(k * g.padded);
    if (from.constant() && k > 0) return static_cast<void>(std::fill_n(first, g.padded, from.a));
    Draws draws(c.options.seed, stream_id(stream) + (k > 0 ? c.groups.size() << 8 | k : c.groups.size()));
    draws.start(0);
    for (std::uint32_t i = 0; i < n; ++i) first[i] = draws.draw(from) - less;
    if (text) std::fill(first + n, first + g.padded, first[0]);  // zeros may be no values for the equations
  };
  for (std::size_t k = 1; k < g.model.start.size(); ++k) fill(k, g.model.start[k], "start", 0);
  fill(0, g.model.V_m, "V_m", g.model.E_L);
  c.neurons += n, c.words += g.padded / 64;
  c.groups.push_back(std::move(g));
  return {static_cast<std::uint32_t>(c.groups.size() - 1), 0, n};
}

void Network::place(Population population, Positions positions) {
  Circuit& c = impl_->circuit;
  impl_->check_open();
  const Group& g = impl_->group(population);
  if (population.size != g.n) throw usage_error("positions are given to a whole population");
  positions.check();
  if (positions.points.empty()) {
    Draws draws(c.options.seed, stream_id("positions") + population.index);
    draws.start(0);
    for (std::uint32_t i = 0; i < g.n; ++i) {
      Point p;
      for (std::size_t k = 0; k < 2; ++k) p[k] = positions.center[k] + (draws.uniform() - 0.5) * positions.extent[k];
      positions.points.push_back(p);
    }
  }
  if (positions.points.size() != g.n)
    throw usage_error("a population needs as many positions as neurons",
                      std::to_string(positions.points.size()) + " and " + std::to_string(g.n));
  c.groups[population.index].positions = std::make_shared<const Positions>(std::move(positions));
}

bool Network::placed(Population population) const { return impl_->group(population).positions != nullptr; }

const Positions& Network::positions(Population population) const {
  const Group& g = impl_->group(population);
  if (!g.positions)
    throw usage_error("population " + (g.name.empty() ? std::to_string(population.index) : g.name) + " has no positions", {},
                      "What depends on distance needs them on both sides.");
  return *g.positions;
}

// Usage error where a population has nothing to do with what would come.
void Network::Impl::check_takes(const Population& to, bool spikes) const {
  const Model& m = group(to).model;
  if (spikes ? m.takes_spikes : m.takes_current) return;
  if (!std::holds_alternative<kernels::Program>(m.step)) throw usage_error(m.name + " takes rates, not spikes");
  throw usage_error("the equations of '" + m.name + (spikes ? "' say nothing of spikes that arrive" : "' have no current of devices"), {},
                    spikes ? "Example: synapses = \"I_syn += w\"" : "It is called I (pA), where no other variable is.");
}

Population Network::receptor(Population population, std::string_view name) const {
  const Model& model = impl_->group(population).model;
  population.receptor = 0;
  if (name.empty()) return population;
  const std::vector<std::string> none,
      &known = std::holds_alternative<kernels::Program>(model.step) ? none : model_info(model.name).receptors;
  const auto found = std::find(known.begin(), known.end(), name);
  if (found == known.end()) throw usage_error(model.name + " has no receptor '" + std::string(name) + "'", {}, did_you_mean(name, known));
  population.receptor = static_cast<std::uint8_t>(found - known.begin() + 1);
  return population;
}

Projection Network::Impl::add(const Network& net, Connection connection) {
  const Synapses& synapses = connection.synapses;
  if (!synapses.receptor.empty()) connection.to = net.receptor(connection.to, synapses.receptor);
  const Population &from = connection.from, &to = connection.to;
  connection.first_source = group(from).first + from.begin;
  connection.stream = stream_id("connection") + 4 * circuit.connections.size();
  connection.plasticity = make_plasticity(synapses.model, synapses.parameters, circuit.options.dt);
  const Population& modulators = synapses.volume_transmitter;
  if ((connection.plasticity.kind == SynapseKind::dopamine) != (modulators.size > 0))
    throw usage_error(modulators.size > 0 ? synapses.model + " has no volume transmitter" : synapses.model + " needs a volume transmitter",
                      {}, "Synapses::volume_transmitter: the neurons whose spikes release dopamine, of stdp_dopamine_synapse only.");
  if (connection.plasticity.kind == SynapseKind::signal)
    check_signal(synapses.model, group(from).model, group(to).model);
  else
    check_takes(to, true);
  if (modulators.size > 0) connection.first_modulator = group(modulators).first + modulators.begin, connection.modulators = modulators.size;
  if (connection.rule.kernel || synapses.weight_by_distance || synapses.delay_by_distance)
    connection.space = std::make_shared<const Space>(net.positions(from), from.begin, from.size, net.positions(to), to.begin, to.size);
  check_connection(connection, circuit.options.dt);
  if (connection.plasticity.most() > 0) check_traces(group(to).model, circuit.options.dt);
  share_total(connection, circuit.options.seed);
  circuit.connections.push_back(std::move(connection));
  return {static_cast<std::uint32_t>(circuit.connections.size() - 1)};
}

Projection Network::connect(Population from, Population to, const Rule& rule, const Synapses& synapses) {
  impl_->check_open(), impl_->group(from), impl_->group(to);
  return impl_->add(*this, {.from = from, .to = to, .rule = rule, .synapses = synapses});
}

Projection Network::connect(Population from, Population to, const SynapseTable& table, const Synapses& synapses) {
  impl_->check_open(), impl_->group(from), impl_->group(to);
  auto edges = std::make_shared<const Edges>(make_edges(table, {from, to, impl_->circuit.options.dt}));
  return impl_->add(*this, {.from = from, .to = to, .rule = {Rule::Kind::listed}, .synapses = synapses, .edges = std::move(edges)});
}

void Network::connect(const PoissonGenerator& device, Population to, double weight, double delay) {
  impl_->add_poisson({0}, {device.rate}, device.start, device.stop, to, weight, delay);
}

void Network::connect(const InhomogeneousPoissonGenerator& device, Population to, double weight, double delay) {
  auto steps = grid_times(device.rate_times, impl_->circuit.options.dt, "a rate time");
  for (auto& s : steps) --s;  // a spike at time t is sent in the step that ends there
  if (steps.size() != device.rate_values.size())
    throw usage_error("an inhomogeneous Poisson generator needs as many rates as times",
                      std::to_string(device.rate_values.size()) + " and " + std::to_string(steps.size()));
  impl_->add_poisson(std::move(steps), device.rate_values, device.start, device.stop, to, weight, delay);
}

void Network::Impl::add_poisson(std::vector<std::int64_t> steps, const std::vector<double>& rates, double start, double stop, Population to,
                                double weight, double delay) {
  check_takes(to, true);
  check_weight(weight);
  const double dt = circuit.options.dt;
  std::vector<kernels::PoissonTable> tables;
  for (const double rate : rates) {
    const double mean = rate * dt / 1000;
    if (!(mean >= 0 && mean <= kernels::PoissonTable::kMaxMean))
      throw usage_error("a rate must be 0 or more, and at most " + number(kernels::PoissonTable::kMaxMean) + " spikes a step",
                        number(rate) + " Hz");
    tables.emplace_back(mean);
  }
  circuit.spike_devices.push_back({.to = to,
                                   .weight = weight,
                                   .delay = delay_steps(delay, dt),
                                   .start = grid(start, dt, "start"),
                                   .stop = grid(stop, dt, "stop"),
                                   .steps = std::move(steps),
                                   .poisson = std::move(tables),
                                   .stream = stream_id("poisson") + circuit.spike_devices.size()});
}

void Network::connect(const SpikeGenerator& device, Population to, double weight, double delay) {
  Circuit& c = impl_->circuit;
  impl_->check_takes(to, true);
  check_weight(weight);
  auto steps = grid_times(device.times, c.options.dt, "a spike time");
  for (auto& s : steps) --s;  // a spike at time t is sent in the step that ends there
  c.spike_devices.push_back({.to = to,
                             .weight = weight,
                             .delay = delay_steps(delay, c.options.dt),
                             .start = 0,
                             .stop = kNever,
                             .steps = std::move(steps),
                             .poisson = {}});
}

void Network::connect(const DcGenerator& device, Population to, double weight, double delay) {
  Circuit& c = impl_->circuit;
  impl_->check_takes(to, false);
  check_weight(weight);
  if (!std::isfinite(device.amplitude)) throw usage_error("amplitude is not a finite number");
  // Currents are sent one step ahead of time (stimulation_device.cpp of NEST): start - 1 is the first step, stop - 2 the last.
  c.current_devices.push_back({.to = to,
                               .weight = weight,
                               .delay = delay_steps(delay, c.options.dt),
                               .start = std::max<std::int64_t>(0, grid(device.start, c.options.dt, "start") - 1),
                               .stop = grid(device.stop, c.options.dt, "stop") - 1,
                               .from = {0},
                               .values = {device.amplitude}});
}

void Network::connect(const StepCurrentGenerator& device, Population to, double weight, double delay) {
  connect(DcGenerator{0, device.start, device.stop}, to, weight, delay);
  CurrentDevice& d = impl_->circuit.current_devices.back();
  try {
    d.from = grid_times(device.times, impl_->circuit.options.dt, "an amplitude time");
    if (d.from.size() != device.values.size())
      throw usage_error("a step current needs as many values as times",
                        std::to_string(device.values.size()) + " and " + std::to_string(device.times.size()));
    for (const double v : device.values)
      if (!std::isfinite(v)) throw usage_error("amplitude is not a finite number");
  } catch (...) {
    impl_->circuit.current_devices.pop_back();
    throw;
  }
  for (auto& s : d.from) --s;
  d.values = device.values;
}

void Network::connect(const NoiseGenerator& device, Population to, double weight, double delay) {
  Circuit& c = impl_->circuit;
  for (const double v : {device.std, device.std_mod, device.frequency, device.phase})
    if (!std::isfinite(v)) throw usage_error("a noise generator has a number that is not finite");
  if (!(device.std >= 0 && device.std_mod >= 0))
    throw usage_error("a standard deviation is negative", number(std::min(device.std, device.std_mod)) + " pA");
  if (device.std_mod > device.std)
    throw usage_error("std_mod must be at most std", number(device.std_mod) + " and " + number(device.std) + " pA");
  const std::int64_t every = device.dt == 0 ? 10 : sampling_steps(device.dt, c.options.dt);
  const double turn = 2 * std::numbers::pi;
  const std::uint64_t stream = stream_id("noise") + c.current_devices.size();
  connect(DcGenerator{device.mean, device.start, device.stop}, to, weight, delay);
  c.current_devices.back().noise =
      Noise{device.std, device.std_mod, turn * device.frequency * c.options.dt / 1000, turn * device.phase / 360, every, stream};
}

const SpikeRecord& Network::record_spikes(Population population) {
  impl_->group(population);
  impl_->circuit.spike_records.push_back({population, impl_->circuit.options.dt, {}, {}});
  return impl_->circuit.spike_records.back();
}

const Multimeter& Network::record(Population population, std::vector<std::string> variables, double interval) {
  Circuit& c = impl_->circuit;
  const Group& g = impl_->group(population);
  if (variables.empty() || population.size == 0) throw usage_error("nothing to record");
  const std::int64_t every = sampling_steps(interval, c.options.dt);  // not within the braces: gcc 12 destroys `data` twice when it throws
  Recording r{.data = {population, variables, interval, 0, {}}, .every = every, .next = 0, .states = {}};
  for (const auto& name : variables) {
    const auto i = std::find(g.model.variables.begin(), g.model.variables.end(), name);
    if (i == g.model.variables.end())
      throw usage_error(g.model.name + " has no variable '" + name + "'", {}, did_you_mean(name, g.model.variables));
    r.states.push_back(g.model.variable_state[static_cast<std::size_t>(i - g.model.variables.begin())]);
  }
  r.next = (c.step / r.every + 1) * r.every;
  r.data.first = static_cast<double>(r.next) * c.options.dt;
  c.recordings.push_back(std::move(r));
  return c.recordings.back().data;
}

const WeightRecord& Network::record_weights(Projection projection, double interval, std::size_t count) {
  Circuit& c = impl_->circuit;
  const Connection& connection = impl_->connection(projection);
  if (connection.plasticity.most() == 0) throw usage_error("the weights of a projection that does not learn do not change");
  if (count == 0) throw usage_error("nothing to record");
  const std::int64_t every = sampling_steps(interval, c.options.dt);
  const std::int64_t next = (c.step / every + 1) * every;
  c.weight_samplings.push_back({{projection, interval, static_cast<double>(next) * c.options.dt, {}, {}, {}}, count, every, next, {}});
  return c.weight_samplings.back().data;
}

SynapseTable Network::synapses(Projection projection) {
  impl_->connection(projection);
  build();
  return impl_->engine->table(projection.index);
}

void Network::build() {
  Circuit& c = impl_->circuit;
  if (impl_->engine) return;
  if (c.groups.empty()) throw usage_error("the network has no neurons");
  double synapses = 0;
  for (const Connection& connection : c.connections)  // an eligibility trace takes half as much as the synapse
    if (!connection.synapses.procedural) synapses += expected_synapses(connection) * (connection.modulators > 0 ? 1.5 : 1);
  const double each = c.options.double_precision ? 16 : 8, lists = 24.0 * c.neurons * thread_count();
  const double needed = (synapses * each + lists) / 1e9, available = memory_gb(c.options);
  if (available > 0 && needed > available)
    throw usage_error("the network needs " + number(needed, 3) + " GB, " + number(available, 3) + " available",
                      number(synapses, 3) + " synapses of " + number(each) + " bytes",
                      std::string(c.options.double_precision ? "Single precision takes half of it; procedural" : "Procedural") +
                          " connections (fixed_outdegree, pairwise_bernoulli) take none.");
  const double start = clock_seconds();
  impl_->engine = make_engine(c);
  c.timing.build += clock_seconds() - start;
}

void Network::Impl::stretch(std::int64_t steps) {
  for (Recording& r : circuit.recordings) {
    r.base = r.data.samples(), r.base_step = r.next;
    const std::size_t samples = samples_until(circuit.step + steps, r.next, r.every);
    r.data.values.resize(r.data.values.size() + samples * r.data.variables.size() * r.data.population.size);
    r.next += static_cast<std::int64_t>(samples) * r.every;
  }
  const auto parts = [&t = circuit.timing] { return t.update + t.learning + t.delivery; };
  const double start = clock_seconds(), before = parts();
  engine->run(steps);
  // Every process must cut time alike.
  const double took = 1e-9 * static_cast<double>(Ranks::world().greatest(static_cast<std::uint64_t>(1e9 * (clock_seconds() - start))));
  circuit.timing.simulate += took;
  circuit.timing.other += std::max(0.0, took - (parts() - before));
  if (took < 0.1 && stretch_steps < (1 << 20)) stretch_steps *= 2;
  if (took > 0.4 && stretch_steps > 64) stretch_steps /= 2;
}

void Network::simulate(double ms, const std::function<void()>& now_and_then) {
  const std::int64_t steps = grid(ms, impl_->circuit.options.dt, "the time to simulate");
  build();
  Circuit& c = impl_->circuit;
  if (steps > 4000000000 - c.step) throw usage_error("a simulation has at most 4e9 steps", number(ms) + " ms more");
  const std::int64_t end = c.step + steps, begin = c.step;
  std::optional<Progress> progress;
  if (c.options.progress && Ranks::world().rank() == 0) progress.emplace("simulate", static_cast<std::uint64_t>(ms), "ms");
  const double start = clock_seconds();
  while (c.step < end) {
    std::int64_t until = std::min(end, c.step + impl_->stretch_steps);
    for (const auto& s : c.weight_samplings) until = std::min(until, s.next);
    impl_->stretch(until - c.step);
    for (auto& s : c.weight_samplings)
      if (s.next == c.step) impl_->engine->sample(s), s.next += s.every;
    const double done = static_cast<double>(c.step - begin) * c.options.dt;
    if (progress) {
      progress->note("real-time factor " + number((clock_seconds() - start) * 1000 / done, 3));
      progress->advance_to(static_cast<std::uint64_t>(done));
    }
    if (now_and_then) now_and_then();
    if (Ranks::world().any(stop_requested()) && c.step < end) throw Error(ExitCode::interrupted, "stopped at " + number(time(), 9) + " ms");
  }
}

double Network::time() const noexcept { return static_cast<double>(impl_->circuit.step) * impl_->circuit.options.dt; }
std::uint64_t Network::synapses() const noexcept { return impl_->engine ? impl_->engine->synapses() : 0; }
std::uint64_t Network::spikes(Population population) const { return impl_->group(population).spikes; }
std::uint64_t Network::events() const noexcept { return impl_->engine ? impl_->engine->events() : 0; }
const Timing& Network::timing() const noexcept { return impl_->circuit.timing; }

}  // namespace apical::brain
