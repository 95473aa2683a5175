#pragma once
// An event camera that looks at a still image and moves its eye: what turned MNIST into N-MNIST, simulated.
// Source of the set: G. Orchard, A. Jayawant, G. Cohen, N. Thakor, "Converting static image datasets to spiking neuromorphic
// datasets using saccades", Frontiers in Neuroscience 9:437 (2015): an ATIS sensor on a pan-tilt unit, three saccades of about
// 100 ms along a triangle. The path and the pixel below were fitted to recordings of that set beside their MNIST images.
#include <cstdint>
#include <span>
#include <vector>

#include "apical/data/dataset.h"
#include "apical/formats/events/event.h"

namespace apical::data {

/// A pixel gives an event when its log intensity L = log(floor + I) (I in 0..1) has moved by its threshold since the last
/// event, then is blind for its refractory time, after which it compares with the level it then sees.
struct SaccadeCamera {
  int width = 34, height = 34;        ///< pixels
  double duration_us = 308000;        ///< of a recording, us
  float blur_px = 0.45f;              ///< optics: standard deviation of the point spread, px
  float floor = 2.0f;                 ///< light of the background, in units of full ink (a grey screen and a lit room: contrasts are small)
  float threshold = 0.047f;           ///< contrast threshold, in natural-log units
  float mismatch = 0.10f;             ///< standard deviation of a pixel's threshold, relative; fixed for a sensor
  float jitter = 0.10f;               ///< standard deviation of the threshold from event to event, relative
  float drift = 0.10f;                ///< standard deviation of all thresholds from recording to recording, relative
  float refractory_us = 1200;         ///< us
  float adaptation_us = 20000;        ///< time constant with which a pixel's reference follows what it sees (slow change is not told)
  float latency_jitter_us = 300;      ///< standard deviation of an event's time, us
  float noise_hz = 0.42f;             ///< background events a pixel and second
  float noise_on = 0.89f;             ///< share of them with polarity 1
  bool inverted = true;               ///< polarity as in the published files: 1 where the ink goes, 0 where it comes
  float path_jitter = 0.04f;          ///< relative standard deviation of the path's size, a recording
  float place_jitter_px = 0.3f;       ///< standard deviation of the image's place, px, a recording
  float shake_px = 0.06f;             ///< standard deviation of the eye's unrest between saccades, px
};

/// Centre of the image on the sensor at time t (us), without jitter: starts near (14.0, 14.3), saccades peak near 45, 150 and 255 ms.
struct EyePosition {
  float x = 0, y = 0;  ///< px
};
EyePosition eye_position(double t_us);

/// Events of an image [height, width] (0..255), in order of time. Pure in (image, camera, seed, index).
std::vector<formats::Event> simulate_saccades(std::span<const std::uint8_t> image, int height, int width, const SaccadeCamera& camera,
                                              std::uint64_t seed, std::uint64_t index);

/// A whole set of one-channel images as recordings (same labels, ids, split); in parallel. Named "n-mnist" when `images` is
/// "mnist"; marked synthetic: figures on it are not figures on N-MNIST.
Set simulate_saccades(const Set& images, const SaccadeCamera& camera = {}, std::uint64_t seed = 1);

}  // namespace apical::data
