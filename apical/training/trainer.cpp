#include "apical/training/trainer.h"

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::training {

TrainOptions parse_training(const Config& t, std::uint64_t seed) {
  t.allow_only({"epochs", "batch", "max_steps", "optimizer", "lr", "weight_decay", "momentum", "schedule", "warmup", "rule", "k", "loss", "mse",
                "one_hot", "label_smoothing", "shift", "checkpoint_steps", "clip"});
  TrainOptions o;
  o.seed = o.rule.seed = seed;
  auto integer = [&](const char* key, auto& value) { if (t.has(key)) value = static_cast<std::decay_t<decltype(value)>>(t.integer(key)); };
  auto real = [&](const char* key, double& value) { if (t.has(key)) value = t.real(key); };
  integer("epochs", o.epochs);
  integer("batch", o.batch);
  integer("max_steps", o.max_steps);
  integer("checkpoint_steps", o.checkpoint_steps);
  integer("k", o.rule.k);
  integer("shift", o.augment.shift);
  if (t.has("optimizer")) o.optimizer.kind = t.text("optimizer");
  if (t.has("schedule")) o.optimizer.schedule = t.text("schedule");
  real("lr", o.optimizer.lr);
  real("weight_decay", o.optimizer.weight_decay);
  real("momentum", o.optimizer.momentum);
  real("warmup", o.optimizer.warmup);
  real("clip", o.optimizer.clip);
  real("mse", o.loss.mse);
  real("label_smoothing", o.loss.label_smoothing);
  if (t.has("one_hot")) o.loss.one_hot = t.boolean("one_hot");
  if (t.has("rule")) o.rule.rule = learning::rule_from(t.text("rule"));
  if (t.has("loss")) {
    const std::string kind = t.text("loss");
    if (kind != "readout" && kind != "per_step")
      throw usage_error("there is no loss '" + kind + "'", t.where() + ", loss", did_you_mean(kind, {"readout", "per_step"}));
    o.loss.kind = kind == "readout" ? learning::LossOptions::Kind::readout : learning::LossOptions::Kind::per_step;
  }
  if (o.epochs < 1 || o.batch < 1 || o.max_steps < 0 || o.augment.shift < 0)
    throw usage_error("needs epochs >= 1, batch >= 1, max_steps >= 0 and shift >= 0", t.where());
  return o;
}

Trainer::Trainer(nn::Network network, const Loader& train, const Loader* validation, TrainOptions options, std::filesystem::path checkpoint,
                 recipe::MetricsLog* log, std::string title, std::uint64_t log_start)
    : Loop(*network, train.size(), options, std::move(checkpoint), log, std::move(title), log_start), network_(std::move(network)), train_(train),
      validation_(validation), rule_(options.rule), loss_(options.loss), augment_(options.augment) {
  learning::check_rule(rule_, loss_, *network_);
}

Loop::StepResult Trainer::learn(std::span<const std::uint32_t> indices, std::uint64_t epoch, std::uint64_t step) {
  const auto x = train_.batch(indices, augment_, options().seed, epoch);
  const auto labels = train_.labels(indices);
  const auto result = learning::accumulate_gradients(network_, x, labels, rule_, loss_, step);
  return {result.loss, network_->readout(result.steps, x.T).argmax(1).eq(labels).sum().item<double>()};
}

double Trainer::validate() { return validation_ ? evaluate(network_, *validation_).accuracy() : -1; }

}  // namespace apical::training
