#pragma once
// Trains a spiking network on a loader (loop.h) by one of the rules of learning.
#include "apical/learning/rules.h"
#include "apical/training/evaluate.h"
#include "apical/training/loader.h"
#include "apical/training/loop.h"

namespace apical::training {

struct TrainOptions : LoopOptions {
  learning::RuleOptions rule;
  learning::LossOptions loss;
  Augment augment;
};

/// Reads a [train] table: epochs batch max_steps optimizer lr weight_decay momentum schedule warmup rule k loss mse one_hot
/// label_smoothing shift checkpoint_steps clip. Unknown keys are usage errors.
TrainOptions parse_training(const Config& train, std::uint64_t seed);

/// Trains a spiking network by a learning rule.
class Trainer : public Loop {
 public:
  /// `checkpoint` is the file to keep the run in ("" = none). `log` may be null; `log_start` is where this run's lines begin.
  Trainer(nn::Network network, const Loader& train, const Loader* validation, TrainOptions options, std::filesystem::path checkpoint,
          recipe::MetricsLog* log, std::string title, std::uint64_t log_start = 0);

 protected:
  StepResult learn(std::span<const std::uint32_t> indices, std::uint64_t epoch, std::uint64_t step) override;
  double validate() override;

 private:
  nn::Network network_;
  const Loader& train_;
  const Loader* validation_;
  learning::RuleOptions rule_;
  learning::LossOptions loss_;
  Augment augment_;
};

}  // namespace apical::training
