#pragma once
// What one CUDA thread does: one neuron over all steps, or some over few steps. Shared by the kernels (scan_cuda.cu) and by a test
// that runs the threads one after another on the host. Not for other rooms.
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/neurons/scan_tile.h"

#ifdef __CUDA_ARCH__
#define APICAL_UNROLL _Pragma("unroll")
#else
#define APICAL_UNROLL
#endif

namespace apical::kernels::cuda {

/// Threads of a block.
constexpr unsigned kBlock = 128;
/// Steps whose loads are in flight while the batch before is worked on: hides the latency of memory also where neurons are few.
constexpr int kBatch = 8;
/// A thread of few steps, up to these, has some neurons, kBlock apart, and T fixed at compile time: what it does once, and each test of T,
/// weighs more than the steps, and one neuron has too few loads under way. It loads all that its neurons read before it steps.
constexpr unsigned kFewForwardSteps = 4, kFewBackwardSteps = 8;
constexpr unsigned kFewForward = 4;                                                    ///< neurons of a thread
constexpr unsigned few_backward(std::size_t T) { return T <= 4 ? 2 : 1; }              ///< the same; as many loads from 2 to 8 steps
constexpr bool few_steps(std::size_t T, unsigned most) { return T > 0 && T <= most; }  ///< else a thread has one neuron
/// Calls call(T) with T in [1, most] as a type.
template <unsigned most, class Call>
APICAL_FN void with_steps(std::size_t T, Call call) {
  if constexpr (most > 0) {
    if (T == most) return call(std::integral_constant<unsigned, most>{});
    with_steps<most - 1>(T, call);
  }
}
/// Steps whose membranes backward keeps at a time, in shared memory (32 KiB a block). Sequences up to this length read x once.
constexpr std::size_t kKept = 64;

/// Backward cuts T into segments of `kept` steps, counted from the end: only the first is shorter.
APICAL_FN std::size_t segments(std::size_t T, std::size_t kept = kKept) { return (T + kept - 1) / kept; }
APICAL_FN std::size_t segment_start(std::size_t T, std::size_t k, std::size_t kept = kKept) {
  return k == 0 ? 0 : T - (segments(T, kept) - k) * kept;
}

using Ops = plain::Ops<float>;

/// Calls call(ResetForm) with the member that lif names; the comparison is read at run time, it costs one instruction.
template <class Call>
void with_form(const Lif& lif, Call call) {
#define APICAL_CASE(R, A) \
  if (lif.reset == Reset::R && lif.reset_at == ResetAt::A) return call(plain::ResetForm<Reset::R, ResetAt::A>{lif.compare});
  APICAL_CASE(hard, same_step)
  APICAL_CASE(hard, next_step)
  APICAL_CASE(hard, next_step_decayed)
  APICAL_CASE(soft, same_step)
  APICAL_CASE(soft, next_step)
  APICAL_CASE(soft, next_step_decayed)
#undef APICAL_CASE
  call(plain::ResetForm<Reset::none, ResetAt::same_step>{lif.compare});  // never reads reset_at
}

template <class F>
using Cell = plain::LifCell<Ops, F>;

template <class F, class Args>
APICAL_FN Cell<F> cell_of(const Args& a, std::size_t n) {
  const float decay = a.decay ? a.decay[a.decay_each ? n : 0] : a.lif.decay;
  return {{a.lif.compare}, decay, a.lif.decay_input ? 1.0f - decay : a.lif.input_scale, a.lif.v_th, a.lif.v_reset};
}

/// The next `count` values (all of a batch when `full`) from p, which moves on by count steps.
template <bool full>
APICAL_FN void load_batch(float (&value)[kBatch], const float*& p, std::ptrdiff_t step, std::size_t count) {
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j)
    if (full || static_cast<unsigned>(j) < count) {
      value[j] = *p;
      p += step;
    }
}
APICAL_FN void load_ahead(float (&value)[kBatch], const float*& p, std::ptrdiff_t step, std::size_t left) {
  if (left >= kBatch)
    load_batch<true>(value, p, step, kBatch);
  else
    load_batch<false>(value, p, step, left);
}

/// Calls step(x) for `left` steps, each `stride` behind the last; the loads run a batch ahead.
template <class Step>
APICAL_FN void walk(const float* x, std::ptrdiff_t stride, std::size_t left, Step step) {
  float ahead[kBatch] = {}, now[kBatch];
  load_ahead(ahead, x, stride, left);
  while (left > kBatch) {
    APICAL_UNROLL
    for (int j = 0; j < kBatch; ++j) now[j] = ahead[j];
    left -= kBatch;
    load_ahead(ahead, x, stride, left);
    APICAL_UNROLL
    for (int j = 0; j < kBatch; ++j) step(now[j]);
  }
  APICAL_UNROLL
  for (int j = 0; j < kBatch; ++j)
    if (static_cast<unsigned>(j) < left) step(ahead[j]);
}

