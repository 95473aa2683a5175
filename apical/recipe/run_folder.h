#pragma once
// The folder of a run: what is written first, so that a resume knows what it resumes. Internal to this room.
#include <filesystem>
#include <string>
#include <vector>

#include "apical/base/console.h"
#include "apical/recipe/driver.h"

namespace apical::recipe::detail {

/// What config.toml of a run folder says: [run] and [settings].
struct RunRecord {
  std::string recipe, scale, data, device, version;
  std::vector<std::int64_t> seeds;  ///< empty: those of expected.toml
  int threads = 1;
  std::vector<std::string> set;  ///< the --set assignments, for the report
  Config settings;
};
std::string to_toml(const RunRecord& record);
/// A string, and a list of them, as TOML.
std::string toml_text(const std::string& text);
std::string toml_texts(const std::vector<std::string>& texts);
std::vector<std::string> seed_texts(const std::vector<std::int64_t>& seeds);
/// Data error when the folder holds no run; usage error when it is a run of another recipe or of settings this recipe does not have.
RunRecord read_record(const std::filesystem::path& folder, const RecipeInfo& info);
/// The record of the run that `options` asks for; a resume takes it from the folder and refuses options that differ.
RunRecord make_record(const RecipeInfo& info, const RunOptions& options);

/// --resume, --out, or a new folder runs/<name>-<scale>-<date and time>.
std::filesystem::path choose_folder(const std::string& name, const RunOptions& options, const std::string& scale);

/// Creates the folder; when the run fails before it has written anything of worth, takes away what it made.
class Folder {
 public:
  explicit Folder(std::filesystem::path path, bool resume);
  ~Folder();  ///< without keep(): removes config.toml and an empty metrics.jsonl if nothing else is there, and the folders it made
  void keep() noexcept { kept_ = true; }

 private:
  std::filesystem::path path_;
  std::vector<std::filesystem::path> made_;  ///< innermost first
  bool kept_ = false;
};

/// `verb`: "run digits --scale desk".
std::string repeat_command(const std::string& verb, const RunRecord& record);

}  // namespace apical::recipe::detail
