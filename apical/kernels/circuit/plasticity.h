#pragma once
// Synapses that learn. As in deliver.h a spike walks through its source's list as time passes; on its way it brings the weight of each
// synapse up to date: first what the target's spikes since the source's last one have done, then what this spike does. Delays are
// dendritic, as in NEST: a spike of the source is at the synapse when it is sent, one of the target a delay after it.
//
// So a weight is touched when it is read anyway, and nothing is stored at a synapse but its weight: the trace of a source is the same at
// all its synapses, that of a target at all of its own. Between the spikes of its source, a weight is as of the last of them. The synapses
// of a step learn first, then they are added up: two short loops take less time than one that needs all registers.
//
// Steps of spikes are counted from kFirstStep, so that a delay can be taken from them; 0 is never.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "apical/base/huge_array.h"
#include "apical/kernels/circuit/deliver.h"
#include "apical/kernels/circuit/modulation.h"

namespace apical::kernels {

inline constexpr std::uint32_t kFirstStep = std::uint32_t{1} << 26;  ///< above any delay

/// exp(-lag dt/tau) for lag >= 1, and 0 from `reach` on, where it is below 1e-9 (float: a weight does not show it) or 1e-17 (double). Also
/// 0 for lags of 0 and below. The product of two tables: both stay in the first level cache.
template <class T>
class Decay {
 public:
  static constexpr double kLeast = sizeof(T) == 4 ? 1e-9 : 1e-17;
  Decay() = default;
  Decay(double tau, double dt) : per_step_(dt / tau), coarse_() {
    for (std::uint32_t n = 0; n < kFine; ++n) fine_[n] = static_cast<T>(std::exp(-((n + 1) * per_step_)));
    for (std::uint32_t n = 0; n * kFine * per_step_ <= -std::log(kLeast); ++n)
      coarse_.push_back(static_cast<T>(std::exp(-(n * kFine * per_step_))));
    coarse_.push_back(0);
  }
  std::uint32_t reach() const noexcept { return last() * kFine + 1; }
  T operator()(std::uint32_t lag) const noexcept {
    const std::uint32_t n = lag - 1;
    return coarse_[std::min(n / kFine, last())] * fine_[n % kFine];
  }
  double exact(std::uint32_t lag) const noexcept { return lag < reach() ? std::exp(-(lag * per_step_)) : 0; }

 private:
  static constexpr std::uint32_t kFine = 64;
  std::uint32_t last() const noexcept { return static_cast<std::uint32_t>(coarse_.size() - 1); }
  double per_step_ = 1;
  T fine_[kFine] = {};
  std::vector<T> coarse_{0};
};

/// A spike of a target: `trace` is the sum over its spikes up to this one, each decayed (nearest neighbour: 1); `before`, of a triplet
/// rule, a slower sum without this one.
template <class T, bool kTriplet>
struct PostSpike {
  std::uint32_t step = 0;
  T trace = 0;
};
template <class T>
struct PostSpike<T, true> {
  std::uint32_t step = 0;
  T trace = 0, before = 0;
};

/// Of each target the newest spikes, the newest first: as many for all, more when one of them needs more.
template <class T, bool kTriplet>
class PostSpikes {
 public:
  using Spike = PostSpike<T, kTriplet>;
  explicit PostSpikes(std::size_t targets = 0) : targets_(targets), spikes_(targets * size_) {}
  const Spike* of(std::size_t target) const noexcept { return spikes_.data() + target * size_; }
  /// Asks for what of() gives; any number will do.
  void fetch(std::size_t target) const noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(spikes_.data()) + target * size_ * sizeof(Spike);
    __builtin_prefetch(reinterpret_cast<const void*>(at), 0, 3);
  }
  std::size_t size() const noexcept { return size_; }
  static constexpr std::size_t kAtOnce = 2;  ///< spikes that can be looked at without asking whether they are old
  /// Spikes up to step `old` are no longer asked for; the first of them (or never), and kAtOnce more, stay.
  void add(std::size_t target, const Spike& spike, std::uint32_t old) {
    if (of(target)[size_ - 2 - kAtOnce].step > old) grow();
    Spike* first = spikes_.data() + target * size_;
    std::copy_backward(first, first + size_ - 1, first + size_);
    *first = spike;
  }

