// Event files in memory into columns, allocated anew each time: the limit knows nothing of what fresh pages cost.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "apical/formats/events/columns.h"
#include "bench/micro/micro.h"

namespace apical::bench {
namespace {

using namespace formats;

// Edges that move: 1 to 16 neighbours of a row at one time.
std::vector<Event> edges(std::size_t n) {
  Random random(1, 8);
  std::vector<Event> events;
  for (std::int64_t t = 0; events.size() < n; t += random.below(4)) {
    const std::uint32_t length = 1 + random.below(16), x = random.below(640 - length), y = random.below(480), p = random.below(2);
    for (std::uint32_t i = 0; i < length && events.size() < n; ++i)
      events.push_back({t, static_cast<std::uint16_t>(x + i), static_cast<std::uint16_t>(y), static_cast<std::uint8_t>(p)});
  }
  return events;
}

std::vector<std::uint8_t> file_of(EventFormat format, std::size_t n) {
  const auto path = std::filesystem::temp_directory_path() / ("bench_micro_" + std::to_string(::getpid()));
  write_events(path, format, 640, 480, edges(n));
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  std::filesystem::remove(path);
  return bytes;
}

}  // namespace

void add_readers() {
  constexpr std::size_t n = std::size_t{1} << 22;
  for (const auto format : {EventFormat::dat, EventFormat::evt2, EventFormat::evt3, EventFormat::aedat4})
    add("read_" + name(format) + "/4Mi", Threads::all, [=] {
      auto bytes = std::make_shared<std::vector<std::uint8_t>>(file_of(format, n));
      constexpr double columns = 13;  // bytes an event
      return Case{{n, static_cast<double>(bytes->size()), columns * n, 0}, [=] { parse_event_columns(*bytes, "memory", format); }};
    });
}

}  // namespace apical::bench