/// Stores the spikes of a warp's 32 neurons. On the host, where threads follow one another, each adds its own to a word of zeros.
APICAL_FN void store_bits(std::uint32_t* word, unsigned lane, bool s) {
#ifdef __CUDA_ARCH__
  const std::uint32_t all = __ballot_sync(0xffffffffu, s);
  if (lane == 0) *word = all;
#else
  *word |= std::uint32_t{s} << lane;
#endif
}

/// Neuron n of forward. With spikes, n runs to the end of the padded row (whole warps): those behind N write zeros.
template <class F>
APICAL_FN void forward_thread(const scan::Forward& f, std::size_t n) {
  const bool real = n < f.N;
  const std::size_t at = real ? n : f.N - 1, row = words_per_row(f.N) * 2;
  const Cell<F> c = cell_of<F>(f, at);
  std::uint32_t* word = f.spikes ? reinterpret_cast<std::uint32_t*>(f.spikes) + n / 32 : nullptr;
  float *h_out = f.h ? f.h + at : nullptr, *s_out = f.spikes_f ? f.spikes_f + at : nullptr;
  const unsigned lane = static_cast<unsigned>(n % 32);
  float v = f.v0 ? f.v0[at] : 0.0f;
  walk(f.x + at, f.x_step, f.T, [&](float x) {
    const float h = c.charge(v, x);
    const bool s = c.fire(h);
    v = c.state(h, s);
    if (f.spikes) {
      store_bits(word, lane, s && real);
      word += row;
    }
    if (f.h) {
      if (real) *h_out = h;
      h_out += f.N;
    }
    if (f.spikes_f) {
      if (real) *s_out = s ? 1.0f : 0.0f;
      s_out += f.N;
    }
  });
  if (f.v && real) f.v[n] = v;
}

/// T steps of the neurons n, n + kBlock, ...; all are < N.
template <class F, unsigned T>
APICAL_FN void few_forward_steps(const scan::Forward& f, std::size_t n) {
  Cell<F> c[kFewForward];
  float v[kFewForward], x[T][kFewForward];
  APICAL_UNROLL
  for (unsigned k = 0; k < kFewForward; ++k) {
    c[k] = cell_of<F>(f, n + k * kBlock);
    v[k] = f.v0 ? f.v0[n + k * kBlock] : 0.0f;
  }
  const std::size_t row = words_per_row(f.N) * 2;
  const unsigned lane = static_cast<unsigned>(n % 32);
  const float* in = f.x + n;
  APICAL_UNROLL
  for (unsigned t = 0; t < T; ++t, in += f.x_step) {
    APICAL_UNROLL
    for (unsigned k = 0; k < kFewForward; ++k) x[t][k] = in[k * kBlock];
  }
  APICAL_UNROLL
  for (unsigned t = 0; t < T; ++t) {
    APICAL_UNROLL
    for (unsigned k = 0; k < kFewForward; ++k) {
      const float h = c[k].charge(v[k], x[t][k]);
      const bool s = c[k].fire(h);
      v[k] = c[k].state(h, s);
      const std::size_t to = t * f.N + n + k * kBlock;
      if (f.spikes) store_bits(reinterpret_cast<std::uint32_t*>(f.spikes) + t * row + n / 32 + k * (kBlock / 32), lane, s);
      if (f.h) f.h[to] = h;
      if (f.spikes_f) f.spikes_f[to] = s ? 1.0f : 0.0f;
    }
  }
  APICAL_UNROLL
  for (unsigned k = 0; k < kFewForward; ++k)
    if (f.v) f.v[n + k * kBlock] = v[k];
}

/// The neurons n, n + kBlock, ... of forward when few_steps(T, kFewForwardSteps); `threads`: N, or with spikes the end of the padded row.
template <class F>
APICAL_FN void few_forward_thread(const scan::Forward& f, std::size_t n, std::size_t threads) {
  if (n - n % kBlock + kFewForward * kBlock <= f.N) {  // so do all threads of the block
    with_steps<kFewForwardSteps>(f.T, [&](auto T) { few_forward_steps<F, decltype(T)::value>(f, n); });
    return;
  }
  for (; n < threads; n += kBlock) forward_thread<F>(f, n);
}

