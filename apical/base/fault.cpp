#include "apical/base/fault.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <atomic>

namespace apical {
namespace {
std::atomic<long> points{0};

long configured() {
  const char* s = std::getenv("APICAL_FAULT");
  if (!s) return 0;
  if (std::strcmp(s, "count") == 0) {
    std::atexit([] { std::fprintf(stderr, "fault points: %ld\n", points.load()); });
    return -1;
  }
  return std::strtol(s, nullptr, 10);
}
}  // namespace

void fault_point(const char*) noexcept {
  static const long kill_at = configured();
  if (kill_at == 0) return;
  if (++points == kill_at) std::raise(SIGKILL);
}
}  // namespace apical
