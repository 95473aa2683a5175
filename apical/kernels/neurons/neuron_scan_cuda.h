#pragma once
// The scans of neuron_scan.h on a CUDA device: same arguments, same layouts, the same bits (-DAPICAL_CUDA=ON, library
// apical_kernels_cuda). Every pointer of NeuronForward and NeuronBackward is device memory; streams, order of sums, NaN and errors as in
// scan_cuda.h: only the sums of shared grad_params are added in another order than on the CPU, a fixed one.
#include <cstddef>

#include "apical/kernels/neurons/neuron_scan.h"

struct CUstream_st;  // cudaStream_t is a pointer to it

namespace apical::kernels::cuda {

/// neuron_forward of neuron_scan.h. Model: Cuba, Alif, RefractoryLif, MultiLif.
template <class Model>
void neuron_forward(const Model& model, const NeuronForward& a, CUstream_st* stream);

/// Bytes of device scratch that neuron_backward needs: kParams N / 16 for the sums of shared grad_params, and 4 kStates N for each
/// 64 / kStates steps after the first 64 / kStates.
template <class Model>
std::size_t neuron_backward_scratch(std::size_t T, std::size_t N) noexcept;

/// neuron_backward of neuron_scan.h. scratch: neuron_backward_scratch bytes, aligned to 8, overwritten; two calls at a time need one
/// each; null is good for T <= 64 / kStates without grad_params. Reads x twice, and once more but for the last 64 / kStates steps: what
/// is read again within a segment of that length comes from the caches.
template <class Model>
void neuron_backward(const Model& model, const Surrogate& surrogate, const NeuronBackward& a, void* scratch, CUstream_st* stream);

}  // namespace apical::kernels::cuda
