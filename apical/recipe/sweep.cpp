#include "apical/recipe/sweep.h"

#include <algorithm>

#include "apical/base/files.h"
#include "apical/base/log.h"
#include "apical/base/machine.h"
#include "apical/base/stop.h"
#include "apical/base/text.h"
#include "apical/recipe/run_folder.h"
#include "apical/report/svg.h"

namespace apical::recipe {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_points = 10'000;

std::string assignment(const SweepAxis& axis, const std::string& value) { return axis.key + "=" + value; }

std::string name_of(const std::vector<SweepAxis>& axes, const SweepPoint& p) {
  std::vector<std::string> parts;
  for (std::size_t a = 0; a < axes.size(); ++a) parts.push_back(assignment(axes[a], p.values[a]));
  return join(parts, " ");
}

// --- what was asked, kept in sweep.toml

std::string to_toml(const std::string& recipe, const SweepOptions& o) {
  const RunOptions& r = o.run;
  return "# What this sweep was asked to do. `apical sweep --resume` reads it.\nrecipe = " + detail::toml_text(recipe) +
         "\nscale = " + detail::toml_text(r.scale) + "\ndata = " + detail::toml_text(r.data) + "\ndevice = " + detail::toml_text(r.device) +
         "\nthreads = " + std::to_string(r.threads) + "\nseeds = [" + join(detail::seed_texts(r.seeds), ", ") +
         "]\nover = " + detail::toml_texts(o.over) + "\nset = " + detail::toml_texts(r.set) + "\nmetrics = " + detail::toml_texts(o.metrics) +
         "\n";
}

Config asked_in(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_regular_file(folder / "sweep.toml", ignored))
    throw data_error("there is no sweep to resume", folder.string(), "A sweep's folder holds sweep.toml; see `apical sweep --help`");
  const Config c = Config::load(folder / "sweep.toml");
  for (const char* key : {"recipe", "scale", "data", "device", "threads", "seeds", "over", "set", "metrics"})
    if (!c.has(key)) throw data_error("this sweep.toml has no '" + std::string(key) + "'", c.where());
  return c;
}

SweepOptions read_options(const RecipeInfo& info, const SweepOptions& asked) {
  const RunOptions& r = asked.run;
  const fs::path folder = r.resume;
  if (!asked.over.empty() || !asked.metrics.empty() || !r.set.empty() || !r.seeds.empty() || !r.scale.empty() || !r.data.empty() || !r.out.empty())
    throw usage_error("a resumed sweep keeps its settings", folder.string(), "Leave the other options away, or start a new sweep");
  const Config c = asked_in(folder);
  if (c.text("recipe") != info.slug) throw usage_error("this is a sweep of '" + c.text("recipe") + "', not of '" + info.slug + "'", folder.string());
  SweepOptions o = asked;
  o.run.scale = c.text("scale"), o.run.data = c.text("data"), o.run.device = c.text("device");
  o.run.seeds = c.integers("seeds"), o.run.set = c.texts("set");
  if (o.run.threads == 0) o.run.threads = static_cast<int>(c.integer("threads"));
  o.over = c.texts("over"), o.metrics = c.texts("metrics");
  return o;
}

// --- the grid

std::vector<SweepPoint> points_of(const std::vector<SweepAxis>& axes, const fs::path& out) {
  std::size_t n = 1;
  for (const auto& a : axes)
    if ((n *= a.values.size()) > most_points)
      throw usage_error("the grid has more than " + std::to_string(most_points) + " points", "--over " + a.key);
  const int digits = static_cast<int>(std::to_string(n).size());
  std::vector<SweepPoint> points(n);
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t rest = i, of_rest = n;
    for (const auto& a : axes) {
      of_rest /= a.values.size();
      points[i].values.push_back(a.values[rest / of_rest]);
      rest %= of_rest;
    }
    std::string number = std::to_string(i + 1);
    number.insert(0, static_cast<std::size_t>(digits) - number.size(), '0');
    points[i].folder = out / "points" / number;
  }
  return points;
}

// --set of the point.
std::vector<std::string> set_of(const SweepOptions& o, const std::vector<SweepAxis>& axes, const SweepPoint& p) {
  auto set = o.run.set;
  for (std::size_t a = 0; a < axes.size(); ++a) set.push_back(assignment(axes[a], p.values[a]));
  return set;
}

