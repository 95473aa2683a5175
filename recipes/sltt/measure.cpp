// Memory, time and the gradients of SLTT and BPTT.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "apical/base/clock.h"
#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/log.h"
#include "apical/base/machine.h"
#include "apical/base/philox.h"
#include "apical/base/process.h"
#include "apical/base/progress.h"
#include "apical/base/text.h"
#include "apical/report/statistics.h"
#include "apical/report/svg.h"
#include "apical/training/allocator.h"
#include "apical/training/setup.h"
#include "recipes/sltt/study.h"

namespace apical::sltt {

using learning::Rule, learning::RuleOptions;
using recipe::RunContext;

Steps::Steps(const Study& s, const RuleOptions& rule, std::int64_t T, double tau, std::uint64_t seed)
    : loader_(s.loader(s.train, T)), options_(s.options(rule, seed, s.c.config.real("train.lr"))), network_(s.network(data::frame_shape(loader_.encoder(), s.train), T, tau, seed)),
      optimizer_(network_->parameters(), options_.optimizer),
      order_(permutation(static_cast<std::uint32_t>(s.train.size()), Random(seed, "short runs"))),
      size_(std::min(static_cast<std::size_t>(options_.batch), order_.size())) {
  network_->train();
}

Steps::Batch Steps::batch(std::int64_t i) const {
  const std::size_t at = static_cast<std::size_t>(i) * size_ % (order_.size() - size_ + 1);
  const std::span<const std::uint32_t> indices(order_.data() + at, size_);
  return {loader_.batch(indices), loader_.labels(indices)};
}

void Steps::learn(const Batch& b, std::int64_t i) {
  optimizer_.zero_grad();
  learning::accumulate_gradients(network_, b.x, b.labels, options_.rule, options_.loss, static_cast<std::uint64_t>(i));
  optimizer_.step(options_.optimizer.lr);
}

std::vector<learning::GradientComparison> Steps::compare(const Batch& b) {
  return learning::compare_gradients(network_, b.x, b.labels, {Rule::bptt}, {Rule::sltt}, options_.loss, 0);
}

double Steps::difference(const Batch& b) {
  return learning::relative_difference(network_, b.x, b.labels, {Rule::bptt}, {Rule::sltt}, options_.loss);
}

namespace {

// Cosines of the layers before the readout, by layer.
using Cosines = std::map<std::string, std::vector<double>>;
void add(Cosines& all, const std::vector<learning::GradientComparison>& compared) {
  for (const auto& g : compared)
    if (std::isfinite(g.cosine) && g.parameter.starts_with("conv") && g.parameter.ends_with("weight")) all[g.parameter].push_back(g.cosine);
}
double mean_of(const Cosines& all) {
  std::vector<double> values;
  for (const auto& [name, v] : all) values.insert(values.end(), v.begin(), v.end());
  return report::mean(values);
}

struct Measured {
  double bytes = 0, seconds = 0;  // highest live bytes above those before the iteration; median iteration
  Cosines cosines;                // of sltt
};
Measured measure(const Study& s, const Arm& arm, std::int64_t T) {
  Steps steps(s, arm.rule, T, s.tau(), 1);
  const std::int64_t warm = s.c.config.integer("measure.warmup"), n = s.c.config.integer("measure.iterations"),
                     every = s.c.config.integer("measure.compare");
  Measured m;
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < warm + n; ++i) {
    const auto batch = steps.batch(i);
    const auto before = training::MemoryMeter::live_bytes();
    training::MemoryMeter::reset_peak();
    const double start = clock_seconds();
    steps.learn(batch, i);
    const double took = clock_seconds() - start;
    s.c.check_stop();
    if (i < warm) continue;
    seconds.push_back(took);
    m.bytes = std::max(m.bytes, static_cast<double>(training::MemoryMeter::peak_bytes() - before));
    if (arm.rule.rule == Rule::sltt && every > 0 && (i - warm + 1) % every == 0) add(m.cosines, steps.compare(batch));
  }
  m.seconds = report::median(seconds);
  return m;
}

// Growth of resident memory from before the first iteration, MB, in a process of its own.
double growth_alone(const RunContext& c, const Arm& arm, std::int64_t T) {
  const auto out = c.file("memory-" + arm.name);
  const auto log = c.file("memory-" + arm.name + ".log");
  std::vector<std::string> words{self_path().string(), "run", "sltt", "--scale", c.scale, "--threads", std::to_string(c.threads), "--out", out.string()};
  std::vector<std::string> settings = c.set;  // the same network and batch; what follows overrides
  const bool some = arm.rule.rule == Rule::sltt_k;
  settings.insert(settings.end(), {"arms=memory", "rule=" + (some ? "sltt-k" : arm.name), "T=" + std::to_string(T), "K=" + std::to_string(some ? arm.rule.k : 1)});
  for (const auto& s : settings) words.insert(words.end(), {"--set", s});
  const int code = run_process(words, log);
  c.check_stop();
  if (code != 0) throw internal_error("measuring " + arm.name + " in a process of its own ended with exit code " + std::to_string(code), log.string());
  return recipe::read_result(out / "result.json").get("rss_growth_mb").value_or(std::nan(""));
}

double difference(const Study& s, std::int64_t T, double tau) {
  Steps steps(s, {Rule::bptt}, T, tau, 1);
  return steps.difference(steps.batch(0));
}

// While SLTT trains.
Cosines cosines(const Study& s, std::int64_t T, double tau, std::uint64_t seed) {
  Steps steps(s, {Rule::sltt}, T, tau, seed);
  const std::int64_t n = s.c.config.integer("cosine.iterations"), every = s.c.config.integer("cosine.every");
  Cosines all;
  Progress progress("cosine, tau " + number(tau) + ", seed " + std::to_string(seed), static_cast<std::uint64_t>(n), "steps");
  for (std::int64_t i = 0; i < n; ++i) {
    const auto batch = steps.batch(i);
    if ((i + 1) % every == 0) add(all, steps.compare(batch));
    steps.learn(batch, i);
    progress.advance();
    s.c.check_stop();
  }
  return all;
}

}  // namespace

