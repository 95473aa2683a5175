#pragma once
// Between sliding.cpp's driver and its kernels. Not for other rooms.
#include "apical/kernels/neurons/scan_tile.h"
#include "apical/kernels/neurons/sliding.h"

namespace apical::kernels::scan {

struct Sliding {
  SlidingPsn m;
  Surrogate surrogate;
  const float* x;
  std::size_t T, N;
  const float* past;
  std::uint64_t* spikes;
  float *spikes_f, *h;
  const float* grad_s;
  float* grad_x;

  /// Input of step t - k, or null where nothing was yet.
  const float* input(std::size_t t, std::size_t k) const noexcept {
    if (t >= k) return x + (t - k) * N;
    return past ? past + (m.K - 1 + t - k) * N : nullptr;
  }
  /// Floats of scratch a tile of backward needs: the window of q, and the sums for each weight and the threshold.
  std::size_t scratch() const noexcept { return (2 * m.K + 1) * kStride; }
};

/// Neurons [begin, end) of one tile; begin is a multiple of kTile. totals: [K + 1] sums over the tile, added to, the last that of q; or null.
void sliding_forward_reference(const Sliding& a, std::size_t begin, std::size_t end) noexcept;
void sliding_backward_reference(const Sliding& a, std::size_t begin, std::size_t end, double* totals) noexcept;

}  // namespace apical::kernels::scan
