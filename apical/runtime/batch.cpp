#include "apical/runtime/batch.h"

#include <mutex>

#include "apical/base/thread_pool.h"
#include "apical/runtime/integer_program.h"
#include "apical/runtime/program.h"

namespace apical::runtime {
namespace {

constexpr std::size_t samples_a_chunk = 8;

// Sessions not in use: a chunk takes one and brings it back. Counts are whole numbers, so it does not matter which.
template <class Session, class Program>
class Sessions {
 public:
  explicit Sessions(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  Session take() {
    {
      std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        Session s = std::move(free_.back());
        free_.pop_back();
        return s;
      }
    }
    return Session(program_);
  }
  void give(Session session) {
    std::lock_guard lock(mutex_);
    free_.push_back(std::move(session));
  }
  std::vector<Session>& all() { return free_; }

 private:
  std::shared_ptr<const Program> program_;
  std::mutex mutex_;
  std::vector<Session> free_;
};

template <class Session, class Program>
BatchResult run(Sessions<Session, Program>& sessions, const Program& program, std::size_t n, const FillFrames& frames, const Advance& advance) {
  const std::size_t outputs = program.slots.back().n, values = program.frame_size * static_cast<std::size_t>(program.T);
  BatchResult result;
  result.outputs = outputs, result.scores.resize(n * outputs), result.predicted.resize(n);
  std::mutex progress;
  parallel_for(0, n, samples_a_chunk, [&](std::size_t begin, std::size_t end) {
    Session session = sessions.take();
    std::vector<float> input(values);
    for (std::size_t i = begin; i < end; ++i) {
      frames(i, input);
      const Result r = session.run(input);
      std::copy(r.scores.begin(), r.scores.end(), result.scores.begin() + static_cast<std::ptrdiff_t>(i * outputs));
      result.predicted[i] = r.predicted;
    }
    sessions.give(std::move(session));
    if (advance) {
      std::lock_guard lock(progress);
      advance(end - begin);
    }
  });
  return result;
}

}  // namespace

BatchResult run_batch(const graph::Graph& graph, std::size_t n, const FillFrames& frames, const Options& options, const Advance& advance) {
  Options quiet = options;
  quiet.record_spikes = false;
  const auto program = prepare(graph, quiet);
  Sessions<Session, Program> sessions(program);
  BatchResult result = run(sessions, *program, n, frames, advance);
  if (sessions.all().empty()) sessions.give(Session(program));
  for (const Session& s : sessions.all()) {
    result.counts += s.counts();
    const auto layers = s.layer_counts();
    if (result.layers.empty())
      result.layers = layers;
    else
      for (std::size_t k = 0; k < layers.size(); ++k) result.layers[k].counts += layers[k].counts;
  }
  return result;
}

BatchResult run_batch(const graph::IntegerNetwork& network, std::size_t n, const FillFrames& frames, const Advance& advance) {
  const auto program = prepare(network);
  Sessions<IntegerSession, IntegerProgram> sessions(program);
  return run(sessions, *program, n, frames, advance);
}

}  // namespace apical::runtime
