#pragma once
// The offline twins of the known sets: drawn, worn, moved and spoken by formulas, keyed by (seed, split, sample).
// A twin has the shape, the classes and roughly the difficulty of the real set; its figures are never those of the real set.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "apical/data/dataset.h"

namespace apical::data {

/// One handwritten-like digit 0..9: own strokes (two to four ways to write each), random control points, slant, rotation,
/// scale, thickness, place, blur and noise. `pixels` is [28, 28], 0 = background, 255 = ink. Pure in (digit, seed, stream, index).
void draw_digit(int digit, std::uint64_t seed, std::uint64_t stream, std::uint64_t index, std::span<std::uint8_t> pixels);

/// `n` samples of the twin of "mnist", "fashion-mnist", "n-mnist" or "fsdd". Label i is uniform and keyed like the sample.
/// `split` ("train" or "test") names the random stream, so the two never share a sample.
Set synthetic(const std::string& name, const std::string& split, std::size_t n, std::uint64_t seed);

}  // namespace apical::data
