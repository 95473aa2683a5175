// Whole recordings as columns against the streaming reader at the scalar level: every SIMD level, any number of threads, any words.
#include "apical/formats/events/columns.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "apical/base/files.h"
#include "apical/base/thread_pool.h"
#include "apical/formats/bytes.h"
#include "apical/formats/events/dv_codec.h"
#include "apical/formats/events/event_test_tools.h"
#include "apical/kernels/simd.h"

namespace apical::formats {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

class Columns : public EventFiles {
 protected:
  ~Columns() override {
    kernels::set_simd_level("best");
    set_thread_count(2);
  }
};

std::vector<Event> events_of(const EventColumns& c) {
  std::vector<Event> events;
  for (std::size_t i = 0; i < c.size(); ++i) events.push_back(c[i]);
  return events;
}

void expect_equal(const EventInfo& a, const EventInfo& b) {
  EXPECT_EQ(a.format, b.format);
  EXPECT_EQ(a.words, b.words);
  EXPECT_EQ(a.dropped, b.dropped);
  EXPECT_EQ(a.outside, b.outside);
  EXPECT_EQ(a.special, b.special);
  EXPECT_EQ(a.unknown_words, b.unknown_words);
  EXPECT_EQ(a.steps_back, b.steps_back);
  EXPECT_EQ(a.wraps, b.wraps);
  EXPECT_EQ(a.cut_bytes, b.cut_bytes);
  EXPECT_EQ(a.header, b.header);
  EXPECT_EQ(a.width, b.width);
}

// The scalar streaming reader, then everything else against it. Returns what the streaming reader told.
EventInfo check(const Bytes& bytes) {
  kernels::set_simd_level("scalar");
  const auto reader = open_events(bytes, "a.raw");
  const std::vector<Event> events = read_all(*reader);
  for (const std::string& level : kernels::simd_levels()) {
    SCOPED_TRACE(level);
    kernels::set_simd_level(level);
    const auto again = open_events(bytes, "a.raw");
    EXPECT_TRUE(read_all(*again, 777) == events);
    expect_equal(again->info(), reader->info());
    for (const int threads : {1, 2, 7}) {
      if (threads != 2 && level != kernels::simd_levels().back()) continue;
      SCOPED_TRACE(threads);
      set_thread_count(threads);
      EventInfo info;
      EXPECT_TRUE(events_of(parse_event_columns(bytes, "a.raw", &info)) == events);
      expect_equal(info, reader->info());
    }
  }
  return reader->info();
}

const char* header_of(EventFormat format) {
  return format == EventFormat::dat     ? "% Version 2\n\x0c\x08"
         : format == EventFormat::evt2  ? "% evt 2.0\n% end\n"
         : format == EventFormat::evt21 ? "% evt 2.1\n% end\n"
                                        : "% evt 3.0\n% end\n";
}
constexpr EventFormat word_formats[] = {EventFormat::dat, EventFormat::evt2, EventFormat::evt21, EventFormat::evt3};

}  // namespace

