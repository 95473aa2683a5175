#pragma once
// What programs say to people at a terminal, and where they put what they make.
#include <filesystem>
#include <string>
#include <vector>

namespace apical {

/// Rows of cells in columns, two spaces between them.
std::string aligned(const std::vector<std::vector<std::string>>& rows);
/// A word for a POSIX shell.
std::string quoted(const std::string& word);
/// runs/NAME-<date>-<time>, a folder that is not there yet.
std::filesystem::path new_run_folder(const std::string& name);

}  // namespace apical
