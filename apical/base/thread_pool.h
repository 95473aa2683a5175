#pragma once
// The one thread pool. Work is cut by `grain` alone, never by the number of threads, so results do not depend on it.
#include <atomic>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

namespace apical {

/// A callable body(begin, end), referred to and not owned: unlike std::function it never allocates, so neither does a kernel.
class ChunkBody {
 public:
  template <class F, class = std::enable_if_t<!std::is_same_v<std::remove_cv_t<F>, ChunkBody>>>
  ChunkBody(F& body) noexcept
      : body_(const_cast<void*>(static_cast<const void*>(std::addressof(body)))),
        call_([](void* f, std::size_t begin, std::size_t end) { (*static_cast<F*>(f))(begin, end); }) {}
  void operator()(std::size_t begin, std::size_t end) const { call_(body_, begin, end); }

 private:
  void* body_;
  void (*call_)(void*, std::size_t, std::size_t);
};

/// Number of threads parallel_for uses (default: APICAL_THREADS, else the cores this process may use).
int thread_count() noexcept;
/// Sets it (>= 1). Not to be called from inside parallel_for.
void set_thread_count(int n);

/// Threads of another library for parallel_for to work on, null: a pool of its own. crew(n, member) calls member(i, i + 1), once for each i
/// below n, at the same time where it can, and returns when all have returned; a range of several i in one call is fine too. A process
/// whose other library has threads of its own (LibTorch's OpenMP team, which spins between two loops) must lend them, or the two
/// sets of threads fight for the same cores.
using Crew = void (*)(int n, ChunkBody member);
void set_crew(Crew crew);

/// Calls body(begin, end) for consecutive chunks of at most `grain` items of [begin, end); returns when all are done.
/// The chunk borders depend on `grain` alone. Of the exceptions thrown by bodies, that of the earliest
/// chunk is rethrown here once no body runs any more; whether later chunks have run is not said. Nested calls run serially, and so do
/// calls while another thread's call is under way.
/// Allocates nothing, but for the threads when they are first needed.
void parallel_for(std::size_t begin, std::size_t end, std::size_t grain, ChunkBody body);
template <class Body>
void parallel_for(std::size_t begin, std::size_t end, std::size_t grain, Body&& body) {
  parallel_for(begin, end, grain, ChunkBody(body));
}

/// Meets the members of a team: nobody leaves before all have come. Waits a little awake (a step of a simulation takes microseconds), then
/// asleep. Each member says on a cache line of its own that it has come: two threads meet in the time that a line takes from core to core.
class Meeting {
 public:
  explicit Meeting(int members);
  void meet(std::size_t member) noexcept;

 private:
  struct alignas(128) Line {  // processors fetch lines in pairs
    std::atomic<unsigned> round{0};
  };
  const int looks_;
  std::vector<Line> lines_;  // of each member
};

/// Calls body(member, members) for each member of a team, all at the same time, on threads of this pool (never on a lent crew's, which may
/// come one after the other), so that they may meet. The team has thread_count() members, or one when called from inside
/// parallel_for or while another call is under way: the work must not depend on how many there are. The body must not throw.
void parallel_team(ChunkBody body);
template <class Body>
void parallel_team(Body&& body) {
  parallel_team(ChunkBody(body));
}

}  // namespace apical
