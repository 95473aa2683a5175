// Two-point cells against point neurons with the same weights: recognition and enhancement of spoken digits with pictures.
#include <algorithm>
#include <map>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/text.h"
#include "apical/training/setup.h"
#include "recipes/mcc-two-point-cells/study.h"

namespace apical::mcc {
namespace {

using recipe::RunContext;

// Adam's rate: the same for all where train.lr gives one, else each arm's own.
double rate_of(const Study& s, const std::string& arm) {
  const double same = s.c.config.real("train.lr");
  if (same > 0) return same;
  if (!s.c.config.has("rates." + arm)) throw usage_error("there is no learning rate of '" + arm + "'", "rates", "Give all arms one: --set train.lr=0.00025");
  return s.c.config.real("rates." + arm);
}

// Trains with the rate of its kind. `metric` is its name behind those of metrics.
template <class R>
void learn(const Study& s, Draws& draws, const Drawn& held_out, const std::string& kind, const std::string& metric, R& run, std::map<std::string, double>& rates,
           std::uint64_t& log_size) {
  run.lr = rates[kind] = rate_of(s, kind);
  log_size = train(s, draws, held_out, run, log_size);
  s.c.result.set_seed("held_out_" + metric, run.seed, run.curve.back().second);
  log_info(run.name() + ": held-out score " + number(run.curve.back().second, 4));
}

// What is trained with one seed. Desk: add and the cells under test at every lambda; the single modalities, which a gate compares with them, at
// lambda = 0; the other arms once, with the first seed.
std::vector<Run> plan(const Study& s, const std::vector<Arm>& arms, std::int64_t seed) {
  const bool all = s.c.config.text("arms") == "all", first = seed == s.c.seeds.front();
  auto lambdas = s.c.config.reals("lambda");
  if (lambdas.empty() || lambdas.front() != 0 || std::any_of(lambdas.begin(), lambdas.end(), [](double l) { return !(l >= 0); }) || lambdas.size() > 6)
    throw usage_error("needs one to six penalties >= 0, the first of them 0.0", "lambda");
  std::vector<Run> runs;
  for (std::size_t a = 0; a < arms.size(); ++a) {
    const bool pair = a < 2;  // add and the arm under test
    const bool single = !(arms[a].audio && arms[a].visual);
    if (!pair && !single && !first && !all) continue;
    for (std::size_t l = 0; l < (pair || all ? lambdas.size() : 1); ++l) {
      Run r;
      r.arm = arms[a], r.lambda = lambdas[l], r.lambda_index = l, r.seed = seed;
      runs.push_back(r);
      if (pair && l == 0 && s.killed_share() > 0) runs.push_back(r), runs.back().killed = true;
    }
    if ((pair && first) || (all && !single)) {
      runs.emplace_back();
      runs.back().arm = arms[a], runs.back().task = Task::enhancement, runs.back().seed = seed;
    }
  }
  return runs;
}

// Refuses before anything is trained what the tests would refuse after it.
void check(const Study& s) {
  for (const double snr : s.snrs())
    if (!(snr >= -40 && snr <= 40)) throw usage_error("a signal-to-noise ratio lies in -40..40 dB, not " + number(snr), "snr");
  for (const double f : s.c.config.reals("damage.fractions")) survivors_of(s.spec(kernels::Mtf::add), f, 1);
  survivors_of(s.spec(kernels::Mtf::add), s.killed_share(), 1);
}

void run(RunContext& c) {
  const std::string which = c.config.text("arms");
  if (which != "desk" && which != "all" && which != "pair") throw usage_error("there is no set of arms '" + which + "'", "arms", did_you_mean(which, {"desk", "all", "pair"}));
  // Products of a few thousand numbers are slower on two threads than on one; the draws use all.
  training::prepare_torch(c.config.integer("net.cells") > 256 ? c.threads : 1);
  auto pairs = open_pairs(c);
  Study s{c, std::move(pairs.train), std::move(pairs.held_out), {}, std::move(pairs.noise)};
  s.statistics = data::band_statistics(s.train, s.pairs(1));
  const auto arms = arms_of(s);
  check(s);

  // Everything learns before the test split is opened.
  std::vector<Run> recognition, enhancement;
  std::vector<BurstRun> local;
  std::map<std::string, double> rates;
  std::uint64_t log_size = 0;
  for (const auto seed : c.seeds) {
    const auto key = static_cast<std::uint64_t>(seed);
    Draws draws(s.train, s.pairs(key), s.statistics);
    std::vector<Drawn> parts;
    for (std::int64_t epoch = 0; epoch < c.config.integer("train.held_out_draws"); ++epoch) parts.push_back(draw(s.held_out, s.pairs(key), s.statistics, static_cast<std::uint64_t>(epoch)));
    const Drawn held = joined(parts);
    for (auto& r : plan(s, arms, seed)) {
      const std::string task = r.task == Task::enhancement ? "_enhancement" : "";
      learn(s, draws, held, r.arm.metric + task, r.metric() + task + (r.killed ? "_damaged" : ""), r, rates, log_size);
      (r.task == Task::recognition ? recognition : enhancement).push_back(r);
    }
    if (c.config.text("arms") != "all") continue;
    for (const bool by_bursts : {true, false}) {
      BurstRun r;
      r.by_bursts = by_bursts, r.seed = seed;
      learn(s, draws, held, r.metric(), r.metric(), r, rates, log_size);
      local.push_back(r);
    }
  }

  const data::PairedSet test = pairs.test();
  const std::string what = s.train.has_lips() ? " utterances with the lips that spoke them" : " spoken digits with pictures";
  c.html.summary("Networks of two-point cells and of point neurons with the same weights learnt " + std::to_string(s.train.size()) + what + ", in noise; " +
                 std::to_string(test.size()) + " test pairs at each of " + std::to_string(s.snrs().size()) + " signal-to-noise ratios.");
  test_recognition(s, recognition, test);
  const std::string mtf = c.config.text("mtf");
  const auto cells = std::find_if(recognition.begin(), recognition.end(), [&](const Run& r) { return r.arm.metric == mtf && r.lambda_index == 0 && !r.killed; });
  test_runtime(s, *cells, test);
  std::vector<Run> first;  // add and the cells under test, every penalty, one seed
  for (const auto& r : recognition)
    if (r.seed == c.seeds.front() && (r.arm.metric == mtf || r.arm.metric == "add") && !r.killed) first.push_back(r);
  test_speed(s, first, test);
  show_cells(s, *cells, test);
  test_bursts(s, local, test);
  test_enhancement(s, enhancement, test);
  report::Table chosen{{"arm", "learning rate"}, {}};
  for (const auto& [arm, rate] : rates) chosen.rows.push_back({arm, number(rate)});
  c.html.section("Learning rates");
  c.html.table(chosen, "Of each arm the best of one grid on held-out training pairs, in whole runs (docs/results/two-point-rates.csv), unless train.lr gives all the same.");
}

}  // namespace
}  // namespace apical::mcc

void run_mcc_two_point_cells(apical::recipe::RunContext& c) { apical::mcc::run(c); }
