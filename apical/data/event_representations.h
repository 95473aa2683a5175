#pragma once
// Recordings of event cameras as dense arrays: counts, time surfaces, voxel grids. The functions add block after block of a recording, as
// rows (std::span<const formats::Event>) or columns (formats::EventColumns), to an array that the caller keeps: memory does not grow.
// Events outside width x height are left out. No value is ever NaN or infinite.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "apical/formats/events/columns.h"
#include "apical/formats/events/tools.h"

namespace apical::data {

/// Channel of a polarity in counts and surfaces.
inline constexpr std::size_t on_channel = 0, off_channel = 1;

/// out [2, H, W]: adds 1 to the pixel of the event's polarity; exact up to 2^24 events there.
inline void add_count(const formats::Event& e, int width, int height, float* out) noexcept {
  if (e.x >= width || e.y >= height) return;
  const std::size_t row = (e.polarity ? on_channel : off_channel) * static_cast<std::size_t>(height) + e.y;
  out[row * static_cast<std::size_t>(width) + e.x] += 1.0f;
}
template <class Events>
void add_counts(const Events& events, int width, int height, float* out) noexcept {
  for (std::size_t i = 0; i < events.size(); ++i) add_count(events[i], width, height, out);
}

/// The time surface of Lagorce et al., "HOTS: a hierarchy of event-based time-surfaces for pattern recognition", IEEE TPAMI 39(7), 2017,
/// equations 2 and 3, of the whole sensor: S(x, y, p) = exp(-(t - t_last(x, y, p)) / tau), where t_last is the latest time of an event
/// there; 0 where there was none. Times may go backwards: an earlier event does not change what a later one left.
class TimeSurface {
 public:
  /// tau in us; usage error unless it is a finite number above 0.
  TimeSurface(int width, int height, double tau);
  template <class Events>
  void add(const Events& events);
  /// The surface at time t, out [2, H, W], in 0 .. 1. What came after t counts as at t.
  void at(std::int64_t t, float* out) const;

 private:
  int width_, height_;
  double tau_;
  std::vector<std::int64_t> last_;  // [2, H, W]; the smallest number for never
};

/// out [B, H, W]: adds the voxel grid of Zhu et al., "Unsupervised event-based learning of optical flow, depth, and egomotion", CVPR 2019,
/// equations 1 and 2: V(b, y, x) = sum of p_i max(0, 1 - |b - t*_i|) over the events at (x, y), t*_i = (B - 1)(t_i - first) / (last - first),
/// p = 1 for ON and -1 for OFF. Times outside first .. last count as at the nearer end; when both are the same, and for B = 1, t* is 0.
/// Usage error for B < 1 or last < first.
template <class Events>
void add_voxels(const Events& events, std::int64_t first, std::int64_t last, int B, int width, int height, float* out);

/// How a file becomes an array [F, C, H, W] of float32.
struct EventRepresentation {
  std::string as = "frames";    ///< frames (counts, C = 2), surface (at each frame's end, C = 2), voxels (C = bins)
  std::int64_t window_us = 0;   ///< a frame gathers this much time, from the first event on; late events fall into the frame at hand
  std::uint64_t per_frame = 0;  ///< or so many events (the last frame: what is left). 0 and 0: one frame of all
  int bins = 5;                 ///< of voxels
  double tau_us = 50'000;       ///< of surfaces
  formats::EventRange range = {};
  std::int64_t max_frames = 10'000;  ///< usage error beyond it
};
struct EventRepresented {
  std::uint64_t frames = 0, events = 0;
  int channels = 0, width = 0, height = 0;
};
/// Writes the array as NPY while it reads the recording: memory for one frame (voxels of `per_frame` events: and for those). F is 0 for a
/// recording without events. Surfaces are taken at the last microsecond of the window, or else at the latest event; voxels lie between the
/// first and last microsecond of the window, or else between the earliest and the latest event of the frame. The file is read once more
/// when it does not say its sensor's size, and for voxels of all. Usage error, and no file, for what `how` does not allow.
EventRepresented represent_events(const std::filesystem::path& in, const std::filesystem::path& out, const EventRepresentation& how,
                                  const formats::EventTick& tick = {});

}  // namespace apical::data
