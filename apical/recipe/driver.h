#pragma once
// Runs recipes: folder, settings, judging, result.json, report.html, resume, exit code.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "apical/recipe/recipe.h"

namespace apical::recipe {

struct RunOptions {
  std::string scale;                ///< "" = desk, or that of the run to resume
  std::string data;                 ///< a folder, "synthetic", or "" ($APICAL_DATA, the cache, else the twin)
  std::string out;                  ///< "" = runs/<slug>-<scale>-<date and time>
  std::vector<std::int64_t> seeds;  ///< instead of those of expected.toml
  std::string device = "cpu";
  int threads = 0;               ///< 0 = all cores this process may use
  std::vector<std::string> set;  ///< key=value
  std::string resume;            ///< folder of an interrupted run; scale, seed and settings come from it
  bool quiet = false;
  bool strict = false;  ///< apical verify
  std::string verb;     ///< of the hints how to go on or repeat; "" = "run <slug>"
  std::string command;  ///< how to repeat the run, for the report; "" = built from the options
  bool part = false;    ///< of a sweep, which says itself how to go on
};

/// "1..10" or "1,2,5..7" as numbers; usage error when it is not that, names a seed twice or has more than 1000 of them.
std::vector<std::int64_t> parse_seeds(std::string_view text);

struct RunOutcome {
  int code = 0;  ///< 0, 1 (a gate or recorded claim failed) or 130 (interrupted)
  std::filesystem::path out, report, result_file;
  Result result;
};

/// Runs one recipe. Usage errors: unknown slug, scale, setting, device; a file where the folder should be; a resume whose settings differ.
/// On an error the folder keeps checkpoints and metrics but no result.json or report.html; a folder that this run made and that is
/// still empty but for its settings is removed. On Ctrl-C code is 130 and the message with the resume command is on standard error.
RunOutcome run_recipe(const RecipeInfo& info, RunFunction run, const RunOptions& options);

/// `apical verify`: runs each recipe (default: all that this build can run) judging strictly; folders are <out or
/// runs>/verify-<scale>/<slug>. A recipe that fails with an Error is reported and the others still run. Code: 130 when interrupted, else
/// that of the first error, else 1 when a gate or a recorded claim failed, else 0.
struct VerifyOutcome {
  int code = 0;
  std::vector<RunOutcome> runs;
};
VerifyOutcome verify(const std::vector<RecipeInfo>& recipes, const std::vector<Entry>& runnable, const std::vector<std::string>& slugs,
                     const RunOptions& options);

/// The claim table as text: claim, paper, target, measured, interval, verdict.
std::string claim_table(const Result& result);
/// "0.9", "0.1 to 0.2", "<= 0.25", "[0.1, 0.2]": how figures of a claim are written in reports and tables.
std::string target_text(const Claim& claim);
std::string interval_text(const Claim& claim);
std::string measured_text(const Claim& claim);

}  // namespace apical::recipe
