// `apical energy MODEL DATA`: operations, memory traffic and joules of a network, beside its dense twins.
#include "apical/energy/energy.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apical/base/progress.h"
#include "apical/base/stop.h"
#include "apical/base/text.h"
#include "apical/energy/meter.h"
#include "apical/exchange/model.h"
#include "apical/runtime/evaluate.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

using Json = nlohmann::ordered_json;
using energy::Estimate, energy::Joules, energy::Profile, runtime::Evaluation;

struct EnergyOptions {
  std::string model, data, split = "test", profile = "all";
  std::size_t limit = 0;
  bool json = false;
};

std::vector<Profile> chosen(const std::string& name) {
  if (name == "all") return energy::profiles();
  return {energy::profile(name)};
}

Json to_json(const std::optional<Joules>& j) {
  if (!j) return nullptr;
  return {{"total", j->total()},   {"operations", j->operations},   {"membranes", j->membranes},
          {"weights", j->weights}, {"activations", j->activations}, {"state", j->state}};
}

Json counts_json(const graph::OpCounts& c) {
  const double n = c.samples > 0 ? c.samples : 1;
  return {{"effective_acs", c.effective_acs / n},
          {"effective_macs", c.effective_macs / n},
          {"dense", c.dense / n},
          {"ann", c.ann / n},
          {"membrane_updates", c.membrane_updates / n},
          {"weight_bytes", c.weight_bytes / n},
          {"activation_bytes", c.activation_bytes / n},
          {"state_bytes", c.state_bytes / n},
          {"dense_weight_bytes", c.dense_weight_bytes / n},
          {"dense_activation_bytes", c.dense_activation_bytes / n},
          {"ann_weight_bytes", c.ann_weight_bytes / n},
          {"ann_activation_bytes", c.ann_activation_bytes / n}};
}

