// The burst-dependent rule beside back-propagation, in the same network with the same error, draws and steps.
#include <cmath>
#include <map>
#include <sstream>

#include "apical/base/text.h"
#include "apical/report/statistics.h"
#include "recipes/mcc-two-point-cells/study.h"

namespace apical::mcc {
namespace {

using torch::Tensor;

// What the network sees: both streams side by side.
Tensor rows(const Drawn& d) { return at::cat({d.audio, d.image}, 1); }

double accuracy_of(const BurstRun& run, const Drawn& d) {
  torch::NoGradGuard no_grad;
  return accuracy(run.network->forward(rows(d)), d.labels);
}

class BurstLoop : public training::Loop {
 public:
  BurstLoop(const Study& s, Draws& draws, const Drawn& held_out, BurstRun& run, const training::LoopOptions& o, const std::filesystem::path& checkpoint, recipe::MetricsLog* log,
            std::uint64_t log_start)
      : Loop(*run.network, draws.size(), o, checkpoint, log, run.name(), log_start), draws_(draws), held_out_(held_out), run_(run),
        classes_(static_cast<std::int64_t>(s.train.audio().classes.size())),
        every_(static_cast<std::uint64_t>(std::max<std::int64_t>(1, s.c.config.integer("train.measure_every")))) {}

 protected:
  StepResult learn(std::span<const std::uint32_t> indices, std::uint64_t epoch, std::uint64_t) override {
    const auto d = draws_.batch(indices, epoch);
    const auto x = rows(d), target = at::one_hot(d.labels, classes_).to(torch::kFloat32);
    if (run_.by_bursts) return {run_.network->learn(x, target), 0};
    const auto loss = (run_.network->forward(x) - target).square().sum(1).mean() / 2;  // the error that the rule descends
    loss.backward();
    return {loss.item<double>(), 0};
  }
  void stepped(std::uint64_t done) override {
    if (done % every_ == 0 || done == total_steps()) run_.curve.emplace_back(done, accuracy_of(run_, held_out_));
  }
  std::string facts() const override { return curve_text(run_.curve); }
  void restore(const std::string& facts) override { run_.curve = curve_of(facts); }

 private:
  Draws& draws_;
  const Drawn& held_out_;
  BurstRun& run_;
  std::int64_t classes_;
  std::uint64_t every_;
};

}  // namespace

std::uint64_t train(const Study& s, Draws& draws, const Drawn& held_out, BurstRun& run, std::uint64_t log_start) {
  learning::BurstSpec spec;
  const auto net = s.c.config.table("net");
  spec.sizes.assign(static_cast<std::size_t>(net.integer("layers")) + 2, 2 * net.integer("cells"));  // of both streams
  spec.sizes.front() = static_cast<std::int64_t>(s.train.audio_width() + s.train.image_width());
  spec.sizes.back() = static_cast<std::int64_t>(s.train.audio().classes.size());
  run.network = learning::BurstNetwork(spec, static_cast<std::uint64_t>(run.seed));
  BurstLoop loop(s, draws, held_out, run, s.options(static_cast<std::uint64_t>(run.seed), run.lr), s.c.file(file_name(run.name()) + ".checkpoint"), &s.c.metrics, log_start);
  loop.run(s.c.resume);
  return loop.log_size();
}

void test_bursts(const Study& s, const std::vector<BurstRun>& runs, const data::PairedSet& test) {
  if (runs.empty()) return;
  std::vector<Drawn> at;
  for (const double snr : s.snrs()) at.push_back(test_pairs(s, test, snr));
  std::vector<report::Series> curves;
  report::Table table{{"learnt by", "seed", "accuracy"}, {}};
  for (const auto& run : runs) {
    std::vector<double> of_snr;
    for (const auto& d : at) of_snr.push_back(accuracy_of(run, d));
    const double mean = report::mean(of_snr);
    s.c.result.set_seed("accuracy_" + run.metric(), run.seed, mean);
    table.rows.push_back({run.kind(), std::to_string(run.seed), number(100 * mean, 4) + " %"});
    report::Series c{run.name(), {}, {}, {}, {}, !run.by_bursts, false};
    for (const auto& [step, score] : run.curve) c.x.push_back(static_cast<double>(step)), c.y.push_back(100 * score);
    curves.push_back(c);
    s.c.check_stop();
  }
  s.c.html.section("A local rule");
  s.c.html.figure(report::line_chart(curves, axes("Learning by bursts and by back-propagation", "training step", "held-out accuracy, %")), "Dashed: back-propagation.");
  s.c.html.table(table, "Cells that send events and bursts (learning/burst.h; sigmoids, no context), as many as both streams have: the feedback weights are fixed and drawn at "
                        "random. Mean over the SNRs. Their events are graded and never 0, so no synapse is saved.");
}

}  // namespace apical::mcc
