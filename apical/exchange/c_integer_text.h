#pragma once
// Private to exchange: the fixed parts of the C file of an integer network. Each layer has a function of its own, with its sizes as
// constants in front (@N its number and sizes): a compiler then knows how often the inner loops run. @X and @Y: types of input and output.
// @B what a sum begins with, @M "v * " or, where inputs are 0 and 1, "".

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

inline constexpr const char* integer_conv = R"(
/* y[oh, ow, o] = b[o] + sum of x[h, w, i] * w[i, kh, kw, o]: each input that is not zero adds its weights to the outputs it reaches. */
static void @P_layer@N(const @X *restrict x, @Y *restrict y) {
@C  const long each = O / G, in_each = C / G;
  for (long i = 0; i < OH * OW; ++i)
    for (long o = 0; o < O; ++o) y[i * O + o] = @B;
  for (long row = 0; row < H; ++row)
    for (long column = 0; column < W; ++column)
      for (long c = 0; c < C; ++c) {
        const int32_t v = x[(row * W + column) * C + c];
        if (v == 0) continue;
        for (long kh = 0; kh < KH; ++kh) {
          const long down = row + PH - kh;
          if (down < 0) break;
          if (down % SH != 0 || down / SH >= OH) continue;
          for (long kw = 0; kw < KW; ++kw) {
            const long right = column + PW - kw;
            const int8_t *from = @P_w@N + ((c * KH + kh) * KW + kw) * each;
            @Y *to = y + (down / SH * OW + right / SW) * O + c / in_each * each;
            if (right < 0) break;
            if (right % SW != 0 || right / SW >= OW) continue;
            for (long o = 0; o < each; ++o) to[o] = (@Y)(to[o] + @Mfrom[o]);
          }
        }
      }
}
)";

inline constexpr const char* integer_dense = R"(
/* y[o] = b[o] + sum of x[i] * w[i, o] */
static void @P_layer@N(const @X *restrict x, @Y *restrict y) {
@C  for (long o = 0; o < O; ++o) y[o] = @B;
  for (long i = 0; i < I; ++i) {
    const int32_t v = x[i];
    const int8_t *from = @P_w@N + i * O;
    if (v == 0) continue;
    for (long o = 0; o < O; ++o) y[o] = (@Y)(y[o] + @Mfrom[o]);
  }
}
)";

/// @J: how y[c] takes in from[c].
inline constexpr const char* integer_pool = R"(
/* y = sum, or largest, of each window of K x K, D apart */
static void @P_layer@N(const @X *restrict x, @Y *restrict y) {
@C  for (long oh = 0; oh < OH; ++oh)
    for (long ow = 0; ow < OW; ++ow, y += C) {
      const @X *from = x + (oh * D * W + ow * D) * C;
      for (long c = 0; c < C; ++c) y[c] = from[c];
      for (long k = 1; k < K * K; ++k) {
        from = x + ((oh * D + k / K) * W + ow * D + k % K) * C;
        for (long c = 0; c < C; ++c) y[c] = @J;
      }
    }
}
)";

}  // namespace apical::exchange::c_text
