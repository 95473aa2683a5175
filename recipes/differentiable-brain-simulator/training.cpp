// The same networks, trained: delayed match-to-sample (dms.h) in figures and in the report.
#include <map>
#include <memory>

#include "apical/base/progress.h"
#include "apical/base/text.h"
#include "apical/training/setup.h"
#include "recipes/differentiable-brain-simulator/dms.h"
#include "recipes/differentiable-brain-simulator/study.h"

namespace apical::simulator {
namespace {

dms::Options options(const recipe::RunContext& c) {
  dms::Options o;
  o.delay_min = c.config.integer("training.delay_min"), o.delay_max = c.config.integer("training.delay_max");
  o.steps = c.config.integer("training.steps"), o.batch = c.config.integer("training.batch");
  o.rates = c.config.reals("training.rates"), o.grid_steps = c.config.integer("training.grid_steps");
  o.validation = c.config.integer("training.validation"), o.test = c.config.integer("training.test");
  o.simulated = c.config.integer("training.simulated");
  o.excitatory = static_cast<std::uint32_t>(count(c, "training.excitatory", 10000));
  o.inhibitory = static_cast<std::uint32_t>(count(c, "training.inhibitory", 10000));
  return o;
}

void show(recipe::RunContext& c, const dms::Outcome& outcome, const dms::Options& o) {
  c.html.section("Trained: the same object, simulated, taught and simulated again");
  c.html.paragraph(
      "Delayed match-to-sample: one of four directions for 100 ms, " + std::to_string(o.delay_min) +
      (o.delay_max > o.delay_min ? " to " + std::to_string(o.delay_max) : "") + " ms of nothing, a direction for 100 ms: the same? " +
      std::to_string(o.excitatory) + " excitatory and " + std::to_string(o.inhibitory) +
      " inhibitory neurons, which keep their signs (Dale's law), by back-propagation through time. GIF: each spike leaves a current of " +
      number(o.tau_slow) + " ms behind; LIF: the same circuit without it.");
  std::map<std::string, report::Series> curves;
  report::Table table{{"neurons", "seed", "learning rate", "test", "by the engine", "equal decisions", "equal spikes", "rate", "training"},
                      {}};
  for (const auto& run : outcome.runs) {
    auto& line = curves[run.model];
    if (line.x.empty()) {  // of the first seed
      constexpr std::size_t window = 10;
      for (std::size_t first = 0; first + window <= run.accuracy.size(); first += window) {
        double sum = 0;
        for (std::size_t k = 0; k < window; ++k) sum += run.accuracy[first + k];
        line.x.push_back(static_cast<double>(first + window)), line.y.push_back(100 * sum / window);
      }
      line.name = run.model == "gif" ? "GIF" : "LIF";
    }
    table.rows.push_back({line.name, std::to_string(run.seed), number(run.rate), number(100 * run.test_accuracy, 4) + " %",
                          number(100 * run.simulated_accuracy, 4) + " %", number(100 * run.equal_decisions, 4) + " %",
                          number(100 * run.equal_spikes, 5) + " %", number(run.mean_rate, 3) + " Hz", si(run.train_s, "s")});
  }
  c.html.figure(report::line_chart({curves.at("gif"), curves.at("lif")}, axes("Delayed match-to-sample", "training steps", "right (%)")),
                "Training batches, means of ten, first seed.");
  c.html.table(table, "By the engine: the event-driven simulator, without torch, on the first " + std::to_string(o.simulated) +
                          " test trials, from the same weights in the same memory; equal: as in the pass that trains.");
  report::Axes a = axes("A test trial after training (GIF)", "ms", "");
  a.x_min = 0, a.x_max = outcome.raster_end;
  std::vector<report::RasterLayer> layers{{"E", o.excitatory, {}}, {"I", o.inhibitory, {}}};
  for (std::size_t k = 0; k < outcome.raster.size(); ++k) {
    const std::uint32_t neuron = outcome.raster.neuron[k];
    const bool inhibits = neuron >= o.excitatory;
    layers[inhibits].spikes.emplace_back(outcome.raster.step[k], neuron - (inhibits ? o.excitatory : 0));
  }
  c.html.figure(report::spike_raster(layers, a),
                "As the engine ran it. The last 100 ms are the second direction, from " + std::to_string(outcome.raster_test) + " ms on.");
}

}  // namespace

void training(recipe::RunContext& c) {
  apical::training::prepare_torch(c.threads);
  const auto o = options(c);
  std::unique_ptr<Progress> progress;
  const auto outcome =
      dms::study(o, c.seeds, [&](const std::string& what, std::int64_t step, std::int64_t steps, double loss, double accuracy) {
        if (step == 1) progress = std::make_unique<Progress>("train " + what, static_cast<std::uint64_t>(steps), "steps");
        progress->note("loss " + number(loss, 3));
        progress->advance();
        c.metrics.append("training", {{"step", static_cast<double>(step)}, {"loss", loss}, {"accuracy", accuracy}});
        c.check_stop();
      });
  progress.reset();
  double decisions = 1, spikes = 1;
  std::map<std::int64_t, double> of_gif;
  for (const auto& run : outcome.runs) {
    c.result.set_seed("dms_" + run.model, run.seed, run.test_accuracy);
    c.result.set_seed("dms_" + run.model + "_simulated", run.seed, run.simulated_accuracy);
    c.result.set_seed("dms_" + run.model + "_train_s", run.seed, run.train_s);
    c.result.set_seed("dms_" + run.model + "_hz", run.seed, run.mean_rate);
    decisions = std::min(decisions, run.equal_decisions), spikes = std::min(spikes, run.equal_spikes);
    if (run.model == "gif")
      of_gif[run.seed] = run.test_accuracy;
    else
      c.result.set_seed("dms_points", run.seed, of_gif.at(run.seed) - run.test_accuracy);
  }
  c.result.set("equal_decisions", decisions), c.result.set("equal_spikes", spikes);
  show(c, outcome, o);
  c.html.card("Delayed match-to-sample", number(100 * c.result.metrics["dms_gif"], 3) + " %",
              "GIF neurons; LIF neurons " + number(100 * c.result.metrics["dms_lif"], 3) + " %");
}

}  // namespace apical::simulator
