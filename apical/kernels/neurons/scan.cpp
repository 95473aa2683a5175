#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/neurons/scan.cpp"
#include "apical/kernels/neurons/scan.h"

#include <hwy/aligned_allocator.h>
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/neurons/scan_tile.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/neurons/scan_rows-inl.h"

template <class Args>
float shared_decay(const Args& a) {
  return a.decay && !a.decay_each ? a.decay[0] : a.lif.decay;
}

// A row of a tile is one page: the hardware starts anew at each. So the next tile's rows are asked for while this one's are
// worked on, as long as they fit the second level cache; in backward while surrogates are worked out, which takes arithmetic.
template <class Args>
size_t fetch_ahead(const Args& a) {
  return a.T <= 64 ? scan::kTile : 0;
}

template <class Form>
void forward_form(const scan::Forward& f, size_t begin, size_t n) {
  HWY_ALIGN float local[scan::kTile];
  float* v = f.v ? f.v + begin : local;
  const float* v_in = f.v0 ? f.v0 + begin : v;
  if (!f.v0) std::fill(v, v + n, 0.0f);
  if (f.T == 0 && v != v_in) std::copy(v_in, v_in + n, v);
  const size_t row = words_per_row(f.N);
  for (size_t t = 0; t < f.T; ++t) {
    const size_t at = t * f.N + begin;
    uint8_t* bits = nullptr;
    if (f.spikes) {
      uint64_t* words = f.spikes + t * row;
      if (begin + n == f.N) std::fill(words + f.N / 64, words + row, 0);
      bits = reinterpret_cast<uint8_t*>(words + begin / 64);  // little endian, as every target of this build
    }
    charge_row<Form>({&f.lif, shared_decay(f), f.decay_each ? f.decay + begin : nullptr, f.x + t * f.x_step + begin, t ? v : v_in, v, f.h ? f.h + at : nullptr,
                      f.spikes_f ? f.spikes_f + at : nullptr, bits, fetch_ahead(f), f.stream},
                     n);
  }
}

// sum = row, or sum += row
void add_row(const float* row, float* sum, size_t n, bool first) {
  if (first) {
    std::copy(row, row + n, sum);
    return;
  }
  for (size_t i = 0; i < n; ++i) sum[i] += row[i];
}

