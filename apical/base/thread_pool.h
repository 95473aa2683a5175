#pragma once
// The one thread pool. Work is cut by `grain` alone, never by the number of threads, so results do not depend on it.
#include <cstddef>
#include <functional>

namespace apical {

/// Number of threads parallel_for uses (default: APICAL_THREADS, else the cores this process may use).
int thread_count() noexcept;
/// Sets it (>= 1). Not to be called from inside parallel_for.
void set_thread_count(int n);

/// Calls body(begin, end) for consecutive chunks of at most `grain` items of [begin, end); returns when all are done.
/// The chunk borders depend on `grain` alone. Of the exceptions thrown by bodies, that of the earliest
/// chunk is rethrown here once no body runs any more; whether later chunks have run is not said. Nested calls run serially.
void parallel_for(std::size_t begin, std::size_t end, std::size_t grain, const std::function<void(std::size_t, std::size_t)>& body);

}  // namespace apical
