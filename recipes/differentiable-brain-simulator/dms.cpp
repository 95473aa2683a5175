#include "recipes/differentiable-brain-simulator/dms.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "apical/base/clock.h"
#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/base/text.h"
#include "apical/nn/ei_gradient.h"

namespace apical::dms {
namespace {

using torch::Tensor;

constexpr std::int64_t kInputs = 24, kDirections = 4, kShown = 100;        // ms, which are steps
constexpr double kStep = 1, kPeak = 80, kSpontaneous = 2, kSharpness = 4;  // ms; Hz; Hz; of the tuning, exp(sharpness (cos - 1))

struct Trials {
  Tensor in;     // [T, B, inputs] uint8
  Tensor match;  // [B] 0/1
};

// Trials are numbered through a stream. Those of a short delay begin later: all end at the same step.
Trials draw_trials(const Options& o, std::uint64_t seed, const std::string& stream, std::int64_t first, std::int64_t count) {
  // Of 2^32: no direction, then each of them.
  std::vector<std::uint32_t> chance;
  for (std::int64_t d = -1; d < kDirections; ++d)
    for (std::int64_t k = 0; k < kInputs; ++k) {
      const double angle = 2 * std::numbers::pi * (static_cast<double>(k) / kInputs - static_cast<double>(d) / kDirections);
      const double hertz = kSpontaneous + (d < 0 ? 0 : kPeak * std::exp(kSharpness * (std::cos(angle) - 1)));
      chance.push_back(static_cast<std::uint32_t>(hertz * kStep / 1000 * 0x1p32));
    }
  const std::int64_t T = o.delay_max + 2 * kShown;
  Trials trials{torch::empty({T, count, kInputs}, torch::kUInt8), torch::empty({count})};
  for (std::int64_t b = 0; b < count; ++b) {
    Random choice(seed, stream_id(stream + " trials") + static_cast<std::uint64_t>(first + b));
    const std::int64_t delay = o.delay_min + choice.below(static_cast<std::uint32_t>(o.delay_max - o.delay_min + 1));
    const std::int64_t sample = choice.below(kDirections), other = (sample + 1 + choice.below(kDirections - 1)) % kDirections;
    const bool match = choice.uniform() < 0.5f;
    trials.match.data_ptr<float>()[b] = match;
    const std::int64_t shown = T - 2 * kShown - delay;
    Random noise(seed, stream_id(stream + " spikes") + static_cast<std::uint64_t>(first + b));
    for (std::int64_t t = 0; t < T; ++t) {
      const std::int64_t d = t >= T - kShown ? (match ? sample : other) : t >= shown && t < shown + kShown ? sample : -1;
      std::uint8_t* to = trials.in.data_ptr<std::uint8_t>() + (t * count + b) * kInputs;
      for (std::int64_t k = 0; k < kInputs; k += 4) {
        const auto words = noise.block_at(static_cast<std::uint64_t>(t * kInputs + k) / 4);
        for (std::int64_t i = 0; i < 4; ++i)
          to[k + i] = words[static_cast<std::size_t>(i)] < chance[static_cast<std::size_t>((d + 1) * kInputs + k + i)];
      }
    }
  }
  return trials;
}

// What learns: the circuit, and what its excitatory neurons' spikes mean.
struct Model {
  brain::EiCircuit circuit;
  std::vector<float> readout;  // of each excitatory neuron, and a constant
};

Model make_model(const Options& o, bool gif, std::int64_t seed) {
  const std::uint32_t half = o.excitatory / 2;
  const brain::GifParameters lif{};
  brain::GifParameters adapts = lif, depolarised = lif;
  adapts.tau_2 = depolarised.tau_2 = o.tau_slow;
  if (gif) adapts.A_2 = o.adaptation, depolarised.A_2 = o.depolarisation;
  Model m{brain::EiCircuit({.dt = kStep,
                            .inputs = kInputs,
                            .populations = {{"E adapting", half, true, adapts},
                                            {"E depolarised", o.excitatory - half, true, depolarised},
                                            {"I", o.inhibitory, false, lif}}}),
          std::vector<float>(o.excitatory + 1)};
  // Few inputs a neuron, so that it prefers some directions; weak recurrent synapses, which learn what to become. pA.
  constexpr float kInputShare = 0.15f, kInputWeight = 330, kExcitation = 1, kInhibition = -4;
  Random random(static_cast<std::uint64_t>(seed), "dms weights");
  const std::size_t n = m.circuit.neurons();
  for (std::size_t j = 0; j < kInputs + n; ++j)
    for (std::size_t i = 0; i < n; ++i) {
      const float size = std::fabs(random.normal()), there = random.uniform();
      m.circuit.weights[j * n + i] = j < kInputs ? (there < kInputShare ? kInputWeight * size : 0)
                                                 : size * (j < m.circuit.inputs() + m.circuit.excitatory() ? kExcitation : kInhibition);
    }
  m.circuit.obey_dale();
  for (std::size_t i = 0; i < o.excitatory; ++i) m.readout[i] = 0.03f * random.normal();
  return m;
}

// > 0: match. spikes: [T, B, neurons].
Tensor evidence(const Tensor& spikes, const Tensor& readout) {
  const std::int64_t E = readout.size(0) - 1;
  return torch::matmul(spikes.narrow(0, spikes.size(0) - kShown, kShown).narrow(2, 0, E).sum(0), readout.narrow(0, 0, E)) + readout[E];
}
Tensor view(std::vector<float>& values) { return torch::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}); }
// Spikes of the pass that trains, without a gradient.
Tensor passed(Model& m, const Tensor& in, torch::Dtype type) {
  const torch::NoGradGuard guard;
  return nn::ei_spikes(m.circuit, nn::EiWeights(m.circuit).all().to(type), in, {});
}
double accuracy_of(const Tensor& evidence, const Tensor& match) {
  return ((evidence > 0) == (match > 0.5)).to(torch::kFloat64).mean().item<double>();
}

