// Kernels: cells across threads; see two_point_cuda_thread.h. Flags as for scan_cuda.cu.
#include "apical/kernels/neurons/two_point_cuda.h"

#include "apical/kernels/neurons/scan_cuda_launch.h"
#include "apical/kernels/neurons/two_point_cuda_thread.h"

namespace apical::kernels::cuda {
namespace {

template <Mtf K, TwoPointOutput Y>
__global__ void __launch_bounds__(kBlock) two_point_forward_kernel(const scan::TwoPointForward f, std::size_t n, unsigned long long* active) {
  const unsigned mine = two_point_forward_thread<K, Y>(f, n, first_cell(blockIdx.x, threadIdx.x));
  if (!active) return;
  const unsigned sum = block_sum<kBlock>(mine);
  if (threadIdx.x == 0 && sum > 0) atomicAdd(active, sum);  // whole numbers: any order gives the same
}

template <Mtf K, TwoPointOutput Y>
__global__ void __launch_bounds__(kBlock) two_point_backward_kernel(const scan::TwoPointBackward b, std::size_t n) {
  two_point_backward_thread<K, Y>(b, n, first_cell(blockIdx.x, threadIdx.x));
}

__global__ void __launch_bounds__(kBlock) tanh_forward_kernel(const float* x, std::size_t n, float* y) {
  tanh_forward_thread(x, n, y, first_cell(blockIdx.x, threadIdx.x));
}

__global__ void __launch_bounds__(kBlock) tanh_backward_kernel(const float* y, const float* grad_y, std::size_t n, float* grad_x) {
  tanh_backward_thread(y, grad_y, n, grad_x, first_cell(blockIdx.x, threadIdx.x));
}

unsigned grid(std::size_t n) { return static_cast<unsigned>(cell_blocks(n)); }

struct Forward {
  scan::TwoPointForward f;
  std::size_t n;
  unsigned long long* active;
  cudaStream_t stream;
  template <Mtf K, TwoPointOutput Y>
  void run() const { two_point_forward_kernel<K, Y><<<grid(n), kBlock, 0, stream>>>(f, n, active); }
};
struct Backward {
  scan::TwoPointBackward b;
  std::size_t n;
  cudaStream_t stream;
  template <Mtf K, TwoPointOutput Y>
  void run() const { two_point_backward_kernel<K, Y><<<grid(n), kBlock, 0, stream>>>(b, n); }
};

}  // namespace

void two_point_forward(const TwoPoint& m, const float* r, const float* context, std::size_t n, float* h, unsigned long long* active,
                       CUstream_st* stream) {
  if (n == 0) return;
  plain::with_form(m, Forward{{m, r, context, h, false}, n, active, stream});
  check_launch("two_point_forward");
}

void two_point_backward(const TwoPoint& m, const float* r, const float* context, const float* grad_h, std::size_t n, float* grad_r,
                        float* grad_context, CUstream_st* stream) {
  if (n == 0) return;
  plain::with_form(m, Backward{{m, r, context, grad_h, grad_r, grad_context, false}, n, stream});
  check_launch("two_point_backward");
}

void tanh_forward(const float* x, std::size_t n, float* y, CUstream_st* stream) {
  if (n == 0) return;
  tanh_forward_kernel<<<grid(n), kBlock, 0, stream>>>(x, n, y);
  check_launch("tanh_forward");
}

void tanh_backward(const float* y, const float* grad_y, std::size_t n, float* grad_x, CUstream_st* stream) {
  if (n == 0) return;
  tanh_backward_kernel<<<grid(n), kBlock, 0, stream>>>(y, grad_y, n, grad_x);
  check_launch("tanh_backward");
}

}  // namespace apical::kernels::cuda
