#pragma once
// Two associative memories that the spiking one is compared with, on the same pairs: patterns of n + m values, the cue one-hot. Both are
// told that exactly one cue is right, so their cue is the largest of its part.
#include <cstdint>
#include <vector>

#include "recipes/hippocampus-cam/cam.h"

namespace apical::cam {

class Hopfield {
 public:
  virtual ~Hopfield() = default;
  virtual void learn(std::uint32_t cue, const Neurons& content) = 0;
  /// What completes the cue, or some content neurons that are known to be active.
  Neurons recall_by_cue(std::uint32_t cue);
  std::uint32_t recall_by_content(const Neurons& content);
  std::uint64_t macs() const noexcept { return macs_; }  ///< multiply-accumulates of all recalls so far

 protected:
  Hopfield(std::uint32_t cues, std::uint32_t content) : n_(cues), m_(content) {}
  /// Field of every unit from a state of -1, 1, and 0 where it is not known.
  virtual std::vector<double> complete(const std::vector<double>& known) = 0;
  std::uint32_t n_, m_;
  std::uint64_t macs_ = 0;
};

/// Weights are sums of outer products of (x - p), p the share of active units in the part (1/n, and `density`); units that are not known
/// follow the sign of their field, all at once, until none changes or for 20 rounds. Source: Hopfield, PNAS 79 (1982) 2554; the rule for
/// sparse patterns: Tsodyks, Feigelman, Europhys. Lett. 6 (1988) 101.
class ClassicalHopfield : public Hopfield {
 public:
  ClassicalHopfield(std::uint32_t cues, std::uint32_t content, double density);
  void learn(std::uint32_t cue, const Neurons& content) override;

 private:
  std::vector<double> complete(const std::vector<double>& known) override;
  double share(std::size_t unit) const { return unit < n_ ? 1.0 / n_ : density_; }
  double density_;
  std::vector<double> w_;  // [n + m, n + m]
};

/// Patterns are kept; one update X softmax(beta X' state), beta = 2. Source: Ramsauer et al., Hopfield networks is all you need, ICLR 2021,
/// eq. 3.
class ModernHopfield : public Hopfield {
 public:
  ModernHopfield(std::uint32_t cues, std::uint32_t content) : Hopfield(cues, content) {}
  void learn(std::uint32_t cue, const Neurons& content) override;

 private:
  std::vector<double> complete(const std::vector<double>& known) override;
  std::vector<std::vector<double>> patterns_;
};

}  // namespace apical::cam
