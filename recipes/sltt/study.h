#pragma once
// What the parts of the recipe share: its arms, its network at any T and tau, short training runs taken step by step.
#include <span>
#include <string>
#include <vector>

#include "apical/learning/compare.h"
#include "apical/recipe/recipe.h"
#include "apical/training/trainer.h"

namespace apical::sltt {

struct Arm {
  std::string name, metric;  // "sltt-1", "sltt_1"
  learning::RuleOptions rule;
};
/// The arms that `rule` and `K` ask for; usage errors.
std::vector<Arm> arms_of(const recipe::RunContext& c);

struct Study {
  recipe::RunContext& c;
  data::Set train, validation;
  data::Preprocess normal{{0.1307f}, {0.3081f}};

  double tau() const { return c.config.real("tau"); }
  nn::Network network(const data::FrameShape& input, std::int64_t T, double tau, std::uint64_t seed) const;
  training::Loader loader(const data::Set& set, std::int64_t T) const { return {set, data::Encoder{}, normal, T}; }
  training::TrainOptions options(const learning::RuleOptions& rule, std::uint64_t seed, double lr) const;
};

/// Training by one rule at a constant rate, one step at a time.
class Steps {
 public:
  Steps(const Study& study, const learning::RuleOptions& rule, std::int64_t T, double tau, std::uint64_t seed);

  struct Batch {
    nn::Sequence x;
    torch::Tensor labels;
  };
  Batch batch(std::int64_t i) const;
  void learn(const Batch& batch, std::int64_t i);
  /// Gradients of BPTT and of SLTT at the weights of this moment.
  std::vector<learning::GradientComparison> compare(const Batch& batch);
  /// How far they are from each other, in float64. Nothing is learnt after this.
  double difference(const Batch& batch);

 private:
  training::Loader loader_;
  training::TrainOptions options_;
  nn::Network network_;
  training::FlatOptimizer optimizer_;
  std::vector<std::uint32_t> order_;
  std::size_t size_;  // of a batch
};

/// Memory and time of an iteration and the cosine of the gradients at every T of `steps`; the peak of resident memory with each
/// rule in a process of its own. Metrics, figures, memory_time.csv.
void measure(const Study& study, const std::vector<Arm>& arms);
/// The run of one such process (arms = "memory"): one rule, at T, on drawn digits.
void measure_alone(recipe::RunContext& c, const Arm& arm);
/// How alike the gradients of SLTT and BPTT are, and what tau does to that.
void gradients(const Study& study);

}  // namespace apical::sltt