// Share of validation or test trials that a model decides rightly, batch by batch.
double accuracy(const Options& o, Model& m, std::int64_t seed, const std::string& stream, std::int64_t count, double* mean_rate = nullptr) {
  double right = 0, spikes_seen = 0;
  for (std::int64_t first = 0; first < count; first += o.batch) {
    const std::int64_t size = std::min(o.batch, count - first);
    const auto trials = draw_trials(o, static_cast<std::uint64_t>(seed), stream, first, size);
    const auto spikes = passed(m, trials.in, torch::kFloat32);
    right += static_cast<double>(size) * accuracy_of(evidence(spikes, view(m.readout)), trials.match);
    spikes_seen += spikes.sum().item<double>() / (static_cast<double>(spikes.size(0) * spikes.size(2)) * kStep / 1000);
  }
  if (mean_rate) *mean_rate = spikes_seen / static_cast<double>(count);
  return right / static_cast<double>(count);
}

void train(const Options& o, Model& m, Run& run, std::int64_t steps, const Report& report) {
  const double start = clock_seconds();
  nn::EiWeights w(m.circuit);
  auto readout = view(m.readout).set_requires_grad(true);
  // A change of 1 pA means more to a neuron with 100 recurrent synapses than with a few inputs, and less than one of the readout's unit.
  struct Group {
    Tensor tensor;
    double share;
  };
  const std::vector<Group> groups{{w.input, 1}, {w.recurrent, 0.02}, {readout, 0.002}};
  std::vector<torch::optim::OptimizerParamGroup> parameters;
  for (const auto& g : groups) parameters.emplace_back(std::vector<Tensor>{g.tensor});
  torch::optim::Adam adam(parameters);
  for (std::int64_t step = 0; step < steps; ++step) {
    const double share = 0.5 + 0.5 * std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(steps));
    for (std::size_t g = 0; g < groups.size(); ++g)
      static_cast<torch::optim::AdamOptions&>(adam.param_groups()[g].options()).lr(run.rate * groups[g].share * share);
    const auto trials = draw_trials(o, static_cast<std::uint64_t>(run.seed), "dms train", step * o.batch, o.batch);
    const auto z = evidence(nn::ei_spikes(m.circuit, w.all(), trials.in, {}), readout);
    const auto loss = torch::binary_cross_entropy_with_logits(z, trials.match);
    adam.zero_grad();
    loss.backward();
    torch::nn::utils::clip_grad_norm_({w.input, w.recurrent}, 0.01);
    adam.step();
    m.circuit.obey_dale();
    run.loss.push_back(loss.item<double>()), run.accuracy.push_back(accuracy_of(z.detach(), trials.match));
    if (report)
      report(run.model + ", seed " + std::to_string(run.seed) + ", rate " + number(run.rate), step + 1, steps, run.loss.back(),
             run.accuracy.back());
  }
  run.train_s = clock_seconds() - start;
}

std::vector<std::vector<std::uint32_t>> trains_of(const Tensor& in, std::int64_t trial) {
  std::vector<std::vector<std::uint32_t>> trains(kInputs);
  for (std::int64_t t = 0; t < in.size(0); ++t)
    for (std::int64_t k = 0; k < kInputs; ++k)
      if (in.data_ptr<std::uint8_t>()[(t * in.size(1) + trial) * kInputs + k])
        trains[static_cast<std::size_t>(k)].push_back(static_cast<std::uint32_t>(t));
  return trains;
}

