#pragma once
// Many rows of spikes times one weight matrix, event by event: event_linear.h for a batch. The weights lie in panels of a few outputs, so
// that a panel stays in the second level cache while many rows pass over it. One sum an output, inputs ascending: the same bits as
// event_linear gives row by row, at every SIMD level and for any number of threads.
#include <cstddef>
#include <cstdint>

namespace apical::kernels {

constexpr std::size_t kPanel = 64;  ///< outputs of a panel

/// Floats that prepare_event_matmul writes.
constexpr std::size_t matmul_floats(std::size_t outputs, std::size_t inputs) noexcept { return (outputs + kPanel - 1) / kPanel * kPanel * inputs; }

/// Weights [O, I] (output major, as trained) to panels [ceil(O / 64), I, 64], padding zero. Done once.
void prepare_event_matmul(const float* weight, std::size_t outputs, std::size_t inputs, float* panels) noexcept;

/// y[r, o] += sum over the spikes i of row r of W[o, i]. bits: SpikeBits [rows, words_per_row(inputs)]; y [rows, outputs].
void event_matmul(const float* panels, std::size_t outputs, std::size_t inputs, const std::uint64_t* bits, std::size_t rows, float* y) noexcept;

}  // namespace apical::kernels
