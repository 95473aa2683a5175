#pragma once
// A hook for crash tests: APICAL_FAULT=N kills the process (SIGKILL) at the N-th write, fsync or rename of an AtomicFile,
// counted from 1; APICAL_FAULT=count prints the number of such points at exit. Unset, it costs one predictable branch.

namespace apical {
void fault_point(const char* operation) noexcept;
/// As if APICAL_FAULT=n stood in the environment, counted from here: for a test that forks. 0: back to the environment.
void fault_at(long n) noexcept;
}
