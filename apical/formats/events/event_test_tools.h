#pragma once
// Shared by the tests of this folder.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/formats/events/event.h"

namespace apical::formats {

/// A folder that disappears with the test.
class EventFiles : public ::testing::Test {
 protected:
  EventFiles() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() / ("apical_events_" + std::to_string(::getpid()) + "_" + test->name());
    std::filesystem::create_directories(folder_);
  }
  ~EventFiles() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path file(const std::string& name) const { return folder_ / name; }
  bool folder_is_empty() const { return std::filesystem::is_empty(folder_); }

 private:
  std::filesystem::path folder_;
};

inline std::vector<Event> read_all(EventReader& reader, std::size_t at_once = 1000) {
  std::vector<Event> events, some(at_once);
  while (const std::size_t n = reader.read(some)) events.insert(events.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(n));
  return events;
}

/// The error a call throws, as text; a failure and "" when it throws none.
template <class Call>
std::string error_of(Call call, ExitCode code) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

inline std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

/// A recording in order of time: rows of neighbours, single pixels, pauses up to `longest_pause` us.
inline std::vector<Event> random_events(std::uint64_t seed, std::size_t n, int width, int height, std::uint32_t longest_pause) {
  Random random(seed, "events");
  std::vector<Event> events;
  std::int64_t t = random.below(2000);
  while (events.size() < n) {
    const std::uint32_t kind = random.below(20);
    if (kind == 0)
      t += random.below(longest_pause);
    else if (kind < 12)
      t += random.below(50);
    const auto y = static_cast<std::uint16_t>(random.below(static_cast<std::uint32_t>(height)));
    const auto polarity = static_cast<std::uint8_t>(random.below(2));
    std::uint32_t x = random.below(static_cast<std::uint32_t>(width));
    const std::uint32_t gaps = 1 + random.below(6);
    for (std::uint32_t run = kind < 10 ? 1 + random.below(40) : 1; run > 0 && x < static_cast<std::uint32_t>(width); --run) {
      events.push_back({t, static_cast<std::uint16_t>(x), y, polarity});
      x += 1 + random.below(gaps);
    }
  }
  events.resize(n);
  return events;
}

}  // namespace apical::formats
