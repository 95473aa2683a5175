// `apical verify`: do the recorded verdicts still hold?
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apical/recipe/driver.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

struct VerifyArguments {
  std::vector<std::string> slugs;
  recipe::RunOptions options;
  bool json = false;
};

void print(const recipe::VerifyOutcome& outcome, bool json) {
  auto all = nlohmann::json::array();
  for (const auto& run : outcome.runs) {
    if (run.result_file.empty()) continue;  // interrupted
    if (json)
      all.push_back(recipe::to_json(run.result));
    else
      std::printf("%s\n%sreport  %s\n\n", run.result.recipe.c_str(), recipe::claim_table(run.result).c_str(), run.report.c_str());
  }
  if (json) std::printf("%s\n", all.dump(2).c_str());
}

}  // namespace

void add_verify(CLI::App& app) {
  auto a = std::make_shared<VerifyArguments>();
  auto* sub = app.add_subcommand("verify", "Run recipes and hold them against their recorded verdicts");
  sub->add_option("recipe", a->slugs, "Names of recipes (default: all that this build can run)");
  sub->add_option("--scale", a->options.scale, "smoke, desk (the default) or paper")->check(CLI::IsMember({"smoke", "desk", "paper"}));
  sub->add_option("--data", a->options.data, "Folder of the data, or 'synthetic'")->type_name("DIR");
  sub->add_option("--out", a->options.out, "Folder for the runs (default: runs/verify-<scale>)")->type_name("DIR");
  sub->add_flag("--json", a->json, "Print a list of results");
  sub->footer(
      "Examples:\n  apical verify digits\n  apical verify --scale smoke\n\nExit code 1: a gate failed, or a recorded verdict no longer "
      "holds.");
  sub->callback([a] {
    const auto outcome = recipe::verify(recipe::catalogue(), recipe::runnable(), a->slugs, a->options);
    print(outcome, a->json);
    if (outcome.code) throw Exit{outcome.code};
  });
}

}  // namespace apical::cli
