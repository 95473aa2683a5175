#include "apical/recipe/expected.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "apical/base/config.h"
#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical::recipe {
namespace {

const std::vector<std::string> all_scales = {"smoke", "desk", "paper"};
const std::vector<std::string> verdicts = {"holds", "partly", "marginal", "does not hold here", "not yet run"};

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

void must_be_one_of(const std::string& word, const std::vector<std::string>& known, const std::string& key, const std::string& where) {
  if (!contains(known, word)) throw usage_error("'" + key + "' cannot be '" + word + "'", where, did_you_mean(word, known));
}

double finite(const Config& c, const std::string& key) {
  const double v = c.real(key);
  if (!std::isfinite(v)) throw usage_error("'" + key + "' must be a finite number", c.where());
  return v;
}

// The paper's figure may be a number or words.
std::string text_or_number(const Config& c, const std::string& key) {
  if (!c.has(key)) return "";
  try {
    return c.text(key);
  } catch (const Error&) {
    return number(c.real(key), 6);
  }
}

bool snake_case(const std::string& s) {
  return !s.empty() && s[0] >= 'a' && s[0] <= 'z' &&
         std::all_of(s.begin(), s.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

void read_target(const Config& c, Line& line) {
  const std::string relation = c.text("relation");
  must_be_one_of(relation, {"<=", ">=", "within"}, "relation", c.where());
  line.relation = relation == "<=" ? Relation::at_most : relation == ">=" ? Relation::at_least : Relation::within;
  const bool tolerance = c.has("tolerance"), bounds = c.has("lo") || c.has("hi");
  if (line.relation != Relation::within) {
    if (tolerance || bounds) throw usage_error("'tolerance', 'lo' and 'hi' belong to the relation 'within'", c.where());
    line.lo = line.hi = finite(c, "target");
    return;
  }
  if (tolerance == bounds) throw usage_error("'within' needs either 'target' and 'tolerance' or 'lo' and 'hi'", c.where());
  if (tolerance) {
    const double t = finite(c, "tolerance");
    if (t < 0) throw usage_error("'tolerance' must not be negative", c.where());
    line.lo = finite(c, "target") - t;
    line.hi = finite(c, "target") + t;
  } else {
    line.lo = finite(c, "lo");
    line.hi = finite(c, "hi");
    if (line.lo > line.hi) throw usage_error("'lo' must not be above 'hi'", c.where());
  }
}

Recorded read_recorded(const Config& c) {
  c.allow_only({"verdict", "measured", "interval", "seeds", "date", "note"});
  Recorded r;
  if (c.has("verdict")) r.verdict = c.text("verdict");
  must_be_one_of(r.verdict, verdicts, "verdict", c.where());
  if (c.has("measured")) r.measured = finite(c, "measured");
  if (c.has("interval")) {
    const auto v = c.reals("interval");
    if (v.size() != 2 || !(v[0] <= v[1])) throw usage_error("'interval' must be [lo, hi]", c.where());
    r.interval = {v[0], v[1]};
  }
  if (c.has("seeds")) r.seeds = c.integers("seeds");
  if (c.has("date")) r.date = c.text("date");
  if (c.has("note")) r.note = c.text("note");
  if (r.verdict != "not yet run" && (!r.measured || r.date.empty()))
    throw usage_error("a recorded verdict needs 'measured' and 'date'", c.where());
  return r;
}

Line read_line(const Config& c, bool gate) {
  std::vector<std::string> known = {"id", "statement", "metric", "relation",  "target", "tolerance", "lo",
                                    "hi", "scales",    "data",   "subset_ok", "paper",  "source"};
  const std::vector<std::string> own =
      gate ? std::vector<std::string>{"real_data"} : std::vector<std::string>{"exact", "wall_time", "recorded"};
  known.insert(known.end(), own.begin(), own.end());
  c.allow_only(known);
  Line line;
  line.gate = gate;
  line.id = c.text("id");
  line.statement = c.text("statement");
  line.metric = c.text("metric");
  if (!snake_case(line.id) || !snake_case(line.metric)) throw usage_error("'id' and 'metric' are written in snake_case", c.where());
  line.paper = text_or_number(c, "paper");
  if (c.has("source")) line.source = c.text("source");
  read_target(c, line);
  line.scales = c.has("scales") ? c.texts("scales") : gate ? all_scales : std::vector<std::string>{"desk", "paper"};
  for (const auto& s : line.scales) must_be_one_of(s, all_scales, "scales", c.where());
  if (line.scales.empty()) throw usage_error("'scales' is empty: this line would never be judged", c.where());
  if (!gate && contains(line.scales, "smoke")) throw usage_error("claims are not judged at smoke", c.where());
  if (c.has("data")) line.data = c.texts("data");
  const auto flag = [&](const char* key, bool otherwise) { return c.has(key) ? c.boolean(key) : otherwise; };
  line.real_data = flag("real_data", !gate);
  line.subset_ok = flag("subset_ok", false);
  line.exact = flag("exact", false);
  line.wall_time = flag("wall_time", false);
  line.recorded = read_recorded(c.table("recorded"));
  return line;
}

bool straddles(const Line& line, const std::pair<double, double>& interval) {
  const auto inside = [&](double bound) { return interval.first < bound && bound < interval.second; };
  return inside(line.lo) || inside(line.hi);
}

// Why the data at hand cannot bear this line; "" when they can.
std::string data_objection(const Line& line, const Result& r) {
  for (const auto& name : line.data)
    if (std::none_of(r.data.begin(), r.data.end(), [&](const DataUsed& d) { return d.name == name; })) return name + " was not used";
  if (!line.real_data) return "";
  for (const auto& d : r.data) {
    if (!line.data.empty() && !contains(line.data, d.name)) continue;
    if (d.synthetic) return "synthetic data";
    if (d.subset && !line.subset_ok) return "only a part of " + d.name + " is at hand";
  }
  return "";
}

Claim begin_claim(const Line& line, const Result& r) {
  Claim c;
  c.id = line.id;
  c.gate = line.gate;
  c.statement = line.statement;
  c.paper = line.paper + (line.source.empty() ? "" : line.paper.empty() ? line.source : " (" + line.source + ")");
  c.target = {line.lo, line.hi};
  c.relation = relation_text(line.relation);
  c.metric = line.metric;
  c.recorded = line.gate ? "" : line.recorded.verdict;
  c.measured = r.get(line.metric);
  const auto lo = r.get(line.metric + "_lo"), hi = r.get(line.metric + "_hi");
  if (lo && hi && *lo <= *hi) c.interval = {*lo, *hi};
  c.seeds = r.seeds_of(line.metric);
  if (c.seeds.empty() && c.measured) c.seeds = {static_cast<std::int64_t>(r.seed)};
  return c;
}

void judge_gate(const Line& line, Claim& c) {
  c.holds = c.measured && satisfies(line, *c.measured);
  c.verdict = *c.holds ? "holds" : c.measured ? "does not hold" : "does not hold: not measured";
  c.failure = !*c.holds;
}

void judge_claim(const Line& line, const Result& r, bool strict, Claim& c) {
  const bool on_record = line.recorded.verdict == "holds" && !line.wall_time;
  const auto refuse = [&](const std::string& why) {
    c.verdict = "not judged: " + why;
    c.failure = strict && on_record;
  };
  if (!c.measured && r.metrics.find(line.metric) == r.metrics.end()) return refuse("not measured");
  if (!c.measured) {  // measured, and not a number
    c.holds = false;
    c.verdict = "does not hold here";
    c.failure = on_record;
    return;
  }
  if (!line.exact && c.seeds.size() < 3) return refuse("needs 3 seeds, has " + std::to_string(c.seeds.size()));
  if (!line.exact && !c.interval) return refuse("no interval");
  c.holds = satisfies(line, *c.measured);
  c.verdict = !line.exact && straddles(line, *c.interval) ? "marginal" : *c.holds ? "holds" : "does not hold here";
  c.failure = on_record && !*c.holds;
}

}  // namespace

std::string relation_text(Relation relation) {
  return relation == Relation::at_most ? "<=" : relation == Relation::at_least ? ">=" : "within";
}

bool satisfies(const Line& line, double v) noexcept {
  switch (line.relation) {
    case Relation::at_most:
      return v <= line.hi;
    case Relation::at_least:
      return v >= line.lo;
    default:
      return v >= line.lo && v <= line.hi;
  }
}

Expected Expected::parse(std::string_view toml, const std::string& where) {
  const Config c = Config::parse(toml, where);
  c.allow_only({"seeds", "gate", "claim"});
  Expected e;
  if (c.has("seeds")) e.seeds = c.integers("seeds");
  const std::set<std::int64_t> unique(e.seeds.begin(), e.seeds.end());
  if (e.seeds.empty() || unique.size() != e.seeds.size() || *unique.begin() < 0)
    throw usage_error("'seeds' must list different numbers from 0 up", where);
  for (const auto& t : c.tables("gate")) e.lines.push_back(read_line(t, true));
  for (const auto& t : c.tables("claim")) e.lines.push_back(read_line(t, false));
  std::set<std::string> ids;
  for (const auto& line : e.lines)
    if (!ids.insert(line.id).second) throw usage_error("the id '" + line.id + "' stands twice", where);
  return e;
}

void judge(const Expected& expected, Result& result, bool strict) {
  result.claims.clear();
  for (const auto& line : expected.lines) {
    Claim c = begin_claim(line, result);
    if (!contains(line.scales, result.scale))
      c.verdict = "not judged: " + result.scale + " scale";
    else if (const std::string why = data_objection(line, result); !why.empty())
      c.verdict = "not judged: " + why;
    else if (line.gate)
      judge_gate(line, c);
    else
      judge_claim(line, result, strict, c);
    result.claims.push_back(std::move(c));
  }
}

void mark_failures(const Expected& expected, Result& result) {
  for (auto& c : result.claims)
    for (const auto& line : expected.lines) {
      if (line.id != c.id) continue;
      c.metric = line.metric;
      c.recorded = line.gate ? "" : line.recorded.verdict;
      c.failure = c.holds && !*c.holds && (line.gate || (line.recorded.verdict == "holds" && !line.wall_time));
    }
}

int exit_code(const Result& result) noexcept {
  const bool failed = std::any_of(result.claims.begin(), result.claims.end(), [](const Claim& c) { return c.failure; });
  return static_cast<int>(failed ? ExitCode::check_failed : ExitCode::good);
}

}  // namespace apical::recipe
