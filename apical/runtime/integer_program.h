#pragma once
// Private to the runtime: an integer network laid out for running. Weight layers all run event by event.
#include <cstdint>
#include <string>
#include <vector>

#include "apical/kernels/event_int8.h"
#include "apical/runtime/integer_session.h"
#include "apical/runtime/layout.h"

namespace apical::runtime {

/// What a slot's output is made as. `sums`: a list in which an element stands as often as its value says (average pool of spikes).
enum class Form : std::uint8_t { values, spikes, sums };

struct IntegerSlot : NodeSlot {
  Form form{};
  bool by_rows = false;                           // of a weight layer: only neurons read it, who ask for it row by row
  bool narrow = false;                            // and as int16
  std::size_t shares = 1;                         // of its rows that may be worked on at the same time
  bool wants_values = false, wants_list = false;  // some reader needs this form of the output
  kernels::Conv2d conv;
  Lines<std::uint8_t> weight;  // as kernels::prepare_int8 lays them out
  std::vector<std::int32_t> bias;
  std::vector<std::int16_t> narrow_bias, leak;
  kernels::IntegerLif lif;
  std::vector<int> shifts;
  double unit = 1;
  std::size_t list_size = 0;
  std::size_t row() const noexcept { return static_cast<std::size_t>(width * channels); }
  // Offsets of its buffers: int32[n], uint64[words_per_row(n)], uint32[list_size], int16[n] (factors of listed values), uint32[pixels + 1] of
  // its input, and its state: int16[n] of a neuron, int64[n] of a readout. By rows: int32 or int16 of `shares` rows.
  std::size_t values_at = MemoryPlan::none, bits_at = MemoryPlan::none, list_at = MemoryPlan::none, factors_at = MemoryPlan::none,
              starts_at = MemoryPlan::none, kept_at = MemoryPlan::none;
};

class IntegerProgram : public ProgramOf<IntegerSlot> {
 public:
  IntegerProgram(const graph::IntegerNetwork& network, const Options& options);

  float input_scale = 1;  // 1 / unit of the input

  std::size_t frame_at = 0, ordered_at = 0, listed_at = 0, output_at = 0;  // float[frame_size] three times, float[n of the last slot]
  std::size_t reordered_at = 0;                                            // int32[largest n]

 private:
  void plan_memory();
};

}  // namespace apical::runtime
