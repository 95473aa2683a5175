#include "apical/training/trainer.h"

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/philox.h"
#include "apical/base/progress.h"
#include "apical/base/stop.h"
#include "apical/base/text.h"
#include "apical/recipe/recipe.h"
#include "apical/training/checkpoint.h"

namespace apical::training {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A double that survives the text of a checkpoint unchanged.
std::string exact(double v) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.17g", v);
  return buffer;
}

}  // namespace

TrainOptions parse_training(const Config& t, std::uint64_t seed) {
  t.allow_only({"epochs", "batch", "max_steps", "optimizer", "lr", "weight_decay", "momentum", "schedule", "warmup", "rule", "k", "loss", "mse",
                "one_hot", "label_smoothing", "shift", "checkpoint_steps"});
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
    : network_(std::move(network)), train_(train), validation_(validation), o_(std::move(options)), checkpoint_(std::move(checkpoint)), log_(log),
      title_(std::move(title)), optimizer_(network_->parameters(), o_.optimizer), log_size_(log_start) {
  if (train_.size() == 0) throw data_error("there is nothing to train on", title_);
  learning::check_rule(o_.rule, o_.loss, *network_);
}

std::uint64_t Trainer::steps_per_epoch() const noexcept { return (train_.size() + static_cast<std::uint64_t>(o_.batch) - 1) / static_cast<std::uint64_t>(o_.batch); }
std::uint64_t Trainer::total_steps() const noexcept {
  return o_.max_steps > 0 ? static_cast<std::uint64_t>(o_.max_steps) : steps_per_epoch() * static_cast<std::uint64_t>(o_.epochs);
}

void Trainer::run(bool resume) {
  const bool continued = resume && !checkpoint_.empty() && std::filesystem::exists(checkpoint_) && load();
  const std::uint64_t per_epoch = steps_per_epoch(), total = total_steps();
  if (step_ >= total) return;  // a finished part of a longer run: its lines and those after it stay
  if (log_) log_->truncate(log_size_);
  if (!continued) save();
  Progress progress(title_, total, "steps");
  progress.set_done(step_);
  network_->train();
  auto saved = Clock::now();
  std::vector<std::uint32_t> order;
  std::uint64_t order_epoch = ~std::uint64_t{0};
  while (step_ < total) {
    if (const std::uint64_t epoch = step_ / per_epoch; epoch != order_epoch) {
      order = permutation(static_cast<std::uint32_t>(train_.size()), Random(o_.seed, stream_id("order") + epoch));
      order_epoch = epoch;
    }
    train_step(order);
    progress.note("loss " + number(loss_sum_ / std::max(1.0, seen_), 3) + ", accuracy " + number(100 * correct_ / std::max(1.0, seen_), 4) + " %");
    progress.advance();
    const bool epoch_done = step_ % per_epoch == 0 || step_ == total;
    if (epoch_done) end_epoch();
    const bool stop = stop_requested();
    const bool due = (o_.checkpoint_steps > 0 && step_ % static_cast<std::uint64_t>(o_.checkpoint_steps) == 0) || seconds_since(saved) >= o_.checkpoint_seconds;
    if (epoch_done || stop || due) {
      save();
      saved = Clock::now();
    }
    if (stop && step_ < total) throw recipe::Interrupted();
  }
}

void Trainer::train_step(const std::vector<std::uint32_t>& order) {
  const auto start = Clock::now();
  const std::uint64_t per_epoch = steps_per_epoch(), epoch = step_ / per_epoch;
  const std::size_t begin = static_cast<std::size_t>(step_ % per_epoch) * static_cast<std::size_t>(o_.batch);
  const std::span<const std::uint32_t> indices(order.data() + begin, std::min(static_cast<std::size_t>(o_.batch), order.size() - begin));
  const auto x = train_.batch(indices, o_.augment, o_.seed, epoch);
  const auto labels = train_.labels(indices);
  optimizer_.zero_grad();
  const auto result = learning::accumulate_gradients(network_, x, labels, o_.rule, o_.loss, step_);
  if (!std::isfinite(result.loss))
    throw Error(ExitCode::check_failed, "the loss is not finite", title_ + ", step " + std::to_string(step_), "Try a smaller lr.");
  optimizer_.step(learning_rate(o_.optimizer, step_, total_steps()));
  const double n = static_cast<double>(indices.size());
  loss_sum_ += result.loss * n;
  correct_ += network_->readout(result.steps, x.T).argmax(1).eq(labels).sum().item<double>();
  seen_ += n;
  ++step_;
  epoch_seconds_ += seconds_since(start);
}

void Trainer::end_epoch() {
  Epoch e;
  e.epoch = static_cast<std::int64_t>(history_.size()) + 1;
  e.loss = loss_sum_ / seen_;
  e.accuracy = correct_ / seen_;
  e.seconds = epoch_seconds_;
  if (validation_) e.validation = evaluate(network_, *validation_).accuracy();
  network_->train();
  loss_sum_ = correct_ = seen_ = epoch_seconds_ = 0;
  history_.push_back(e);
  if (log_) {
    log_->append("epoch", {{"epoch", static_cast<double>(e.epoch)}, {"step", static_cast<double>(step_)}, {"loss", e.loss}, {"accuracy", e.accuracy},
                           {"validation", e.validation < 0 ? std::nan("") : e.validation}, {"seconds", e.seconds}});
    log_size_ = log_->size();
  }
  log_info(title_ + ": epoch " + std::to_string(e.epoch) + "  loss " + number(e.loss, 3) + "  accuracy " + number(100 * e.accuracy, 4) + " %" +
           (e.validation >= 0 ? "  validation " + number(100 * e.validation, 4) + " %" : "") + "  " + duration_text(e.seconds));
}

void Trainer::save() {
  if (checkpoint_.empty()) return;
  Checkpoint c;
  c.tensors = optimizer_.state();
  for (const auto& b : network_->named_buffers()) c.tensors.emplace_back("buffer." + b.key(), b.value());
  c.facts = environment_facts();
  c.facts["step"] = std::to_string(step_);
  c.facts["log_size"] = std::to_string(log_size_);
  c.facts["epoch_sums"] = exact(loss_sum_) + " " + exact(correct_) + " " + exact(seen_) + " " + exact(epoch_seconds_);
  auto history = nlohmann::json::array();
  for (const auto& e : history_) history.push_back({e.epoch, e.loss, e.accuracy, e.validation, e.seconds});
  c.facts["history"] = history.dump();
  save_checkpoint(checkpoint_, c);
}

bool Trainer::load() {
  const auto c = load_checkpoint(checkpoint_);
  warn_if_environment_differs(c);
  const std::string where = checkpoint_.string();
  try {
    step_ = std::stoull(c.facts.at("step"));
    log_size_ = std::stoull(c.facts.at("log_size"));
    if (std::sscanf(c.facts.at("epoch_sums").c_str(), "%lf %lf %lf %lf", &loss_sum_, &correct_, &seen_, &epoch_seconds_) != 4)
      throw std::invalid_argument("epoch_sums");
    history_.clear();
    for (const auto& e : nlohmann::json::parse(c.facts.at("history"))) history_.push_back({e.at(0), e.at(1), e.at(2), e.at(3), e.at(4)});
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    throw data_error(std::string("the checkpoint is damaged: ") + e.what(), where);
  }
  optimizer_.restore(c.tensors, static_cast<std::int64_t>(step_));
  torch::NoGradGuard no_grad;
  for (auto& b : network_->named_buffers()) {
    const auto it = std::find_if(c.tensors.begin(), c.tensors.end(), [&](const auto& t) { return t.first == "buffer." + b.key(); });
    if (it == c.tensors.end() || it->second.sizes() != b.value().sizes()) throw data_error("the checkpoint does not fit this network", where + ", " + b.key());
    b.value().copy_(it->second);
  }
  log_info(title_ + ": goes on from step " + std::to_string(step_) + " of " + std::to_string(total_steps()));
  return true;
}

}  // namespace apical::training
