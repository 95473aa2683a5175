#pragma once
// Ctrl-C and SIGTERM ask; a job looks at stop_requested() between steps, saves, and ends with exit code 130.

namespace apical {
void install_stop_handler();  ///< the second signal ends the process at once
bool stop_requested() noexcept;
void end_if_stopped();  ///< for jobs with nothing to save: throws the Error that ends with exit code 130
}  // namespace apical
