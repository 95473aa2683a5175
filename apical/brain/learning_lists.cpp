#include "apical/brain/learning_lists.h"

#include <bit>
#include <cmath>
#include <utility>

#include "apical/kernels/circuit/plasticity.h"

namespace apical::brain {
namespace {

template <class T, class Rule>
class LearningListsOf final : public LearningLists<T> {
 public:
  using Base = LearningLists<T>;
  using Synapse = kernels::Synapse<T>;
  LearningListsOf(const Circuit& circuit, const Connection& c, const std::vector<Slice>& slices, std::size_t row_size, Rule rule)
      : Base(circuit, c, slices, row_size),
        learning_{rule, {}, {}},
        sources_(c.from.size),
        nearest_(c.plasticity.kind == SynapseKind::nearest),
        excitatory_(circuit.groups[c.to.index].model.port(c.to.receptor, 1)) {
    const Model& model = circuit.groups[c.to.index].model;
    if constexpr (Rule::kLearns) {
      learning_.plus = {c.plasticity["tau_plus"], dt_}, learning_.minus = {model.tau_minus, dt_};
      posts_ = PostSpikes(slice_.padded());
      targets_.resize(slice_.padded());
    }
    if constexpr (Rule::kSteady)
      for (Source& s : sources_) s.last = at(-1);  // time 0
    if constexpr (kEligible) eligibility_.resize(lists_.size() + c.from.size + std::size_t{1});
    if constexpr (Rule::kTriplet) slow_plus_ = dt_ / c.plasticity["tau_plus_triplet"], slow_minus_ = dt_ / model.tau_minus_triplet;
  }

  void prepare(std::int64_t longest) override {
    longest_ = longest;
    flight_.resize(static_cast<std::size_t>(longest));
    if (!Rule::kLearns) return;
    silent_ = Rule::kSteady ? longest : std::max<std::int64_t>(learning_.plus.reach(), longest) + 1;
    settle_every_ = Rule::kSteady ? 1024 : std::max<std::int64_t>(64, silent_ / 4);
    if constexpr (kEligible) {
      modulation_ = {c_.plasticity["tau_c"], c_.plasticity["tau_n"], c_.plasticity["b"], dt_,
                     static_cast<std::uint32_t>(at(0) - no_longer_asked(0))};
      learning_.rule.modulation = &modulation_;
    }
  }
  void begin_step(std::int64_t step) override {
    if constexpr (Rule::kSteady)
      if (step % settle_every_ == 0 && step > 0) settle_steady(step);
    flight_[slot(step)].clear();
  }
  void end_step(std::int64_t step) override {
    for (auto& spike : flight_[slot(step)]) spike.at = spike.next->at;
    if constexpr (kEligible) modulation_.add(at(step), std::exchange(modulator_spikes_, 0));
  }

  void send(std::int64_t step, std::uint32_t source) override {
    if constexpr (kEligible) modulator_spikes_ += source - c_.first_modulator < c_.modulators;
    if (!this->has(source)) return;
    Source& s = sources_[source - c_.first_source];
    const std::uint32_t sent = at(step), lag = sent - s.last;
    const std::uint32_t last = s.trace > 0 || Rule::kSteady ? s.last : sent - 1;
    Spike spike{lists_.list(source), 0, sent, last, static_cast<T>(s.trace), 0};
    if constexpr (Rule::kLearns) {
      if constexpr (Rule::kTriplet) {
        const double slow = s.slow * std::exp(-(lag * slow_plus_));
        spike.before = static_cast<T>(slow), s.slow = slow + 1;
      }
      s.trace = nearest_ ? 1 : s.trace * learning_.plus.exact(lag) + 1;
    } else {  // NEST's tsodyks2_synapse: trace is x, slow is u
      const double U = c_.plasticity["U"], tau_fac = c_.plasticity["tau_fac"];
      if (s.last == 0) {
        s.trace = 1, s.slow = U;
      } else {
        s.trace = 1 + (s.trace - s.trace * s.slow - 1) * std::exp(-(lag * dt_ / c_.plasticity["tau_rec"]));
        s.slow = U + s.slow * (1 - U) * (tau_fac > 0 ? std::exp(-(lag * dt_ / tau_fac)) : 0);
      }
      spike.pre = static_cast<T>(s.trace * s.slow);
    }
    s.last = sent;
    flight_[slot(step)].push_back(spike);
  }