void measure(const Study& s, const std::vector<Arm>& arms) {
  RunContext& c = s.c;
  std::map<std::string, std::map<std::int64_t, Measured>> table;
  std::vector<Arm> measured{{"bptt", "bptt", {Rule::bptt}}, {"sltt", "sltt", {Rule::sltt}}};
  for (const auto& arm : arms)
    if (arm.name != "bptt" && arm.name != "sltt") measured.push_back(arm);
  std::vector<std::int64_t> steps;
  for (const double v : c.config.reals("steps")) steps.push_back(static_cast<std::int64_t>(v));
  if (steps.empty()) throw usage_error("steps must name at least one T", "steps");
  const auto largest = *std::max_element(steps.begin(), steps.end()), alone = std::count(steps.begin(), steps.end(), 16) ? 16 : largest;

  std::vector<report::Series> memory, time;
  report::Series cosine{"SLTT and BPTT", {}, {}, {}, {}, false, true};
  report::Table rows{{"rule", "T", "activation memory", "of BPTT", "iteration", "of BPTT"}, {}};
  report::Table processes{{"rule", "T", "resident memory grows by"}, {}};
  std::string csv = "rule,T,activation_bytes,iteration_s\n";
  for (const auto& arm : measured) {
    report::Series m{arm.name, {}, {}, {}, {}, false, true}, t = m;
    for (const auto T : steps) {
      if (arm.rule.rule == Rule::sltt_k && arm.rule.k > T) continue;
      const auto& r = table[arm.name][T] = measure(s, arm, T);
      const auto& base = table["bptt"][T];
      log_info(arm.name + ", T = " + std::to_string(T) + ": " + bytes_text(r.bytes) + ", " + number(1e3 * r.seconds) + " ms an iteration");
      c.result.set("memory_bytes_" + arm.metric + "_t" + std::to_string(T), r.bytes);
      c.result.set("iteration_s_" + arm.metric + "_t" + std::to_string(T), r.seconds);
      rows.rows.push_back({arm.name, std::to_string(T), bytes_text(r.bytes), number(r.bytes / base.bytes, 3), si(r.seconds, "s"), number(r.seconds / base.seconds, 3)});
      csv += arm.name + "," + std::to_string(T) + "," + number(r.bytes, 12) + "," + number(r.seconds, 9) + "\n";
      m.x.push_back(static_cast<double>(T)), m.y.push_back(r.bytes / 1048576);
      t.x.push_back(static_cast<double>(T)), t.y.push_back(1e3 * r.seconds);
      if (r.cosines.empty()) continue;
      cosine.x.push_back(static_cast<double>(T)), cosine.y.push_back(mean_of(r.cosines));
      c.result.set("gradient_cosine_t" + std::to_string(T), mean_of(r.cosines));
    }
    memory.push_back(m), time.push_back(t);
    if (arm.rule.rule == Rule::sltt_k && arm.rule.k > alone) continue;
    const double growth = growth_alone(c, arm, alone);
    log_info(arm.name + " alone, T = " + std::to_string(alone) + ": resident memory grows by " + number(growth, 4) + " MB");
    c.result.set("rss_growth_mb_" + arm.metric, growth);
    processes.rows.push_back({arm.name, std::to_string(alone), number(growth, 4) + " MB"});
  }
  write_file(c.file("memory_time.csv"), csv);
  auto& bptt = table["bptt"];
  auto& sltt = table["sltt"];
  c.result.set("memory_ratio_largest_t", sltt[largest].bytes / bptt[largest].bytes);
  if (bptt.count(16)) c.result.set("memory_ratio_t16", sltt[16].bytes / bptt[16].bytes);
  if (sltt.count(8) && sltt.count(32)) c.result.set("memory_growth", sltt[32].bytes / sltt[8].bytes);

  c.html.section("Memory and time");
  report::Axes axes;
  axes.title = "Activation memory of an iteration", axes.x_label = "T, steps", axes.y_label = "MiB";
  c.html.figure(report::line_chart(memory, axes), "Bytes of live tensors at the highest point, above those before the iteration.", false);
  axes.title = "Time of an iteration", axes.y_label = "ms";
  c.html.figure(report::line_chart(time, axes), "Median of " + std::to_string(c.config.integer("measure.iterations")) + " iterations.", false);
  c.html.table(rows, "The same figures: memory_time.csv.");
  c.html.table(processes, "Each rule in a process of its own: peak resident memory less that before the first iteration (with what torch's kernels keep for themselves).");
  if (!cosine.x.empty()) {
    axes.title = "Cosine between the gradients", axes.y_label = "cosine";
    c.html.figure(report::line_chart({cosine}, axes), "Mean over the convolutions while SLTT trains, tau = " + number(s.tau()) + ".", false);
  }
  if (const auto ratio = c.result.get("memory_ratio_t16"))
    c.html.card("Memory at T = 16", number(*ratio, 3) + " x", "of BPTT's activations", *ratio <= 0.25 ? 1 : -1);
}