RunOptions options_of(const SweepOptions& o, const std::vector<SweepAxis>& axes, const SweepPoint& p) {
  RunOptions r = o.run;
  r.set = set_of(o, axes, p);
  r.part = true;
  r.resume.clear(), r.out.clear();
  if (fs::exists(p.folder / "config.toml")) {
    r.resume = p.folder.string();
    r.data.clear();  // the folder says it
  } else {
    r.out = p.folder.string();
  }
  return r;
}

// --- the table

// A metric without its seeds and bounds: none when `name` is such a part of another one.
bool is_part(const Result& r, const std::string& name) {
  const auto known = [&](std::size_t length) { return r.metrics.count(name.substr(0, length)) > 0; };
  if (name.size() > 3 && (name.ends_with("_lo") || name.ends_with("_hi")) && known(name.size() - 3)) return true;
  const auto at = name.rfind("_seed_");
  return at != std::string::npos && name.find_first_not_of("0123456789", at + 6) == std::string::npos && known(at);
}

std::vector<std::string> metrics_of(const Result& r) {
  std::vector<std::string> names;
  for (const auto& [name, value] : r.metrics)
    if (!is_part(r, name)) names.push_back(name);
  return names;
}

std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string s = "\"";
  for (const char c : text) s += c == '"' ? std::string("\"\"") : std::string(1, c);
  return s + "\"";
}

std::string exact(double v) { return number(v, 9); }

std::string csv_of(const SweepOutcome& o) {
  std::string s;
  for (const auto& a : o.axes) s += cell(a.key) + ",";
  s += "metric,seed,value,lo,hi\n";
  for (const auto& p : o.points) {
    if (!p.done) continue;
    std::string lead;
    for (const auto& v : p.values) lead += cell(v) + ",";
    for (const auto& name : metrics_of(p.result)) {
      const auto lo = p.result.get(name + "_lo"), hi = p.result.get(name + "_hi");
      s += lead + cell(name) + ",," + exact(p.result.metrics.at(name)) + "," + (lo ? exact(*lo) : "") + "," + (hi ? exact(*hi) : "") + "\n";
      for (const auto seed : p.result.seeds_of(name))
        s += lead + cell(name) + "," + std::to_string(seed) + "," + exact(*p.result.get(name + "_seed_" + std::to_string(seed))) + ",,\n";
    }
    s += lead + "wall_s,," + exact(p.result.wall_s) + ",,\n";
  }
  return s;
}

std::string figure_text(const Result& r, const std::string& metric) {
  const auto v = r.get(metric), lo = r.get(metric + "_lo"), hi = r.get(metric + "_hi");
  if (!v) return "";
  return number(*v) + (lo && hi ? " [" + number(*lo, 3) + ", " + number(*hi, 3) + "]" : "");
}

std::string verdicts_of(const SweepPoint& p) {
  if (!p.done) return p.error.empty() ? "not yet run" : "error";
  std::vector<std::string> failed, missing;
  for (const auto& c : p.result.claims)
    if (c.gate && c.holds == false) (c.measured ? failed : missing).push_back(c.id);
  std::vector<std::string> parts;
  if (!failed.empty()) parts.push_back("failed: " + join(failed, ", "));
  if (!missing.empty()) parts.push_back("not measured: " + join(missing, ", "));
  return parts.empty() ? "hold" : join(parts, "; ");
}

report::Table table_of(const SweepOutcome& o) {
  report::Table t;
  for (const auto& a : o.axes) t.header.push_back(a.key);
  for (const auto& m : o.metrics) t.header.push_back(m);
  t.header.push_back("gates");
  for (const auto& p : o.points) {
    auto row = p.values;
    for (const auto& m : o.metrics) row.push_back(p.done ? figure_text(p.result, m) : "");
    row.push_back(verdicts_of(p));
    t.rows.push_back(std::move(row));
  }
  return t;
}

// --- the report

