// The engine. Each thread owns slices of all populations. In a batch of as many steps as the shortest delay has, threads need nothing of
// each other: step by step a thread adds up what arrives at its neurons, adds the devices, and lets the neurons move. Then they meet, and
// each looks up its synapses of all spikes of the batch; those of few synapses a delay are added up there and then. Sums are made in an
// order (oldest spike first, then by source, then by list) that does not depend on who owns what.
#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <tuple>

#include "apical/base/clock.h"
#include "apical/base/thread_pool.h"
#include "apical/brain/engine_devices.h"
#include "apical/brain/ranks.h"

namespace apical::brain {

namespace {

// What an interval without work measures as a rule, 20 to 40 ns: as long as a small network's spikes take to arrive in a step.
double reading() {
  std::array<double, 101> all;
  for (double& one : all) {
    const double start = clock_seconds();
    one = clock_seconds() - start;
  }
  std::nth_element(all.begin(), all.begin() + all.size() / 2, all.end());
  return all[all.size() / 2];
}

template <class T>
class EngineOf final : public Engine {
 public:
  explicit EngineOf(Circuit& circuit) : c_(circuit), parts_(static_cast<std::size_t>(thread_count())) {
    for (const auto& c : c_.connections)
      if (c.plasticity.kind == SynapseKind::signal && ranks_.count() > 1)
        throw usage_error(c.synapses.model + " passes its signals within one process", {}, "Run it without mpirun.");
    const Ranks::Together together;
    std::vector<std::uint64_t> threads(static_cast<std::size_t>(ranks_.count()));
    threads[static_cast<std::size_t>(ranks_.rank())] = parts_.size();
    ranks_.merge(threads.data(), threads.size());
    first_part_ = std::accumulate(threads.begin(), threads.begin() + ranks_.rank(), std::uint64_t{0});
    all_parts_ = std::accumulate(threads.begin(), threads.end(), std::uint64_t{0});
    for (std::size_t p = 0; p < parts_.size(); ++p) lay_out(p);
    parallel_for(0, parts_.size(), 1, [&](std::size_t p, std::size_t) { draw(parts_[p]); });
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    const auto look = [&](const auto& lists) {
      least = std::min(least, lists.min_delay()), longest_ = std::max(longest_, lists.max_delay());
    };
    for (const auto& part : parts_) {
      look(part.lists);
      for (const auto& l : part.procedural) look(l);
      for (const auto& l : part.learning)
        if (l) look(l->lists());
      for (const auto& s : part.signals) look(s);
    }
    least = static_cast<std::int64_t>(ranks_.least(static_cast<std::uint64_t>(least)));
    longest_ = static_cast<std::int64_t>(ranks_.greatest(static_cast<std::uint64_t>(longest_)));
    if (longest_ == 0) least = longest_ = 64;  // no synapse: any batch will do
    shortest_ = least;
    batch_ = std::min<std::int64_t>(least, 256);
    slots_ = std::bit_ceil(static_cast<std::size_t>(longest_));
    check_memory();
    for (auto& part : parts_) {
      const std::size_t ring = slots_ << part.lists.shift();
      const bool kept = part.procedural.empty(), any = part.lists.size() > 0;
      const bool near = part.lists.size() < kShortPiece * part.lists.pieces() && ring <= kWholeBytes / sizeof(T);
      if (kept && any && ring <= kernels::kBlockPlaces && part.blocks.take(part.lists, c_.neurons, part.spare())) part.lists.keep_sizes();
      part.whole = !part.blocks.empty() || (kept && near);
      if (part.whole) part.slots = slots_, part.rows.resize(ring);
      part.sent.resize(slots_), part.flight.resize(slots_);
      if (!part.procedural.empty()) part.grown.resize(slots_);
      for (auto& l : part.learning)
        if (l) l->prepare(longest_), learns_ = true;
    }
    for (const Connection& c : c_.connections)
      if (c.plasticity.kind == SynapseKind::signal) {
        Group& g = c_.groups[c.from.index];
        g.signals.assign(static_cast<std::size_t>(longest_ + batch_ + 1) * g.padded, 0.0);
        std::copy_n(g.state.data() + static_cast<std::size_t>(g.model.signal) * g.padded, g.padded, g.signal(-1));
      }
    for (auto& bits : bits_) bits.resize(static_cast<std::size_t>(batch_) * c_.words);
    for (const auto& part : parts_) {
      synapses_ += part.lists.size();
      for (const auto& l : part.procedural) synapses_ += l.size();
      for (const auto& l : part.signals) synapses_ += l.size();
      for (const auto& l : part.learning) synapses_ += l ? l->lists().size() : 0;
    }
    synapses_ = ranks_.sum(synapses_);
  }

