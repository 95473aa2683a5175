// Kernels: N across threads, T walked inside a thread with the states in registers; see neuron_scan_cuda_thread.h. Flags as for scan_cuda.cu.
#include "apical/kernels/neurons/neuron_scan_cuda.h"

#include <algorithm>

#include "apical/kernels/neurons/neuron_scan_cuda_thread.h"
#include "apical/kernels/neurons/scan_cuda_launch.h"

namespace apical::kernels::cuda {
namespace {

template <class F, class Model>
__global__ void __launch_bounds__(kBlock) neuron_forward_kernel(const Model m, const NeuronForward f, std::size_t threads) {
  const std::size_t n = std::size_t{blockIdx.x} * kBlock + threadIdx.x;
  if (n < threads) neuron_forward_thread<F>(m, f, n);  // threads is a multiple of a warp where warps vote
}

// grad_params of each neuron are added to; of shared ones partial receives [kParams] rows of one sum a block.
template <class F, bool want_params, class Model>
__global__ void __launch_bounds__(kBlock) neuron_backward_kernel(const NeuronBackwardArgs<Model> b, double* partial) {
  extern __shared__ float kept[];
  const std::size_t n = std::size_t{blockIdx.x} * kBlock + threadIdx.x;
  double sums[Model::kParams] = {};
  if (n < b.N) neuron_backward_thread<F, want_params>(b, n, kept + threadIdx.x, sums);
  if constexpr (want_params) {
    for (std::size_t k = 0; k < Model::kParams; ++k) {
      if (b.params) {
        if (n < b.N) b.grad_params[k * b.N + n] += sums[k];
        continue;
      }
      const double sum = block_sum<kBlock>(sums[k]);
      if (threadIdx.x == 0) partial[k * gridDim.x + blockIdx.x] = sum;
    }
  }
}

}  // namespace

template <class Model>
void neuron_forward(const Model& m, const NeuronForward& f, CUstream_st* stream) {
  if (f.N == 0) return;
  const std::size_t threads = f.spikes ? words_per_row(f.N) * 64 : f.N;
  const unsigned grid = static_cast<unsigned>(blocks(threads));
  with_form(m, [&](auto form) { neuron_forward_kernel<decltype(form)><<<grid, kBlock, 0, stream>>>(m, f, threads); });
  check_launch("neuron_forward");
}

template <class Model>
std::size_t neuron_backward_scratch(std::size_t T, std::size_t N) noexcept {
  const std::size_t starts = T > kKeptSteps<Model> ? segments(T, kKeptSteps<Model>) - 1 : 0;
  return Model::kParams * blocks(N) * sizeof(double) + starts * Model::kStates * N * sizeof(float);
}

template <class Model>
void neuron_backward(const Model& m, const Surrogate& surrogate, const NeuronBackward& b, void* scratch, CUstream_st* stream) {
  constexpr std::size_t P = Model::kParams;
  if (b.N == 0) return;
  double* partial = static_cast<double*>(scratch);  // [kParams, blocks]
  const NeuronBackwardArgs<Model> args{b, m, surrogate, plain::surrogate_constant(surrogate), reinterpret_cast<float*>(partial + P * blocks(b.N))};
  const std::size_t shared = std::min(b.T, kKeptSteps<Model>) * kStepStride<Model> * sizeof(float);
  const unsigned grid = static_cast<unsigned>(blocks(b.N));
  with_form(m, [&](auto form) {
    using F = decltype(form);
    if (b.grad_params)
      neuron_backward_kernel<F, true><<<grid, kBlock, shared, stream>>>(args, partial);
    else
      neuron_backward_kernel<F, false><<<grid, kBlock, shared, stream>>>(args, partial);
  });
  check_launch("neuron_backward");
  if (b.grad_params && !b.params) add_sums(partial, blocks(b.N), b.grad_params, P, stream, "neuron_backward");
}

#define APICAL_INSTANCE(Model)                                                                    \
  template void neuron_forward(const Model&, const NeuronForward&, CUstream_st*);                  \
  template std::size_t neuron_backward_scratch<Model>(std::size_t, std::size_t) noexcept;          \
  template void neuron_backward(const Model&, const Surrogate&, const NeuronBackward&, void*, CUstream_st*);
APICAL_NEURON_MODELS(APICAL_INSTANCE)
#undef APICAL_INSTANCE

}  // namespace apical::kernels::cuda