// Of spikes as they are recorded, the tensor: [T, 1, neurons].
Tensor as_tensor(const brain::SpikeRecord& record, std::int64_t T, torch::Dtype type) {
  auto spikes = torch::zeros({T, 1, static_cast<std::int64_t>(record.population.size)});
  for (std::size_t i = 0; i < record.size(); ++i)
    spikes.data_ptr<float>()[static_cast<std::size_t>(record.step[i]) * record.population.size + record.neuron[i]] = 1;
  return spikes.to(type);
}

// The very circuit that has learnt, run by the event-driven engine on the first test trials.
void simulate(const Options& o, Model& m, Run& run, brain::SpikeRecord* raster) {
  const auto trials = draw_trials(o, static_cast<std::uint64_t>(run.seed), "dms test", 0, o.simulated);
  const auto T = trials.in.size(0);
  const auto decided = evidence(passed(m, trials.in, torch::kFloat32), view(m.readout)) > 0, exact = passed(m, trials.in, torch::kFloat64);
  double right = 0, equal = 0, both = 0, either = 0;
  for (std::int64_t b = 0; b < o.simulated; ++b) {
    const auto trains = trains_of(trials.in, b);
    const double start = clock_seconds();
    const auto record = brain::simulate(m.circuit, trains, static_cast<std::uint32_t>(T));
    run.simulate_s += clock_seconds() - start;
    const bool match = evidence(as_tensor(record, T, torch::kFloat32), view(m.readout)).item<float>() > 0;
    right += match == (trials.match[b].item<float>() > 0.5f), equal += match == decided[b].item<bool>();
    const auto ours = as_tensor(brain::simulate(m.circuit, trains, static_cast<std::uint32_t>(T), true), T, torch::kFloat64).squeeze(1),
               theirs = exact.select(1, b);
    both += (ours * theirs).sum().item<double>(), either += torch::max(ours, theirs).sum().item<double>();
    if (raster && b == 0) *raster = record;
  }
  const auto n = static_cast<double>(o.simulated);
  run.simulated_accuracy = right / n, run.equal_decisions = equal / n, run.equal_spikes = either > 0 ? both / either : 1;
}

double choose_rate(const Options& o, bool gif, std::int64_t seed, const Report& report) {
  double best = -1, rate = o.rates.front();
  for (const double candidate : o.rates) {
    if (o.rates.size() == 1) break;
    Model m = make_model(o, gif, seed);
    Run run{.model = gif ? "gif" : "lif", .seed = seed, .rate = candidate};
    train(o, m, run, o.grid_steps, report);
    if (const double a = accuracy(o, m, seed, "dms validation", o.validation); a > best) best = a, rate = candidate;
  }
  return rate;
}

void check(const Options& o) {
  if (o.excitatory < 2 || o.inhibitory < 1) throw usage_error("the circuit needs 2 neurons that excite and one that inhibits", "dms");
  if (o.delay_min < 0 || o.delay_max < o.delay_min || o.delay_max > 10000)
    throw usage_error("delays are 0 to 10000 ms, the least first", "dms");
  if (o.rates.empty() || !std::all_of(o.rates.begin(), o.rates.end(), [](double r) { return r > 0; }))
    throw usage_error("the learning rates must be positive", "dms");
  for (const auto n : {o.steps, o.batch, o.grid_steps, o.validation, o.test, o.simulated})
    if (n < 1) throw usage_error("numbers of steps and trials are 1 or more", "dms");
}

}  // namespace

Outcome study(const Options& options, const std::vector<std::int64_t>& seeds, const Report& report) {
  check(options);
  if (seeds.empty()) throw usage_error("there is no seed", "dms");
  Outcome outcome{};
  for (const bool gif : {true, false}) {
    const double rate = choose_rate(options, gif, seeds.front(), report);
    for (const auto seed : seeds) {
      Model m = make_model(options, gif, seed);
      Run run{.model = gif ? "gif" : "lif", .seed = seed, .rate = rate};
      train(options, m, run, options.steps, report);
      run.test_accuracy = accuracy(options, m, seed, "dms test", options.test, &run.mean_rate);
      simulate(options, m, run, outcome.runs.empty() ? &outcome.raster : nullptr);
      outcome.runs.push_back(std::move(run));
    }
  }
  outcome.raster_end = static_cast<std::uint32_t>(options.delay_max + 2 * kShown), outcome.raster_test = outcome.raster_end - kShown;
  return outcome;
}

}  // namespace apical::dms
