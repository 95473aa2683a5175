// The memory from event to event: the reference of the run on apical/brain, written from the same description and nothing else.
#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "recipes/hippocampus-cam/cam.h"

namespace apical::cam {

// A step of a cell: I += a input, V = p V + c I (not while refractory: V stays at rest), I = q I, V >= theta: a spike. V is above rest.
struct EventCam::Impl {
  struct Kind {
    double p, q, a, c, theta;
  };
  struct Cell {
    double V = 0, I = 0;
    std::int64_t time = -1, awake = 0;  // the step this is the state after; the first in which V moves
  };
  struct Event {
    int population;
    std::uint32_t neuron;
    double input;
  };
  struct Post {
    std::size_t wires;
    std::uint32_t neuron;
  };
  struct Step {
    std::vector<Event> events;  // an input of 0: look again
    std::vector<Post> posts;    // spikes of targets that have come to their synapses
  };
  using History = std::vector<std::deque<std::int64_t>>;  // of each neuron: its latest spikes

  explicit Impl(const Options& options) : o(options), c(circuit(options)), loss(options.seed, "spike loss") {
    for (const auto& cells : c.cells) {
      const double p = std::exp(-1 / cells.tau_m), q = std::exp(-1 / kTauSyn);
      kinds.push_back({p, q, kTauSyn * (1 - q), cells.tau_m / cells.C * (1 - p), cells.v_th - kRest});
      state.emplace_back(cells.size);
      fired.emplace_back(cells.size);
    }
    for (const auto& w : c.wires) weights.emplace_back(w.learns ? std::size_t{size(w.from)} * size(w.to) : 0, w.weight);
  }
  std::uint32_t size(int population) const {
    return population == -1 ? o.cues : population == -2 ? o.content : c.cells[static_cast<std::size_t>(population)].size;
  }

  // The state after `steps` more steps without input; V then, if nothing crosses the threshold on the way.
  static void pass(const Kind& k, Cell& cell, std::int64_t until) {
    if (const std::int64_t still = std::min(until, cell.awake - 1); still > cell.time)
      cell.I *= std::pow(k.q, static_cast<double>(still - cell.time)), cell.time = still;
    if (until <= cell.time) return;
    const double n = static_cast<double>(until - cell.time), p = std::pow(k.p, n), q = std::pow(k.q, n);
    cell.V = p * cell.V + k.c * cell.I * (p - q) / (k.p - k.q);
    cell.I *= q, cell.time = until;
  }

  // One step with input. Whether it fires.
  bool step(const Kind& k, Cell& cell, std::int64_t t, double input) {
    ++run.cell_updates;
    pass(k, cell, t - 1);
    cell.I += k.a * input;
    const bool awake = t >= cell.awake;
    if (awake) cell.V = k.p * cell.V + k.c * cell.I;
    cell.I *= k.q, cell.time = t;
    const bool fires = awake && cell.V >= k.theta;
    if (fires) cell.V = 0, cell.awake = t + 1 + static_cast<std::int64_t>(kRefractory);
    return fires;
  }

  // What is left of the current may carry a cell over its threshold later: then it is looked at again.
  void look_ahead(int population, std::uint32_t neuron) {
    const Kind& k = kinds[static_cast<std::size_t>(population)];
    Cell cell = state[static_cast<std::size_t>(population)][neuron];
    while (std::max(cell.V, 0.0) + k.c * std::max(cell.I, 0.0) / (1 - k.q) >= k.theta) {
      pass(k, cell, cell.time + 1);
      if (cell.V < k.theta) continue;
      queue[cell.time].events.push_back({population, neuron, 0});
      return;
    }
  }

  // The spike of a source on its way through one synapse.
  void send(std::size_t w, std::uint32_t from, std::uint32_t to, double weight, std::int64_t t) {
    ++run.events;
    if (o.spike_loss > 0 && loss.uniform() < static_cast<float>(o.spike_loss)) return;
    if (o.weight_noise > 0) {
      Random draw(o.seed, stream_id("weight noise") + w, 2 * (std::uint64_t{from} << 32 | to));
      weight *= 1 + o.weight_noise * static_cast<double>(draw.normal());
    }
    const Wires& wires = c.wires[w];
    const std::uint32_t shift = wires.from == merge_cont ? o.cues : 0;
    queue[t + wires.delay].events.push_back({wires.to, to + shift, weight});
  }

