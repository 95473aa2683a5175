// SLTT against BPTT: accuracy, memory, time, and how alike the gradients are.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/machine.h"
#include "apical/base/philox.h"
#include "apical/base/progress.h"
#include "apical/base/text.h"
#include "apical/learning/compare.h"
#include "apical/recipe/recipe.h"
#include "apical/report/statistics.h"
#include "apical/report/svg.h"
#include "apical/training/allocator.h"
#include "apical/training/finish.h"
#include "apical/training/setup.h"

namespace {

using namespace apical;
using learning::Rule, learning::RuleOptions;
using recipe::RunContext;

struct Arm {
  std::string name, metric;  // "sltt-1", "sltt_1"
  RuleOptions rule;
};

std::vector<Arm> arms_of(const RunContext& c) {
  const std::int64_t K = c.config.integer("K"), T = c.config.integer("T");
  if (K < 1 || K > T) throw usage_error("sltt-k learns at K steps with 1 <= K <= T", "K = " + std::to_string(K) + ", T = " + std::to_string(T));
  const std::string k = std::to_string(K);
  std::vector<Arm> all{{"bptt", "bptt", {Rule::bptt}}, {"sltt", "sltt", {Rule::sltt}}, {"sltt-1", "sltt_1", {Rule::sltt_k, 1}}};
  if (K != 1) all.push_back({"sltt-" + k, "sltt_" + k, {Rule::sltt_k, K}});
  const std::string rule = c.config.text("rule");
  if (rule == "all") return all;
  for (const auto& arm : all)
    if (arm.name == rule || (rule == "sltt-k" && arm.name == "sltt-" + k)) return {arm};
  throw usage_error("there is no learning rule '" + rule + "'", "rule", did_you_mean(rule, {"all", "bptt", "sltt", "sltt-1", "sltt-k"}));
}

data::Set part(const data::Set& set, std::size_t begin, std::size_t n) {
  if (begin >= set.size()) throw usage_error("data.train and data.validation ask for more samples than there are", "data");
  std::vector<std::uint32_t> indices(std::min(n, set.size() - begin));
  std::iota(indices.begin(), indices.end(), static_cast<std::uint32_t>(begin));
  return data::select(set, indices);
}

// What all arms share.
struct Study {
  RunContext& c;
  data::Set train, validation;
  data::Preprocess normal{{0.1307f}, {0.3081f}};

