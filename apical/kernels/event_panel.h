#pragma once
// Sums of one panel of weights (event_matmul.h), for the kernels that walk panels. Not for other rooms.
#include <cstddef>
#include <cstdint>

namespace apical::kernels::events {

/// Inputs whose part of a panel (256 bytes each) takes half a second level cache, and rows that pass over it before the next one comes.
constexpr std::size_t kPanelInputs = 2048, kPanelRows = 256;

/// y[r, o] += sum of panel[list[e], o] over e in [starts[r], starts[r + 1]), for rows r and the panel's first `width` outputs o; y_stride
/// floats lie between two rows of y.
void add_panel(const float* panel, std::size_t width, const std::uint32_t* list, const std::size_t* starts, std::size_t rows, float* y,
               std::size_t y_stride) noexcept;

}  // namespace apical::kernels::events
