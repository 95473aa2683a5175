#pragma once
// Known sets on disk: downloading from their publishers, and checking what lies there.
#include <filesystem>
#include <string>
#include <vector>

#include "apical/data/registry.h"

namespace apical::data {

/// The folder `get` writes a set to: <cache>/data/<set>, or <folder>/<set>.
std::filesystem::path home_of(const Entry& set, const std::filesystem::path& folder = {});

struct FileCheck {
  std::string name;
  enum class State { good, not_verified, wrong, missing } state = State::missing;
  std::string sha256;  ///< over the unpacked bytes, when there is a file
};
/// The publisher's files of the set in its folder, packed or unpacked. `not_verified`: nobody has verified a hash to compare with.
std::vector<FileCheck> check_files(const Entry& set, const std::filesystem::path& folder);

/// Downloads what is missing or wrong with curl, going on with a part that an interrupted download left, checks SHA-256 over the
/// unpacked bytes, unpacks archives. Refuses (usage error) a set without verified hashes unless `trust`. A file of the wrong hash is
/// removed and is a data error; nothing that is there already and right is touched.
void get(const Entry& set, const std::filesystem::path& folder, bool trust);

/// Unpacks a zip into `folder`, with `strip` without its outermost folder; data error for a member that would leave the folder, a link, or more than `limit` bytes in all.
void unpack(const std::filesystem::path& zip, const std::filesystem::path& folder, bool strip = false, std::uint64_t limit = std::uint64_t{1} << 33);

}  // namespace apical::data
