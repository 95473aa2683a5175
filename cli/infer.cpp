// `apical infer MODEL DATA`: what a trained network says about samples, without torch.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "apical/base/progress.h"
#include "apical/base/stop.h"
#include "apical/base/text.h"
#include "apical/exchange/model.h"
#include "apical/graph/integer.h"
#include "apical/report/statistics.h"
#include "apical/runtime/evaluate.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

using runtime::Evaluation, runtime::Plan;
using Json = nlohmann::ordered_json;

struct InferOptions {
  std::string model, data, split = "test";
  std::size_t limit = 0;
  std::string plan = "auto";
  bool json = false;
};

const std::map<std::string, Plan> plans{{"auto", Plan::automatic}, {"dense", Plan::dense}, {"event", Plan::event}};

constexpr std::size_t shown = 10;

float score(const Evaluation& e, std::size_t i) {
  return e.batch.scores[i * e.batch.outputs + static_cast<std::size_t>(e.batch.predicted[i])];
}

void print_json(const InferOptions& o, const graph::Graph& graph, const data::Set& set, const Evaluation& e) {
  Json j;
  j["model"] = o.model, j["network"] = graph.name, j["samples"] = e.ids.size();
  j["data"] = {{"name", set.name}, {"split", set.split}, {"synthetic", set.synthetic}, {"subset", set.subset}};
  if (const auto a = e.accuracy()) {
    const auto [lo, hi] = report::wilson(static_cast<double>(e.correct), static_cast<double>(e.labelled));
    j["accuracy"] = *a, j["correct"] = e.correct, j["labelled"] = e.labelled, j["interval"] = {lo, hi};
  }
  j["seconds"] = e.seconds, j["samples_per_second"] = e.samples_per_second();
  j["predictions"] = Json::array();
  for (std::size_t i = 0; i < e.ids.size(); ++i) {
    Json p = {{"id", e.ids[i]}, {"class", runtime::class_name(graph, e.batch.predicted[i])}, {"score", score(e, i)}, {"steps", graph.T}};
    const auto first = e.batch.scores.begin() + static_cast<std::ptrdiff_t>(i * e.batch.outputs);
    p["scores"] = std::vector<float>(first, first + static_cast<std::ptrdiff_t>(e.batch.outputs));
    if (set.labels[i] >= 0) p["label"] = runtime::class_name(graph, set.labels[i]);
    j["predictions"].push_back(std::move(p));
  }
  std::printf("%s\n", j.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void print(const graph::Graph& graph, const data::Set& set, const Evaluation& e) {
  std::size_t width = 6;
  for (std::size_t i = 0; i < e.ids.size() && i < shown; ++i) width = std::max(width, e.ids[i].size());
  std::printf("%-*s  %-12s %10s  %s\n", static_cast<int>(width), "sample", "class", "score", e.labelled ? "label" : "");
  for (std::size_t i = 0; i < e.ids.size() && i < shown; ++i) {
    const std::string label = set.labels[i] < 0 ? "" : runtime::class_name(graph, set.labels[i]);
    std::printf("%-*s  %-12s %10.4f  %s%s\n", static_cast<int>(width), e.ids[i].c_str(),
                runtime::class_name(graph, e.batch.predicted[i]).c_str(), static_cast<double>(score(e, i)), label.c_str(),
                set.labels[i] >= 0 && set.labels[i] != e.batch.predicted[i] ? "  x" : "");
  }
  if (e.ids.size() > shown) std::printf("... and %zu more (--json prints all)\n", e.ids.size() - shown);
  if (const auto a = e.accuracy()) {
    const auto [lo, hi] = report::wilson(static_cast<double>(e.correct), static_cast<double>(e.labelled));
    std::printf("\naccuracy %.2f %%  (%zu of %zu; 95 %% interval %.2f to %.2f %%)%s\n", 100 * *a, e.correct, e.labelled, 100 * lo, 100 * hi,
                set.synthetic ? "  on the synthetic twin" : "");
  }
  std::printf("%zu sample%s, T = %d, %s\n", e.ids.size(), e.ids.size() == 1 ? "" : "s", graph.T,
              si(e.samples_per_second(), "samples/s").c_str());
}

void infer(const InferOptions& o) {
  install_stop_handler();
  const graph::Graph graph = exchange::load_model(o.model);
  const data::Set set = runtime::samples_for(graph, o.data, o.split, o.limit);
  Progress progress("infer", set.size(), "samples");
  const auto advance = [&](std::size_t n) {
    end_if_stopped();
    progress.advance(n);
  };
  const Evaluation e = graph.integer && o.plan == "auto" ? runtime::evaluate(graph::integer_network(graph), set, advance)
                                                         : runtime::evaluate(graph, set, {.plan = plans.at(o.plan)}, advance);
  progress.finish();
  o.json ? print_json(o, graph, set, e) : print(graph, set, e);
}

}  // namespace

void add_infer(CLI::App& app) {
  auto o = std::make_shared<InferOptions>();
  auto* sub = app.add_subcommand("infer", "Run a trained network on data, without torch");
  sub->add_option("MODEL", o->model, "The model, a .safetensors file of apical run, train or quantise")->required();
  sub->add_option("DATA", o->data, "A set's name, a folder, or one file (picture, recording, IDX, NPZ)")->required();
  sub->add_option("--limit", o->limit, "Take at most this many samples (0: all)");
  sub->add_option("--split", o->split, "Which part of the data")->check(CLI::IsMember({"train", "test"}))->capture_default_str();
  sub->add_option("--plan", o->plan, "How layers are computed (same results; auto: a quantised model in integers, the others as float32)")
      ->check(CLI::IsMember({"auto", "dense", "event"}))
      ->default_str("auto");
  sub->add_flag("--json", o->json, "Print one JSON document");
  sub->footer(
      "Examples:\n  apical infer model.safetensors mnist\n  apical infer model.safetensors my.png\n"
      "  apical infer model.safetensors recordings/ --json --limit 100");
  sub->callback([o] { infer(*o); });
}

}  // namespace apical::cli