  void learn(std::int64_t step) override {
    if constexpr (Rule::kLearns)
      each_arriving(step, [&](auto& spikes, std::uint32_t delay) {
        kernels::learn_arrived(learning_, spikes.data(), spikes.size(), delay, lists_.shift(), posts_, slice_.row[excitatory_],
                               first_synapse(), eligibility_.data());
      });
  }
  void deliver(std::int64_t step, T* row) override {
    each_arriving(step, [&](auto& spikes, std::uint32_t delay) {
      if constexpr (Rule::kLearns)
        kernels::deliver(spikes.data(), spikes.size(), delay, lists_.shift(), row);
      else
        kernels::deliver(spikes.data(), spikes.size(), delay, lists_.shift(), row,
                         [](const Synapse& s, const Spike& spike) { return s.weight * spike.pre; });
    });
  }

  void post(std::int64_t step, const std::uint64_t* bits) override {
    if constexpr (Rule::kLearns) {
      const std::uint32_t begin = std::max(slice_.begin, c_.to.begin), end = std::min(slice_.end, c_.to.begin + c_.to.size);
      for (std::uint32_t w = begin / 64; w * 64 < end; ++w)
        for (std::uint64_t word = bits[w]; word; word &= word - 1) {
          const std::uint32_t i = 64 * w + static_cast<std::uint32_t>(std::countr_zero(word));
          if (i < begin || i >= end) continue;
          Source& t = targets_[i - slice_.begin];
          const std::uint32_t lag = at(step) - t.last;
          t.trace = nearest_ ? 1 : t.trace * learning_.minus.exact(lag) + 1;
          t.last = at(step);
          PostSpike spike{at(step), static_cast<T>(t.trace)};
          if constexpr (Rule::kTriplet) {
            const double slow = t.slow * std::exp(-(lag * slow_minus_));
            spike.before = static_cast<T>(slow), t.slow = slow + 1;
          }
          posts_.add(i - slice_.begin, spike, no_longer_asked(step));
        }
    }
  }

  void settle(std::int64_t step) override {
    if constexpr (Rule::kLearns && !Rule::kSteady)
      for (std::uint32_t i = 0; i < c_.from.size; ++i) {
        Source& s = sources_[i];
        if (s.trace == 0 || at(step) - s.last <= silent_) continue;
        Synapse* const list = lists_.list(c_.first_source + i);
        for (std::size_t k = 0; k < lists_.size(c_.first_source + i); ++k) list[k].weight = caught_up(list[k].weight, list[k], s, step);
        s.trace = 0;
      }
  }

  std::vector<double> now(std::uint32_t source, const std::vector<Synapse*>& synapses, std::int64_t step) const override {
    std::vector<double> weights;
    std::vector<const Spike*> flying;
    const Synapse *const list = lists_.list(source), *const end = list + lists_.size(source);
    if (Rule::kLearns)
      for (std::int64_t sent = std::max<std::int64_t>(0, step - longest_); sent < step; ++sent)
        for (const Spike& spike : flight_[slot(sent)])
          if (spike.next >= list && spike.next < end) flying.push_back(&spike);
    for (const Synapse* s : synapses) {
      T weight = s->weight;
      if constexpr (Rule::kLearns) {
        T c = eligibility_.size() ? eligibility_.data()[s - first_synapse()] : 0;
        for (const Spike* spike : flying)  // has come to the list, not yet to its place in it
          if (spike->next <= s) weight = kernels::learn(learning_, weight, c, posts_of(*s), *spike, this->delay(*s));
        const Source& state = sources_[source - c_.first_source];
        if constexpr (Rule::kSteady)
          catch_up_steady(weight, c, *s, state, step);
        else if (state.trace > 0)
          weight = caught_up(weight, *s, state, step);
      }
      weights.push_back(static_cast<double>(weight));
    }
    return weights;
  }

