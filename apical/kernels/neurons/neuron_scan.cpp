#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/neurons/neuron_scan.cpp"
#include "apical/kernels/neurons/neuron_scan.h"

#include <hwy/aligned_allocator.h>
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <vector>

#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/neuron_scalar.h"
#include "apical/kernels/neurons/neuron_tile.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/neurons/neuron_rows-inl.h"

// As in scan.cpp: the next tile's rows are asked for early, as long as they fit the second level cache.
size_t fetch_ahead(size_t T) { return T <= 64 ? scan::kTile : 0; }

template <class Row, class Model>
void set_params(Row& r, const Model& m, const float* params, size_t begin, size_t N) {
  r.model = &m;
  plain::shared_params(m, r.shared);
  for (size_t k = 0; k < Model::kParams; ++k) r.params[k] = params ? params + k * N + begin : nullptr;
}

// n values of each row of a [rows, N] array that may be null (0) into rows of distance `stride`.
void load_rows(const float* from, size_t N, float* to, size_t stride, size_t rows, size_t n) {
  for (size_t k = 0; k < rows; ++k) {
    if (from)
      std::copy(from + k * N, from + k * N + n, to + k * stride);
    else
      std::fill(to + k * stride, to + k * stride + n, 0.0f);
  }
}

template <class Form, class Model>
void forward_form(const Model& m, const NeuronForward& f, size_t begin, size_t n) {
  HWY_ALIGN float local[Model::kStates * scan::kTile];
  StepRow<Model> r{};
  set_params(r, m, f.params, begin, f.N);
  r.ahead = fetch_ahead(f.T);
  float* state = f.state ? f.state + begin : local;
  const size_t stride = f.state ? f.N : scan::kTile, row = words_per_row(f.N);
  if (!f.state0 || f.state != f.state0) load_rows(f.state0 ? f.state0 + begin : nullptr, f.N, state, stride, Model::kStates, n);
  for (size_t k = 0; k < Model::kStates; ++k) r.in[k] = r.out[k] = state + k * stride;
  for (size_t t = 0; t < f.T; ++t) {
    const size_t at = t * f.N + begin;
    r.x = f.x + at;
    r.h = f.h ? f.h + at : nullptr;
    r.spikes_f = f.spikes_f ? f.spikes_f + at : nullptr;
    r.counts = f.counts ? f.counts + at : nullptr;
    if (f.spikes) {
      uint64_t* words = f.spikes + t * row;
      if (begin + n == f.N) std::fill(words + f.N / 64, words + row, 0);
      r.bits = reinterpret_cast<uint8_t*>(words + begin / 64);  // little endian, as every target of this build
    }
    step_row<Form, Model>(r, n);
  }
}