  // Of spikes and signals under way: long delays are cheap to write and dear to keep.
  void check_memory() const {
    const Part<T>& one = parts_[0];
    const std::size_t drawn_anew = one.procedural.empty() ? 0 : sizeof one.grown[0];
    double bytes = static_cast<double>(parts_.size() * (sizeof one.sent[0] + sizeof one.flight[0] + drawn_anew));
    for (const Connection& c : c_.connections)
      if (c.plasticity.kind == SynapseKind::signal) bytes += static_cast<double>(sizeof(double) * c_.groups[c.from.index].padded);
    const double needed = 1e-9 * static_cast<double>(slots_) * bytes, available = memory_gb(c_.options);
    if (available > 0 && needed > available)
      throw usage_error("what is under way needs " + number(needed, 3) + " GB, " + number(available, 3) + " available",
                        "the longest delay is " + number(static_cast<double>(longest_) * c_.options.dt) + " ms");
  }

  void run(std::int64_t steps) override {
    simulate(steps);
    complain();
  }
  void simulate(std::int64_t steps) {
    const Ranks::Together together;
    for (auto& part : parts_) part.current.resize(c_.groups.size()), part.noise.resize(c_.current_devices.size());
    run_first_ = c_.step;
    spikes_.assign(c_.groups.size(), 0);
    copy_states(false);
    std::vector<bool> driven(c_.groups.size());
    for (const auto& device : c_.current_devices) driven[device.to.index] = true;
    for (const auto& c : c_.connections)
      if (c.plasticity.kind == SynapseKind::signal) driven[c.to.index] = true;
    for (std::size_t g = 0; g < driven.size(); ++g)
      for (auto& part : parts_)
        if (driven[g])
          part.current[g].resize(std::size_t{part.slices[g].padded()} * static_cast<std::size_t>(c_.groups[g].model.receptors));
    for (auto& part : parts_) place_arrays(part);
    // Threads that meet after a few microseconds gain little, and lose much when another program wants a core: both ways are tried now and
    // then.
    small_ = static_cast<std::int64_t>(c_.neurons) * batch_ < kSurelyWorthATeam;
    if (!small_) team_ = true;
    while (steps > 0) {
      const std::int64_t wait = trials_ < 4 ? kFirstWait : kWait;  // threads that have just started are slow
      if (small_ && since_trial_ >= wait && steps > 2 * kTrial) {
        const double alone = stretch(kTrial, false), together = stretch(kTrial, true);
        team_ = std::min(together, together_) < std::min(alone, alone_);  // the better of two: others disturb
        alone_ = alone, together_ = together;
        steps -= 2 * kTrial, since_trial_ = 0, ++trials_;
      }
      const std::int64_t n = small_ && since_trial_ < wait ? std::min(steps, wait - since_trial_) : steps;
      stretch(n, team_);
      steps -= n, since_trial_ += n;
    }
    finish();
  }

  std::uint64_t synapses() const override { return synapses_; }
  std::uint64_t synapses(std::uint32_t connection) const override {
    std::uint64_t n = 0;
    for (const auto& part : parts_) n += part.learning[connection]->lists().size();
    return n;
  }
  std::uint64_t events() const override { return events_; }

