#include "apical/recipe/run_folder.h"

#include <algorithm>

#include "apical/base/files.h"
#include "apical/base/machine.h"
#include "apical/base/text.h"
#include "apical/base/thread_pool.h"

namespace apical::recipe::detail {
namespace fs = std::filesystem;

std::string toml_text(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) {
    char code[8];
    if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      std::snprintf(code, sizeof code, "\\u%04X", c);
      out += code;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string toml_texts(const std::vector<std::string>& texts) {
  std::vector<std::string> each;
  for (const auto& t : texts) each.push_back(toml_text(t));
  return "[" + join(each, ", ") + "]";
}

std::vector<std::string> seed_texts(const std::vector<std::int64_t>& seeds) {
  std::vector<std::string> each;
  for (const auto s : seeds) each.push_back(std::to_string(s));
  return each;
}

namespace {

// The keys whose values differ.
std::vector<std::string> differences(const Config& a, const Config& b) {
  std::vector<std::string> out;
  for (const auto& key : a.keys()) {
    const auto value = [&](const Config& c) {  // as text: settings have no common value type
      std::string line, all = c.to_toml();
      for (const auto read : {0, 1, 2, 3, 4}) try {
          if (read == 0) return std::string(c.boolean(key) ? "true" : "false");
          if (read == 1) return number(c.real(key), 17);
          if (read == 2) return c.text(key);
          if (read == 3) {
            for (double v : c.reals(key)) line += number(v, 17) + ",";
            return line;
          }
          return join(c.texts(key), ",");
        } catch (const Error&) {
        }
      return all;
    };
    if (value(a) != value(b)) out.push_back(key);
  }
  return out;
}

// Temporary files of a run that was killed while it wrote them: <name>.tmp<process>-<serial>.
void remove_unfinished(const fs::path& folder) {
  std::error_code ignored;
  std::vector<fs::path> unfinished;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const auto at = name.rfind(".tmp");
    if (at != std::string::npos && at + 4 < name.size() && name.find_first_not_of("0123456789-", at + 4) == std::string::npos) unfinished.push_back(entry.path());
  }
  for (const auto& path : unfinished) fs::remove(path, ignored);
}

[[noreturn]] void refuse_change(const std::string& what, const RunOptions& o) {
  throw usage_error("a resumed run keeps its settings, but " + what + " differs", o.resume, "Leave the option away, or start a new run");
}

}  // namespace

std::string to_toml(const RunRecord& r) {
  std::string s = "# What this run was asked to do. `apical run " + r.recipe + " --resume` reads it.\n[run]\n";
  s += "recipe = " + toml_text(r.recipe) + "\nscale = " + toml_text(r.scale) + "\ndata = " + toml_text(r.data) +
       "\ndevice = " + toml_text(r.device) + "\nversion = " + toml_text(r.version) + "\nthreads = " + std::to_string(r.threads) + "\n";
  s += "seeds = [" + join(seed_texts(r.seeds), ", ") + "]\nset = " + toml_texts(r.set) + "\n";
  return s + "\n# Settings: recipe.toml, the scale's table, --set.\n[settings]\n" + r.settings.to_toml();
}

RunRecord read_record(const fs::path& folder, const RecipeInfo& info) {
  const fs::path file = folder / "config.toml";
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored))
    throw data_error("there is no run to resume", folder.string(), "A run's folder holds config.toml; see `apical run --help`");
  // Settings are written after their heading: the two parts are parsed apart, so that tables of the settings need no prefix.
  const std::string text = read_text(file, std::size_t{1} << 22);
  const std::string heading = "\n[settings]\n";
  const auto cut = text.find(heading);
  if (cut == std::string::npos) throw data_error("this is not the config.toml of a run", file.string());
  const Config run = Config::parse(text.substr(0, cut), file.string()).table("run");
  RunRecord r;
  r.recipe = run.text("recipe");
  r.scale = run.text("scale");
  r.data = run.text("data");
  r.device = run.text("device");
  r.version = run.text("version");
  r.threads = static_cast<int>(run.integer("threads"));
  r.set = run.texts("set");
  if (run.has("seeds")) r.seeds = run.integers("seeds");
  if (run.has("seed")) r.seeds = {run.integer("seed")};  // a folder of before 2026-11-27
  if (r.recipe != info.slug) throw usage_error("this is a run of '" + r.recipe + "', not of '" + info.slug + "'", folder.string());
  const Config kept = Config::parse(text.substr(cut + heading.size()), file.string());
  r.settings = settings(info, r.scale);
  if (kept.keys() != r.settings.keys())
    throw usage_error("the recipe's settings have other names since this run began", file.string(), "Start a new run");
  r.settings.merge(kept);
  return r;
}

