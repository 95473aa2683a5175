#pragma once
// Between two_point.cpp's driver and its kernels. Not for other rooms.
#include "apical/kernels/neurons/two_point.h"

namespace apical::kernels::scan {

/// Cells of one task: long enough to hide the hand-over to a thread, and a multiple of every vector.
constexpr std::size_t kCells = std::size_t{1} << 14;

struct TwoPointForward {
  TwoPoint m;
  const float *r, *context;  // context: or null
  float* h;
  bool stream;  // h goes past the caches
};
struct TwoPointBackward {
  TwoPoint m;
  const float *r, *context, *grad_h;  // context: or null
  float *grad_r, *grad_context;       // grad_context: or null
  bool stream;
};

/// Cells [begin, end). Forward returns how many h are not 0.
std::size_t two_point_forward_reference(const TwoPointForward& f, std::size_t begin, std::size_t end) noexcept;
void two_point_backward_reference(const TwoPointBackward& b, std::size_t begin, std::size_t end) noexcept;

}  // namespace apical::kernels::scan
