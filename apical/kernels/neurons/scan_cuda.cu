// Kernels: N across threads, T walked inside a thread with the state in a register; see scan_cuda_thread.h. To be compiled without
// contraction to fused multiply-add, with IEEE division and denormals (CMakeLists.txt gives the flags): the CPU's bits depend on it.
#include "apical/kernels/neurons/scan_cuda.h"

#include <algorithm>

#include "apical/kernels/neurons/scan_cuda_launch.h"

namespace apical::kernels::cuda {
namespace {

template <class F>
__global__ void __launch_bounds__(kBlock) forward_kernel(const scan::Forward f, std::size_t threads) {
  const std::size_t n = std::size_t{blockIdx.x} * kBlock + threadIdx.x;
  if (n < threads) forward_thread<F>(f, n);  // threads is a multiple of a warp where warps vote
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

}  // namespace

void lif_forward(const Lif& lif, const float* decay, std::size_t decay_n, const float* x, std::size_t T, std::size_t N, const float* v0,
                 float* v, std::uint64_t* spikes, float* spikes_f, float* h_saved, bool constant_x, CUstream_st* stream) {
  if (N == 0) return;
  const scan::Forward f{lif, decay, decay && decay_n > 1, x, T, N, v0, v, spikes, spikes_f, h_saved, constant_x ? 0 : N};
  const std::size_t threads = spikes ? words_per_row(N) * 64 : N;
  with_form(lif, [&](auto form) { forward_kernel<decltype(form)><<<static_cast<unsigned>(blocks(threads)), kBlock, 0, stream>>>(f, threads); });
  check_launch("lif_forward");
}

std::size_t lif_backward_scratch(std::size_t T, std::size_t N) noexcept {
  const std::size_t starts = T > kKept ? segments(T) - 1 : 0;
  return blocks(N) * sizeof(double) + starts * N * sizeof(float);
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
  const unsigned grid = static_cast<unsigned>(blocks(N));
  with_form(lif, [&](auto form) {
    using F = decltype(form);
    if (grad_decay)
      decay_backward_kernel<F><<<grid, kBlock, shared, stream>>>(b, each ? grad_decay : nullptr, partial);
    else
      backward_kernel<F><<<grid, kBlock, shared, stream>>>(b);
  });
  check_launch("lif_backward");
  if (grad_decay && !each) add_sums(partial, blocks(N), grad_decay, 1, stream, "lif_backward");
}

}  // namespace apical::kernels::cuda
