#pragma once
// Rows of spikes over one panel of weights (event_matmul.h): between the kernels that walk panels. Not for other rooms.
#include <cstddef>
#include <cstdint>

#include "apical/kernels/neurons/lif.h"

namespace apical::kernels::events {

/// Inputs whose part of a panel (256 bytes each) takes half a second level cache, and rows that pass over it before the next one comes.
constexpr std::size_t kPanelInputs = 2048, kPanelRows = 256;

/// y[r, o] += sum of panel[list[e], o] over e in [starts[r], starts[r + 1]), for rows r and the panel's first `width` outputs o; y_stride
/// floats lie between two rows of y.
void add_panel(const float* panel, std::size_t width, const std::uint32_t* list, const std::size_t* starts, std::size_t rows, float* y,
               std::size_t y_stride) noexcept;

/// What event_lif.cpp asks its kernels for: neurons behind one panel over some steps.
struct PanelRows {
  const Lif* lif;
  const float* panel;
  std::size_t width;  // outputs of the panel that are real
  const std::uint32_t* list;
  const std::size_t* starts;  // rows are [steps, samples]
  const float* before;        // [rows, 64] currents to begin with, or [64] the same for all rows (before_stride 0)
  std::size_t before_stride, steps, samples;
  float *state, *spikes;  // [samples, 64]; of the first row
  std::size_t step_stride, sample_stride;
  bool stream;  // spikes go past the caches
};

}  // namespace apical::kernels::events