// Whole vectors of a tile: n is a multiple of the lanes. States are computed again, a segment at a time, last segment first.
template <class Form, class Model>
void backward_form(const Model& m, const Surrogate& surrogate, const NeuronBackward& b, size_t begin, size_t n, float* scratch, double* lanes) {
  constexpr size_t S = Model::kStates, P = Model::kParams, kStride = scan::kStride, kSegment = scan::kSegment;
  const size_t segments = (b.T + kSegment - 1) / kSegment, steps = std::min(b.T, kSegment);
  const bool detach = plain::detach_temporal(m);
  const bool through_state = Form::reset_at != ResetAt::same_step && !plain::detach_reset(m) && !detach;
  float* starts = scratch;                              // [segments + 1, S] states before each segment
  float* after = starts + (segments + 1) * S * kStride;  // [steps, S] states after each step of a segment
  float* u = after + steps * S * kStride;               // [steps + 1] of the state before the segment, then of each step
  float* g = u + (steps + 1) * kStride;                 // [S]
  float* slopes = g + S * kStride;                      // [P]

  StepRow<Model> step{};
  set_params(step, m, b.params, begin, b.N);
  step.ahead = fetch_ahead(b.T);
  GradientRow<Model> grad{};
  set_params(grad, m, b.params, begin, b.N);
  grad.ahead = step.ahead;

  load_rows(b.state0 ? b.state0 + begin : nullptr, b.N, starts, kStride, S, n);
  for (size_t s = 0; s + 1 < segments; ++s) {
    for (size_t k = 0; k < S; ++k) step.in[k] = starts + (s * S + k) * kStride, step.out[k] = starts + ((s + 1) * S + k) * kStride;
    for (size_t t = s * kSegment; t < (s + 1) * kSegment; ++t) {
      step.x = b.x + t * b.N + begin;
      step_row<Form, Model>(step, n);
      for (size_t k = 0; k < S; ++k) step.in[k] = step.out[k];
    }
  }
  load_rows(b.grad_state_last ? b.grad_state_last + begin : nullptr, b.N, g, kStride, S, n);
  if (lanes)
    for (size_t k = 0; k < P; ++k) std::fill(lanes + k * scan::kTile, lanes + k * scan::kTile + n, 0.0);

  for (size_t s = segments; s-- > 0;) {
    const size_t first = s * kSegment, last = std::min(b.T, first + kSegment);
    // States before step first + i, u after it.
    const auto before = [&](size_t i) { return i ? after + (i - 1) * S * kStride : starts + s * S * kStride; };
    for (size_t i = 0; i < last - first; ++i) {
      for (size_t k = 0; k < S; ++k) step.in[k] = before(i) + k * kStride, step.out[k] = after + (i * S + k) * kStride;
      step.x = b.x + (first + i) * b.N + begin;
      step.u = u + (i + 1) * kStride;
      step_row<Form, Model>(step, n);
    }
    if (lanes) load_rows(nullptr, 0, slopes, kStride, P, n);
    if (plain::kReadsSurrogate<Model>) surrogate_row(surrogate, u + (last - first) * kStride, 0, u + (last - first) * kStride, n);
    for (size_t i = last - first; i-- > 0;) {
      const size_t at = (first + i) * b.N + begin;
      for (size_t k = 0; k < S; ++k) grad.before[k] = before(i) + k * kStride, grad.g[k] = g + k * kStride;
      for (size_t k = 0; k < P; ++k) grad.slopes[k] = lanes ? slopes + k * kStride : nullptr;
      float* u_before = u + i * kStride;
      if (i == 0 && through_state) start_row<Form, Model>(step, grad.before, u_before, n);
      if (plain::kReadsSurrogate<Model> && (i > 0 || through_state)) surrogate_row(surrogate, u_before, 0, u_before, n);
      grad.x = b.x + at, grad.grad_s = b.grad_s + at, grad.grad_x = b.grad_x ? b.grad_x + at : nullptr;
      grad.d = u + (i + 1) * kStride, grad.d_before = through_state ? u_before : grad.d;
      gradient_row<Form, Model>(grad, n);
      if (detach) load_rows(nullptr, 0, g, kStride, S, n);
    }
    for (size_t k = 0; lanes && k < P; ++k)
      for (size_t i = 0; i < n; ++i) lanes[k * scan::kTile + i] += slopes[k * kStride + i];
  }
  for (size_t k = 0; b.grad_state0 && k < S; ++k) std::copy(g + k * kStride, g + k * kStride + n, b.grad_state0 + k * b.N + begin);
}

// The forms a model is compiled for (plain::normal leaves no other).
#define APICAL_SAME(F) F(hard, same_step) F(soft, same_step) F(none, same_step)
#define APICAL_NEXT(F) F(hard, next_step) F(hard, next_step_decayed) F(soft, next_step) F(soft, next_step_decayed)
#define APICAL_CASE(R, A) \
  if (m.lif.reset == Reset::R && m.lif.reset_at == ResetAt::A) return call.template run<ResetForm<Reset::R, ResetAt::A>>(m);
template <class Call, class Model>
void with_form(const Call& call, const Model& m) {
  APICAL_SAME(APICAL_CASE)
  APICAL_NEXT(APICAL_CASE)
}
template <class Call>
void with_form(const Call& call, const Alif& m) { APICAL_SAME(APICAL_CASE) }
template <class Call>
void with_form(const Call& call, const MultiLif& m) { call.template run<ResetForm<Reset::soft, ResetAt::same_step>>(m); }
#undef APICAL_CASE

struct ForwardCall {
  const NeuronForward& f;
  size_t begin, n;
  template <class Form, class Model>
  void run(const Model& m) const { forward_form<Form>(m, f, begin, n); }
};
struct BackwardCall {
  const Surrogate& surrogate;
  const NeuronBackward& b;
  size_t begin, n;
  float* scratch;
  double* lanes;
  template <class Form, class Model>
  void run(const Model& m) const { backward_form<Form>(m, surrogate, b, begin, n, scratch, lanes); }
};