 private:
  void grow() {
    const std::size_t wide = 2 * size_ + 8;  // an odd number of lines: the newest spikes of all targets spread over the whole cache
    HugeArray<Spike> wider(targets_ * wide);
    for (std::size_t i = 0; i < targets_; ++i) std::copy_n(of(i), size_, wider.data() + i * wide);
    spikes_ = std::move(wider), size_ = wide;
  }
  std::size_t targets_, size_ = 8;
  HugeArray<Spike> spikes_;
};

/// A spike of a source on its way.
template <class T>
struct LearningSpike {
  Synapse<T>* next;
  std::uint32_t at;          ///< next->at
  std::uint32_t sent, last;  ///< steps of this spike and of the source's last one; where pre is 0, last is sent - 1
  T pre;                     ///< trace of the source after its last spike; of tsodyks2: x u, what the weight is multiplied by
  T before;                  ///< of a triplet rule: a slower trace just before this spike
};

// Rules: post(w, k, spike) the weight after a spike of the target, with the source's trace k; pre(w, k, before) after one of the source,
// with the target's trace k. With k = 0 both are w, bit for bit. Weights are 0 to Wmax.

// x^mu, or anything finite where it is multiplied by a k of 0.
template <class T>
T power(T x, T mu, T k) {
  return k == 0 ? T{0} : std::pow(x, mu);
}

/// w += lambda Wmax (1 - w/Wmax)^mu_plus k, at most Wmax; w -= alpha lambda Wmax (w/Wmax)^mu_minus k, at least 0.
/// kTie: spikes at once are a pair, too, as if the target's were first (SpiNNaker's timing rule as the recipe hippocampus-cam has it).
/// Source: Guetig, Aharonov, Rotter, Sompolinsky, J. Neurosci. 23 (2003) 3697-3714, eq. 2; NEST stdp_synapse.
/// kAnyMu: mu_plus, mu_minus other than 0 and 1, for which there is no call that costs all registers.
template <class T, bool kAnyMu, bool kTieOf = false>
struct StdpRule {
  static constexpr bool kLearns = true, kTriplet = false, kSteady = false, kTie = kTieOf;
  T up, down, Wmax, mu_plus, mu_minus;
  T slope_up = kAnyMu ? 1 / Wmax : mu_plus / Wmax, slope_down = kAnyMu ? 1 / Wmax : mu_minus / Wmax, least_down = kAnyMu ? 0 : 1 - mu_minus;
  T post(T w, T k, const PostSpike<T, false>&) const noexcept {
    T room = std::max(1 - w * slope_up, T{0});
    if constexpr (kAnyMu) room = power(room, mu_plus, k);
    return std::min(w + room * (up * k), Wmax);
  }
  T pre(T w, T k, T) const noexcept {
    T size = w * slope_down + least_down;
    if constexpr (kAnyMu) size = power(size, mu_minus, k);
    return std::max(w - size * (down * k), T{0});
  }
};

/// w += lambda w^mu k; w -= lambda alpha w k, at least 0. Source: Morrison, Aertsen, Diesmann, Neural Comput. 19 (2007) 1437-1467, eq. 5;
/// NEST stdp_pl_synapse_hom.
template <class T>
struct PowerLawRule {
  static constexpr bool kLearns = true, kTriplet = false, kSteady = false, kTie = false;
  T lambda, down, mu;
  T post(T w, T k, const PostSpike<T, false>&) const noexcept { return w + lambda * power(w, mu, k) * k; }
  T pre(T w, T k, T) const noexcept { return std::max(w - down * w * k, T{0}); }
};

