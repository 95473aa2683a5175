#include "apical/recipe/result.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/text.h"
#include "apical/report/statistics.h"

namespace apical::recipe {

using nlohmann::json;

namespace {

json number_or_null(const std::optional<double>& v) { return v && std::isfinite(*v) ? json(*v) : json(nullptr); }

// Several sets are one object: names joined, and one hash over the lines "name sha256", so that a change of any shows.
json data_json(const std::vector<DataUsed>& data) {
  std::string name, lines, sha;
  std::set<std::string> names;
  bool synthetic = false;
  for (const auto& d : data) {
    if (names.insert(d.name).second) name += (name.empty() ? "" : " + ") + d.name;
    lines += d.name + " " + d.sha256 + "\n";
    sha = d.sha256;
    synthetic = synthetic || d.synthetic;
  }
  if (data.size() > 1) sha = sha256_hex({reinterpret_cast<const uint8_t*>(lines.data()), lines.size()});
  return {{"name", name}, {"sha256", sha}, {"synthetic", synthetic}};
}

json claim_json(const Claim& c) {
  json j;
  j["id"] = c.id;
  j["kind"] = c.gate ? "gate" : "claim";
  j["statement"] = c.statement;
  j["paper"] = c.paper;
  if (c.target.first == c.target.second)
    j["target"] = c.target.first;
  else
    j["target"] = json::array({c.target.first, c.target.second});
  j["relation"] = c.relation;
  j["measured"] = number_or_null(c.measured);
  j["interval"] = c.interval ? json::array({c.interval->first, c.interval->second}) : json(nullptr);
  j["holds"] = c.holds ? json(*c.holds) : json(nullptr);
  j["verdict"] = c.verdict;
  j["seeds"] = c.seeds;
  return j;
}

Claim claim_from(const json& j) {
  Claim c;
  c.id = j.at("id").get<std::string>();
  c.gate = j.at("kind").get<std::string>() == "gate";
  c.statement = j.at("statement").get<std::string>();
  c.paper = j.at("paper").get<std::string>();
  const json& t = j.at("target");
  c.target = t.is_array() ? t.get<std::pair<double, double>>() : std::pair{t.get<double>(), t.get<double>()};
  c.relation = j.at("relation").get<std::string>();
  if (!j.at("measured").is_null()) c.measured = j["measured"].get<double>();
  if (!j.at("interval").is_null()) c.interval = j["interval"].get<std::pair<double, double>>();
  if (!j.at("holds").is_null()) c.holds = j["holds"].get<bool>();
  c.verdict = j.at("verdict").get<std::string>();
  c.seeds = j.at("seeds").get<std::vector<std::int64_t>>();
  return c;
}

}  // namespace

void Result::set(const std::string& metric, double value) { metrics[metric] = value; }

void Result::set(const std::string& metric, double value, double lo, double hi) {
  metrics[metric] = value;
  metrics[metric + "_lo"] = lo;
  metrics[metric + "_hi"] = hi;
}

std::vector<std::int64_t> Result::seeds_of(const std::string& metric) const {
  std::vector<std::int64_t> out;
  const std::string prefix = metric + "_seed_";
  for (auto it = metrics.lower_bound(prefix); it != metrics.end() && it->first.compare(0, prefix.size(), prefix) == 0; ++it) {
    if (const auto seed = as_number<std::int64_t>(std::string_view(it->first).substr(prefix.size()))) out.push_back(*seed);
  }
  std::sort(out.begin(), out.end());
  return out;
}

void Result::set_seed(const std::string& metric, std::int64_t seed, double value) {
  metrics[metric + "_seed_" + std::to_string(seed)] = value;
  std::vector<double> values;
  for (const auto s : seeds_of(metric)) values.push_back(metrics[metric + "_seed_" + std::to_string(s)]);
  metrics[metric] = report::mean(values);
  if (values.size() < 2) return;
  const auto [lo, hi] = report::student_interval(values);
  metrics[metric + "_lo"] = lo;
  metrics[metric + "_hi"] = hi;
}

std::optional<double> Result::get(const std::string& metric) const {
  const auto it = metrics.find(metric);
  return it == metrics.end() || !std::isfinite(it->second) ? std::nullopt : std::optional(it->second);
}

void Result::use(const data::Set& set) {
  for (auto& d : data)
    if (d.name == set.name && d.sha256 == set.sha256) {
      d.synthetic = d.synthetic || set.synthetic;
      d.subset = d.subset || set.subset;
      return;
    }
  data.push_back({set.name, set.sha256, set.synthetic, set.subset});
}

json to_json(const Result& r) {
  json metrics = json::object(), claims = json::array();
  for (const auto& [name, value] : r.metrics) metrics[name] = number_or_null(value);
  for (const auto& c : r.claims) claims.push_back(claim_json(c));
  json j;
  j["schema"] = Result::schema;
  j["recipe"] = r.recipe;
  j["scale"] = r.scale;
  j["seed"] = r.seed;
  j["version"] = r.version;
  j["data"] = data_json(r.data);
  j["machine"] = r.machine;
  j["wall_s"] = r.wall_s;
  j["peak_rss_mb"] = r.peak_rss_mb;
  j["metrics"] = metrics;
  j["claims"] = claims;
  return j;
}

Result result_from_json(const json& j, const std::string& where) try {
  if (const int schema = j.at("schema").get<int>(); schema != Result::schema)
    throw data_error("this result has schema " + std::to_string(schema) + ", not " + std::to_string(Result::schema), where);
  Result r;
  r.recipe = j.at("recipe").get<std::string>();
  r.scale = j.at("scale").get<std::string>();
  r.seed = j.at("seed").get<std::uint64_t>();
  r.version = j.at("version").get<std::string>();
  const json& d = j.at("data");
  if (!d.at("name").get<std::string>().empty())
    r.data.push_back({d.at("name").get<std::string>(), d.at("sha256").get<std::string>(), d.at("synthetic").get<bool>(), false});
  r.machine = j.at("machine").get<std::map<std::string, std::string>>();
  r.wall_s = j.at("wall_s").get<double>();
  r.peak_rss_mb = j.at("peak_rss_mb").get<double>();
  for (const auto& [name, value] : j.at("metrics").items()) r.metrics[name] = value.is_null() ? std::nan("") : value.get<double>();
  for (const auto& c : j.at("claims")) r.claims.push_back(claim_from(c));
  return r;
} catch (const json::exception& e) {
  throw data_error(std::string("this is not a result of Apical: ") + e.what(), where);
}

void write_result(const Result& result, const std::filesystem::path& path) {
  write_file(path, to_json(result).dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

Result read_result(const std::filesystem::path& path) {
  const std::string text = read_text(path, std::size_t{1} << 26);
  const json j = json::parse(text, nullptr, false);
  if (j.is_discarded()) throw data_error("this is not JSON", path.string());
  return result_from_json(j, path.string());
}

}  // namespace apical::recipe
