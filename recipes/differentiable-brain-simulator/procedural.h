#pragma once
// A matrix that is drawn anew in each product must be the same one each time, whoever asks.
#include <cstdint>

#include "apical/brain/connect.h"

namespace apical::simulator {

/// Entries in which four walks over the matrix do not agree to the bit: row by row in any order (spikes), transposed (gradients), in parts
/// of 64 targets (threads), kept in lists. All of them, if it is empty.
std::size_t walk_differences(const brain::Connection& matrix, std::uint64_t seed);

}  // namespace apical::simulator
