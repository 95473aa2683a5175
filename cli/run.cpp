// `apical run`: one recipe, judged and reported.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apical/base/log.h"
#include "apical/recipe/driver.h"
#include "cli/frame.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

struct RunArguments {
  std::string slug;
  recipe::RunOptions options;
  bool json = false;
};

void print(const recipe::RunOutcome& outcome, bool json) {
  if (json) {
    std::printf("%s\n", recipe::to_json(outcome.result).dump(2).c_str());
    return;
  }
  std::fputs(recipe::claim_table(outcome.result).c_str(), stdout);
  std::printf("report  %s\nresult  %s\n", outcome.report.c_str(), outcome.result_file.c_str());
}

void run(const RunArguments& a) {
  const auto& info = recipe::find_recipe(recipe::catalogue(), a.slug);
  const auto outcome = recipe::run_recipe(info, recipe::run_function(recipe::runnable(), info), a.options);
  if (!outcome.result_file.empty()) print(outcome, a.json);
  if (outcome.code) throw Exit{outcome.code};
}

}  // namespace

void add_run(CLI::App& app) {
  auto a = std::make_shared<RunArguments>();
  auto* sub = app.add_subcommand("run", "Run a recipe: train, judge its claims, write a report");
  sub->add_option("recipe", a->slug, "Name of the recipe, see `apical recipes`")->required();
  sub->add_option("--scale", a->options.scale, "How much: smoke (seconds), desk (minutes, the default), paper (a GPU machine)")
      ->check(CLI::IsMember({"smoke", "desk", "paper"}));
  sub->add_option("--data", a->options.data,
                  "Folder of the data, or 'synthetic' for the drawn twin (default: $APICAL_DATA, the cache, the twin)")
      ->type_name("DIR");
  sub->add_option("--out", a->options.out, "Folder of the run (default: runs/<recipe>-<scale>-<date and time>)")->type_name("DIR");
  add_seeds(*sub, a->options.seeds);
  sub->add_option("--device", a->options.device, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}));
  sub->add_option("--set", a->options.set, "Change a setting of recipe.toml; may be given again")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  sub->add_option("--resume", a->options.resume, "Go on with an interrupted run")->type_name("DIR");
  sub->add_flag("--json", a->json, "Print result.json");
  sub->footer(
      "Examples:\n  apical run digits --scale smoke\n  APICAL_DATA=~/data apical run digits --out runs/mine\n"
      "  apical run digits --set train.epochs=2 --seed 7\n  apical run digits --resume runs/mine\n\n"
      "Exit code 1: a gate failed, or a claim on record as holding does not hold.");
  sub->callback([a] { run(*a); });
}

}  // namespace apical::cli
