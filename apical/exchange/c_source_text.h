#pragma once
// Private to exchange: the fixed parts of a written C file (c_writer.h). Each layer has a function of its own, with its sizes as constants
// in front (@C; @N is its number): a compiler then knows how often the inner loops run. @X, @W and @Y: types of input, weight and output;
// @V of a factor; @B: what a sum begins with; @M: "v * " or, where inputs are 0 and 1, "".
#include <map>
#include <string>

namespace apical::exchange::c_text {

inline constexpr const char* conv = R"(
/* y[oh, ow, o] = b[o] + sum of x[h, w, i] * w[i, kh, kw, o]: each input that is not zero adds its weights to the outputs it reaches. */
static void @P_layer@N(const @X *restrict x, @Y *restrict y) {
@C  const long each = O / G, in_each = C / G;
  for (long i = 0; i < OH * OW; ++i)
    for (long o = 0; o < O; ++o) y[i * O + o] = @B;
  for (long row = 0; row < H; ++row)
    for (long column = 0; column < W; ++column)
      for (long c = 0; c < C; ++c) {
        const @V v = x[(row * W + column) * C + c];
        if (v == 0) continue;
        for (long kh = 0; kh < KH; ++kh) {
          const long down = row + PH - kh;
          if (down < 0) break;
          if (down % SH != 0 || down / SH >= OH) continue;
          for (long kw = 0; kw < KW; ++kw) {
            const long right = column + PW - kw;
            const @W *from = @P_w@N + ((c * KH + kh) * KW + kw) * each;
            @Y *to = y + (down / SH * OW + right / SW) * O + c / in_each * each;
            if (right < 0) break;
            if (right % SW != 0 || right / SW >= OW) continue;
            for (long o = 0; o < each; ++o) to[o] = (@Y)(to[o] + @Mfrom[o]);
          }
        }
      }
}
)";

inline constexpr const char* dense = R"(
/* y[o] = b[o] + sum of x[i] * w[i, o] */
static void @P_layer@N(const @X *restrict x, @Y *restrict y) {
@C  for (long o = 0; o < O; ++o) y[o] = @B;
  for (long i = 0; i < I; ++i) {
    const @V v = x[i];
    const @W *from = @P_w@N + i * O;
    if (v == 0) continue;
    for (long o = 0; o < O; ++o) y[o] = (@Y)(y[o] + @Mfrom[o]);
  }
}
)";

inline constexpr const char* larger = "y[c] < from[c] ? from[c] : y[c]";

/// @J: how y[c] takes in from[c]; @E: what is done with each y[c] at the end.
inline constexpr const char* pool = R"(
/* y = mean, sum or largest of each window of K x K, D apart */
static void @P_layer@N(const @X *restrict x, @Y *restrict y) {
@C  for (long oh = 0; oh < OH; ++oh)
    for (long ow = 0; ow < OW; ++ow, y += C) {
      const @X *from = x + (oh * D * W + ow * D) * C;
      for (long c = 0; c < C; ++c) y[c] = from[c];
      for (long k = 1; k < K * K; ++k) {
        from = x + ((oh * D + k / K) * W + ow * D + k % K) * C;
        for (long c = 0; c < C; ++c) y[c] = @J;
      }
@E    }
}
)";

inline constexpr const char* affine = R"(
/* y[c] = scale[c] * x[c] + shift[c] at each pixel */
static void @P_layer@N(const @X *restrict x, @Y *restrict y) {
@C  for (long i = 0; i < pixels; ++i)
    for (long c = 0; c < C; ++c) y[i * C + c] = @P_scale@N[c] * (float)x[i * C + c] + @P_shift@N[c];
}
)";

/// @A: "const float *context, " or nothing; @K: C; @T: statements that give t; @S: h.
inline constexpr const char* two_point = R"(
/* h = output(T(R, C)): two-point cells */
static void @P_layer@N(const @X *restrict x, @A@Y *restrict y) {
@C  for (long i = 0; i < N; ++i) {
    const float r = (float)x[i], c = @K;
    @T
    y[i] = @S;
  }
}
)";

/// @K and @V: types of keys and values; @D: the root of a head's width; @E: the function of 2^w; @L: log2(e).
inline constexpr const char* attention = R"(
/* y = heads of softmax(Q K^T / sqrt(width of a head)) V between tokens, whose values lie side by side */
static void @P_layer@N(const @X *restrict q, const @K *restrict k, const @V *restrict v, float *restrict weights, @Y *restrict y) {
@C  for (long i = 0; i < tokens * width; ++i) y[i] = 0.0f;
  for (long n = 0; n < tokens; ++n)
    for (long first = 0; first < width; first += each) {
      float most, sum = 0.0f;
      for (long m = 0; m < tokens; ++m) weights[m] = 0.0f;
      for (long f = first; f < first + each; ++f) {
        const float of_query = (float)q[n * width + f];
        if (of_query == 0.0f) continue;
        for (long m = 0; m < tokens; ++m) weights[m] += of_query * (float)k[m * width + f];
      }
      most = weights[0];
      for (long m = 1; m < tokens; ++m) most = most < weights[m] ? weights[m] : most;
      for (long m = 0; m < tokens; ++m) {
        weights[m] = @E((weights[m] - most) / @D * @L);
        sum += weights[m];
      }
      for (long m = 0; m < tokens; ++m) {
        const float weight = weights[m] / sum;
        for (long f = first; f < first + each; ++f) y[n * width + f] += weight * (float)v[m * width + f];
      }
    }
}
)";

