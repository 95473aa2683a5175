#include "recipes/hippocampus-cam/study.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "recipes/hippocampus-cam/hopfield.h"

namespace apical::cam {

using Kind = Operation::Kind;

std::vector<Operation> functional_operations() {
  return {Operation::learn(0, 0, {0, 1, 8, 9}),  Operation::learn(10, 4, {1, 5, 6}),
          Operation::learn(20, 3, {4, 5, 6}),    Operation::by_cue(30, 0),
          Operation::by_content(40, {6}),        Operation::by_content(50, {0, 4}),
          Operation::learn(60, 3, {1, 3, 4, 8}), Operation::by_cue(70, 3),
          Operation::by_content(80, {6})};
}

std::vector<Spike> expected_output(const std::vector<Operation>& operations, const Options& o) {
  const auto expected = expected_answers(operations, o);
  std::vector<Neurons> held(o.cues);
  std::vector<Spike> all;
  for (std::size_t k = 0; k < operations.size(); ++k) {
    const Operation& op = operations[k];
    const auto show = [&](std::int64_t after, const Neurons& cues, const Neurons& content) {
      for (const auto i : cues) all.push_back({op.time + after, output, i});
      for (const auto i : content) all.push_back({op.time + after, output, o.cues + i});
    };
    show(5, op.cues, op.content);
    if (op.kind == Kind::by_cue) show(6, {}, expected[k]);
    if (op.kind == Kind::by_content) show(6, expected[k], {});
    if (op.kind != Kind::learn) continue;
    Neurons old;
    auto& before = held[op.cues[0]];
    std::set_difference(before.begin(), before.end(), op.content.begin(), op.content.end(), std::back_inserter(old));
    show(6, {}, old);
    show(7, op.cues, op.content);
    before = op.content;
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<Operation> map_operations() {
  std::vector<Operation> all;
  for (std::uint32_t cell = 0; cell < kMap.size(); ++cell) all.push_back(Operation::learn(7 * std::int64_t{cell}, cell, {kMap[cell]}));
  const Neurons asked[] = {{1, 2, 4}, {3}, {5}, {0}};
  for (int k = 0; k < 4; ++k) all.push_back(Operation::by_content(112 + 6 * k, asked[k]));
  return all;
}

std::vector<Operation> stress_operations() {
  std::vector<Operation> all;
  for (int round = 0; round < 3; ++round)
    for (const bool learn : {true, false})
      for (std::uint32_t cue = 0; cue < 5; ++cue) {
        const auto time = 14 * static_cast<std::int64_t>(all.size());
        Neurons content;
        for (std::uint32_t i = 0; i < 10; ++i)
          if ((i + cue >= 4 && i <= 4 + cue) == (round != 1)) content.push_back(i);
        all.push_back(learn ? Operation::learn(time, cue, content) : Operation::by_cue(time, cue));
      }
  return all;
}

Neurons random_content(std::uint32_t m, double density, Random& draw) {
  Neurons content;
  for (std::uint32_t i = 0; i < m; ++i)
    if (draw.uniform() < static_cast<float>(density)) content.push_back(i);
  if (content.empty()) content.push_back(draw.below(m));
  return content;
}

Neurons some_of(Neurons from, std::size_t count, Random& draw) {
  for (std::size_t k = 0; k < count; ++k) std::swap(from[k], from[k + draw.below(static_cast<std::uint32_t>(from.size() - k))]);
  from.resize(count);
  std::sort(from.begin(), from.end());
  return from;
}

namespace {

Neurons first(std::uint32_t count) {
  Neurons all(count);
  for (std::uint32_t i = 0; i < count; ++i) all[i] = i;
  return all;
}

std::size_t kind_of(const Operation& op) { return op.kind == Kind::by_cue ? 0 : op.content.size() == 1 ? 1 : 2; }

}  // namespace

std::vector<Operation> random_operations(const Options& o, std::size_t count, const Mix& mix, std::uint64_t seed) {
  Random draw(seed, "operations");
  std::vector<Operation> all;
  const auto several = [&] { return std::min(o.content, 2 + draw.below(2)); };
  for (std::int64_t time = 0; all.size() < count; time += mix.spacing) {
    if (mix.union_last && all.size() + 1 == count) {
      all.push_back(Operation::by_content(time, some_of(first(o.content), several(), draw)));
    } else if (draw.uniform() < 0.4f) {
      const auto cue = draw.below(o.cues);
      all.push_back(Operation::learn(time, cue, random_content(o.content, mix.density, draw)));
    } else if (const auto what = draw.below(mix.unions ? 3 : 2); what == 0) {
      all.push_back(Operation::by_cue(time, draw.below(o.cues)));
    } else {
      const std::size_t neurons = what == 1 ? 1 : several();
      all.push_back(Operation::by_content(time, some_of(first(o.content), neurons, draw)));
    }
  }
  return all;
}

void Score::add(const std::vector<Operation>& operations, const std::vector<Neurons>& expected, const std::vector<Neurons>& got) {
  for (std::size_t k = 0; k < operations.size(); ++k) {
    if (operations[k].kind == Kind::learn) continue;
    const auto kind = kind_of(operations[k]);
    of[kind] += 1, right[kind] += expected[k] == got[k];
  }
}

Score& Score::operator+=(const Score& o) {
  for (std::size_t k = 0; k < 3; ++k) right[k] += o.right[k], of[k] += o.of[k];
  return *this;
}

Both run_both(const Options& options, const std::vector<Operation>& operations) {
  Both b;
  SpikingCam clock(options);
  EventCam events(options);
  b.clock = clock.run(operations), b.events = events.run(operations);
  b.forward = clock.forward(), b.backward = clock.backward();
  std::vector<Spike> alone;
  std::set_symmetric_difference(b.clock.spikes.begin(), b.clock.spikes.end(), b.events.spikes.begin(), b.events.spikes.end(),
                                std::back_inserter(alone));
  b.different = alone.size() + (b.clock.events != b.events.events);
  const auto weights = [&](const Weights& x, const Weights& y) {
    for (std::size_t i = 0; i < x.size(); ++i) b.different += !(std::fabs(x[i] - y[i]) <= 1e-9);
  };
  weights(b.forward, events.forward()), weights(b.backward, events.backward());
  return b;
}

Sequences run_sequences(const Options& options, std::size_t sequences, std::size_t operations, const Mix& mix, std::uint64_t seed,
                        bool both) {
  std::vector<Sequences> of(sequences);
  parallel_for(0, sequences, 1, [&](std::size_t k, std::size_t) {
    Options o = options;
    o.seed = seed * 100003 + k;
    const auto ops = random_operations(o, operations, mix, o.seed);
    const auto expected = expected_answers(ops, o);
    if (both) {
      const auto b = run_both(o, ops);
      of[k].score.add(ops, expected, b.clock.answers);
      of[k].different = b.different, of[k].spikes = b.clock.spikes.size();
    } else {
      const auto run = EventCam(o).run(ops);
      of[k].score.add(ops, expected, run.answers);
      of[k].spikes = run.spikes.size();
    }
  });
  Sequences all;
  for (const auto& s : of) all.score += s.score, all.different += s.different, all.spikes += s.spikes;
  return all;
}

namespace {

struct Trial {
  std::vector<Neurons> contents, fragments;
};

// What a rival, told in two functions, recalls.
template <class ByCue, class Fragment>
void judge(const std::vector<Neurons>& contents, const Trial& trial, ByCue by_cue, Fragment fragment, double& exact, double& found) {
  for (std::uint32_t cue = 0; cue < contents.size(); ++cue) {
    exact += by_cue(cue) == contents[cue];
    if (!trial.fragments.empty()) found += fragment(trial.fragments[cue]) == Neurons{cue};
  }
}

void hopfield(Hopfield& net, const Trial& trial, const std::vector<Neurons>& others, Rival& rival) {
  double none = 0;
  for (std::uint32_t cue = 0; cue < trial.contents.size(); ++cue) net.learn(cue, trial.contents[cue]);
  const auto by_cue = [&](std::uint32_t cue) { return net.recall_by_cue(cue); };
  const auto fragment = [&](const Neurons& part) { return Neurons{net.recall_by_content(part)}; };
  judge(trial.contents, trial, by_cue, fragment, rival.by_cue, rival.fragment);
  rival.macs += static_cast<double>(net.macs()) / 2;  // of each pair two recalls
  for (std::uint32_t cue = 0; cue < others.size(); ++cue) net.learn(cue, others[cue]);
  judge(others, {}, by_cue, fragment, rival.overwritten, none);
}

}  // namespace

Comparison compare(const Options& options, std::size_t pairs, double density, std::size_t trials, std::uint64_t seed) {
  Comparison c;
  std::array<double, 3> operations{};
  Options o = options;
  for (std::size_t t = 0; t < trials; ++t) {
    Random draw(seed, "compare", t << 32 | pairs << 24);
    Trial trial;
    std::vector<Neurons> others;
    for (std::size_t k = 0; k < pairs; ++k) {
      trial.contents.push_back(random_content(o.content, density, draw));
      trial.fragments.push_back(some_of(trial.contents[k], (trial.contents[k].size() + 1) / 2, draw));
      others.push_back(random_content(o.content, density, draw));
    }
    ClassicalHopfield classical(o.cues, o.content, density);
    hopfield(classical, trial, others, c.classical);
    ModernHopfield modern(o.cues, o.content);
    hopfield(modern, trial, others, c.modern);

    EventCam cam(o);
    const auto ask = [&](const Operation& op) {
      const auto run = cam.run({op});
      auto& cost = c.cost[static_cast<std::size_t>(op.kind)];
      cost.spikes += static_cast<double>(run.spikes.size()), cost.events += static_cast<double>(run.events);
      cost.learnt += static_cast<double>(run.learnt), cost.cell_updates += static_cast<double>(run.cell_updates);
      operations[static_cast<std::size_t>(op.kind)] += 1;
      return run.answers[0];
    };
    const auto by_cue = [&](std::uint32_t cue) { return ask(Operation::by_cue(0, cue)); };
    const auto fragment = [&](const Neurons& part) { return ask(Operation::by_content(0, part)); };
    double none = 0;
    for (std::uint32_t cue = 0; cue < pairs; ++cue) ask(Operation::learn(0, cue, trial.contents[cue]));
    judge(trial.contents, trial, by_cue, fragment, c.cam.by_cue, c.cam.fragment);
    for (std::uint32_t cue = 0; cue < pairs; ++cue) ask(Operation::learn(0, cue, others[cue]));
    judge(others, {}, by_cue, fragment, c.cam.overwritten, none);
  }
  const double all = static_cast<double>(trials * pairs);
  for (Rival* r : {&c.cam, &c.classical, &c.modern}) r->by_cue /= all, r->fragment /= all, r->overwritten /= all, r->macs /= all;
  double cells = 0;
  for (const auto& of : circuit(o).cells) cells += of.size;
  for (std::size_t k = 0; k < 3; ++k) {
    auto& cost = c.cost[k];
    for (double* x : {&cost.spikes, &cost.events, &cost.learnt, &cost.cell_updates}) *x /= std::max(operations[k], 1.0);
    cost.clock_updates = 20 * cells;
  }
  return c;
}

std::vector<Neurons> binarised(const data::Set& set, std::size_t count, std::uint64_t seed, int threshold) {
  Random draw(seed, "pictures");
  std::vector<Neurons> all;
  std::vector<bool> taken(set.size());
  for (std::size_t tries = 0; all.size() < count && tries < set.size(); ++tries) {
    const auto which = draw.below(static_cast<std::uint32_t>(set.size()));
    if (taken[which]) continue;
    taken[which] = true;
    const auto* pixels = set.pixels.data() + which * set.pixel_count();
    const auto at = [&](int y, int x) { return static_cast<int>(pixels[y * set.width + x]); };
    Neurons content;
    for (int y = 0; y < 14; ++y)
      for (int x = 0; x < 14; ++x)
        if (at(2 * y, 2 * x) + at(2 * y, 2 * x + 1) + at(2 * y + 1, 2 * x) + at(2 * y + 1, 2 * x + 1) >= 4 * threshold)
          content.push_back(static_cast<std::uint32_t>(14 * y + x));
    if (!content.empty()) all.push_back(content);
  }
  return all;
}

}  // namespace apical::cam
