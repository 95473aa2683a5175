#pragma once
// Trains a network on a loader: optimiser, schedule, metrics, checkpoints, resume. A resumed run ends with the same weights, bit
// for bit, as an unbroken one: everything it does is a function of (settings, seed, step), and the rest is in the checkpoint.
#include <filesystem>
#include <functional>
#include <optional>

#include "apical/learning/rules.h"
#include "apical/recipe/metrics_log.h"
#include "apical/training/evaluate.h"
#include "apical/training/loader.h"
#include "apical/training/optimizer.h"

namespace apical::training {

struct TrainOptions {
  std::int64_t epochs = 4, batch = 128;
  std::int64_t max_steps = 0;              ///< > 0: stop after this many steps (schedules still span them)
  OptimizerOptions optimizer;
  learning::RuleOptions rule;
  learning::LossOptions loss;
  Augment augment;
  std::uint64_t seed = 1;
  double checkpoint_seconds = 30;          ///< and at the end of every epoch
  std::int64_t checkpoint_steps = 0;       ///< > 0: also every so many steps
};

/// Reads a [train] table: epochs batch max_steps optimizer lr weight_decay momentum schedule warmup rule k loss mse one_hot
/// label_smoothing shift checkpoint_steps. Unknown keys are usage errors.
TrainOptions parse_training(const Config& train, std::uint64_t seed);

struct Epoch {
  std::int64_t epoch = 0;        ///< from 1
  double loss = 0, accuracy = 0; ///< on the training batches as they went by
  double validation = -1;        ///< accuracy on the validation set, or -1
  double seconds = 0;            ///< wall time of the training steps of this epoch (of this process)
};

class Trainer {
 public:
  /// `checkpoint` is the file to keep the run in ("" = none). `log` may be null; `log_start` is where this run's lines begin.
  Trainer(nn::Network network, const Loader& train, const Loader* validation, TrainOptions options, std::filesystem::path checkpoint,
          recipe::MetricsLog* log, std::string title, std::uint64_t log_start = 0);

  /// Runs to the end, from the checkpoint when `resume` and there is one. Ctrl-C: finishes the step, saves, throws
  /// recipe::Interrupted. A loss that is not finite is a check-failed Error naming the step.
  void run(bool resume);

  const std::vector<Epoch>& history() const noexcept { return history_; }
  std::uint64_t steps() const noexcept { return step_; }
  std::uint64_t log_size() const noexcept { return log_size_; }
  std::uint64_t steps_per_epoch() const noexcept;
  std::uint64_t total_steps() const noexcept;

 private:
  void train_step(const std::vector<std::uint32_t>& order);
  void end_epoch();
  void save();
  bool load();

  nn::Network network_;
  const Loader& train_;
  const Loader* validation_;
  TrainOptions o_;
  std::filesystem::path checkpoint_;
  recipe::MetricsLog* log_;
  std::string title_;
  FlatOptimizer optimizer_;
  std::vector<Epoch> history_;
  std::uint64_t step_ = 0, log_size_ = 0;
  double loss_sum_ = 0, correct_ = 0, seen_ = 0, epoch_seconds_ = 0;  // of the epoch that is running
};

}  // namespace apical::training
