// `apical tune MODEL --data DATA -o OUT`: which layers run dense and which event by event, measured and noted in the model.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "apical/base/progress.h"
#include "apical/base/stop.h"
#include "apical/base/text.h"
#include "apical/exchange/model.h"
#include "apical/runtime/evaluate.h"
#include "apical/runtime/tune.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

using Json = nlohmann::ordered_json;

struct TuneOptions {
  std::string model, data, out;
  std::size_t limit = 32;
  int rounds = 7;
  bool json = false;
};

const char* plan_name(const graph::Graph& graph, const std::string& layer) { return graph.plans.at(layer) == graph::Plan::event ? "event" : "dense"; }

void print_json(const TuneOptions& o, const graph::Graph& graph, const data::Set& set, const runtime::Tuning& tuning) {
  Json j = {{"model", o.model}, {"out", o.out}, {"network", graph.name}, {"samples", set.size()}, {"rounds", o.rounds}};
  j["data"] = {{"name", set.name}, {"split", set.split}, {"synthetic", set.synthetic}, {"subset", set.subset}};
  j["step_s_before"] = tuning.before_s, j["step_s"] = tuning.after_s, j["layers"] = Json::array();
  for (const auto& l : tuning.layers)
    j["layers"].push_back({{"layer", l.layer}, {"density", l.density}, {"dense_step_s", l.dense_s}, {"event_step_s", l.event_s}, {"plan", plan_name(graph, l.layer)}});
  std::printf("%s\n", j.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void print(const TuneOptions& o, const graph::Graph& graph, const runtime::Tuning& tuning) {
  std::printf("%-16s  %8s  %12s  %12s  %s\n", "layer", "density", "dense", "event", "plan");
  for (const auto& l : tuning.layers)
    std::printf("%-16s  %6.2f %%  %12s  %12s  %s\n", l.layer.c_str(), 100 * l.density, si(l.dense_s, "s").c_str(), si(l.event_s, "s").c_str(),
                plan_name(graph, l.layer));
  std::printf("a step of the network takes %s (was %s); results are the same, bit for bit\n", si(tuning.after_s, "s").c_str(), si(tuning.before_s, "s").c_str());
  std::printf("wrote %s\n", o.out.c_str());
}

void tune(TuneOptions o) {
  install_stop_handler();
  graph::Graph graph = exchange::load_model(o.model);
  const data::Set set = runtime::samples_for(graph, o.data, "train", o.limit);
  const auto sample = static_cast<std::size_t>(graph::elements(graph.input_shape) * graph.T);
  std::vector<float> frames(sample * set.size());
  for (std::size_t i = 0; i < set.size(); ++i) data::encode(graph.encoder, graph.preprocess, set, i, graph.T, frames.data() + i * sample);
  std::size_t layers = 1;
  for (const auto& node : graph.nodes) layers += !graph::weight_name(node.op).empty();
  Progress progress("tune", layers * static_cast<std::size_t>(o.rounds), "rounds");
  const runtime::Tuning tuning = runtime::tune(graph, frames, o.rounds, [&] {
    end_if_stopped();
    progress.advance(1);
  });
  progress.finish();
  if (o.out.empty()) o.out = std::filesystem::path(o.model).stem().string() + ".tuned.safetensors";
  exchange::save_model(o.out, graph);
  o.json ? print_json(o, graph, set, tuning) : print(o, graph, tuning);
}

}  // namespace

void add_tune(CLI::App& app) {
  auto o = std::make_shared<TuneOptions>();
  auto* sub = app.add_subcommand("tune", "Measure for each layer whether dense or event by event is faster, and note it in the model");
  sub->add_option("MODEL", o->model, "The model, a .safetensors file of apical run or train")->required();
  sub->add_option("--data", o->data, "A set's name, a folder, or one file: samples like those to come")->required();
  sub->add_option("-o,--out", o->out, "The file to write (default: the model's name with .tuned.safetensors, here)");
  sub->add_option("--limit", o->limit, "Measure with this many training samples")->check(CLI::Range(1, 100000))->capture_default_str();
  sub->add_option("--rounds", o->rounds, "Measure this often and take the fastest")->check(CLI::Range(1, 1000))->capture_default_str();
  sub->add_flag("--json", o->json, "Print one JSON document");
  sub->footer(
      "Without it, layers whose inputs are sparse in the training run event by event. The plans change speed and counted operations, never results.\n\n"
      "Examples:\n  apical tune model.safetensors --data mnist\n  apical tune model.safetensors --data recordings/ -o fast.safetensors --rounds 21");
  sub->callback([o] { tune(*o); });
}

}  // namespace apical::cli