  std::vector<PastSpike> past() const override {
    std::vector<PastSpike> all;
    for (std::int64_t step = std::max<std::int64_t>(0, c_.step - longest_); step < c_.step; ++step)
      for (const std::uint32_t source : parts_[0].sent[slot(step)]) all.push_back({step, source});
    return all;
  }
  void set_past(const std::vector<PastSpike>& spikes) override {
    for (auto& part : parts_) {
      for (auto& list : part.sent) list.clear();
      for (auto& list : part.flight) list.clear();
      std::fill_n(part.rows.data(), part.rows.size(), T{0});
    }
    for (const auto& [step, source] : spikes) {
      if (step >= c_.step || step < c_.step - longest_) continue;
      for (auto& part : parts_) {
        part.sent[slot(step)].push_back(source);
        if (part.whole)
          part.deliver_rest(source, step, c_.step);
        else
          part.flight[slot(step)].push_back({part.lists.list(source), 0});
      }
    }
    for (std::int64_t step = std::max<std::int64_t>(0, c_.step - longest_); step < c_.step; ++step)
      for (auto& part : parts_) {
        const std::uint64_t events = part.events;  // they have been counted
        if (!part.procedural.empty()) grow(part, step);
        part.events = events;
        for (auto& spike : part.flight[slot(step)]) spike.next = part.arrived(spike.next, step, c_.step), spike.at = spike.next->at;
      }
  }

  SynapseTable table(std::uint32_t connection) override {
    const Connection& c = c_.connections[connection];
    SynapseTable t;
    const auto add = [&](std::uint32_t source, std::uint32_t target, std::int64_t delay, double weight) {
      t.source.push_back(source - c_.groups[c.from.index].first), t.target.push_back(target);
      t.delay.push_back(static_cast<double>(delay) * c_.options.dt), t.weight.push_back(weight);
    };
    if (parts_[0].learning[connection]) {
      must_be_alone();
      for (std::uint32_t source = c.first_source; source < c.first_source + c.from.size; ++source)
        for (auto& part : parts_) {
          auto& l = *part.learning[connection];
          const auto list = l.ordered(source);
          const auto weights = l.now(source, list, c_.step);
          for (std::size_t k = 0; k < list.size(); ++k) add(source, l.target(*list[k]), l.delay(*list[k]), weights[k]);
        }
      return t;
    }
    struct One {
      std::uint32_t source, target;
      std::int64_t delay;
      T weight;
    };
    std::vector<One> all;  // drawn once more: the threads' lists are of all connections
    SynapseLists<T>::draw(c, c_.options, 0, c.to.begin + c.to.size, std::numeric_limits<std::int64_t>::max(),
                          [&](std::uint32_t source, std::uint32_t target, std::int64_t delay, double weight, bool) {
                            all.push_back({source, target, delay, static_cast<T>(weight)});
                          });
    std::stable_sort(all.begin(), all.end(), [](const One& a, const One& b) {
      return std::tie(a.source, a.target, a.delay) < std::tie(b.source, b.target, b.delay);
    });
    for (const One& s : all) add(s.source, s.target, s.delay, static_cast<double>(s.weight));
    return t;
  }

  void choose(WeightSampling& sampling) override {
    must_be_alone();
    if (!sampling.picks.empty()) return;
    const std::uint32_t connection = sampling.data.projection.index;
    const std::uint64_t n = synapses(connection), wanted = std::min<std::uint64_t>(sampling.count, n);
    std::uint64_t at = 0, taken = 0;
    each_learning(connection, [&](std::size_t p, std::uint32_t source, auto& s) {
      if (taken == wanted || at++ < taken * (n / wanted)) return;
      ++taken;
      sampling.picks.push_back({p, source, &s - parts_[p].learning[connection]->lists().list(source)});
      sampling.data.source.push_back(source - c_.groups[c_.connections[connection].from.index].first);
      sampling.data.target.push_back(parts_[p].learning[connection]->target(s));
    });
  }
  void sample(WeightSampling& sampling) override {
    choose(sampling);
    for (const auto& pick : sampling.picks) {
      auto& l = *parts_[pick.part].learning[sampling.data.projection.index];
      sampling.data.values.push_back(l.now(pick.source, {l.list(pick.source) + pick.at}, c_.step)[0]);
    }
  }

