// `apical data list|check|get`: the known sets, on disk and at their publishers.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apical/base/error.h"
#include "apical/base/stop.h"
#include "apical/data/fetch.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

using data::Entry, data::FileCheck;

struct DataOptions {
  std::string set, folder;
  bool json = false, trust = false;
};

data::Source source_of(const DataOptions& o) {
  data::Source s;
  s.data = o.folder;
  return s;
}

void list(const DataOptions& o) {
  auto all = nlohmann::json::array();
  for (const Entry& e : data::registry()) {
    const auto folder = data::find(e.name, source_of(o));
    const std::string where = folder ? folder->string() : "";
    all.push_back({{"name", e.name}, {"title", e.title}, {"licence", e.licence}, {"citation", e.citation}, {"train", e.train}, {"test", e.test},
                   {"verified", e.verified()}, {"folder", folder ? nlohmann::json(where) : nlohmann::json()}});
    if (!o.json)
      std::printf("%-14s %6zu + %5zu  %-12s %s\n%14s %s\n", e.name.c_str(), e.train, e.test, e.licence.c_str(), e.title.c_str(), "",
                  folder ? where.c_str() : ("not here; apical data get " + e.name + (e.verified() ? "" : " --trust")).c_str());
  }
  if (o.json) std::printf("%s\n", all.dump(2).c_str());
}

const char* word(FileCheck::State s) {
  switch (s) {
    case FileCheck::State::good: return "good";
    case FileCheck::State::not_verified: return "not verified";
    case FileCheck::State::wrong: return "wrong";
    case FileCheck::State::missing: break;
  }
  return "missing";
}

void check(const DataOptions& o) {
  const Entry& e = data::entry(o.set);
  const auto folder = data::find(e.name, source_of(o));
  if (!folder) throw data_error("data set '" + e.name + "' not found", o.folder.empty() ? "$APICAL_DATA, the cache" : o.folder, "Get it with `apical data get " + e.name + "`.");
  auto files = nlohmann::json::array();
  bool wrong = false;
  if (!o.json) std::printf("%s\n", folder->c_str());
  for (const auto& f : data::check_files(e, *folder)) {
    wrong = wrong || f.state == FileCheck::State::wrong;
    files.push_back({{"name", f.name}, {"state", word(f.state)}, {"sha256", f.sha256}});
    if (!o.json) std::printf("%-28s %-12s %s\n", f.name.c_str(), word(f.state), f.sha256.c_str());
  }
  auto splits = nlohmann::json::object();
  for (const char* split : {"train", "test"}) {  // whatever the layout: can it be read, and is it whole?
    data::Source s = source_of(o);
    s.allow_twin = false;
    const auto set = data::load(e.name, split, s);
    splits[split] = {{"samples", set.size()}, {"subset", set.subset}, {"sha256", set.sha256}};
    if (!o.json) std::printf("%-28s %zu samples%s, SHA-256 %s\n", split, set.size(), set.subset ? " (a part of the published set)" : "", set.sha256.c_str());
  }
  if (o.json) std::printf("%s\n", nlohmann::json{{"name", e.name}, {"folder", folder->string()}, {"files", files}, {"splits", splits}}.dump(2).c_str());
  if (wrong) throw Exit{1};
}

void get(const DataOptions& o) {
  install_stop_handler();
  const Entry& e = data::entry(o.set);
  const auto home = data::home_of(e, o.folder);
  data::get(e, home, o.trust);
  std::printf("%s\n%s; please cite: %s\n", home.c_str(), e.licence.c_str(), e.citation.c_str());
}

}  // namespace

void add_data(CLI::App& app) {
  auto* sub = app.add_subcommand("data", "Known data sets: list, check, download");
  sub->require_subcommand(1);
  const auto add = [&](const char* name, const char* what, bool set, void (*run)(const DataOptions&), const char* footer) {
    auto o = std::make_shared<DataOptions>();
    auto* verb = sub->add_subcommand(name, what);
    if (set) verb->add_option("SET", o->set, "Name of the set, see `apical data list`")->required();
    verb->add_option("--data", o->folder, "Folder of the data (default: $APICAL_DATA, then the cache; get: the cache)")->type_name("DIR");
    if (run == get)
      verb->add_flag("--trust", o->trust, "Take a set whose hashes nobody has verified");
    else
      verb->add_flag("--json", o->json, "Print one JSON document");
    verb->footer(footer);
    verb->callback([o, run] { run(*o); });
  };
  add("list", "The known sets, and where they lie", false, list, "Examples:\n  apical data list\n  apical data list --json");
  add("check", "Whether the files of a set are the published ones", true, check, "Examples:\n  apical data check mnist\n\nExit code 1: a file is not the published one.");
  add("get", "Download a set, go on with an interrupted download, check its hashes", true, get,
      "Examples:\n  apical data get mnist\n  apical data get fsdd --trust --data ~/data\n  APICAL_MIRROR=http://mirror.local/sets apical data get mnist");
  sub->footer("Examples:\n  apical data list\n  apical data get mnist\n  apical data check mnist");
}

}  // namespace apical::cli
