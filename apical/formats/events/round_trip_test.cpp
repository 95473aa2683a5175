// What a writer writes, its reader reads: the same sequence, for every format, however it is cut into pieces.
#include <algorithm>

#include "apical/base/files.h"
#include "apical/formats/events/event_test_tools.h"

namespace apical::formats {
namespace {

struct Case {
  EventFormat format;
  const char* file;
  int width, height;
  std::uint32_t longest_pause;  // of one step; the clocks of nmnist, dat and aedat2 carry less than half their period
};
const Case cases[] = {{EventFormat::nmnist, "a.bin", 34, 34, 4'000'000},
                      {EventFormat::nmnist, "a.bin", 240, 180, 100'000},
                      {EventFormat::dat, "a.dat", 1280, 720, 2'000'000'000},
                      {EventFormat::dat, "a.dat", 16384, 16384, 1000},
                      {EventFormat::evt2, "a.raw", 640, 480, 4'000'000'000u},
                      {EventFormat::evt2, "a.raw", 2048, 2048, 100},
                      {EventFormat::evt21, "a.raw", 640, 480, 4'000'000'000u},
                      {EventFormat::evt21, "a.raw", 2048, 2048, 100},
                      {EventFormat::evt3, "a.raw", 1280, 720, 4'000'000'000u},
                      {EventFormat::evt3, "a.raw", 2048, 2048, 5000},
                      {EventFormat::aedat2, "a.aedat", 128, 128, 2'000'000'000},
                      {EventFormat::aedat2, "a.aedat", 346, 260, 2'000'000'000},
                      {EventFormat::aedat2, "a.aedat", 50, 90, 1000},
                      {EventFormat::aedat2, "a.aedat", 1024, 512, 1000},
                      {EventFormat::aedat3, "a.aedat", 128, 128, 4'000'000'000u},
                      {EventFormat::aedat3, "a.aedat", 1280, 720, 1000},
                      {EventFormat::aedat3, "a.aedat3", 32768, 32768, 100'000},
                      {EventFormat::csv, "a.csv", 640, 480, 4'000'000'000u},
                      {EventFormat::csv, "a.txt", 65536, 65536, 1000},
                      {EventFormat::hdf5, "a.hdf5", 640, 480, 1'000'000},
                      {EventFormat::hdf5, "a.h5", 65536, 65536, 1000},
                      {EventFormat::hdf5_ecf, "a.hdf5", 1280, 720, 1'000'000},
                      {EventFormat::hdf5_ecf, "a.raw", 2048, 2048, 100},
                      {EventFormat::npz, "a.npz", 640, 480, 4'000'000'000u},
                      {EventFormat::npz, "a.zip", 65536, 65536, 1000},
                      {EventFormat::es, "a.es", 1280, 720, 100'000},
                      {EventFormat::es, "a.es", 65535, 65535, 300},
                      {EventFormat::aedat4, "a.aedat4", 640, 480, 4'000'000'000u},
                      {EventFormat::aedat4, "a.aedat4", 32768, 100, 1000}};

}  // namespace

class EventRoundTrip : public EventFiles {};

TEST_F(EventRoundTrip, EveryFormatGivesBackTheSequence) {
  for (const Case& c : cases)
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      SCOPED_TRACE(name(c.format) + " " + std::to_string(c.width) + "x" + std::to_string(c.height) + " seed " + std::to_string(seed));
      const auto events = random_events(seed, 30'000, c.width, c.height, c.longest_pause);
      write_events(file(c.file), c.format, c.width, c.height, events);
      EventInfo info;
      const auto back = read_events(file(c.file), &info);
      EXPECT_EQ(info.format, c.format);
      EXPECT_EQ(info.width, c.width);
      EXPECT_EQ(info.height, c.height);
      EXPECT_EQ(info.dropped + info.outside + info.special + info.unknown_words, 0u);
      EXPECT_TRUE(back == events) << "first difference at "
                                  << std::mismatch(back.begin(), back.end(), events.begin(), events.end()).first - back.begin() << " of "
                                  << back.size();
    }
}

TEST_F(EventRoundTrip, NoFormatIsLeftOut) {
  for (const std::string& format : event_format_names())
    EXPECT_TRUE(std::any_of(std::begin(cases), std::end(cases), [&](const Case& c) { return name(c.format) == format; })) << format;
}

TEST_F(EventRoundTrip, PiecesDoNotMatter) {
  for (const Case& c : cases) {
    const auto events = random_events(9, 12'345, c.width, c.height, 3000);
    write_events(file("whole"), c.format, c.width, c.height, events);
    {
      auto writer = create_events(file("pieces"), c.format, c.width, c.height);
      for (std::size_t at = 0, n = 1; at < events.size(); at += n, n = n * 3 % 1009 + 1)
        writer->write(std::span(events).subspan(at, std::min(n, events.size() - at)));
      writer->finish();
    }
    const auto bytes = read_file(file("whole"));
    EXPECT_EQ(bytes, read_file(file("pieces"))) << name(c.format);
    for (const std::size_t at_once : {1, 7, 100'000})
      EXPECT_EQ(read_all(*open_events(bytes, "memory", c.format), at_once), events) << name(c.format);
  }
}

TEST_F(EventRoundTrip, EmptyRecordingsAreFiles) {
  for (const Case& c : cases) {
    write_events(file(c.file), c.format, c.width, c.height, {});
    if (c.format == EventFormat::nmnist) continue;  // a file of no bytes: nothing to tell its format from, but no events either
    EventInfo info;
    EXPECT_TRUE(read_events(file(c.file), &info).empty());
    EXPECT_EQ(info.format, c.format);
    EXPECT_EQ(info.width, c.width);
  }
}

TEST_F(EventRoundTrip, NothingIsLeftWithoutFinish) {
  const auto events = random_events(3, 100'000, 100, 100, 10);
  for (const Case& c : cases) {
    create_events(file(c.file), c.format, 100, 100)->write(events);
    EXPECT_TRUE(folder_is_empty()) << name(c.format);
  }
}

TEST_F(EventRoundTrip, Evt3PacksRowsIntoVectors) {
  std::vector<Event> row;
  for (std::uint16_t x = 100; x < 132; ++x) row.push_back({5000, x, 7, 1});
  write_events(file("a.raw"), EventFormat::evt3, 640, 480, row);
  EventInfo info;
  EXPECT_EQ(read_events(file("a.raw"), &info), row);
  std::uint64_t words = 0;
  for (const auto& [kind, count] : info.words) words += count;
  EXPECT_EQ(words, 7u);  // TIME_HIGH, TIME_LOW, ADDR_Y, BASE_X, VECT_12, VECT_12, VECT_8
}

TEST_F(EventRoundTrip, Evt21PacksColumnsIntoWords) {
  std::vector<Event> row;
  for (std::uint16_t x = 90; x < 130; ++x) row.push_back({5000, x, 7, 1});
  row.push_back({5000, 128, 7, 1});  // to the left: a word of its own, so that the order stays
  write_events(file("a.raw"), EventFormat::evt21, 640, 480, row);
  EventInfo info;
  EXPECT_EQ(read_events(file("a.raw"), &info), row);
  EXPECT_EQ(info.words[1], (std::pair<std::string, std::uint64_t>{"EVT_POS", 4}));  // 64-95, 96-127, 128-159, and again
  EXPECT_EQ(info.words[2].second, 1u);
}

TEST_F(EventRoundTrip, CsvAndNpzKeepTimesThatStepBack) {
  const std::vector<Event> events = {{10, 1, 2, 1}, {9, 3, 4, 0}, {-5, 0, 0, 1}};
  for (const EventFormat format : {EventFormat::csv, EventFormat::npz}) {
    write_events(file("a.csv"), format, 20, 20, events);
    EXPECT_EQ(read_events(file("a.csv")), events);
  }
}

TEST_F(EventRoundTrip, WritersRefuseWhatTheyCannotSay) {
  const auto write = [&](EventFormat f, int w, int h, std::vector<Event> events) {
    const std::string text = error_of([&] { write_events(file("a"), f, w, h, events); }, ExitCode::usage);
    EXPECT_TRUE(folder_is_empty());
    return text;
  };
  for (const Case& c : cases) {
    if (c.format != EventFormat::csv && c.format != EventFormat::npz) {
      EXPECT_NE(write(c.format, 20, 20, {{10, 1, 1, 1}, {9, 1, 1, 1}}).find("comes after 10 us"), std::string::npos);
      EXPECT_NE(write(c.format, 20, 20, {{-1, 1, 1, 1}}).find("negative time"), std::string::npos);
    }
    EXPECT_NE(write(c.format, 20, 20, {{1, 20, 1, 1}}).find("outside the sensor of 20x20"), std::string::npos);
    EXPECT_NE(write(c.format, 20, 20, {{1, 1, 20, 1}}).find("outside the sensor"), std::string::npos);
    EXPECT_NE(write(c.format, 20, 20, {{1, 1, 1, 2}}).find("polarity 2"), std::string::npos);
    EXPECT_NE(write(c.format, 0, 20, {}).find("--width"), std::string::npos);
    EXPECT_NE(write(c.format, 70'000, 20, {}).find("does not fit " + name(c.format)), std::string::npos);
  }
  EXPECT_NE(write(EventFormat::nmnist, 34, 34, {{9'000'000, 1, 1, 1}}).find("every 8388608 us"), std::string::npos);
  EXPECT_NE(write(EventFormat::dat, 34, 34, {{1'605'537'493'718'345, 1, 1, 1}}).find("--rebase"), std::string::npos);
  for (const EventFormat f : {EventFormat::evt2, EventFormat::evt21, EventFormat::evt3})
    EXPECT_NE(write(f, 34, 34, {{1'605'537'493'718'345, 1, 1, 1}}).find("too long for time words"), std::string::npos);
  EXPECT_NE(write(EventFormat::es, 34, 34, {{1'605'537'493'718'345, 1, 1, 1}}).find("too long for Event Stream"), std::string::npos);
  EXPECT_NE(write(EventFormat::aedat3, 34, 34, {{std::int64_t{1} << 62, 1, 1, 1}}).find("too large for AEDAT 3.1"), std::string::npos);
}

}  // namespace apical::formats
