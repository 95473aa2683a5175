#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "apical/kernels/neurons/sliding.cpp"
#include "apical/kernels/neurons/sliding.h"

#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <vector>

#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/neurons/sliding_tile.h"
#include "apical/kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace apical::kernels::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#include "apical/kernels/neurons/ops-inl.h"

struct Term {
  const float* row;
  float weight;
};

// to[i] = sum over terms of weight * row[i], in their order; n neurons, four vectors at a time while they last.
void weighted_rows(const Term* terms, size_t count, float* to, size_t n) {
  const size_t L = Ops::lanes();
  size_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L) {
    auto a = Ops::set(0), b = a, c = a, d = a;
    for (size_t k = 0; k < count; ++k) {
      const auto w = Ops::set(terms[k].weight);
      const float* row = terms[k].row + i;
      a = Ops::add(a, Ops::mul(w, Ops::load(row, 0)));
      b = Ops::add(b, Ops::mul(w, Ops::load(row, L)));
      c = Ops::add(c, Ops::mul(w, Ops::load(row, 2 * L)));
      d = Ops::add(d, Ops::mul(w, Ops::load(row, 3 * L)));
    }
    Ops::store(a, to, i), Ops::store(b, to, i + L), Ops::store(c, to, i + 2 * L), Ops::store(d, to, i + 3 * L);
  }
  for (; i < n; ++i) {
    float sum = 0;
    for (size_t k = 0; k < count; ++k) sum = sum + terms[k].weight * terms[k].row[i];
    to[i] = sum;
  }
}

// h of step t for the tile that starts at `begin`.
void charge(const scan::Sliding& a, Term* terms, size_t t, size_t begin, float* h, size_t n) {
  size_t count = 0;
  for (size_t k = 0; k < a.m.K; ++k)
    if (const float* row = a.input(t, k)) terms[count++] = {row + begin, a.m.weights[k]};
  weighted_rows(terms, count, h, n);
}

template <class O>
HWY_INLINE typename O::M fire_lanes(const float* h, float v_th, float* spikes_f, size_t i) {
  const auto s = O::ge(O::load(h, i), O::set(v_th));
  if (spikes_f) O::store(O::select(s, O::set(1.0f), O::set(0.0f)), spikes_f, i);
  return s;
}

void fire(const float* h, float v_th, float* spikes_f, uint8_t* bits, size_t n) {
  each_fired(n, bits, [=](auto ops, size_t i) HWY_ATTR __attribute__((always_inline)) { return fire_lanes<decltype(ops)>(h, v_th, spikes_f, i); });
}

void sliding_forward_tile(const scan::Sliding& a, size_t begin, size_t end) {
  HWY_ALIGN float local[scan::kTile];
  Term terms[max_window];
  const size_t n = end - begin, row = words_per_row(a.N);
  for (size_t t = 0; t < a.T; ++t) {
    float* h = a.h ? a.h + t * a.N + begin : local;
    charge(a, terms, t, begin, h, n);
    uint8_t* bits = nullptr;
    if (a.spikes) {
      uint64_t* words = a.spikes + t * row;
      if (end == a.N) std::fill(words + a.N / 64, words + row, 0);
      bits = reinterpret_cast<uint8_t*>(words + begin / 64);  // little endian, as every target of this build
    }
    fire(h, a.m.v_th, a.spikes_f ? a.spikes_f + t * a.N + begin : nullptr, bits, n);
  }
}

// q = grad_s * surrogate(h - v_th)
template <SurrogateKind K>
void q_row(const Surrogate& s, float v_th, const float* grad_s, float* q, size_t n) {
  const float constant = plain::surrogate_constant(s);
  const SurrogateCell<Ops, K> surrogate{Ops::set(s.height), Ops::set(constant)};
  size_t i = 0;
  for (; i + Ops::lanes() <= n; i += Ops::lanes())
    Ops::store(Ops::mul(Ops::load(grad_s, i), surrogate(Ops::sub(Ops::load(q, i), Ops::set(v_th)))), q, i);
  for (; i < n; ++i) q[i] = grad_s[i] * plain::surrogate(s, q[i] - v_th);
}

void add_product(const float* a, const float* b, float* sum, size_t n) {
  size_t i = 0;
  for (; i + Ops::lanes() <= n; i += Ops::lanes()) Ops::store(Ops::add(Ops::load(sum, i), Ops::mul(Ops::load(a, i), Ops::load(b, i))), sum, i);
  for (; i < n; ++i) sum[i] = sum[i] + a[i] * b[i];
}
void add_row(const float* a, float* sum, size_t n) {
  size_t i = 0;
  for (; i + Ops::lanes() <= n; i += Ops::lanes()) Ops::store(Ops::add(Ops::load(sum, i), Ops::load(a, i)), sum, i);
  for (; i < n; ++i) sum[i] = sum[i] + a[i];
}