  static constexpr std::int64_t kForgotten = 150;  // ms: exp(-50)
  static double trace(std::deque<std::int64_t>& spikes, std::int64_t t, std::int64_t shift, std::int64_t before) {
    while (!spikes.empty() && spikes.front() < t - kForgotten) spikes.pop_front();
    double sum = 0;
    for (const auto s : spikes)
      if (s + shift < before) sum += std::exp(-static_cast<double>(t - s - shift) / kTauStdp);
    return sum;
  }

  void emit(int population, std::uint32_t neuron, std::int64_t t) {
    for (std::size_t w = 0; w < c.wires.size(); ++w) {
      const Wires& wires = c.wires[w];
      if (wires.learns && wires.to == population) queue[t + wires.delay].posts.push_back({w, neuron});
      if (wires.from != population) continue;
      if (wires.rule == Wires::Rule::one_to_one) {
        send(w, neuron, neuron, wires.weight, t);
        continue;
      }
      for (std::uint32_t to = 0; to < size(wires.to); ++to) {
        if (wires.rule == Wires::Rule::all_but_own && to == neuron) continue;
        double weight = wires.weight;
        if (wires.learns) {
          double& learnt = weights[w][std::size_t{neuron} * size(wires.to) + to];
          // Spikes of the target up to now, one at this very moment included where ties depress.
          const double k = trace(fired[static_cast<std::size_t>(wires.to)][to], t, wires.delay, t + o.tie_depression);
          learnt = std::max(learnt - kStep * k, 0.0), weight = learnt;
          ++run.learnt;
        }
        send(w, neuron, to, weight, t);
      }
    }
  }

  void advance(std::int64_t t, Step now) {
    std::stable_sort(now.events.begin(), now.events.end(),
                     [](const Event& a, const Event& b) { return std::pair(a.population, a.neuron) < std::pair(b.population, b.neuron); });
    std::vector<Spike> spikes;
    for (std::size_t i = 0; i < now.events.size();) {
      const int population = now.events[i].population;
      const std::uint32_t neuron = now.events[i].neuron;
      double input = 0;
      for (; i < now.events.size() && now.events[i].population == population && now.events[i].neuron == neuron; ++i)
        input += now.events[i].input;
      if (step(kinds[static_cast<std::size_t>(population)], state[static_cast<std::size_t>(population)][neuron], t, input))
        spikes.push_back({t, population, neuron});
      look_ahead(population, neuron);
    }
    for (const auto& [w, neuron] : now.posts) {
      const Wires& wires = c.wires[w];
      for (std::uint32_t from = 0; from < size(wires.from); ++from) {
        const double k = trace(fired[static_cast<std::size_t>(wires.from)][from], t, 0, t);
        double& weight = weights[w][std::size_t{from} * size(wires.to) + neuron];
        weight = std::min(weight + kStep * k, kLargest);
      }
      run.learnt += size(wires.from);
    }
    for (const auto& s : spikes) emit(s.population, s.neuron, t);
    for (const auto& s : spikes) fired[static_cast<std::size_t>(s.population)][s.neuron].push_back(t);
    run.spikes.insert(run.spikes.end(), spikes.begin(), spikes.end());
  }

  Options o;
  Circuit c;
  std::vector<Kind> kinds;
  std::vector<std::vector<Cell>> state;
  std::vector<History> fired;
  std::vector<Weights> weights;  // of wires that learn
  std::map<std::int64_t, Step> queue;
  Random loss;
  Run run;
  std::int64_t start = 0;
};

EventCam::EventCam(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
EventCam::~EventCam() = default;

Run EventCam::run(const std::vector<Operation>& operations, std::int64_t after) {
  Impl& m = *impl_;
  check(operations, m.o);
  m.run = {};
  for (const auto& op : operations)
    for (int pulse = 0; pulse < op.pulses; ++pulse)
      for (const bool cue : {true, false})
        for (const auto i : cue ? op.cues : op.content) m.send(cue ? 0 : 1, i, i, m.c.wires[cue ? 0 : 1].weight, m.start + op.time + pulse);
  const std::int64_t end = m.start + (operations.empty() ? 0 : operations.back().time) + after;
  while (!m.queue.empty() && m.queue.begin()->first < end) {
    const auto next = m.queue.extract(m.queue.begin());
    m.advance(next.key(), std::move(next.mapped()));
  }
  Run done = std::move(m.run);
  for (auto& s : done.spikes) s.time -= m.start;
  done.answers = answers(operations, done.spikes, m.o);
  m.start = end;
  return done;
}

Weights EventCam::forward() const { return impl_->weights[2]; }
Weights EventCam::backward() const { return impl_->weights[3]; }

}  // namespace apical::cam