  void get_sources(LearnedState& state, std::int64_t step) const override {
    for (const Source& s : sources_)
      state.source_last.push_back(s.last), state.source_trace.insert(state.source_trace.end(), {s.trace, s.slow});
    for (std::int64_t sent = std::max<std::int64_t>(0, step - longest_); sent < step; ++sent)
      for (const Spike& spike : flight_[slot(sent)])
        state.flight_last.push_back(spike.last), state.flight_trace.insert(state.flight_trace.end(), {spike.pre, spike.before});
    if constexpr (kEligible) state.modulation = modulation_.state();
  }
  void get_targets(LearnedState& state) const override {
    if constexpr (Rule::kLearns)
      for (std::uint32_t i = std::max(slice_.begin, c_.to.begin); i < std::min(slice_.end, c_.to.begin + c_.to.size); ++i) {
        const Source& t = targets_[i - slice_.begin];
        state.target_last.push_back(t.last), state.target_trace.insert(state.target_trace.end(), {t.trace, t.slow});
        const PostSpike* spike = posts_.of(i - slice_.begin);
        std::uint32_t count = 0;
        for (; count < posts_.size() && spike[count].step > 0; ++count) {
          state.post_step.push_back(spike[count].step);
          double before = 0;
          if constexpr (Rule::kTriplet) before = static_cast<double>(spike[count].before);
          state.post_trace.insert(state.post_trace.end(), {static_cast<double>(spike[count].trace), before});
        }
        state.post_count.push_back(count);
      }
  }
  void set(const LearnedState& state, std::int64_t step, const std::vector<PastSpike>& past) override {
    for (std::size_t i = 0; i < sources_.size(); ++i)
      sources_[i] = {state.source_last[i], state.source_trace[2 * i], state.source_trace[2 * i + 1]};
    if constexpr (kEligible) modulation_.set_state(state.modulation);
    for (auto& list : flight_) list.clear();
    std::size_t n = 0;
    for (const auto& [sent, source] : past) {
      if (!this->has(source)) continue;
      const std::size_t k = n++;
      if (sent < step - longest_) continue;
      Synapse* s = lists_.list(source);
      while (s->at != kernels::kListEnd && sent + this->delay(*s) < step) ++s;
      flight_[slot(sent)].push_back({s, s->at, at(sent), state.flight_last[k], static_cast<T>(state.flight_trace[2 * k]),
                                     static_cast<T>(state.flight_trace[2 * k + 1])});
    }
    if constexpr (Rule::kLearns) {
      posts_ = PostSpikes(slice_.padded());
      std::size_t first = 0;
      for (std::size_t i = 0; i < c_.to.size; first += state.post_count[i++]) {
        const std::uint32_t neuron = c_.to.begin + static_cast<std::uint32_t>(i);
        if (neuron < slice_.begin || neuron >= slice_.end) continue;
        targets_[neuron - slice_.begin] = {state.target_last[i], state.target_trace[2 * i], state.target_trace[2 * i + 1]};
        for (std::size_t k = first + state.post_count[i]; k-- > first;) {
          PostSpike spike{state.post_step[k], static_cast<T>(state.post_trace[2 * k])};
          if constexpr (Rule::kTriplet) spike.before = static_cast<T>(state.post_trace[2 * k + 1]);
          posts_.add(neuron - slice_.begin, spike, no_longer_asked(step));
        }
      }
    }
  }

  T* eligibility(const Synapse& s) noexcept override {
    return eligibility_.size() ? eligibility_.data() + (&s - first_synapse()) : nullptr;
  }

 private:
  static constexpr bool kEligible = [] {
    if constexpr (Rule::kSteady) return Rule::kEligible;
    return false;
  }();
  using Base::c_, Base::dt_, Base::lists_, Base::longest_, Base::settle_every_, Base::slice_;
  struct Source {  // or target: its last spike, and traces after that
    std::uint32_t last = 0;
    double trace = 0, slow = 0;
  };
  using Spike = kernels::LearningSpike<T>;
  using PostSpike = kernels::PostSpike<T, Rule::kTriplet>;
  using PostSpikes = kernels::PostSpikes<T, Rule::kTriplet>;

  static std::uint32_t at(std::int64_t step) noexcept { return kernels::kFirstStep + static_cast<std::uint32_t>(step); }
  std::size_t slot(std::int64_t step) const noexcept { return static_cast<std::size_t>(step % longest_); }
  // A source is settled at the latest so long after its last spike; spikes on their way ask for what was between the two before them.
  std::uint32_t no_longer_asked(std::int64_t step) const noexcept {
    return static_cast<std::uint32_t>(std::max<std::int64_t>(0, at(step) - (silent_ + settle_every_ + 256 + 3 * longest_)));
  }
  // visit(spikes, delay) of those that may arrive in a step, the oldest first.
  template <class Visit>
  void each_arriving(std::int64_t step, Visit visit) {
    for (std::int64_t delay = std::min(lists_.max_delay(), step); delay >= lists_.min_delay(); --delay)
      visit(flight_[slot(step - delay)], static_cast<std::uint32_t>(delay));
  }
  const PostSpike* posts_of(const Synapse& s) const noexcept { return posts_.of(this->target(s) - slice_.begin); }
  T caught_up(T weight, const Synapse& synapse, const Source& s, std::int64_t step) const noexcept {
    const std::uint32_t delay = this->delay(synapse);
    const PostSpike* spikes = posts_of(synapse);
    return kernels::catch_up(learning_, weight, spikes, s.last - delay, at(step - 1) - delay, static_cast<T>(s.trace));
  }

