// Our side of the workload `event_frames`: a recording's events in memory to frames of a fixed time each, [F, 2, H, W] float32: counts, and
// time surfaces at the end of each. Writes counts.npy and surfaces.npy to a folder; prints the sensor's size, times, and the copy bandwidth
// at the footprint of the frames as one JSON line.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <span>

#include "apical/data/event_representations.h"
#include "apical/formats/npy.h"
#include "bench/measure.h"

int main(int argc, char** argv) {
  using namespace apical;
  CLI::App app("events to frames");
  std::string file, folder;
  int threads = 1, runs = 7;
  std::int64_t window = 10'000;
  double tau = 50'000;
  app.add_option("file", file)->required();
  app.add_option("out", folder)->required();
  app.add_option("--window", window);
  app.add_option("--tau", tau);
  app.add_option("--threads", threads);
  app.add_option("--runs", runs);
  CLI11_PARSE(app, argc, argv);
  set_thread_count(threads);

  formats::EventInfo info;
  const auto events = formats::read_events(file, &info);
  const std::size_t pixels = 2 * static_cast<std::size_t>(info.width) * static_cast<std::size_t>(info.height);
  const std::int64_t start = events.front().t;
  const auto frames = static_cast<std::size_t>((events.back().t - start) / window);  // whole ones
  const auto zeros = [&] {  // on pages that are fresh and not yet there, as numpy's are
    return std::unique_ptr<float[], decltype(&std::free)>(static_cast<float*>(std::calloc(frames * pixels, sizeof(float))), &std::free);
  };
  auto counts = zeros(), surfaces = zeros();
  // Calls each(frame, end of its time, its events); times ascend.
  const auto each_frame = [&](auto each) {
    auto begin = events.begin();
    for (std::size_t f = 0; f < frames; ++f) {
      const std::int64_t until = start + static_cast<std::int64_t>(f + 1) * window;
      const auto end = std::lower_bound(begin, events.end(), until, [](const formats::Event& e, std::int64_t t) { return e.t < t; });
      each(f, until, std::span<const formats::Event>(begin, end));
      begin = end;
    }
  };
  const auto counts_s = bench::seconds(runs, [&] {
    counts = zeros();
    each_frame([&](std::size_t f, std::int64_t, auto part) { data::add_counts(part, info.width, info.height, counts.get() + f * pixels); });
  });
  const auto surfaces_s = bench::seconds(runs, [&] {
    surfaces = zeros();
    data::TimeSurface surface(info.width, info.height, tau);
    each_frame([&](std::size_t f, std::int64_t until, auto part) {
      surface.add(part);
      surface.at(until, surfaces.get() + f * pixels);
    });
  });
  const auto height = static_cast<std::uint64_t>(info.height), width = static_cast<std::uint64_t>(info.width);
  for (const auto& [name, values] : {std::pair{"counts", counts.get()}, std::pair{"surfaces", surfaces.get()}})
    formats::write_npy(folder + "/" + name + ".npy", formats::Array::of<float>({frames, 2, height, width}, {values, frames * pixels}));
  const double copy = bench::copy_bytes_per_s(counts.get(), surfaces.get(), 4 * frames * pixels, runs);
  bench::print({{"counts_s", counts_s}, {"surfaces_s", surfaces_s}, {"copy_bytes_per_s", {copy}},
                {"size", {static_cast<double>(info.width), static_cast<double>(info.height)}}});
}
