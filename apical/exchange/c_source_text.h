#pragma once
// Private to exchange: the fixed parts of a written C file (c_writer.h), and of a float network's. @S and @T stand for the kind of the
// input: f and float, or s and unsigned char (spikes 0 and 1).

namespace apical::exchange::c_text {

inline constexpr const char* conv = R"(
/* y[oh, ow, o] = b[o] + sum of x[h, w, i] * w[i, kh, kw, o]: each input that is not zero adds its weights to the outputs it reaches. */
static void @P_conv_@S(const float *w, const float *b, const @T *x, long H, long W, long C, long O, long G, long KH, long KW,
                       long SH, long SW, long PH, long PW, long OH, long OW, float *y) {
  const long each = O / G, in_each = C / G;
  for (long i = 0; i < OH * OW; ++i)
    for (long o = 0; o < O; ++o) y[i * O + o] = b ? b[o] : 0.0f;
  for (long i = 0; i < H * W * C; ++i) {
    const float v = (float)x[i];
    const long c = i % C, row = i / C / W, column = i / C % W;
    if (v == 0.0f) continue;
    for (long kh = 0; kh < KH; ++kh) {
      const long down = row + PH - kh;
      if (down < 0) break;
      if (down % SH != 0 || down / SH >= OH) continue;
      for (long kw = 0; kw < KW; ++kw) {
        const long right = column + PW - kw;
        if (right < 0) break;
        if (right % SW != 0 || right / SW >= OW) continue;
        const float *from = w + ((c * KH + kh) * KW + kw) * each;
        float *to = y + (down / SH * OW + right / SW) * O + c / in_each * each;
        for (long o = 0; o < each; ++o) to[o] = to[o] + v * from[o];
      }
    }
  }
}
)";

inline constexpr const char* dense = R"(
/* y[o] = b[o] + sum of x[i] * w[i, o] */
static void @P_dense_@S(const float *w, const float *b, const @T *x, long I, long O, float *y) {
  for (long o = 0; o < O; ++o) y[o] = b ? b[o] : 0.0f;
  for (long i = 0; i < I; ++i) {
    const float v = (float)x[i];
    if (v == 0.0f) continue;
    for (long o = 0; o < O; ++o) y[o] = y[o] + v * w[i * O + o];
  }
}
)";

inline constexpr const char* average = R"(
/* y = mean of each window of K x K, D apart */
static void @P_average_@S(const @T *x, long W, long C, long K, long D, long OH, long OW, float *y) {
  for (long oh = 0; oh < OH; ++oh)
    for (long ow = 0; ow < OW; ++ow)
      for (long c = 0; c < C; ++c) {
        const @T *window = x + (oh * D * W + ow * D) * C + c;
        float sum = (float)window[0];
        for (long k = 1; k < K * K; ++k) sum = sum + (float)window[(k / K * W + k % K) * C];
        y[(oh * OW + ow) * C + c] = sum * (1.0f / (float)(K * K));
      }
}
)";

inline constexpr const char* largest = R"(
/* y = largest of each window of K x K, D apart */
static void @P_max_@S(const @T *x, long W, long C, long K, long D, long OH, long OW, @T *y) {
  for (long oh = 0; oh < OH; ++oh)
    for (long ow = 0; ow < OW; ++ow)
      for (long c = 0; c < C; ++c) {
        const @T *window = x + (oh * D * W + ow * D) * C + c;
        @T most = window[0];
        for (long k = 1; k < K * K; ++k) {
          const @T v = window[(k / K * W + k % K) * C];
          if (most < v) most = v;
        }
        y[(oh * OW + ow) * C + c] = most;
      }
}
)";

inline constexpr const char* affine = R"(
/* y[c] = scale[c] * x[c] + shift[c] at each pixel */
static void @P_affine_@S(const float *scale, const float *shift, const @T *x, long pixels, long C, float *y) {
  for (long i = 0; i < pixels * C; ++i) y[i] = scale[i % C] * (float)x[i] + shift[i % C];
}
)";

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
