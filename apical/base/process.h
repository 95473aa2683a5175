#pragma once
// Other programs, and this one once more.
#include <filesystem>
#include <string>
#include <vector>

namespace apical {

/// Runs a program (looked up in PATH) with these words and waits for it; it shares our standard output and error. Returns its exit
/// code, 127 when there is no such program, -1 when a signal ended it.
/// `output`: a file that takes what it prints instead.
int run_process(const std::vector<std::string>& words, const std::filesystem::path& output = {});

}  // namespace apical
