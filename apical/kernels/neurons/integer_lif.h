#pragma once
// Leaky integrate-and-fire in integers (lif.h in fixed point), one step at a time, in 16 bits. All exact; limit = 2^15 - 1:
//
//   input    x = clamp(I, -(limit >> shift), limit >> shift) 2^shift for shift >= 0,
//            x = clamp(floor(I / 2^-shift + 1/2), -limit, limit) else   I: the current, an integer
//   leak     d v = ceil(decay v / 2^15 - 1/2)                            the decay has 15 bits
//   charge   h[t] = clamp(leak + x, -limit, limit)                       leak: v, decayed and reset as lif.h says for reset_at
//   fire     s[t] = h[t] >= v_th (ge) or h[t] > v_th (gt)
//   state    as in lif.h
//
// graph/integer.h chooses the membrane's unit so that v_th has 12 bits: the membrane saturates at 8 to 16 thresholds.
#include <cstddef>
#include <cstdint>

#include "apical/kernels/neurons/lif.h"

namespace apical::kernels {

inline constexpr int integer_decay_bits = 15;
inline constexpr std::int32_t integer_limit = 32767;  ///< of |v|
inline constexpr std::int32_t integer_current_limit = std::int32_t{1} << 30;  ///< of |I|

struct IntegerLif {
  std::int32_t decay = 1 << (integer_decay_bits - 1);  ///< [0, 2^15]
  std::int32_t v_th = 1 << 11, v_reset = 0;            ///< in [1, limit], and [-limit, v_th)
  int shift = 0;                                       ///< in [-30, 15]
  Reset reset = Reset::soft;
  Compare compare = Compare::ge;
  ResetAt reset_at = ResetAt::same_step;
  bool operator==(const IntegerLif&) const = default;
};

/// One step of n neurons: current [n]; v [n] in and out, within the limit; leak: [n], minus the decay of each neuron, or null (lif.decay);
/// bits: as in SpikeBits (bits.h), the (n + 63) / 64 words that hold neurons.
void integer_lif_step(const IntegerLif& lif, const std::int16_t* leak, const std::int32_t* current, std::size_t n, std::int16_t* v,
                      std::uint64_t* bits) noexcept;
/// The same for currents clamped to int16, which is no loss: shift must not be negative.
void integer_lif_step(const IntegerLif& lif, const std::int16_t* leak, const std::int16_t* current, std::size_t n, std::int16_t* v,
                      std::uint64_t* bits) noexcept;

}  // namespace apical::kernels
