#include "apical/runtime/products.h"

#include <algorithm>

namespace apical::runtime {
namespace {

inline void add_row(float* __restrict y, const float* __restrict w, std::size_t n) {
  for (std::size_t o = 0; o < n; ++o) y[o] += w[o];
}
inline void add_row(float* __restrict y, const float* __restrict w, std::size_t n, float x) {
  for (std::size_t o = 0; o < n; ++o) y[o] += x * w[o];
}

}  // namespace

void event_conv(const ConvShape& s, const float* weight, const std::uint32_t* list, std::size_t count, const float* values, float* y) noexcept {
  const int group_out = s.out_channels / s.groups, group_in = s.in_channels / s.groups;
  for (std::size_t e = 0; e < count; ++e) {
    const int c = static_cast<int>(list[e] % static_cast<std::uint32_t>(s.in_channels));
    const int pixel = static_cast<int>(list[e] / static_cast<std::uint32_t>(s.in_channels));
    const int iy = pixel / s.in_width + s.pad_h, ix = pixel % s.in_width + s.pad_w, first = c / group_in * group_out;
    for (int kh = 0; kh < s.kernel_h; ++kh) {
      const int ny = iy - kh;
      if (ny < 0 || ny % s.stride_h || ny / s.stride_h >= s.out_height) continue;
      for (int kw = 0; kw < s.kernel_w; ++kw) {
        const int nx = ix - kw;
        if (nx < 0 || nx % s.stride_w || nx / s.stride_w >= s.out_width) continue;
        const float* w = weight + (static_cast<std::size_t>(kh * s.kernel_w + kw) * s.in_channels + c) * group_out;
        float* out = y + (static_cast<std::size_t>(ny / s.stride_h) * s.out_width + nx / s.stride_w) * s.out_channels + first;
        values ? add_row(out, w, group_out, values[list[e]]) : add_row(out, w, group_out);
      }
    }
  }
}

void dense_conv(const ConvShape& s, const float* weight, const float* x, float* y) noexcept {
  const int group_out = s.out_channels / s.groups, group_in = s.in_channels / s.groups;
  for (int oy = 0; oy < s.out_height; ++oy)
    for (int ox = 0; ox < s.out_width; ++ox) {
      float* out = y + (static_cast<std::size_t>(oy) * s.out_width + ox) * s.out_channels;
      for (int kh = 0; kh < s.kernel_h; ++kh) {
        const int iy = oy * s.stride_h + kh - s.pad_h;
        if (iy < 0 || iy >= s.in_height) continue;
        for (int kw = 0; kw < s.kernel_w; ++kw) {
          const int ix = ox * s.stride_w + kw - s.pad_w;
          if (ix < 0 || ix >= s.in_width) continue;
          const float* in = x + (static_cast<std::size_t>(iy) * s.in_width + ix) * s.in_channels;
          const float* w = weight + static_cast<std::size_t>(kh * s.kernel_w + kw) * s.in_channels * group_out;
          for (int c = 0; c < s.in_channels; ++c) add_row(out + c / group_in * group_out, w + static_cast<std::size_t>(c) * group_out, group_out, in[c]);
        }
      }
    }
}

void event_linear(std::size_t outputs, const float* weight, const std::uint32_t* list, std::size_t count, const float* values, float* y) noexcept {
  for (std::size_t e = 0; e < count; ++e) {
    const float* w = weight + list[e] * outputs;
    values ? add_row(y, w, outputs, values[list[e]]) : add_row(y, w, outputs);
  }
}

void dense_linear(std::size_t inputs, std::size_t outputs, const float* weight, const float* x, float* y) noexcept {
  for (std::size_t i = 0; i < inputs; ++i) add_row(y, weight + i * outputs, outputs, x[i]);
}

}  // namespace apical::runtime
