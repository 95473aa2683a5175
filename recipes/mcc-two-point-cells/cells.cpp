// The network without torch, and what its cells do.
#include <algorithm>
#include <cmath>
#include <map>

#include "apical/base/clock.h"
#include "apical/base/text.h"
#include "apical/exchange/model.h"
#include "apical/report/statistics.h"
#include "apical/runtime/session.h"
#include "recipes/mcc-two-point-cells/study.h"

namespace apical::mcc {
namespace {

using torch::Tensor;

// Inputs side by side, as the graph takes them.
Tensor frames_of(const Run& run, const Drawn& d) { return at::cat(run.arm.streams(d.audio, d.image), 1).contiguous(); }

struct Pass {
  std::vector<float> scores;
  double seconds = 0;
  std::map<std::string, double> executed;  // products with a nonzero input and weight, by node
  std::map<std::string, Tensor> seen;      // what came into them, by node
};
Pass run_all(const std::shared_ptr<const runtime::Program>& program, const Tensor& frames, bool count, const std::map<std::string, std::string>& sources = {}) {
  Pass p;
  runtime::Session session(program);
  const auto width = static_cast<std::size_t>(frames.size(1));
  const double start = clock_seconds();
  for (std::int64_t i = 0; i < frames.size(0); ++i) {
    session.reset();
    const auto y = session.step({frames.data_ptr<float>() + static_cast<std::size_t>(i) * width, width});
    p.scores.insert(p.scores.end(), y.begin(), y.end());
    for (const auto& [product, source] : sources) {
      const auto x = session.output(source);
      Tensor& rows = p.seen[product];
      if (!rows.defined()) rows = torch::empty({frames.size(0), static_cast<std::int64_t>(x.size())});
      std::copy(x.begin(), x.end(), rows[i].data_ptr<float>());
    }
  }
  p.seconds = clock_seconds() - start;
  if (count)
    for (const auto& l : session.layer_counts()) p.executed[l.layer] = l.counts.effective_acs + l.counts.effective_macs;
  return p;
}

graph::Graph graph_of(const Run& run, const nn::MccTrace& trace, const data::PairedSet& test) {
  auto graph = run.network->lower("two-point cells, " + run.arm.name);
  graph.classes = test.audio().classes;
  for (const auto& t : trace.sent) graph.densities[t.node] = (t.source != 0).to(torch::kFloat64).mean().item<double>();
  return graph;
}

// Microseconds a sample, one core, one sample after another: median of 15 passes, the plans taking turns.
struct Speed {
  double event, dense, chosen;
};
Speed speed_of(const graph::Graph& graph, const Tensor& frames) {
  const runtime::Plan plans[] = {runtime::Plan::event, runtime::Plan::dense, runtime::Plan::automatic};
  std::vector<double> seconds[3], us;
  for (int k = 0; k < 15; ++k)
    for (std::size_t p = 0; p < 3; ++p) seconds[p].push_back(run_all(runtime::prepare(graph, {plans[p], false, false}), frames, false).seconds);
  for (const auto& passes : seconds) us.push_back(1e6 * report::median(passes) / static_cast<double>(frames.size(0)));
  return {us[0], us[1], us[2]};
}

std::string us_text(double us) { return number(us, 3) + " us"; }

}  // namespace

void test_speed(const Study& s, const std::vector<Run>& runs, const data::PairedSet& test) {
  const Drawn d = test_pairs(s, test, 0);
  report::Table table{{"network", "cells active", "event by event", "dense", "as the runtime chooses", "dense over event", "dense over chosen"}, {}};
  for (const auto& run : runs) {
    nn::MccTrace trace;
    scores(run, d, nullptr, &trace);
    double active = 0, layers = 0;
    for (const auto& stream : trace.h)
      for (const auto& h : stream) active += (h != 0).to(torch::kFloat64).mean().item<double>(), ++layers;
    const auto speed = speed_of(graph_of(run, trace, test), frames_of(run, d));
    s.c.result.set("event_speedup_" + run.metric(), speed.dense / speed.event);
    s.c.result.set("chosen_speedup_" + run.metric(), speed.dense / speed.chosen);
    table.rows.push_back({run.name(), number(100 * active / layers, 3) + " %", us_text(speed.event), us_text(speed.dense), us_text(speed.chosen), number(speed.dense / speed.event, 3),
                          number(speed.dense / speed.chosen, 3)});
  }
  s.c.html.section("Speed and activity");
  s.c.html.table(table, "Without torch, one core, 0 dB. Above 1 events are faster than dense products of the same network. Sounds and what cells show of R are "
                        "never 0: products with them are dense in every plan but the first.");
}

Miscounted miscounted(const nn::MccTrace& trace, const std::map<std::string, Tensor>& seen, const std::map<std::string, double>& executed) {
  Miscounted m;
  nn::MccTrace as_seen;
  for (auto t : trace.sent) {
    const auto it = seen.find(t.node);
    const Tensor x = it == seen.end() || it->second.sizes() != t.source.sizes() ? torch::full_like(t.source, std::nan("")) : it->second;
    const Tensor near = (x - t.source).abs().le(1e-5 * std::max(1.0, t.source.abs().max().item<double>()));
    m.synapses += near.logical_not().sum().item<double>();
    m.apart += near.logical_and((x != 0).ne(t.source != 0)).sum().item<double>();
    t.source = x;
    as_seen.sent.push_back(t);
  }
  auto left = executed;
  for (const auto& [node, synapses] : nn::synapses_by_node(as_seen)) {
    m.counted += synapses;
    m.synapses += std::abs(left[node] - synapses);
    left.erase(node);
  }
  for (const auto& [node, synapses] : left) m.synapses += synapses;  // of products that nobody counted
  return m;
}

void test_runtime(const Study& s, const Run& run, const data::PairedSet& test) {
  const Drawn d = test_pairs(s, test, 0);
  nn::MccTrace trace;
  const Tensor want = scores(run, d, nullptr, &trace);
  auto graph = graph_of(run, trace, test);
  const auto path = s.c.file("model.safetensors");
  exchange::save_model(path, graph);
  graph = exchange::load_model(path);
  const Tensor frames = frames_of(run, d);
  const auto prepared = [&](runtime::Plan plan, bool count) { return runtime::prepare(graph, {plan, false, count}); };
  std::map<std::string, std::string> sources;  // what the products read
  for (const auto& node : graph.nodes)
    if (!graph::weight_name(node.op).empty()) sources[node.name] = node.inputs[0];
  const Pass event = run_all(prepared(runtime::Plan::event, true), frames, true), dense = run_all(prepared(runtime::Plan::dense, false), frames, false, sources);
  const auto scores_of = [&](const Pass& p) { return torch::from_blob(const_cast<float*>(p.scores.data()), want.sizes().vec()).clone(); };
  const Tensor y = scores_of(event);
  auto& r = s.c.result;
  const double scale = std::max(1.0, want.abs().max().item<double>());
  r.set("runtime_disagreements", static_cast<double>(y.argmax(1).ne(want.argmax(1)).sum().item<std::int64_t>()));
  r.set("runtime_samples", static_cast<double>(d.size()));
  r.set("runtime_difference", (y - want).abs().max().item<double>() / scale);
  r.set("event_dense_difference", (y - scores_of(dense)).abs().max().item<double>() / scale);
  // Executed event by event; the sources are those of the dense run, which looks at no list.
  auto executed = event.executed;
  std::erase_if(executed, [&](const auto& of) { return !sources.count(of.first); });
  const auto m = miscounted(trace, dense.seen, executed);
  r.set("synapses_counted", m.counted / static_cast<double>(d.size()));
  r.set("synapses_miscounted", m.synapses);
  r.set("cells_within_rounding", m.apart);

  s.c.html.section("Without torch");
  s.c.html.table({{"", "value"},
                  {{"predictions that differ", number(*r.get("runtime_disagreements")) + " of " + number(*r.get("runtime_samples"))},
                   {"largest difference of a score, of the largest score", number(*r.get("runtime_difference"), 2)},
                   {"synapses a sample, counted", number(*r.get("synapses_counted"))},
                   {"synapses that the runtime executed otherwise", number(m.synapses)},
                   {"values that are 0 here or in training alone, within rounding", number(m.apart)}}},
                 run.name() + ": exported to model.safetensors, read back, run on the test pairs at 0 dB. A cell whose output is 0 sends nothing.");
}

void show_cells(const Study& s, const Run& run, const data::PairedSet& test) {
  const Drawn d = test_pairs(s, test, 0);
  Run fresh = run;
  fresh.network = nn::MccNetwork(run.network->spec(), static_cast<std::uint64_t>(run.seed));
  constexpr std::int64_t kSamples = 60;
  nn::MccTrace before, after;
  scores(fresh, d, nullptr, &before);
  scores(run, d, nullptr, &after);
  s.c.html.section("Activity");
  for (const auto& [trace, title] : {std::pair{&before, "Before training"}, std::pair{&after, "After training"}}) {
    std::vector<report::RasterLayer> layers;
    for (std::size_t m = 0; m < trace->h.size(); ++m)
      for (std::size_t l = 0; l < trace->h[m].size(); ++l) {
        const Tensor active = (trace->h[m][l].slice(0, 0, kSamples) != 0).nonzero().contiguous();
        report::RasterLayer layer{std::string(m == 0 ? "audio " : "visual ") + std::to_string(l + 1), static_cast<std::uint32_t>(trace->h[m][l].size(1)), {}};
        const auto* p = active.data_ptr<std::int64_t>();
        for (std::int64_t i = 0; i < active.size(0); ++i) layer.spikes.emplace_back(static_cast<double>(p[2 * i]), static_cast<std::uint32_t>(p[2 * i + 1]));
        layers.push_back(std::move(layer));
      }
    s.c.html.figure(report::spike_raster(layers, axes(title, "test pair", "", 520)), "A mark: the cell sends something for this pair (0 dB).", false);
  }

  // T over R and C, and where the samples lie.
  const auto cell = run.network->spec().cell;
  const double reach = cell.c_max;
  report::Heat heat;
  heat.numbers = false;
  constexpr int kSide = 25;
  for (int i = 0; i < kSide; ++i) {
    const double C = reach * (1 - 2.0 * i / (kSide - 1));
    heat.rows.push_back(i % 4 == 0 ? number(C, 2) : "");
    const auto r = torch::linspace(-3, 3, kSide);
    // The context whose squashed value is C; at the rim that is infinite, so a little inside.
    const auto context = torch::full({kSide}, cell.c_max * std::atanh(std::clamp(C / reach, -0.999, 0.999)));
    const auto h = nn::two_point(cell, r, context);
    heat.values.emplace_back(h.data_ptr<float>(), h.data_ptr<float>() + kSide);
  }
  for (int j = 0; j < kSide; ++j) heat.columns.push_back(j % 4 == 0 ? number(-3 + 6.0 * j / (kSide - 1), 2) : "");
  s.c.html.section("R and C");
  s.c.html.figure(report::heat_map(heat, axes("Output h over R (across) and C (down)", "R", "C")), "Transfer function " + run.arm.name + ", after the output's rectification.",
                  false);
  report::Scatter cloud;
  cloud.groups = {"sends nothing", "sends"};
  cloud.name_points = false;
  const auto& r = after.r[0].back();
  const auto c = reach * (after.context[0].back() / reach).tanh();
  const auto& h = after.h[0].back();
  for (std::int64_t k = 0; k < 800; ++k) {
    const std::int64_t b = k * 7 % h.size(0), i = k * 31 % h.size(1);
    cloud.points.push_back({"", r[b][i].item<double>(), c[b][i].item<double>(), h[b][i].item<double>() != 0 ? 1 : 0});
  }
  s.c.html.figure(report::scatter(cloud, axes("Cells of the last audio layer", "R", "C")), "800 cells and test pairs at 0 dB after training.", false);
}

}  // namespace apical::mcc
