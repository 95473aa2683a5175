#include "apical/base/machine.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace apical {
namespace {

// "VmHWM:   123 kB" of a file of /proc, in MB
double status_mb(const std::string& key, const char* file = "/proc/self/status") {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.rfind(key, 0) == 0) return std::strtod(line.c_str() + key.size(), nullptr) * 1024.0 / 1e6;
  return 0;
}

}  // namespace

Machine machine() {
  Machine m;
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.rfind("model name", 0) == 0) {
      m.cpu = line.substr(line.find(':') + 2);
      break;
    }
  cpu_set_t set;
  m.cores = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  m.memory_gib = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGE_SIZE)) / (1 << 30);
  struct utsname u {};
  if (::uname(&u) == 0) m.system = std::string(u.sysname) + " " + u.release + " " + u.machine;
  return m;
}

double peak_rss_mb() { return status_mb("VmHWM:"); }
double current_rss_mb() { return status_mb("VmRSS:"); }
double available_memory_mb() { return status_mb("MemAvailable:", "/proc/meminfo"); }

std::filesystem::path self_path() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error);
}

std::filesystem::path cache_folder() {
  if (const char* x = std::getenv("XDG_CACHE_HOME"); x && *x) return std::filesystem::path(x) / "apical";
  if (const char* h = std::getenv("HOME"); h && *h) return std::filesystem::path(h) / ".cache" / "apical";
  return "/tmp/apical-cache";
}

const char* version() noexcept { return APICAL_VERSION; }

}  // namespace apical
