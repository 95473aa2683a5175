#include "apical/kernels/event_pool.h"

#include <algorithm>

#include "apical/kernels/bits.h"
#include "apical/kernels/event_conv.h"

namespace apical::kernels {
namespace {

// Outputs whose windows [o * stride, o * stride + k) hold the padded position p: [first, last).
struct Range {
  std::size_t first, last;
};
Range windows(std::size_t p, std::size_t k, std::size_t stride, std::size_t outputs) {
  return {p < k ? 0 : (p - k) / stride + 1, std::min(outputs, p / stride + 1)};
}

template <class Visit>
void visit_outputs(const Pool2d& s, const std::uint32_t* index, std::size_t count, Visit visit) {
  const std::size_t out_h = s.out_height(), out_w = s.out_width();
  for (std::size_t e = 0; e < count; ++e) {
    const std::size_t x = index[e] % s.width, y = index[e] / s.width % s.height, c = index[e] / s.width / s.height;
    const Range down = windows(y + s.pad_h, s.kernel_h, s.stride_h, out_h), right = windows(x + s.pad_w, s.kernel_w, s.stride_w, out_w);
    for (std::size_t oy = down.first; oy < down.last; ++oy)
      for (std::size_t ox = right.first; ox < right.last; ++ox) visit(e, (c * out_h + oy) * out_w + ox);
  }
}

}  // namespace

void event_max_pool(const Pool2d& s, const std::uint32_t* index, std::size_t count, std::uint64_t* bits) noexcept {
  std::fill(bits, bits + words_per_row(s.outputs()), 0);
  visit_outputs(s, index, count, [&](std::size_t, std::size_t o) { bits[o / 64] |= std::uint64_t{1} << (o % 64); });
}

void event_average_pool(const Pool2d& s, const std::uint32_t* index, const float* value, std::size_t count, float* y) noexcept {
  std::fill(y, y + s.outputs(), 0.0f);
  visit_outputs(s, index, count, [&](std::size_t e, std::size_t o) { y[o] += value ? value[e] : 1.0f; });
  const float area = static_cast<float>(s.kernel_h * s.kernel_w);
  for (std::size_t o = 0; o < s.outputs(); ++o) y[o] /= area;
}

void max_pool_spikes(const Pool2d& s, const std::uint64_t* in, const std::uint32_t* index, std::size_t count, std::uint64_t* bits) noexcept {
  std::fill(bits, bits + words_per_row(s.outputs()), 0);
  if (const std::size_t words = s.channels / 64; s.whole_words()) {  // whole words of a pixel are joined instead of spikes
    for (std::size_t oy = 0; oy < s.out_height(); ++oy)
      for (std::size_t ox = 0; ox < s.out_width(); ++ox, bits += words)
        for (std::size_t k = 0; k < s.kernel_h * s.kernel_w; ++k) {
          const std::uint64_t* from = in + ((oy * s.stride_h + k / s.kernel_w) * s.width + ox * s.stride_w + k % s.kernel_w) * words;
          for (std::size_t w = 0; w < words; ++w) bits[w] |= from[w];
        }
    return;
  }
  for (std::size_t e = 0; e < count; ++e) {
    const std::size_t c = index[e] % s.channels, pixel = index[e] / s.channels;
    const Range down = windows(pixel / s.width, s.kernel_h, s.stride_h, s.out_height()), right = windows(pixel % s.width, s.kernel_w, s.stride_w, s.out_width());
    for (std::size_t oy = down.first; oy < down.last; ++oy)
      for (std::size_t ox = right.first; ox < right.last; ++ox) {
        const std::size_t at = (oy * s.out_width() + ox) * s.channels + c;
        bits[at / 64] |= std::uint64_t{1} << (at % 64);
      }
  }
}

std::size_t sum_pool_spikes(const Pool2d& s, const std::uint32_t* index, std::size_t count, std::uint32_t* starts, std::uint32_t* sums) noexcept {
  find_starts({.in_channels = s.channels, .height = s.height, .width = s.width}, index, count, starts);
  std::size_t n = 0;
  for (std::size_t oy = 0; oy < s.out_height(); ++oy)
    for (std::size_t ox = 0; ox < s.out_width(); ++ox) {
      const std::uint32_t to = static_cast<std::uint32_t>((oy * s.out_width() + ox) * s.channels);
      for (std::size_t ky = 0; ky < s.kernel_h; ++ky) {
        const std::size_t pixel = (oy * s.stride_h + ky) * s.width + ox * s.stride_w;
        for (std::size_t kx = 0; kx < s.kernel_w; ++kx) {
          const auto moved = to - static_cast<std::uint32_t>((pixel + kx) * s.channels);  // modulo 2^32
          for (std::size_t e = starts[pixel + kx]; e < starts[pixel + kx + 1]; ++e) sums[n++] = index[e] + moved;
        }
      }
    }
  return n;
}

}  // namespace apical::kernels
