#pragma once
// Learning by three factors: pairs of spikes leave an eligibility trace c at a synapse, and a neuromodulator's concentration n turns it
// into weight. Source: Izhikevich, Cereb. Cortex 17 (2007) 2443-2452; Potjans, Morrison, Diesmann, Front. Comput. Neurosci. 4 (2010) 141,
// eqs. 1-3 (NEST stdp_dopamine_synapse):
//   w' = c (n - b),   c' = -c/tau_c + pairs,   n' = -n/tau_n + sum of the modulator's spikes / tau_n
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace apical::kernels {

/// n over the last steps, as what synapses ask for: the integral of exp(-(t - from)/tau_c) (n(t) - b). It is exact, and takes no longer the
/// more spikes there were: sums are kept from the beginning of each block of about tau_c, so that no digits are lost.
class Modulation {
 public:
  Modulation() = default;
  /// tau_c, tau_n, dt: ms; window: steps that are asked for.
  Modulation(double tau_c, double tau_n, double b, double dt, std::uint32_t window)
      : block_(std::bit_floor(static_cast<std::uint32_t>(std::fmax(1, std::fmin(tau_c / dt, 1 << 16))))),
        mask_(std::bit_ceil(window + 2) - 1),
        of_n_(-std::expm1(-dt * (1 / tau_c + 1 / tau_n)) / (1 / tau_c + 1 / tau_n)),
        of_b_(-std::expm1(-dt / tau_c) * tau_c * b),
        n_decay_(std::exp(-dt / tau_n)),
        jump_(1 / tau_n),
        sums_(mask_ + 1) {
    for (std::uint32_t j = 0; j <= block_; ++j) decay_.push_back(std::exp(-(j * dt / tau_c)));
  }

  /// The step that ends at `step`, the one after the last: so many spikes came at its end.
  void add(std::uint32_t step, std::uint32_t spikes) noexcept {
    const std::uint32_t from = (step - 1) % block_;
    const double before = from == 0 ? 0 : sums_[(step - 1) & mask_];
    sums_[step & mask_] = before + decay_[from] * (n_ * of_n_ - of_b_);
    n_ = n_ * n_decay_ + jump_ * spikes;
  }
  /// The integral from one step to another, not before it; decay: what is left of a trace c.
  double integral(std::uint32_t from, std::uint32_t to, double& decay) const noexcept {
    double sum = 0;
    decay = 1;
    while (from < to) {
      const std::uint32_t start = from % block_, until = std::min(from - start + block_, to);
      const double before = start == 0 ? 0 : sums_[from & mask_];
      sum += decay / decay_[start] * (sums_[until & mask_] - before);
      decay *= decay_[until - from];
      from = until;
    }
    return sum;
  }

  /// n, and the sums: all that changes.
  std::vector<double> state() const {
    std::vector<double> all{n_};
    all.insert(all.end(), sums_.begin(), sums_.end());
    return all;
  }
  void set_state(const std::vector<double>& all) { n_ = all[0], sums_.assign(all.begin() + 1, all.end()); }

 private:
  std::uint32_t block_ = 1, mask_ = 0;
  double of_n_ = 0, of_b_ = 0, n_decay_ = 1, jump_ = 0, n_ = 0;
  std::vector<double> decay_, sums_;  // sums_: [step modulo their number], from the beginning of the step's block
};

}  // namespace apical::kernels
