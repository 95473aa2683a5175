#pragma once
// The scans of scan.h on a CUDA device: same arguments, same layouts, the same bits (-DAPICAL_CUDA=ON, library apical_kernels_cuda).
// All pointers are device memory; work is put on `stream` (null: the default stream) and not waited for. Neurons are independent, so
// results depend on neither the device nor its number of processors; only the shared grad_decay is summed in another order than on
// the CPU, a fixed one. A result that is NaN is NaN on both sides, its payload may differ.
//
// Errors: apical::Error (internal) when a launch is refused. Faults of the kernels themselves (a wrong pointer) show, as everywhere in
// CUDA, at the caller's next synchronisation.
#include <cstddef>
#include <cstdint>

#include "apical/kernels/neurons/lif.h"

struct CUstream_st;  // cudaStream_t is a pointer to it

namespace apical::kernels::cuda {

/// lif_forward of scan.h. decay and every sequence: device memory.
void lif_forward(const Lif& lif, const float* decay, std::size_t decay_n, const float* x, std::size_t T, std::size_t N, const float* v0,
                 float* v, std::uint64_t* spikes, float* spikes_f, float* h_saved, bool constant_x, CUstream_st* stream);

/// Bytes of device scratch that lif_backward needs: N / 16 for the sum of a shared grad_decay, and 4 N for each 64 steps after the
/// first 64.
std::size_t lif_backward_scratch(std::size_t T, std::size_t N) noexcept;

/// lif_backward of scan.h. scratch: lif_backward_scratch(T, N) bytes, aligned to 8 (as cudaMalloc gives), overwritten; two calls at a
/// time need one each; null is good for T <= 64 without grad_decay. grad_decay (device) is added to. Reads x once, and again but for the
/// last 64 steps when T > 64.
void lif_backward(const Lif& lif, const Surrogate& surrogate, const float* decay, std::size_t decay_n, const float* x, const float* v0,
                  const float* grad_s, const float* grad_v_last, std::size_t T, std::size_t N, float* grad_x, float* grad_v0,
                  double* grad_decay, bool constant_x, void* scratch, CUstream_st* stream);

}  // namespace apical::kernels::cuda
