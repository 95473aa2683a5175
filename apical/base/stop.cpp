#include "apical/base/stop.h"

#include <unistd.h>

#include <csignal>

#include "apical/base/error.h"

namespace apical {
namespace {
volatile std::sig_atomic_t requested = 0;
void on_signal(int) {
  if (requested) ::_exit(130);
  requested = 1;
}
}  // namespace

void install_stop_handler() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit then shows as an error of write()
}
bool stop_requested() noexcept { return requested != 0; }
void end_if_stopped() {
  if (stop_requested()) throw Error(ExitCode::interrupted, "stopped; nothing was written");
}
}  // namespace apical