void measure_alone(RunContext& c, const Arm& arm) {
  training::prepare_torch(c.threads, /*reuse_memory=*/false);
  data::Source drawn;
  drawn.data = "synthetic";
  drawn.synthetic_train = static_cast<std::size_t>(c.config.integer("train.batch"));
  const Study s{c, data::load("mnist", "train", drawn), {}};
  const std::int64_t T = c.config.integer("T");
  Steps steps(s, arm.rule, T, s.tau(), 1);
  const auto batch = steps.batch(0);
  const double before = current_rss_mb();
  for (std::int64_t i = 0; i < 3; ++i) {
    steps.learn(batch, i);
    c.check_stop();
  }
  c.result.set("rss_growth_mb", peak_rss_mb() - before);
  c.html.summary("Resident memory of " + arm.name + " at T = " + std::to_string(T) + ", on drawn digits (what they show does not matter).");
  c.html.card("Resident memory grows by", number(peak_rss_mb() - before, 4) + " MB", "from before the first iteration to the highest point");
}

void gradients(const Study& s) {
  RunContext& c = s.c;
  const std::int64_t T = c.config.integer("T");
  c.result.set("gradient_difference_tau_1", difference(s, T, 1.0));
  c.result.set("gradient_difference_one_step", difference(s, 1, 2.0));
  c.result.set("gradient_difference_tau_2", difference(s, T, 2.0));
  report::Table rows{{"tau", "layer", "mean cosine", "lowest"}, {}};
  std::map<double, std::vector<double>> by_tau;
  for (const auto seed : c.seeds)
    for (const double tau : c.config.reals("taus")) {
      if (seed != c.seeds.front() && tau != 1.1 && tau != 4.0) continue;  // the ends are judged; between them one seed shows the way
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
  c.html.figure(report::line_chart({line}, axes), "Mean over the convolutions and the iterations compared, while SLTT trains; over the seeds at tau = 1.1 and 4, else the first seed.");
  c.html.table(rows, "By layer, first seed.");
}

}  // namespace apical::sltt
