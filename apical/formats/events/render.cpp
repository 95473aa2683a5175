#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/formats/events/walk.h"
#include "apical/formats/png.h"

namespace apical::formats {
namespace {

using Colour = std::array<std::uint8_t, 3>;
constexpr Colour ground = {246, 246, 244}, on_colour = {0, 90, 181}, off_colour = {220, 50, 32};
constexpr std::int64_t most_pixels = std::int64_t{1} << 26;

// Where frames go: one animated picture, or a folder that takes its name when all of it is there.
class Frames {
 public:
  Frames(std::filesystem::path out, int width, int height, int delay_ms)
      : out_(std::move(out)), width_(width), height_(height), delay_ms_(delay_ms) {
    if (out_.extension() == ".png") {
      animated_ = std::make_unique<ApngWriter>(out_, width, height, 3);
      return;
    }
    while (out_.has_relative_path() && !out_.has_filename()) out_ = out_.parent_path();  // "frames/" is "frames"
    std::error_code ignored;
    if (std::filesystem::exists(out_, ignored) &&
        !(std::filesystem::is_directory(out_, ignored) && std::filesystem::is_empty(out_, ignored)))
      throw usage_error(std::filesystem::is_directory(out_, ignored) ? "the folder for the frames is not empty"
                                                                     : "a file stands where the folder of frames is to be",
                        out_.string(), "Choose another --out.");
    temporary_ = out_;
    temporary_ += ".tmp" + std::to_string(::getpid());
    make_folder(temporary_);
  }
  ~Frames() {
    std::error_code ignored;
    if (!temporary_.empty()) std::filesystem::remove_all(temporary_, ignored);
  }
  Frames(const Frames&) = delete;
  Frames& operator=(const Frames&) = delete;

  void add(const std::vector<std::uint8_t>& pixels) {
    if (animated_) {
      animated_->add(pixels, delay_ms_);
    } else {
      char name[32];
      std::snprintf(name, sizeof name, "frame_%05llu.png", static_cast<unsigned long long>(count_));
      write_png(temporary_ / name, Image{width_, height_, 3, pixels});
    }
    ++count_;
  }
  void finish() {
    if (animated_) return animated_->finish();
    std::error_code error;
    std::filesystem::rename(temporary_, out_, error);
    if (error) throw data_error("cannot name the folder of frames: " + error.message(), out_.string(), "Choose another --out.");
    temporary_.clear();
  }
  std::uint64_t count() const noexcept { return count_; }

 private:
  std::filesystem::path out_, temporary_;
  int width_, height_, delay_ms_;
  std::uint64_t count_ = 0;
  std::unique_ptr<ApngWriter> animated_;
};

// The events of one window, and their picture.
class Canvas {
 public:
  Canvas(int width, int height, int scale)
      : width_(static_cast<std::size_t>(width)),
        height_(static_cast<std::size_t>(height)),
        scale_(static_cast<std::size_t>(scale)),
        balance_(width_ * height_),
        strength_(width_ * height_),
        pixels_(width_ * scale_ * height_ * scale_ * 3) {}
  void add(const Event& e) noexcept {
    if (e.x >= width_ || e.y >= height_) return;
    const std::size_t i = e.y * width_ + e.x;
    balance_[i] = static_cast<std::int8_t>(std::clamp(balance_[i] + (e.polarity ? 1 : -1), -100, 100));
    strength_[i] = static_cast<std::uint8_t>(std::min(strength_[i] + 1, 3));
    // A draw is decided by the last event.
    if (balance_[i] == 0) balance_[i] = e.polarity ? 1 : -1;
  }
  const std::vector<std::uint8_t>& draw() {
    static constexpr int percent[] = {0, 55, 80, 100};
    const std::size_t row = width_ * scale_ * 3;
    for (std::size_t y = 0; y < height_; ++y) {
      std::uint8_t* to = pixels_.data() + y * scale_ * row;
      for (std::size_t x = 0; x < width_; ++x) {
        const std::size_t i = y * width_ + x;
        const Colour& hue = balance_[i] > 0 ? on_colour : off_colour;
        const int p = percent[strength_[i]];
        for (std::size_t s = 0; s < scale_; ++s)
          for (std::size_t c = 0; c < 3; ++c) *to++ = static_cast<std::uint8_t>((ground[c] * (100 - p) + hue[c] * p) / 100);
      }
      for (std::size_t s = 1; s < scale_; ++s) std::copy_n(pixels_.data() + y * scale_ * row, row, pixels_.data() + (y * scale_ + s) * row);
    }
    std::fill(balance_.begin(), balance_.end(), std::int8_t{0});
    std::fill(strength_.begin(), strength_.end(), std::uint8_t{0});
    return pixels_;
  }

 private:
  std::size_t width_, height_, scale_;
  std::vector<std::int8_t> balance_;    // ON minus OFF
  std::vector<std::uint8_t> strength_;  // number of events, up to 3
  std::vector<std::uint8_t> pixels_;
};

void check(const EventRendering& how) {
  if (how.window_us < 1) throw usage_error("a frame must gather at least 1 us", "--window-us");
  if (!(how.fps >= 0.02 && how.fps <= 1000)) throw usage_error("frames a second must be from 0.02 to 1000", "--fps");
  if (how.scale < 0 || how.scale > 64) throw usage_error("the scale must be from 1 to 64", "--scale");
}

}  // namespace

EventRendered render_events(const std::filesystem::path& in, const std::filesystem::path& out, const EventRendering& how,
                            const EventTick& tick) {
  check(how);
  const auto reader = open_events(in);
  const Sensor sensor = sensor_of(in, *reader, tick);
  const int longer = std::max(sensor.width, sensor.height);
  const int scale = how.scale > 0 ? how.scale : std::max(1, (255 + longer) / longer);
  EventRendered result;
  if (std::int64_t{sensor.width} * scale * sensor.height * scale > most_pixels)
    throw usage_error("a frame would have " + std::to_string(std::int64_t{sensor.width} * scale) + "x" +
                          std::to_string(std::int64_t{sensor.height} * scale) + " pixels",
                      in.string(), "Choose a smaller --scale.");
  result.width = sensor.width * scale;
  result.height = sensor.height * scale;
  Frames frames(out, result.width, result.height, static_cast<int>(std::lround(1000 / how.fps)));
  Canvas canvas(sensor.width, sensor.height, scale);
  std::int64_t origin = 0;
  walk(*reader, how.range, tick, [&](std::span<const Event> events) {
    if (result.events == 0) origin = events.front().t;
    result.events += events.size();
    for (const Event& e : events) {
      const std::int64_t window = microseconds_between(origin, e.t) / how.window_us;  // late events go into the frame at hand
      if (window >= how.max_frames)
        throw usage_error(
            "windows of " + std::to_string(how.window_us) + " us would make more than " + std::to_string(how.max_frames) + " frames",
            in.string(), "Choose a longer --window-us, or a part with --from-us and --to-us.");
      while (static_cast<std::int64_t>(frames.count()) < window) frames.add(canvas.draw());
      canvas.add(e);
    }
  });
  if (result.events == 0) throw data_error("there are no events to show", in.string(), "Look at the file with 'apical events info'.");
  frames.add(canvas.draw());
  frames.finish();
  result.frames = frames.count();
  return result;
}

}  // namespace apical::formats
