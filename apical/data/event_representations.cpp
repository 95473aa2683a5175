#include "apical/data/event_representations.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/text.h"
#include "apical/formats/events/walk.h"
#include "apical/formats/npy.h"

namespace apical::data {
namespace {

using formats::Event, formats::microseconds_between;
using Limits = std::numeric_limits<std::int64_t>;

constexpr std::int64_t never = Limits::min();
constexpr std::uint64_t most_values = std::uint64_t{1} << 28;  // of a frame

std::size_t pixels(int width, int height) { return static_cast<std::size_t>(width) * static_cast<std::size_t>(height); }

}  // namespace

TimeSurface::TimeSurface(int width, int height, double tau) : width_(width), height_(height), tau_(tau), last_(2 * pixels(width, height), never) {
  if (!(tau > 0) || !std::isfinite(tau)) throw usage_error("the time constant of a surface must be above 0 us", "tau");
}

template <class Events>
void TimeSurface::add(const Events& events) {
  for (std::size_t i = 0; i < events.size(); ++i) {
    const Event e = events[i];
    if (e.x >= width_ || e.y >= height_) continue;
    const std::size_t row = (e.polarity ? on_channel : off_channel) * static_cast<std::size_t>(height_) + e.y;
    std::int64_t& last = last_[row * static_cast<std::size_t>(width_) + e.x];
    last = std::max({last, e.t, never + 1});
  }
}

void TimeSurface::at(std::int64_t t, float* out) const {
  for (std::size_t i = 0; i < last_.size(); ++i) {
    const auto age = static_cast<double>(std::max<std::int64_t>(0, microseconds_between(last_[i], t)));
    out[i] = last_[i] == never ? 0.0f : static_cast<float>(std::exp(-age / tau_));
  }
}

template <class Events>
void add_voxels(const Events& events, std::int64_t first, std::int64_t last, int B, int width, int height, float* out) {
  if (B < 1) throw usage_error("a voxel grid needs at least 1 bin, not " + std::to_string(B), "bins");
  if (last < first) throw usage_error("a voxel grid ends before it begins", "last");
  const std::size_t plane = pixels(width, height);
  // Differences without sign: they may be larger than a number with sign holds.
  const auto since = [&](std::int64_t t) { return static_cast<double>(static_cast<std::uint64_t>(t) - static_cast<std::uint64_t>(first)); };
  const double span = since(last), most = B - 1;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const Event e = events[i];
    if (e.x >= width || e.y >= height) continue;
    const double t = span > 0 ? std::min(most, most * since(std::clamp(e.t, first, last)) / span) : 0;
    const double bin = std::floor(t), sign = e.polarity ? 1 : -1;
    float* voxel = out + static_cast<std::size_t>(bin) * plane + static_cast<std::size_t>(e.y) * static_cast<std::size_t>(width) + e.x;
    voxel[0] += static_cast<float>(sign * (1 - (t - bin)));
    if (t > bin) voxel[plane] += static_cast<float>(sign * (t - bin));  // t < B - 1 then
  }
}

template void TimeSurface::add(const std::span<const Event>&);
template void TimeSurface::add(const formats::EventColumns&);
template void add_voxels(const std::span<const Event>&, std::int64_t, std::int64_t, int, int, int, float*);
template void add_voxels(const formats::EventColumns&, std::int64_t, std::int64_t, int, int, int, float*);

namespace {

// An NPY file [F, C, H, W] of as many frames as come.
class FrameFile {
 public:
  FrameFile(const std::filesystem::path& path, std::vector<std::uint64_t> frame) : file_(path), shape_(std::move(frame)) {
    shape_.insert(shape_.begin(), 0);
    const auto header = formats::npy_header(formats::DType::f32, shape_);
    file_.write(header.data(), header.size());
  }
  void add(const std::vector<float>& frame) {
    file_.write(frame.data(), frame.size() * sizeof(float));
    ++shape_[0];
  }
  std::uint64_t count() const { return shape_[0]; }
  void finish() {
    const auto header = formats::npy_header(formats::DType::f32, shape_);  // as long as before: four sizes never fill its 128 bytes
    file_.write_at(0, header.data(), header.size());
    file_.commit();
  }

 private:
  AtomicFile file_;
  std::vector<std::uint64_t> shape_;
};

// The frame at hand. Times are in us; `begin` and `end` of voxels are known before their events, or the events wait for them.
class Frame {
 public:
  Frame(const EventRepresentation& how, int channels, int width, int height)
      : how_(how), channels_(channels), width_(width), height_(height), values_(static_cast<std::size_t>(channels) * pixels(width, height)) {
    if (how.as == "surface") surface_.emplace(width, height, how.tau_us);
  }
  void set_span(std::int64_t begin, std::int64_t end) { span_ = {begin, end}; }
  void add(std::span<const Event> events) {
    for (const Event& e : events) latest_ = std::max(latest_, e.t);
    if (surface_) return surface_->add(events);
    if (how_.as == "frames") return add_counts(events, width_, height_, values_.data());
    if (span_) return add_voxels(events, span_->first, span_->second, channels_, width_, height_, values_.data());
    held_.insert(held_.end(), events.begin(), events.end());
  }
  /// Writes the frame, of which the surface is taken at `end` or else at the latest time, and begins the next.
  void pass_on(FrameFile& file, std::optional<std::int64_t> end) {
    if (surface_) surface_->at(end.value_or(latest_), values_.data());
    if (!held_.empty()) {
      const auto [a, b] = std::minmax_element(held_.begin(), held_.end(), [](const Event& l, const Event& r) { return l.t < r.t; });
      add_voxels(std::span<const Event>(held_), a->t, b->t, channels_, width_, height_, values_.data());
      held_.clear();
    }
    file.add(values_);
    std::fill(values_.begin(), values_.end(), 0.0f);
  }