// The metric over the first axis: lines where its values are numbers, else bars; one for each combination of the other axes.
std::string figure_of(const SweepOutcome& o, const std::string& metric) {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  report::Axes axes;
  axes.title = axes.y_label = metric;
  const auto& values = o.axes.front().values;
  axes.x_label = o.axes.front().key;
  const std::size_t combinations = o.points.size() / values.size();
  const bool numbers = std::all_of(values.begin(), values.end(), [](const std::string& v) { return as_number<double>(v).has_value(); });
  std::vector<report::Series> lines;
  report::Bars bars;
  bars.groups = values;
  for (std::size_t k = 0; k < combinations; ++k) {
    std::vector<std::string> rest;
    for (std::size_t a = 1; a < o.axes.size(); ++a) rest.push_back(assignment(o.axes[a], o.points[k].values[a]));
    report::Series s{rest.empty() ? metric : join(rest, " "), {}, {}, {}, {}, false, true};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto& p = o.points[i * combinations + k];
      const auto at = [&](const std::string& name, double otherwise) { return p.done ? p.result.get(name).value_or(otherwise) : otherwise; };
      const double mean = at(metric, none);
      s.x.push_back(as_number<double>(values[i]).value_or(0)), s.y.push_back(mean);
      s.lo.push_back(at(metric + "_lo", mean)), s.hi.push_back(at(metric + "_hi", mean));
    }
    bars.series.push_back(s.name);
    bars.values.push_back(s.y), bars.lo.push_back(s.lo), bars.hi.push_back(s.hi);
    lines.push_back(std::move(s));
  }
  return numbers && values.size() > 1 ? report::line_chart(lines, axes) : report::bar_chart(bars, axes);
}

void write(const RecipeInfo& info, const SweepOptions& options, const SweepOutcome& o) {
  write_file(o.csv, csv_of(o));
  report::Html html("Sweep: " + info.title);
  const auto done = std::count_if(o.points.begin(), o.points.end(), [](const SweepPoint& p) { return p.done; });
  html.subtitle(info.slug + " · " + options.run.scale + " scale · " + std::to_string(done) + " of " + std::to_string(o.points.size()) + " points");
  for (const auto& p : o.points)
    for (const auto& d : p.result.data)
      if (d.synthetic || d.subset) html.notice((d.synthetic ? "Synthetic data: figures are of a drawn twin of " : "Only a part was at hand of ") + d.name + ".");
  html.table(table_of(o), "Means over the seeds, with their 95 % intervals. Every figure of every seed is in sweep.csv; each point is a run with its own report.");
  if (done > 0 && !o.axes.empty())
    for (const auto& m : o.metrics) html.figure(figure_of(o, m), "Bands and bars: 95 % intervals over the seeds.", false);
  report::Table claims{{"point"}, {}};
  for (const auto& p : o.points) {
    if (!p.done) continue;
    std::vector<std::string> row{p.folder.filename().string() + " " + name_of(o.axes, p)};
    for (const auto& c : p.result.claims) {
      if (c.gate) continue;
      if (claims.rows.empty()) claims.header.push_back(c.id + ", " + target_text(c));
      row.push_back(c.verdict);
    }
    claims.rows.push_back(std::move(row));
  }
  if (claims.header.size() > 1) html.section("Claims"), html.table(claims, "As judged in each run.");
  for (const auto& p : o.points)
    if (!p.error.empty()) html.notice(p.folder.filename().string() + " " + name_of(o.axes, p) + ": " + p.error);
  html.fact("Version", std::string("Apical ") + version());
  std::string command = "apical sweep " + info.slug + " --scale " + options.run.scale;
  for (const auto& a : options.over) command += " --over " + quoted(a);
  for (const auto& a : options.run.set) command += " --set " + quoted(a);
  if (!options.run.seeds.empty()) command += " --seeds " + join(detail::seed_texts(options.run.seeds), ",");
  for (const auto& m : options.metrics) command += " --metric " + quoted(m);
  html.repeat(command);
  html.write(o.report);
}

// What the claims are judged on, each once.
std::vector<std::string> claimed(const RecipeInfo& info) {
  std::vector<std::string> metrics;
  for (const auto& line : Expected::parse(info.expected_toml, "recipes/" + info.slug + "/expected.toml").lines)
    if (!line.gate && std::find(metrics.begin(), metrics.end(), line.metric) == metrics.end()) metrics.push_back(line.metric);
  return metrics;
}

}  // namespace

