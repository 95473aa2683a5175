#pragma once
// What event_conv.cpp and event_int8.cpp walk alike outside their SIMD targets: the weights as trained, and the references. Not for other rooms.
#include "apical/kernels/event_conv.h"

namespace apical::kernels {

/// Calls weight(row, o, at) for every weight: at in [O, I / groups, KH, KW] as trained is that of output o of its group in row `row` of the
/// prepared layout [KH, KW, I].
template <class Weight>
void each_weight(const Conv2d& s, const Weight& weight) {
  const std::size_t each = s.out_channels / s.groups, in_each = s.in_channels / s.groups, area = s.kernel_h * s.kernel_w;
  for (std::size_t o = 0; o < s.out_channels; ++o)
    for (std::size_t i = 0; i < in_each; ++i)
      for (std::size_t k = 0; k < area; ++k) weight(k * s.in_channels + o / each * in_each + i, o % each, (o * in_each + i) * area + k);
}

/// Event by event on purpose: each looks for the outputs, of the rows [first_y, last_y), whose windows it lies in. Calls reach(e, row, to) for
/// each: row of the prepared layout, and where the first output of the event's group lies in y, which begins with those rows.
template <class Reach>
void each_reached(const Conv2d& s, const std::uint32_t* index, std::size_t count, std::size_t first_y, std::size_t last_y, const Reach& reach) {
  const std::size_t each = s.out_channels / s.groups;
  for (std::size_t e = 0; e < count; ++e) {
    const std::size_t channel = index[e] % s.in_channels, at_x = index[e] / s.in_channels % s.width, at_y = index[e] / s.in_channels / s.width;
    for (std::size_t oy = first_y; oy < last_y; ++oy)
      for (std::size_t ox = 0; ox < s.out_width(); ++ox)
        for (std::size_t ky = 0; ky < s.kernel_h; ++ky)
          for (std::size_t kx = 0; kx < s.kernel_w; ++kx) {
            if (oy * s.stride_h + ky != at_y + s.pad_h || ox * s.stride_w + kx != at_x + s.pad_w) continue;
            reach(e, (ky * s.kernel_w + kx) * s.in_channels + channel,
                  ((oy - first_y) * s.out_width() + ox) * s.out_channels + channel / (s.in_channels / s.groups) * each);
          }
  }
}

}  // namespace apical::kernels
