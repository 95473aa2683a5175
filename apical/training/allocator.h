#pragma once
// Torch's CPU memory, counted and reused. A training step asks for the same large blocks again and again, and fresh ones cost a
// page fault every 4 KiB (as much system time as arithmetic); so freed large blocks are kept and handed out again.
#include <cstdint>

namespace apical::training {

class MemoryMeter {
 public:
  /// Once, before the first tensor. `reuse` keeps freed blocks of 256 KiB and more, up to 2 GiB in all.
  static void install(bool reuse = true);
  static std::int64_t live_bytes() noexcept;  ///< of live tensors (blocks kept for reuse do not count)
  static std::int64_t peak_bytes() noexcept;  ///< highest live_bytes() since reset_peak()
  static void reset_peak() noexcept;
};

}  // namespace apical::training
