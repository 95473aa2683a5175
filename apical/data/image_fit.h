#pragma once
// Makes an arbitrary picture look like the samples of a set: grey or colour, size, light on dark, centred.
#include <cstdint>
#include <vector>

#include "apical/formats/png.h"

namespace apical::data {

enum class Fit {
  stretch,  ///< resample to the size (area mean when shrinking), nothing else
  keep,     ///< keep the aspect, pad with the colour of the border
  digit     ///< as MNIST was made: crop to the ink, scale it into 20/28 of the size keeping the aspect, centre of mass in the middle
};
enum class Invert { automatic, never, always };  ///< automatic: when the border is light and Fit is `digit`

struct FitOptions {
  int channels = 1, height = 28, width = 28;
  Fit fit = Fit::digit;
  Invert invert = Invert::automatic;
};

/// The picture as [C, H, W] bytes. Transparent pixels are laid over white. Grey = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
/// A picture that already has the size and is light on dark is returned as it is. Usage error for channels other than 1 or 3.
std::vector<std::uint8_t> fit_image(const formats::Image& image, const FitOptions& options);

}  // namespace apical::data