/// w += k (Aplus + Aplus_triplet before), at most Wmax; w -= k (Aminus + Aminus_triplet before), at least 0.
/// Source: Pfister, Gerstner, J. Neurosci. 26 (2006) 9673-9682, eqs. 3, 4; NEST stdp_triplet_synapse.
template <class T>
struct TripletRule {
  static constexpr bool kLearns = true, kTriplet = true, kSteady = false, kTie = false;
  T Aplus, Aminus, Aplus_triplet, Aminus_triplet, Wmax;
  T post(T w, T k, const PostSpike<T, true>& spike) const noexcept {
    return std::min(w + k * (Aplus + Aplus_triplet * spike.before), Wmax);
  }
  T pre(T w, T k, T before) const noexcept { return std::max(w - k * (Aminus + Aminus_triplet * before), T{0}); }
};

// Steady rules: a synapse changes at spikes of its target, or between spikes, whatever its source's trace. between(w, c, from, to): nothing
// happens from one step to the other; post(w, c, k, trace): a spike of the target, trace is the sum of its spikes up to this one;
// pre(w, c, k): one of the source. k as above. c: the synapse's eligibility trace, where it has one.

/// At each spike of the target w += eta (x - alpha w y), 0 to Wmax. x, y: rates of source and target (1/ms) as their traces say before the
/// spike, k/tau_plus and (trace - 1)/tau_minus. alpha = 0: Hebb's rule. Source: Oja, J. Math. Biol. 15 (1982) 267-273, eq. 3, with rates
/// as traces and the output's rate taken by its spikes.
template <class T>
struct OjaRule {
  static constexpr bool kLearns = true, kTriplet = false, kSteady = true, kTie = false, kEligible = false;
  T up, down, Wmax;  // eta/tau_plus, eta alpha/tau_minus
  void between(T&, T&, std::uint32_t, std::uint32_t) const noexcept {}
  void post(T& w, T&, T k, T trace) const noexcept { w = std::min(std::max(w + (up * k - down * (trace - 1) * w), T{0}), Wmax); }
  void pre(T&, T&, T) const noexcept {}
};

/// c += A_plus k at a spike of the target, c -= A_minus k at one of the source; between spikes w' = c (n - b), Wmin to Wmax where spikes
/// are. Source: modulation.h.
template <class T>
struct DopamineRule {
  static constexpr bool kLearns = true, kTriplet = false, kSteady = true, kTie = false, kEligible = true;
  T A_plus, A_minus, Wmin, Wmax;
  const Modulation* modulation;
  void between(T& w, T& c, std::uint32_t from, std::uint32_t to) const noexcept {
    double decay;
    const double integral = modulation->integral(from, to, decay);
    w = std::min(std::max(w + c * static_cast<T>(integral), Wmin), Wmax);
    c *= static_cast<T>(decay);
  }
  void post(T&, T& c, T k, T) const noexcept { c += A_plus * k; }
  void pre(T&, T& c, T k) const noexcept { c -= A_minus * k; }
};

/// Weights stay; what arrives is x u times them.
template <class T>
struct DepressingRule {
  static constexpr bool kLearns = false, kTriplet = false, kSteady = false, kTie = false;
};

/// A rule with the traces of its sources (plus) and targets (minus).
template <class T, class RuleOf>
struct Learning {
  using Rule = RuleOf;
  static constexpr std::size_t kAtOnce = PostSpikes<T, Rule::kTriplet>::kAtOnce;
  Rule rule;
  Decay<T> plus, minus;
};

/// Brings a weight up to date: the target's spikes after step `from` up to `upto` (both less the delay), with the source's trace `pre` at
/// `from`. spikes is left at the newest of those not after `upto`.
template <class T, class L, class Spike>
inline T catch_up(const L& learning, T weight, const Spike*& spikes, std::uint32_t from, std::uint32_t upto, T pre) noexcept {
  while (spikes->step > upto) ++spikes;
  // Most often there are a few: as many are taken always, those before `from` with a trace of 0. No branch depends on how many there are.
  static_assert(L::kAtOnce == 2);
  const Spike* oldest = spikes + 2;
  while (oldest->step > from) ++oldest;
  while (oldest != spikes + 2) {
    --oldest;
    weight = learning.rule.post(weight, pre * learning.plus(oldest->step - from), *oldest);
  }
  weight = learning.rule.post(weight, pre * learning.plus(spikes[1].step - from), spikes[1]);
  return learning.rule.post(weight, pre * learning.plus(spikes[0].step - from), spikes[0]);
}

