#pragma once
// What one CUDA thread does for the neurons of models.h, as scan_cuda_thread.h does for the plain family: one neuron over all steps.
// Shared by the kernels (neuron_scan_cuda.cu) and by a test that runs the threads one after another on the host. Not for other rooms.
#include "apical/kernels/neurons/neuron_scalar.h"
#include "apical/kernels/neurons/neuron_scan.h"
#include "apical/kernels/neurons/scan_cuda_thread.h"

namespace apical::kernels::cuda {

/// Calls call(ResetForm) with the form that the model names.
template <class Model, class Call>
void with_form(const Model& m, Call call) {
  with_form(m.lif, call);
}
template <class Call>
void with_form(const Alif& m, Call call) {  // never reads reset_at
  switch (m.lif.reset) {
    case Reset::hard: return call(plain::ResetForm<Reset::hard, ResetAt::same_step>{m.lif.compare});
    case Reset::soft: return call(plain::ResetForm<Reset::soft, ResetAt::same_step>{m.lif.compare});
    case Reset::none: return call(plain::ResetForm<Reset::none, ResetAt::same_step>{m.lif.compare});
  }
}
template <class Call>
void with_form(const MultiLif&, Call call) {  // has no other
  call(plain::ResetForm<Reset::soft, ResetAt::same_step>{});
}

/// Steps whose states backward keeps at a time: as many floats as the plain family keeps.
template <class Model>
inline constexpr std::size_t kKeptSteps = kKept / Model::kStates;
/// Floats from the states of a step to those of the next; those of one step are kBlock apart.
template <class Model>
inline constexpr std::size_t kStepStride = Model::kStates * kBlock;

/// state[k] = from[k * stride], or 0.
template <std::size_t count>
APICAL_FN void load_states(float (&state)[count], const float* from, std::size_t stride) {
  APICAL_UNROLL
  for (std::size_t k = 0; k < count; ++k) state[k] = from ? from[k * stride] : 0.0f;
}
template <std::size_t count>
APICAL_FN void store_states(const float (&state)[count], float* to, std::size_t stride) {
  APICAL_UNROLL
  for (std::size_t k = 0; k < count; ++k) to[k * stride] = state[k];
}

/// Neuron n of forward. With spikes, n runs to the end of the padded row (whole warps): those behind N write zeros.
template <class F, class Model>
APICAL_FN void neuron_forward_thread(const Model& m, const NeuronForward& f, std::size_t n) {
  const bool real = n < f.N;
  const std::size_t at = real ? n : f.N - 1, row = words_per_row(f.N) * 2;
  const auto cell = plain::neuron<float, F>(m, f.params, at, f.N);
  std::uint32_t* word = f.spikes ? reinterpret_cast<std::uint32_t*>(f.spikes) + n / 32 : nullptr;
  std::uint8_t* counts = f.counts ? f.counts + at : nullptr;
  float *h_out = f.h ? f.h + at : nullptr, *s_out = f.spikes_f ? f.spikes_f + at : nullptr;
  const unsigned lane = static_cast<unsigned>(n % 32);
  float state[Model::kStates];
  load_states(state, f.state0 ? f.state0 + at : nullptr, f.N);
  walk(f.x + at, f.N, f.T, [&](float x) {
    const auto s = cell.step(state, x);
    if (f.spikes) {
      store_bits(word, lane, s.fired && real);
      word += row;
    }
    if (f.counts) {
      if (real) *counts = static_cast<std::uint8_t>(s.count);
      counts += f.N;
    }
    if (f.h) {
      if (real) *h_out = s.h;
      h_out += f.N;
    }
    if (f.spikes_f) {
      if (real) *s_out = s.count;
      s_out += f.N;
    }
  });
  if (f.state && real) store_states(state, f.state + n, f.N);
}

template <class Model>
struct NeuronBackwardArgs : NeuronBackward {
  Model model;
  Surrogate surrogate;
  float surrogate_a;  ///< plain::surrogate_constant
  float* starts;      ///< [segments(T, kKeptSteps) - 1, kStates, N]: states where the segments before the last start
};

/// What backward carries from step to step, last step first.
template <class Model>
struct NeuronGradient {
  const float *grad_s, *x;              ///< of the next steps to load
  float* grad_x;                        ///< of the next step
  unsigned t;                           ///< low bits of the next step + 1
  float state[Model::kStates] = {};     ///< dL/d state
  float part[Model::kParams] = {};      ///< dL/d parameter: float within scan::kSegment steps, float64 over them, as the reference
  double params[Model::kParams] = {};
};

/// d[j]: the surrogate at the step j before the last of a batch; behind them, with a reset in the next step, at the state before them all.
template <class F, bool full, class Model, class Cell>
APICAL_FN void batch_surrogates(const NeuronBackwardArgs<Model>& b, const Cell& cell, const float* kept, const float (&x)[kBatch], unsigned count,
                                float (&d)[kBatch + 1]) {
  if constexpr (plain::kReadsSurrogate<Model>) {
    float u[kBatch + 1] = {};
    APICAL_UNROLL
    for (unsigned j = 0; j <= kBatch; ++j) {
      float state[Model::kStates];
      if (full ? j < kBatch : j < count) {
        load_states(state, kept + (count - 1 - j) * kStepStride<Model>, kBlock);
        u[j] = cell.step(state, x[j < kBatch ? j : 0]).u;
      } else if (F::reset_at != ResetAt::same_step && j == count) {
        load_states(state, kept, kBlock);
        u[j] = cell.u_before(state);
      }
    }
    surrogates(b.surrogate, b.surrogate_a, u, d);
  }
}

/// `count` steps backwards (a whole batch when `full`); kept: the states before them, in the order of the steps.
template <class F, bool want_params, bool full, class Model, class Cell>
APICAL_FN void neuron_backward_batch(const NeuronBackwardArgs<Model>& b, const Cell& cell, const float* kept, const float (&grad_s)[kBatch],
                                     unsigned count, NeuronGradient<Model>& g) {
  float x[kBatch] = {}, d[kBatch + 1] = {};
  load_batch<full>(x, g.x, -static_cast<std::ptrdiff_t>(b.N), count);
  batch_surrogates<F, full>(b, cell, kept, x, count, d);
  APICAL_UNROLL
  for (unsigned j = 0; j < kBatch; ++j) {
    if (!full && j >= count) continue;
    float before[Model::kStates], slopes[Model::kParams];
    load_states(before, kept + (count - 1 - j) * kStepStride<Model>, kBlock);
    const float gx = cell.gradient(b.model, before, x[j], d[j], d[j + 1], grad_s[j], g.state, slopes);
    --g.t;
    if (b.grad_x) {
      *g.grad_x = gx;
      g.grad_x -= b.N;
    }
    if (plain::detach_temporal(b.model)) load_states(g.state, nullptr, 0);
    if constexpr (want_params) {
      APICAL_UNROLL
      for (std::size_t k = 0; k < Model::kParams; ++k) {
        g.part[k] = g.part[k] + slopes[k];
        if (g.t % scan::kSegment != 0) continue;
        g.params[k] += g.part[k];
        g.part[k] = 0;
      }
    }
  }
}

/// One segment of `steps` >= 1 steps that starts from `state`; kept: its states, as many steps.
template <class F, bool want_params, class Model, class Cell>
APICAL_FN void neuron_backward_segment(const NeuronBackwardArgs<Model>& b, const Cell& cell, const float* x, float (&state)[Model::kStates],
                                       std::size_t steps, float* kept, NeuronGradient<Model>& g) {
  const std::ptrdiff_t back = -static_cast<std::ptrdiff_t>(b.N);
  unsigned left = static_cast<unsigned>(steps);
  float ahead[kBatch] = {}, now[kBatch];
  load_ahead(ahead, g.grad_s, back, left);  // on their way while the states are computed
  walk(x, b.N, left, [&](float in) {
    store_states(state, kept, kBlock);
    kept += kStepStride<Model>;
    cell.step(state, in);
  });
  while (left > kBatch) {
    APICAL_UNROLL
    for (int j = 0; j < kBatch; ++j) now[j] = ahead[j];
    left -= kBatch;
    load_ahead(ahead, g.grad_s, back, left);
    kept -= kBatch * kStepStride<Model>;
    neuron_backward_batch<F, want_params, true>(b, cell, kept, now, kBatch, g);
  }
  neuron_backward_batch<F, want_params, false>(b, cell, kept - left * kStepStride<Model>, ahead, left, g);
}

/// Neuron n < N of backward; kept: min(T, kKeptSteps) * kStates floats, kBlock apart. sums: dL/d parameter of the neuron.
template <class F, bool want_params, class Model>
APICAL_FN void neuron_backward_thread(const NeuronBackwardArgs<Model>& b, std::size_t n, float* kept, double (&sums)[Model::kParams]) {
  constexpr std::size_t S = Model::kStates, keep = kKeptSteps<Model>;
  const float* last = b.grad_state_last ? b.grad_state_last + n : nullptr;
  NeuronGradient<Model> g{};
  load_states(g.state, last, b.N);
  if (b.T > 0) {
    const auto cell = plain::neuron<float, F>(b.model, b.params, n, b.N);
    const std::size_t count = segments(b.T, keep), end = (b.T - 1) * b.N + n;
    float state[S];
    load_states(state, b.state0 ? b.state0 + n : nullptr, b.N);
    for (std::size_t k = 0; k + 1 < count; ++k) {
      const std::size_t first = segment_start(b.T, k, keep);
      store_states(state, b.starts + k * S * b.N + n, b.N);
      walk(b.x + first * b.N + n, b.N, segment_start(b.T, k + 1, keep) - first, [&](float in) { cell.step(state, in); });
    }
    g.grad_s = b.grad_s + end, g.x = b.x + end, g.grad_x = b.grad_x ? b.grad_x + end : nullptr, g.t = static_cast<unsigned>(b.T);
    for (std::size_t k = count; k-- > 0;) {
      const std::size_t first = segment_start(b.T, k, keep);
      if (k + 1 < count) load_states(state, b.starts + k * S * b.N + n, b.N);
      neuron_backward_segment<F, want_params>(b, cell, b.x + first * b.N + n, state, segment_start(b.T, k + 1, keep) - first, kept, g);
    }
  }
  if (b.grad_state0) store_states(g.state, b.grad_state0 + n, b.N);
  APICAL_UNROLL
  for (std::size_t k = 0; k < Model::kParams; ++k) sums[k] = g.params[k];
}

}  // namespace apical::kernels::cuda
