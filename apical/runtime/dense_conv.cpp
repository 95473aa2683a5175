#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/runtime/dense_conv.cpp"
#include "apical/runtime/dense_conv.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::runtime::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// One block: P neighbouring outputs of a row, V vectors of channels, all sums in registers.
// rows: kernel rows; each of `pieces` runs of `run` inputs, x_piece and w_piece apart.
struct Walk {
  size_t rows, pieces, run, x_row, x_piece, x_step, w_row, w_piece, stride;
};

template <size_t P, size_t V>
void block(const Walk& k, const float* weights, const float* bias, const float* x, float* y, size_t y_step, size_t n) {
  const hn::ScalableTag<float> d;
  const size_t L = hn::Lanes(d);
  hn::Vec<decltype(d)> sum[P][V];
  for (size_t p = 0; p < P; ++p)
    for (size_t v = 0; v < V; ++v) sum[p][v] = hn::LoadU(d, bias + v * L);
  for (size_t r = 0; r < k.rows; ++r)
    for (size_t c = 0; c < k.pieces; ++c) {
      const float* w = weights + r * k.w_row + c * k.w_piece;
      const float* in = x + r * k.x_row + c * k.x_piece;
      for (size_t i = 0; i < k.run; ++i, w += k.stride, ++in) {
        hn::Vec<decltype(d)> row[V];
        for (size_t v = 0; v < V; ++v) row[v] = hn::LoadU(d, w + v * L);
        for (size_t p = 0; p < P; ++p) {
          const auto value = hn::Set(d, in[p * k.x_step]);
          for (size_t v = 0; v < V; ++v) sum[p][v] = hn::Add(sum[p][v], hn::Mul(value, row[v]));
        }
      }
    }
  HWY_ALIGN float last[HWY_MAX_BYTES / sizeof(float)];
  for (size_t p = 0; p < P; ++p)
    for (size_t v = 0; v < V && v * L < n; ++v) {
      float* to = y + p * y_step + v * L;
      if (v * L + L <= n) {
        hn::StoreU(sum[p][v], d, to);
      } else {  // weight rows are padded, outputs are not
        hn::Store(sum[p][v], d, last);
        std::copy(last, last + (n - v * L), to);
      }
    }
}

template <size_t P>
void channels(const Walk& k, const float* weights, const float* bias, const float* x, float* y, size_t y_step, size_t each) {
  const size_t L = hn::Lanes(hn::ScalableTag<float>());
  size_t o = 0;
  for (; o + L < each; o += 2 * L) block<P, 2>(k, weights + o, bias + o, x, y + o, y_step, each - o);
  if (o < each) block<P, 1>(k, weights + o, bias + o, x, y + o, y_step, each - o);
}

void dense(const kernels::Conv2d& s, size_t stride, const float* weights, const float* biases, const float* padded, float* y) {
  const size_t each = s.out_channels / s.groups, in_each = s.in_channels / s.groups, width = (s.width + 2 * s.pad_w) * s.in_channels;
  const size_t OH = s.out_height(), OW = s.out_width();
  const bool whole = s.groups == 1;  // then a kernel row is one run
  const Walk k{s.kernel_h,    whole ? 1 : s.kernel_w,     whole ? s.kernel_w * s.in_channels : in_each, width,
               s.in_channels, s.stride_w * s.in_channels, s.kernel_w * s.in_channels * stride,          s.in_channels * stride,
               stride};
  for (size_t g = 0; g < s.groups; ++g)
    for (size_t oy = 0; oy < OH; ++oy) {
      const float* x = padded + oy * s.stride_h * width + g * in_each;
      float* out = y + oy * OW * s.out_channels + g * each;
      const float* w = weights + g * in_each * stride;
      const float* b = biases + g * stride;
      size_t ox = 0;
      for (; ox + 4 <= OW; ox += 4) channels<4>(k, w, b, x + ox * k.x_step, out + ox * s.out_channels, s.out_channels, each);
      for (; ox < OW; ++ox) channels<1>(k, w, b, x + ox * k.x_step, out + ox * s.out_channels, s.out_channels, each);
    }
}

}  // namespace
}  // namespace apical::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::runtime {
namespace {

HWY_EXPORT(dense);

void dense_reference(const kernels::Conv2d& s, std::size_t stride, const float* weights, const float* biases, const float* padded,
                     float* y) {
  const std::size_t each = s.out_channels / s.groups, in_each = s.in_channels / s.groups, width = s.width + 2 * s.pad_w;
  for (std::size_t oy = 0; oy < s.out_height(); ++oy)
    for (std::size_t ox = 0; ox < s.out_width(); ++ox)
      for (std::size_t o = 0; o < s.out_channels; ++o, ++y) {
        const std::size_t g = o / each;
        *y = biases[g * stride + o % each];
        for (std::size_t ky = 0; ky < s.kernel_h; ++ky)
          for (std::size_t kx = 0; kx < s.kernel_w; ++kx)
            for (std::size_t c = g * in_each; c < (g + 1) * in_each; ++c)
              *y = *y + padded[((oy * s.stride_h + ky) * width + ox * s.stride_w + kx) * s.in_channels + c] *
                            weights[((ky * s.kernel_w + kx) * s.in_channels + c) * stride + o % each];
      }
}

}  // namespace

void DenseConv::prepare_bias(const float* bias, float* biases) const noexcept {
  const std::size_t each = shape.out_channels / shape.groups;
  std::fill(biases, biases + this->biases(), 0.0f);
  for (std::size_t o = 0; o < shape.out_channels; ++o) biases[o / each * shape.row() + o % each] = bias[o];
}

void DenseConv::pad(const float* x, float* padded) const noexcept {
  const std::size_t in = shape.width * shape.in_channels, out = (shape.width + 2 * shape.pad_w) * shape.in_channels;
  for (std::size_t y = 0; y < shape.height; ++y)
    std::copy(x + y * in, x + (y + 1) * in, padded + (y + shape.pad_h) * out + shape.pad_w * shape.in_channels);
}

void DenseConv::run(const float* weights, const float* biases, const float* padded, float* y) const noexcept {
  if (kernels::scalar_level()) return dense_reference(shape, shape.row(), weights, biases, padded, y);
  HWY_DYNAMIC_DISPATCH(dense)(shape, shape.row(), weights, biases, padded, y);
}

}  // namespace apical::runtime
#endif  // HWY_ONCE
