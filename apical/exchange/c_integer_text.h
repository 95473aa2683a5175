#pragma once
// Private to exchange: the fixed parts of the C file of an integer network that others have not. @F: 1 / unit of the input.

namespace apical::exchange::c_text {

inline constexpr const char* integer_head =
    R"c( * All between frame and scores is integers: int8 weights, sums as wide as they can become, int16 membranes. The scores are those of
 * Apical's integer runtime, bit for bit. NaN in a frame counts as 0, what lies beyond the input's range as its end. */
#include <float.h>
#include <stddef.h>
#include <stdint.h>

#if FLT_EVAL_METHOD == 2
#error "this target evaluates double in a wider type: its scores could differ (on x86: compile with -msse2 -mfpmath=sse)"
#endif
)c";

inline constexpr const char* whole = R"(
/* x in units of the input: the nearest of -127 to 127, the even one of two as near */
static int8_t @P_whole(float x) {
  const float v = x * @F;
  int q;
  float rest;
  if (v != v) return 0;
  if (v >= 127.0f) return 127;
  if (v <= -127.0f) return -127;
  q = (int)v;
  rest = v - (float)q;
  if (rest > 0.5f || (rest == 0.5f && q % 2 != 0)) ++q;
  if (rest < -0.5f || (rest == -0.5f && q % 2 != 0)) --q;
  return (int8_t)q;
}
)";

}  // namespace apical::exchange::c_text
