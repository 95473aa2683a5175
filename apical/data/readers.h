#pragma once
// Reads the known sets from disk in the layouts they come in. Used by load(); not a public door.
#include <filesystem>
#include <string>
#include <vector>

#include "apical/data/dataset.h"
#include "apical/data/registry.h"

namespace apical::data {

/// Whether `folder` holds the set. `folder == root` (a bare --data or $APICAL_DATA) is accepted only where it cannot be another set.
bool holds(const std::string& name, const std::filesystem::path& folder, const std::filesystem::path& root);

/// The files of a folder (or its folders), by name. Data error when it cannot be read.
std::vector<std::filesystem::path> sorted_files(const std::filesystem::path& folder, bool folders = false);

/// One split. Data error naming the file when something is missing, damaged or of the wrong count.
Set read_known(const Entry& entry, const std::filesystem::path& folder, const std::string& split);

/// Images [N, H, W] or [N, C, H, W] (u8) with labels [N] (any integer type): used for the known sets and for a pair of IDX files.
/// Set::sha256 is over the unpacked bytes of the images file followed by those of the labels file.
Set read_idx_pair(const std::filesystem::path& images, const std::filesystem::path& labels);

}  // namespace apical::data
