#pragma once
// What one CUDA thread does for the sliding neuron: kBatch steps of one neuron, or kBatch of the weights' gradients. Shared by the kernels
// (sliding_cuda.cu) and by a test that runs the threads one after another on the host. Not for other rooms.
#include "apical/kernels/neurons/scan_cuda_thread.h"
#include "apical/kernels/neurons/sliding_tile.h"

namespace apical::kernels::cuda {

/// Values of one neuron: row r is from[r * step], below 0 before[r * step]; there is none below `lowest`.
struct Column {
  const float *from, *before;
  std::ptrdiff_t step, lowest;
  APICAL_FN float row(std::ptrdiff_t r) const { return (r >= 0 ? from : before)[r * step]; }
};

/// sum[j] = sum over k < count of weights[k * weight_step] * row(first + j - k), k ascending, over the rows that are there (`whole`: all
/// are). The window of kBatch rows moves down in registers: a row is loaded once for kBatch products.
template <bool whole>
APICAL_FN void slide_rows(const float* weights, std::ptrdiff_t weight_step, std::ptrdiff_t count, const Column& c, std::ptrdiff_t first,
                          float (&sum)[kBatch]) {
  float row[kBatch] = {}, next[kBatch] = {}, weight[kBatch] = {};
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j) {
    sum[j] = 0;
    if (whole || first + j >= c.lowest) row[j] = c.row(first + j);
  }
  for (; count > 0; count -= kBatch, first -= kBatch) {
    APICAL_UNROLL
    for (int k = 0; k < kBatch; ++k) {
      if (k < count) {
        weight[k] = *weights;
        weights += weight_step;
      }
      if (k + 1 < count && (whole || first - k - 1 >= c.lowest)) next[k] = c.row(first - k - 1);
    }
    APICAL_UNROLL
    for (int k = 0; k < kBatch; ++k) {
      if (k >= count) continue;
      APICAL_UNROLL
      for (int j = 0; j < kBatch; ++j)
        if (whole || first + j - k >= c.lowest) sum[j] = sum[j] + weight[k] * row[(j - k + kBatch) % kBatch];
      row[kBatch - 1 - k] = next[k];  // in the place of the highest, which is done
    }
  }
}
APICAL_FN void slide(const float* weights, std::ptrdiff_t weight_step, std::size_t terms, const Column& c, std::ptrdiff_t first,
                     float (&sum)[kBatch]) {
  const std::ptrdiff_t count = static_cast<std::ptrdiff_t>(terms);
  if (first - (count - 1) >= c.lowest)
    slide_rows<true>(weights, weight_step, count, c, first, sum);
  else
    slide_rows<false>(weights, weight_step, count, c, first, sum);
}

/// Steps are cut into batches, counted from the end: the first may begin before step 0.
APICAL_FN std::size_t batches(std::size_t T) { return (T + kBatch - 1) / kBatch; }
APICAL_FN std::ptrdiff_t batch_start(std::size_t T, std::size_t batch) {
  return static_cast<std::ptrdiff_t>(T) - static_cast<std::ptrdiff_t>((batches(T) - batch) * kBatch);
}

APICAL_FN Column inputs(const scan::Sliding& a, std::size_t n) {
  const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(a.N), behind = static_cast<std::ptrdiff_t>(a.m.K) - 1;
  return {a.x + n, a.past ? a.past + behind * step + n : nullptr, step, a.past ? -behind : 0};
}

/// A batch of forward of neuron n. With spikes, n runs to the end of the padded row (whole warps): those behind N write zeros.
APICAL_FN void sliding_forward_thread(const scan::Sliding& a, std::size_t n, std::size_t batch) {
  const bool real = n < a.N;
  const std::size_t row = words_per_row(a.N) * 2;
  const std::ptrdiff_t first = batch_start(a.T, batch);
  float h[kBatch];
  slide(a.m.weights, 1, a.m.K, inputs(a, real ? n : a.N - 1), first, h);
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j) {
    if (first + j < 0) continue;
    const std::size_t t = static_cast<std::size_t>(first + j), at = t * a.N + n;
    const bool s = h[j] >= a.m.v_th;
    if (a.spikes) store_bits(reinterpret_cast<std::uint32_t*>(a.spikes) + t * row + n / 32, static_cast<unsigned>(n % 32), s && real);
    if (a.spikes_f && real) a.spikes_f[at] = s ? 1.0f : 0.0f;
    if (a.h && real) a.h[at] = h[j];
  }
}

struct SlidingBackward : scan::Sliding {
  float surrogate_a;  ///< plain::surrogate_constant
  float* q;           ///< [T, N] grad_s * surrogate
};

/// A batch of q of neuron n < N.
APICAL_FN void sliding_q_thread(const SlidingBackward& b, std::size_t n, std::size_t batch) {
  const std::ptrdiff_t first = batch_start(b.T, batch), step = static_cast<std::ptrdiff_t>(b.N);
  const float* grad_s = b.grad_s + first * step + n;
  float* q = b.q + first * step + n;
  float h[kBatch], d[kBatch], g[kBatch] = {};
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j)
    if (first + j >= 0) g[j] = grad_s[j * step];
  slide(b.m.weights, 1, b.m.K, inputs(b, n), first, h);
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j) h[j] = h[j] - b.m.v_th;
  surrogates(b.surrogate, b.surrogate_a, h, d);
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j)
    if (first + j >= 0) q[j * step] = g[j] * d[j];
}

/// A batch of grad_x of neuron n < N: a window over q that looks ahead, in rows counted backwards from step 0.
APICAL_FN void sliding_grad_x_thread(const SlidingBackward& b, std::size_t n, std::size_t batch) {
  const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(b.N), lowest = 1 - static_cast<std::ptrdiff_t>(b.T);
  const std::ptrdiff_t first = batch_start(b.T, batch) + lowest;
  float g[kBatch];
  slide(b.m.weights, 1, b.m.K, {b.q + n, b.q + n, -step, lowest}, first, g);
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j)
    if (first + j >= lowest) b.grad_x[n - (first + j) * step] = g[j];
}

/// sums[j]: dL/d weights[kBatch * group + j] of neuron n < N; float within scan::kSegment steps, float64 over them, as the reference.
APICAL_FN void sliding_weights_thread(const SlidingBackward& b, std::size_t n, std::size_t group, double (&sums)[kBatch]) {
  const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(b.N), highest = static_cast<std::ptrdiff_t>((group + 1) * kBatch) - 1;
  const Column x = inputs(b, n);
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j) sums[j] = 0;
  for (std::size_t end = b.T; end > 0;) {
    const std::size_t last = end - 1, start = last - last % scan::kSegment;
    float part[kBatch];  // of the highest weight first: its rows are the lowest
    slide(b.q + last * b.N + n, -step, end - start, x, static_cast<std::ptrdiff_t>(last) - highest, part);
    APICAL_UNROLL
    for (int j = 0; j < kBatch; ++j) sums[j] += part[kBatch - 1 - j];
    end = start;
  }
}

/// Sum of q over the steps of neuron n < N, in the same way.
APICAL_FN double sliding_threshold_thread(const SlidingBackward& b, std::size_t n) {
  const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(b.N);
  std::size_t t = b.T;
  float part = 0;
  double sum = 0;
  walk(b.q + (b.T - 1) * b.N + n, -step, b.T, [&](float q) {
    part = part + q;
    if (--t % scan::kSegment != 0) return;
    sum += part;
    part = 0;
  });
  return sum;
}

}  // namespace apical::kernels::cuda
