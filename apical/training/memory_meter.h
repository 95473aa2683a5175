#pragma once
// Counts the bytes of live torch tensors on the CPU by wrapping torch's allocator: what a learning rule keeps for backward.
#include <cstdint>

namespace apical::training {

class MemoryMeter {
 public:
  static void install();                     ///< once, before the tensors to be counted are made
  static std::int64_t live_bytes() noexcept;
  static std::int64_t peak_bytes() noexcept; ///< highest live_bytes() since reset_peak()
  static void reset_peak() noexcept;
};

}  // namespace apical::training
