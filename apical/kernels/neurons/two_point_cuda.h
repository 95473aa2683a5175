#pragma once
// The cells of two_point.h on a CUDA device: the same bits (-DAPICAL_CUDA=ON, library apical_kernels_cuda). Every pointer is device
// memory; streams, NaN and errors as in scan_cuda.h. Aliases are allowed as in two_point.h.
#include <cstddef>

#include "apical/kernels/neurons/two_point.h"

struct CUstream_st;  // cudaStream_t is a pointer to it

namespace apical::kernels::cuda {

/// two_point_forward of two_point.h. active: [1] on the device; how many h are not exactly 0 is added to it; or null.
void two_point_forward(const TwoPoint& m, const float* r, const float* context, std::size_t n, float* h, unsigned long long* active,
                       CUstream_st* stream);

void two_point_backward(const TwoPoint& m, const float* r, const float* context, const float* grad_h, std::size_t n, float* grad_r,
                        float* grad_context, CUstream_st* stream);

void tanh_forward(const float* x, std::size_t n, float* y, CUstream_st* stream);
void tanh_backward(const float* y, const float* grad_y, std::size_t n, float* grad_x, CUstream_st* stream);

}  // namespace apical::kernels::cuda
