#include "apical/base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "apical/base/error.h"

namespace apical {
namespace {

int usable_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

int default_threads() {
  if (const char* s = std::getenv("APICAL_THREADS")) {
    char* end = nullptr;
    const long n = std::strtol(s, &end, 10);
    if (*s != '\0' && *end == '\0' && n >= 1 && n <= 1024) return static_cast<int>(n);
  }
  return usable_cores();
}

thread_local bool inside_pool = false;

// One job at a time: threads draw chunk numbers from a counter until none is left.
struct Job {
  std::size_t begin, end, grain, chunks;
  ChunkBody body;
  std::atomic<std::size_t> next{0};
  std::mutex error_mutex{};
  std::exception_ptr error{};
  std::size_t failed = std::numeric_limits<std::size_t>::max();

  void run() {
    for (std::size_t c; (c = next.fetch_add(1)) < chunks;) {
      try {
        const std::size_t b = begin + c * grain;
        body(b, std::min(end - b, grain) + b);
      } catch (...) {
        std::lock_guard lock(error_mutex);
        if (c < failed) {  // the error of the earliest chunk, whoever met it first
          failed = c;
          error = std::current_exception();
        }
      }
    }
  }
};

class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }
  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (auto& t : workers_) t.join();
  }

  // The job lives on the caller's stack: this returns when no worker holds it any more.
  void run(Job& job) {
    {
      std::lock_guard lock(mutex_);
      job_ = &job;
      ++generation_;
    }
    wake_.notify_all();
    inside_pool = true;
    job.run();
    inside_pool = false;
    std::unique_lock lock(mutex_);
    job_ = nullptr;  // who wakes only now finds nothing left to do
    finished_.wait(lock, [&] { return busy_ == 0; });
  }

 private:
  void work() {
    inside_pool = true;
    std::size_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) return;
      seen = generation_;
      Job* job = job_;
      if (!job) continue;
      ++busy_;
      lock.unlock();
      job->run();
      lock.lock();
      if (--busy_ == 0) finished_.notify_all();
    }
  }

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  Job* job_ = nullptr;
  std::size_t generation_ = 0, busy_ = 0;  // busy_: workers that hold the job
  bool stop_ = false;
};

std::mutex pool_mutex;  // one parallel_for at a time from outside the pool; the others run serially meanwhile
std::atomic<int> wanted{0};  // read without the mutex: a body may ask for thread_count()
std::unique_ptr<Pool> pool, team;  // team: only while a crew is lent
Crew lent = nullptr;

int wanted_threads() noexcept {
  int n = wanted.load();
  if (n == 0) {
    const int first = default_threads();
    n = wanted.compare_exchange_strong(n, first) ? first : wanted.load();
  }
  return n;
}

}  // namespace

int thread_count() noexcept { return wanted_threads(); }

void set_thread_count(int n) {
  if (n < 1 || n > 1024) throw usage_error("the number of threads must be 1 to 1024", "--threads " + std::to_string(n));
  if (inside_pool) throw internal_error("the number of threads cannot change inside parallel_for");
  std::lock_guard lock(pool_mutex);
  wanted = n;
  pool.reset(), team.reset();
}

void set_crew(Crew crew) {
  if (inside_pool) throw internal_error("the crew cannot change inside parallel_for");
  std::lock_guard lock(pool_mutex);
  lent = crew;
  pool.reset(), team.reset();
}

void parallel_for(std::size_t begin, std::size_t end, std::size_t grain, ChunkBody body) {
  if (begin >= end) return;
  grain = std::max<std::size_t>(grain, 1);
  const std::size_t chunks = (end - begin - 1) / grain + 1;
  auto serial = [&] {
    for (std::size_t c = 0; c < chunks; ++c) body(begin + c * grain, begin + c * grain + std::min(end - begin - c * grain, grain));
  };
  if (chunks == 1 || inside_pool || wanted_threads() == 1) return serial();
  const std::unique_lock lock(pool_mutex, std::try_to_lock);
  if (!lock) return serial();
  Job job{.begin = begin, .end = end, .grain = grain, .chunks = chunks, .body = body};
  if (lent) {
    auto member = [&](std::size_t, std::size_t) {
      inside_pool = true;
      job.run();
      inside_pool = false;
    };
    lent(static_cast<int>(std::min<std::size_t>(chunks, static_cast<std::size_t>(wanted_threads()))), member);
  } else {
    if (!pool) pool = std::make_unique<Pool>(wanted_threads());  // set_thread_count drops the pool
    pool->run(job);
  }
  if (job.error) std::rethrow_exception(job.error);
}

// Whoever waits awake for members that have no core to come on keeps them from coming.
Meeting::Meeting(int members) : looks_(members <= usable_cores() ? 4000 : 0), lines_(static_cast<std::size_t>(members)) {}

void Meeting::meet(std::size_t member) noexcept {
  std::atomic<unsigned>& mine = lines_[member].round;
  const unsigned round = mine.load(std::memory_order_relaxed) + 1;
  mine.store(round);  // before notify_all looks whether anybody sleeps: no weaker order
  mine.notify_all();
  for (Line& line : lines_)
    for (int looks = 0;; ++looks) {
      const unsigned seen = line.round.load(std::memory_order_acquire);
      if (static_cast<int>(seen - round) >= 0) break;  // perhaps one round ahead
      if (looks >= looks_) line.round.wait(seen, std::memory_order_acquire);
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
}

void parallel_team(ChunkBody body) {
  if (inside_pool || wanted_threads() == 1) return body(0, 1);
  const std::unique_lock lock(pool_mutex, std::try_to_lock);
  if (!lock) return body(0, 1);
  const auto members = static_cast<std::size_t>(wanted_threads());
  std::unique_ptr<Pool>& threads = lent ? team : pool;
  if (!threads) threads = std::make_unique<Pool>(wanted_threads());
  auto member = [&](std::size_t i, std::size_t) { body(i, members); };
  // One chunk a member: as long as a member waits for others, its thread draws no second one.
  Job job{.begin = 0, .end = members, .grain = 1, .chunks = members, .body = member};
  threads->run(job);
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace apical
