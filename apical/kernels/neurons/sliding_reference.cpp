// The plain reference of sliding.cpp: neuron by neuron, step by step. What the SIMD levels must give bit for bit.
#include <algorithm>
#include <vector>

#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/neurons/sliding_tile.h"

namespace apical::kernels::scan {
namespace {

float charge_reference(const Sliding& a, std::size_t t, std::size_t n) {
  float h = 0;
  for (std::size_t k = 0; k < a.m.K; ++k)
    if (const float* row = a.input(t, k)) h = h + a.m.weights[k] * row[n];
  return h;
}

}  // namespace

void sliding_forward_reference(const Sliding& a, std::size_t begin, std::size_t end) noexcept {
  const std::size_t row = words_per_row(a.N), last = end == a.N ? row : end / 64;
  for (std::size_t t = 0; t < a.T; ++t) {
    if (a.spikes) std::fill(a.spikes + t * row + begin / 64, a.spikes + t * row + last, 0);
    for (std::size_t n = begin; n < end; ++n) {
      const float h = charge_reference(a, t, n);
      const bool s = h >= a.m.v_th;
      if (a.spikes) a.spikes[t * row + n / 64] |= std::uint64_t{s} << (n % 64);
      if (a.spikes_f) a.spikes_f[t * a.N + n] = s ? 1.0f : 0.0f;
      if (a.h) a.h[t * a.N + n] = h;
    }
  }
}

void sliding_backward_reference(const Sliding& a, std::size_t begin, std::size_t end, double* totals) noexcept {
  const std::size_t K = a.m.K, n_tile = end - begin;
  std::vector<float> q(a.T * n_tile), sums((K + 1) * n_tile);
  for (std::size_t t = a.T; t-- > 0;) {
    for (std::size_t n = begin; n < end; ++n) {
      const float mine = a.grad_s[t * a.N + n] * plain::surrogate<float>(a.surrogate, charge_reference(a, t, n) - a.m.v_th);
      q[t * n_tile + n - begin] = mine;
      float g = 0;
      for (std::size_t k = 0; k < K && t + k < a.T; ++k) g = g + a.m.weights[k] * q[(t + k) * n_tile + n - begin];
      if (a.grad_x) a.grad_x[t * a.N + n] = g;
      for (std::size_t k = 0; k < K; ++k)
        if (const float* row = a.input(t, k)) sums[k * n_tile + n - begin] = sums[k * n_tile + n - begin] + mine * row[n];
      sums[K * n_tile + n - begin] = sums[K * n_tile + n - begin] + mine;
    }
    if (!totals || t % kSegment != 0) continue;
    for (std::size_t i = 0; i < sums.size(); ++i) totals[i / n_tile] += sums[i], sums[i] = 0;
  }
}

}  // namespace apical::kernels::scan
