#include "apical/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "apical/base/error.h"

namespace apical {
namespace {

// Threads of somebody else, the last two members in one call.
void another_crew(int n, ChunkBody member) {
  std::vector<std::thread> threads;
  const auto last = static_cast<std::size_t>(n);
  for (std::size_t i = 0; i < last; ++i) {
    const std::size_t end = i + 2 == last ? last : i + 1;
    threads.emplace_back([=] { member(i, end); });
    i = end - 1;
  }
  for (auto& t : threads) t.join();
}

// Every test runs with 1, 2 and 7 threads, of the pool and of a crew.
class ThreadPool : public testing::TestWithParam<std::tuple<int, Crew>> {
 protected:
  int threads() const { return std::get<0>(GetParam()); }
  void SetUp() override {
    set_thread_count(threads());
    set_crew(std::get<1>(GetParam()));
  }
  void TearDown() override {
    set_thread_count(2);
    set_crew(nullptr);
  }
};

TEST_P(ThreadPool, ChunksDependOnTheGrainAlone) {
  std::mutex mutex;
  std::map<std::size_t, std::size_t> chunks;
  parallel_for(3, 45, 10, [&](std::size_t b, std::size_t e) {
    std::lock_guard lock(mutex);
    chunks[b] = e;
  });
  EXPECT_EQ(chunks, (std::map<std::size_t, std::size_t>{{3, 13}, {13, 23}, {23, 33}, {33, 43}, {43, 45}}));
}

TEST_P(ThreadPool, VisitsEachItemOnceAgainAndAgain) {
  for (int round = 0; round < 300; ++round) {
    std::vector<int> visits(257);
    parallel_for(0, visits.size(), 1 + static_cast<std::size_t>(round) % 40, [&](std::size_t b, std::size_t e) {
      for (std::size_t i = b; i < e; ++i) ++visits[i];
    });
    ASSERT_EQ(std::count(visits.begin(), visits.end(), 1), 257) << round;
  }
}

TEST_P(ThreadPool, EmptyAndZeroGrain) {
  int calls = 0;
  parallel_for(5, 5, 4, [&](std::size_t, std::size_t) { ++calls; });
  parallel_for(6, 5, 4, [&](std::size_t, std::size_t) { ++calls; });
  EXPECT_EQ(calls, 0);
  std::atomic<std::size_t> items{0};
  parallel_for(0, 9, 0, [&](std::size_t b, std::size_t e) { items += e - b; });
  EXPECT_EQ(items, 9u);
}

TEST_P(ThreadPool, RangesUpToTheLastNumberDoNotOverflow) {
  constexpr std::size_t last = std::numeric_limits<std::size_t>::max();
  std::atomic<std::size_t> items{0};
  parallel_for(last - 25, last, 10, [&](std::size_t b, std::size_t e) { items += e - b; });
  EXPECT_EQ(items, 25u);
}

TEST_P(ThreadPool, RethrowsTheExceptionOfTheEarliestChunkAndStaysUsable) {
  for (int round = 0; round < 50; ++round) {
    std::string message;
    try {
      parallel_for(0, 64, 1, [](std::size_t b, std::size_t) {
        if (b % 9 == 4) throw std::runtime_error("chunk " + std::to_string(b));
      });
    } catch (const std::runtime_error& error) {
      message = error.what();
    }
    ASSERT_EQ(message, "chunk 4");
  }
  std::atomic<int> sum{0};
  parallel_for(0, 10, 1, [&](std::size_t b, std::size_t) { sum += static_cast<int>(b); });
  EXPECT_EQ(sum, 45);
}

TEST_P(ThreadPool, NestedCallsAndThreadCountInsideABodyDoNotHang) {
  std::atomic<int> items{0};
  std::atomic<bool> same{true};
  parallel_for(0, 8, 1, [&](std::size_t, std::size_t) {
    if (thread_count() != threads()) same = false;
    parallel_for(0, 8, 2, [&](std::size_t b, std::size_t e) { items += static_cast<int>(e - b); });
  });
  EXPECT_EQ(items, 64);
  EXPECT_TRUE(same);
}

TEST_P(ThreadPool, CallersFromSeveralThreadsWaitForEachOther) {
  std::vector<std::thread> callers;
  std::atomic<int> items{0};
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round)
        parallel_for(0, 20, 3, [&](std::size_t b, std::size_t e) { items += static_cast<int>(e - b); });
    });
  for (auto& t : callers) t.join();
  EXPECT_EQ(items, 4 * 50 * 20);
}

TEST_P(ThreadPool, BodiesRunOnTheCrew) {
  std::mutex mutex;
  std::set<std::thread::id> ids;
  parallel_for(0, 64, 1, [&](std::size_t, std::size_t) {
    std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_LE(ids.size(), static_cast<std::size_t>(threads()));
  const bool lent = std::get<1>(GetParam()) && threads() > 1;
  EXPECT_TRUE(!lent || !ids.count(std::this_thread::get_id())) << "this crew leaves the caller out";
}

TEST_P(ThreadPool, MembersOfATeamMeet) {
  std::atomic<int> arrived{0};
  std::atomic<bool> early{false};
  Meeting meeting(threads());
  parallel_team([&](std::size_t member, std::size_t members) {
    EXPECT_EQ(members, static_cast<std::size_t>(threads()));
    EXPECT_LT(member, members);
    for (int round = 1; round <= 200; ++round) {
      ++arrived;
      meeting.meet(member);
      if (arrived < round * threads()) early = true;
      meeting.meet(member);
    }
  });
  EXPECT_EQ(arrived, 200 * threads());
  EXPECT_FALSE(early);
}

TEST_P(ThreadPool, ATeamInsideAnotherCallIsOneMember) {
  std::atomic<int> alone{0};
  parallel_for(0, 8, 1, [&](std::size_t, std::size_t) {
    parallel_team([&](std::size_t member, std::size_t members) { alone += member == 0 && members == 1; });
  });
  EXPECT_EQ(alone, 8);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPool, testing::Combine(testing::Values(1, 2, 7), testing::Values(Crew(nullptr), Crew(another_crew))));

TEST(ThreadCount, RefusesNumbersOutOfRangeAndChangesInsideABody) {
  set_thread_count(3);
  EXPECT_THROW(set_thread_count(0), Error);
  EXPECT_THROW(set_thread_count(1025), Error);
  EXPECT_THROW(parallel_for(0, 2, 1, [](std::size_t, std::size_t) { set_thread_count(5); }), Error);
  EXPECT_EQ(thread_count(), 3);
}

}  // namespace
}  // namespace apical
