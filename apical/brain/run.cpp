#include "apical/brain/run.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "apical/base/console.h"
#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/log.h"
#include "apical/base/text.h"
#include "apical/base/units.h"
#include "apical/brain/ranks.h"
#include "apical/brain/recordings.h"

namespace apical::brain {
namespace {

namespace fs = std::filesystem;

// Folders that were not there are taken away again when nothing came of them.
class Folder {
 public:
  explicit Folder(const fs::path& path) {
    std::error_code ignored;
    for (fs::path p = fs::absolute(path).lexically_normal(); !p.empty() && !fs::exists(p, ignored); p = p.parent_path())
      if (!p.filename().empty()) made_.push_back(p);
    make_folder(path);
  }
  ~Folder() {
    std::error_code ignored;
    for (const auto& p : made_) fs::remove(p, ignored);  // empty ones only
  }

 private:
  std::vector<fs::path> made_;  // innermost first
};

std::string command_of(const RunOptions& o) {
  std::string command = "apical simulate " + quoted(o.model);
  for (const auto& s : o.set) command += " --set " + quoted(s);
  if (o.format != "npz") command += " --format " + o.format;
  if (o.report) command += " --report";
  if (!o.checkpoint_every.empty()) command += " --checkpoint-every " + quoted(o.checkpoint_every);
  return command;
}

// Keeps the state, with recordings if there is room for them; the words that say so.
std::string keep(const Described& d, const fs::path& path, const std::string& command) {
  const std::string go_on = "Go on with: " + command + " --resume " + quoted(path.string());
  try {
    save_checkpoint(d, path);
    return go_on;
  } catch (const Error&) {
  }
  try {
    save_checkpoint(d, path, false);
    return "The state is kept, recordings so far are lost. " + go_on;
  } catch (const Error&) {
    return "There was no room for a checkpoint either.";
  }
}

}  // namespace

Run run(const RunOptions& o) {
  if (std::find(recording_formats().begin(), recording_formats().end(), o.format) == recording_formats().end())
    throw usage_error("no format of recordings is called '" + o.format + "'", "--format", did_you_mean(o.format, recording_formats()));
  Run run{describe(std::filesystem::path(o.model), o.set), {}, o.out, {}};
  Described& d = run.circuit;
  if (!(d.time > 0)) throw usage_error("how long is not said", o.model, "Give --time 1s, or time in [simulation].");
  const std::chrono::duration<double> every(o.checkpoint_every.empty() ? 0 : quantity(o.checkpoint_every, "s", "--checkpoint-every"));
  if (!o.checkpoint_every.empty() && !(every.count() > 0))
    throw usage_error("the time between checkpoints must be positive", "--checkpoint-every");
  if (!o.resume.empty()) load_checkpoint(d, o.resume);
  const bool writes = Ranks::world().rank() == 0;
  if (run.out.empty() && writes) run.out = o.resume.empty() ? new_run_folder(d.name) : fs::absolute(o.resume).parent_path();
  const std::string command = command_of(o);
  const fs::path checkpoint = run.out / "checkpoint";
  d.network.build();
  std::optional<Folder> folder;
  {
    const Ranks::Together together;  // what fails here fails in one process alone
    if (writes) {
      folder.emplace(run.out);
      std::error_code ignored;
      if (!o.resume.empty())
        for (const auto& entry : fs::directory_iterator(run.out, ignored))  // of a run that was killed while it wrote one
          if (entry.path().filename().string().starts_with(checkpoint.filename().string() + ".tmp")) fs::remove(entry.path(), ignored);
      for (const char* old : {"result.json", "report.html"}) fs::remove(run.out / old, ignored);  // of an earlier run
    }
  }
  const auto now = [] { return std::chrono::steady_clock::now(); };
  auto kept = now();
  const auto keep_now_and_then = [&] {
    if (!writes || now() - kept < every) return;
    try {
      save_checkpoint(d, checkpoint);
    } catch (const Error& e) {
      log_warn("no checkpoint at " + number(d.network.time(), 9) + " ms: " + e.what());
    }
    kept = now();  // however long that took: the circuit gets its time
  };
  try {
    d.network.simulate(std::max(0.0, d.time - d.network.time()), every.count() > 0 ? keep_now_and_then : std::function<void()>());
  } catch (const Error& e) {
    if (e.code() != ExitCode::interrupted || !writes) throw;
    throw Error(e.code(), e.message(), e.where(), keep(d, checkpoint, command));
  }
  run.outcome = outcome(d);
  if (!writes) return run;
  try {
    run.files = write_recordings(d, run.out, o.format);
    if (o.report) write_report(d, run.outcome, run.out / "report.html", command), run.files.push_back(run.out / "report.html");
    if (o.checkpoint) save_checkpoint(d, checkpoint), run.files.push_back(checkpoint);
    run.files.push_back(run.out / "result.json");
    write_file(run.files.back(), to_json(d, run.outcome, run.files) + "\n");
  } catch (const Error& e) {
    if (e.code() != ExitCode::data) throw;
    throw Error(e.code(), e.message(), e.where(), (e.hint().empty() ? "" : e.hint() + " ") + keep(d, checkpoint, command));
  }
  return run;
}

}  // namespace apical::brain
