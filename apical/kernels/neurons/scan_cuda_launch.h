#pragma once
// What the .cu files of the scans share: the shape of a launch, and sums over neurons in a fixed order. Not for other rooms.
#include <cuda_runtime.h>

#include <cstddef>
#include <string>

#include "apical/base/error.h"
#include "apical/kernels/neurons/scan_cuda_thread.h"

namespace apical::kernels::cuda {

/// For so many neurons, `each` a thread.
inline std::size_t blocks(std::size_t neurons, std::size_t each = 1) { return (neurons + each * kBlock - 1) / (each * kBlock); }

inline void check_launch(const char* what) {
  const cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess) throw internal_error(std::string("CUDA: ") + cudaGetErrorString(status), what);
}

/// Adds up one value a thread, in a fixed order; the sum is thread 0's, the others get 0. All threads of the block call it.
template <unsigned threads, class T>
__device__ T block_sum(T value) {
  __shared__ T sums[threads];
  __syncthreads();  // a sum before this one may still be read
  sums[threadIdx.x] = value;
  for (unsigned half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  return threadIdx.x == 0 ? sums[0] : T();  // nothing orders thread 0's last write before another's read
}

constexpr unsigned kSumThreads = 1024;

/// totals[b] += sum of the `count` values from partial + b * count; thread i takes i, i + kSumThreads, ..., eight loads at a time.
static __global__ void __launch_bounds__(kSumThreads) sum_kernel(const double* partial, std::size_t count, double* totals) {
  partial += blockIdx.x * count;
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
  if (threadIdx.x == 0) totals[blockIdx.x] += sum;
}

/// The same on a stream, for `sums` totals.
inline void add_sums(const double* partial, std::size_t count, double* totals, std::size_t sums, cudaStream_t stream, const char* what) {
  sum_kernel<<<static_cast<unsigned>(sums), kSumThreads, 0, stream>>>(partial, count, totals);
  check_launch(what);
}

}  // namespace apical::kernels::cuda
