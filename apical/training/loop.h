#pragma once
// The course of a training run, whatever it trains: order of the samples, optimiser, schedule, metrics, checkpoints, resume. A resumed
// run ends with the same weights, bit for bit, as an unbroken one: everything it does is a function of (settings, seed, step), and the
// rest is in the checkpoint.
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "apical/recipe/metrics_log.h"
#include "apical/training/optimizer.h"

namespace apical::training {

struct LoopOptions {
  std::int64_t epochs = 4, batch = 128;
  std::int64_t max_steps = 0;              ///< > 0: stop after this many steps (schedules still span them)
  OptimizerOptions optimizer;
  std::uint64_t seed = 1;
  bool every_epoch = true;                 ///< a checkpoint and a line on standard error after every epoch, or at the end alone
  double checkpoint_seconds = 30;          ///< a checkpoint also after so long
  std::int64_t checkpoint_steps = 0;       ///< > 0: also every so many steps
};

struct Epoch {
  std::int64_t epoch = 0;        ///< from 1
  double loss = 0, accuracy = 0; ///< on the training batches as they went by
  double validation = -1;        ///< of the learner on held-out samples, or -1
  double seconds = 0;            ///< wall time of the training steps of this epoch (of this process)
};

class Loop {
 public:
  virtual ~Loop() = default;

  /// Runs to the end, from the checkpoint when `resume` and there is one. Ctrl-C: finishes the step, saves, throws
  /// recipe::Interrupted. A loss that is not finite is a check-failed Error naming the step.
  void run(bool resume);

  const std::vector<Epoch>& history() const noexcept { return history_; }
  std::uint64_t steps() const noexcept { return step_; }
  std::uint64_t log_size() const noexcept { return log_size_; }
  std::uint64_t steps_per_epoch() const noexcept;
  std::uint64_t total_steps() const noexcept;

 protected:
  /// Takes over the storage of the module's parameters. `samples` >= 1 are gone through once an epoch; the rest as Trainer's.
  Loop(torch::nn::Module& module, std::size_t samples, LoopOptions options, std::filesystem::path checkpoint, recipe::MetricsLog* log, std::string title,
       std::uint64_t log_start);

  struct StepResult {
    double loss = 0, correct = 0;  ///< mean loss of the batch, number of right answers
  };
  /// Adds the gradients of a batch; pure in its arguments and the weights. (epochs from 0)
  virtual StepResult learn(std::span<const std::uint32_t> indices, std::uint64_t epoch, std::uint64_t step) = 0;
  /// Called after each epoch: a figure on held-out samples, or -1.
  virtual double validate() { return -1; }
  /// Called after the optimiser's step; what it keeps must be a function of the weights at some steps, and goes into facts() of a
  /// checkpoint as text.
  virtual void stepped(std::uint64_t /*steps done*/) {}
  virtual std::string facts() const { return ""; }
  virtual void restore(const std::string& /*facts*/) {}
  /// Says more about a loss that is not finite.
  virtual std::string why_not_finite() { return "Try a smaller lr."; }

  const LoopOptions& options() const noexcept { return o_; }
  const std::string& title() const noexcept { return title_; }

 private:
  void train_step(const std::vector<std::uint32_t>& order);
  void end_epoch();
  void save();
  bool load();

  torch::nn::Module& module_;
  std::size_t samples_;
  LoopOptions o_;
  std::filesystem::path checkpoint_;
  recipe::MetricsLog* log_;
  std::string title_;
  FlatOptimizer optimizer_;
  std::vector<Epoch> history_;
  std::uint64_t step_ = 0, log_size_ = 0;
  double loss_sum_ = 0, correct_ = 0, seen_ = 0, epoch_seconds_ = 0;  // of the epoch that is running
};

}  // namespace apical::training
