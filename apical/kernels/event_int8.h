#pragma once
// Convolutions (and dense layers: one pixel) of int8 weights driven by spikes: event_conv.h in integers. Sums are exact, so their order
// does not matter and every SIMD level gives the same.
//
// A weight w lies as the byte w + 128. Two neighbouring bytes are one 16-bit number, low + 256 high: adding it to one sum and its
// upper half to another adds both, three instructions for twice as many weights as a vector has 16-bit lanes. Both sums hold 256
// events, (256 * 255 < 2^16; the first one modulo 2^16); then 128 an event is taken off, and the rest widened to 32 bits.
// Events with factors that are int8 (frames) go four at a time through AVX-512 VNNI where the processor has it (event_int8_vnni.h).
#include <cstddef>
#include <cstdint>

#include "apical/kernels/event_conv.h"

namespace apical::kernels {

/// The shape of a dense layer: [I] is one pixel of I channels.
inline Conv2d linear_shape(std::size_t outputs, std::size_t inputs) noexcept { return {.in_channels = inputs, .out_channels = outputs}; }

/// Weights [O, I / groups, KH, KW] to [KH, KW, I, narrow_row()]. Done once.
void prepare_int8(const Conv2d& shape, const std::int8_t* weight, std::uint8_t* prepared) noexcept;

/// y [last_y - first_y, OW, O], some rows of the output, = bias [O] (null: 0) + the weights of the events. index: ascending, of the input
/// [H, W, I]; an event may stand there several times. value: a factor of each event, null: 1. No sum, finished or not, may leave the range
/// of int32 (callers prove it by the sums of magnitudes). starts: of find_starts; dense layers (linear_shape) need none. One sample, one thread.
void event_conv_int8(const Conv2d& shape, const std::uint8_t* prepared, const std::int32_t* bias, const std::uint32_t* index,
                     const std::int16_t* value, std::size_t count, const std::uint32_t* starts, std::size_t first_y, std::size_t last_y,
                     std::int32_t* y) noexcept;
/// The same, each sum clamped to int16: half the memory, and faster where no output has more than 256 events. For one group, and windows of at
/// most kWindow events (dense layers: of any number).
void event_conv_int8(const Conv2d& shape, const std::uint8_t* prepared, const std::int16_t* bias, const std::uint32_t* index,
                     const std::int16_t* value, std::size_t count, const std::uint32_t* starts, std::size_t first_y, std::size_t last_y,
                     std::int16_t* y) noexcept;

}  // namespace apical::kernels
