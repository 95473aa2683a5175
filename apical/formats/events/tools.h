#pragma once
// What one does with a recording: look at it, convert it, make pictures of it. All of it streams in constant memory, except where said.
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "apical/formats/events/event.h"

namespace apical::formats {

/// Called now and then with the bytes read so far; may throw to stop (nothing is left behind).
using EventTick = std::function<void(std::uint64_t done, std::uint64_t total)>;

struct EventSummary {
  EventInfo info;
  std::uint64_t bytes = 0, events = 0, on = 0;
  std::int64_t first_us = 0, last_us = 0;  ///< earliest and latest time
  int max_x = -1, max_y = -1;
  double duration_s = 0, mean_rate_hz = 0;
  double peak_rate_hz = 0;  ///< over windows of 10 ms from the first event on
};
EventSummary summarise_events(const std::filesystem::path& path, const EventTick& tick = {});

/// The part of a recording that is wanted, in us counted from its first event; `to` itself is left out.
struct EventRange {
  std::int64_t from = 0;
  std::optional<std::int64_t> to;
};

struct EventConversion {
  std::string to;             ///< an event format's name
  int width = 0, height = 0;  ///< 0: what the file says, or else the smallest that holds its events
  EventRange range;
  bool rebase = false;  ///< times count from the beginning of the range
};
/// What a file name asks for: .aedat aedat2, .aedat3, .aedat4, .csv, .dat, .es, .hdf5 and .h5, .bin nmnist, .npz. Usage error for .raw
/// (which EVT?) and others.
std::string conversion_for(const std::filesystem::path& out);
struct EventConverted {
  std::uint64_t events = 0;
  int width = 0, height = 0;
  bool size_guessed = false;  ///< from the largest coordinates
};
EventConverted convert_events(const std::filesystem::path& in, const std::filesystem::path& out, const EventConversion& how,
                              const EventTick& tick = {});

struct EventRendering {
  std::int64_t window_us = 10'000;  ///< time gathered in one frame
  double fps = 25;                  ///< frames shown a second (animated picture)
  int scale = 0;                    ///< screen pixels a sensor pixel; 0: enough for 256 on the longer side
  EventRange range;
  int max_frames = 10'000;  ///< usage error beyond it
};
struct EventRendered {
  std::uint64_t frames = 0, events = 0;
  int width = 0, height = 0;  ///< of a frame, in pixels
};
/// Frames as pictures: `out` ending in .png is one animated PNG, anything else a folder of frame_00000.png, ... (which must not exist
/// or be empty). On a light neutral ground, a pixel with more ON events is blue and with more OFF events red (told apart without red-green
/// vision), stronger the more there are, full at three.
EventRendered render_events(const std::filesystem::path& in, const std::filesystem::path& out, const EventRendering& how,
                            const EventTick& tick = {});

}  // namespace apical::formats
