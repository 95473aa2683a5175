#include "apical/runtime/layout.h"

namespace apical::runtime {
namespace {

template <class T>
std::size_t size(T v) {
  return static_cast<std::size_t>(v);
}

}  // namespace

std::vector<std::uint32_t> channel_last(const graph::Shape& shape) {
  if (shape.size() != 3 || shape[0] == 1 || shape[1] * shape[2] == 1) return {};
  const std::size_t C = size(shape[0]), plane = size(shape[1] * shape[2]);
  std::vector<std::uint32_t> order(C * plane);
  for (std::size_t p = 0; p < plane; ++p)
    for (std::size_t c = 0; c < C; ++c) order[p * C + c] = static_cast<std::uint32_t>(c * plane + p);
  return order;
}

kernels::Conv2d conv_shape(const graph::Conv2d& op, const graph::Shape& weight, const NodeSlot& in, const NodeSlot& out) {
  return {.in_channels = size(in.channels),
          .out_channels = size(out.channels),
          .height = size(in.height),
          .width = size(in.width),
          .kernel_h = size(weight[2]),
          .kernel_w = size(weight[3]),
          .stride_h = size(op.stride_h),
          .stride_w = size(op.stride_w),
          .pad_h = size(op.pad_h),
          .pad_w = size(op.pad_w),
          .groups = size(op.groups)};
}

kernels::Pool2d pool_shape(int kernel, int stride, const NodeSlot& in) {
  return {size(in.channels), size(in.height), size(in.width), size(kernel), size(kernel), size(stride), size(stride), 0, 0};
}

}  // namespace apical::runtime
