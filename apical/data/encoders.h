#pragma once
// How a stored sample becomes the T frames a network sees. Training and the runtime call the same functions.
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "apical/data/dataset.h"

namespace apical::data {

/// value = (x - mean[c]) / std[c] per input channel c, where x is pixel / 255 for images and the bin's count for events.
/// Empty vectors stand for mean 0 and std 1. Only the encoders whose output is analog use it: direct and event_frames.
struct Preprocess {
  std::vector<float> mean, std;
  bool operator==(const Preprocess&) const = default;
};

/// Which code, and its parameters. Written into a model's graph as it is (apical/graph uses this very struct).
///
/// | kind         | samples       | frame t                                                                          | parameters (default) |
/// |--------------|---------------|----------------------------------------------------------------------------------|----------------------|
/// | direct       | image         | the preprocessed image, the same at every step                                   | none |
/// | rate         | image         | Bernoulli 0/1 with p = min(1, gain * pixel / 255)                                | gain (1) |
/// | latency      | image         | one spike a pixel at t = floor((1 - v) T), v = pixel / 255; none if v <= threshold | threshold (0.1) |
/// | delta        | image, audio  | +1 / -1 when the signal has moved by `threshold` since the last spike            | threshold (0.25) |
/// | population   | image         | K Gaussian fields a pixel, one spike each at t = floor((1 - activation) T)       | fields (8), beta (1.5), threshold (0.1) |
/// | event_frames | events        | counts per polarity of the t-th of T equal time bins                             | clip (0 = off), duration_us (0 = of the recording) |
///
/// delta of an image: the signal is an exposure that rises linearly from 0 to v over the T steps (a brighter pixel spikes
/// more often, at most once a step); of a clip: the waveform, T blocks of samples, each block's mean magnitude.
/// population: Bohte, Kok, La Poutre, Neurocomputing 48 (2002), section 4.1: centres k / (K - 1), width 1 / (beta (K - 1)).
/// event_frames: bin = floor((t - t0) T / duration), with t0 the first event and duration = last - first + 1 us; with
/// duration_us given, t0 = 0 and events at or after it are not seen.
struct Encoder {
  std::string kind = "direct";
  std::uint64_t seed = 0;                    ///< of `rate`
  std::map<std::string, double> parameters;
  bool operator==(const Encoder&) const = default;
};

/// The kinds above, for help texts.
const std::vector<std::string>& encoder_kinds();
/// Usage error naming an unknown kind, an unknown parameter or a value out of range.
void validate(const Encoder& encoder);

struct FrameShape {
  int channels = 1, height = 0, width = 0;
  std::size_t size() const noexcept { return static_cast<std::size_t>(channels) * height * width; }
  bool operator==(const FrameShape&) const = default;
};
/// Shape of one frame: that of the sample, except population (channels * fields) and audio ([1, 1, 1]). Usage error when
/// the encoder does not take samples of this kind.
FrameShape frame_shape(const Encoder& encoder, const Set& set);

/// Sample `index` of `set` as T frames: out [T, C, H, W]. Pure in its arguments (rate: keyed by (encoder.seed, index)), so it may
/// be called from parallel_for. Usage error for T < 1, an unknown encoder, or one that does not take this kind of sample.
void encode(const Encoder& encoder, const Preprocess& preprocess, const Set& set, std::size_t index, int T, float* out);

/// The same for several samples, time first: out [T, B, C, H, W], in parallel.
void encode_batch(const Encoder& encoder, const Preprocess& preprocess, const Set& set, std::span<const std::uint32_t> indices, int T,
                  float* out);

/// Level-crossing code of a sequence [T, n]: out[t, i] = +1 when the signal rose by `threshold` above the last crossing, -1 when
/// it fell by it, else 0; the reference starts at `start` and moves by one threshold a spike.
void delta_code(std::span<const float> sequence, std::size_t n, float threshold, float start, std::span<float> out);

}  // namespace apical::data
