#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/pool.cpp"
#include "apical/kernels/pool.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Calls lanes(d, c) for the channels c .. c + Lanes(d), the last few one by one. `vector` false: all one by one (the reference).
template <class Lanes>
HWY_INLINE void channels(size_t C, bool vector, Lanes lanes) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  size_t c = 0;
  for (; vector && c + hn::Lanes(d) <= C; c += hn::Lanes(d)) lanes(d, c);
  for (; c < C; ++c) lanes(one, c);
}

template <bool Max>
void pool_image(const Pool2d& s, bool vector, const float* in, float* out) {
  const size_t C = s.channels;
  const float share = 1.0f / static_cast<float>(s.kernel_h * s.kernel_w);
  for (size_t oy = 0; oy < s.out_height(); ++oy)
    for (size_t ox = 0; ox < s.out_width(); ++ox, out += C)
      channels(C, vector, [&](auto d, size_t c) HWY_ATTR {
        const float* window = in + (oy * s.stride_h * s.width + ox * s.stride_w) * C + c;
        auto sum = hn::LoadU(d, window);
        for (size_t ky = 0; ky < s.kernel_h; ++ky)
          for (size_t kx = ky == 0 ? 1 : 0; kx < s.kernel_w; ++kx) {
            const auto v = hn::LoadU(d, window + (ky * s.width + kx) * C);
            sum = Max ? hn::IfThenElse(hn::Lt(sum, v), v, sum) : hn::Add(sum, v);  // a NaN stays only if it came first, as std::max
          }
        hn::StoreU(Max ? sum : hn::Mul(sum, hn::Set(d, share)), d, out + c);
      });
}

// Lanes `from` .. of a row of bits as a mask. Rows are padded to whole words, and this reads within the word at `from`'s byte.
template <class D>
HWY_INLINE hn::Mask<D> mask_at(D d, const uint64_t* row, size_t words, size_t from) {
  uint64_t lanes;
  const size_t byte = std::min(from / 8, words * 8 - 8);
  std::memcpy(&lanes, reinterpret_cast<const uint8_t*>(row) + byte, 8);  // little endian, as every target of this build
  lanes >>= from - byte * 8;
  return hn::LoadMaskBits(d, reinterpret_cast<const uint8_t*>(&lanes));
}

// `first`: number of the image's first neuron in the row.
void average_bits(const Pool2d& s, bool vector, const uint64_t* row, size_t words, size_t first, float* out) {
  const size_t C = s.channels;
  const float share = 1.0f / static_cast<float>(s.kernel_h * s.kernel_w);
  for (size_t oy = 0; oy < s.out_height(); ++oy)
    for (size_t ox = 0; ox < s.out_width(); ++ox, out += C)
      channels(C, vector, [&](auto d, size_t c) HWY_ATTR {
        const size_t window = first + (oy * s.stride_h * s.width + ox * s.stride_w) * C + c;
        const auto one = hn::Set(d, 1.0f);
        auto sum = hn::Zero(d);
        for (size_t ky = 0; ky < s.kernel_h; ++ky)
          for (size_t kx = 0; kx < s.kernel_w; ++kx)
            sum = hn::Add(sum, hn::IfThenElseZero(mask_at(d, row, words, window + (ky * s.width + kx) * C), one));
        hn::StoreU(hn::Mul(sum, hn::Set(d, share)), d, out + c);
      });
}

void spread_image(const Pool2d& s, bool vector, const float* grad_out, float* grad_in) {
  const size_t C = s.channels;
  const float share = 1.0f / static_cast<float>(s.kernel_h * s.kernel_w);
  const bool tiled = s.kernel_h == s.stride_h && s.kernel_w == s.stride_w && s.height % s.kernel_h == 0 && s.width % s.kernel_w == 0;
  if (!tiled) std::fill(grad_in, grad_in + C * s.height * s.width, 0.0f);  // else every pixel lies in one window
  for (size_t oy = 0; oy < s.out_height(); ++oy)
    for (size_t ox = 0; ox < s.out_width(); ++ox, grad_out += C)
      channels(C, vector, [&](auto d, size_t c) HWY_ATTR {
        float* window = grad_in + (oy * s.stride_h * s.width + ox * s.stride_w) * C + c;
        const auto g = hn::Mul(hn::LoadU(d, grad_out + c), hn::Set(d, share));
        for (size_t ky = 0; ky < s.kernel_h; ++ky)
          for (size_t kx = 0; kx < s.kernel_w; ++kx) {
            float* at = window + (ky * s.width + kx) * C;
            hn::StoreU(tiled ? g : hn::Add(hn::LoadU(d, at), g), d, at);
          }
      });
}

void average_image(const Pool2d& s, bool vector, const float* in, float* out) { pool_image<false>(s, vector, in, out); }
void max_image(const Pool2d& s, bool vector, const float* in, float* out) { pool_image<true>(s, vector, in, out); }

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(average_bits);
HWY_EXPORT(average_image);
HWY_EXPORT(max_image);
HWY_EXPORT(spread_image);

std::size_t inputs(const Pool2d& s) { return s.channels * s.height * s.width; }

// Calls work(image) for all images of a batch.
template <class Work>
void each_image(const Pool2d& s, std::size_t batch, Work work) {
  const std::size_t grain = std::max<std::size_t>(1, (std::size_t{1} << 16) / std::max<std::size_t>(1, inputs(s)));
  parallel_for(0, batch, grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t b = begin; b < end; ++b) work(b);
  });
}

}  // namespace

void average_pool(const Pool2d& s, std::size_t batch, const float* x, float* y) noexcept {
  const bool vector = !scalar_level();
  each_image(s, batch, [&](std::size_t b) { HWY_DYNAMIC_DISPATCH(average_image)(s, vector, x + b * inputs(s), y + b * s.outputs()); });
}
void average_pool_bits(const Pool2d& s, std::size_t T, std::size_t batch, const std::uint64_t* bits, float* y) noexcept {
  const bool vector = !scalar_level();
  const std::size_t words = words_per_row(batch * inputs(s));
  each_image(s, T * batch, [&](std::size_t image) {
    HWY_DYNAMIC_DISPATCH(average_bits)(s, vector, bits + image / batch * words, words, image % batch * inputs(s), y + image * s.outputs());
  });
}
void average_pool_backward(const Pool2d& s, std::size_t batch, const float* grad_y, float* grad_x) noexcept {
  const bool vector = !scalar_level();
  each_image(s, batch, [&](std::size_t b) { HWY_DYNAMIC_DISPATCH(spread_image)(s, vector, grad_y + b * s.outputs(), grad_x + b * inputs(s)); });
}
void max_pool(const Pool2d& s, std::size_t batch, const float* x, float* y) noexcept {
  const bool vector = !scalar_level();
  each_image(s, batch, [&](std::size_t b) { HWY_DYNAMIC_DISPATCH(max_image)(s, vector, x + b * inputs(s), y + b * s.outputs()); });
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
