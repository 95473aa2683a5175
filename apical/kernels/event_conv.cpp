#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/event_conv.cpp"
#include "apical/kernels/event_conv.h"

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// acc[i] += value * w[i]; for a spike the value is 1.
HWY_INLINE void add_scaled(float* acc, const float* w, size_t n, float value) {
  const hn::ScalableTag<float> d;
  const size_t L = hn::Lanes(d);
  const auto v = hn::Set(d, value);
  size_t i = 0;
  for (; i + L <= n; i += L) hn::StoreU(hn::Add(hn::LoadU(d, acc + i), hn::Mul(v, hn::LoadU(d, w + i))), d, acc + i);
  for (; i < n; ++i) acc[i] = acc[i] + value * w[i];
}

uint64_t conv(const Conv2d& s, const float* prepared, const uint32_t* index, const float* value, size_t count, float* acc) {
  const size_t out_h = s.out_height(), out_w = s.out_width(), each = s.out_channels / s.groups, in_each = s.in_channels / s.groups;
  uint64_t runs = 0;
  for (size_t e = 0; e < count; ++e) {
    const size_t at = index[e], x = at % s.width, y = at / s.width % s.height, channel = at / s.width / s.height;
    const float* of_channel = prepared + channel * s.kernel_h * s.kernel_w * each;
    float* of_group = acc + channel / in_each * each;
    for (size_t ky = 0; ky < s.kernel_h; ++ky) {
      if (y + s.pad_h < ky * s.dilation_h) break;  // later rows of the kernel lie further out
      const size_t down = y + s.pad_h - ky * s.dilation_h, oy = down / s.stride_h;
      if (down % s.stride_h != 0 || oy >= out_h) continue;
      for (size_t kx = 0; kx < s.kernel_w; ++kx) {
        if (x + s.pad_w < kx * s.dilation_w) break;
        const size_t right = x + s.pad_w - kx * s.dilation_w, ox = right / s.stride_w;
        if (right % s.stride_w != 0 || ox >= out_w) continue;
        add_scaled(of_group + (oy * out_w + ox) * s.out_channels, of_channel + (ky * s.kernel_w + kx) * each, each,
                   value ? value[e] : 1.0f);
        ++runs;
      }
    }
  }
  return runs * each;
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(conv);

// Plain reference, in gather form on purpose: every output asks which kernel positions the event fills.
std::uint64_t conv_reference(const Conv2d& s, const float* prepared, const std::uint32_t* index, const float* value, std::size_t count,
                             float* acc) {
  const std::size_t each = s.out_channels / s.groups;
  std::uint64_t operations = 0;
  for (std::size_t e = 0; e < count; ++e) {
    const std::size_t x = index[e] % s.width, y = index[e] / s.width % s.height, channel = index[e] / s.width / s.height;
    for (std::size_t oy = 0; oy < s.out_height(); ++oy)
      for (std::size_t ox = 0; ox < s.out_width(); ++ox)
        for (std::size_t ky = 0; ky < s.kernel_h; ++ky)
          for (std::size_t kx = 0; kx < s.kernel_w; ++kx) {
            if (oy * s.stride_h + ky * s.dilation_h != y + s.pad_h || ox * s.stride_w + kx * s.dilation_w != x + s.pad_w) continue;
            float* a = acc + (oy * s.out_width() + ox) * s.out_channels + channel / (s.in_channels / s.groups) * each;
            const float* w = prepared + ((channel * s.kernel_h + ky) * s.kernel_w + kx) * each;
            for (std::size_t o = 0; o < each; ++o, ++operations) a[o] = a[o] + (value ? value[e] : 1.0f) * w[o];
          }
  }
  return operations;
}

}  // namespace

void prepare_conv(const Conv2d& s, const float* weight, float* prepared) noexcept {
  const std::size_t each = s.out_channels / s.groups, in_each = s.in_channels / s.groups, area = s.kernel_h * s.kernel_w;
  for (std::size_t channel = 0; channel < s.in_channels; ++channel)
    for (std::size_t k = 0; k < area; ++k)
      for (std::size_t o = 0; o < each; ++o)
        prepared[(channel * area + k) * each + o] = weight[((channel / in_each * each + o) * in_each + channel % in_each) * area + k];
}

std::uint64_t event_conv(const Conv2d& s, const float* prepared, const std::uint32_t* index, const float* value, std::size_t count,
                         float* acc) noexcept {
  if (scalar_level()) return conv_reference(s, prepared, index, value, count, acc);
  return HWY_DYNAMIC_DISPATCH(conv)(s, prepared, index, value, count, acc);
}

void channel_first(const float* last, std::size_t positions, std::size_t channels, float* first) noexcept {
  constexpr std::size_t kBlock = 16;  // both sides stay in the first level cache
  for (std::size_t p0 = 0; p0 < positions; p0 += kBlock)
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t p = p0; p < std::min(positions, p0 + kBlock); ++p) first[c * positions + p] = last[p * channels + c];
}

void channel_last(const float* first, std::size_t positions, std::size_t channels, float* last) noexcept {
  channel_first(first, channels, positions, last);  // the same transposition, sides exchanged
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