  LearnedState learned(std::uint32_t connection) override {
    must_be_alone();
    LearnedState state;
    if (c_.connections[connection].plasticity.most() > 0)
      each_learning(connection, [&](std::size_t p, std::uint32_t, auto& s) {
        state.weights.push_back(static_cast<double>(s.weight));
        if (const T* c = parts_[p].learning[connection]->eligibility(s)) state.eligibility.push_back(static_cast<double>(*c));
      });
    parts_[0].learning[connection]->get_sources(state, c_.step);  // each part has them
    for (const auto& part : parts_) part.learning[connection]->get_targets(state);
    return state;
  }
  void set_learned(std::uint32_t connection, const LearnedState& state, const std::vector<PastSpike>& past) override {
    must_be_alone();
    std::size_t n = 0;
    if (!state.weights.empty())
      each_learning(connection, [&](std::size_t p, std::uint32_t, auto& s) {
        if (T* c = parts_[p].learning[connection]->eligibility(s)) *c = static_cast<T>(state.eligibility[n]);
        s.weight = static_cast<T>(state.weights[n++]);
      });
    for (auto& part : parts_) part.learning[connection]->set(state, c_.step, past);
  }

 private:
  // Synapses that learn are not gathered.
  void must_be_alone() const {
    if (ranks_.count() > 1)
      throw usage_error("weights that learn can be neither read nor kept while several processes simulate", {}, "Run it without mpirun.");
  }
  // By source, then target, then delay: what no number of threads changes.
  template <class Visit>
  void each_learning(std::uint32_t connection, Visit visit) {
    const Connection& c = c_.connections[connection];
    for (std::uint32_t source = c.first_source; source < c.first_source + c.from.size; ++source)
      for (std::size_t p = 0; p < parts_.size(); ++p)
        for (auto* s : parts_[p].learning[connection]->ordered(source)) visit(p, source, *s);
  }

  // A ring of rows up to here stays near enough; pieces up to here are too short to be looked at one by one (measured: brunel's, of 1,000
  // synapses, are delivered faster as they arrive).
  static constexpr std::size_t kWholeBytes = std::size_t{1} << 21, kShortPiece = 64;
  static constexpr float kMostLeft = 1 << 24;                                  // refractory steps (models.h)
  static constexpr std::size_t kApart = 4096;                                  // bytes between what two threads write all the time
  static constexpr std::int64_t kSurelyWorthATeam = 16384;                     // steps of neurons between two meetings
  static constexpr std::int64_t kTimed = 7;                                    // steps
  static constexpr std::int64_t kTrial = 128, kFirstWait = 512, kWait = 4096;  // steps

  // Seconds from when all are there: to wake a thread takes as long as a trial's steps.
  double stretch(std::int64_t steps, bool team) {
    Meeting meeting(thread_count());
    double start = 0;
    const std::int64_t first = c_.step;
    const auto work = [&](std::size_t member, std::size_t members) {
      if (members > 1) meeting.meet(member);
      if (member == 0) start = clock_seconds();
      bool odd = false;  // spikes of the batch before may still be read by others
      for (std::int64_t done = 0; done < steps; odd = !odd) {
        const std::int64_t n = std::min(batch_, steps - done);
        for (std::size_t p = member; p < parts_.size(); p += members)
          for (std::int64_t b = 0; b < n; ++b)
            advance(parts_[p], first + done + b, bits_[odd].data() + static_cast<std::size_t>(b) * c_.words);
        if (members > 1) meeting.meet(member);
        if (ranks_.count() > 1) {
          if (member == 0) share(bits_[odd].data(), n);
          if (members > 1) meeting.meet(member);
        }
        for (std::size_t p = member; p < parts_.size(); p += members) exchange(p, first + done, n, bits_[odd].data());
        done += n;
      }
    };
    if (team)
      parallel_team(work);
    else
      work(0, 1);
    c_.step += steps;
    return clock_seconds() - start;
  }