/// d[i] = surrogate derivative at u[i]: one switch a batch.
template <int count>
APICAL_FN void surrogates(const Surrogate& s, float a, const float (&u)[count], float (&d)[count]) {
  switch (s.kind) {
#define APICAL_CASE(kind_)                                                                     \
  case SurrogateKind::kind_: {                                                                 \
    const plain::SurrogateCell<Ops, SurrogateKind::kind_> f{s.height, a};                      \
    APICAL_UNROLL                                                                              \
    for (int i = 0; i < count; ++i) d[i] = f(u[i]);                                            \
    break;                                                                                     \
  }
    APICAL_SURROGATES(APICAL_CASE)
#undef APICAL_CASE
  }
}

struct BackwardArgs : scan::Backward {
  float surrogate_a;  ///< plain::surrogate_constant
  float* starts;      ///< [segments(T) - 1, N]: states where the segments before the last start
  float* grad_x_sum;  ///< [N] for a constant input, and grad_x is null then
};

/// What backward carries from step to step, last step first.
struct Gradient {
  const float *grad_s, *x;  ///< of the next steps to load
  float* grad_x;            ///< of the next step
  unsigned t;               ///< low bits of the next step + 1
  float v;                  ///< dL/dv[t]
  float x_sum = -0.0f;      ///< of dL/dx, for a constant input; -0 leaves what is added to it as it is
  float part = 0;           ///< dL/ddecay: float within scan::kSegment steps, float64 over them, as the reference
  double decay = 0;
};

template <bool want_decay>
APICAL_FN bool reads_x_again(const BackwardArgs& b) {
  return want_decay && b.lif.decay_input;
}

/// `count` steps backwards (a whole batch when `full`). h[j], x[j], grad_s[j]: of the step j before the last, x where it is read again;
/// h[count] is the state itself when these reach the start of the segment (not `full`).
template <class F, bool want_decay, bool full>
APICAL_FN void backward_batch(const BackwardArgs& b, const Cell<F>& c, const float (&h)[kBatch + 1], const float (&x)[kBatch],
                              const float (&grad_s)[kBatch], unsigned count, Gradient& g) {
  constexpr bool next = F::reset_at != ResetAt::same_step;
  const bool detach = b.lif.detach_reset, x_too = reads_x_again<want_decay>(b);
  float u[kBatch + 1], d[kBatch + 1];
  APICAL_UNROLL
  for (int j = 0; j <= kBatch; ++j) u[j] = h[j] - c.v_th;
  surrogates(b.surrogate, b.surrogate_a, u, d);
  APICAL_UNROLL
  for (unsigned j = 0; j < kBatch; ++j) {
    if (!full && j >= count) continue;
    const float gh = c.grad_charge(grad_s[j], g.v, h[j], d[j], detach);
    // With the next_step forms the state before is the membrane before, and so is its surrogate.
    const float before = next || (!full && j + 1 == count) ? h[j + 1] : c.state(h[j + 1], c.fire(h[j + 1]));
    --g.t;
    if constexpr (want_decay) {
      float slope = c.decay_slope(before);
      if (x_too) slope = slope - x[j];
      g.part = g.part + gh * slope;
      if (g.t % scan::kSegment == 0) {
        g.decay += g.part;
        g.part = 0;
      }
    }
    const float gx = c.input_scale * gh;
    if (b.grad_x_sum) g.x_sum = g.x_sum + gx;
    if (b.grad_x) {
      *g.grad_x = gx;
      g.grad_x -= b.N;
    }
    g.v = b.lif.detach_temporal ? 0.0f : c.grad_state(gh, before, d[j + 1], detach);
  }
}

/// The same from memory; kept[j * kBlock]: h of the step j after the one before these.
template <class F, bool want_decay, bool full>
APICAL_FN void backward_kept_batch(const BackwardArgs& b, const Cell<F>& c, const float* kept, const float (&grad_s)[kBatch],
                                   unsigned count, Gradient& g) {
  float h[kBatch + 1] = {}, x[kBatch] = {};
  if (reads_x_again<want_decay>(b)) load_batch<full>(x, g.x, -b.x_step, count);
  APICAL_UNROLL
  for (unsigned j = 0; j <= kBatch; ++j)
    if (full || j <= count) h[j] = kept[(count - j) * kBlock];
  backward_batch<F, want_decay, full>(b, c, h, x, grad_s, count, g);
}

/// One segment of `left` >= 1 steps that starts from the state v; kept: left + 1 floats, kBlock apart.
template <class F, bool want_decay>
APICAL_FN void backward_segment(const BackwardArgs& b, const Cell<F>& c, const float* x, float v, std::size_t steps, float* kept,
                                Gradient& g) {
  const std::ptrdiff_t back = -static_cast<std::ptrdiff_t>(b.N);
  unsigned left = static_cast<unsigned>(steps);
  float ahead[kBatch] = {}, now[kBatch];
  load_ahead(ahead, g.grad_s, back, left);  // on their way while the membrane is computed
  *kept = v;
  walk(x, b.x_step, left, [&](float in) {
    const float h = c.charge(v, in);
    v = c.state(h, c.fire(h));
    kept += kBlock;
    *kept = h;
  });
  while (left > kBatch) {
    APICAL_UNROLL
    for (int j = 0; j < kBatch; ++j) now[j] = ahead[j];
    left -= kBatch;
    load_ahead(ahead, g.grad_s, back, left);
    kept -= kBatch * kBlock;
    backward_kept_batch<F, want_decay, true>(b, c, kept, now, kBatch, g);
  }
  backward_kept_batch<F, want_decay, false>(b, c, kept - left * kBlock, ahead, left, g);
}

