#include "apical/training/loop.h"

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

Loop::Loop(torch::nn::Module& module, std::size_t samples, LoopOptions options, std::filesystem::path checkpoint, recipe::MetricsLog* log,
           std::string title, std::uint64_t log_start)
    : module_(module), samples_(samples), o_(std::move(options)), checkpoint_(std::move(checkpoint)), log_(log), title_(std::move(title)),
      optimizer_(module.parameters(), o_.optimizer), log_size_(log_start) {
  if (samples_ == 0) throw data_error("there is nothing to train on", title_);
}

std::uint64_t Loop::steps_per_epoch() const noexcept { return (samples_ + static_cast<std::uint64_t>(o_.batch) - 1) / static_cast<std::uint64_t>(o_.batch); }
std::uint64_t Loop::total_steps() const noexcept {
  return o_.max_steps > 0 ? static_cast<std::uint64_t>(o_.max_steps) : steps_per_epoch() * static_cast<std::uint64_t>(o_.epochs);
}

void Loop::run(bool resume) {
  const bool continued = resume && !checkpoint_.empty() && std::filesystem::exists(checkpoint_) && load();
  const std::uint64_t per_epoch = steps_per_epoch(), total = total_steps();
  if (step_ >= total) return;  // a finished part of a longer run: its lines and those after it stay
  if (log_) log_->truncate(log_size_);
  if (!continued) save();
  Progress progress(title_, total, "steps");
  progress.set_done(step_);
  module_.train();
  auto saved = Clock::now();
  std::vector<std::uint32_t> order;
  std::uint64_t order_epoch = ~std::uint64_t{0};
  while (step_ < total) {
    if (const std::uint64_t epoch = step_ / per_epoch; epoch != order_epoch) {
      order = permutation(static_cast<std::uint32_t>(samples_), Random(o_.seed, stream_id("order") + epoch));
      order_epoch = epoch;
    }
    train_step(order);
    progress.note("loss " + number(loss_sum_ / std::max(1.0, seen_), 3) + ", accuracy " + number(100 * correct_ / std::max(1.0, seen_), 4) + " %");
    progress.advance();
    const bool epoch_done = step_ % per_epoch == 0 || step_ == total;
    if (epoch_done) end_epoch();
    const bool stop = stop_requested();
    const bool due = (o_.checkpoint_steps > 0 && step_ % static_cast<std::uint64_t>(o_.checkpoint_steps) == 0) || seconds_since(saved) >= o_.checkpoint_seconds;
    if ((epoch_done && o_.every_epoch) || step_ == total || stop || due) {
      save();
      saved = Clock::now();
    }
    if (stop && step_ < total) throw recipe::Interrupted();
  }
}

void Loop::train_step(const std::vector<std::uint32_t>& order) {
  const auto start = Clock::now();
  const std::uint64_t per_epoch = steps_per_epoch(), epoch = step_ / per_epoch;
  const std::size_t begin = static_cast<std::size_t>(step_ % per_epoch) * static_cast<std::size_t>(o_.batch);
  const std::span<const std::uint32_t> indices(order.data() + begin, std::min(static_cast<std::size_t>(o_.batch), order.size() - begin));
  optimizer_.zero_grad();
  const auto result = learn(indices, epoch, step_);
  if (!std::isfinite(result.loss)) throw Error(ExitCode::check_failed, "the loss is not finite", title_ + ", step " + std::to_string(step_), why_not_finite());
  optimizer_.step(learning_rate(o_.optimizer, step_, total_steps()));
  const double n = static_cast<double>(indices.size());
  loss_sum_ += result.loss * n;
  correct_ += result.correct;
  seen_ += n;
  ++step_;
  stepped(step_);
  epoch_seconds_ += seconds_since(start);
}

void Loop::end_epoch() {
  Epoch e;
  e.epoch = static_cast<std::int64_t>(history_.size()) + 1;
  e.loss = loss_sum_ / seen_;
  e.accuracy = correct_ / seen_;
  e.seconds = epoch_seconds_;
  e.validation = validate();
  module_.train();
  loss_sum_ = correct_ = seen_ = epoch_seconds_ = 0;
  history_.push_back(e);
  if (log_) {
    log_->append("epoch", {{"epoch", static_cast<double>(e.epoch)}, {"step", static_cast<double>(step_)}, {"loss", e.loss}, {"accuracy", e.accuracy},
                           {"validation", e.validation < 0 ? std::nan("") : e.validation}, {"seconds", e.seconds}});
    log_size_ = log_->size();
  }
  if (!o_.every_epoch && step_ < total_steps()) return;
  log_info(title_ + ": epoch " + std::to_string(e.epoch) + "  loss " + number(e.loss, 3) + "  accuracy " + number(100 * e.accuracy, 4) + " %" +
           (e.validation >= 0 ? "  validation " + number(100 * e.validation, 4) + " %" : "") + "  " + duration_text(e.seconds));
}

void Loop::save() {
  if (checkpoint_.empty()) return;
  Checkpoint c;
  c.tensors = optimizer_.state();
  for (const auto& b : module_.named_buffers()) c.tensors.emplace_back("buffer." + b.key(), b.value());
  c.facts = environment_facts();
  c.facts["step"] = std::to_string(step_);
  c.facts["log_size"] = std::to_string(log_size_);
  c.facts["epoch_sums"] = exact(loss_sum_) + " " + exact(correct_) + " " + exact(seen_) + " " + exact(epoch_seconds_);
  auto history = nlohmann::json::array();
  for (const auto& e : history_) history.push_back({e.epoch, e.loss, e.accuracy, e.validation, e.seconds});
  c.facts["history"] = history.dump();
  c.facts["learner"] = facts();
  save_checkpoint(checkpoint_, c);
}

bool Loop::load() {
  const auto c = load_checkpoint(checkpoint_);
  warn_if_environment_differs(c);
  const std::string where = checkpoint_.string();
  try {
    step_ = std::stoull(c.facts.at("step"));
    log_size_ = std::stoull(c.facts.at("log_size"));
    if (std::sscanf(c.facts.at("epoch_sums").c_str(), "%lf %lf %lf %lf", &loss_sum_, &correct_, &seen_, &epoch_seconds_) != 4)
      throw std::invalid_argument("epoch_sums");
    restore(c.facts.at("learner"));
    history_.clear();
    for (const auto& e : nlohmann::json::parse(c.facts.at("history"))) history_.push_back({e.at(0), e.at(1), e.at(2), e.at(3), e.at(4)});
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    throw data_error(std::string("the checkpoint is damaged: ") + e.what(), where);
  }
  optimizer_.restore(c.tensors, static_cast<std::int64_t>(step_));
  torch::NoGradGuard no_grad;
  for (auto& b : module_.named_buffers()) {
    const auto it = std::find_if(c.tensors.begin(), c.tensors.end(), [&](const auto& t) { return t.first == "buffer." + b.key(); });
    if (it == c.tensors.end() || it->second.sizes() != b.value().sizes()) throw data_error("the checkpoint does not fit this network", where + ", " + b.key());
    b.value().copy_(it->second);
  }
  log_info(title_ + ": goes on from step " + std::to_string(step_) + " of " + std::to_string(total_steps()));
  return true;
}

}  // namespace apical::training