TEST_F(Columns, RecordingsWithPausesAndWraps) {
  for (const EventFormat format : word_formats) {
    SCOPED_TRACE(name(format));
    // Several chunks; pauses up to a fifth of the shortest clock's period, so that EVT 3 wraps thousands of times.
    const auto events = random_events(3, 600'000, 1280, 720, 3'000'000);
    write_events(file("a"), format, 1280, 720, events);
    const EventInfo info = check(read_file(file("a")));
    EXPECT_EQ(events_of(read_event_columns(file("a"))), events);
    EXPECT_EQ(info.steps_back, 0u);
    if (format == EventFormat::evt3) {
      EXPECT_EQ(info.wraps, static_cast<std::uint64_t>(events.back().t >> 24));
    }
    if (format == EventFormat::dat) {
      EXPECT_EQ(info.wraps, static_cast<std::uint64_t>(events.back().t >> 32));
    }
  }
}

// Words of all kinds in any order: dropped, outside, unknown, late, wrapping. The seeds differ in how far times jump and whether rows and
// bases are set often, once, or never.
TEST_F(Columns, AnyWords) {
  for (const EventFormat format : word_formats)
    for (const std::uint64_t seed : {0, 1, 2, 3}) {
      SCOPED_TRACE(name(format) + " " + std::to_string(seed));
      Random random(seed, "words");
      Bytes bytes = bytes_of(header_of(format));
      if (format == EventFormat::dat) bytes.resize(14), bytes[12] = 12, bytes[13] = 8;
      if (seed == 3 && format != EventFormat::dat) bytes = bytes_of("% geometry 1000x500\n" + std::string(header_of(format)));
      std::uint32_t high = 0;
      for (int i = 0; i < 700'000; ++i) {
        const std::uint32_t r = random.below(1u << 31) * 2u + (i & 1), rare = random.below(1000);
        if (rare < 5) high = seed == 0 ? r : high + (seed == 1 ? 1 : random.below(300)) - (rare == 0 ? 2 : 0);
        if (format == EventFormat::evt3) {
          std::uint32_t kind = r % 100 < 60 ? 2 : r % 100 < 80 ? r % 7 : r >> 28;
          if (seed != 0) kind = rare < 20 ? 8 : kind == 8 ? 2 : kind;
          if (i > 100 && seed == 2 && (kind == 0 || kind == 3)) kind = 6;      // rows and bases once
          if (seed == 1 && (kind == 3 || kind == 4 || kind == 5)) kind = 2;  // no vectors
          append_le(bytes, static_cast<std::uint16_t>((kind << 12) | (kind == 8 && seed != 0 ? high & 0xfff : (r >> 8) & 0xfff)));
          continue;
        }
        if (format == EventFormat::dat) {
          if (i % 4 != 0) continue;
          append_le(bytes, seed == 0 && rare > 900 ? r : high * 100'000u + static_cast<std::uint32_t>(i));
          append_le(bytes, random.below(1u << 31));
          continue;
        }
        const std::uint32_t kind = rare < 20 ? 8 : rare < 40 ? r >> 28 : r & 1;
        const std::uint32_t word = (kind << 28) | (kind == 8 && seed != 0 ? high & 0x0fffffff : r >> 4);
        if (format == EventFormat::evt21) {
          if (i % 4 != 0) continue;
          append_le(bytes, r & random.below(1u << 31));
        }
        append_le(bytes, word);
      }
      const EventInfo info = check(bytes);
      if (format != EventFormat::dat && seed == 0) {
        EXPECT_GT(info.unknown_words, 0u);
      }
      if (seed == 0) {
        EXPECT_GT(info.wraps, 0u);
      }
      EXPECT_GT(info.steps_back, 0u);
      if (seed == 3 && format != EventFormat::dat) {
        EXPECT_GT(info.outside, 0u);
      }
    }
}

// Rows and bases that were set more than a chunk ago, and are needed only then.
TEST_F(Columns, StateFromFarBack) {
  for (const bool row_too : {false, true}) {
    Bytes bytes = bytes_of(header_of(EventFormat::evt3));
    for (const int w : {0x8001, 0x0005, 0x3810, 0x4001}) append_le(bytes, static_cast<std::uint16_t>(w));
    for (int i = 0; i < 600'000; ++i) {
      const int w = i % 100 == 0 ? 0x8001 + i / 50'000 : i % 100 == 1 ? 0x6000 + i % 1000 : i % 100 == 2 && !row_too ? 0x0006 : 0xe000;
      append_le(bytes, static_cast<std::uint16_t>(w));
    }
    for (const int w : {0x5003, 0x2007}) append_le(bytes, static_cast<std::uint16_t>(w));
    const EventInfo info = check(bytes);
    EXPECT_EQ(info.dropped, 0u);
    EXPECT_EQ(parse_event_columns(bytes, "a.raw").size(), 4u);
  }
}

TEST_F(Columns, VectorsBeyondX2047AreOutside) {
  Bytes bytes = bytes_of(header_of(EventFormat::evt3));
  for (const int w : {0x8000, 0x0001, 0x37f0, 0x4fff, 0x4fff, 0x4001, 0x37ff, 0x5003}) append_le(bytes, static_cast<std::uint16_t>(w));
  EXPECT_EQ(check(bytes).outside, 10u);  // x 2032 to 2047 are seen; 2048 to 2056, and 2048 again, are not
}

// What is whole is kept; one warning says where the rest begins. Without a whole word there is nothing to keep.
TEST_F(Columns, CutFilesKeepWhatIsWhole) {
  for (const EventFormat format : {EventFormat::dat, EventFormat::evt2, EventFormat::evt21, EventFormat::evt3, EventFormat::nmnist}) {
    SCOPED_TRACE(name(format));
    const auto events = random_events(4, 1000, 30, 30, 100);
    const std::string file_name = format == EventFormat::nmnist ? "a.bin" : "a.raw";
    write_events(file(file_name), format, 30, 30, events);
    Bytes whole = read_file(file(file_name));
    const std::string byte = file_name + ", byte " + std::to_string(whole.size()) + ")";
    whole.push_back(1);
    write_file(file(file_name), std::string_view(reinterpret_cast<const char*>(whole.data()), whole.size()));
    EventInfo info;
    for (const bool streaming : {true, false}) {
      ::testing::internal::CaptureStderr();
      EXPECT_EQ(streaming ? read_events(file(file_name), &info) : events_of(read_event_columns(file(file_name), &info)), events);
      const std::string said = ::testing::internal::GetCapturedStderr();
      EXPECT_THAT(said, HasSubstr(byte));
      EXPECT_EQ(said.find("the file ends inside"), said.rfind("the file ends inside"));
      EXPECT_EQ(info.cut_bytes, 1u);
    }
  }
  const Bytes nothing = bytes_of("% evt 3.0\n% end\n\x01");
  EXPECT_THAT(error_of([&] { parse_event_columns(nothing, "a.raw"); }, ExitCode::data), HasSubstr("a.raw, byte 16"));
  EXPECT_THAT(error_of([&] { read_all(*open_events(nothing, "a.raw")); }, ExitCode::data), HasSubstr("a.raw, byte 16"));
}

// Many packets; a sensor that is smaller than its events say; damage in the middle.
TEST_F(Columns, Aedat4) {
  const auto events = random_events(5, 400'000, 300, 200, 1000);
  write_events(file("a.aedat4"), EventFormat::aedat4, 300, 200, events);
  Bytes whole = read_file(file("a.aedat4"));
  EXPECT_EQ(events_of(read_event_columns(file("a.aedat4"))), events);
  check(whole);
  std::string text(whole.begin(), whole.end());
  const std::size_t size = text.find(">300<");
  ASSERT_NE(size, std::string::npos);
  whole[size + 1] = '2';
  EXPECT_GT(check(whole).outside, 100'000u);
  const auto told = [](std::span<const std::uint8_t> bytes) {
    const std::string message = error_of([&] { parse_event_columns(bytes, "a.aedat4"); }, ExitCode::data);
    EXPECT_EQ(error_of([&] { read_all(*open_events(bytes, "a.aedat4")); }, ExitCode::data), message);
    return message;
  };
  whole[whole.size() / 2] ^= 0x55;
  EXPECT_THAT(told(whole), HasSubstr("a packet"));
  EXPECT_THAT(told(std::span(whole).first(whole.size() - 10)), HasSubstr("a.aedat4, byte "));
}

// The table at the file's end says how many events a packet holds: when it lies, or is not there, events and info are the same.
TEST_F(Columns, Aedat4TablesAreNotTrusted) {
  write_events(file("a.aedat4"), EventFormat::aedat4, 300, 200, random_events(6, 95'000, 300, 200, 1000));
  const Bytes whole = read_file(file("a.aedat4"));
  constexpr std::size_t first = 18;  // magic, size of the header
  constexpr std::uint32_t lz4 = 0x184d2204;
  std::size_t table = first + load_le<std::uint32_t>(whole.data() + 14);
  while (load_le<std::uint32_t>(whole.data() + table) != lz4) table += 8 + load_le<std::uint32_t>(whole.data() + table + 4);
  Bytes memory;
  const auto unpacked = detail::dv_unpack(1, std::span(whole).subspan(table), memory).bytes;
  const Bytes entries(unpacked.begin(), unpacked.end());
  std::vector<std::size_t> counts;  // where 10,000 stands in the table, for each full packet
  for (std::size_t i = 0; i + 8 <= entries.size(); i += 4)
    if (load_le<std::int64_t>(entries.data() + i) == 10'000) counts.push_back(i);
  ASSERT_EQ(counts.size(), 9u);
  const auto with = [&](const std::vector<std::pair<std::size_t, std::int64_t>>& lies) {
    Bytes changed = entries, file(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(table));
    for (const auto& [k, n] : lies) std::memcpy(changed.data() + counts[k], &n, sizeof n);
    const Bytes packed = detail::dv_pack(changed);
    file.insert(file.end(), packed.begin(), packed.end());
    return file;
  };
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  check(with({}));
  check(with({{0, 9'999}}));
  check(with({{3, 10'001}, {4, 9'999}}));
  check(with({{8, 0}, {1, 20'000}}));
  check(with({{2, huge}}));
  check(with({{2, huge}, {3, huge}, {4, 2 - 2 * 10'000}}));
  check(with({{5, -1}}));
  check(with({{7, 1 << 22}}));
  Bytes without(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(table));
  const std::int64_t none = -1, place = static_cast<std::int64_t>(table);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&place);
  const auto at = std::search(without.begin(), without.end(), bytes, bytes + sizeof place);
  ASSERT_NE(at, without.end());
  std::memcpy(&*at, &none, sizeof none);
  check(without);
}

TEST_F(Columns, OtherFormatsAndEmptyOnes) {
  const auto events = random_events(5, 30'000, 200, 200, 1000);
  write_events(file("a.aedat3"), EventFormat::aedat3, 200, 200, events);
  EXPECT_EQ(events_of(read_event_columns(file("a.aedat3"))), events);
  EXPECT_EQ(parse_event_columns(bytes_of("% evt 2.0\n% end\n"), "a.raw").size(), 0u);
  EXPECT_THAT(error_of([] { parse_event_columns(bytes_of("t,x,y,p\n1,2,3,1\n2,40000,3,1\n"), "a.csv"); }, ExitCode::data),
              ::testing::AllOf(HasSubstr("event 1 at x 40000"), HasSubstr("a.csv")));
  const char* data = std::getenv("APICAL_DATA");
  if (!data || !*data) return;
  for (const char* recording : {"evt2_gen3.raw", "evt3_gen4.raw", "ncars.dat", "davis.aedat4"})
    check(read_file(std::filesystem::path(data) / "events" / recording));
}

}  // namespace apical::formats
