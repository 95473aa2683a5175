// Kernels: neurons and batches of steps across threads; see sliding_cuda_thread.h. Flags as for scan_cuda.cu.
#include "apical/kernels/neurons/sliding_cuda.h"

#include <algorithm>

#include "apical/kernels/neurons/scan_cuda_launch.h"
#include "apical/kernels/neurons/sliding_cuda_thread.h"

namespace apical::kernels::cuda {
namespace {

// Rows of blocks, one row a batch, in one dimension: the others are too short for many steps.
struct Place {
  std::size_t n, row;
};
__device__ Place place(unsigned row_blocks) {
  return {std::size_t{blockIdx.x % row_blocks} * kBlock + threadIdx.x, blockIdx.x / row_blocks};
}

__global__ void __launch_bounds__(kBlock) sliding_forward_kernel(const scan::Sliding a, std::size_t threads, unsigned row_blocks) {
  const Place p = place(row_blocks);
  if (p.n < threads) sliding_forward_thread(a, p.n, p.row);  // threads is a multiple of a warp where warps vote
}

__global__ void __launch_bounds__(kBlock) sliding_q_kernel(const SlidingBackward b, unsigned row_blocks) {
  const Place p = place(row_blocks);
  if (p.n < b.N) sliding_q_thread(b, p.n, p.row);
}

__global__ void __launch_bounds__(kBlock) sliding_grad_x_kernel(const SlidingBackward b, unsigned row_blocks) {
  const Place p = place(row_blocks);
  if (p.n < b.N) sliding_grad_x_thread(b, p.n, p.row);
}

// partial: [K, row_blocks] sums of a block.
__global__ void __launch_bounds__(kBlock) sliding_weights_kernel(const SlidingBackward b, double* partial, unsigned row_blocks) {
  const Place p = place(row_blocks);
  double sums[kBatch] = {};
  if (p.n < b.N) sliding_weights_thread(b, p.n, p.row, sums);
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j) {
    const std::size_t k = p.row * kBatch + j;
    if (k >= b.m.K) continue;
    const double sum = block_sum<kBlock>(sums[j]);
    if (threadIdx.x == 0) partial[k * row_blocks + blockIdx.x % row_blocks] = sum;
  }
}

// partial: [blocks] sums of a block, with the sign of the gradient.
__global__ void __launch_bounds__(kBlock) sliding_threshold_kernel(const SlidingBackward b, double* partial) {
  const std::size_t n = std::size_t{blockIdx.x} * kBlock + threadIdx.x;
  const double sum = block_sum<kBlock>(n < b.N ? sliding_threshold_thread(b, n) : 0.0);
  if (threadIdx.x == 0) partial[blockIdx.x] = -sum;
}

// The last K - 1 of [past, x]: what of them lies in x, and what before it.
void hand_on(const scan::Sliding& a, float* past_out, cudaStream_t stream) {
  const std::size_t rows = a.m.K - 1, fresh = std::min(rows, a.T), old = rows - fresh, bytes = a.N * sizeof(float);
  if (old > 0) {
    if (a.past)
      cudaMemcpyAsync(past_out, a.past + fresh * a.N, old * bytes, cudaMemcpyDeviceToDevice, stream);
    else
      cudaMemsetAsync(past_out, 0, old * bytes, stream);
  }
  if (fresh > 0) cudaMemcpyAsync(past_out + old * a.N, a.x + (a.T - fresh) * a.N, fresh * bytes, cudaMemcpyDeviceToDevice, stream);
}

}  // namespace

void sliding_forward(const SlidingPsn& m, const float* x, std::size_t T, std::size_t N, const float* past, float* past_out, std::uint64_t* spikes,
                     float* spikes_f, float* h, CUstream_st* stream) {
  if (N == 0) return;
  const scan::Sliding a{m, {}, x, T, N, past, spikes, spikes_f, h, nullptr, nullptr};
  const std::size_t threads = spikes ? words_per_row(N) * 64 : N;
  const unsigned row_blocks = static_cast<unsigned>(blocks(threads));
  if (T > 0 && (spikes || spikes_f || h))
    sliding_forward_kernel<<<static_cast<unsigned>(batches(T)) * row_blocks, kBlock, 0, stream>>>(a, threads, row_blocks);
  if (past_out) hand_on(a, past_out, stream);
  check_launch("sliding_forward");
}

std::size_t sliding_backward_scratch(std::size_t K, std::size_t T, std::size_t N) noexcept {
  return (K + 1) * blocks(N) * sizeof(double) + T * N * sizeof(float);
}

void sliding_backward(const SlidingPsn& m, const Surrogate& surrogate, const float* x, std::size_t T, std::size_t N, const float* past,
                      const float* grad_s, float* grad_x, double* grad_weights, double* grad_v_th, void* scratch, CUstream_st* stream) {
  if (N == 0 || T == 0) return;
  const unsigned row_blocks = static_cast<unsigned>(blocks(N)), rows = static_cast<unsigned>(batches(T));
  double *weights = static_cast<double*>(scratch), *threshold = weights + m.K * row_blocks;  // [K, row_blocks] and [row_blocks]
  const SlidingBackward b{{m, surrogate, x, T, N, past, nullptr, nullptr, nullptr, grad_s, grad_x},
                          plain::surrogate_constant(surrogate),
                          reinterpret_cast<float*>(threshold + row_blocks)};
  sliding_q_kernel<<<rows * row_blocks, kBlock, 0, stream>>>(b, row_blocks);
  if (grad_x) sliding_grad_x_kernel<<<rows * row_blocks, kBlock, 0, stream>>>(b, row_blocks);
  if (grad_weights) {
    const unsigned groups = static_cast<unsigned>(batches(m.K));
    sliding_weights_kernel<<<groups * row_blocks, kBlock, 0, stream>>>(b, weights, row_blocks);
    add_sums(weights, row_blocks, grad_weights, m.K, stream, "sliding_backward");
  }
  if (grad_v_th) {
    sliding_threshold_kernel<<<row_blocks, kBlock, 0, stream>>>(b, threshold);
    add_sums(threshold, row_blocks, grad_v_th, 1, stream, "sliding_backward");
  }
  check_launch("sliding_backward");
}

}  // namespace apical::kernels::cuda
