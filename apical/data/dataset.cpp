#include "apical/data/dataset.h"

#include <cstdlib>

#include "apical/base/error.h"
#include "apical/base/log.h"
#include "apical/base/machine.h"
#include "apical/data/readers.h"
#include "apical/data/registry.h"
#include "apical/data/synthetic.h"

namespace apical::data {
namespace fs = std::filesystem;
namespace {

std::string how_to_get(const std::string& name) {
  return "Get it with `apical data get " + name + "`, or use the synthetic twin with `--data synthetic`.";
}

/// Folders below a root in which a set may lie.
std::vector<fs::path> places(const std::string& name, const fs::path& root) {
  if (name == "mnist") return {root / "mnist", root / "MNIST" / "raw", root / "MNIST", root};
  if (name == "fashion-mnist") return {root / "fashion-mnist", root / "FashionMNIST" / "raw", root / "FashionMNIST", root};
  if (name == "n-mnist") return {root / "n-mnist", root / "nmnist", root / "N-MNIST", root / "NMNIST", root};
  return {root / "fsdd", root / "FSDD", root / "free-spoken-digit-dataset", root};
}

}  // namespace

std::vector<fs::path> roots(const Source& source) {
  std::vector<fs::path> list;
  if (!source.data.empty()) list.emplace_back(source.data);
  if (const char* shared = std::getenv("APICAL_DATA"); shared && *shared) list.emplace_back(shared);
  list.push_back(cache_folder() / "data");
  return list;
}

std::optional<fs::path> find(const std::string& name, const Source& source) {
  entry(name);  // an unknown name is a usage error
  if (source.data == "synthetic") return std::nullopt;
  std::error_code ignored;
  if (!source.data.empty() && !fs::is_directory(source.data, ignored))
    throw data_error("the data folder does not exist or is no folder", source.data, how_to_get(name));
  for (const fs::path& root : roots(source))
    for (const fs::path& place : places(name, root))
      if (holds(name, place, root)) return place;
  return std::nullopt;
}

Set load(const std::string& name, const std::string& split, const Source& source) {
  const Entry& known = entry(name);
  if (split != "train" && split != "test") throw usage_error("unknown split '" + split + "'", name, "Known: train, test.");
  const auto twin = [&] { return synthetic(name, split, split == "train" ? source.synthetic_train : source.synthetic_test, source.seed); };
  if (source.data == "synthetic") return twin();
  const auto folder = find(name, source);
  if (!folder) {
    // Who names a folder wants what is in it: only an unnamed source falls back to the twin.
    if (!source.data.empty() || !source.allow_twin) {
      std::string looked;
      for (const fs::path& root : roots(source)) looked += (looked.empty() ? "" : ", ") + root.string();
      throw data_error("data set '" + name + "' not found", looked, how_to_get(name));
    }
    if (split == "train") log_warn("data set '" + name + "' not found: using its synthetic twin. " + how_to_get(name));
    return twin();
  }
  try {
    Set set = read_known(known, *folder, split);
    set.subset = set.size() < (split == "train" ? known.train : known.test);
    return set;
  } catch (const Error& e) {
    if (e.code() != ExitCode::data) throw;
    throw data_error(e.message(), e.where(), (e.hint().empty() ? "" : e.hint() + " ") + how_to_get(name));
  }
}

}  // namespace apical::data