  std::size_t slot(std::int64_t step) const noexcept { return static_cast<std::size_t>(step) & (slots_ - 1); }

  void lay_out(std::size_t p) {
    Part<T>& part = parts_[p];
    std::size_t size = 0;
    for (const Group& g : c_.groups) {
      const std::size_t words = g.padded / 64;
      const auto cut = [&](std::size_t k) { return std::min(g.n, static_cast<std::uint32_t>(words * k / all_parts_ * 64)); };
      Slice slice{cut(first_part_ + p), cut(first_part_ + p + 1), {}};
      for (int port = 0; port < g.model.ports; ++port) slice.row[port] = size, size += slice.padded();
      part.places.push_back({part.state.size(), part.wakes.size()});
      part.state.resize(part.state.size() + static_cast<std::size_t>(g.model.states) * slice.padded());
      part.wakes.resize(part.wakes.size() + slice.padded());
      part.slices.push_back(slice);
    }
    part.state.resize(part.state.size() + kApart / sizeof(double)), part.wakes.resize(part.wakes.size() + kApart / sizeof part.wakes[0]);
    part.row_size = size + kernels::kBlock;
    part.rows.resize(part.row_size);
  }

  void draw(Part<T>& part) {
    std::vector<const Connection*> fixed;
    for (const Connection& c : c_.connections) {
      part.learning.push_back(make_learning_lists<T>(c_, c, part.slices, part.row_size));
      if (c.plasticity.kind == SynapseKind::signal)
        part.signals.emplace_back(c_, c, part.slices[c.to.index]);
      else if (!part.learning.back() && !c.synapses.procedural)
        fixed.push_back(&c);
    }
    part.lists.build(c_, fixed, 0, c_.neurons, part.slices, part.row_size);
    for (const Connection& c : c_.connections)
      if (c.synapses.procedural) part.procedural.emplace_back(c_, c, part.slices, part.lists.shift());
  }

  // To read the clock takes as long as some of a small network's work: there it is read in one step of kTimed, which no rhythm of neurons
  // or devices is likely to have.
  bool timed(std::int64_t step) const noexcept { return !small_ || (step - run_first_) % kTimed == 0; }
  double timed_share(std::int64_t steps) const noexcept {  // of the first ones of a run
    return small_ ? static_cast<double>((steps + kTimed - 1) / kTimed) / static_cast<double>(steps) : 1;
  }
  void advance(Part<T>& part, std::int64_t step, std::uint64_t* bits) {
    const bool clocked = timed(step);
    double start = clocked ? clock_seconds() : 0;
    for (auto& l : part.learning)
      if (l) l->learn(step);
    if (clocked && learns_) {
      const double learned = clock_seconds();
      part.learning_time += learned - start - reading_, start = learned;
    }
    T* const row = part.row(step);
    for (std::int64_t delay = longest_; delay >= shortest_ && !part.whole; --delay) {
      auto& spikes = part.flight[slot(step - delay)];
      kernels::deliver(spikes.data(), spikes.size(), static_cast<std::uint32_t>(delay), part.lists.shift(), row);
      if (!part.procedural.empty()) draw_at_once(part, step - delay, delay);
    }
    for (auto& l : part.learning)
      if (l) l->deliver(step, row);
    const double delivered = clocked ? clock_seconds() : 0;
    for (const auto& device : c_.spike_devices) drive(c_, part, device, step);
    for (std::size_t g = 0; g < c_.groups.size(); ++g)
      if (part.slices[g].begin < part.slices[g].end && !move(part, g, step, bits) && part.strange_step < 0)
        part.strange_step = step, part.strange_group = g;
    for (std::size_t k = 0; k < part.learning.size(); ++k)
      if (part.learning[k]) part.learning[k]->post(step, bits + c_.groups[c_.connections[k].to.index].first_word);
    for (auto& r : c_.recordings) record(c_, part, r, step);
    if (!clocked) return;
    part.delivery += delivered - start - reading_;
    part.update += clock_seconds() - delivered - reading_;
  }

