#pragma once
// One sample of each other twin; see synthetic.h for the rules. Private to the room.
#include <cstdint>
#include <span>
#include <vector>

#include "apical/base/philox.h"

namespace apical::data {

/// A piece of clothing 0..9 in the order of Fashion-MNIST, as a filled silhouette: [28, 28].
void draw_garment(int label, std::uint64_t seed, std::uint64_t stream, std::uint64_t index, std::span<std::uint8_t> pixels);

/// A spoken-like digit 0..9: pulses or noise through three moving resonances, with a speaker's pitch, vocal tract and tempo. 8 kHz.
std::vector<float> speak_digit(int digit, std::uint64_t seed, std::uint64_t stream, std::uint64_t index);

}  // namespace apical::data
