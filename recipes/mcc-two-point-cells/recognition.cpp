// What the test pairs say of the networks that recognise digits.
#include <algorithm>
#include <cmath>
#include <map>

#include "apical/base/files.h"
#include "apical/base/log.h"
#include "apical/base/text.h"
#include "apical/energy/energy.h"
#include "apical/report/statistics.h"
#include "recipes/mcc-two-point-cells/study.h"

namespace apical::mcc {
namespace {

using torch::Tensor;
// uJ an active synapse: the paper's figure.
double synapse_uj() { return energy::profile("two-point-cells").ac_pj / 1e6; }

// One run on the test pairs.
struct Tested {
  const Run* run;
  std::vector<double> of_snr;   // accuracy at each SNR
  double accuracy = 0;          // their mean
  nn::SynapseCounts synapses;   // a sample, mean over the SNRs
  std::vector<double> active;   // share of the cells of each stream and layer that are not 0
  std::vector<double> damaged;  // mean accuracy at each fraction of dead cells

  double both() const { return synapses.feed_forward + synapses.context; }
};

std::string percent(double share) { return number(100 * share, 4) + " %"; }

class Tests {
 public:
  Tests(const Study& s, const data::PairedSet& test) : s_(s), snrs_(s.snrs()), fractions_(s.c.config.reals("damage.fractions")) {
    for (const double snr : snrs_) at_snr_.push_back(test_pairs(s, test, snr));
    conflict_ = test_pairs(s, test, 0, true);
    auto wrong = s.pairs(1);
    wrong.conflict = true;
    for (std::uint32_t i = 0; i < test.size(); ++i) shown_.push_back(test.images().labels[test.image_of(wrong, i, 0)]);
  }

  Tested run(const Run& r) const {
    Tested t{&r, {}, 0, {}, {}, {}};
    double samples = 0;
    for (const auto& d : at_snr_) {
      nn::MccTrace trace;
      t.of_snr.push_back(accuracy(scores(r, d, nullptr, &trace), d.labels));
      t.synapses += nn::count_synapses(trace);
      std::vector<double> active;
      for (const auto& stream : trace.h)
        for (const auto& h : stream) active.push_back((h != 0).to(torch::kFloat64).mean().item<double>());
      t.active.resize(active.size());
      for (std::size_t i = 0; i < active.size(); ++i) t.active[i] += active[i] / static_cast<double>(at_snr_.size());
      samples += static_cast<double>(d.size());
    }
    for (double* n : {&t.synapses.inputs, &t.synapses.feed_forward, &t.synapses.context}) *n /= samples;
    t.accuracy = report::mean(t.of_snr);
    return t;
  }

  // Mean accuracy over the SNRs and over masks that are the same for every arm.
  double damaged(const Run& r, double fraction) const {
    const auto masks = s_.c.config.integer("damage.masks");
    std::vector<double> all;
    for (std::int64_t mask = 1; mask <= masks; ++mask) {
      const auto alive = survivors_of(r.network->spec(), fraction, static_cast<std::uint64_t>(mask));
      for (const auto& d : at_snr_) all.push_back(accuracy(scores(r, d, &alive), d.labels));
    }
    return report::mean(all);
  }
  // Without one of two streams.
  double without(const Run& r, int stream) const {
    std::vector<double> all;
    for (auto d : at_snr_) {
      (stream == 0 ? d.audio : d.image) = Tensor();
      all.push_back(accuracy(scores(r, d), d.labels));
    }
    return report::mean(all);
  }
  // Answers for the sound, and for the picture, where the two disagree.
  std::pair<double, double> conflict(const Run& r) const {
    const auto y = scores(r, conflict_);
    return {accuracy(y, conflict_.labels), accuracy(y, torch::tensor(shown_, torch::kInt64))};
  }

  const std::vector<double>& snrs() const { return snrs_; }
  const std::vector<double>& fractions() const { return fractions_; }

