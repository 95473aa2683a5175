#include "apical/base/fault.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <atomic>

namespace apical {
namespace {
std::atomic<long> points{0};
std::atomic<long> forced{0};  // fault_at()

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
  static const long in_environment = configured();
  const long kill_at = forced.load(std::memory_order_relaxed) != 0 ? forced.load() : in_environment;
  if (kill_at == 0) return;
  if (++points == kill_at) std::raise(SIGKILL);
}

void fault_at(long n) noexcept {
  points = 0;
  forced = n;
}
}  // namespace apical
