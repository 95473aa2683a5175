// Kernels: N across threads, T walked inside a thread with the state in a register; see scan_cuda_thread.h. To be compiled without
// contraction to fused multiply-add, with IEEE division and denormals (CMakeLists.txt gives the flags): the CPU's bits depend on it.
#include "apical/kernels/neurons/scan_cuda.h"

#include <algorithm>
#include <type_traits>

#include "apical/kernels/neurons/scan_cuda_launch.h"

namespace apical::kernels::cuda {
namespace {

// The first neuron of a thread that has `count`.
__device__ std::size_t first_neuron(unsigned count = 1) { return std::size_t{blockIdx.x} * (count * kBlock) + threadIdx.x; }

// few: few_steps. threads is a multiple of a warp where warps vote.
template <class F, bool few>
__global__ void __launch_bounds__(kBlock) forward_kernel(const scan::Forward f, std::size_t threads) {
  const std::size_t n = first_neuron(few ? kFewForward : 1);
  if constexpr (few)
    few_forward_thread<F>(f, n, threads);
  else if (n < threads)
    forward_thread<F>(f, n);
}

// done(n, dL/ddecay) for each neuron of the thread.
template <class F, bool want_decay, bool few, class Done>
__device__ void backward_threads(const BackwardArgs& b, Done done) {
  extern __shared__ float kept[];
  if constexpr (few)
    with_steps<kFewBackwardSteps>(
        b.T, [&](auto T) { few_backward_thread<F, want_decay, decltype(T)::value>(b, first_neuron(few_backward(T)), done); });
  else if (const std::size_t n = first_neuron(); n < b.N)
    done(n, backward_thread<F, want_decay>(b, n, kept + threadIdx.x));
}

// 80 registers a thread: as many blocks on a processor as their shared memory lets in at T = 64. Few steps need fewer.
template <class F, bool few>
__global__ void __launch_bounds__(kBlock, few ? 8 : 6) backward_kernel(const BackwardArgs b) {
  backward_threads<F, false, few>(b, [](std::size_t, double) {});
}

// each: [N], added to, or partial: one sum a block.
template <class F, bool few>
__global__ void __launch_bounds__(kBlock) decay_backward_kernel(const BackwardArgs b, double* each, double* partial) {
  double mine = 0;
  backward_threads<F, true, few>(b, [&](std::size_t n, double decay) {
    if (each)
      each[n] += decay;
    else
      mine += decay;
  });
  if (each) return;
  const double sum = block_sum<kBlock>(mine);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// call(form, few): the kernel, both as types.
template <class Call>
void with_kernel(const Lif& lif, bool few, Call call) {
  with_form(lif, [&](auto form) {
    if (few)
      call(form, std::true_type{});
    else
      call(form, std::false_type{});
  });
}

}  // namespace

void lif_forward(const Lif& lif, const float* decay, std::size_t decay_n, const float* x, std::size_t T, std::size_t N, const float* v0,
                 float* v, std::uint64_t* spikes, float* spikes_f, float* h_saved, bool constant_x, CUstream_st* stream) {
  if (N == 0) return;
  const scan::Forward f{lif, decay, decay && decay_n > 1, x, T, N, v0, v, spikes, spikes_f, h_saved, constant_x ? 0 : N};
  const std::size_t threads = spikes ? words_per_row(N) * 64 : N;
  with_kernel(lif, few_steps(T, kFewForwardSteps), [&](auto form, auto few) {
    const unsigned grid = static_cast<unsigned>(blocks(threads, few ? kFewForward : 1));
    forward_kernel<decltype(form), decltype(few)::value><<<grid, kBlock, 0, stream>>>(f, threads);
  });
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
  const bool short_T = few_steps(T, kFewBackwardSteps);
  const std::size_t shared = short_T ? 0 : (std::min(T, kKept) + 1) * kBlock * sizeof(float);
  const unsigned grid = static_cast<unsigned>(blocks(N, short_T ? few_backward(T) : 1));
  with_kernel(lif, short_T, [&](auto form, auto few) {
    using F = decltype(form);
    if (grad_decay)
      decay_backward_kernel<F, decltype(few)::value><<<grid, kBlock, shared, stream>>>(b, each ? grad_decay : nullptr, partial);
    else
      backward_kernel<F, decltype(few)::value><<<grid, kBlock, shared, stream>>>(b);
  });
  check_launch("lif_backward");
  if (grad_decay && !each) add_sums(partial, grid, grad_decay, 1, stream, "lif_backward");
}

}  // namespace apical::kernels::cuda
