#pragma once
// Many samples: sessions that share one program, samples cut over the threads. Results do not depend on the number of threads.
#include <functional>

#include "apical/runtime/integer_session.h"

namespace apical::runtime {

struct BatchResult {
  std::size_t outputs = 0;
  std::vector<float> scores;            ///< [N, outputs]
  std::vector<std::int64_t> predicted;  ///< [N]
  graph::OpCounts counts;               ///< with Options::count
  std::vector<LayerCounts> layers;
};

/// Fills the frames [T, C, H, W] of sample i. Called from several threads.
using FillFrames = std::function<void(std::size_t sample, std::span<float> frames)>;
/// Called with the number of samples just done, from one thread at a time; may throw to stop.
using Advance = std::function<void(std::size_t samples)>;

/// Runs samples 0..n-1. Spikes are not recorded here.
BatchResult run_batch(const graph::Graph& graph, std::size_t n, const FillFrames& frames, const Options& options = {},
                      const Advance& advance = {});
/// The same in integers; nothing is counted.
BatchResult run_batch(const graph::IntegerNetwork& network, std::size_t n, const FillFrames& frames, const Advance& advance = {});

}  // namespace apical::runtime
