#pragma once
// expected.toml: what must hold (gates) and what the paper says (claims), written down before the run, and the judging.
//
//   seeds = [1, 2, 3]
//
//   [[gate]]                                  # our implementation is right: must hold, also on a twin, also at smoke
//   id = "runtime_parity"
//   statement = "The runtime predicts what the trainer predicts"
//   metric = "runtime_disagreements"          # of Result::metrics; absent or NaN is a failed gate
//   relation = "<="                           # <= | >= | within
//   target = 2
//   scales = ["desk"]                         # where it is judged; default for gates: smoke, desk, paper
//   real_data = true                          # default false: then also judged on a twin
//
//   [[claim]]                                 # the paper's; judged on whole real data only
//   id = "memory"
//   statement = "SLTT needs at most a quarter of BPTT's activation memory at T=16"
//   paper = "> 70 % less"                     # number or text
//   source = "abstract"                       # where the paper says so
//   metric = "memory_ratio"
//   relation = "within"
//   target = 0.2                              # within: target and tolerance, or lo and hi
//   tolerance = 0.05
//   scales = ["desk"]                         # default for claims: desk, paper
//   data = ["mnist"]                          # sets this line depends on; default: all that the run used
//   subset_ok = false                         # the claim is about a subset
//   exact = true                              # same for every seed (a byte count): needs neither seeds nor interval
//   wall_time = false                         # printed, never an exit code
//   recorded = { verdict = "holds", measured = 0.06, interval = [0.05, 0.07], seeds = [1, 2, 3], date = "2026-01-31", note = "" }
//
// Recorded verdicts: holds | partly | marginal | does not hold here | not yet run.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apical/recipe/result.h"

namespace apical::recipe {

enum class Relation { at_most, at_least, within };

struct Recorded {
  std::string verdict = "not yet run";
  std::optional<double> measured;
  std::optional<std::pair<double, double>> interval;
  std::vector<std::int64_t> seeds;
  std::string date, note;
};

/// One [[gate]] or [[claim]].
struct Line {
  bool gate = false;
  std::string id, statement, paper, source, metric;
  Relation relation = Relation::at_least;
  double lo = 0, hi = 0;  ///< equal unless `within`
  std::vector<std::string> scales, data;
  bool real_data = false, subset_ok = false, exact = false, wall_time = false;
  Recorded recorded;
};

struct Expected {
  std::vector<std::int64_t> seeds{1};
  std::vector<Line> lines;
  /// Usage error naming the line and key when something is missing, unknown, contradictory or repeated.
  static Expected parse(std::string_view toml, const std::string& where);
};

/// "<=", ">=", "within".
std::string relation_text(Relation relation);
/// Whether `value` satisfies the line; false for NaN.
bool satisfies(const Line& line, double value) noexcept;

/// Judges every line on `result` (its scale, data and metrics) and fills result.claims.
///  * `holds` is on the mean; `marginal` when the interval straddles a bound of the target (holds then tells the side of the mean);
///  * at smoke only gates are judged; claims also refuse twins, subsets, fewer than 3 seeds and a missing interval (unless exact);
///  * `strict` (apical verify): a claim on record as `holds` that lacks its metric, seeds or interval fails too.
/// A line is a failure when it is a gate that does not hold, or a claim recorded as `holds` that is judged and does not hold.
void judge(const Expected& expected, Result& result, bool strict = false);
/// Sets Claim::recorded and Claim::failure of results read back from a file.
void mark_failures(const Expected& expected, Result& result);
/// 1 when a line failed, else 0.
int exit_code(const Result& result) noexcept;

}  // namespace apical::recipe
