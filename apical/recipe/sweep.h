#pragma once
// A sweep: one recipe run at every point of a grid of settings, each in its own folder; one table of all figures, one report. It resumes.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "apical/recipe/driver.h"

namespace apical::recipe {

/// An axis of the grid.
struct SweepAxis {
  std::string key;                  ///< of recipe.toml
  std::vector<std::string> values;  ///< as they stand behind --set key=
};
/// "key=value,value,..."; commas inside brackets or quotation marks belong to a value. Usage error when there is no value, or one twice.
SweepAxis parse_axis(std::string_view text);

struct SweepOptions {
  RunOptions run;                    ///< of every point; `out` and `resume` are folders of the sweep
  std::vector<std::string> over;     ///< axes, see parse_axis; the last one changes fastest; none: a single point
  std::vector<std::string> metrics;  ///< columns of table and report; none: what the recipe's claims are judged on
};

struct SweepPoint {
  std::vector<std::string> values;  ///< of the axes
  std::filesystem::path folder;     ///< out/points/<number>, a run's folder
  bool done = false;
  Result result;      ///< when done
  std::string error;  ///< why there is no result
};

struct SweepOutcome {
  int code = 0;  ///< 0, 130 (interrupted), or that of the first point that ended with an error. Gates and claims are shown, not judged
  std::filesystem::path out, csv, report;
  std::vector<SweepAxis> axes;
  std::vector<std::string> metrics;
  std::vector<SweepPoint> points;
};

/// Runs what has no result yet. All settings are checked before the first run; a point that ends with an error is reported and the others
/// still run. After each point out/sweep.csv (one row a point, metric and seed; without a seed: the mean and its 95 % interval) and
/// out/report.html are written anew. Usage errors: as run_recipe; a folder that holds a sweep already, unless it is resumed; options
/// beside `resume`.
SweepOutcome sweep(const RecipeInfo& info, RunFunction run, const SweepOptions& options);

/// The recipe of the sweep in this folder; data error when there is none.
std::string swept_recipe(const std::filesystem::path& folder);

/// Points down, axes and metrics across, as text.
std::string sweep_table(const SweepOutcome& outcome);

}  // namespace apical::recipe
