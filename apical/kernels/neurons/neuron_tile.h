#pragma once
// Between neuron_scan.cpp's driver and its kernels, as scan_tile.h is for the plain family. Not for other rooms.
#include "apical/kernels/neurons/neuron_scan.h"
#include "apical/kernels/neurons/scan_tile.h"

namespace apical::kernels::scan {

/// Floats of scratch a tile of backward needs: states where segments start and after each step, u, gradients, slopes.
template <class Model>
constexpr std::size_t neuron_scratch(std::size_t T) noexcept {
  const std::size_t segments = (T + kSegment - 1) / kSegment, steps = T < kSegment ? T : kSegment;
  return ((segments + 1 + steps + 1) * Model::kStates + steps + 1 + Model::kParams) * kStride;
}

/// Neurons [begin, end) of one tile. lanes: dL/d parameter, [kParams] rows of kTile, the first for neuron `begin`; or null.
template <class Model>
void neuron_forward_reference(const Model& m, const NeuronForward& f, std::size_t begin, std::size_t end) noexcept;
template <class Model>
void neuron_backward_reference(const Model& m, const Surrogate& surrogate, const NeuronBackward& b, std::size_t begin, std::size_t end,
                               double* lanes) noexcept;

}  // namespace apical::kernels::scan