void print_json(const EnergyOptions& o, const graph::Graph& graph, const data::Set& set, const Evaluation& e, const energy::Meter& meter,
                const std::optional<double>& measured) {
  const auto& c = e.batch.counts;
  const auto k = energy::complexity(graph, c);
  Json j;
  j["model"] = o.model, j["network"] = graph.name, j["samples"] = e.ids.size(), j["T"] = graph.T;
  j["data"] = {{"name", set.name}, {"split", set.split}, {"synthetic", set.synthetic}, {"subset", set.subset}};
  if (const auto a = e.accuracy()) j["accuracy"] = *a;
  j["per_sample"] = counts_json(c);
  j["activation_sparsity"] = k.activation_sparsity, j["connection_sparsity"] = k.connection_sparsity,
  j["footprint_bytes"] = k.footprint_bytes;
  j["layers"] = Json::array();
  for (auto layer : e.batch.layers) {
    layer.counts.samples = c.samples;
    Json l = counts_json(layer.counts);
    l["layer"] = layer.layer, l["op"] = layer.op;
    if (layer.op == "conv2d" || layer.op == "linear") l["plan"] = layer.event ? "event" : "dense";
    j["layers"].push_back(std::move(l));
  }
  j["profiles"] = Json::array();
  for (const auto& p : chosen(o.profile)) {
    const Estimate est = energy::estimate(c, p);
    Json entry = {{"name", p.name},
                  {"title", p.title},
                  {"source", p.source},
                  {"spiking_j", to_json(est.spiking)},
                  {"dense_twin_j", to_json(est.dense)},
                  {"ann_twin_j", to_json(est.ann)},
                  {"ratio_to_ann", nullptr},
                  {"verdict", energy::verdict(est)}};
    if (const auto r = energy::ratio_to_ann(est)) entry["ratio_to_ann"] = *r;
    j["profiles"].push_back(std::move(entry));
  }
  j["measured"] = {{"available", measured.has_value()}};
  if (measured)
    j["measured"]["joules_per_sample"] = *measured / static_cast<double>(e.ids.size());
  else
    j["measured"]["reason"] = meter.reason();
  std::printf("%s\n", j.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void row(const char* name, double spiking, double dense, double ann) {
  const auto cell = [](double v) { return si(v, ""); };
  std::printf("%-28s %14s %14s %14s\n", name, cell(spiking).c_str(), cell(dense).c_str(), cell(ann).c_str());
}

void print_counts(const graph::Graph& graph, const graph::OpCounts& all) {
  const auto k = energy::complexity(graph, all);
  const double n = all.samples;
  std::printf("%-28s %14s %14s %14s\n", "per sample", "spiking", "dense twin", "ANN twin");
  row("accumulations (AC)", k.effective_acs, 0, 0);
  row("multiply-accumulates (MAC)", k.effective_macs, k.dense, all.ann / n);
  row("membrane updates", k.membrane_updates, k.membrane_updates, 0);
  row("bytes of weights moved", all.weight_bytes / n, all.dense_weight_bytes / n, all.ann_weight_bytes / n);
  row("bytes of activations moved", all.activation_bytes / n, all.dense_activation_bytes / n, all.ann_activation_bytes / n);
  row("bytes of state moved", all.state_bytes / n, all.state_bytes / n, 0);
  std::printf("activation sparsity %.1f %%, connection sparsity %.1f %%, footprint %s\n", 100 * k.activation_sparsity,
              100 * k.connection_sparsity, bytes_text(k.footprint_bytes).c_str());
}

void print_layers(const Evaluation& e) {
  std::printf("\n%-16s %-11s %-6s %12s %12s %12s\n", "layer", "op", "plan", "AC", "MAC", "dense");
  for (const auto& l : e.batch.layers) {
    if (l.counts.dense <= 0) continue;
    const double n = e.batch.counts.samples;
    std::printf("%-16s %-11s %-6s %12s %12s %12s\n", l.layer.c_str(), l.op.c_str(),
                l.op == "affine" ? ""
                : l.event        ? "event"
                                 : "dense",
                si(l.counts.effective_acs / n, "").c_str(), si(l.counts.effective_macs / n, "").c_str(),
                si(l.counts.dense / n, "").c_str());
  }
}

void print(const EnergyOptions& o, const graph::Graph& graph, const data::Set& set, const Evaluation& e, const energy::Meter& meter,
           const std::optional<double>& measured) {
  std::printf("%s on %s%s: %zu samples, T = %d\n\n", graph.name.c_str(), set.name.c_str(), set.synthetic ? " (synthetic twin)" : "",
              e.ids.size(), graph.T);
  print_counts(graph, e.batch.counts);
  print_layers(e);
  std::printf("\n%-18s %12s %12s %12s\n", "joules a sample", "spiking", "dense twin", "ANN twin");
  const auto cell = [](const std::optional<Joules>& j) { return j ? si(j->total(), "J") : std::string("cannot"); };
  const auto profiles = chosen(o.profile);
  for (const auto& p : profiles) {
    const Estimate est = energy::estimate(e.batch.counts, p);
    std::printf("%-18s %12s %12s %12s\n", p.name.c_str(), cell(est.spiking).c_str(), cell(est.dense).c_str(), cell(est.ann).c_str());
  }
  std::printf("\n");
  for (const auto& p : profiles)
    std::printf("%s: %s\n    %s\n    %s\n", p.name.c_str(), energy::verdict(energy::estimate(e.batch.counts, p)).c_str(), p.title.c_str(),
                p.source.c_str());
  std::printf("\ndense twin: the same spiking network, every product at every step. ANN twin: the same layers once, analog activations.\n");
  if (measured)
    std::printf("measured: %s a sample, all processor packages (RAPL), whatever else ran included\n",
                si(*measured / static_cast<double>(e.ids.size()), "J").c_str());
  else
    std::printf("measured: not available, %s\n", meter.reason().c_str());
}

void run(const EnergyOptions& o) {
  install_stop_handler();
  chosen(o.profile);  // a wrong name is said before the work
  const graph::Graph graph = exchange::load_model(o.model);
  const data::Set set = runtime::samples_for(graph, o.data, o.split, o.limit);
  energy::Meter meter;
  Progress progress("count", set.size(), "samples");
  meter.start();
  const Evaluation e = runtime::evaluate(graph, set, {.count = true}, [&](std::size_t n) {
    end_if_stopped();
    progress.advance(n);
  });
  const auto measured = meter.joules();
  progress.finish();
  o.json ? print_json(o, graph, set, e, meter, measured) : print(o, graph, set, e, meter, measured);
}

}  // namespace

void add_energy(CLI::App& app) {
  auto o = std::make_shared<EnergyOptions>();
  auto* sub = app.add_subcommand("energy", "Operations, memory traffic and joules of a network, beside its dense twins");
  sub->add_option("MODEL", o->model, "The model, a .safetensors file of apical run or train")->required();
  sub->add_option("DATA", o->data, "A set's name, a folder, or one file (picture, recording, IDX, NPZ)")->required();
  std::vector<std::string> names{"all"};
  for (const auto& p : energy::profiles()) names.push_back(p.name);
  sub->add_option("--profile", o->profile, "Hardware: " + join(names, ", "))->capture_default_str();
  sub->add_option("--limit", o->limit, "Take at most this many samples (0: all)");
  sub->add_option("--split", o->split, "Which part of the data")->check(CLI::IsMember({"train", "test"}))->capture_default_str();
  sub->add_flag("--json", o->json, "Print one JSON document");
  sub->footer(
      "Examples:\n  apical energy model.safetensors mnist --limit 1000\n  apical energy model.safetensors my.png --profile 45nm-sram\n"
      "  apical energy model.safetensors mnist --json");
  sub->callback([o] { run(*o); });
}

}  // namespace apical::cli
