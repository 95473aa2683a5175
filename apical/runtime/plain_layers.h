#pragma once
// Private to the runtime: the layers of its references in plain loops, in float64 (reference.cpp) and in integers (integer_reference.cpp).
// Channel first; x and y are of V, sums run over (channel, ky, kx) from the bias on.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "apical/graph/graph.h"

namespace apical::runtime {

/// x of the shape `in`, weight of the shape w [O, I / groups, KH, KW], bias(o), y of the shape `out`.
template <class V, class Weights, class Bias>
void plain_conv(const graph::Conv2d& op, const graph::Shape& in, const graph::Shape& w, const graph::Shape& out, const std::vector<V>& x,
                const Weights& weight, const Bias& bias, std::vector<V>& y) {
  std::size_t at = 0;
  for (std::int64_t o = 0; o < w[0]; ++o)
    for (std::int64_t oy = 0; oy < out[1]; ++oy)
      for (std::int64_t ox = 0; ox < out[2]; ++ox) {
        V sum = bias(static_cast<std::size_t>(o));
        for (std::int64_t i = 0; i < w[1]; ++i)
          for (std::int64_t kh = 0; kh < w[2]; ++kh)
            for (std::int64_t kw = 0; kw < w[3]; ++kw) {
              const std::int64_t iy = oy * op.stride_h + kh - op.pad_h, ix = ox * op.stride_w + kw - op.pad_w;
              if (iy < 0 || ix < 0 || iy >= in[1] || ix >= in[2]) continue;
              const std::int64_t channel = o / (w[0] / op.groups) * w[1] + i;
              sum += x[static_cast<std::size_t>((channel * in[1] + iy) * in[2] + ix)] *
                     weight[static_cast<std::size_t>(((o * w[1] + i) * w[2] + kh) * w[3] + kw)];
            }
        y[at++] = sum;
      }
}

/// weight [O, I].
template <class V, class Weights, class Bias>
void plain_linear(const std::vector<V>& x, const Weights& weight, const Bias& bias, std::vector<V>& y) {
  for (std::size_t o = 0; o < y.size(); ++o) {
    y[o] = bias(o);
    for (std::size_t i = 0; i < x.size(); ++i) y[o] += x[i] * weight[o * x.size() + i];
  }
}

/// Joins the values of each window, row by row.
template <class V, class Join>
void plain_pool(int kernel, int stride, const graph::Shape& in, const graph::Shape& out, const std::vector<V>& x, std::vector<V>& y, const Join& join) {
  std::size_t at = 0;
  for (std::int64_t c = 0; c < out[0]; ++c)
    for (std::int64_t oy = 0; oy < out[1]; ++oy)
      for (std::int64_t ox = 0; ox < out[2]; ++ox, ++at)
        for (int k = 0; k < kernel * kernel; ++k) {
          const V v = x[static_cast<std::size_t>((c * in[1] + oy * stride + k / kernel) * in[2] + ox * stride + k % kernel)];
          y[at] = k == 0 ? v : join(y[at], v);
        }
}

}  // namespace apical::runtime