template <class Model>
void backward_tile(const Model& m, const Surrogate& surrogate, const NeuronBackward& b, size_t begin, size_t end, float* scratch, double* lanes) {
  const size_t n = (end - begin) / Ops::lanes() * Ops::lanes();
  if (begin + n < end) scan::neuron_backward_reference(m, surrogate, b, begin + n, end, lanes ? lanes + n : nullptr);
  if (n > 0) with_form(BackwardCall{surrogate, b, begin, n, scratch, lanes}, m);
}

#define APICAL_TILES(Model)                                                                                                          \
  void forward_##Model(const Model& m, const NeuronForward& f, size_t begin, size_t end) { with_form(ForwardCall{f, begin, end - begin}, m); } \
  void backward_##Model(const Model& m, const Surrogate& surrogate, const NeuronBackward& b, size_t begin, size_t end, float* scratch,   \
                        double* lanes) {                                                                                               \
    backward_tile(m, surrogate, b, begin, end, scratch, lanes);                                                                        \
  }
APICAL_NEURON_MODELS(APICAL_TILES)
#undef APICAL_TILES

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

using scan::kTile;

#define APICAL_EXPORT(Model)                                                                                                       \
  HWY_EXPORT(forward_##Model);                                                                                                     \
  HWY_EXPORT(backward_##Model);                                                                                                    \
  void forward_tile(const Model& m, const NeuronForward& f, std::size_t begin, std::size_t end) {                                  \
    HWY_DYNAMIC_DISPATCH(forward_##Model)(m, f, begin, end);                                                                       \
  }                                                                                                                                \
  void backward_tile(const Model& m, const Surrogate& s, const NeuronBackward& b, std::size_t begin, std::size_t end, float* scratch, \
                     double* lanes) {                                                                                              \
    HWY_DYNAMIC_DISPATCH(backward_##Model)(m, s, b, begin, end, scratch, lanes);                                                   \
  }
APICAL_NEURON_MODELS(APICAL_EXPORT)
#undef APICAL_EXPORT

}  // namespace

template <class Model>
void neuron_forward(const Model& given, const NeuronForward& f) noexcept {
  const Model m = plain::normal(given);
  const bool plain_level = scalar_level();
  parallel_for(0, (f.N + kTile - 1) / kTile, scan::tiles_a_task(f.T), [&](std::size_t first, std::size_t last) {
    for (std::size_t tile = first; tile < last; ++tile) {
      const std::size_t begin = tile * kTile, end = std::min(f.N, begin + kTile);
      if (plain_level)
        scan::neuron_forward_reference(m, f, begin, end);
      else
        forward_tile(m, f, begin, end);
    }
  });
}

template <class Model>
void neuron_backward(const Model& given, const Surrogate& surrogate, const NeuronBackward& b) noexcept {
  constexpr std::size_t P = Model::kParams;
  const Model m = plain::normal(given);
  const bool plain_level = scalar_level(), each = b.params;
  const std::size_t tiles = (b.N + kTile - 1) / kTile;
  std::vector<double> sums(b.grad_params && !each ? tiles * P : 0);
  parallel_for(0, tiles, scan::tiles_a_task(b.T), [&](std::size_t first, std::size_t last) {
    double memory[P * kTile];
    double* lanes = b.grad_params ? memory : nullptr;
    float* scratch = scan::scratch_of(scan::neuron_scratch<Model>(b.T));
    for (std::size_t tile = first; tile < last; ++tile) {
      const std::size_t begin = tile * kTile, end = std::min(b.N, begin + kTile);
      if (plain_level)
        scan::neuron_backward_reference(m, surrogate, b, begin, end, lanes);
      else
        backward_tile(m, surrogate, b, begin, end, scratch, lanes);
      if (!lanes) continue;
      for (std::size_t k = 0; k < P; ++k)
        for (std::size_t i = 0; i < end - begin; ++i) (each ? b.grad_params[k * b.N + begin + i] : sums[tile * P + k]) += lanes[k * kTile + i];
    }
  });
  for (std::size_t i = 0; i < sums.size(); ++i) b.grad_params[i % P] += sums[i];
}

#define APICAL_INSTANCE(Model)                                           \
  template void neuron_forward(const Model&, const NeuronForward&) noexcept; \
  template void neuron_backward(const Model&, const Surrogate&, const NeuronBackward&) noexcept;
APICAL_NEURON_MODELS(APICAL_INSTANCE)
#undef APICAL_INSTANCE

}  // namespace apical::kernels
#endif  // HWY_ONCE