/// Before the last step of neuron n.
APICAL_FN Gradient gradient_of(const BackwardArgs& b, std::size_t n) {
  const std::size_t end = b.T * b.N - b.N + n;
  return {.grad_s = b.grad_s + end,
          .x = b.x + (b.T - 1) * b.x_step + n,
          .grad_x = b.grad_x ? b.grad_x + end : nullptr,
          .t = static_cast<unsigned>(b.T),
          .v = b.grad_v_last ? b.grad_v_last[n] : 0.0f};
}
/// After its first; returns dL/ddecay.
APICAL_FN double finish(const BackwardArgs& b, std::size_t n, const Gradient& g) {
  if (b.grad_x_sum) b.grad_x_sum[n] = g.x_sum;
  if (b.grad_v0) b.grad_v0[n] = g.v;
  return g.decay;
}

/// Neuron n < N of backward; kept: min(T, kKept) + 1 floats, kBlock apart. Returns dL/ddecay of the neuron.
template <class F, bool want_decay>
APICAL_FN double backward_thread(const BackwardArgs& b, std::size_t n, float* kept) {
  if (b.T == 0) {
    if (b.grad_v0) b.grad_v0[n] = b.grad_v_last ? b.grad_v_last[n] : 0.0f;
    return 0;
  }
  const Cell<F> c = cell_of<F>(b, n);
  const std::size_t count = segments(b.T);
  float v = b.v0 ? b.v0[n] : 0.0f;
  for (std::size_t k = 0; k + 1 < count; ++k) {
    const std::size_t first = segment_start(b.T, k);
    b.starts[k * b.N + n] = v;
    walk(b.x + first * b.x_step + n, b.x_step, segment_start(b.T, k + 1) - first, [&](float in) {
      const float h = c.charge(v, in);
      v = c.state(h, c.fire(h));
    });
  }
  Gradient g = gradient_of(b, n);
  for (std::size_t k = count; k-- > 0;) {
    const std::size_t first = segment_start(b.T, k);
    if (k + 1 < count) v = b.starts[k * b.N + n];
    backward_segment<F, want_decay>(b, c, b.x + first * b.x_step + n, v, segment_start(b.T, k + 1) - first, kept, g);
  }
  return finish(b, n, g);
}

/// T steps of the neurons n, n + kBlock, ... < N; done(n, dL/ddecay) for each.
template <class F, bool want_decay, unsigned T, class Done>
APICAL_FN void few_backward_thread(const BackwardArgs& b, std::size_t n, Done done) {
  constexpr unsigned count = few_backward(T);
  Cell<F> c[count];
  Gradient g[count];
  float start[count], grad_s[count][kBatch] = {}, x[count][kBatch] = {};  // x[k][j], grad_s[k][j]: j before the last
  APICAL_UNROLL
  for (unsigned k = 0; k < count; ++k) {
    const std::size_t at = n + k * kBlock < b.N ? n + k * kBlock : b.N - 1;
    c[k] = cell_of<F>(b, at);
    g[k] = gradient_of(b, at);
    start[k] = b.v0 ? b.v0[at] : 0.0f;
    load_batch<false>(x[k], g[k].x, -static_cast<std::ptrdiff_t>(b.x_step), T);
    load_batch<false>(grad_s[k], g[k].grad_s, -static_cast<std::ptrdiff_t>(b.N), T);
  }
  APICAL_UNROLL
  for (unsigned k = 0; k < count; ++k) {
    if (n + k * kBlock >= b.N) return;
    float h[kBatch + 1] = {}, v = start[k];
    h[T] = v;
    APICAL_UNROLL
    for (unsigned t = 0; t < T; ++t) {
      const float membrane = c[k].charge(v, x[k][T - 1 - t]);
      v = c[k].state(membrane, c[k].fire(membrane));
      h[T - 1 - t] = membrane;
    }
    backward_batch<F, want_decay, false>(b, c[k], h, x[k], grad_s[k], T, g[k]);
    done(n + k * kBlock, finish(b, n + k * kBlock, g[k]));
  }
}

}  // namespace apical::kernels::cuda