// Whole vectors of a tile: n is a multiple of the lanes. Scratch: states before each step of a segment, membranes, and the states where
// segments start.
template <class Form>
void backward_form(const scan::Backward& b, size_t begin, size_t n, float* scratch, double* lane_decay) {
  constexpr size_t kStride = scan::kStride, kSegment = scan::kSegment;
  constexpr bool kNext = Form::reset_at != ResetAt::same_step;
  const size_t segments = (b.T + kSegment - 1) / kSegment, steps = std::min(b.T, kSegment);
  float* starts = scratch;                      // [segments]
  float* before = starts + segments * kStride;  // [steps + 1]
  float* h = before + (steps + 1) * kStride;    // [steps]
  float* g = h + steps * kStride;
  float* slopes = g + kStride;
  float* grad_step = slopes + kStride;  // dL/dx of one step, where x is constant
  float* spread = grad_step + kStride;  // dL/ds of one step, where it comes from averages
  float* d = spread + kStride;          // surrogates after a step
  float* d_before = d + kStride;        // and before it
  const size_t state_stride = kNext || lane_decay ? kStride : 0;  // else only the running state is needed
  const bool through_state = kNext && !b.lif.detach_reset && !b.lif.detach_temporal;

  using Gradient = ResetForm<Form::reset, Form::reset_at>;
  const float* decay = b.decay_each ? b.decay + begin : nullptr;
  const auto grad_row_of = decay || lane_decay ? grad_row<Gradient, true> : grad_row<Gradient, false>;
  const size_t ahead = b.pool ? 0 : fetch_ahead(b);
  ChargeRow charge{&b.lif, shared_decay(b), decay, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, 0, false};
  if (segments > 1) {
    if (b.v0)
      std::copy(b.v0 + begin, b.v0 + begin + n, starts);
    else
      std::fill(starts, starts + n, 0.0f);
  }
  for (size_t k = 0; k + 1 < segments; ++k) {
    std::copy(starts + k * kStride, starts + k * kStride + n, before);
    charge.v_in = charge.v_out = before;
    for (size_t t = k * kSegment; t < (k + 1) * kSegment; ++t) {
      charge.x = b.x + t * b.x_step + begin;
      charge_row<Form>(charge, n);
    }
    std::copy(before, before + n, starts + (k + 1) * kStride);
  }
  if (b.grad_v_last)
    std::copy(b.grad_v_last + begin, b.grad_v_last + begin + n, g);
  else
    std::fill(g, g + n, 0.0f);
  if (lane_decay) std::fill(lane_decay, lane_decay + n, 0.0);

  for (size_t s = segments; s-- > 0;) {
    const size_t first = s * kSegment, last = std::min(b.T, first + kSegment);
    const float* start = segments > 1 ? starts + s * kStride : b.v0 ? b.v0 + begin : nullptr;
    if (!start)
      std::fill(before, before + n, 0.0f);
    else if (state_stride)
      std::copy(start, start + n, before);
    for (size_t t = first; t < last; ++t) {
      charge.x = b.x + t * b.x_step + begin;
      charge.v_in = before + (t - first) * state_stride;
      charge.v_out = before + (t - first + 1) * state_stride;
      if (state_stride == 0) charge.v_in = t == first && start ? start : before, charge.v_out = before;
      charge.h = h + (t - first) * kStride;
      charge_row<Form>(charge, n);
    }
    if (lane_decay) std::fill(slopes, slopes + n, 0.0f);
    for (size_t t = last; t-- > first;) {
      const size_t at = t * b.N + begin, k = t - first;
      const float* grad_s = b.grad_s + t * b.s_step();
      const float* x = b.x + t * b.x_step + begin;
      float* grad_x = b.grad_x;
      if (grad_x) grad_x = b.x_step ? grad_x + at : grad_step;
      if (b.pool) spread_row(*b.pool, grad_s, begin, n, spread);
      const Soon soon = ahead ? Soon{grad_s + begin + ahead, x + ahead} : Soon{};
      if (!through_state || t + 1 == b.T)
        surrogate_row(b.surrogate, h + k * kStride, b.lif.v_th, d, n, soon);
      else
        std::swap(d, d_before);  // what was before the next step is this step's h
      if (through_state) surrogate_row(b.surrogate, before + k * state_stride, b.lif.v_th, d_before, n, soon);
      const GradRow r{&b.lif,
                      charge.shared,
                      decay,
                      x,
                      b.pool ? spread : grad_s + begin,
                      h + k * kStride,
                      before + k * state_stride,
                      d,
                      through_state ? d_before : d,
                      grad_x,
                      g,
                      lane_decay ? slopes : nullptr,
                      b.stream};
      grad_row_of(r, n);
      if (b.grad_x && b.x_step == 0) add_row(grad_step, b.grad_x + begin, n, t + 1 == b.T);
      if (b.lif.detach_temporal) std::fill(g, g + n, 0.0f);
    }
    if (lane_decay)
      for (size_t i = 0; i < n; ++i) lane_decay[i] += slopes[i];
  }
  if (b.grad_v0) std::copy(g, g + n, b.grad_v0 + begin);
}

void forward_tile(const scan::Forward& f, size_t begin, size_t end) {
#define APICAL_CASE(R, C, A)                                                                  \
  if (f.lif.reset == Reset::R && f.lif.compare == Compare::C && f.lif.reset_at == ResetAt::A) \
    return forward_form<LifForm<Reset::R, Compare::C, ResetAt::A>>(f, begin, end - begin);
  APICAL_LIF_FORMS(APICAL_CASE)
#undef APICAL_CASE
}

