// SLTT against BPTT: accuracy, memory, time, and how alike the gradients are.
#include <algorithm>
#include <map>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/text.h"
#include "apical/data/saccade.h"
#include "apical/training/finish.h"
#include "apical/training/setup.h"
#include "recipes/sltt/study.h"

namespace apical::sltt {

using learning::Rule, learning::RuleOptions;
using recipe::RunContext;

std::vector<Arm> arms_of(const RunContext& c) {
  const std::int64_t K = c.config.integer("K");
  learning::check_rule({Rule::sltt_k, K}, c.config.integer("T"));
  const std::string k = std::to_string(K);
  std::vector<Arm> all{{"bptt", "bptt", {Rule::bptt}}, {"sltt", "sltt", {Rule::sltt}}, {"sltt-1", "sltt_1", {Rule::sltt_k, 1}}};
  if (K != 1) all.push_back({"sltt-" + k, "sltt_" + k, {Rule::sltt_k, K}});
  const std::string rule = c.config.text("rule");
  if (rule == "all") return all;
  for (const auto& arm : all)
    if (arm.name == rule || (rule == "sltt-k" && arm.name == "sltt-" + k)) return {arm};
  throw usage_error("there is no learning rule '" + rule + "'", "rule", did_you_mean(rule, {"all", "bptt", "sltt", "sltt-1", "sltt-k"}));
}

nn::Network Study::network(const data::FrameShape& input, std::int64_t T, double tau, std::uint64_t seed) const {
  auto spec = nn::parse_network(c.config.table("net"), {input.channels, input.height, input.width});
  spec.T = T;
  for (auto& layer : spec.layers)
    if (auto* neuron = std::get_if<nn::NeuronSpec>(&layer)) neuron->options.tau = tau;
  return nn::Network(spec, seed);
}

training::TrainOptions Study::options(const RuleOptions& rule, std::uint64_t seed, double lr) const {
  auto o = training::parse_training(c.config.table("train"), seed);
  o.rule = rule;
  o.rule.seed = seed;
  o.optimizer.lr = lr;
  return o;
}

namespace {

std::string points(double share) { return number(100 * share, 4) + " %"; }

// The rate of the grid with the best accuracy on held-out samples after a short run.
double choose_rate(const Study& s, const Arm& arm, std::int64_t T) {
  const auto grid = s.c.config.reals("grid.lr");
  if (grid.empty()) return s.c.config.real("train.lr");
  const auto loader = s.loader(s.train, T), held = s.loader(s.validation, T);
  double best = -1, rate = grid.front();
  for (const double lr : grid) {
    auto o = s.options(arm.rule, 1, lr);
    o.max_steps = s.c.config.integer("grid.iterations");
    auto net = s.network(data::frame_shape(loader.encoder(), s.train), T, s.tau(), 1);
    training::Trainer trainer(net, loader, nullptr, o, "", nullptr, arm.name + ", lr " + number(lr));
    double accuracy = 0;
    try {
      trainer.run(false);
      accuracy = training::evaluate(net, held).accuracy();
    } catch (const Error& e) {
      if (e.code() != ExitCode::check_failed) throw;  // this rate diverges
    }
    if (accuracy > best) best = accuracy, rate = lr;
  }
  return rate;
}

// One network trained by one arm.
struct Run {
  const Arm* arm;
  std::int64_t T, seed;
  nn::Network network;
  std::vector<training::Epoch> history;

  double epoch_seconds() const {
    double sum = 0;
    for (const auto& e : history) sum += e.seconds;
    return sum / static_cast<double>(history.size());
  }
};

// Trains networks one after another; their lines of metrics.jsonl follow each other.
class Trainings {
 public:
  Trainings(const Study& s, const std::map<std::string, double>& rates) : s_(s), rates_(rates) {}

  /// Every arm with every seed; arms of more than T learning steps are left out.
  std::vector<Run> run(const std::vector<Arm>& arms, const training::Loader& loader, const std::string& kind = "") {
    std::vector<Run> runs;
    for (const auto& arm : arms)
      for (const auto seed : s_.c.seeds) {
        if (arm.rule.rule == Rule::sltt_k && arm.rule.k > loader.T()) continue;
        const auto key = static_cast<std::uint64_t>(seed);
        Run r{&arm, loader.T(), seed, s_.network(data::frame_shape(loader.encoder(), loader.set()), loader.T(), s_.tau(), key), {}};
        const std::string name = kind + arm.name + "-T" + std::to_string(r.T) + "-seed" + std::to_string(seed);
        training::Trainer trainer(r.network, loader, nullptr, s_.options(arm.rule, key, rates_.at(arm.name)), s_.c.file(name + ".checkpoint"), &s_.c.metrics, name,
                                  log_size_);
        trainer.run(s_.c.resume);
        r.history = trainer.history();
        log_size_ = trainer.log_size();
        runs.push_back(std::move(r));
      }
    return runs;
  }

