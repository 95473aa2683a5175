// No allocation after load: every allocation of the program is counted, on all threads, while sessions step.
#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "apical/base/thread_pool.h"
#include "apical/exchange/model.h"
#include "apical/runtime/c_api.h"
#include "apical/runtime/integer_session.h"
#include "apical/runtime/testing_neurons.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<std::size_t> allocations{0};
void note() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// The sanitizer's own allocator tells of each allocation.
extern "C" void __sanitizer_malloc_hook(const volatile void*, std::size_t) { note(); }
#else
// In front of the C library's; operator new ends here too.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* malloc(std::size_t n) { return note(), __libc_malloc(n); }
void* calloc(std::size_t n, std::size_t size) { return note(), __libc_calloc(n, size); }
void* realloc(void* p, std::size_t n) { return note(), __libc_realloc(p, n); }
void* memalign(std::size_t alignment, std::size_t n) { return note(), __libc_memalign(alignment, n); }
void* aligned_alloc(std::size_t alignment, std::size_t n) { return note(), __libc_memalign(alignment, n); }
int posix_memalign(void** p, std::size_t alignment, std::size_t n) {
  note();
  *p = __libc_memalign(alignment, n);
  return *p ? 0 : 12;
}
}
#endif

namespace apical::runtime {
namespace {

using namespace apical::graph;

// Layers wide enough that every kernel shares its work over the threads.
Graph wide_net() {
  Graph g;
  g.name = "wide", g.input_shape = {2, 200, 200}, g.T = 3;
  g.tensors["c.w"] = apical::testing::random_tensor({4, 2, 1, 1}, "c", 0.8f);
  g.tensors["d.w"] = apical::testing::random_tensor({4, 1, 3, 3}, "d", 0.5f);
  g.nodes = {{"in", Input{}, {}, {}},           {"c", Conv2d{"c.w", "", 1, 1, 0, 0, 1}, {"in"}, {}}, {"n", Neuron{}, {"c"}, {}},
             {"p", MaxPool2d{2, 2}, {"n"}, {}}, {"d", Conv2d{"d.w", "", 1, 1, 1, 1, 4}, {"p"}, {}},  {"a", AvgPool2d{2, 2}, {"d"}, {}},
             {"out", Readout{}, {"a"}, {}}};
  validate(g);
  return g;
}

template <class Session>
std::size_t allocations_of(Session session, const Graph& g, const std::vector<float>& frames) {
  const auto n = static_cast<std::size_t>(elements(g.input_shape));
  allocations = 0, counting = true;
  for (int round = 0; round < 2; ++round, session.reset())
    for (std::size_t at = 0; at < frames.size(); at += n) session.step(std::span(frames).subspan(at, n));
  counting = false;
  return allocations;
}

std::size_t allocations_of(const Graph& g, const Options& options, bool constant) {
  return allocations_of(Session(g, options), g, apical::testing::random_frames(g, 3, constant));
}

std::size_t integer_allocations_of(const Graph& g, const Options& options, bool constant) {
  const auto frames = apical::testing::random_frames(g, 3, constant);
  return allocations_of(IntegerSession(integer_network(apical::testing::quantised(g, frames)), options), g, frames);
}

// The same through the C interface.
struct CSession {
  explicit CSession(const Graph& g) {
    const auto path = std::filesystem::path(::testing::TempDir()) / ("apical-allocation-" + std::to_string(::getpid()) + ".safetensors");
    exchange::save_model(path, g);
    apical_model* model = nullptr;
    EXPECT_EQ(apical_model_load(path.c_str(), &model), APICAL_OK);
    EXPECT_EQ(apical_session_new(model, &session), APICAL_OK);
    scores.resize(apical_model_outputs(model));
    apical_model_free(model);
    std::filesystem::remove(path);
  }
  ~CSession() { apical_session_free(session); }
  CSession(CSession&& o) noexcept : session(std::exchange(o.session, nullptr)), scores(std::move(o.scores)) {}
  void step(std::span<const float> frame) {
    EXPECT_EQ(apical_session_step(session, frame.data(), frame.size()), APICAL_OK);
    EXPECT_EQ(apical_session_scores(session, scores.data(), scores.size()), APICAL_OK);
  }
  void reset() { EXPECT_EQ(apical_session_reset(session), APICAL_OK); }
  apical_session* session = nullptr;
  std::vector<float> scores;
};

TEST(Allocation, StepsAllocateNothing) {
  for (const int threads : {1, 2, 7}) {
    set_thread_count(threads);
    std::atomic<std::size_t> items{0};
    parallel_for(0, 100, 1, [&](std::size_t b, std::size_t e) { items += e - b; });  // the threads exist from here on
    for (const Graph& g : {apical::testing::small_net(), apical::testing::large_net(), wide_net(), apical::testing::two_stream_net({}, 2), apical::testing::wide_neurons_net(),
                           apical::testing::sliding_net(4)})
      for (const Options& options :
           {Options{}, Options{.plan = Plan::dense, .count = true}, Options{.plan = Plan::event, .record_spikes = true}})
        for (const bool constant : {false, true})
          EXPECT_EQ(allocations_of(g, options, constant), 0u) << g.name << ", " << threads << " threads";
    for (const Graph& g : {apical::testing::small_net(), apical::testing::large_net(), wide_net()})
      for (const bool record : {false, true})
        for (const bool constant : {false, true}) EXPECT_EQ(integer_allocations_of(g, {.record_spikes = record}, constant), 0u) << g.name;
  }
  for (const Graph& g : {apical::testing::small_net(), wide_net()}) {
    const auto frames = apical::testing::random_frames(g, 3, false);
    EXPECT_EQ(allocations_of(CSession(g), g, frames), 0u) << g.name;
    EXPECT_EQ(allocations_of(CSession(apical::testing::quantised(g, frames)), g, frames), 0u) << g.name;
  }
  set_thread_count(1);
  allocations = 0, counting = true;
  const Session session(apical::testing::small_net());
  counting = false;
  EXPECT_GT(allocations, 0u) << "the counter counts";
}

}  // namespace
}  // namespace apical::runtime
