#pragma once
// A dense layer that spikes drive and the LIF neurons behind it, in one go: event_matmul (event_matmul.h) and lif_forward
// (neurons/scan.h) with the same bits, but the currents between them stay in the second level cache. For inference: nothing is kept for
// backward.
#include <cstddef>
#include <cstdint>

#include "apical/kernels/neurons/lif.h"

namespace apical::kernels {

/// Over T steps of `batch` samples; neurons are [batch, outputs].
///   weight    [outputs, inputs]; laid out in panels a few at a time, so that no second copy of a large layer is held
///   bias      [outputs], or null (0)
///   bits      SpikeBits [T * batch, words_per_row(inputs)]
///   v0        [batch, outputs] state before the first step, or null (0)
///   v         [batch, outputs] written: state after the last step; may be v0 itself
///   spikes_f  [T * batch, outputs] written, 0 or 1
/// Gives the number of spikes. Threads share the samples or, where there are few, the panels: no bit depends on how many threads there are.
std::uint64_t event_lif_forward(const Lif& lif, const float* weight, std::size_t outputs, std::size_t inputs, const float* bias,
                                const std::uint64_t* bits, std::size_t T, std::size_t batch, const float* v0, float* v,
                                float* spikes_f) noexcept;

}  // namespace apical::kernels
