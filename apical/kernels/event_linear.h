#pragma once
// A dense layer driven by spikes: only the weight rows of inputs that fired are read. Sums run in the order of the list, one sum an
// output: the same bits at every SIMD level and for any number of threads, and the same as dense_linear when the list is ascending.
#include <cstddef>
#include <cstdint>

#include "apical/kernels/narrow.h"

namespace apical::kernels {

/// Synaptic operations that are worth a thread of their own.
inline constexpr std::size_t large_layer = std::size_t{1} << 19;

/// Floats from one weight row to the next: O rounded up to 64 bytes.
constexpr std::size_t linear_stride(std::size_t outputs) noexcept { return (outputs + 15) / 16 * 16; }

/// Weights [O, I] (output major, as trained) to rows [I, linear_stride(O)], padding zero. Done once.
void prepare_linear(const float* weight, std::size_t outputs, std::size_t inputs, float* rows) noexcept;

/// The elements of x [n] that are not 0 (NaN counts), in order: their places and values, both with room for n. Returns how many; `ones`: whether
/// each of them is 1 or -1.
std::size_t nonzero_list(const float* x, std::size_t n, std::uint32_t* index, float* value, bool& ones) noexcept;

/// y[o] += sum over e of value[e] * W[o, index[e]]; value null: spikes (1). index < inputs; y is [O].
void event_linear(const float* rows, std::size_t outputs, const std::uint32_t* index, const float* value, std::size_t count,
                  float* y) noexcept;

/// y[o] += sum over i of x[i] * W[o, i], every input in order: the dense twin.
void dense_linear(const float* rows, std::size_t outputs, std::size_t inputs, const float* x, float* y) noexcept;

/// The same with weights that are bfloat16 numbers: half the memory, sums in float32, the same bits. rows [I, pair_row(O)].
void prepare_linear(const float* weight, std::size_t outputs, std::size_t inputs, Bfloat16* rows) noexcept;
void event_linear(const Bfloat16* rows, std::size_t outputs, const std::uint32_t* index, const float* value, std::size_t count,
                  float* y) noexcept;
void dense_linear(const Bfloat16* rows, std::size_t outputs, std::size_t inputs, const float* x, float* y) noexcept;

}  // namespace apical::kernels
