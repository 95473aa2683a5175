#include "apical/training/finish.h"

#include <algorithm>
#include <cmath>

#include "apical/base/text.h"
#include "apical/energy/energy.h"
#include "apical/exchange/model.h"
#include "apical/report/statistics.h"
#include "apical/report/svg.h"
#include "apical/runtime/tune.h"

namespace apical::training {
namespace {

std::string percent(double share, int digits = 4) { return number(100 * share, digits) + " %"; }

// Share of nonzero inputs of every weight layer, from a few samples, for the runtime's choice between dense and event.
void measure_densities(graph::Graph& graph, const Loader& loader) {
  runtime::Options options;
  options.count = true;
  runtime::Session session(graph, options);
  const std::size_t n = std::min<std::size_t>(loader.size(), 64);
  std::vector<float> frames(static_cast<std::size_t>(graph.T * graph::elements(graph.input_shape)));
  for (std::size_t i = 0; i < n; ++i) {
    data::encode(graph.encoder, graph.preprocess, loader.set(), i * loader.size() / n, graph.T, frames.data());
    session.run(frames);
  }
  runtime::note_densities(graph, session.layer_counts());
}

std::string learning_curve(const std::vector<Epoch>& history, const std::string& title) {
  report::Series train{"training batches", {}, {}, {}, {}, false, true}, validation{"validation", {}, {}, {}, {}, true, true};
  for (const auto& e : history) {
    train.x.push_back(static_cast<double>(e.epoch));
    train.y.push_back(100 * e.accuracy);
    if (e.validation < 0) continue;
    validation.x.push_back(static_cast<double>(e.epoch));
    validation.y.push_back(100 * e.validation);
  }
  std::vector<report::Series> series{train};
  if (!validation.x.empty()) series.push_back(validation);
  report::Axes axes;
  axes.title = title;
  axes.x_label = "epoch";
  axes.y_label = "accuracy, %";
  return report::line_chart(series, axes);
}

std::string raster(nn::Network& network, const Loader& loader) {
  const std::uint32_t first = 0;
  std::vector<report::RasterLayer> layers;
  for (const auto& r : record_spikes(network, loader.batch({&first, 1}))) {
    report::RasterLayer layer{r.layer, static_cast<std::uint32_t>(r.neurons), {}};
    for (int t = 0; t < r.steps; ++t)
      for (std::int64_t n = 0; n < r.neurons; ++n)
        if (r.fired(t, n)) layer.spikes.emplace_back(t + 1, static_cast<std::uint32_t>(n));
    layers.push_back(std::move(layer));
  }
  report::Axes axes;
  axes.title = "Spikes of the first test sample";
  axes.x_label = "step";
  return report::spike_raster(layers, axes);
}

// Wrong predictions first (the interesting ones), then right ones.
std::string predictions(const Finished& f, const data::Set& set) {
  std::vector<std::size_t> chosen;
  for (const bool right : {false, true})
    for (std::size_t i = 0; i < set.size() && chosen.size() < (right ? 20u : 10u); ++i)
      if ((f.evaluation.predicted[i] == f.evaluation.labels[i]) == right) chosen.push_back(i);
  std::vector<report::Tile> tiles;
  for (const auto i : chosen) {
    report::Tile tile;
    tile.width = set.width;
    tile.height = set.height;
    const std::size_t plane = static_cast<std::size_t>(set.width) * set.height;
    if (set.kind == data::Kind::image) {
      tile.channels = set.channels == 3 ? 3 : 1;
      tile.pixels.resize(plane * static_cast<std::size_t>(tile.channels));
      for (std::size_t p = 0; p < plane; ++p)
        for (int c = 0; c < tile.channels; ++c)
          tile.pixels[p * static_cast<std::size_t>(tile.channels) + static_cast<std::size_t>(c)] = set.pixels[i * set.pixel_count() + static_cast<std::size_t>(c) * plane + p];
    } else if (set.kind == data::Kind::events) {
      tile.pixels.assign(plane, 0);
      for (const auto& e : set.recordings[i]) {
        auto& v = tile.pixels[static_cast<std::size_t>(e.y) * static_cast<std::size_t>(set.width) + e.x];
        v = static_cast<std::uint8_t>(std::min(255, v + 40));
      }
    } else {
      return "";
    }
    const auto said = static_cast<std::size_t>(f.evaluation.predicted[i]), truth = static_cast<std::size_t>(f.evaluation.labels[i]);
    auto name = [&](std::size_t c) { return c < set.classes.size() ? set.classes[c] : std::to_string(c); };
    tile.good = said == truth;
    tile.caption = tile.good ? name(said) : name(said) + " (is " + name(truth) + ")";
    tiles.push_back(std::move(tile));
  }
  return report::image_grid(tiles, 10, "Predictions");
}

report::Table difference_table(const Finished& f) {
  report::Table t{{"sample", "trained", "runtime", "first differing spike", "membrane in float64", "distance to threshold"}, {}};
  for (const auto& d : f.parity.disagreements) {
    const std::string where = d.first ? "t = " + std::to_string(d.first->t) + ", " + d.first->layer + ", neuron " + std::to_string(d.first->neuron) : "none: scores tie";
    t.rows.push_back({std::to_string(d.sample), std::to_string(d.trained), std::to_string(d.runtime), where, d.first ? number(d.first->membrane, 9) : "",
                      d.first ? number(d.first->distance, 3) : ""});
  }
  return t;
}

// Joules a sample on every profile, and the operations they come from.
void put_energy(report::Html& html, const Finished& f) {
  const auto& counts = f.parity.counts;
  const auto k = energy::complexity(f.graph, counts);
  html.paragraph("One sample takes " + si(k.effective_acs, "") + " accumulations, " + si(k.effective_macs, "") + " multiply-accumulates and " +
                 si(k.membrane_updates, "") + " membrane updates; without use of sparsity it would take " + si(k.dense, "") +
                 " multiply-accumulates. " + percent(k.activation_sparsity, 3) + " of the inputs of weight layers are zero; tensors and state take " +
                 bytes_text(k.footprint_bytes) + ".");
  report::Table layers{{"layer", "plan", "accumulations", "multiply-accumulates", "dense"}, {}};
  const double n = std::max(1.0, counts.samples);
  for (const auto& l : f.parity.layers)
    if (l.counts.dense > 0)
      layers.rows.push_back({l.layer, l.event ? "event" : "dense", si(l.counts.effective_acs / n, ""), si(l.counts.effective_macs / n, ""), si(l.counts.dense / n, "")});
  html.table(layers, "Operations of a sample, as counted by the runtime over the test set.");
  report::Table joules{{"hardware", "this network", "dense twin", "ANN twin", "source of the prices"}, {}};
  const auto cell = [](const std::optional<energy::Joules>& j) { return j ? si(j->total(), "J") : std::string("not possible"); };
  std::string verdict;
  for (const auto& p : energy::profiles()) {
    const auto e = energy::estimate(counts, p);
    joules.rows.push_back({p.title, cell(e.spiking), cell(e.dense), cell(e.ann), p.source});
    if (energy::ratio_to_ann(e)) verdict += (verdict.empty() ? "" : " ") + p.title + ": " + energy::verdict(e);
  }
  html.table(joules, "Joules a sample: an estimate from counted operations and moved bytes at published prices, not a measurement. The dense twin is "
                     "the same network without use of sparsity; the ANN twin the same layers run once with analog activations.");
  if (!verdict.empty()) html.paragraph(verdict);
}

}  // namespace

Finished finish(nn::Network& network, const Loader& test, const std::string& name, const std::filesystem::path& model) {
  Finished f;
  f.evaluation = evaluate(network, test);
  auto graph = network->lower(name);
  graph.encoder = test.encoder();
  graph.preprocess = test.preprocess();
  graph.classes = test.set().classes;
  graph.input_kind = test.set().kind == data::Kind::image ? "image" : test.set().kind == data::Kind::events ? "events" : "audio";
  measure_densities(graph, test);
  exchange::save_model(model, graph);
  f.graph = exchange::load_model(model);
  f.parity = check_parity(network, f.graph, test, f.evaluation);
  return f;
}

void put_metrics(recipe::Result& result, const Finished& f, const std::string& prefix) {
  const double n = static_cast<double>(f.evaluation.labels.size());
  const auto put_accuracy = [&](const std::string& metric, double accuracy) {
    const auto [lo, hi] = report::wilson(std::round(accuracy * n), n);
    result.set(prefix + metric, accuracy, lo, hi);
  };
  put_accuracy("test_accuracy", f.evaluation.accuracy());
  double right = 0;
  for (std::size_t i = 0; i < f.parity.predicted.size(); ++i) right += f.parity.predicted[i] == f.evaluation.labels[i];
  put_accuracy("runtime_accuracy", n > 0 ? right / n : 0);
  result.set(prefix + "runtime_samples", static_cast<double>(f.parity.samples));
  result.set(prefix + "runtime_disagreements", static_cast<double>(f.parity.disagreements.size()));
  result.set(prefix + "runtime_largest_distance", f.parity.largest_distance());
  result.set(prefix + "runtime_samples_per_second", static_cast<double>(f.parity.samples) / f.parity.seconds);
  result.set(prefix + "effective_acs", f.parity.counts.effective_acs / n);
  result.set(prefix + "effective_macs", f.parity.counts.effective_macs / n);
  result.set(prefix + "dense_operations", f.parity.counts.dense / n);
  for (const auto& [layer, rate] : f.evaluation.rates) result.set(prefix + "rate_" + layer, rate);
}

void put_cards(report::Html& html, const Finished& f, const Loader& test, std::optional<bool> good) {
  const std::size_t n = f.parity.samples, same = n - f.parity.disagreements.size();
  html.card("Test accuracy", percent(f.evaluation.accuracy()), std::to_string(test.size()) + " samples, T = " + std::to_string(test.T()), !good ? 0 : *good ? 1 : -1);
  html.card("Same without torch", std::to_string(same) + " of " + std::to_string(n), si(static_cast<double>(n) / f.parity.seconds, "samples/s"),
            same == n ? 1 : 0);
}

void put_report(report::Html& html, const Finished& f, nn::Network& network, const Loader& test, const std::vector<Epoch>& history, const std::string& title) {
  const std::string of = title.empty() ? "" : title + ": ";
  const double n = static_cast<double>(f.evaluation.labels.size());
  const auto [lo, hi] = report::wilson(std::round(f.evaluation.accuracy() * n), n);
  html.section(of + "learning");
  if (!history.empty()) html.figure(learning_curve(history, "Accuracy while learning"), "Dropout, if any, and augmentation are on for the training batches.");
  html.section(of + "test");
  html.paragraph(percent(f.evaluation.accuracy()) + " of " + std::to_string(f.evaluation.labels.size()) + " test samples right (95 % Wilson interval " + percent(lo) +
                 " to " + percent(hi) + ").");
  html.figure(report::confusion_matrix(f.evaluation.confusion(test.set().classes.size()), test.set().classes), "Rows are the true classes.", false);
  html.figure(report::firing_rates(f.evaluation.rates), "Mean over the test set.", false);
  if (const auto grid = predictions(f, test.set()); !grid.empty()) html.figure(grid, "Wrong predictions first; framed.");
  html.figure(raster(network, test), "Each dot is one spike.");
  html.section(of + "without torch");
  html.paragraph("The exported model ran event by event over " + std::to_string(f.parity.samples) + " samples in " + duration_text(f.parity.seconds) + " (" +
                 si(static_cast<double>(f.parity.samples) / f.parity.seconds, "samples/s") + ") and predicted otherwise than the trained network on " +
                 std::to_string(f.parity.disagreements.size()) + ".");
  if (!f.parity.disagreements.empty())
    html.table(difference_table(f), "Every difference, traced to the first spike the two disagree on. Sums are taken in another order, so a membrane that float64 puts "
                                    "within rounding of the threshold may fall on either side.");
  html.section(of + "operations and energy");
  put_energy(html, f);
}

}  // namespace apical::training
