// The plain reference of neuron_scan.cpp: neuron by neuron, step by step. What the SIMD levels must give bit for bit.
#include <algorithm>
#include <vector>

#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/neuron_scalar.h"
#include "apical/kernels/neurons/neuron_tile.h"

namespace apical::kernels::scan {

template <class Model>
void neuron_forward_reference(const Model& m, const NeuronForward& f, std::size_t begin, std::size_t end) noexcept {
  const std::size_t row = words_per_row(f.N), last = end == f.N ? row : end / 64;
  if (f.spikes)
    for (std::size_t t = 0; t < f.T; ++t) std::fill(f.spikes + t * row + begin / 64, f.spikes + t * row + last, 0);
  for (std::size_t n = begin; n < end; ++n) {
    const auto cell = plain::neuron<float>(m, f.params, n, f.N);
    float state[Model::kStates];
    for (std::size_t k = 0; k < Model::kStates; ++k) state[k] = f.state0 ? f.state0[k * f.N + n] : 0.0f;
    for (std::size_t t = 0; t < f.T; ++t) {
      const auto s = cell.step(state, f.x[t * f.N + n]);
      if (f.spikes) f.spikes[t * row + n / 64] |= std::uint64_t{s.fired} << (n % 64);
      if (f.counts) f.counts[t * f.N + n] = static_cast<std::uint8_t>(s.count);
      if (f.h) f.h[t * f.N + n] = s.h;
      if (f.spikes_f) f.spikes_f[t * f.N + n] = s.count;
    }
    for (std::size_t k = 0; f.state && k < Model::kStates; ++k) f.state[k * f.N + n] = state[k];
  }
}

template <class Model>
void neuron_backward_reference(const Model& m, const Surrogate& surrogate, const NeuronBackward& b, std::size_t begin, std::size_t end,
                               double* lanes) noexcept {
  constexpr std::size_t S = Model::kStates, P = Model::kParams;
  std::vector<float> before((b.T + 1) * S), d(b.T);
  for (std::size_t n = begin; n < end; ++n) {
    const auto cell = plain::neuron<float>(m, b.params, n, b.N);
    for (std::size_t k = 0; k < S; ++k) before[k] = b.state0 ? b.state0[k * b.N + n] : 0.0f;
    const float d_start = plain::surrogate<float>(surrogate, cell.u_before(before.data()));
    for (std::size_t t = 0; t < b.T; ++t) {
      float* state = before.data() + (t + 1) * S;
      std::copy(state - S, state, state);
      d[t] = plain::surrogate<float>(surrogate, cell.step(state, b.x[t * b.N + n]).u);
    }
    float g[S], slopes[P], part[P] = {};
    double sums[P] = {};  // float within a segment, float64 over segments
    for (std::size_t k = 0; k < S; ++k) g[k] = b.grad_state_last ? b.grad_state_last[k * b.N + n] : 0.0f;
    for (std::size_t t = b.T; t-- > 0;) {
      const float gx = cell.gradient(m, before.data() + t * S, b.x[t * b.N + n], d[t], t ? d[t - 1] : d_start, b.grad_s[t * b.N + n], g, slopes);
      if (b.grad_x) b.grad_x[t * b.N + n] = gx;
      if (plain::detach_temporal(m)) std::fill(g, g + S, 0.0f);
      for (std::size_t k = 0; k < P; ++k) {
        part[k] = part[k] + slopes[k];
        if (t % kSegment == 0) sums[k] += part[k], part[k] = 0;
      }
    }
    for (std::size_t k = 0; b.grad_state0 && k < S; ++k) b.grad_state0[k * b.N + n] = g[k];
    for (std::size_t k = 0; lanes && k < P; ++k) lanes[k * kTile + n - begin] = sums[k];
  }
}

#define APICAL_INSTANCE(Model)                                                                                             \
  template void neuron_forward_reference(const Model&, const NeuronForward&, std::size_t, std::size_t) noexcept;           \
  template void neuron_backward_reference(const Model&, const Surrogate&, const NeuronBackward&, std::size_t, std::size_t, \
                                          double*) noexcept;
APICAL_NEURON_MODELS(APICAL_INSTANCE)
#undef APICAL_INSTANCE

}  // namespace apical::kernels::scan