  // False when a membrane is no finite number.
  bool move(Part<T>& part, std::size_t index, std::int64_t step, std::uint64_t* bits) {
    Group& g = c_.groups[index];
    const Slice& slice = part.slices[index];
    kernels::NeuronArrays<T>& a = part.arrays[index];
    a.step = static_cast<std::int32_t>(step - run_first_);
    for (int k = 0; k < g.model.ports; ++k) a.in[k] = part.row(step) + slice.row[k];
    set_currents(c_, part, index, step);
    if (g.model.by_chance) a.uniform = chances(c_, part, index, step);
    a.spikes = bits + g.first_word + slice.begin / 64;
    const bool good = std::visit([&](const auto& m) { return kernels::neuron_step(m, a); }, g.model.step);
    if (!g.signals.empty()) std::copy_n(a.state[g.model.signal], slice.end - slice.begin, g.signal(step) + slice.begin);
    if (slice.end % 64) a.spikes[a.n / 64 - 1] &= (std::uint64_t{1} << (slice.end % 64)) - 1;  // padding
    return good;
  }

  // What the procedural connections that have one delay bring from `step`.
  void draw_at_once(Part<T>& part, std::int64_t step, std::int64_t delay) {
    if (step < 0) return;
    for (const std::uint32_t source : part.sent[slot(step)])
      for (const auto& l : part.procedural)
        if (l.at_once(delay)) part.events += l.add(source, part.rows.data());
  }
  // Puts the lists of the other ones for the spikes of `step` behind those in flight.
  void grow(Part<T>& part, std::int64_t step) {
    auto& grown = part.grown[slot(step)];
    grown.clear();
    std::vector<std::size_t> begins;
    for (const std::uint32_t source : part.sent[slot(step)])
      for (const auto& l : part.procedural) {
        const std::size_t begin = grown.size();
        part.events += l.append(source, grown);
        if (grown.size() > begin) begins.push_back(begin);
      }
    if (begins.empty()) return;
    grown.resize(grown.size() + kernels::kListMargin);
    for (const std::size_t begin : begins) part.flight[slot(step)].push_back({grown.data() + begin, 0});
  }

  void exchange(std::size_t p, std::int64_t first, std::int64_t n, const std::uint64_t* bits) {
    Part<T>& part = parts_[p];
    for (std::int64_t step = first; step < first + n; ++step, bits += c_.words) {
      auto& sent = part.sent[slot(step)];
      auto& spikes = part.flight[slot(step)];
      sent.clear(), spikes.clear();
      for (auto& l : part.learning)
        if (l) l->begin_step(step);
      for (Group& g : c_.groups) {
        const std::size_t before = sent.size();
        for (std::uint32_t w = 0; w < g.padded / 64; ++w)
          for (std::uint64_t word = bits[g.first_word + w]; word; word &= word - 1)
            sent.push_back(g.first + 64 * w + static_cast<std::uint32_t>(std::countr_zero(word)));
        if (p == 0) spikes_[static_cast<std::size_t>(&g - c_.groups.data())] += sent.size() - before;
      }
      for (const std::uint32_t source : sent) {
        const std::size_t size = part.lists.size(source);
        part.events += size;
        if (part.whole) {
          part.fire(source);
        } else {
          spikes.push_back({part.lists.list(source), 0});
          if (shortest_ == 1) kernels::fetch_ahead(spikes.back().next, size / static_cast<std::size_t>(longest_));  // next step's share
        }
        for (auto& l : part.learning)
          if (l) l->send(step, source), part.events += l->passed(source);
      }
      for (std::size_t r = p; r < c_.spike_records.size(); r += parts_.size()) note(c_.spike_records[r], step, sent);
      if (part.whole && !sent.empty()) {
        const bool clocked = timed(step);
        const double start = clocked ? clock_seconds() : 0;
        part.deliver_fired(step);
        if (clocked) part.delivery += clock_seconds() - start - reading_;
      }
      if (!part.procedural.empty()) grow(part, step);
      for (auto& spike : spikes) spike.at = spike.next->at;  // a loop of its own: these reads wait for memory, all at once
      for (auto& l : part.learning)
        if (l) l->end_step(step);
    }
    for (auto& l : part.learning)
      if (l && first / l->settle_every() != (first + n) / l->settle_every()) l->settle(first + n);
  }