// totals: [K + 1] sums over the tile, the last that of q; or null.
void sliding_backward_tile(const scan::Sliding& a, size_t begin, size_t end, float* scratch, double* totals) {
  const size_t n = end - begin, K = a.m.K;
  Term terms[max_window];
  float* window = scratch;                     // q of step t in row t % K
  float* sums = scratch + K * scan::kStride;  // [K + 1]
  const auto clear = [&] {
    for (size_t k = 0; k <= K; ++k) std::fill(sums + k * scan::kStride, sums + k * scan::kStride + n, 0.0f);
  };
  if (totals) clear();
  for (size_t t = a.T; t-- > 0;) {
    float* q = window + t % K * scan::kStride;
    charge(a, terms, t, begin, q, n);
    const float* grad_s = a.grad_s + t * a.N + begin;
    switch (a.surrogate.kind) {
#define APICAL_CASE(kind) \
  case SurrogateKind::kind: q_row<SurrogateKind::kind>(a.surrogate, a.m.v_th, grad_s, q, n); break;
      APICAL_SURROGATES(APICAL_CASE)
#undef APICAL_CASE
    }
    if (a.grad_x) {
      const size_t count = std::min(K, a.T - t);
      for (size_t k = 0; k < count; ++k) terms[k] = {window + (t + k) % K * scan::kStride, a.m.weights[k]};
      weighted_rows(terms, count, a.grad_x + t * a.N + begin, n);
    }
    if (!totals) continue;
    for (size_t k = 0; k < K; ++k)
      if (const float* row = a.input(t, k)) add_product(q, row + begin, sums + k * scan::kStride, n);
    add_row(q, sums + K * scan::kStride, n);
    if (t % scan::kSegment == 0) {  // float over a few steps, float64 over the rest
      for (size_t k = 0; k <= K; ++k)
        for (size_t i = 0; i < n; ++i) totals[k] += sums[k * scan::kStride + i];
      clear();
    }
  }
}

}  // namespace
}  // namespace apical::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apical::kernels {
namespace {

HWY_EXPORT(sliding_forward_tile);
HWY_EXPORT(sliding_backward_tile);
using scan::kTile;

template <class Body>
void for_tiles(const scan::Sliding& a, const Body& body) {
  parallel_for(0, (a.N + kTile - 1) / kTile, scan::tiles_a_task(a.T * a.m.K), [&](std::size_t first, std::size_t last) {
    for (std::size_t tile = first; tile < last; ++tile) body(tile, tile * kTile, std::min(a.N, (tile + 1) * kTile));
  });
}

}  // namespace

void sliding_forward(const SlidingPsn& m, const float* x, std::size_t T, std::size_t N, const float* past, float* past_out, std::uint64_t* spikes,
                     float* spikes_f, float* h) noexcept {
  const scan::Sliding a{m, {}, x, T, N, past, spikes, spikes_f, h, nullptr, nullptr};
  const bool plain_level = scalar_level();
  for_tiles(a, [&](std::size_t, std::size_t begin, std::size_t end) {
    if (plain_level)
      scan::sliding_forward_reference(a, begin, end);
    else
      HWY_DYNAMIC_DISPATCH(sliding_forward_tile)(a, begin, end);
  });
  for (std::size_t k = 1; past_out && k < m.K; ++k) {  // x[T - k] in row K - 1 - k
    const float* row = a.input(T, k);
    float* to = past_out + (m.K - 1 - k) * N;
    if (row)
      std::copy(row, row + N, to);
    else
      std::fill(to, to + N, 0.0f);
  }
}

void sliding_backward(const SlidingPsn& m, const Surrogate& surrogate, const float* x, std::size_t T, std::size_t N, const float* past,
                      const float* grad_s, float* grad_x, double* grad_weights, double* grad_v_th) noexcept {
  const bool wanted = grad_weights || grad_v_th, plain_level = scalar_level();
  const scan::Sliding a{m, surrogate, x, T, N, past, nullptr, nullptr, nullptr, grad_s, grad_x};
  const std::size_t each = m.K + 1;
  std::vector<double> sums(wanted ? (N + kTile - 1) / kTile * each : 0);
  for_tiles(a, [&](std::size_t tile, std::size_t begin, std::size_t end) {
    double* totals = wanted ? sums.data() + tile * each : nullptr;
    if (plain_level)
      scan::sliding_backward_reference(a, begin, end, totals);
    else
      HWY_DYNAMIC_DISPATCH(sliding_backward_tile)(a, begin, end, scan::scratch_of(a.scratch()), totals);
  });
  for (std::size_t i = 0; i < sums.size(); ++i) {
    if (i % each < m.K && grad_weights) grad_weights[i % each] += sums[i];
    if (i % each == m.K && grad_v_th) *grad_v_th -= sums[i];
  }
}

}  // namespace apical::kernels
#endif  // HWY_ONCE
