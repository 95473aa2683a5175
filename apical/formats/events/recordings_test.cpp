// Real recordings of $APICAL_DATA against counts that independent decoders found (see the README files beside the recordings).
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "apical/formats/events/event_test_tools.h"

namespace apical::formats {
namespace {

struct Summary {
  EventInfo info;
  std::uint64_t events = 0, on = 0;
  Event first, last;
  int max_x = 0, max_y = 0;
  bool ordered = true;
  std::uint64_t hash = 0;  // of all events in order, modulo 2^61
};

Summary summary(const std::filesystem::path& path) {
  Summary s;
  const auto reader = open_events(path);
  for (const Event& e : read_all(*reader)) {
    if (s.events++ == 0)
      s.first = e;
    else
      s.ordered = s.ordered && e.t >= s.last.t;
    s.on += e.polarity;
    s.max_x = std::max<int>(s.max_x, e.x);
    s.max_y = std::max<int>(s.max_y, e.y);
    s.hash = (s.hash * 1000003 + static_cast<std::uint64_t>(e.t) * 7 + e.x * 5u + e.y * 3u + e.polarity) & ((std::uint64_t{1} << 61) - 1);
    s.last = e;
  }
  s.info = reader->info();
  return s;
}

class Recordings : public EventFiles {
 protected:
  /// False (with a word on it) when the data are not at hand.
  bool have_data() {
    const char* data = std::getenv("APICAL_DATA");
    if (!data || !*data) {
      std::cout << "APICAL_DATA is not set: the real recordings were not read\n";
      return false;
    }
    data_ = data;
    return true;
  }
  Summary of(const std::string& file) { return summary(data_ / "events" / file); }
  std::filesystem::path data_;
};

}  // namespace

TEST_F(Recordings, Evt2) {
  if (!have_data()) return;
  const Summary s = of("evt2_gen3.raw");
  EXPECT_EQ(s.events, 539'481u);
  EXPECT_EQ(s.on, 367'855u);
  EXPECT_EQ(s.first.t, 1'317'888);
  EXPECT_EQ(s.last.t, 1'367'888);
  EXPECT_TRUE(s.ordered);
  EXPECT_EQ(s.max_x, 599);
  EXPECT_EQ(s.max_y, 475);
  EXPECT_EQ(s.info.width, 640);
  EXPECT_EQ(s.info.words,
            (decltype(s.info.words){
                {"CD_OFF", 171'626}, {"CD_ON", 367'855}, {"TIME_HIGH", 3'126}, {"EXT_TRIGGER", 0}, {"OTHERS", 0}, {"CONTINUED", 0}}));
}

TEST_F(Recordings, Evt3) {
  if (!have_data()) return;
  const Summary s = of("evt3_gen4.raw");
  EXPECT_EQ(s.events, 219'596u);
  EXPECT_EQ(s.first, (Event{11'718'656, 874, 200, 0}));
  EXPECT_EQ(s.last.t, 11'727'457);
  EXPECT_TRUE(s.ordered);
  EXPECT_LE(s.max_x, 1279);
  EXPECT_LE(s.max_y, 719);
  EXPECT_EQ(s.info.dropped + s.info.outside + s.info.unknown_words, 0u);
  const std::map<std::string, std::uint64_t> words(s.info.words.begin(), s.info.words.end());
  const std::map<std::string, std::uint64_t> expected = {{"ADDR_Y", 59'640}, {"ADDR_X", 197'550}, {"BASE_X", 10'527}, {"VECT_12", 21'242},
                                                         {"VECT_8", 10'621}, {"TIME_LOW", 8'812}, {"TIME_HIGH", 551}, {"CONTINUED_4", 0},
                                                         {"EXT_TRIGGER", 0}, {"OTHERS", 0},       {"CONTINUED_12", 0}};
  EXPECT_EQ(words, expected);
}

TEST_F(Recordings, Aedat4) {
  if (!have_data()) return;
  const Summary s = of("davis.aedat4");
  // Counts, ends and hash from a decoder written apart from this one (Python, lz4.frame, tables read by hand).
  EXPECT_EQ(s.events, 111'954u);
  EXPECT_EQ(s.on, 55'023u);
  EXPECT_EQ(s.first, (Event{1'605'537'493'718'345, 154, 204, 0}));
  EXPECT_EQ(s.last, (Event{1'605'537'494'308'262, 88, 237, 1}));
  EXPECT_EQ(s.hash, 2'138'366'221'088'985'000u);
  EXPECT_EQ(s.info.declared, s.events);
  EXPECT_EQ(s.info.words, (decltype(s.info.words){{"event packets", 59}, {"other packets", 59}}));
  EXPECT_EQ(s.info.header, (std::vector<std::string>{"compression LZ4", "stream 0 EVTS", "stream 2 IMUS", "stream 3 TRIG"}));
  EXPECT_EQ(s.info.width, 320);
  EXPECT_EQ(s.info.height, 240);
}

TEST_F(Recordings, Aedat2) {
  if (!have_data()) return;
  const Summary walking = of("dvs128_walking.aedat");
  EXPECT_EQ(walking.events, 125'028u);
  EXPECT_EQ(walking.info.special, 0u);
  EXPECT_EQ(walking.first, (Event{262'847'757, 127 - ((18'409 >> 1) & 127), 127 - (18'409 >> 8), 0}));
  EXPECT_EQ(walking.last, (Event{270'891'631, 127 - ((28'762 >> 1) & 127), 127 - (28'762 >> 8), 1}));
  const Summary square = of("davis240_synthetic_square.aedat");
  EXPECT_EQ(square.events, 16'000u);
  EXPECT_EQ(square.info.width, 240);
  EXPECT_EQ(square.info.outside, 0u);
  const Summary empty = of("header_only.aedat");
  EXPECT_EQ(empty.events, 0u);
  EXPECT_EQ(empty.info.width, 346);
}

TEST_F(Recordings, DatAndNmnistSample) {
  if (!have_data()) return;
  const Summary cars = of("ncars.dat");
  EXPECT_EQ(cars.events, 2'009u);
  EXPECT_EQ(cars.max_x, 77);
  EXPECT_EQ(cars.max_y, 41);
  const Summary digit = of("nmnist_sample.bin");
  EXPECT_EQ(digit.events, 4'325u);
  EXPECT_EQ(digit.first.t, 654);
  EXPECT_EQ(digit.last.t, 311'175);
  EXPECT_EQ(digit.info.width, 34);
}

TEST_F(Recordings, AllNmnistFilesMatchTheirTable) {
  if (!have_data()) return;
  std::ifstream table(data_ / "nmnist" / "labels.csv");
  std::string line;
  std::getline(table, line);
  ASSERT_EQ(line, "split,id,label,events,last_us");
  std::uint64_t files = 0, events = 0;
  while (std::getline(table, line)) {
    std::istringstream row(line);
    std::string split, id, label, count, last;
    for (auto* field : {&split, &id, &label, &count, &last}) std::getline(row, *field, ',');
    const std::string name = std::string(5 - std::min<std::size_t>(5, id.size()), '0') + id + ".bin";
    const Summary s = summary(data_ / "nmnist" / split / name);
    EXPECT_EQ(s.events, std::stoull(count)) << line;
    EXPECT_EQ(s.last.t, std::stoll(last)) << line;
    EXPECT_EQ(s.info.width, 34) << line;
    ++files;
    events += s.events;
  }
  EXPECT_EQ(files, 138u);
  EXPECT_EQ(events, 553'645u);
}

// Every real recording survives the trip through every format that can hold it.
TEST_F(Recordings, TripsThroughEveryFormat) {
  if (!have_data()) return;
  for (const char* from : {"evt2_gen3.raw", "evt3_gen4.raw", "dvs128_walking.aedat", "davis.aedat4", "davis240_synthetic_square.aedat"}) {
    EventInfo info;
    auto events = read_events(data_ / "events" / from, &info);
    const std::int64_t start = events.front().t;
    for (Event& e : events) e.t -= start;
    for (const auto& [to, file_name] : std::map<EventFormat, std::string>{{EventFormat::aedat2, "a.aedat"},
                                                                          {EventFormat::aedat3, "3.aedat"},
                                                                          {EventFormat::aedat4, "a.aedat4"},
                                                                          {EventFormat::csv, "a.csv"},
                                                                          {EventFormat::dat, "a.dat"},
                                                                          {EventFormat::es, "a.es"},
                                                                          {EventFormat::evt2, "2.raw"},
                                                                          {EventFormat::evt21, "21.raw"},
                                                                          {EventFormat::evt3, "3.raw"}}) {
      if (to == EventFormat::aedat2 && info.width > 1024) continue;
      write_events(file(file_name), to, info.width, info.height, events);
      EXPECT_TRUE(read_events(file(file_name)) == events) << from << " to " << name(to);
    }
  }
}

TEST_F(Recordings, FormatsOfLaterAreNamed) {
  if (!have_data()) return;
  EXPECT_NE(error_of([&] { of("generic.es"); }, ExitCode::data).find("'generic' are no pixel changes"), std::string::npos);
  EXPECT_NE(error_of([&] { of("stmnist.mat"); }, ExitCode::data).find("MATLAB"), std::string::npos);
}

}  // namespace apical::formats
