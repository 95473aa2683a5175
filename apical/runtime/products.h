#pragma once
// Private to the runtime: the products of a step on plain pointers, channel last. Event and dense forms add in the same order
// (ascending input index for each output), so they give the same bits.
#include <cstddef>
#include <cstdint>

namespace apical::runtime {

struct ConvShape {
  int in_channels = 1, in_height = 1, in_width = 1;
  int out_channels = 1, out_height = 1, out_width = 1;
  int kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, groups = 1;
};

/// y starts as the bias (or 0). `values` are those of the listed inputs by index; null: all are 1.
void event_conv(const ConvShape& s, const float* weight, const std::uint32_t* list, std::size_t count, const float* values, float* y) noexcept;
void dense_conv(const ConvShape& s, const float* weight, const float* x, float* y) noexcept;
void event_linear(std::size_t outputs, const float* weight, const std::uint32_t* list, std::size_t count, const float* values, float* y) noexcept;
void dense_linear(std::size_t inputs, std::size_t outputs, const float* weight, const float* x, float* y) noexcept;

}  // namespace apical::runtime