RunRecord make_record(const RecipeInfo& info, const RunOptions& o) {
  RunRecord r;
  if (o.resume.empty()) {
    r.recipe = info.slug;
    r.scale = o.scale.empty() ? "desk" : o.scale;
    r.data = o.data.empty() || o.data == "synthetic" ? o.data : fs::absolute(o.data).lexically_normal().string();
    r.device = o.device;
    r.version = version();
    r.seeds = o.seeds;
    r.threads = o.threads > 0 ? o.threads : thread_count();
    r.set = o.set;
    r.settings = settings(info, r.scale, o.set);
    return r;
  }
  r = read_record(o.resume, info);
  if (!o.out.empty() && fs::weakly_canonical(o.out) != fs::weakly_canonical(o.resume)) refuse_change("--out", o);
  if (!o.scale.empty() && o.scale != r.scale) refuse_change("--scale", o);
  if (!o.seeds.empty() && o.seeds != r.seeds) refuse_change("--seed", o);
  if (!o.data.empty() && o.data != r.data && fs::absolute(o.data).lexically_normal() != r.data) refuse_change("--data", o);
  Config asked = r.settings;
  for (const auto& a : o.set) asked.set(a);
  if (const auto keys = differences(asked, r.settings); !keys.empty()) refuse_change("'" + keys.front() + "'", o);
  return r;
}

fs::path choose_folder(const std::string& of, const RunOptions& o, const std::string& scale) {
  if (!o.resume.empty()) return o.resume;
  if (!o.out.empty()) return o.out;
  return new_run_folder(of + "-" + scale);
}

Folder::Folder(fs::path path, bool resume) : path_(std::move(path)) {
  std::error_code ignored;
  for (fs::path p = fs::absolute(path_).lexically_normal(); !p.empty() && !fs::exists(p, ignored); p = p.parent_path()) {
    if (!p.filename().empty()) made_.push_back(p);
    if (p == p.parent_path()) break;
  }
  make_folder(path_);
  remove_unfinished(path_);
  if (resume) return;
  for (const char* old : {"result.json", "report.html"}) fs::remove(path_ / old, ignored);  // of an earlier run: not of this one
}

Folder::~Folder() {
  if (kept_ || made_.empty()) return;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    const auto name = entry.path().filename();
    if (name == "config.toml" || (name == "metrics.jsonl" && entry.file_size(ignored) == 0)) continue;
    return;  // something of worth, e.g. a checkpoint
  }
  fs::remove(path_ / "config.toml", ignored);
  fs::remove(path_ / "metrics.jsonl", ignored);
  for (const auto& p : made_) fs::remove(p, ignored);  // only empty folders go
}

std::string repeat_command(const std::string& verb, const RunRecord& r) {
  std::string s = "apical " + verb;
  if (!r.data.empty()) s += " --data " + quoted(r.data);
  if (r.seeds.size() == 1) s += " --seed " + std::to_string(r.seeds[0]);
  if (r.seeds.size() > 1) s += " --seeds " + join(seed_texts(r.seeds), ",");
  s += " --threads " + std::to_string(r.threads);
  for (const auto& a : r.set) s += " --set " + quoted(a);
  return s;
}

}  // namespace apical::recipe::detail