 private:
  const Study& s_;
  std::vector<double> snrs_, fractions_;
  std::vector<Drawn> at_snr_;
  Drawn conflict_;
  std::vector<std::int64_t> shown_;
};

// Energy at accuracy `wanted` on the curve of one arm and seed over lambda, linear between neighbours: the least of what reaches it.
double energy_at(std::vector<std::pair<double, double>> curve, double wanted) {  // (accuracy, energy), in order of lambda
  double least = std::nan("");
  const auto take = [&](double e) { least = std::isnan(least) ? e : std::min(least, e); };
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (curve[i].first >= wanted) take(curve[i].second);
    if (i == 0) continue;
    const auto &[a0, e0] = curve[i - 1];
    const auto &[a1, e1] = curve[i];
    if ((a0 - wanted) * (a1 - wanted) < 0) take(e0 + (e1 - e0) * (wanted - a0) / (a1 - a0));
  }
  return least;
}

// The first step at which a run has reached `target`; where it never does: the end of its training.
double steps_to(const Run& r, double target, std::uint64_t from = 0) {
  for (const auto& [step, score] : r.curve)
    if (step >= from && score >= target) return static_cast<double>(step - from);
  return static_cast<double>(r.steps - from);
}

using ByArm = std::map<std::string, const Tested*>;  // of one seed, by Run::metric()

// Claims of one seed: the arm under test against add.
void compare(const Study& s, const std::string& mtf, std::int64_t seed, const ByArm& tested, const std::map<std::string, const Run*>& killed) {
  auto& result = s.c.result;
  const auto put = [&](const std::string& metric, double value) {
    if (std::isfinite(value)) result.set_seed(metric, seed, value);
  };
  const auto plain = tested.find("add"), cells = tested.find(mtf);
  if (plain == tested.end() || cells == tested.end()) return;
  const Tested &a = *plain->second, &b = *cells->second;
  put("points_lost", 100 * (a.accuracy - b.accuracy));
  const auto curve = [&](const std::string& arm, auto energy) {
    std::vector<std::pair<double, double>> points;
    for (const std::string end : {"", "_lambda1", "_lambda2", "_lambda3", "_lambda4", "_lambda5"})
      if (const auto it = tested.find(arm + end); it != tested.end()) points.emplace_back(it->second->accuracy, energy(*it->second));
    return points;
  };
  const auto ratio = [&](auto energy) {
    const auto of_add = curve("add", energy), of_cells = curve(mtf, energy);
    const auto best = [](const auto& c) { return std::max_element(c.begin(), c.end())->first; };
    const double wanted = std::min(best(of_add), best(of_cells));
    return energy_at(of_cells, wanted) / energy_at(of_add, wanted);
  };
  put("energy_ratio", ratio([](const Tested& t) { return t.both(); }));
  put("energy_ratio_feed_forward", ratio([](const Tested& t) { return t.synapses.feed_forward; }));
  const double target = s.c.config.real("target_share") * a.run->curve.back().second;
  put("steps_add", steps_to(*a.run, target));
  put("steps_" + mtf, steps_to(*b.run, target));
  put("steps_ratio", steps_to(*b.run, target) / steps_to(*a.run, target));
  const auto fractions = s.c.config.reals("damage.fractions");
  const auto at = std::find_if(fractions.begin(), fractions.end(), [&](double f) { return std::abs(f - s.c.config.real("damage.claim")) < 1e-9; });
  if (at != fractions.end() && !a.damaged.empty() && !b.damaged.empty()) {
    const auto i = static_cast<std::size_t>(at - fractions.begin());
    put("damage_drop_add", 100 * (a.accuracy - a.damaged[i]));
    put("damage_drop_" + mtf, 100 * (b.accuracy - b.damaged[i]));
    put("damage_ratio", (b.accuracy - b.damaged[i]) / (a.accuracy - a.damaged[i]));
  }
  // Steps from the damage on until the score before it is reached again, less a point.
  for (const auto& [arm, run] : killed) {
    const std::uint64_t half = run->steps / 2;
    double before = 0;
    for (const auto& [step, score] : run->curve)
      if (step < half) before = score;
    put("recovery_steps_" + arm, steps_to(*run, before - 0.01, half));
  }
}

// Mean and 95 % interval of something over the runs of one arm.
struct Spread {
  double mean, lo, hi;
};
Spread spread(const std::vector<double>& values) {
  const auto [lo, hi] = report::student_interval(values);
  return {report::mean(values), lo, hi};
}

void show(const Study& s, const Tests& tests, const std::vector<Tested>& all, const std::vector<std::string>& order) {
  auto& html = s.c.html;
  std::map<std::string, std::vector<const Tested*>> by;
  for (const auto& t : all) by[t.run->metric()].push_back(&t);
  const auto values = [&](const std::string& arm, auto what) {
    std::vector<double> v;
    for (const auto* t : by.at(arm)) v.push_back(what(*t));
    return v;
  };
  const auto label = [&](const std::string& arm) {
    const Run& r = *by.at(arm).front()->run;
    return r.arm.name + (r.lambda > 0 ? ", lambda " + number(r.lambda) : "");
  };

  std::vector<report::Series> curves, of_damage;
  report::Table table{{"arm", "seeds", "accuracy", "active cells", "synapses: feed-forward", "context", "energy, feed-forward", "energy, both"}, {}};
  report::Scatter pareto, pareto_ff;
  pareto.frontier = pareto_ff.frontier = true;
  std::string csv = "arm,lambda,seed,snr_db,accuracy\n";
  for (const auto& arm : order) {
    const auto& runs = by.at(arm);
    const auto mean = [&](auto what) { return report::mean(values(arm, what)); };
    const double accuracy = mean([](const Tested& t) { return t.accuracy; }), ff = mean([](const Tested& t) { return t.synapses.feed_forward; }),
                 both = mean([](const Tested& t) { return t.both(); });
    table.rows.push_back({label(arm), std::to_string(runs.size()), percent(accuracy), percent(mean([](const Tested& t) { return report::mean(t.active); })), number(ff, 4),
                          number(both - ff, 4), number(synapse_uj() * ff, 3) + " uJ", number(synapse_uj() * both, 3) + " uJ"});
    const int group = runs.front()->run->arm.metric == "add" ? 0 : runs.front()->run->arm.metric == s.c.config.text("mtf") ? 1 : 2;
    pareto.points.push_back({label(arm), synapse_uj() * both, 100 * accuracy, group});
    pareto_ff.points.push_back({label(arm), synapse_uj() * ff, 100 * accuracy, group});
    if (runs.front()->run->lambda_index == 0) {
      report::Series c{label(arm), tests.snrs(), {}, {}, {}, false, true};
      for (std::size_t i = 0; i < tests.snrs().size(); ++i) {
        const auto at = spread(values(arm, [&](const Tested& t) { return 100 * t.of_snr[i]; }));
        c.y.push_back(at.mean);
        if (runs.size() > 1) c.lo.push_back(at.lo), c.hi.push_back(at.hi);
      }
      curves.push_back(c);
      if (!runs.front()->damaged.empty()) {
        report::Series d{label(arm), {0}, {100 * accuracy}, {}, {}, false, true};
        for (std::size_t i = 0; i < tests.fractions().size(); ++i)
          d.x.push_back(100 * tests.fractions()[i]), d.y.push_back(mean([&](const Tested& t) { return 100 * t.damaged[i]; }));
        of_damage.push_back(d);
      }
    }
    for (const auto* t : runs)
      for (std::size_t i = 0; i < tests.snrs().size(); ++i)
        csv += arm + "," + number(t->run->lambda) + "," + std::to_string(t->run->seed) + "," + number(tests.snrs()[i]) + "," + number(t->of_snr[i], 6) + "\n";
  }
  write_file(s.c.file("accuracy_snr.csv"), csv);
  html.section("Recognition");
  html.figure(report::line_chart(curves, axes("Accuracy and noise", "signal to noise, dB", "test accuracy, %")),
              "Mean over the seeds; bands are 95 % intervals. Learnt at " + number(s.pairs(1).snr_low) + " to " + number(s.pairs(1).snr_high) + " dB.");
  html.table(table, "Accuracy is the mean over the SNRs. Synapses: of a sample, from cells whose output is not exactly 0; those from the network's inputs are the same in every "
                    "arm and not counted. Energy: " + number(synapse_uj()) + " uJ a synapse, the paper's figure.");
  html.section("Energy and accuracy");
  html.figure(report::scatter(pareto, axes("Feed-forward and context synapses", "uJ a sample", "test accuracy, %")), "All synapses between cells.", false);
  html.figure(report::scatter(pareto_ff, axes("Feed-forward synapses alone", "uJ a sample", "test accuracy, %")), "As the paper argues.", false);
  if (!of_damage.empty()) {
    html.section("Damage");
    html.figure(report::line_chart(of_damage, axes("Cells silenced at test", "dead cells, %", "test accuracy, %")),
                "The same cells die in every arm; mean over masks, SNRs and seeds.");
  }
}

void learning_curves(const Study& s, const std::vector<Run>& runs) {
  std::map<std::string, std::vector<const Run*>> by;
  for (const auto& r : runs)
    if (r.lambda_index == 0) by[(r.killed ? "damaged " : "") + r.arm.name].push_back(&r);
  std::vector<report::Series> series;
  for (const auto& [name, some] : by) {
    report::Series c{name, {}, {}, {}, {}, some.front()->killed, false};
    for (std::size_t i = 0; i < some.front()->curve.size(); ++i) {
      double sum = 0;
      for (const auto* r : some) sum += 100 * r->curve[i].second;
      c.x.push_back(static_cast<double>(some.front()->curve[i].first)), c.y.push_back(sum / static_cast<double>(some.size()));
    }
    series.push_back(c);
  }
  s.c.html.section("Learning");
  s.c.html.figure(report::line_chart(series, axes("Accuracy on held-out pairs", "training step", "accuracy, %")),
                  "Mean over the seeds. Dashed: " + percent(s.killed_share()) + " of the cells die at half of the training.");
}

}  // namespace

