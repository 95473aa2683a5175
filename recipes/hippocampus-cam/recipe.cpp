// The memory put to the paper's tests, to random sequences, to damage, to MNIST digits, and beside two Hopfield networks.
#include "apical/recipe/recipe.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "apical/base/clock.h"
#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/text.h"
#include "apical/energy/energy.h"
#include "apical/formats/npy.h"
#include "apical/formats/png.h"
#include "apical/report/svg.h"
#include "recipes/hippocampus-cam/study.h"

namespace apical::cam {
namespace {

using recipe::RunContext;
using Kind = Operation::Kind;

const char* const kAsked[] = {"by cue", "by one content neuron", "by several"};

std::string text(const Neurons& neurons) {
  std::vector<std::string> all;
  for (const auto i : neurons) all.push_back(std::to_string(i));
  return "{" + join(all, ", ") + "}";
}

std::string percent(double share) { return number(100 * share) + " %"; }

report::Axes axes(const std::string& title, const std::string& x, const std::string& y, int height = 360) {
  report::Axes a;
  a.title = title, a.x_label = x, a.y_label = y, a.height = height;
  return a;
}

// What every part needs, read and checked before the first of them, and what more than one of them adds to.
struct Study {
  RunContext& c;
  Options options{};  // of the settings; sizes are each part's
  std::int64_t spacing = 20, mnist_spacing = 20;
  std::vector<Operation> own{};  // of op_file
  std::size_t sequences = 1, operations = 1, short_sequences = 1, trials = 1, images = 1, fragment = 1;
  int threshold = 1;
  std::vector<double> densities{}, noise{}, spacings{};
  double density = 0.25;  // of the comparison
  std::vector<std::size_t> pairs{};
  std::uint64_t different = 0;

