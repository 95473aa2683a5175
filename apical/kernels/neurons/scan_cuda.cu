// Kernels: N across threads, T walked inside a thread with the state in a register; see scan_cuda_thread.h. To be compiled without
// contraction to fused multiply-add, with IEEE division and denormals (CMakeLists.txt gives the flags): the CPU's bits depend on it.
#include "apical/kernels/neurons/scan_cuda.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <string>

#include "apical/base/error.h"
#include "apical/kernels/neurons/scan_cuda_thread.h"

namespace apical::kernels::cuda {
namespace {

constexpr unsigned kSumThreads = 1024;

template <class F>
__global__ void __launch_bounds__(kBlock) forward_kernel(const scan::Forward f, std::size_t threads) {
  const std::size_t n = std::size_t{blockIdx.x} * kBlock + threadIdx.x;
  if (n < threads) forward_thread<F>(f, n);  // threads is a multiple of a warp where warps vote
}

/// Adds up one value a thread, in a fixed order; the sum is thread 0's.
template <unsigned threads>
__device__ double block_sum(double value) {
  __shared__ double sums[threads];
  sums[threadIdx.x] = value;
  for (unsigned half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  return sums[0];
}

// 80 registers a thread: as many blocks on a processor as their shared memory lets in at T = 64.
template <class F>
__global__ void __launch_bounds__(kBlock, 6) backward_kernel(const BackwardArgs b) {
  extern __shared__ float kept[];
  const std::size_t n = std::size_t{blockIdx.x} * kBlock + threadIdx.x;
  if (n < b.N) backward_thread<F, false>(b, n, kept + threadIdx.x);
}

// each: [N], added to, or partial: one sum a block.
template <class F>
__global__ void __launch_bounds__(kBlock) decay_backward_kernel(const BackwardArgs b, double* each, double* partial) {
  extern __shared__ float kept[];
  const std::size_t n = std::size_t{blockIdx.x} * kBlock + threadIdx.x;
  double decay = 0;
  if (n < b.N) decay = backward_thread<F, true>(b, n, kept + threadIdx.x);
  if (each) {
    if (n < b.N) each[n] += decay;
    return;
  }
  const double sum = block_sum<kBlock>(decay);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// *total += sum of partial: thread i takes i, i + kSumThreads, ..., eight loads at a time.
__global__ void __launch_bounds__(kSumThreads) sum_kernel(const double* partial, std::size_t count, double* total) {
  double lanes[8] = {};
  for (std::size_t first = threadIdx.x; first < count; first += std::size_t{8} * kSumThreads) {
    APICAL_UNROLL
    for (unsigned k = 0; k < 8; ++k)
      if (first + k * kSumThreads < count) lanes[k] += partial[first + k * kSumThreads];
  }
  double mine = 0;
  APICAL_UNROLL
  for (unsigned k = 0; k < 8; ++k) mine += lanes[k];
  const double sum = block_sum<kSumThreads>(mine);
  if (threadIdx.x == 0) *total += sum;
}

unsigned blocks(std::size_t threads) { return static_cast<unsigned>((threads + kBlock - 1) / kBlock); }

void check_launch(const char* what) {
  const cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess) throw internal_error(std::string("CUDA: ") + cudaGetErrorString(status), what);
}

}  // namespace

void lif_forward(const Lif& lif, const float* decay, std::size_t decay_n, const float* x, std::size_t T, std::size_t N, const float* v0,
                 float* v, std::uint64_t* spikes, float* spikes_f, float* h_saved, bool constant_x, CUstream_st* stream) {
  if (N == 0) return;
  const scan::Forward f{lif, decay, decay && decay_n > 1, x, T, N, v0, v, spikes, spikes_f, h_saved, constant_x ? 0 : N};
  const std::size_t threads = spikes ? words_per_row(N) * 64 : N;
  with_form(lif, [&](auto form) { forward_kernel<decltype(form)><<<blocks(threads), kBlock, 0, stream>>>(f, threads); });
  check_launch("lif_forward");
}

std::size_t lif_backward_scratch(std::size_t T, std::size_t N) noexcept {
  const std::size_t starts = T > kKept ? segments(T) - 1 : 0;
  return (N + kBlock - 1) / kBlock * sizeof(double) + starts * N * sizeof(float);
}

void lif_backward(const Lif& lif, const Surrogate& surrogate, const float* decay, std::size_t decay_n, const float* x, const float* v0,
                  const float* grad_s, const float* grad_v_last, std::size_t T, std::size_t N, float* grad_x, float* grad_v0,
                  double* grad_decay, bool constant_x, void* scratch, CUstream_st* stream) {
  if (N == 0) return;
  const bool each = decay && decay_n > 1;
  double* partial = static_cast<double*>(scratch);  // [blocks]
  const BackwardArgs b{{lif, surrogate, decay, each, x, v0, grad_s, grad_v_last, T, N, constant_x ? nullptr : grad_x, grad_v0,
                        constant_x ? 0 : N},
                       plain::surrogate_constant(surrogate),
                       reinterpret_cast<float*>(partial + blocks(N)),
                       constant_x ? grad_x : nullptr};
  const std::size_t shared = (std::min(T, kKept) + 1) * kBlock * sizeof(float);
  with_form(lif, [&](auto form) {
    using F = decltype(form);
    if (grad_decay)
      decay_backward_kernel<F><<<blocks(N), kBlock, shared, stream>>>(b, each ? grad_decay : nullptr, partial);
    else
      backward_kernel<F><<<blocks(N), kBlock, shared, stream>>>(b);
  });
  check_launch("lif_backward");
  if (!grad_decay || each) return;
  sum_kernel<<<1, kSumThreads, 0, stream>>>(partial, blocks(N), grad_decay);
  check_launch("lif_backward");
}

}  // namespace apical::kernels::cuda