/// @T: v_th.
inline constexpr const char* sliding = R"(
/* h = sum of w[k] * x of k steps before */
static void @P_layer@N(const @X *restrict x, float *restrict past, @Y *restrict y) {
@C  for (long i = 0; i < N; ++i) {
    float h = 0.0f + @P_w@N[0] * (float)x[i];
    for (long k = 1; k < K; ++k) h = h + @P_w@N[k] * past[(K - 1 - k) * N + i];
    for (long k = 2; k < K; ++k) past[(k - 2) * N + i] = past[(k - 1) * N + i];
    if (K > 1) past[(K - 2) * N + i] = (float)x[i];
    y[i] = h >= @T;
  }
}
)";

/// Those of kernels/neurons/two_point-inl.h: a library's have other last bits.
inline const std::map<std::string, const char*> functions{
    {"exp2_parts", R"(
/* 2^w = (1 + rest) * power for w <= 126; below -126: 2^-126 */
static float @P_exp2_parts(float w, float *power) {
  union { float f; uint32_t bits; } shifted, two;
  w = -126.0f > w ? -126.0f : w;
  shifted.f = w + 12582912.0f;
  two.bits = (shifted.bits << 23) + 0x3f800000u;
  *power = two.f;
  const float f = w - (shifted.f - 12582912.0f), f2 = f * f;
  const float low = 0.693147182f + 0.240226492f * f, middle = 5.55035733e-2f + 9.61823761e-3f * f, high = 1.33907350e-3f + 1.54035122e-4f * f;
  return f * (low + f2 * (middle + f2 * high));
}
)"},
    {"exp2", R"(
static float @P_exp2(float w) {
  float power;
  const float rest = @P_exp2_parts(w, &power);
  return (rest + 1.0f) * power;
}
)"},
    {"one_minus_exp2", R"(
static float @P_one_minus_exp2(float w) {
  float power;
  const float rest = @P_exp2_parts(w, &power);
  return (1.0f - power) - rest * power;
}
)"},
    {"tanh", R"(
/* tanh(x / unit); scale: -2 log2(e) / unit */
static float @P_tanh(float x, float scale) {
  union { float f; uint32_t bits; } from, to;
  float power;
  from.f = x;
  const float moved = @P_exp2_parts((x < 0.0f ? -x : x) * scale, &power) * power;
  to.f = ((1.0f - power) - moved) / ((1.0f + power) + moved);
  to.bits |= from.bits & 0x80000000u;
  return to.f;
}
)"}};

inline constexpr const char* main = R"(
#ifdef APICAL_MAIN
#include <stdio.h>

/* Reads samples, @U_STEPS frames each, from standard input, and prints the scores of each as a line. */
int main(void) {
  static @P_net net;
  static float frame[@U_FRAME], scores[@U_SCORES];
  @P_init(&net);
  for (;;) {
    @P_reset(&net);
    for (long t = 0; t < @U_STEPS; ++t) {
      const size_t got = fread(frame, 1, sizeof frame, stdin);
      if (t == 0 && got == 0 && feof(stdin)) return 0;
      if (got != sizeof frame) {
        fprintf(stderr, "error: the input ends within a sample of %d frames of %d float32 values\n", @U_STEPS, @U_FRAME);
        return 3;
      }
      @P_step(&net, frame);
    }
    @P_scores(&net, scores);
    for (long i = 0; i < @U_SCORES; ++i) printf(i ? " %.9g" : "%.9g", (double)scores[i]);
    printf("\n");
  }
}
#endif
)";

inline constexpr const char* usage = R"c( *
 *     #include "@P.c"
 *     static @P_net net;              all the memory of a stream; nothing else is allocated or kept
 *     @P_init(&net);                  once
 *     @P_reset(&net);                 before each sample
 *     @P_step(&net, frame);           @U_STEPS times: float frame[@U_FRAME], channel first
 *     @P_scores(&net, scores);        float scores[@U_SCORES]: what the network says after the steps done since reset
 *
 * As a program: cc -std=c99 -O2 -DAPICAL_MAIN @P.c reads float32 frames (the machine's byte order) from standard input, @U_STEPS a
 * sample, and prints a line of scores for each sample.
 *
)c";

inline constexpr const char* head =
    R"c( * The scores are those of Apical's runtime, bit for bit, when the compiler does not contract a * b + c into one operation:
 * gcc and clang with -ffp-contract=off, or gcc with -std=c99. The pragmas below say the same. NaN in a frame is computed with; a neuron
 * whose membrane is NaN does not fire until reset. */
#include <float.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif
#if FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2
#error "this target evaluates float in a wider type: its scores would differ (on x86: compile with -msse2 -mfpmath=sse)"
#endif
)c";

}  // namespace apical::exchange::c_text
