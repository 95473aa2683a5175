// Counts, time surfaces and voxel grids against their equations, pixel by pixel over all events; files frame by frame.
#include "apical/data/event_representations.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/formats/npy.h"

namespace apical::data {
namespace {

using formats::Event;
using ::testing::Each;
using ::testing::ElementsAre;

constexpr int width = 5, height = 3;
constexpr std::size_t plane = width * height;
constexpr std::int64_t earliest = std::numeric_limits<std::int64_t>::min(), latest = std::numeric_limits<std::int64_t>::max();

Event event(std::int64_t t, int x, int y, int p) {
  return {t, static_cast<std::uint16_t>(x), static_cast<std::uint16_t>(y), static_cast<std::uint8_t>(p)};
}

// Times in [0, 1024], in no order; some events outside the sensor.
std::vector<Event> some_events(std::size_t n) {
  Random random(3, "representations");
  std::vector<Event> events;
  for (std::size_t i = 0; i < n; ++i)
    events.push_back({random.below(1025), static_cast<std::uint16_t>(random.below(6)), static_cast<std::uint16_t>(random.below(4)),
                      static_cast<std::uint8_t>(random.below(2))});
  return events;
}

// The sum over the events at (x, y), or at (x, y, p) for p = 0, 1.
template <class Term>
double sum_at(const std::vector<Event>& events, int x, int y, int p, Term term) {
  double sum = 0;
  for (const Event& e : events)
    if (e.x == x && e.y == y && (p < 0 || e.polarity == p)) sum += term(e);
  return sum;
}

formats::EventColumns columns_of(const std::vector<Event>& events) {
  formats::EventColumns c;
  c.t.resize(events.size()), c.x.resize(events.size()), c.y.resize(events.size()), c.p.resize(events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    c.t.data()[i] = events[i].t, c.p.data()[i] = events[i].polarity;
    c.x.data()[i] = static_cast<std::int16_t>(events[i].x), c.y.data()[i] = static_cast<std::int16_t>(events[i].y);
  }
  return c;
}

// Calls use(value, x, y, channel) for all of out [C, H, W].
template <class Use>
void for_each(const std::vector<float>& out, Use use) {
  for (std::size_t i = 0; i < out.size(); ++i)
    use(out[i], static_cast<int>(i % width), static_cast<int>(i / width % height), static_cast<int>(i / plane));
}

}  // namespace

TEST(EventRepresentations, Counts) {
  const auto events = some_events(500);
  std::vector<float> rows(2 * plane), columns(2 * plane);
  add_counts(std::span(events).first(123), width, height, rows.data());
  add_counts(std::span(events).subspan(123), width, height, rows.data());
  add_counts(columns_of(events), width, height, columns.data());
  EXPECT_EQ(rows, columns);
  for_each(rows, [&](float v, int x, int y, int c) { EXPECT_EQ(v, sum_at(events, x, y, c == 0, [](const Event&) { return 1; })); });
}

TEST(EventRepresentations, SurfaceIsEquation3) {
  auto events = some_events(40);  // some pixels without any
  std::vector<float> rows(2 * plane), columns(2 * plane), sorted(2 * plane);
  TimeSurface a(width, height, 300), b(width, height, 300), c(width, height, 300);
  a.add(std::span<const Event>(events).first(11));
  a.add(std::span<const Event>(events).subspan(11));
  b.add(columns_of(events));
  a.at(1100, rows.data());
  b.at(1100, columns.data());
  EXPECT_EQ(rows, columns);
  int empty = 0;
  for_each(rows, [&](float v, int x, int y, int channel) {
    double youngest = -1;  // exp falls with age: the largest is that of the latest event
    sum_at(events, x, y, channel == 0,
           [&](const Event& e) { return youngest = std::max(youngest, std::exp((static_cast<double>(e.t) - 1100) / 300)); });
    empty += youngest < 0;
    EXPECT_FLOAT_EQ(v, static_cast<float>(std::max(0.0, youngest)));
  });
  EXPECT_GT(empty, 0);
  std::sort(events.begin(), events.end(), [](const Event& l, const Event& r) { return l.t < r.t; });
  c.add(std::span<const Event>(events));
  c.at(1100, sorted.data());
  EXPECT_EQ(sorted, rows);
}

TEST(EventRepresentations, SurfaceOfAnyTimes) {
  const std::vector<Event> events = {event(earliest, 0, 0, 1), event(latest, 1, 0, 1), event(7, 2, 0, 1)};
  TimeSurface surface(width, height, 1e-3);
  surface.add(std::span<const Event>(events));
  std::vector<float> out(2 * plane, -1.0f);
  surface.at(7, out.data());
  EXPECT_THAT(std::span(out).first(4), ElementsAre(0, 1, 1, 0));
  surface.at(earliest, out.data());
  EXPECT_THAT(std::span(out).first(4), ElementsAre(1, 1, 1, 0));
  for (const double tau : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) EXPECT_THROW(TimeSurface(1, 1, tau), Error);
}

// 1024 us and 4 steps between 5 bins: all weights are multiples of 2^-8, so sums are exact in any order.
TEST(EventRepresentations, VoxelsAreEquation1And2) {
  const auto events = some_events(500);
  constexpr int B = 5;
  std::vector<float> rows(B * plane), columns(B * plane);
  add_voxels(std::span<const Event>(events).first(77), 0, 1024, B, width, height, rows.data());
  add_voxels(std::span<const Event>(events).subspan(77), 0, 1024, B, width, height, rows.data());
  add_voxels(columns_of(events), 0, 1024, B, width, height, columns.data());
  EXPECT_EQ(rows, columns);
  for_each(rows, [&](float v, int x, int y, int b) {
    EXPECT_EQ(v, sum_at(events, x, y, -1, [&](const Event& e) {
                return (e.polarity ? 1 : -1) * std::max(0.0, 1 - std::abs(b - 4 * static_cast<double>(e.t) / 1024));
              }));
  });
}

TEST(EventRepresentations, VoxelsAtTheEdges) {
  const auto grid = [](std::vector<Event> events, std::int64_t first, std::int64_t last, int B) {
    std::vector<float> out(static_cast<std::size_t>(B));
    add_voxels(std::span<const Event>(events), first, last, B, 1, 1, out.data());
    return out;
  };
  EXPECT_THAT(grid({}, 0, 10, 3), Each(0.0f));
  EXPECT_THAT(grid({event(9, 0, 0, 0)}, 9, 9, 3), ElementsAre(-1, 0, 0));                    // one event: t* = 0
  EXPECT_THAT(grid({event(3, 0, 0, 1), event(10, 0, 0, 1)}, 0, 10, 1), ElementsAre(2));      // one bin
  EXPECT_THAT(grid({event(-5, 0, 0, 1), event(15, 0, 0, 0)}, 0, 10, 3), ElementsAre(1, 0, -1));  // late and early ones
  EXPECT_THAT(grid({event(earliest, 0, 0, 1), event(latest, 0, 0, 1), event(-1, 0, 0, 1)}, earliest, latest, 3), ElementsAre(1, 1, 1));
  EXPECT_THROW(grid({}, 0, 10, 0), Error);
  EXPECT_THROW(grid({}, 10, 0, 3), Error);
}

namespace {

class RepresentFiles : public ::testing::Test {
 protected:
  RepresentFiles() : folder_(std::filesystem::temp_directory_path() / ("apical_represent_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~RepresentFiles() override { std::filesystem::remove_all(folder_); }
  // What a file of these events becomes: its shape, and the frames one after the other.
  std::vector<float> made(const std::vector<Event>& events, const EventRepresentation& how) {
    std::ofstream csv(folder_ / "a.csv");
    csv << "# geometry " << width << "x" << height << "\nt,x,y,p\n";
    for (const Event& e : events) csv << e.t << "," << e.x << "," << e.y << "," << int{e.polarity} << "\n";
    csv.close();
    const EventRepresented done = represent_events(folder_ / "a.csv", folder_ / "a.npy", how);
    const formats::Array array = formats::read_npy(folder_ / "a.npy");
    EXPECT_THAT(array.shape, ElementsAre(done.frames, how.as == "voxels" ? how.bins : 2, height, width));
    const auto values = array.as<float>();
    return {values.begin(), values.end()};
  }
  bool wrote() const { return std::distance(std::filesystem::directory_iterator(folder_), {}) > 1; }

 private:
  std::filesystem::path folder_;
};

// Frames by hand, then their ends in time.
std::vector<float> counts(const std::vector<std::vector<Event>>& frames) {
  std::vector<float> out(frames.size() * 2 * plane);
  for (std::size_t f = 0; f < frames.size(); ++f)
    for (const Event& e : frames[f]) out[f * 2 * plane + (e.polarity ? 0 : plane) + e.y * std::size_t{width} + e.x] += 1;
  return out;
}
std::vector<float> surfaces(const std::vector<std::vector<Event>>& frames, const std::vector<std::int64_t>& ends, double tau) {
  std::vector<float> out(frames.size() * 2 * plane);
  TimeSurface surface(width, height, tau);
  for (std::size_t f = 0; f < frames.size(); ++f) {
    surface.add(std::span<const Event>(frames[f]));
    surface.at(ends[f], out.data() + f * 2 * plane);
  }
  return out;
}
std::vector<float> voxels(const std::vector<std::vector<Event>>& frames, const std::vector<std::pair<std::int64_t, std::int64_t>>& spans, int B) {
  const std::size_t size = static_cast<std::size_t>(B) * plane;
  std::vector<float> out(frames.size() * size);
  for (std::size_t f = 0; f < frames.size(); ++f)
    add_voxels(std::span<const Event>(frames[f]), spans[f].first, spans[f].second, B, width, height, out.data() + f * size);
  return out;
}

}  // namespace

TEST_F(RepresentFiles, WindowsOfTime) {
  const Event a = event(100, 1, 1, 1), b = event(109, 1, 1, 0), c = event(110, 2, 0, 1), late = event(95, 4, 2, 0), d = event(135, 0, 0, 1);
  const std::vector<Event> events = {a, b, c, late, d};
  const std::vector<std::vector<Event>> frames = {{a, b}, {c, late}, {}, {d}};
  EXPECT_EQ(made(events, {.as = "frames", .window_us = 10}), counts(frames));
  EXPECT_EQ(made(events, {.as = "surface", .window_us = 10, .tau_us = 20}), surfaces(frames, {109, 119, 129, 139}, 20));
  EXPECT_EQ(made(events, {.as = "voxels", .window_us = 10, .bins = 4}), voxels(frames, {{100, 109}, {110, 119}, {120, 129}, {130, 139}}, 4));
  EXPECT_EQ(made(events, {.as = "frames", .window_us = 10, .range = {5, 20}}), counts({{b, c}}));
}

TEST_F(RepresentFiles, NumbersOfEventsAndAll) {
  const auto events = some_events(20'000);  // several blocks of the reader
  std::vector<Event> inside;
  for (const Event& e : events)
    if (e.x < width && e.y < height) inside.push_back(e);
  std::vector<std::vector<Event>> frames;
  std::vector<std::int64_t> ends;
  std::vector<std::pair<std::int64_t, std::int64_t>> spans;
  std::int64_t end = 0;
  for (std::size_t i = 0; i < inside.size(); i += 777) {
    const auto some = std::span(inside).subspan(i, std::min<std::size_t>(inside.size() - i, 777));
    frames.emplace_back(some.begin(), some.end());
    std::int64_t first = latest, last = earliest;
    for (const Event& e : frames.back()) first = std::min(first, e.t), last = std::max(last, e.t);
    spans.emplace_back(first, last);
    ends.push_back(end = std::max(end, last));
  }
  EXPECT_EQ(made(events, {.as = "frames", .per_frame = 777}), counts(frames));
  EXPECT_EQ(made(events, {.as = "surface", .per_frame = 777, .tau_us = 50}), surfaces(frames, ends, 50));
  EXPECT_EQ(made(events, {.as = "voxels", .per_frame = 777, .bins = 3}), voxels(frames, spans, 3));
  EXPECT_EQ(made(events, {.as = "frames"}), counts({inside}));
  EXPECT_EQ(made(events, {.as = "surface", .tau_us = 50}), surfaces({inside}, {1024}, 50));
  EXPECT_EQ(made(events, {.as = "voxels"}), voxels({inside}, {{0, 1024}}, 5));
}

TEST_F(RepresentFiles, NoEventsOneEventAndAnyTimes) {
  for (const char* as : {"frames", "surface", "voxels"})
    for (const std::int64_t window : {0, 10}) {
      EXPECT_TRUE(made({}, {.as = as, .window_us = window}).empty());
      const auto one = made({event(5, 1, 0, 1)}, {.as = as, .window_us = window, .tau_us = 1e9});
      EXPECT_NEAR(one[1], 1, 1e-6);
      EXPECT_EQ(std::count(one.begin(), one.end(), 0.0f), std::ssize(one) - 1);
    }
  EXPECT_EQ(made({event(-3, 0, 0, 1), event(latest, 0, 0, 1)}, {.as = "frames", .window_us = latest}).size(), 2 * 2 * plane);
}

TEST_F(RepresentFiles, Refusals) {
  const std::vector<Event> events = {event(0, 0, 0, 1), event(1'000'000, 0, 0, 1)};
  for (const EventRepresentation& how :
       {EventRepresentation{.as = "voxel"}, {.window_us = 1, .per_frame = 1}, {.window_us = -1}, {.as = "voxels", .bins = 0},
        {.as = "surface", .tau_us = 0}, {.window_us = 10, .max_frames = 1000}, {.per_frame = 1, .max_frames = 1}}) {
    EXPECT_THROW(made(events, how), Error);
    EXPECT_FALSE(wrote());
  }
  EXPECT_EQ(made(events, {.per_frame = 1, .max_frames = 2}).size(), 2 * 2 * plane);
}

}  // namespace apical::data
