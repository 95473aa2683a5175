#pragma once
// What event_conv.cpp and event_int8.cpp walk alike outside their SIMD targets: the weights as trained. Not for other rooms.
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

}  // namespace apical::kernels
