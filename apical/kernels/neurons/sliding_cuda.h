#pragma once
// The sliding neuron of sliding.h on a CUDA device: same arguments, same layouts, the same bits (-DAPICAL_CUDA=ON, library
// apical_kernels_cuda). Every pointer is device memory, SlidingPsn::weights too; streams, NaN and errors as in scan_cuda.h. grad_weights
// and grad_v_th are sums over steps and neurons, added in another order than on the CPU, a fixed one.
#include <cstddef>
#include <cstdint>

#include "apical/kernels/neurons/sliding.h"

struct CUstream_st;  // cudaStream_t is a pointer to it

namespace apical::kernels::cuda {

/// sliding_forward of sliding.h. Steps are independent here: they are spread over the processors as neurons are.
void sliding_forward(const SlidingPsn& m, const float* x, std::size_t T, std::size_t N, const float* past, float* past_out, std::uint64_t* spikes,
                     float* spikes_f, float* h, CUstream_st* stream);

/// Bytes of device scratch that sliding_backward needs: 4 T N for q, and (K + 1) N / 16 for the sums.
std::size_t sliding_backward_scratch(std::size_t K, std::size_t T, std::size_t N) noexcept;

/// sliding_backward of sliding.h. scratch: sliding_backward_scratch(m.K, T, N) bytes, aligned to 8, overwritten; two calls at a time need
/// one each.
void sliding_backward(const SlidingPsn& m, const Surrogate& surrogate, const float* x, std::size_t T, std::size_t N, const float* past,
                      const float* grad_s, float* grad_x, double* grad_weights, double* grad_v_th, void* scratch, CUstream_st* stream);

}  // namespace apical::kernels::cuda
