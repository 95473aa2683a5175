#pragma once
// Facts about this machine and process, for result.json, `apical doctor` and checkpoints.
#include <cstddef>
#include <filesystem>
#include <string>

namespace apical {

struct Machine {
  std::string cpu;       ///< model name
  int cores = 0;         ///< cores this process may use
  double memory_gib = 0;
  std::string system;    ///< "Linux 6.1.0 x86_64"
};
Machine machine();

double peak_rss_mb();     ///< highest resident memory of this process so far, MB (1e6 bytes)
double current_rss_mb();
double available_memory_mb();  ///< what the system can give without swapping, MB; 0 when it does not say
std::filesystem::path self_path();    ///< the running executable
std::filesystem::path cache_folder(); ///< $XDG_CACHE_HOME/apical or ~/.cache/apical
const char* version() noexcept;       ///< "0.1.0"

}  // namespace apical