/// The same for steady rules: from step `from` to step `upto`, as the synapse sees them.
template <class T, class L, class Spike>
inline void catch_up(const L& learning, T& weight, T& c, const Spike*& spikes, std::uint32_t from, std::uint32_t upto, std::uint32_t delay,
                     T pre) noexcept {
  while (spikes->step > upto - delay) ++spikes;
  const Spike* next = spikes;
  while (next->step > from - delay) ++next;
  std::uint32_t at = from;
  while (next != spikes) {
    --next;
    learning.rule.between(weight, c, at, next->step + delay);
    at = next->step + delay;
    learning.rule.post(weight, c, pre * learning.plus(at - from), next->trace);
  }
  learning.rule.between(weight, c, at, upto);
}

/// The weight after a spike of the source, `delay` steps from the target. c: of a steady rule, else unused.
template <class T, class L, class Spike>
inline T learn(const L& learning, T weight, [[maybe_unused]] T& c, const Spike* spikes, const LearningSpike<T>& spike,
               std::uint32_t delay) noexcept {
  const std::uint32_t upto = spike.sent - delay;
  if constexpr (L::Rule::kSteady) {
    catch_up(learning, weight, c, spikes, spike.last, spike.sent, delay, spike.pre);
    spikes += spikes->step == upto;
    learning.rule.pre(weight, c, spikes->trace * learning.minus(upto - spikes->step));
    return weight;
  } else {
    weight = catch_up(learning, weight, spikes, spike.last - delay, upto, spike.pre);
    if constexpr (!L::Rule::kTie) spikes += spikes->step == upto;  // a pair at once is no pair
    T k = spikes->trace * learning.minus(upto - spikes->step);
    if constexpr (L::Rule::kTie) k = spikes->step == upto ? spikes->trace : k;  // or one in which the target was first
    return learning.rule.pre(weight, k, spike.before);
  }
}

/// Brings the synapses up to date at which each of `count` spikes arrives after `delay` steps; deliver() then adds them up. posts: of the
/// target at `origin` of the row and of those after it. eligibility: of the synapse at `synapses` and of those after it; null where the
/// rule has none.
template <class T, class L>
void learn_arrived(const L& learning, const LearningSpike<T>* spikes, std::size_t count, std::uint32_t delay, int shift,
                   const PostSpikes<T, L::Rule::kTriplet>& posts, std::size_t origin, [[maybe_unused]] const Synapse<T>* synapses,
                   [[maybe_unused]] T* eligibility) noexcept {
  T none = 0;
  const std::uint32_t first = delay << shift, last = first + ((std::uint32_t{1} << shift) - 1);
  const std::uint32_t base = first + static_cast<std::uint32_t>(origin);
  for (std::size_t i = 0; i < count; ++i) {
    const LearningSpike<T> spike = spikes[i];  // a copy: what is stored does not change it
    if (spike.at < first || spike.at > last) continue;
    if (i + 1 < count)  // lists lie anywhere in memory; from the fourth line on the processor sees for itself
      for (std::size_t line = 0; line < 4; ++line) __builtin_prefetch(spikes[i + 1].next + line * (64 / sizeof(Synapse<T>)), 1, 2);
    Synapse<T>* s = spike.next;
    for (; s->at <= last; ++s) {
      posts.fetch(s[kListMargin].at - base);  // targets lie anywhere too; behind the end of a list this is of another, or nowhere
      T* c = &none;
      if constexpr (L::Rule::kSteady) c = eligibility ? eligibility + (s - synapses) : c;
      s->weight = learn(learning, s->weight, *c, posts.of(s->at - base), spike, delay);
    }
  }
}

}  // namespace apical::kernels