 private:
  const EventRepresentation& how_;
  int channels_, width_, height_;
  std::vector<float> values_;
  std::optional<TimeSurface> surface_;
  std::optional<std::pair<std::int64_t, std::int64_t>> span_;
  std::vector<Event> held_;
  std::int64_t latest_ = Limits::min();
};

void check(const EventRepresentation& how) {
  const std::vector<std::string> known = {"frames", "surface", "voxels"};
  if (std::find(known.begin(), known.end(), how.as) == known.end())
    throw usage_error("'" + how.as + "' is no representation of events", "--as", did_you_mean(how.as, known));
  if (how.window_us < 0) throw usage_error("a frame must gather at least 1 us", "--window-us");
  if (how.window_us > 0 && how.per_frame > 0)
    throw usage_error("a frame gathers some time or some events, not both", "--window-us", "Leave out --window-us or --per-frame.");
  if (how.bins < 1 || how.bins > 10'000) throw usage_error("a voxel grid has 1 to 10000 bins", "--bins");
}

// The recording cut into frames.
class Cutter {
 public:
  Cutter(const EventRepresentation& how, Frame& frame, FrameFile& file) : how_(how), frame_(frame), file_(file) {}

  void add(std::span<const Event> events) {
    if (!begun_) {
      origin_ = events.front().t;
      begun_ = true;
      if (how_.window_us > 0) frame_.set_span(start(0), last(0));
    }
    if (how_.window_us > 0)
      by_time(events);
    else if (how_.per_frame > 0)
      by_number(events);
    else
      frame_.add(events);
  }
  void finish() {
    if (begun_ && (how_.per_frame == 0 || in_frame_ > 0)) close();
  }

 private:
  void by_time(std::span<const Event> events) {
    for (std::size_t i = 0, end = 0; i < events.size(); i = end) {
      const std::int64_t window = microseconds_between(origin_, events[i].t) / how_.window_us;
      expect_room_for(window);  // before empty ones fill the disk
      while (window > static_cast<std::int64_t>(file_.count())) {
        close();
        frame_.set_span(start(file_.count()), last(file_.count()));
      }
      const std::int64_t after = last(file_.count());
      for (end = i + 1; end < events.size() && events[end].t <= after;) ++end;
      frame_.add(events.subspan(i, end - i));
    }
  }
  void by_number(std::span<const Event> events) {
    while (!events.empty()) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(events.size(), how_.per_frame - in_frame_));
      frame_.add(events.first(n));
      events = events.subspan(n);
      if ((in_frame_ += n) == how_.per_frame) close();
    }
  }
  void close() {
    expect_room_for(static_cast<std::int64_t>(file_.count()));
    frame_.pass_on(file_, how_.window_us > 0 ? std::optional(last(file_.count())) : std::nullopt);
    in_frame_ = 0;
  }
  void expect_room_for(std::int64_t frame) const {
    if (frame >= how_.max_frames)
      throw usage_error("there would be more than " + std::to_string(how_.max_frames) + " frames", {},
                        "Choose longer frames, or a part with --from-us and --to-us.");
  }
  // First and last microsecond of a window, held at the ends of the number range.
  std::int64_t start(std::uint64_t window) const {
    std::int64_t length = 0, t = 0;
    if (__builtin_mul_overflow(static_cast<std::int64_t>(window), how_.window_us, &length) || __builtin_add_overflow(origin_, length, &t))
      return Limits::max();
    return t;
  }
  std::int64_t last(std::uint64_t window) const {
    const std::int64_t next = start(window + 1);
    return next == Limits::max() ? next : next - 1;
  }

  const EventRepresentation& how_;
  Frame& frame_;
  FrameFile& file_;
  bool begun_ = false;
  std::int64_t origin_ = 0;
  std::uint64_t in_frame_ = 0;
};

}  // namespace

EventRepresented represent_events(const std::filesystem::path& in, const std::filesystem::path& out, const EventRepresentation& how,
                                  const formats::EventTick& tick) {
  check(how);
  std::error_code ignored;
  if (std::filesystem::equivalent(in, out, ignored))
    throw usage_error("input and output are the same file", out.string(), "Choose another name.");
  const auto reader = formats::open_events(in);
  const formats::Sensor sensor = formats::sensor_of(in, *reader, tick);
  EventRepresented result{0, 0, how.as == "voxels" ? how.bins : 2, sensor.width, sensor.height};
  if (static_cast<std::uint64_t>(result.channels) * pixels(sensor.width, sensor.height) > most_values)
    throw usage_error("a frame would be [" + std::to_string(result.channels) + ", " + std::to_string(sensor.height) + ", " +
                          std::to_string(sensor.width) + "] numbers",
                      in.string(), how.as == "voxels" ? "Choose fewer --bins." : "");
  Frame frame(how, result.channels, sensor.width, sensor.height);
  if (how.as == "voxels" && how.window_us == 0 && how.per_frame == 0) {  // a grid of all: between which times?
    std::int64_t first = Limits::max(), last = Limits::min();
    formats::walk(*formats::open_events(in), how.range, tick, [&](std::span<const Event> events) {
      for (const Event& e : events) first = std::min(first, e.t), last = std::max(last, e.t);
    });
    if (first <= last) frame.set_span(first, last);
  }
  const auto size = [](int n) { return static_cast<std::uint64_t>(n); };
  FrameFile file(out, {size(result.channels), size(sensor.height), size(sensor.width)});
  Cutter cutter(how, frame, file);
  formats::walk(*reader, how.range, tick, [&](std::span<const Event> events) {
    result.events += events.size();
    cutter.add(events);
  });
  cutter.finish();
  file.finish();
  result.frames = file.count();
  return result;
}

}  // namespace apical::data