void test_recognition(const Study& s, std::vector<Run>& runs, const data::PairedSet& test) {
  const Tests tests(s, test);
  auto& result = s.c.result;
  const std::string mtf = s.c.config.text("mtf");
  std::vector<Tested> all;
  std::vector<std::string> order;
  std::map<std::int64_t, std::map<std::string, const Run*>> killed;
  for (const auto& r : runs) {
    if (r.killed) {
      killed[r.seed][r.arm.metric] = &r;
      continue;
    }
    Tested t = tests.run(r);
    const std::string arm = r.metric();
    if (std::find(order.begin(), order.end(), arm) == order.end()) order.push_back(arm);
    result.set_seed("accuracy_" + arm, r.seed, t.accuracy);
    for (std::size_t i = 0; i < tests.snrs().size(); ++i)
      if (tests.snrs()[i] == 0) result.set_seed("accuracy_0db_" + arm, r.seed, t.of_snr[i]);
    result.set_seed("active_" + arm, r.seed, report::mean(t.active));
    result.set_seed("synapses_feed_forward_" + arm, r.seed, t.synapses.feed_forward);
    result.set_seed("synapses_context_" + arm, r.seed, t.synapses.context);
    result.set_seed("energy_uj_" + arm, r.seed, synapse_uj() * t.both());
    result.set_seed("energy_uj_feed_forward_" + arm, r.seed, synapse_uj() * t.synapses.feed_forward);
    if (r.lambda_index == 0) {
      for (const double f : tests.fractions()) t.damaged.push_back(tests.damaged(r, f));
      if (r.arm.audio && r.arm.visual) {
        const auto [sound, picture] = tests.conflict(r);
        result.set_seed("conflict_sound_" + arm, r.seed, sound);
        result.set_seed("conflict_picture_" + arm, r.seed, picture);
        result.set_seed("accuracy_without_picture_" + arm, r.seed, tests.without(r, 1));
        result.set_seed("accuracy_without_sound_" + arm, r.seed, tests.without(r, 0));
      }
    }
    all.push_back(std::move(t));
    s.c.check_stop();
  }
  std::map<std::int64_t, ByArm> by_seed;
  for (const auto& t : all) by_seed[t.run->seed][t.run->metric()] = &t;
  for (const auto& [seed, tested] : by_seed) compare(s, mtf, seed, tested, killed[seed]);
  // The better single modality against the weaker of the two audio-visual arms, at 0 dB.
  const auto at_0db = [&](const std::string& arm) { return result.get("accuracy_0db_" + arm); };
  if (at_0db("audio") && at_0db("visual") && at_0db("add") && at_0db(mtf))
    result.set("audio_visual_gain", 100 * (std::min(*at_0db("add"), *at_0db(mtf)) - std::max(*at_0db("audio"), *at_0db("visual"))));
  show(s, tests, all, order);
  learning_curves(s, runs);
  report::Table conflict{{"arm", "answers the sound", "answers the picture", "without picture", "without sound"}, {}};
  for (const auto& arm : order)
    if (const auto sound = result.get("conflict_sound_" + arm))
      conflict.rows.push_back({arm, percent(*sound), percent(*result.get("conflict_picture_" + arm)), percent(*result.get("accuracy_without_picture_" + arm)),
                               percent(*result.get("accuracy_without_sound_" + arm))});
  s.c.html.section("Conflict and loss of a stream");
  s.c.html.table(conflict, "Conflict: the picture shows another digit than the sound says, at 0 dB. Without: that stream is missing; mean over the SNRs.");
  for (const auto& arm : {std::string("add"), mtf})
    if (const auto a = result.get("accuracy_" + arm)) s.c.html.card(arm, percent(*a), percent(*result.get("active_" + arm)) + " of the cells active");
  if (const auto e = result.get("energy_ratio")) s.c.html.card("Energy at equal accuracy", number(*e, 3) + " x", mtf + " against add; feed-forward and context synapses");
}

}  // namespace apical::mcc
