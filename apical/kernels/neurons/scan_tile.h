#pragma once
// Between scan.cpp's driver and its kernels: one tile of neurons over all steps. Not for other rooms.
#include <cstddef>
#include <cstdint>

#include "apical/kernels/event_pool.h"
#include "apical/kernels/neurons/lif.h"

// Every member of the family: reset none never reads reset_at (the driver sets same_step).
#define APICAL_LIF_FORMS(F)      \
  F(hard, ge, same_step)         \
  F(hard, gt, same_step)         \
  F(hard, ge, next_step)         \
  F(hard, gt, next_step)         \
  F(hard, ge, next_step_decayed) \
  F(hard, gt, next_step_decayed) \
  F(soft, ge, same_step)         \
  F(soft, gt, same_step)         \
  F(soft, ge, next_step)         \
  F(soft, gt, next_step)         \
  F(soft, ge, next_step_decayed) \
  F(soft, gt, next_step_decayed) \
  F(none, ge, same_step)         \
  F(none, gt, same_step)

namespace apical::kernels::scan {

/// Neurons of a tile: a multiple of 512, so that tiles share no word of the spike bits; the state of a tile stays in the first
/// level cache. Sums over neurons are made tile by tile: changing this changes the last bits of grad_decay.
constexpr std::size_t kTile = 1024;
/// Steps whose membranes are kept at a time in backward; beyond, the state at the start of each segment is kept.
constexpr std::size_t kSegment = 32;
/// Distance of scratch rows: not a multiple of 4 KiB, or a store to one row would hold up loads from the next (4 KiB aliasing).
constexpr std::size_t kStride = kTile + 112;

/// Tiles of one task, about 64 Ki neuron steps: long enough to hide the hand-over to a thread, short enough to share.
constexpr std::size_t tiles_a_task(std::size_t T) noexcept {
  const std::size_t tiles = (std::size_t{1} << 16) / (kTile * (T > 0 ? T : 1));
  return tiles > 0 ? tiles : 1;
}
/// Memory of one thread, kept between calls: fresh pages cost more than the scan.
float* scratch_of(std::size_t floats);

struct Forward {
  Lif lif;
  const float* decay;  // null: lif.decay
  bool decay_each;     // decay has one value a neuron
  const float* x;
  std::size_t T, N;
  const float* v0;
  float* v;
  std::uint64_t* spikes;
  float *spikes_f, *h;
  std::size_t x_step;  // from a step of x to the next: N, or 0 for a constant input
  bool stream = false;  // spikes_f goes past the caches
};

struct Backward {
  Lif lif;
  Surrogate surrogate;
  const float* decay;
  bool decay_each;
  const float *x, *v0, *grad_s, *grad_v_last;
  std::size_t T, N;
  float *grad_x, *grad_v0;
  std::size_t x_step;  // as in Forward; with 0, grad_x is [N] and sums over the steps
  const Pool2d* pool = nullptr;  // not null: grad_s is of the averages of its windows
  bool stream = false;            // grad_x goes past the caches

  std::size_t s_step() const noexcept {  // from a step of grad_s to the next
    return pool ? N / (pool->channels * pool->height * pool->width) * pool->outputs() : N;
  }
};

/// Whether rows [T, N] that a scan writes go past the caches, without being fetched first: from 16 MiB on, which with as much that is read
/// fills the last cache of most machines, so that they would be gone from it before anybody reads them (a fifth of the time at 4 Mi neuron
/// steps). Vectors must lie on their alignment.
bool past_caches(const float* rows, std::size_t T, std::size_t N) noexcept;
/// With reset_at as the forms have it.
Lif normal(Lif lif) noexcept;

/// Floats of scratch a tile of backward needs.
constexpr std::size_t backward_scratch(std::size_t T) noexcept {
  const std::size_t segments = (T + kSegment - 1) / kSegment, steps = T < kSegment ? T : kSegment;
  return (segments + 2 * steps + 1 + 6) * kStride;
}

/// Neurons [begin, end) of one tile; begin is a multiple of kTile. lane_decay: dL/d decay of each neuron of the tile, or null.
void forward_reference(const Forward& f, std::size_t begin, std::size_t end) noexcept;
void backward_reference(const Backward& b, std::size_t begin, std::size_t end, double* lane_decay) noexcept;

}  // namespace apical::kernels::scan