  // A steady rule: brings synapses of sources without a spike on its way up to date, so that spikes of targets can be forgotten. It splits
  // sums, so when is a function of the step alone.
  void settle_steady(std::int64_t step) {
    for (std::uint32_t i = 0; i < c_.from.size; ++i) {
      Source& s = sources_[i];
      const std::uint32_t now = at(step - 1), lag = now - s.last;
      if (lag < longest_) continue;
      Synapse* const list = lists_.list(c_.first_source + i);
      for (std::size_t k = 0; k < lists_.size(c_.first_source + i); ++k) {
        T none = 0, *c = eligibility(list[k]);
        catch_up_steady(list[k].weight, c ? *c : none, list[k], s, step);
      }
      s.trace *= learning_.plus.exact(lag), s.last = now;
    }
  }
  void catch_up_steady(T& weight, T& c, const Synapse& synapse, const Source& s, std::int64_t step) const noexcept {
    const PostSpike* spikes = posts_of(synapse);
    kernels::catch_up(learning_, weight, c, spikes, s.last, at(step - 1), this->delay(synapse), static_cast<T>(s.trace));
  }
  const Synapse* first_synapse() const noexcept { return lists_.list(c_.first_source); }

  kernels::Learning<T, Rule> learning_;
  std::vector<Source> sources_, targets_;
  bool nearest_;
  int excitatory_;  // port of what learns
  PostSpikes posts_;
  std::vector<std::vector<Spike>> flight_;  // [longest], of the step modulo that
  double slow_plus_ = 0, slow_minus_ = 0;   // a step's share of the time constants of a triplet rule
  std::int64_t silent_ = 0;                 // steps after which a source's trace is 0 (steady: any) and its spikes have arrived
  HugeArray<T> eligibility_;                // [synapses and ends of lists], of rules that have such a trace
  kernels::Modulation modulation_;
  std::uint32_t modulator_spikes_ = 0;  // of this step
};

}  // namespace

template <class T>
std::unique_ptr<LearningLists<T>> make_learning_lists(const Circuit& circuit, const Connection& c, const std::vector<Slice>& slices,
                                                      std::size_t row_size) {
  const Plasticity& p = c.plasticity;
  const auto make = [&](auto rule) -> std::unique_ptr<LearningLists<T>> {
    return std::make_unique<LearningListsOf<T, decltype(rule)>>(circuit, c, slices, row_size, rule);
  };
  const auto t = [&](const char* name) { return static_cast<T>(p[name]); };
  switch (p.kind) {
    case SynapseKind::fixed:
    case SynapseKind::signal:
      return nullptr;
    case SynapseKind::stdp:
    case SynapseKind::nearest: {
      const double up = p["lambda"] * p["Wmax"];
      const auto any = [](double mu) { return mu != 0 && mu != 1; };
      const auto rule = [&]<bool kAny, bool kTie>(std::bool_constant<kAny>, std::bool_constant<kTie>) {
        return make(kernels::StdpRule<T, kAny, kTie>{static_cast<T>(up), static_cast<T>(p["alpha"] * up), t("Wmax"),
                                                     t("mu_plus"), t("mu_minus")});
      };
      const std::true_type yes;
      const std::false_type no;
      if (p["tie"] > 0) return any(p["mu_plus"]) || any(p["mu_minus"]) ? rule(yes, yes) : rule(no, yes);
      return any(p["mu_plus"]) || any(p["mu_minus"]) ? rule(yes, no) : rule(no, no);
    }
    case SynapseKind::power_law:
      return make(kernels::PowerLawRule<T>{t("lambda"), static_cast<T>(p["alpha"] * p["lambda"]), t("mu")});
    case SynapseKind::triplet:
      return make(kernels::TripletRule<T>{t("Aplus"), t("Aminus"), t("Aplus_triplet"), t("Aminus_triplet"), t("Wmax")});
    case SynapseKind::oja:
      return make(kernels::OjaRule<T>{static_cast<T>(p["eta"] / p["tau_plus"]),
                                      static_cast<T>(p["eta"] * p["alpha"] / circuit.groups[c.to.index].model.tau_minus), t("Wmax")});
    case SynapseKind::dopamine:
      return make(kernels::DopamineRule<T>{t("A_plus"), t("A_minus"), t("Wmin"), t("Wmax"), nullptr});
    case SynapseKind::depressing:
      return make(kernels::DepressingRule<T>{});
  }
  return nullptr;
}

template std::unique_ptr<LearningLists<float>> make_learning_lists(const Circuit&, const Connection&, const std::vector<Slice>&,
                                                                   std::size_t);
template std::unique_ptr<LearningLists<double>> make_learning_lists(const Circuit&, const Connection&, const std::vector<Slice>&,
                                                                    std::size_t);

}  // namespace apical::brain