  Options sized(std::uint32_t cues, std::uint32_t content) const {
    Options o = options;
    o.cues = cues, o.content = content;
    return o;
  }
};

std::uint32_t size_of(const RunContext& c, const char* key) {
  const auto n = c.config.integer(key);
  if (n < 1 || n > 4096) throw usage_error("must be 1 to 4096, not " + std::to_string(n), key);
  return static_cast<std::uint32_t>(n);
}
std::size_t count_of(const RunContext& c, const char* key, std::int64_t most) {
  const auto n = c.config.integer(key);
  if (n < 1 || n > most) throw usage_error("must be 1 to " + std::to_string(most) + ", not " + std::to_string(n), key);
  return static_cast<std::size_t>(n);
}
std::int64_t spacing_of(std::int64_t ms, const char* key) {
  if (ms < kAfterLearn || ms > 1000)
    throw usage_error("must be " + std::to_string(kAfterLearn) + " to 1000 ms, not " + std::to_string(ms), key,
                      "Synapses need as long after a learn.");
  return ms;
}
double real_of(double x, const char* key, double most) {
  if (!(x >= 0 && x <= most)) throw usage_error("must be 0 to " + number(most) + ", not " + number(x), key);
  return x;
}
std::vector<double> shares(const RunContext& c, const char* key) {
  auto all = c.config.reals(key);
  for (const double x : all) real_of(x, key, 1);
  if (all.empty()) throw usage_error("is empty", key);
  return all;
}

Study open(RunContext& c) {
  Study s{.c = c};
  s.spacing = spacing_of(c.config.integer("spacing"), "spacing"),
  s.mnist_spacing = spacing_of(c.config.integer("mnist.spacing"), "mnist.spacing");
  s.options.cues = size_of(c, "cues"), s.options.content = size_of(c, "content");
  s.options.cue_inhibition = real_of(c.config.real("cue_inhibition"), "cue_inhibition", 1e6);
  const std::string tie = c.config.text("tie_rule");
  if (tie != "depression" && tie != "none") throw usage_error("there is no tie rule '" + tie + "'", "tie_rule", "Known: depression, none.");
  s.options.tie_depression = tie == "depression";
  if (const std::string file = c.config.text("op_file"); !file.empty()) s.own = read_operations(file, s.options, s.spacing);
  s.sequences = count_of(c, "random.sequences", 100000), s.operations = count_of(c, "random.operations", 100000);
  s.short_sequences = count_of(c, "spacings.sequences", 100000), s.trials = count_of(c, "compare.trials", 10000);
  s.images = count_of(c, "mnist.images", 4096), s.fragment = count_of(c, "mnist.fragment", 196);
  s.threshold = static_cast<int>(count_of(c, "mnist.threshold", 255));
  s.densities = shares(c, "random.densities"), s.noise = shares(c, "noise"),
  s.density = real_of(c.config.real("compare.density"), "compare.density", 1);
  for (const auto ms : c.config.integers("spacings.values")) s.spacings.push_back(static_cast<double>(spacing_of(ms, "spacings.values")));
  for (const auto n : c.config.integers("compare.pairs")) {
    if (n < 1) throw usage_error("must be positive, not " + std::to_string(n), "compare.pairs");
    s.pairs.push_back(static_cast<std::size_t>(std::min<std::int64_t>(n, s.options.cues)));
  }
  if (s.spacings.empty() || s.pairs.empty()) throw usage_error("is empty", s.pairs.empty() ? "compare.pairs" : "spacings.values");
  return s;
}

// ---- operations that are shown whole

void raster(Study& s, const Options& o, const std::vector<Operation>& operations, const Run& run, const std::string& what) {
  std::vector<report::RasterLayer> layers{{"Input, cues", o.cues, {}}, {"Input, content", o.content, {}}};
  for (const auto& op : operations)
    for (int pulse = 0; pulse < op.pulses; ++pulse) {
      const auto at = static_cast<double>(op.time + pulse);
      for (const auto i : op.cues) layers[0].spikes.emplace_back(at, i);
      for (const auto i : op.content) layers[1].spikes.emplace_back(at, i);
    }
  for (const auto& cells : circuit(o).cells) layers.push_back({cells.name, cells.size, {}});
  for (const auto& spike : run.spikes)
    layers[static_cast<std::size_t>(spike.population) + 2].spikes.emplace_back(static_cast<double>(spike.time), spike.neuron);
  s.c.html.figure(report::spike_raster(layers, axes("Spikes of every population", "time (ms)", "", 640)), what);
}

void table(Study& s, const std::vector<Operation>& operations, const std::vector<Neurons>& expected, const std::vector<Neurons>& got,
           const std::string& caption) {
  report::Table t{{"#", "ms", "operation", "expected", "recalled", ""}, {}};
  for (std::size_t k = 0; k < operations.size() && k < 200; ++k) {
    const auto& op = operations[k];
    const bool learn = op.kind == Kind::learn;
    t.rows.push_back({std::to_string(k + 1), std::to_string(op.time),
                      learn                     ? "learn cue " + std::to_string(op.cues[0]) + ": " + text(op.content)
                      : op.kind == Kind::by_cue ? "recall by cue " + std::to_string(op.cues[0])
                                                : "recall by content " + text(op.content),
                      learn ? "" : text(expected[k]), learn ? "" : text(got[k]),
                      learn                   ? ""
                      : expected[k] == got[k] ? "right"
                                              : "WRONG"});
  }
  s.c.html.table(t, caption);
}

void weights(Study& s, const Options& o, const Both& b) {
  const auto rows = [](const Weights& w, std::size_t from, std::size_t to) {
    std::vector<std::vector<double>> all(from);
    for (std::size_t i = 0; i < from; ++i)
      all[i].assign(w.begin() + static_cast<std::ptrdiff_t>(i * to), w.begin() + static_cast<std::ptrdiff_t>((i + 1) * to));
    return all;
  };
  const auto names = [](std::size_t n) {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < n; ++i) all.push_back(std::to_string(i));
    return all;
  };
  const bool small = o.cues <= 64 && o.content <= 64;
  const auto heat = [&](const char* title, const Weights& w, std::size_t from, std::size_t to) {
    report::Heat h;
    h.values = rows(w, from, to), h.rows = names(from), h.columns = names(to), h.min = 0, h.max = kLargest, h.numbers = from * to <= 100,
    h.digits = 2;
    s.c.html.figure(report::heat_map(h, axes(title, "target", "source")), "nA, after the last operation.", false);
  };
  if (small)
    heat("Forward: CueCue to ContCue", b.forward, o.cues, o.content), heat("Backward: ContCont to CueCont", b.backward, o.content, o.cues);
  if (!s.c.config.boolean("dump_weights")) return;
  const auto dump = [&](const char* name, const Weights& w, std::uint32_t from, std::uint32_t to) {
    formats::Image image{static_cast<int>(to), static_cast<int>(from), 1, {}};
    for (const double x : w) image.pixels.push_back(static_cast<std::uint8_t>(std::lround(x / kLargest * 255)));
    formats::write_png(s.c.file(std::string(name) + ".png"), image);
    return formats::Array::of<double>({from, to}, w);
  };
  formats::write_npz(s.c.file("weights.npz"), {{"forward", dump("forward", b.forward, o.cues, o.content)},
                                               {"backward", dump("backward", b.backward, o.content, o.cues)}});
}

std::size_t wrong(const std::vector<Neurons>& expected, const std::vector<Neurons>& got) {
  std::size_t n = 0;
  for (std::size_t k = 0; k < expected.size(); ++k) n += expected[k] != got[k];
  return n;
}

void functional(Study& s) {
  const Options o = s.sized(5, 10);
  const auto operations = functional_operations();
  const auto b = run_both(o, operations);
  s.different += b.different;
  std::vector<Spike> got, differ;
  std::copy_if(b.clock.spikes.begin(), b.clock.spikes.end(), std::back_inserter(got),
               [](const Spike& spike) { return spike.population == output; });
  const auto should = expected_output(operations, o);
  std::set_symmetric_difference(got.begin(), got.end(), should.begin(), should.end(), std::back_inserter(differ));
  s.c.result.set("functional_differences", static_cast<double>(differ.size()));
  if (!s.own.empty()) return;
  s.c.html.section("The paper's functional test");
  table(s, operations, expected_answers(operations, o), b.clock.answers, "Expected: what a dictionary would say.");
  raster(s, o, operations, b.clock, "Learnt pairs are shown after 5 and 7 ms, recalled content and cues after 6.");
  weights(s, o, b);
}

void own_operations(Study& s) {
  if (s.own.empty()) return;
  const auto& operations = s.own;
  const auto b = run_both(s.options, operations);
  s.different += b.different;
  const auto expected = expected_answers(operations, s.options);
  s.c.result.set("op_file_wrong", static_cast<double>(wrong(expected, b.clock.answers)));
  s.c.html.section("Operations of " + s.c.config.text("op_file"));
  table(s, operations, expected, b.clock.answers, "Expected: what a dictionary would say. At most 200 are listed.");
  raster(s, s.options, operations, b.clock, "Learnt pairs are shown after 5 and 7 ms, recalled content and cues after 6.");
  weights(s, s.options, b);
}

void map(Study& s) {
  const Options o = s.sized(16, 6);
  const auto operations = map_operations();
  const auto b = run_both(o, operations);
  s.different += b.different;
  const auto expected = expected_answers(operations, o);
  int right = 0;
  for (std::size_t k = kMap.size(); k < operations.size(); ++k)
    for (std::uint32_t cell = 0; cell < kMap.size(); ++cell)
      right += std::binary_search(expected[k].begin(), expected[k].end(), cell) ==
               std::binary_search(b.clock.answers[k].begin(), b.clock.answers[k].end(), cell);
  s.c.result.set("map_cells_right", right);
  s.c.html.section("The paper's map");
  s.c.html.paragraph(
      "Cells of a map of 4 x 4 are cues, the state of a cell is its content. One recall gives all cells in the states asked for.");
  table(s, {operations.begin() + kMap.size(), operations.end()}, {expected.begin() + kMap.size(), expected.end()},
        {b.clock.answers.begin() + kMap.size(), b.clock.answers.end()}, "After 16 learns, 7 ms apart.");
}

void stress(Study& s) {
  const Options o = s.sized(5, 10);
  const auto operations = stress_operations();
  const auto b = run_both(o, operations);
  s.different += b.different;
  const auto expected = expected_answers(operations, o);
  s.c.result.set("stress_recalls_right", 15 - static_cast<double>(wrong(expected, b.clock.answers)));
  s.c.html.section("The paper's stress test");
  table(s, operations, expected, b.clock.answers,
        "Pyramids, their complements, pyramids again; 14 ms apart. What the pyramids are is our reading.");
  raster(s, o, operations, b.clock, "The whole test.");
}

void one_spike(Study& s) {
  const Options o = s.sized(5, 10);
  std::vector<Operation> operations{Operation::learn(0, 0, {1, 2}), Operation::by_cue(20, 0), Operation::by_content(40, {1})};
  operations[0].pulses = 1;
  const auto b = run_both(o, operations);
  s.different += b.different;
  s.c.result.set("one_spike_recalled", static_cast<double>(b.clock.answers[1].size() + b.clock.answers[2].size()));
  s.c.result.set("one_spike_weight", *std::max_element(b.forward.begin(), b.forward.end()));
}

// ---- many sequences

// The kinds of sequences: with the inhibition of the settings, recalls by several neurons only as the last operation, or among the others;
// with 6 nA, without them.
struct Arm {
  const char* name;
  bool unions, union_last, published;
};
constexpr Arm kArms[] = {{"", false, true, false}, {", recalls by several among the others", true, false, false}, {"", false, false, true}};

void sequences(Study& s) {
  std::array<std::vector<Score>, 3> of;
  for (auto& scores : of) scores.resize(s.densities.size());
  for (const auto seed : s.c.seeds) {
    std::array<std::array<double, 3>, 3> worst{}, best{};
    for (auto& w : worst) w.fill(1);
    for (std::size_t a = 0; a < 3; ++a)
      for (std::size_t d = 0; d < s.densities.size(); ++d) {
        Options o = s.options;
        if (kArms[a].published) o.cue_inhibition = 6;
        const auto r = run_sequences(o, s.sequences, s.operations, {s.densities[d], s.spacing, kArms[a].unions, kArms[a].union_last},
                                     static_cast<std::uint64_t>(seed), true);
        s.different += r.different, of[a][d] += r.score;
        for (std::size_t k = 0; k < 3; ++k)
          worst[a][k] = std::min(worst[a][k], r.score.share(k)), best[a][k] = std::max(best[a][k], r.score.share(k));
        s.c.check_stop();
      }
    s.c.result.set_seed("recall_by_cue", seed, worst[0][0]), s.c.result.set_seed("recall_by_content", seed, worst[0][1]);
    s.c.result.set_seed("recall_by_cue_among_unions", seed, worst[1][0]),
        s.c.result.set_seed("recall_by_content_among_unions", seed, worst[1][1]);
    s.c.result.set_seed("recall_union_last", seed, worst[0][2]), s.c.result.set_seed("recall_union", seed, worst[1][2]);
    s.c.result.set_seed("recall_by_content_published", seed, best[2][1]);
    log_info("seed " + std::to_string(seed) + ": right by cue " + percent(worst[0][0]) + ", by content " + percent(worst[0][1]) +
             ", by several at the end " + percent(worst[0][2]) + " and among others " + percent(worst[1][2]) +
             "; with inhibition 6 by content " + percent(best[2][1]));
  }
  report::Table t{{"inhibition (nA)", "density", "sequences", kAsked[0], kAsked[1], kAsked[2]}, {}};
  for (std::size_t a = 0; a < 3; ++a)
    for (std::size_t d = 0; d < s.densities.size(); ++d) {
      const Score& score = of[a][d];
      t.rows.push_back({number(kArms[a].published ? 6 : s.options.cue_inhibition), number(s.densities[d]),
                        std::to_string(s.sequences * s.c.seeds.size()) + kArms[a].name, percent(score.share(0)), percent(score.share(1)),
                        kArms[a].published ? "" : percent(score.share(2))});
    }
  s.c.html.section("Random sequences");
  s.c.html.table(t, "Recalls that are exactly what a dictionary says, of all in sequences of " + std::to_string(s.operations) +
                        " operations, " + std::to_string(s.spacing) + " ms apart: 40 % learn a random content, often over an old one.");
  s.c.html.paragraph(
      "With the published inhibition of 6 nA, two content neurons that a new memory shares with an older one make that one's cue fire "
      "while the new one is learnt, and spoil its way back. It must be more than 6 nA times the largest overlap: 1000 is a veto.");
  s.c.html.paragraph(
      "Recalls by several neurons err for two reasons. They make the cues of all of these neurons fire right after all of them, and STDP "
      "cannot tell which pairs belong together: each synapse between them gains 6 exp(-2/3) = 3.1 nA, two such recalls make a pair that "
      "was "
      "never learnt. And overwriting leaves about 3.1 nA on the way back from what is forgotten: too little for one content neuron to fire "
      "the cue (3.3), enough for two.");
  s.c.html.card("Recall by cue", percent(s.c.result.metrics["recall_by_cue"]), "exactly the dictionary's, at the worst density");
  s.c.html.card("By one content neuron", percent(s.c.result.metrics["recall_by_content"]),
                "likewise; inhibition 6: " + percent(s.c.result.metrics["recall_by_content_published"]));
}

// Shares right over some setting, one line for each way to ask.
template <class Set>
void curve(Study& s, const std::vector<double>& x, const report::Axes& a, const std::string& caption, const std::string& metric, Set set,
           std::int64_t spacing = 0) {
  std::vector<report::Series> lines(2);
  for (std::size_t k = 0; k < 2; ++k) lines[k].name = kAsked[k], lines[k].x = x, lines[k].markers = true;
  for (const double value : x) {
    Options o = s.options;
    set(o, value);
    Score score;
    for (const auto seed : s.c.seeds)
      score += run_sequences(o, s.short_sequences, s.operations, {0.25, spacing ? spacing : static_cast<std::int64_t>(value)},
                             static_cast<std::uint64_t>(seed), false)
                   .score;
    for (std::size_t k = 0; k < 2; ++k) lines[k].y.push_back(100 * score.share(k));
    s.c.result.set(metric + "_" + std::to_string(std::lround(spacing ? 1000 * value : value)), score.share(1));
    s.c.check_stop();
  }
  s.c.html.figure(report::line_chart(lines, a), caption, false);
}

void curves(Study& s) {
  s.c.html.section("What it withstands");
  curve(s, s.spacings, axes("Time between operations", "ms", "recalls right (%)"),
        "Density 0.25. Closer than 20 ms, tails of STDP add up in long mixes.", "content_right_spacing", [](Options&, double) {});
  curve(
      s, s.noise, axes("Spikes lost", "share of spikes lost at each synapse", "recalls right (%)"),
      "Every spike is lost on its way through any synapse with this probability: learning and recall.", "content_right_loss_permille",
      [](Options& o, double x) { o.spike_loss = x; }, s.spacing);
  curve(
      s, s.noise, axes("Weights that are not what they should be", "deviation of the factor of each synapse", "recalls right (%)"),
      "Every synapse, learnt or not, has a factor of its own, normal of mean 1.", "content_right_noise_permille",
      [](Options& o, double x) { o.weight_noise = x; }, s.spacing);
}

// ---- beside Hopfield networks

graph::OpCounts spiking_counts(const Comparison::Cost& cost, double updates) {
  graph::OpCounts c;
  c.effective_acs = cost.events + cost.learnt, c.membrane_updates = updates, c.samples = 1;
  c.weight_bytes = 4 * cost.events + 8 * cost.learnt;  // a weight read; one that learns is written too
  c.state_bytes = 16 * updates;                        // membrane and current, read and written
  return c;
}

void rivals(Study& s) {
  const auto& pairs = s.pairs;
  const char* const names[] = {"spiking memory", "classical Hopfield", "modern Hopfield"};
  const char* const metrics[] = {"cam", "classical", "modern"};
  std::array<std::vector<report::Series>, 2> lines;
  for (auto& of : lines)
    for (const char* name : names) of.emplace_back().name = name, of.back().markers = true;
  Comparison last;
  report::Table t{{"memory", "by cue", "by a fragment", "by cue, all overwritten"}, {}};
  for (const auto n : pairs) {
    std::array<Rival, 3> mean{};
    for (const auto seed : s.c.seeds) {
      last = compare(s.options, n, s.density, s.trials, static_cast<std::uint64_t>(seed));
      const Rival* of[] = {&last.cam, &last.classical, &last.modern};
      for (std::size_t k = 0; k < 3; ++k) {
        const double share = 1 / static_cast<double>(s.c.seeds.size());
        mean[k].by_cue += share * of[k]->by_cue, mean[k].fragment += share * of[k]->fragment,
            mean[k].overwritten += share * of[k]->overwritten;
        if (n != pairs.back()) continue;
        const std::string m = metrics[k];
        s.c.result.set_seed(m + "_by_cue", seed, of[k]->by_cue), s.c.result.set_seed(m + "_fragment", seed, of[k]->fragment);
        s.c.result.set_seed(m + "_overwritten", seed, of[k]->overwritten);
      }
    }
    for (std::size_t k = 0; k < 3; ++k) {
      lines[0][k].x.push_back(static_cast<double>(n)), lines[0][k].y.push_back(100 * mean[k].by_cue);
      lines[1][k].x.push_back(static_cast<double>(n)), lines[1][k].y.push_back(100 * mean[k].fragment);
      if (n == pairs.back()) t.rows.push_back({names[k], percent(mean[k].by_cue), percent(mean[k].fragment), percent(mean[k].overwritten)});
    }
    s.c.check_stop();
  }
  s.c.html.section("Beside Hopfield networks");
  s.c.html.paragraph(
      "The same pairs in all three; contents of " + std::to_string(s.options.content) + " neurons, density " + number(s.density) +
      ". By cue: the content exactly. By a fragment (half of the active content neurons): that cue and no other. The spiking memory "
      "answers a "
      "fragment with every cue that holds any of its neurons, so where contents overlap it cannot tell the one that holds them all: it "
      "does not "
      "complete patterns, it looks them up. Overwritten: every cue is given a new content; only the spiking memory forgets the old one "
      "(a modern Hopfield network could drop the old pattern if it were told which).");
  s.c.html.figure(report::line_chart(lines[0], axes("Recall by cue", "pairs stored", "exact (%)")), "Means over seeds and trials.", false);
  s.c.html.figure(report::line_chart(lines[1], axes("Recall by half of the content", "pairs stored", "that cue alone (%)")),
                  "Means over seeds and trials.", false);
  s.c.html.table(t, std::to_string(pairs.back()) + " pairs.");

  const auto &sram = energy::profile("45nm-sram"), &loihi = energy::profile("loihi");
  report::Table costs{{"operation", "spikes", "synaptic events", "weights looked at to learn", "cells moved", "45nm-sram", "loihi"}, {}};
  const auto joules = [](const graph::OpCounts& counts, const energy::Profile& p) {
    const auto e = energy::estimate(counts, p).spiking;
    return e ? si(e->total(), "J") : std::string("-");
  };
  const char* const kinds[] = {"learn", "recall by cue", "recall by content"};
  for (const bool clock : {false, true})
    for (std::size_t k = 0; k < 3; ++k) {
      const auto& cost = last.cost[k];
      const auto counts = spiking_counts(cost, clock ? cost.clock_updates : cost.cell_updates);
      costs.rows.push_back({std::string(kinds[k]) + (clock ? ", every cell in each of 20 steps" : ", event by event"), number(cost.spikes),
                            number(cost.events), number(cost.learnt), number(counts.membrane_updates), joules(counts, sram),
                            joules(counts, loihi)});
      if (clock) continue;
      const std::string name = k == 0 ? "learn" : k == 1 ? "by_cue" : "by_content";
      s.c.result.set("spikes_" + name, cost.spikes), s.c.result.set("events_" + name, cost.events);
      s.c.result.set("joules_" + name, energy::estimate(counts, sram).spiking->total());
    }
  for (const bool modern : {false, true}) {
    graph::OpCounts counts;
    counts.effective_macs = (modern ? last.modern : last.classical).macs, counts.weight_bytes = 4 * counts.effective_macs,
    counts.samples = 1;
    costs.rows.push_back({std::string(names[1 + modern]) + ", a recall", "", number(counts.effective_macs) + " MACs", "", "",
                          joules(counts, sram), joules(counts, loihi)});
    s.c.result.set(modern ? "joules_modern" : "joules_classical", energy::estimate(counts, sram).spiking->total());
  }
  s.c.html.table(costs, "Means of an operation with up to " + std::to_string(pairs.back()) +
                            " pairs stored, and what it would cost at published prices (apical/energy): an event or a weight looked at is "
                            "an addition, cells and "
                            "weights are read from a cache of 32 KB. Loihi has no MAC.");
}

// ---- real contents

void digits(Study& s) {
  data::Source source = s.c.source;
  source.synthetic_train = std::min<std::size_t>(source.synthetic_train, 20 * s.images), source.synthetic_test = 10;
  const auto set = data::load("mnist", "train", source);
  s.c.result.use(set);
  report::Table t{{"seed", "by cue", "by each pixel", "by fragments", "cues a fragment gives", "seconds"}, {}};
  double slowest = 0;
  for (const auto seed : s.c.seeds) {
    const auto contents = binarised(set, s.images, static_cast<std::uint64_t>(seed), s.threshold);
    const Options o = s.sized(static_cast<std::uint32_t>(contents.size()), 196);
    std::vector<Operation> operations;
    const auto now = [&] { return static_cast<std::int64_t>(operations.size()) * s.mnist_spacing; };
    Random draw(static_cast<std::uint64_t>(seed), "fragments");
    for (std::uint32_t cue = 0; cue < o.cues; ++cue) operations.push_back(Operation::learn(now(), cue, contents[cue]));
    for (std::uint32_t cue = 0; cue < o.cues; ++cue) operations.push_back(Operation::by_cue(now(), cue));
    for (std::uint32_t i = 0; i < 196; ++i) operations.push_back(Operation::by_content(now(), {i}));
    const std::size_t whole = operations.size();
    for (std::uint32_t cue = 0; cue < o.cues; ++cue)
      operations.push_back(Operation::by_content(now(), some_of(contents[cue], std::min(s.fragment, contents[cue].size()), draw)));
    const double start = clock_seconds();
    SpikingCam cam(o);
    const auto run = cam.run(operations);
    const double took = clock_seconds() - start;
    slowest = std::max(slowest, took);
    EventCam events(o);
    s.different += events.run(operations).spikes != run.spikes;
    Score score, fragments;
    const auto expected = expected_answers(operations, o);
    score.add({operations.begin(), operations.begin() + static_cast<std::ptrdiff_t>(whole)}, expected, run.answers);
    double given = 0;
    for (std::size_t k = whole; k < operations.size(); ++k) {
      fragments.add({operations[k]}, {expected[k]}, {run.answers[k]});
      given += static_cast<double>(run.answers[k].size()) / o.cues;
    }
    const double by_fragment = (fragments.right[1] + fragments.right[2]) / std::max(1.0, fragments.of[1] + fragments.of[2]);
    s.c.result.set_seed("mnist_by_cue", seed, score.share(0)), s.c.result.set_seed("mnist_by_pixel", seed, score.share(1));
    s.c.result.set_seed("mnist_by_fragment", seed, by_fragment), s.c.result.set_seed("mnist_seconds", seed, took);
    t.rows.push_back(
        {std::to_string(seed), percent(score.share(0)), percent(score.share(1)), percent(by_fragment), number(given, 3), number(took, 3)});
    if (seed != s.c.seeds.front()) continue;
    s.c.html.section("Digits");
    std::vector<report::Tile> tiles;
    for (std::size_t cue = 0; cue < std::min<std::size_t>(o.cues, 16); ++cue) {
      report::Tile tile{
          14, 14, 1, std::vector<std::uint8_t>(196), "cue " + std::to_string(cue), expected[o.cues + cue] == run.answers[o.cues + cue]};
      for (const auto i : run.answers[o.cues + cue]) tile.pixels[i] = 255;
      tiles.push_back(std::move(tile));
    }
    s.c.html.figure(report::image_grid(tiles, 8, "Recalled by their cues"), "Contents as Output showed them.");
  }
  s.c.html.table(t, std::to_string(s.images) +
                        " pictures as contents of 196 neurons. Right: exactly what a dictionary says; a fragment of " +
                        std::to_string(s.fragment) + " pixels gives every cue that holds one of them.");
  s.c.html.card("Digits by cue", percent(s.c.result.metrics["mnist_by_cue"]),
                "recalled exactly; the slowest seed took " + number(slowest, 3) + " s");
}

void run(RunContext& c) {
  Study s = open(c);
  functional(s);
  own_operations(s);
  map(s);
  stress(s);
  one_spike(s);
  c.check_stop();
  sequences(s);
  curves(s);
  rivals(s);
  digits(s);
  c.result.set("form_differences", static_cast<double>(s.different));
  c.html.summary(
      "A memory of spiking neurons learns pairs of a cue and a content in three spikes and recalls them by either. What it recalls is held "
      "against a dictionary; "
      "each run was made twice, step by step on apical/brain and event by event by a program of its own: " +
      (s.different ? std::to_string(s.different) + " differences." : std::string("not one spike differs.")));
}

}  // namespace
}  // namespace apical::cam

void run_hippocampus_cam(apical::recipe::RunContext& c) { apical::cam::run(c); }
