#pragma once
// What a run measured: result.json, schema 1 (docs/reference/result.schema.json).
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apical/data/dataset.h"

namespace apical::recipe {

/// One set of data a run has used.
struct DataUsed {
  std::string name, sha256;
  bool synthetic = false;  ///< a twin: no claim is judged on it
  bool subset = false;     ///< only a part of the published set: no claim is judged on it unless the claim says so
};

/// One line of expected.toml after the run.
struct Claim {
  std::string id;
  bool gate = false;
  std::string statement;
  std::string paper;                                  ///< the paper's figure with its source, as text
  std::pair<double, double> target;                   ///< equal for <= and >=; [lo, hi] for within
  std::string relation;                               ///< "<=", ">=", "within"
  std::optional<double> measured;                     ///< absent or not finite: none
  std::optional<std::pair<double, double>> interval;  ///< over seeds (95 %) or as the recipe gave it
  std::optional<bool> holds;                          ///< none when not judged
  std::string verdict;                                ///< holds | marginal | does not hold here | not judged: <why>
  std::vector<std::int64_t> seeds;

  // not part of result.json
  std::string metric, recorded;  ///< metric name; the verdict on record
  bool failure = false;          ///< this line makes the program end with exit code 1
};

/// The record of one run. Metric names are snake_case. A recipe fills `metrics` through the functions below.
struct Result {
  static constexpr int schema = 1;
  std::string recipe, scale;
  std::uint64_t seed = 1;
  std::string version;
  std::vector<DataUsed> data;  ///< in JSON: one object, names joined by " + "
  std::map<std::string, std::string> machine;
  double wall_s = 0, peak_rss_mb = 0;
  std::map<std::string, double> metrics;
  std::vector<Claim> claims;

  /// A single figure.
  void set(const std::string& metric, double value);
  /// A figure with its interval, e.g. an accuracy with its Wilson interval: also stored as metric_lo and metric_hi.
  void set(const std::string& metric, double value, double lo, double hi);
  /// The figure of one seed, stored as metric_seed_<seed>; calling it again replaces it. metric, metric_lo and metric_hi become
  /// the mean and its 95 % Student-t interval (from two seeds on) over all seeds seen.
  void set_seed(const std::string& metric, std::int64_t seed, double value);
  /// The seeds that have a figure for this metric, ascending.
  std::vector<std::int64_t> seeds_of(const std::string& metric) const;
  std::optional<double> get(const std::string& metric) const;  ///< none when absent or not finite
  /// Notes that the run used this set (once per name and hash).
  void use(const data::Set& set);
};

nlohmann::json to_json(const Result& result);
/// Data error naming the key when the document is not a result of schema 1.
Result result_from_json(const nlohmann::json& json, const std::string& where);
/// Writes atomically, indented by two.
void write_result(const Result& result, const std::filesystem::path& path);
Result read_result(const std::filesystem::path& path);

}  // namespace apical::recipe