  nn::Network network(std::int64_t T, double tau, std::uint64_t seed) const {
    auto spec = nn::parse_network(c.config.table("net"), {train.channels, train.height, train.width});
    spec.T = T;
    for (auto& layer : spec.layers)
      if (auto* neuron = std::get_if<nn::NeuronSpec>(&layer)) neuron->options.tau = tau;
    return nn::Network(spec, seed);
  }
  double tau() const { return c.config.real("tau"); }
  training::Loader loader(const data::Set& set, std::int64_t T) const { return {set, data::Encoder{}, normal, T}; }
  training::TrainOptions options(const RuleOptions& rule, std::uint64_t seed, double lr) const {
    auto o = training::parse_training(c.config.table("train"), seed);
    o.rule = rule;
    o.rule.seed = seed;
    o.optimizer.lr = lr;
    return o;
  }
};

// The rate of the grid with the best accuracy on held-out samples after a short run.
double choose_rate(const Study& s, const Arm& arm, std::int64_t T) {
  const auto grid = s.c.config.reals("grid.lr");
  if (grid.empty()) return s.c.config.real("train.lr");
  const auto loader = s.loader(s.train, T), held = s.loader(s.validation, T);
  double best = -1, rate = grid.front();
  for (const double lr : grid) {
    auto o = s.options(arm.rule, 1, lr);
    o.max_steps = s.c.config.integer("grid.iterations");
    auto net = s.network(T, s.tau(), 1);
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

struct Measured {
  double bytes = 0, seconds = 0;  // peak of live tensors above the start of an iteration; median iteration
};
Measured measure(const Study& s, const Arm& arm, std::int64_t T) {
  const auto loader = s.loader(s.train, T);
  const auto o = s.options(arm.rule, 1, s.c.config.real("train.lr"));
  auto net = s.network(T, s.tau(), 1);
  net->train();
  training::FlatOptimizer optimizer(net->parameters(), o.optimizer);
  const std::int64_t warm = s.c.config.integer("measure.warmup"), n = s.c.config.integer("measure.iterations");
  const auto order = permutation(static_cast<std::uint32_t>(s.train.size()), Random(1, "measure"));
  Measured m;
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < warm + n; ++i) {
    const auto batch = static_cast<std::size_t>(o.batch), at = static_cast<std::size_t>(i) * batch % (order.size() - std::min(batch, order.size()) + 1);
    const std::span<const std::uint32_t> indices(order.data() + at, std::min(batch, order.size()));
    const auto x = loader.batch(indices);
    const auto labels = loader.labels(indices);
    const auto before = training::MemoryMeter::live_bytes();
    training::MemoryMeter::reset_peak();
    const auto start = std::chrono::steady_clock::now();
    optimizer.zero_grad();
    learning::accumulate_gradients(net, x, labels, o.rule, o.loss, static_cast<std::uint64_t>(i));
    optimizer.step(o.optimizer.lr);
    if (i < warm) continue;
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    m.bytes = std::max(m.bytes, static_cast<double>(training::MemoryMeter::peak_bytes() - before));
    s.c.check_stop();
  }
  m.seconds = report::median(seconds);
  return m;
}

std::vector<learning::GradientComparison> compare(const Study& s, nn::Network& net, const training::Loader& loader, std::span<const std::uint32_t> indices) {
  const auto o = s.options({Rule::bptt}, 1, 0.1);
  return learning::compare_gradients(net, loader.batch(indices), loader.labels(indices), {Rule::bptt}, {Rule::sltt}, o.loss, 0);
}

// Largest difference between the two gradients, relative to the largest entry.
double difference(const Study& s, std::int64_t T, double tau) {
  auto net = s.network(T, tau, 1);
  const auto loader = s.loader(s.train, T);
  std::vector<std::uint32_t> indices(static_cast<std::size_t>(std::min<std::int64_t>(16, static_cast<std::int64_t>(s.train.size()))));
  std::iota(indices.begin(), indices.end(), 0u);
  double worst = 0, largest = 0;
  for (const auto& g : compare(s, net, loader, indices)) worst = std::max(worst, g.largest_difference), largest = std::max(largest, g.largest);
  return largest > 0 ? worst / largest : std::nan("");
}

// Mean cosine between the gradients of the layers before the readout, every so often while SLTT trains.
std::map<std::string, std::vector<double>> cosines(const Study& s, std::int64_t T, double tau, std::uint64_t seed) {
  const auto loader = s.loader(s.train, T);
  auto o = s.options({Rule::sltt}, seed, s.c.config.real("train.lr"));
  auto net = s.network(T, tau, seed);
  net->train();
  training::FlatOptimizer optimizer(net->parameters(), o.optimizer);
  const std::int64_t n = s.c.config.integer("cosine.iterations"), every = s.c.config.integer("cosine.every");
  const auto order = permutation(static_cast<std::uint32_t>(s.train.size()), Random(seed, "cosine"));
  const std::size_t batch = std::min(static_cast<std::size_t>(o.batch), order.size());
  std::map<std::string, std::vector<double>> all;
  Progress progress("cosine, tau " + number(tau), static_cast<std::uint64_t>(n), "steps");
  for (std::int64_t i = 0; i < n; ++i) {
    const std::size_t at = static_cast<std::size_t>(i) * batch % (order.size() - batch + 1);
    const std::span<const std::uint32_t> indices(order.data() + at, batch);
    if ((i + 1) % every == 0)
      for (const auto& g : compare(s, net, loader, indices))
        if (std::isfinite(g.cosine) && g.parameter.find("weight") != std::string::npos && g.parameter.find("conv") == 0) all[g.parameter].push_back(g.cosine);
    optimizer.zero_grad();
    learning::accumulate_gradients(net, loader.batch(indices), loader.labels(indices), o.rule, o.loss, static_cast<std::uint64_t>(i));
    optimizer.step(o.optimizer.lr);
    progress.advance();
    s.c.check_stop();
  }
  return all;
}
double mean_of(const std::map<std::string, std::vector<double>>& all) {
  std::vector<double> values;
  for (const auto& [name, v] : all) values.insert(values.end(), v.begin(), v.end());
  return report::mean(values);
}

std::string points(double share) { return number(100 * share, 4) + " %"; }

void memory_and_time(const Study& s, const std::vector<Arm>& arms) {
  RunContext& c = s.c;
  std::map<std::string, std::map<std::int64_t, Measured>> table;
  std::vector<Arm> measured{{"bptt", "bptt", {Rule::bptt}}, {"sltt", "sltt", {Rule::sltt}}};
  for (const auto& arm : arms)
    if (arm.name != "bptt" && arm.name != "sltt") measured.push_back(arm);
  std::vector<std::int64_t> steps;
  for (const double v : c.config.reals("steps")) steps.push_back(static_cast<std::int64_t>(v));
  if (steps.empty()) throw usage_error("steps must name at least one T", "steps");
  std::vector<report::Series> memory, time;
  report::Table rows{{"rule", "T", "activation memory", "of BPTT", "iteration", "of BPTT"}, {}};
  for (const auto& arm : measured) {
    report::Series m{arm.name, {}, {}, {}, {}, false, true}, t = m;
    for (const auto T : steps) {
      if (arm.rule.rule == Rule::sltt_k && arm.rule.k > T) continue;
      const auto r = table[arm.name][T] = measure(s, arm, T);
      const auto& base = table["bptt"][T];
      log_info(arm.name + ", T = " + std::to_string(T) + ": " + bytes_text(r.bytes) + ", " + number(1e3 * r.seconds) + " ms an iteration");
      c.result.set("memory_bytes_" + arm.metric + "_t" + std::to_string(T), r.bytes);
      c.result.set("iteration_s_" + arm.metric + "_t" + std::to_string(T), r.seconds);
      rows.rows.push_back({arm.name, std::to_string(T), bytes_text(r.bytes), number(r.bytes / base.bytes, 3), si(r.seconds, "s"), number(r.seconds / base.seconds, 3)});
      m.x.push_back(static_cast<double>(T)), m.y.push_back(r.bytes / 1048576);
      t.x.push_back(static_cast<double>(T)), t.y.push_back(1e3 * r.seconds);
    }
    memory.push_back(m), time.push_back(t);
  }
  auto& bptt = table["bptt"];
  auto& sltt = table["sltt"];
  const auto largest = *std::max_element(steps.begin(), steps.end());
  c.result.set("memory_ratio_largest_t", sltt[largest].bytes / bptt[largest].bytes);
  if (bptt.count(16)) c.result.set("memory_ratio_t16", sltt[16].bytes / bptt[16].bytes);
  if (sltt.count(8) && sltt.count(32)) c.result.set("memory_growth", sltt[32].bytes / sltt[8].bytes);
  c.result.set("peak_rss_mb_after_measuring", peak_rss_mb());
  c.html.section("Memory and time");
  report::Axes axes;
  axes.title = "Activation memory of an iteration", axes.x_label = "T, steps", axes.y_label = "MiB";
  c.html.figure(report::line_chart(memory, axes), "Bytes of live tensors at the highest point, above those before the iteration.", false);
  axes.title = "Time of an iteration", axes.y_label = "ms";
  c.html.figure(report::line_chart(time, axes), "Median of " + std::to_string(c.config.integer("measure.iterations")) + " iterations.", false);
  c.html.table(rows);
  if (const auto ratio = c.result.get("memory_ratio_t16"))
    c.html.card("Memory at T = 16", number(*ratio, 3) + " x", "of BPTT's activations", *ratio <= 0.25 ? 1 : -1);
}

void gradients(const Study& s) {
  RunContext& c = s.c;
  const std::int64_t T = c.config.integer("T");
  c.result.set("gradient_difference_tau_1", difference(s, T, 1.0));
  c.result.set("gradient_difference_one_step", difference(s, 1, 2.0));
  c.result.set("gradient_difference_tau_2", difference(s, T, 2.0));
  const auto taus = c.config.reals("taus");
  report::Table rows{{"tau", "layer", "mean cosine", "lowest"}, {}};
  std::map<double, std::vector<double>> by_tau;
  for (const auto seed : c.seeds)
    for (const double tau : taus) {
      const auto all = cosines(s, T, tau, static_cast<std::uint64_t>(seed));
      by_tau[tau].push_back(mean_of(all));
      if (seed == c.seeds.front())
        for (const auto& [layer, v] : all) rows.rows.push_back({number(tau), layer, number(report::mean(v)), number(*std::min_element(v.begin(), v.end()))});
    }
  for (std::size_t i = 0; i < c.seeds.size(); ++i) {
    if (by_tau.count(1.1)) c.result.set_seed("gradient_cosine", c.seeds[i], by_tau[1.1][i]);
    if (by_tau.count(1.1) && by_tau.count(4.0)) c.result.set_seed("gradient_cosine_drop", c.seeds[i], by_tau[1.1][i] - by_tau[4.0][i]);
  }
  report::Series line{"SLTT and BPTT", {}, {}, {}, {}, false, true};
  for (const auto& [tau, values] : by_tau) {
    line.x.push_back(tau), line.y.push_back(report::mean(values));
    c.result.set("gradient_cosine_tau_" + std::to_string(static_cast<int>(std::lround(10 * tau))), report::mean(values));
  }
  c.html.section("Why: the gradients");
  report::Axes axes;
  axes.title = "Cosine between the gradients", axes.x_label = "tau, steps", axes.y_label = "cosine";
  c.html.figure(report::line_chart({line}, axes), "Mean over the convolutions, the iterations compared and the seeds, while SLTT trains.");
  c.html.table(rows, "By layer, first seed.");
}

}  // namespace

void run_sltt(RunContext& c) {
  const auto arms = arms_of(c);
  const std::string which = c.config.text("arms");
  if (which != "desk" && which != "all") throw usage_error("there is no arm '" + which + "'", "arms", "Known: desk, all.");
  training::prepare_torch(c.threads);
  data::Source source = c.source;
  const auto n_train = static_cast<std::size_t>(c.config.integer("data.train")), n_validation = static_cast<std::size_t>(c.config.integer("data.validation"));
  source.synthetic_train = std::min(source.synthetic_train, n_train + n_validation);
  if (c.scale == "smoke") source.synthetic_test = 64;
  const auto whole = data::load("mnist", "train", source);
  c.result.use(whole);
  const Study s{c, part(whole, 0, n_train), part(whole, n_train, n_validation)};
  for (const auto& arm : arms) {  // refuse before anything is trained
    const auto o = s.options(arm.rule, c.seed, c.config.real("train.lr"));
    learning::check_rule(o.rule, o.loss, *s.network(c.config.integer("T"), s.tau(), 1));
  }

  std::vector<std::int64_t> Ts{c.config.integer("T")};
  if (which == "all")
    for (const double v : c.config.reals("steps"))
      if (static_cast<std::int64_t>(v) != Ts.front()) Ts.push_back(static_cast<std::int64_t>(v));

  // Everything learns before the test split is opened.
  struct Run {
    const Arm* arm;
    std::int64_t T, seed;
    nn::Network network;
    std::vector<training::Epoch> history;
  };
  std::vector<Run> runs;
  std::map<std::string, double> rates;
  std::uint64_t log_size = 0;
  for (const auto& arm : arms) rates[arm.name] = choose_rate(s, arm, Ts.front());
  for (const auto T : Ts) {
    const auto loader = s.loader(s.train, T);
    for (const auto& arm : arms) {
      if (arm.rule.rule == Rule::sltt_k && arm.rule.k > T) continue;
      for (const auto seed : c.seeds) {
        Run r{&arm, T, seed, s.network(T, s.tau(), static_cast<std::uint64_t>(seed)), {}};
        const std::string name = arm.name + "-T" + std::to_string(T) + "-seed" + std::to_string(seed);
        training::Trainer trainer(r.network, loader, nullptr, s.options(arm.rule, static_cast<std::uint64_t>(seed), rates[arm.name]), c.file(name + ".checkpoint"), &c.metrics,
                                  name, log_size);
        trainer.run(c.resume);
        r.history = trainer.history();
        log_size = trainer.log_size();
        runs.push_back(std::move(r));
      }
    }
  }
  gradients(s);
  memory_and_time(s, arms);

  data::TestGuard guard;
  guard.finish_choices();
  const auto test = guard.open("mnist", source);
  c.result.use(test);
  report::Table rows{{"rule", "T", "seed", "learning rate", "test accuracy", "epoch"}, {}};
  std::map<std::string, std::map<std::int64_t, std::pair<double, double>>> at_T;  // arm -> seed -> accuracy, epoch, at the T of the claims
  for (auto& r : runs) {
    const double accuracy = training::evaluate(r.network, s.loader(test, r.T)).accuracy();
    double seconds = 0;
    for (const auto& e : r.history) seconds += e.seconds / static_cast<double>(r.history.size());
    rows.rows.push_back({r.arm->name, std::to_string(r.T), std::to_string(r.seed), number(rates[r.arm->name]), points(accuracy), duration_text(seconds)});
    const std::string suffix = r.T == Ts.front() ? "" : "_t" + std::to_string(r.T);
    c.result.set_seed("accuracy_" + r.arm->metric + suffix, r.seed, accuracy);
    c.result.set_seed("epoch_s_" + r.arm->metric + suffix, r.seed, seconds);
    if (r.T == Ts.front()) at_T[r.arm->name][r.seed] = {accuracy, seconds};
    c.check_stop();
  }
  for (const auto& arm : arms)
    if (arm.name != "bptt" && at_T.count("bptt"))
      for (const auto& [seed, figures] : at_T[arm.name]) {
        const auto& base = at_T["bptt"][seed];
        c.result.set_seed("points_lost_" + arm.metric, seed, 100 * (base.first - figures.first));
        c.result.set_seed("epoch_time_ratio_" + arm.metric, seed, figures.second / base.second);
      }
  c.html.section("Accuracy");
  c.html.table(rows, "Mean epoch of this process; the learning rate is the best of the grid on held-out training samples, the same grid for every rule.");
  for (const auto& arm : arms)
    if (const auto a = c.result.get("accuracy_" + arm.metric)) c.html.card(arm.name, points(*a), "test accuracy, mean over " + std::to_string(c.seeds.size()) + " seeds");
  c.html.summary("The same network learnt by " + std::to_string(arms.size()) + " rules with the same budget: " + std::to_string(s.train.size()) + " samples, T = " +
                 std::to_string(Ts.front()) + ".");
  auto& shown = runs.size() > 1 ? runs[std::min(runs.size() - 1, c.seeds.size())] : runs.front();  // the first of sltt
  const auto loader = s.loader(test, shown.T);
  const auto f = training::finish(shown.network, loader, "sltt", c.file("model.safetensors"));
  training::put_metrics(c.result, f, "exported_");
  training::put_report(c.html, f, shown.network, loader, shown.history, shown.arm->name + ", exported");
}