  void note(SpikeRecord& r, std::int64_t step, const std::vector<std::uint32_t>& sent) {
    const std::uint32_t first = c_.groups[r.population.index].first + r.population.begin;
    for (auto s = std::lower_bound(sent.begin(), sent.end(), first); s != sent.end() && *s - first < r.population.size; ++s) {
      r.step.push_back(static_cast<std::uint32_t>(step + 1));
      r.neuron.push_back(*s - first);
    }
  }

  // The first and the last neuron of a group that this process owns.
  std::pair<std::uint32_t, std::uint32_t> own(std::size_t group) const {
    return {parts_.front().slices[group].begin, parts_.back().slices[group].end};
  }
  // Everyone's spikes of n steps.
  void share(std::uint64_t* bits, std::int64_t n) {
    for (std::int64_t b = 0; b < n; ++b)
      for (std::size_t g = 0; g < c_.groups.size(); ++g) {
        const auto [begin, end] = own(g);
        std::uint64_t* row = bits + static_cast<std::size_t>(b) * c_.words + c_.groups[g].first_word;
        std::fill(row, row + begin / 64, 0), std::fill(row + (end + 63) / 64, row + c_.groups[g].padded / 64, 0);
      }
    ranks_.merge(bits, static_cast<std::size_t>(n) * c_.words);
  }
  // Everyone's states and samples: what is asked for between two calls of run() is here.
  void share_state() {
    if (ranks_.count() == 1) return;
    for (std::size_t k = 0; k < c_.groups.size(); ++k) {
      Group& g = c_.groups[k];
      const auto [begin, end] = own(k);
      const auto rows = [&, begin = begin, end = end](auto* values, std::size_t count) {  // bits, so that -0 stays
        using V = std::remove_pointer_t<decltype(values)>;
        for (std::size_t row = 0; row < count; ++row, values += g.padded)
          std::fill(values, values + begin, V{0}), std::fill(values + (end + 63) / 64 * 64, values + g.padded, V{0});
      };
      rows(g.state.data(), static_cast<std::size_t>(g.model.states)), rows(g.refractory.data(), 1);
      ranks_.merge(reinterpret_cast<std::uint64_t*>(g.state.data()), g.state.size());
      ranks_.merge(reinterpret_cast<std::uint64_t*>(g.refractory.data()), g.refractory.size() / 2);
    }
    for (Recording& r : c_.recordings) {  // fresh samples of others' neurons are 0
      const std::size_t from = r.base * r.states.size() * r.data.population.size;
      ranks_.merge(reinterpret_cast<std::uint64_t*>(r.data.values.data() + from), r.data.values.size() - from);
    }
  }

  void place_arrays(Part<T>& part) {
    part.arrays.assign(c_.groups.size(), {});
    for (std::size_t index = 0; index < c_.groups.size(); ++index) {
      const Model& model = c_.groups[index].model;
      kernels::NeuronArrays<T>& a = part.arrays[index];
      a.n = part.slices[index].padded(), a.wakes = part.waking(index);
      for (int k = 0; k < model.states; ++k) a.state[k] = part.states(index, k);
      if (part.current[index].empty()) continue;
      a.current = part.current[index].data();
      if (model.receptors > 1) a.apical = a.current + a.n;
    }
  }

