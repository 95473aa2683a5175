// Our side of the workload `event_readers`: reads a whole recording into columns, anew each time. Writes the columns as raw files t, x, y
// and p to a folder; prints times, what the machine needs to touch as many fresh pages, and the copy bandwidth as one JSON line.
// With --tile N instead: writes N events of the recording, again and again with shifted times, as AEDAT4.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <optional>

#include "apical/base/clock.h"
#include "apical/base/thread_pool.h"
#include "apical/formats/events/columns.h"
#include "bench/measure.h"

namespace {

using namespace apical;
using namespace apical::formats;

void tile(const std::string& from, const std::string& to, std::size_t n) {
  EventInfo info;
  auto events = read_events(from, &info);
  const std::int64_t span = events.back().t - events.front().t + 1;
  const auto writer = create_events(to, EventFormat::aedat4, info.width, info.height);
  for (std::size_t done = 0; done < n; done += events.size()) {
    writer->write(std::span(events).first(std::min(events.size(), n - done)));
    for (Event& e : events) e.t += span;
  }
  writer->finish();
}

template <class T>
void put(const std::string& path, const HugeArray<T>& array) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(array.data()), static_cast<std::streamsize>(array.size() * sizeof(T)));
}

// Seconds to get n events' fresh memory from the system and to touch it, all threads.
double touch(std::size_t n) {
  const double start = clock_seconds();
  HugeArray<std::uint8_t> fresh(13 * n);
  constexpr std::size_t page = 4096, pages_each = 512;
  parallel_for(0, fresh.size() / page, pages_each, [&](std::size_t b, std::size_t e) {
    for (std::size_t i = b; i < e; ++i) fresh.data()[i * page] = 1;
  });
  return clock_seconds() - start;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("whole recordings into columns");
  std::string file, folder;
  int threads = 1, runs = 7;
  std::size_t events = 0;
  app.add_option("file", file)->required();
  app.add_option("out", folder)->required();
  app.add_option("--tile", events);
  app.add_option("--threads", threads);
  app.add_option("--runs", runs);
  CLI11_PARSE(app, argc, argv);
  set_thread_count(threads);
  if (events > 0) {
    tile(file, folder, events);
    bench::print({});
    return 0;
  }
  std::optional<EventColumns> columns;
  std::vector<double> read;
  for (bool warm = false; !warm || bench::more(read, runs); warm = true) {
    columns.reset();
    const double start = clock_seconds();
    columns = read_event_columns(file);
    if (warm) read.push_back(clock_seconds() - start);
  }
  put(folder + "/t", columns->t);
  put(folder + "/x", columns->x);
  put(folder + "/y", columns->y);
  put(folder + "/p", columns->p);
  const std::size_t n = columns->size(), bytes = 8 * n;
  std::vector<double> fresh;
  for (int i = 0; i < runs; ++i) fresh.push_back(touch(n));
  HugeArray<std::int64_t> target(n);
  const double copy = bench::copy_bytes_per_s(columns->t.data(), target.data(), bytes, runs + 1);
  bench::print({{"read_s", read}, {"fresh_s", fresh}, {"events", {static_cast<double>(n)}}, {"copy_bytes_per_s", {copy}}});
}
