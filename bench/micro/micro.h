#pragma once
// The micro benchmarks: each kernel by itself, and what share of the machine's limit it reaches.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "apical/base/philox.h"

namespace apical::bench {

/// What one call must do at least, whoever wrote the kernel. The limit is the longer of two times: to move the bytes, at the rates measured
/// in this run with buffers of the same footprint and the same number of threads, and to do the operations, at the rate of a matrix product.
struct Work {
  double items;          ///< what items/s counts: neuron-steps, synaptic operations, events, values
  double read, written;  ///< bytes
  double operations;     ///< of float32: additions, comparisons, ...; a multiply-add is one. Of int16: half of one
  double footprint = 0;  ///< bytes that are moved again and again; 0: all that are read and written
};

struct Case {
  Work work;
  std::function<void()> run;
};

enum class Threads { one, all };  ///< does the kernel share its work out

/// Registers a benchmark; `make` is called when its turn has come, and the data live as long as it runs.
void add(const std::string& name, Threads threads, std::function<Case()> make);

void add_neurons();
void add_events();
void add_readers();
void add_circuits();

/// Normal values; the first 2^20 again and again.
inline std::vector<float> noise(std::size_t n, std::uint64_t stream) {
  Random random(1, stream);
  std::vector<float> x(n);
  constexpr std::size_t own = std::size_t{1} << 20;
  for (std::size_t i = 0; i < n; ++i) x[i] = i < own ? random.normal() : x[i - own];
  return x;
}

}  // namespace apical::bench
