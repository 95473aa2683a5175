#pragma once
// Leaky integrate-and-fire neurons (lif.h) over T steps in one pass, forward and backward, on plain pointers.
// Sequences are [T, N] row major, float32; N is everything that is not time (batch x features). Neurons are independent, work is
// cut by N alone, and no sum crosses threads: results do not depend on the number of threads nor on the SIMD level.
//
// State: one float a neuron, v[t] of lif.h. With reset_at next_step(_decayed) it is the membrane whose reset is still pending;
// whether it is pending follows from the state itself (fire(v)), so feeding a sequence in pieces gives the same as in one go.
//
// constant_x: the same input at every step. x is [N] instead of [T, N], and so is grad_x, the sum over the steps (last step first).
//
// decay: null means lif.decay; otherwise decay_n values, 1 (shared) or N (each neuron its own). With lif.decay_input the factor of
// the input is 1 - decay of the same neuron.
#include <cstddef>
#include <cstdint>

#include "apical/kernels/event_pool.h"
#include "apical/kernels/neurons/lif.h"

namespace apical::kernels {

/// Forward. Any output may be null.
///   x        [T, N] input current
///   v0       [N] state before the first step, or null (0)
///   v        [N] written: state after the last step; may be v0 itself
///   spikes   [T, words_per_row(N)] SpikeBits (bits.h), tail bits written as zero
///   spikes_f [T, N] 0 or 1; may be x itself
///   h_saved  [T, N] membrane after the charge, before the reset; may be x itself when spikes_f is not
void lif_forward(const Lif& lif, const float* decay, std::size_t decay_n, const float* x, std::size_t T, std::size_t N,
                 const float* v0, float* v, std::uint64_t* spikes, float* spikes_f, float* h_saved, bool constant_x = false) noexcept;

/// Backward: the membrane is computed again from x, block by block, so that forward need not store it (about 1.3 reads of x; two
/// when T > 32). Surrogate derivatives stand for ds/dh; lif.detach_reset leaves out the path through the reset's spike,
/// lif.detach_temporal the path through v[t-1] (then grad_v0 is 0 and grad_v_last reaches the last step only).
///   x           [T, N] as in forward
///   v0          [N] state before the first step, or null (0)
///   grad_s      [T, N] dL/ds
///   grad_v_last [N] dL/dv[T-1], or null (0)
///   grad_x      [T, N] written; may be grad_s itself, or x itself (not with constant_x). Null when not wanted
///   grad_v0     [N] written, or null
///   grad_decay  [N] when decay_n == N and decay is given, else [1]; added to, in float64; or null. With decay_input it holds the
///               path through the factor of the input too
///   pool        the neurons are images [B, H, W, C] whose spikes go through average_pool (pool.h; its stride is its kernel), and
///               grad_s is [T, B, OH, OW, C], of the averages: each spike's share is worked out here, not stored. Or null
void lif_backward(const Lif& lif, const Surrogate& surrogate, const float* decay, std::size_t decay_n, const float* x, const float* v0,
                  const float* grad_s, const float* grad_v_last, std::size_t T, std::size_t N, float* grad_x, float* grad_v0,
                  double* grad_decay, bool constant_x = false, const Pool2d* pool = nullptr) noexcept;

}  // namespace apical::kernels