 private:
  const Study& s_;
  const std::map<std::string, double>& rates_;
  std::uint64_t log_size_ = 0;
};

// Tests runs with the same T, bptt first: metrics accuracy_<arm>, epoch_s_<arm>, and against bptt with the same seed points_lost_<arm>
// and epoch_time_ratio_<arm>; each with `prefix` and `suffix`.
report::Table test(const Study& s, std::vector<Run>& runs, const training::Loader& loader, const std::map<std::string, double>& rates, const std::string& prefix,
                   const std::string& suffix) {
  RunContext& c = s.c;
  report::Table rows{{"rule", "T", "seed", "learning rate", "test accuracy", "epoch"}, {}};
  std::map<std::int64_t, std::pair<double, double>> bptt;  // seed -> accuracy, seconds
  for (auto& r : runs) {
    const double accuracy = training::evaluate(r.network, loader).accuracy(), seconds = r.epoch_seconds();
    rows.rows.push_back({r.arm->name, std::to_string(r.T), std::to_string(r.seed), number(rates.at(r.arm->name)), points(accuracy), duration_text(seconds)});
    const auto put = [&](const std::string& metric, double value) { c.result.set_seed(prefix + metric + r.arm->metric + suffix, r.seed, value); };
    put("accuracy_", accuracy);
    put("epoch_s_", seconds);
    if (r.arm->rule.rule == Rule::bptt) {
      bptt[r.seed] = {accuracy, seconds};
    } else if (bptt.count(r.seed)) {
      put("points_lost_", 100 * (bptt[r.seed].first - accuracy));
      put("epoch_time_ratio_", seconds / bptt[r.seed].second);
    }
    c.check_stop();
  }
  return rows;
}

}  // namespace

void run(RunContext& c) {
  const auto arms = arms_of(c);
  const std::string which = c.config.text("arms");
  if (which != "desk" && which != "events" && which != "all" && which != "memory")
    throw usage_error("there is no arm '" + which + "'", "arms", did_you_mean(which, {"desk", "events", "all", "memory"}));
  if (which == "memory") {
    if (arms.size() != 1) throw usage_error("arms = memory measures one rule", "rule", "Say which, e.g. --set rule=sltt.");
    return measure_alone(c, arms.front());
  }
  const bool events = which != "desk";
  const std::int64_t T = c.config.integer("T");
  const auto size = [&](const char* key) { return static_cast<std::size_t>(std::max<std::int64_t>(1, c.config.integer(key))); };
  training::prepare_torch(c.threads);
  data::Source source = c.source;
  source.synthetic_train = size("data.train") + size("data.validation");
  if (c.scale == "smoke") source.synthetic_test = 64;
  const auto whole = data::load("mnist", "train", source);
  c.result.use(whole);
  const Study s{c, data::slice(whole, 0, size("data.train")), data::slice(whole, size("data.train"), size("data.validation"))};
  if (s.validation.size() == 0)
    throw usage_error("data.train and data.validation ask for more samples than there are (" + std::to_string(whole.size()) + ")", "data");
  for (const auto& arm : arms) {  // refuse before anything is trained
    const auto o = s.options(arm.rule, c.seed, c.config.real("train.lr"));
    learning::check_rule(o.rule, o.loss, *s.network({1, s.train.height, s.train.width}, T, s.tau(), 1));
  }

  // Everything learns before the test split is opened.
  std::map<std::string, double> rates;
  for (const auto& arm : arms) rates[arm.name] = choose_rate(s, arm, T);
  Trainings trainings(s, rates);
  std::map<std::int64_t, std::vector<Run>> of_images;  // by T
  of_images[T] = trainings.run(arms, s.loader(s.train, T));
  if (which == "all")
    for (const double other : c.config.reals("steps"))
      if (const auto steps = static_cast<std::int64_t>(other); !of_images.count(steps)) of_images[steps] = trainings.run(arms, s.loader(s.train, steps));
  const data::Encoder binned{"event_frames", 0, {{"clip", c.config.real("events.clip")}}};
  std::vector<Run> of_events;
  if (events) {
    const auto recordings = data::simulate_saccades(data::slice(s.train, 0, size("events.train")), {}, c.seed);
    of_events = trainings.run(arms, {recordings, binned, {}, T}, "events-");
  }
  gradients(s);
  measure(s, arms);

  data::TestGuard guard;
  guard.finish_choices();
  const auto test_images = guard.open("mnist", source);
  c.result.use(test_images);
  report::Table rows;
  for (auto& [steps, runs] : of_images) {
    auto some = test(s, runs, s.loader(test_images, steps), rates, "", steps == T ? "" : "_t" + std::to_string(steps));
    rows.header = some.header;
    rows.rows.insert(rows.rows.end(), some.rows.begin(), some.rows.end());
  }
  c.html.section("Accuracy");
  c.html.table(rows, "Mean epoch of this process; the learning rate is the best of the grid on held-out training images, the same grid for every rule.");
  for (const auto& arm : arms)
    if (const auto a = c.result.get("accuracy_" + arm.metric)) c.html.card(arm.name, points(*a), "test accuracy, mean over " + std::to_string(c.seeds.size()) + " seeds");
  c.html.summary("The same network learnt by " + std::to_string(arms.size()) + " rules with the same budget: " + std::to_string(s.train.size()) + " samples, T = " +
                 std::to_string(T) + ".");
  if (events) {
    const auto recordings = data::simulate_saccades(data::slice(test_images, 0, size("events.test")), {}, c.seed + 1);
    c.result.use(recordings);
    c.html.section("Events");
    c.html.table(test(s, of_events, {recordings, binned, {}, T}, rates, "events_", ""),
                 "Simulated recordings (an event camera's saccades over the digits), " + std::to_string(std::min(size("events.train"), s.train.size())) +
                     " to learn from; the learning rates are those of the images.");
  }
  auto& shown = *std::find_if(of_images[T].begin(), of_images[T].end(), [&](const Run& r) { return r.arm->name == "sltt" || arms.size() == 1; });
  const auto loader = s.loader(test_images, T);
  const auto f = training::finish(shown.network, loader, "sltt", c.file("model.safetensors"));
  training::put_metrics(c.result, f, "exported_");
  training::put_report(c.html, f, shown.network, loader, shown.history, shown.arm->name + ", exported");
}

}  // namespace apical::sltt

void run_sltt(apical::recipe::RunContext& c) { apical::sltt::run(c); }
