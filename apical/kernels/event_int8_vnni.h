#pragma once
// Private to event_int8.cpp: the product of AVX-512 VNNI (four bytes times four bytes into 32 bits), which Highway 1.0.3 does not have.
#include <cstddef>
#include <cstdint>

namespace apical::kernels {

/// y [outputs] = from (null: 0) + the weights of `count` events times their values. weights: the first output's byte of row 0, rows of `row` bytes as
/// prepare_int8 lays them out; outputs: 32, 64, ... 256. False, and nothing done, when this processor has no VNNI or a value is no int8.
/// Only for processors with AVX-512.
bool gather_vnni(const std::uint8_t* weights, std::size_t row, const std::uint32_t* rows, const std::int16_t* values, std::size_t count,
                 const std::int32_t* from, std::size_t outputs, std::int32_t* y) noexcept;

}  // namespace apical::kernels
