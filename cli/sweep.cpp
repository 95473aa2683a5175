// `apical sweep`: a recipe at every point of a grid of settings, as one table and one report.
#include "apical/recipe/sweep.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/frame.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

using Json = nlohmann::ordered_json;

struct SweepArguments {
  std::string slug;
  recipe::SweepOptions options;
  bool json = false;
};

void print_json(const recipe::SweepOutcome& o) {
  Json j = {{"out", o.out.string()}, {"csv", o.csv.string()}, {"report", o.report.string()}, {"points", Json::array()}};
  for (const auto& p : o.points) {
    Json point = {{"folder", p.folder.string()}, {"settings", Json::object()}, {"done", p.done}};
    for (std::size_t a = 0; a < o.axes.size(); ++a) point["settings"][o.axes[a].key] = p.values[a];
    if (!p.error.empty()) point["error"] = p.error;
    if (p.done) point["result"] = recipe::to_json(p.result);
    j["points"].push_back(std::move(point));
  }
  std::printf("%s\n", j.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void sweep(SweepArguments& a) {
  if (a.slug.empty() && !a.options.run.resume.empty()) a.slug = recipe::swept_recipe(a.options.run.resume);
  const auto& info = recipe::find_recipe(recipe::catalogue(), a.slug);
  const auto outcome = recipe::sweep(info, recipe::run_function(recipe::runnable(), info), a.options);
  if (a.json)
    print_json(outcome);
  else
    std::printf("%stable   %s\nreport  %s\n", recipe::sweep_table(outcome).c_str(), outcome.csv.c_str(), outcome.report.c_str());
  if (outcome.code) throw Exit{outcome.code};
}

}  // namespace

void add_sweep(CLI::App& app) {
  auto a = std::make_shared<SweepArguments>();
  auto& run = a->options.run;
  auto* sub = app.add_subcommand("sweep", "Run a recipe at every point of a grid of settings: one table, one report");
  sub->add_option("recipe", a->slug, "Name of the recipe, see `apical recipes`");
  const auto many = [&](const char* name, std::vector<std::string>& to, const char* text, const char* type) {
    sub->add_option(name, to, text)->type_name(type)->expected(1)->allow_extra_args(false)->take_all();
  };
  many("--over", a->options.over, "An axis of the grid: a setting of recipe.toml and its values; may be given again", "KEY=VALUE,VALUE");
  many("--set", run.set, "Change a setting at every point; may be given again", "KEY=VALUE");
  many("--metric", a->options.metrics, "A figure to show; may be given again (default: what the claims are judged on)", "NAME");
  add_seeds(*sub, run.seeds);
  sub->add_option("--scale", run.scale, "smoke, desk (the default) or paper")->check(CLI::IsMember({"smoke", "desk", "paper"}));
  sub->add_option("--data", run.data, "Folder of the data, or 'synthetic'")->type_name("DIR");
  sub->add_option("--out", run.out, "Folder of the sweep (default: runs/sweep-<recipe>-<scale>-<date and time>)")->type_name("DIR");
  sub->add_option("--resume", run.resume, "Go on with an interrupted sweep")->type_name("DIR");
  sub->add_flag("--json", a->json, "Print one JSON document");
  sub->footer(
      "Examples:\n  apical sweep mcc-two-point-cells --over mtf=coop,tm3 --over iters=1,2 --set arms=pair\n"
      "  apical sweep mcc-two-point-cells --seeds 1..10 --set arms=pair --out runs/ten\n"
      "  apical sweep mcc-two-point-cells --over lambda=[0.0,0.01],[0.0,0.1] --metric energy_ratio\n  apical sweep --resume runs/ten\n\n"
      "Commas inside brackets belong to a value. sweep.csv has every figure of every seed. Gates and claims are shown; the exit code is 0 "
      "when\n"
      "every point has run.");
  sub->callback([a] {
    if (a->slug.empty() && a->options.run.resume.empty()) throw CLI::RequiredError("recipe");
    sweep(*a);
  });
}

}  // namespace apical::cli