void backward_tile(const scan::Backward& b, size_t begin, size_t end, float* scratch, double* lane_decay) {
  const size_t n = (end - begin) / Ops::lanes() * Ops::lanes();
  if (begin + n < end) scan::backward_reference(b, begin + n, end, lane_decay ? lane_decay + n : nullptr);
  if (n == 0) return;
#define APICAL_CASE(R, C, A)                                                                  \
  if (b.lif.reset == Reset::R && b.lif.compare == Compare::C && b.lif.reset_at == ResetAt::A) \
    return backward_form<LifForm<Reset::R, Compare::C, ResetAt::A>>(b, begin, n, scratch, lane_decay);
  APICAL_LIF_FORMS(APICAL_CASE)
#undef APICAL_CASE
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(forward_tile);
HWY_EXPORT(backward_tile);

using scan::kTile;

}  // namespace

bool scan::past_caches(const float* rows, std::size_t T, std::size_t N) noexcept {
  constexpr std::size_t alignment = 64;
  return rows && T * N * sizeof(float) >= (std::size_t{16} << 20) && N % (alignment / sizeof(float)) == 0 &&
         reinterpret_cast<std::uintptr_t>(rows) % alignment == 0;
}

Lif scan::normal(Lif lif) noexcept {
  if (lif.reset == Reset::none) lif.reset_at = ResetAt::same_step;
  return lif;
}

float* scan::scratch_of(std::size_t floats) {
  thread_local hwy::AlignedFreeUniquePtr<float[]> memory;
  thread_local std::size_t size = 0;
  if (size < floats) {
    memory = hwy::AllocateAligned<float>(floats);
    size = floats;
  }
  return memory.get();
}

void lif_forward(const Lif& lif, const float* decay, std::size_t decay_n, const float* x, std::size_t T, std::size_t N,
                 const float* v0, float* v, std::uint64_t* spikes, float* spikes_f, float* h_saved, bool constant_x) noexcept {
  const scan::Forward f{scan::normal(lif), decay, decay && decay_n > 1, x, T, N, v0, v, spikes, spikes_f, h_saved, constant_x ? 0 : N, scan::past_caches(spikes_f, T, N)};
  const bool plain_level = scalar_level();
  parallel_for(0, (N + kTile - 1) / kTile, scan::tiles_a_task(T), [&](std::size_t first, std::size_t last) {
    for (std::size_t tile = first; tile < last; ++tile) {
      const std::size_t begin = tile * kTile, end = std::min(N, begin + kTile);
      if (plain_level)
        scan::forward_reference(f, begin, end);
      else
        HWY_DYNAMIC_DISPATCH(forward_tile)(f, begin, end);
    }
    if (f.stream) hwy::FlushStream();
  });
}

void lif_backward(const Lif& lif, const Surrogate& surrogate, const float* decay, std::size_t decay_n, const float* x, const float* v0,
                  const float* grad_s, const float* grad_v_last, std::size_t T, std::size_t N, float* grad_x, float* grad_v0,
                  double* grad_decay, bool constant_x, const Pool2d* pool) noexcept {
  const bool each = decay && decay_n > 1;
  const scan::Backward b{scan::normal(lif), surrogate, decay, each, x, v0, grad_s, grad_v_last, T, N, grad_x, grad_v0, constant_x ? 0 : N, pool, scan::past_caches(constant_x ? nullptr : grad_x, T, N)};
  const bool plain_level = scalar_level();
  const std::size_t tiles = (N + kTile - 1) / kTile;
  std::vector<double> sums(grad_decay && !each ? tiles : 0);
  parallel_for(0, tiles, scan::tiles_a_task(T), [&](std::size_t first, std::size_t last) {
    double lanes[kTile];
    double* lane_decay = grad_decay ? lanes : nullptr;
    float* scratch = scan::scratch_of(scan::backward_scratch(T));
    for (std::size_t tile = first; tile < last; ++tile) {
      const std::size_t begin = tile * kTile, end = std::min(N, begin + kTile);
      if (plain_level)
        scan::backward_reference(b, begin, end, lane_decay);
      else
        HWY_DYNAMIC_DISPATCH(backward_tile)(b, begin, end, scratch, lane_decay);
      if (!grad_decay) continue;
      for (std::size_t i = 0; i < end - begin; ++i) (each ? grad_decay[begin + i] : sums[tile]) += lanes[i];
    }
    if (b.stream) hwy::FlushStream();
  });
  for (double s : sums) *grad_decay += s;
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
