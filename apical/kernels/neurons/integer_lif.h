#pragma once
// Leaky integrate-and-fire in integers (lif.h in fixed point), one step at a time. With round(a) = floor(a + 1/2), all exact:
//
//   input    x = I 2^shift for shift >= 0, round(I / 2^-shift) else     I: the current, an integer
//   leak     d v = round(decay v / 4096)                                the decay has 12 bits
//   charge   h[t] = clamp(leak + x, -limit, limit)                      leak: v, decayed and reset as lif.h says for reset_at
//   fire     s[t] = h[t] >= v_th (ge) or h[t] > v_th (gt)
//   state    as in lif.h
//
// The membrane saturates at limit = 2^19 - 1, so that decay v fits 32 bits; graph/integer.h chooses its unit so that v_th has 12 bits, and the
// membrane goes to 128 thresholds at least.
#include <cstddef>
#include <cstdint>

#include "apical/kernels/neurons/lif.h"

namespace apical::kernels {

inline constexpr int integer_decay_bits = 12;
inline constexpr std::int32_t integer_limit = (std::int32_t{1} << 19) - 1;
inline constexpr std::int32_t integer_current_limit = std::int32_t{1} << 30;  ///< of |I|, and of |I| 2^shift

struct IntegerLif {
  std::int32_t decay = 1 << (integer_decay_bits - 1);  ///< [0, 4096]
  std::int32_t v_th = 1 << 11, v_reset = 0;            ///< in [1, limit], and [-limit, v_th)
  int shift = 0;                                       ///< in [-30, 30]
  Reset reset = Reset::soft;
  Compare compare = Compare::ge;
  ResetAt reset_at = ResetAt::same_step;
  bool operator==(const IntegerLif&) const = default;
};

/// One step of n neurons: current [n]; v [n] in and out, within the limit; decay: [n] of each neuron, or null (lif.decay); bits: as in
/// SpikeBits (bits.h), the (n + 63) / 64 words that hold neurons.
void integer_lif_step(const IntegerLif& lif, const std::int32_t* decay, const std::int32_t* current, std::size_t n, std::int32_t* v,
                      std::uint64_t* bits) noexcept;

}  // namespace apical::kernels
