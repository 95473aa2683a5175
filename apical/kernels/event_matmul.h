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

/// The gradient of event_matmul with respect to W: grad_weight[o, i] += sum over the rows r that fire at i of grad_y[r, o], rows ascending.
/// grad_y [rows, outputs]; bits: SpikeBits [rows, words_per_row(inputs)]; grad_weight [outputs, inputs]. The rows of grad_y that an input
/// fired in are gathered by event_matmul itself, from transposed bits; the spikes never become floats. Takes room for outputs *
/// (inputs + 512) floats while it runs. A NaN in grad_y reaches the weights of the inputs that fired in its row alone.
void event_matmul_gradient(const float* grad_y, std::size_t outputs, const std::uint64_t* bits, std::size_t inputs, std::size_t rows,
                           float* grad_weight) noexcept;

}  // namespace apical::kernels