  // From the groups to the threads, or back.
  void copy_states(bool back) {
    parallel_for(0, parts_.size(), 1, [&](std::size_t p, std::size_t) {
      Part<T>& part = parts_[p];
      const auto copy = [back](auto* mine, auto* common, std::size_t n) {
        back ? std::copy_n(mine, n, common) : std::copy_n(common, n, mine);
      };
      for (std::size_t index = 0; index < c_.groups.size(); ++index) {
        Group& g = c_.groups[index];
        const Slice& slice = part.slices[index];
        for (int k = 0; k < g.model.states; ++k)
          copy(part.states(index, k), g.state.data() + static_cast<std::size_t>(k) * g.padded + slice.begin, slice.padded());
        std::int32_t* const wakes = part.waking(index);
        float* const left = g.refractory.data() + slice.begin;
        const auto now = static_cast<std::int32_t>(c_.step - run_first_);
        for (std::size_t i = 0; i < slice.padded(); ++i)
          if (back)
            left[i] = static_cast<float>(std::max(wakes[i] - now, 0));
          else
            wakes[i] = left[i] > 0 ? static_cast<std::int32_t>(std::min(left[i], kMostLeft)) : 0;  // a saved state may hold anything
      }
    });
  }

  void finish() {
    copy_states(true);
    share_state();
    for (std::size_t g = 0; g < c_.groups.size(); ++g) c_.groups[g].spikes += spikes_[g];
    std::uint64_t events = 0;
    const double n = static_cast<double>(parts_.size()) * timed_share(c_.step - run_first_);
    for (auto& part : parts_) {
      c_.timing.update += part.update / n, c_.timing.learning += part.learning_time / n, c_.timing.delivery += part.delivery / n;
      part.update = part.learning_time = part.delivery = 0;
      events += part.events;
      if (part.strange_step < 0) continue;
      // the earliest, of these the first group: 32 bits each
      strange_ = std::min(strange_, static_cast<std::uint64_t>(part.strange_step) << 32 | part.strange_group);
    }
    events_ = ranks_.sum(events), strange_ = ranks_.least(strange_);
  }

  void complain() const {
    if (strange_ == kNothingStrange) return;
    const std::size_t group = strange_ & 0xffffffffu;
    const Group& g = c_.groups[group];
    const bool text = std::holds_alternative<kernels::Program>(g.model.step);
    throw data_error(text ? "a variable is no finite number" : "a membrane is no finite number",
                     "population " + (g.name.empty() ? std::to_string(group) : g.name) + " (" + g.model.name + ", " + std::to_string(g.n) +
                         " neurons) at " + number(static_cast<double>((strange_ >> 32) + 1) * c_.options.dt, 9) + " ms",
                     "Weights or currents have grown beyond all bounds.");
  }

  static constexpr std::uint64_t kNothingStrange = ~std::uint64_t{0};
  const Ranks& ranks_ = Ranks::world();
  const double reading_ = reading();
  Circuit& c_;
  std::vector<Part<T>> parts_;
  bool team_ = false, small_ = false, learns_ = false;
  double alone_ = 1e9, together_ = 1e9;  // seconds of the last trial
  std::int64_t since_trial_ = kWait;     // steps
  int trials_ = 0;
  std::uint64_t first_part_ = 0, all_parts_ = 0;  // of all processes
  std::uint64_t synapses_ = 0, events_ = 0;       // of all processes; events: as of the end of run()
  std::uint64_t strange_ = kNothingStrange;       // when and where a membrane was no number
  Lines<std::uint64_t> bits_[2];                  // [batch, words]
  std::vector<std::uint64_t> spikes_;             // of each group in this run, counted by the first thread: none reads them
  std::size_t slots_ = 1;                         // for steps under way, a power of two
  std::int64_t shortest_ = 0, longest_ = 0, batch_ = 0, run_first_ = 0;
};

}  // namespace

std::unique_ptr<Engine> make_engine(Circuit& circuit) {
  if (circuit.options.double_precision) return std::make_unique<EngineOf<double>>(circuit);
  return std::make_unique<EngineOf<float>>(circuit);
}

}  // namespace apical::brain
