#include "apical/recipe/driver.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "apical/base/clock.h"
#include "apical/base/files.h"
#include "apical/base/log.h"
#include "apical/base/machine.h"
#include "apical/base/stop.h"
#include "apical/base/text.h"
#include "apical/base/thread_pool.h"
#include "apical/recipe/run_folder.h"

namespace apical::recipe {
namespace fs = std::filesystem;
using detail::RunRecord;

namespace {

void check_device(const std::string& device) {
  if (device == "cuda") throw usage_error("built without CUDA", "--device cuda", "Use --device cpu");
  if (device != "cpu") throw usage_error("unknown device '" + device + "'", "--device", "Known: cpu, cuda.");
}

std::map<std::string, std::string> machine_map() {
  const Machine m = machine();
  return {{"cpu", m.cpu}, {"cores", std::to_string(m.cores)}, {"memory_gib", number(m.memory_gib, 3)}, {"system", m.system}};
}

std::vector<std::int64_t> choose_seeds(const Expected& expected, const RunRecord& r) {
  if (!r.seeds.empty()) return r.seeds;
  if (r.scale == "smoke") return {expected.seeds.front()};
  return expected.seeds;
}

void fill_report(report::Html& html, const RecipeInfo& info, const Result& r, const RunRecord& record, const std::string& command,
                 bool resumed) {
  html.subtitle(info.slug + " · " + r.scale + " scale · seed " + std::to_string(r.seed));
  for (const auto& d : r.data) {
    if (d.synthetic)
      html.notice("Synthetic data: this run used a drawn twin of " + d.name +
                  ". Its figures are not figures of the published set, and no claim is judged on them.");
    else if (d.subset)
      html.notice("Only a part of " + d.name + " was at hand. Claims about the whole set are not judged.");
  }
  std::vector<report::ClaimRow> rows;
  for (const auto& c : r.claims) {
    std::string statement = c.statement;
    if (c.failure && !c.gate) statement += " (on record as: " + c.recorded + ")";
    rows.push_back({c.id, statement, c.paper, target_text(c), measured_text(c), interval_text(c), c.verdict, c.gate});
  }
  html.claims(std::move(rows));
  if (!info.paper.empty()) html.fact("Paper", info.paper);
  for (const auto& d : r.data)
    html.fact("Data", d.name + (d.synthetic ? " (synthetic)" : d.subset ? " (a part)" : "") + ", SHA-256 " + d.sha256);
  const auto& m = r.machine;
  html.fact("Machine", m.at("cpu") + ", " + m.at("cores") + " cores, " + m.at("memory_gib") + " GiB, " + m.at("system"));
  html.fact("Threads", std::to_string(record.threads));
  html.fact("Wall time", duration_text(r.wall_s) + (resumed ? " since it was resumed" : ""));
  html.fact("Peak memory", number(r.peak_rss_mb, 3) + " MB");
  html.fact("Version", "Apical " + r.version);
  html.config(record.settings.to_toml());
  html.repeat(command);
}

void warn_of_differences(const RunRecord& record, int threads) {
  if (threads != record.threads)
    log_warn("this run began with " + std::to_string(record.threads) + " threads and goes on with " + std::to_string(threads) +
             "; the result may differ in its last bits");
  if (record.version != version()) log_warn("this run began with Apical " + record.version + "; this is " + version());
}

RunOutcome finished_before(const RecipeInfo& info, const fs::path& out) {
  log_info("this run is complete: nothing to resume");
  RunOutcome o;
  o.out = out;
  o.result_file = out / "result.json";
  o.report = out / "report.html";
  o.result = read_result(o.result_file);
  mark_failures(Expected::parse(info.expected_toml, "recipes/" + info.slug + "/expected.toml"), o.result);
  o.code = exit_code(o.result);
  return o;
}

void begin_result(Result& r, const RecipeInfo& info, const RunRecord& record, std::uint64_t seed) {
  r.recipe = info.slug;
  r.scale = record.scale;
  r.seed = seed;
  r.version = version();
  r.machine = machine_map();
}

std::string number_text(double v) { return number(v, 5); }

}  // namespace

std::string target_text(const Claim& c) {
  if (c.relation == "within") return number_text(c.target.first) + " to " + number_text(c.target.second);
  return c.relation + " " + number_text(c.target.first);
}
std::string measured_text(const Claim& c) { return c.measured ? number_text(*c.measured) : ""; }
std::string interval_text(const Claim& c) {
  return c.interval ? "[" + number_text(c.interval->first) + ", " + number_text(c.interval->second) + "]" : "";
}

std::vector<std::int64_t> parse_seeds(std::string_view text) {
  constexpr std::size_t most = 1000;
  const auto wrong = [&](const std::string& what) { return usage_error(what, "--seeds " + std::string(text), "Write 1..10, or 1,2,5."); };
  std::vector<std::int64_t> seeds;
  std::set<std::int64_t> seen;
  const auto take = [&](std::string_view part) {
    const auto v = as_number<std::int64_t>(part);
    if (!v || *v < 0) throw wrong("not a list of seeds");
    return *v;
  };
  for (std::size_t at = 0; at <= text.size();) {
    const auto comma = std::min(text.find(',', at), text.size());
    const auto part = text.substr(at, comma - at);
    const auto dots = part.find("..");
    const std::int64_t first = take(part.substr(0, dots)), last = dots == part.npos ? first : take(part.substr(dots + 2));
    if (last < first) throw wrong("a range of seeds ends before it begins");
    if (static_cast<std::uint64_t>(last - first) >= most - std::min(most, seeds.size())) throw wrong("more than 1000 seeds");
    for (std::int64_t s = first; s <= last; ++s) {
      if (!seen.insert(s).second) throw wrong("seed " + std::to_string(s) + " is named twice");
      seeds.push_back(s);
    }
    at = comma + 1;
  }
  return seeds;
}

RunOutcome run_recipe(const RecipeInfo& info, RunFunction run, const RunOptions& options) {
  check_device(options.device);
  const bool resume = !options.resume.empty();
  const Expected expected = Expected::parse(info.expected_toml, "recipes/" + info.slug + "/expected.toml");
  RunRecord record = detail::make_record(info, options);
  const fs::path out = detail::choose_folder(info.slug, options, record.scale);
  if (resume && fs::exists(out / "result.json")) return finished_before(info, out);
  const int threads = options.threads > 0 ? options.threads : thread_count();
  if (resume) warn_of_differences(record, threads);
  set_thread_count(threads);
  install_stop_handler();

  detail::Folder folder(out, resume);
  if (!resume) write_file(out / "config.toml", detail::to_toml(record));
  MetricsLog metrics(out / "metrics.jsonl", resume);
  RunOutcome outcome;
  outcome.out = out;
  const auto seeds = choose_seeds(expected, record);
  begin_result(outcome.result, info, record, static_cast<std::uint64_t>(seeds.front()));
  report::Html html(info.title);
  data::Source source;
  source.data = record.data;
  RunContext context{info,
                     record.settings,
                     record.set,
                     record.scale,
                     outcome.result.seed,
                     seeds,
                     source,
                     record.device,
                     threads,
                     resume,
                     options.quiet || log_level() >= LogLevel::warn,
                     out,
                     metrics,
                     outcome.result,
                     html};
  const std::string verb = options.verb.empty() ? "run " + info.slug : options.verb;
  const double start = clock_seconds();
  try {
    run(context);
  } catch (const Error& e) {
    if (e.code() != ExitCode::interrupted) throw;
    folder.keep();
    if (!options.part) log_warn("interrupted. Go on with: apical " + verb + " --resume " + quoted(out.string()));
    outcome.code = static_cast<int>(ExitCode::interrupted);
    return outcome;
  }
  Result& r = outcome.result;
  r.wall_s = clock_seconds() - start;
  r.peak_rss_mb = peak_rss_mb();
  const auto of_a_seed = [](const auto& metric) { return metric.first.find("_seed_") != std::string::npos; };
  if (record.seeds.size() > 1 && std::none_of(r.metrics.begin(), r.metrics.end(), of_a_seed))
    log_warn(info.slug + " runs one seed: only seed " + std::to_string(seeds.front()) + " was used");
  judge(expected, r, options.strict);
  const std::string command = options.command.empty()
                                  ? detail::repeat_command(verb + (options.verb.empty() ? " --scale " + record.scale : ""), record)
                                  : options.command;
  fill_report(html, info, r, record, command, resume);
  outcome.report = out / "report.html";
  outcome.result_file = out / "result.json";
  html.write(outcome.report);
  write_result(r, outcome.result_file);  // last: its presence says that the run is complete
  folder.keep();
  outcome.code = exit_code(r);
  return outcome;
}

VerifyOutcome verify(const std::vector<RecipeInfo>& recipes, const std::vector<Entry>& runnable, const std::vector<std::string>& slugs,
                     const RunOptions& options) {
  const std::string scale = options.scale.empty() ? "desk" : options.scale;
  std::vector<const RecipeInfo*> chosen;
  for (const auto& slug : slugs) {
    chosen.push_back(&find_recipe(recipes, slug));
    run_function(runnable, *chosen.back());  // refuses before the first of them runs
  }
  if (slugs.empty())
    for (const auto& info : recipes) {
      if (std::find(info.scales.begin(), info.scales.end(), scale) == info.scales.end()) continue;
      const bool here = std::any_of(runnable.begin(), runnable.end(), [&](const Entry& e) { return e.slug == info.slug; });
      if (here || !info.trains)
        chosen.push_back(&info);
      else
        log_warn("not verified, for this apical was built without training: " + info.slug);
    }
  VerifyOutcome outcome;
  int first_error = 0;
  bool failed = false;
  for (const RecipeInfo* info : chosen) {
    const auto run = run_function(runnable, *info);
    RunOptions o = options;
    o.scale = scale;
    o.strict = true;
    o.out = (fs::path(options.out.empty() ? "runs/verify-" + scale : options.out) / info->slug).string();
    log_info("verifying " + info->slug + " at " + scale + " scale");
    try {
      outcome.runs.push_back(run_recipe(*info, run, o));
    } catch (const Error& e) {
      log_error(info->slug + ": " + e.what());
      if (!first_error) first_error = static_cast<int>(e.code());
      continue;
    }
    const int code = outcome.runs.back().code;
    if (code == static_cast<int>(ExitCode::interrupted)) {
      outcome.code = code;
      return outcome;
    }
    failed = failed || code != 0;
  }
  outcome.code = first_error ? first_error : failed ? static_cast<int>(ExitCode::check_failed) : 0;
  return outcome;
}

std::string claim_table(const Result& result) {
  std::vector<std::vector<std::string>> rows{{"", "paper", "target", "measured", "95 % interval", "verdict"}};
  for (const bool gates : {false, true})
    for (const auto& c : result.claims)
      if (c.gate == gates)
        rows.push_back({(gates ? "gate  " : "claim ") + c.id, c.paper, target_text(c), measured_text(c), interval_text(c),
                        c.verdict + (c.failure && !gates ? "  (on record: " + c.recorded + ")" : "")});
  if (rows.size() == 1) return "";
  return aligned(rows);
}

}  // namespace apical::recipe
