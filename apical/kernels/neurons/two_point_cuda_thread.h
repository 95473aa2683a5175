#pragma once
// What one CUDA thread does for two-point cells: kBatch of them, kBlock apart, so that a block reads whole lines and each thread has many
// loads under way. Shared by the kernels (two_point_cuda.cu) and by a test that runs the threads one after another on the host. Not for
// other rooms.
#include "apical/kernels/neurons/scan_cuda_thread.h"
#include "apical/kernels/neurons/two_point_rows.h"
#include "apical/kernels/neurons/two_point_scalar.h"

namespace apical::kernels::cuda {

/// Blocks for n cells, and the first cell of thread `lane` of a block.
APICAL_FN std::size_t cell_blocks(std::size_t n) { return (n + kBlock * kBatch - 1) / (kBlock * kBatch); }
APICAL_FN std::size_t first_cell(std::size_t block, unsigned lane) { return block * (kBlock * kBatch) + lane; }

/// Cells first, first + kBlock, ... of n, or 0 behind them and where there are none.
APICAL_FN void load_cells(const float* from, std::size_t first, std::size_t n, float (&to)[kBatch]) {
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j) to[j] = from && first + j * kBlock < n ? from[first + j * kBlock] : 0.0f;
}

/// Returns how many of the thread's h are not 0.
template <Mtf K, TwoPointOutput Y>
APICAL_FN unsigned two_point_forward_thread(const scan::TwoPointForward& f, std::size_t n, std::size_t first) {
  const auto cell = plain::two_point_cell<float, K, Y>(f.m);
  float r[kBatch], context[kBatch];
  load_cells(f.r, first, n, r);
  load_cells(f.context, first, n, context);  // a context of 0 is none
  unsigned active = 0;
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j) {
    if (first + j * kBlock >= n) continue;
    const auto one = cell.forward(r[j], context[j]);
    f.h[first + j * kBlock] = one.h;
    active += !one.silent;
  }
  return active;
}

template <Mtf K, TwoPointOutput Y>
APICAL_FN void two_point_backward_thread(const scan::TwoPointBackward& b, std::size_t n, std::size_t first) {
  const auto cell = plain::two_point_cell<float, K, Y>(b.m);
  float r[kBatch], context[kBatch], grad_h[kBatch];
  load_cells(b.r, first, n, r);
  load_cells(b.context, first, n, context);
  load_cells(b.grad_h, first, n, grad_h);
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j) {
    if (first + j * kBlock >= n) continue;
    const auto g = cell.backward(r[j], context[j], grad_h[j]);
    b.grad_r[first + j * kBlock] = g.r;
    if (b.grad_context) b.grad_context[first + j * kBlock] = g.context;
  }
}

APICAL_FN void tanh_forward_thread(const float* x, std::size_t n, float* y, std::size_t first) {
  float a[kBatch];
  load_cells(x, first, n, a);
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j)
    if (first + j * kBlock < n) y[first + j * kBlock] = plain::tanh(a[j]);
}

APICAL_FN void tanh_backward_thread(const float* y, const float* grad_y, std::size_t n, float* grad_x, std::size_t first) {
  float a[kBatch], g[kBatch];
  load_cells(y, first, n, a);
  load_cells(grad_y, first, n, g);
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j)
    if (first + j * kBlock < n) grad_x[first + j * kBlock] = g[j] * plain::tanh_slope(a[j]);
}

}  // namespace apical::kernels::cuda
