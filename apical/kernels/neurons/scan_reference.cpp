// The plain reference of the scans: neuron by neuron, step by step. What the SIMD levels must give bit for bit.
#include <algorithm>
#include <vector>

#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/neurons/scan_tile.h"

namespace apical::kernels::scan {
namespace {

template <class Args>
plain::AnyLif<float> cell_of(const Args& a, std::size_t n) {
  return plain::cell<float>(a.lif, a.decay ? a.decay[a.decay_each ? n : 0] : a.lif.decay);
}

// What a neuron has of the gradients of averages over windows.
float share_of_average(const Pool2d& p, const float* grad, std::size_t n) {
  const std::size_t c = n % p.channels, pixel = n / p.channels, image = pixel / (p.height * p.width);
  const std::size_t y = pixel / p.width % p.height / p.kernel_h, x = pixel % p.width / p.kernel_w;
  if (y >= p.out_height() || x >= p.out_width()) return 0;
  return grad[((image * p.out_height() + y) * p.out_width() + x) * p.channels + c] * (1.0f / static_cast<float>(p.kernel_h * p.kernel_w));
}

}  // namespace

void forward_reference(const Forward& f, std::size_t begin, std::size_t end) noexcept {
  const std::size_t row = words_per_row(f.N), last = end == f.N ? row : end / 64;
  if (f.spikes)
    for (std::size_t t = 0; t < f.T; ++t) std::fill(f.spikes + t * row + begin / 64, f.spikes + t * row + last, 0);
  for (std::size_t n = begin; n < end; ++n) {
    const plain::AnyLif<float> c = cell_of(f, n);
    float v = f.v0 ? f.v0[n] : 0.0f, h;
    for (std::size_t t = 0; t < f.T; ++t) {
      const bool s = plain::step(c, f.x[t * f.x_step + n], v, &h);
      if (f.spikes) f.spikes[t * row + n / 64] |= std::uint64_t{s} << (n % 64);
      if (f.h) f.h[t * f.N + n] = h;
      if (f.spikes_f) f.spikes_f[t * f.N + n] = s ? 1.0f : 0.0f;
    }
    if (f.v) f.v[n] = v;
  }
}

void backward_reference(const Backward& b, std::size_t begin, std::size_t end, double* lane_decay) noexcept {
  std::vector<float> h(b.T), before(b.T);
  for (std::size_t n = begin; n < end; ++n) {
    const plain::AnyLif<float> c = cell_of(b, n);
    float v = b.v0 ? b.v0[n] : 0.0f;
    for (std::size_t t = 0; t < b.T; ++t) {
      before[t] = v;
      plain::step(c, b.x[t * b.x_step + n], v, &h[t]);
    }
    float g = b.grad_v_last ? b.grad_v_last[n] : 0.0f;
    double decay = 0;
    float sum = 0, part = 0;  // float within a segment, float64 over segments: a short sum a neuron, cheap in SIMD
    for (std::size_t t = b.T; t-- > 0;) {
      const float d = plain::surrogate<float>(b.surrogate, h[t] - c.v_th);
      const float d_before = plain::surrogate<float>(b.surrogate, before[t] - c.v_th);
      const float* grad_s = b.grad_s + t * b.s_step();
      const float gh = c.grad_charge(b.pool ? share_of_average(*b.pool, grad_s, n) : grad_s[n], g, h[t], d, b.lif.detach_reset);
      float slope = c.decay_slope(before[t]);
      if (b.lif.decay_input) slope = slope - b.x[t * b.x_step + n];
      part = part + gh * slope;
      const float gx = c.input_scale * gh;
      sum = t + 1 == b.T ? gx : sum + gx;
      if (b.grad_x) b.grad_x[t * b.x_step + n] = b.x_step ? gx : sum;
      g = b.lif.detach_temporal ? 0.0f : c.grad_state(gh, before[t], d_before, b.lif.detach_reset);
      if (t % kSegment == 0) {
        decay += part;
        part = 0;
      }
    }
    if (b.grad_v0) b.grad_v0[n] = g;
    if (lane_decay) lane_decay[n - begin] = decay;
  }
}

}  // namespace apical::kernels::scan
