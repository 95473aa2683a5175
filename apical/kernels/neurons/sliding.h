#pragma once
// The sliding parallel spiking neuron: a weighted window over the input instead of a membrane that leaks and is reset, so that no step
// waits for the one before it.
//   h[t] = sum over k < K of weights[k] * x[t-k], k ascending        s[t] = 1 where h[t] >= v_th, else 0
// It is a neuron of this house in this sense: spikes, surrogates, cuts by neuron and bits are those of scan.h; but its state is its last
// K - 1 inputs, not a membrane, so it has a driver of its own. NaN and infinity in x reach the K outputs from their step on and no
// other neuron; NaN does not fire.
// Source: Fang et al., "Parallel spiking neurons with high efficiency and ability to learn long-term dependencies", NeurIPS 2023, the
// sliding PSN (weights shared by all neurons; theirs are listed oldest input first).
#include <cstddef>
#include <cstdint>

#include "apical/kernels/neurons/lif.h"

namespace apical::kernels {

inline constexpr std::size_t max_window = 1024;  ///< of K: forward allocates nothing

struct SlidingPsn {
  const float* weights;  ///< [K], weights[0] for the input of the same step
  std::size_t K;         ///< 1 .. max_window
  float v_th = 1.0f;
};

/// Forward; any output may be null.
///   x        [T, N]
///   past     [K - 1, N] the inputs before the first step, oldest first, or null (0)
///   past_out [K - 1, N] written: the last inputs, for the next piece; must not be `past`
///   spikes   [T, words_per_row(N)] SpikeBits (bits.h), tail bits zero
///   spikes_f [T, N] 0 or 1        h [T, N] before the threshold. Neither may be x
void sliding_forward(const SlidingPsn& m, const float* x, std::size_t T, std::size_t N, const float* past, float* past_out, std::uint64_t* spikes,
                     float* spikes_f, float* h) noexcept;

/// Backward: h is computed again. With q[t] = grad_s[t] * surrogate(h[t] - v_th):
///   grad_x       [T, N] sum over k of weights[k] * q[t+k], written; or null. May not be grad_s. `past` is a constant
///   grad_weights [K] sum over t and neurons of q[t] * x[t-k], added to in float64; or null
///   grad_v_th    [1] minus the sum of q, added to in float64; or null
void sliding_backward(const SlidingPsn& m, const Surrogate& surrogate, const float* x, std::size_t T, std::size_t N, const float* past,
                      const float* grad_s, float* grad_x, double* grad_weights, double* grad_v_th) noexcept;

}  // namespace apical::kernels
