#pragma once
// What both executables share: options for every verb, errors to exit codes, the command tree for shell completion, and the
// way from `apical` to `apical-train`.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace apical::cli {

/// Adds --version, --threads and --quiet, which every verb below accepts too. Call before the verbs are added.
void add_common(CLI::App& app);

/// Adds --seed and --seeds of the verbs that run recipes.
void add_seeds(CLI::App& verb, std::vector<std::int64_t>& seeds);

/// Sorts the verbs into the groups of the help page.
void group_verbs(CLI::App& app);

/// Parses, runs the verb and returns the exit code. Everything that goes wrong ends here: apical::Error with its code, a wrong
/// command line with 2 and a did-you-mean, any other exception with 4.
int run_program(CLI::App& app, int argc, char** argv);

/// Where apical-train is: beside this executable, or in ../libexec/apical; empty when this build has none.
std::filesystem::path find_train();

/// True when this processor has AVX-512 but OpenBLAS 0.3.21 and older would run its AVX2 kernels (every AMD core).
/// OpenBLAS chooses when it is loaded, so the choice must stand in the environment before a program starts.
bool blas_needs_help();
/// Sets OPENBLAS_CORETYPE (when blas_needs_help), OMP_DYNAMIC and how long idle threads spin, each when unset; returns true when something was changed.
bool set_blas_environment();

/// The verbs, options and choices of a program as lines of tab-separated fields, for `apical completion`:
/// "verb<TAB>path<TAB>description", "option<TAB>path<TAB>--name<TAB>takes(0|1)<TAB>description", "choice<TAB>path<TAB>--name or
/// position<TAB>value".
std::string command_tree(const CLI::App& app);

}  // namespace apical::cli
