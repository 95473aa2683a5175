#pragma once
// A recipe: a folder recipes/<slug>/ with README.md, recipe.toml, expected.toml and recipe.cpp, which defines
//   void run_<slug with _ for ->(apical::recipe::RunContext& context);
// and includes this header. recipes/CMakeLists.txt finds the folders and writes the lists below: nothing registers itself.
//
// recipe.toml (settings without a table, such as `T = 4`, stand above [recipe]: TOML has no way back to the top):
//   [recipe]                         # about it
//   title = "Spiking digits"
//   paper = ""                       # the paper, or "" for our own
//   family = "training"
//   data = ["mnist"]                 # sets it needs
//   scales = ["smoke", "desk"]       # that it can run
//   arms = "..."                     # optional: what the desk scale runs
//   aliases = ["digits-too"]         # optional: other names it answers to
//   trains = false                   # optional: needs no torch, and is part of builds without it; default true
//   everything else                  # settings with their defaults: context.config, --set key=value
//   [scale.smoke] [scale.desk] [scale.paper]   # laid over the settings
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "apical/base/config.h"
#include "apical/base/error.h"
#include "apical/data/dataset.h"
#include "apical/recipe/expected.h"
#include "apical/recipe/metrics_log.h"
#include "apical/recipe/result.h"
#include "apical/report/html.h"

namespace apical::recipe {

/// A recipe as text: known without torch.
struct RecipeInfo {
  std::string slug, title, paper, family;
  std::vector<std::string> scales, data;
  std::vector<std::string> aliases;        ///< other names it answers to
  bool trains = true;                      ///< runs only where training is built
  std::string recipe_toml, expected_toml;  ///< the files
};

/// All that a recipe is given. Progress goes through apical::Progress, messages through apical/base/log.h (both standard error).
struct RunContext {
  const RecipeInfo& info;
  Config config;                    ///< settings: recipe.toml, then the scale's table, then --set
  std::vector<std::string> set;     ///< the --set assignments themselves, for a recipe that starts itself again
  std::string scale;                ///< "smoke", "desk" or "paper"
  std::uint64_t seed = 1;           ///< --seed, or the first of `seeds`
  std::vector<std::int64_t> seeds;  ///< the seeds to run: those of --seed or --seeds; else at smoke the first, and all of expected.toml
  data::Source source;              ///< --data
  std::string device = "cpu";
  int threads = 1;      ///< already given to the pool of base; give it to torch too
  bool resume = false;  ///< out holds an interrupted run with the same settings: go on from its checkpoint
  bool quiet = false;
  std::filesystem::path out;  ///< the run's folder
  MetricsLog& metrics;        ///< out/metrics.jsonl; on resume it keeps its lines: truncate to what the checkpoint recorded
  Result& result;             ///< fill metrics, call result.use(set) for each set; the driver adds the rest
  report::Html& html;         ///< add sections and figures; the driver adds title, claims, machine and how to repeat

  std::filesystem::path file(const std::string& name) const { return out / name; }
  /// Throws Interrupted after Ctrl-C or SIGTERM. Save a checkpoint first if there is something to save.
  void check_stop() const;
};

/// Ends a run that was asked to stop: exit code 130, the checkpoint stays, the resume command is printed.
class Interrupted : public Error {
 public:
  Interrupted() : Error(ExitCode::interrupted, "interrupted") {}
};

using RunFunction = void (*)(RunContext&);
struct Entry {
  std::string slug;
  RunFunction run;
};

/// Every recipe of this build, by slug (library apical_recipe_catalogue: texts only).
const std::vector<RecipeInfo>& catalogue();
/// The run functions (library apical_recipes): of all recipes, or of those that do not train where training is not built.
const std::vector<Entry>& runnable();
/// That of one recipe; usage error where it trains and this build cannot.
RunFunction run_function(const std::vector<Entry>& runnable, const RecipeInfo& info);

/// The recipe with this slug or alias; usage error with a did-you-mean.
const RecipeInfo& find_recipe(const std::vector<RecipeInfo>& recipes, const std::string& slug);
/// Reads the texts of a recipe; usage error naming file and key.
RecipeInfo make_info(const std::string& slug, std::string recipe_toml, std::string expected_toml);
/// The settings at a scale: recipe.toml without [recipe] and [scale.*], the scale's table over it, then the --set assignments.
Config settings(const RecipeInfo& info, const std::string& scale, const std::vector<std::string>& assignments = {});

}  // namespace apical::recipe
