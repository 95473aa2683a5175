#pragma once
// A recording as one channel at the rate that is asked for.
#include <span>
#include <string>
#include <vector>

#include "apical/formats/audio.h"

namespace apical::data {

/// `x` at `from` Hz as ceil(n to / from) samples at `to` Hz: a symmetric low-pass (a sinc under a Blackman window, 32 zero crossings
/// to each side at the lower of the two rates, half its amplitude left at 0.9 of that rate's Nyquist frequency): flat to 0.8 of it, 70 dB
/// down from it on. Outside the clip there are zeros. Sample 0 stays at time 0. Usage error for a rate below 1 Hz.
std::vector<float> resample(std::span<const float> x, int from, int to);

/// The sound as one channel at `sample_rate`. A file that is not so already is a data error naming its rate and channels; with `convert`
/// the mean of the channels is resampled instead. Data error for a sound without samples.
std::vector<float> mono_clip(const formats::Audio& audio, int sample_rate, bool convert, const std::string& where);

}  // namespace apical::data