SweepAxis parse_axis(std::string_view text) {
  const std::string where = "--over " + std::string(text);
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) throw usage_error("an axis is a setting and its values", where, "Write KEY=VALUE,VALUE.");
  SweepAxis axis{std::string(text.substr(0, equals)), {}};
  int depth = 0;
  bool quoted = false;
  std::string value;
  for (const char c : text.substr(equals + 1)) {
    if (c == '"') quoted = !quoted;
    if (!quoted) depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (c == ',' && !quoted && depth == 0) {
      axis.values.push_back(std::move(value));
      value.clear();
    } else {
      value += c;
    }
  }
  axis.values.push_back(std::move(value));
  for (std::size_t i = 0; i < axis.values.size(); ++i) {
    if (axis.values[i].empty()) throw usage_error("a value of the axis is empty", where);
    if (std::find(axis.values.begin(), axis.values.begin() + static_cast<std::ptrdiff_t>(i), axis.values[i]) != axis.values.begin() + static_cast<std::ptrdiff_t>(i))
      throw usage_error("the value " + axis.values[i] + " stands twice", where);
  }
  return axis;
}

std::string swept_recipe(const fs::path& folder) { return asked_in(folder).text("recipe"); }

SweepOutcome sweep(const RecipeInfo& info, RunFunction run, const SweepOptions& asked) {
  const bool resume = !asked.run.resume.empty();
  SweepOptions options = resume ? read_options(info, asked) : asked;
  if (options.run.scale.empty()) options.run.scale = "desk";
  SweepOutcome o;
  for (const auto& text : options.over) {
    o.axes.push_back(parse_axis(text));
    for (std::size_t a = 0; a + 1 < o.axes.size(); ++a)
      if (o.axes[a].key == o.axes.back().key) throw usage_error("the setting '" + o.axes[a].key + "' is two axes", "--over " + text);
  }
  o.metrics = options.metrics.empty() ? claimed(info) : options.metrics;
  o.out = resume ? fs::path(asked.run.resume) : detail::choose_folder("sweep-" + info.slug, options.run, options.run.scale);
  o.csv = o.out / "sweep.csv", o.report = o.out / "report.html";
  o.points = points_of(o.axes, o.out);
  for (const auto& p : o.points) settings(info, options.run.scale, set_of(options, o.axes, p));
  if (!resume) {
    if (fs::exists(o.out / "sweep.toml"))
      throw usage_error("this folder holds a sweep already", o.out.string(), "Go on with: apical sweep --resume " + quoted(o.out.string()));
    if (!options.run.data.empty() && options.run.data != "synthetic") options.run.data = fs::absolute(options.run.data).lexically_normal().string();
    make_folder(o.out);
    write_file(o.out / "sweep.toml", to_toml(info.slug, options));
  }
  install_stop_handler();
  std::size_t number = 0;
  bool checked = false;
  for (auto& p : o.points) {
    log_info("point " + std::to_string(++number) + " of " + std::to_string(o.points.size()) + ": " + name_of(o.axes, p));
    try {
      if (fs::exists(p.folder / "result.json")) {
        p.result = read_result(p.folder / "result.json");
      } else {
        auto outcome = run_recipe(info, run, options_of(options, o.axes, p));
        if (outcome.code == static_cast<int>(ExitCode::interrupted)) {
          o.code = outcome.code;
          break;
        }
        p.result = std::move(outcome.result);
      }
      p.done = true;
    } catch (const Error& e) {
      p.error = e.what();
      log_error(name_of(o.axes, p) + ": " + p.error);
      if (!o.code) o.code = static_cast<int>(e.code());
    }
    if (p.done && !checked)
      for (const auto& m : o.metrics)
        if (!p.result.metrics.count(m)) log_warn("no figure '" + m + "' in " + (p.folder / "result.json").string() + ". " + did_you_mean(m, metrics_of(p.result)));
    checked = checked || p.done;
    write(info, options, o);
  }
  if (o.code == static_cast<int>(ExitCode::interrupted)) log_warn("interrupted. Go on with: apical sweep --resume " + quoted(o.out.string()));
  return o;
}

std::string sweep_table(const SweepOutcome& o) {
  auto t = table_of(o);
  t.rows.insert(t.rows.begin(), t.header);
  return aligned(t.rows);
}

}  // namespace apical::recipe
