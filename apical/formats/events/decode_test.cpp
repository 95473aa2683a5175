// Words spelled out by hand, damaged files, and limits.
#include <gmock/gmock.h>
#include <lz4frame.h>

#include <limits>
#include <optional>

#include "apical/base/files.h"
#include "apical/base/log.h"
#include "apical/formats/bytes.h"
#include "apical/formats/events/detail.h"
#include "apical/formats/events/dv_codec.h"
#include "apical/formats/events/dv_info.h"
#include "apical/formats/events/event_test_tools.h"
#include "apical/formats/npy.h"

namespace apical::formats {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

Bytes evt3_file(std::initializer_list<std::uint16_t> words, const std::string& header = "% evt 3.0\n% geometry 64x48\n% end\n") {
  Bytes b = bytes_of(header);
  for (auto w : words) append_le(b, w);
  return b;
}
Bytes evt2_file(std::initializer_list<std::uint32_t> words) {
  Bytes b = bytes_of("% evt 2.0\n% end\n");
  for (auto w : words) append_le(b, w);
  return b;
}
// Type 1 (DVS) or 2 (ATIS), a sensor of 10 x 5 pixels.
Bytes es_file(std::uint8_t type, const Bytes& body) {
  Bytes b = bytes_of("Event Stream");
  b.insert(b.end(), {2, 0, 0, type, 10, 0, 5, 0});
  b.insert(b.end(), body.begin(), body.end());
  return b;
}
struct Packet {
  std::int16_t type, source;
  std::int32_t size, overflow, count;
};
void append_packet(Bytes& b, const Packet& p, std::initializer_list<std::uint32_t> words) {
  append_le(b, p.type);
  append_le(b, p.source);
  for (const std::int32_t v : {p.size, 4, p.overflow, p.count, p.count, p.count}) append_le(b, v);
  for (const auto w : words) append_le(b, w);
}
const std::string aedat3_header = "#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS240C\r\n#!END-HEADER\r\n";

}  // namespace

TEST(Evt3, StateCarriesOver) {
  const Bytes b = evt3_file({0x2005, 0x8001, 0x2005,          // no time, no row: two dropped
                             0x0007, 0x2805, 0x6010, 0x2006,  // row 7: (5, ON) at 4096, (6, OFF) at 4112
                             0x3814, 0x4801, 0x5003,          // base 20 ON: 20, 31, then 32, 33
                             0x8002, 0x2001,                  // a new TIME_HIGH starts TIME_LOW again
                             0x9000, 0xa000, 0xe000, 0x7000, 0xf000});
  const auto reader = open_events(b, "memory");
  EXPECT_EQ(
      read_all(*reader),
      (std::vector<Event>{
          {4096, 5, 7, 1}, {4112, 6, 7, 0}, {4112, 20, 7, 1}, {4112, 31, 7, 1}, {4112, 32, 7, 1}, {4112, 33, 7, 1}, {8192, 1, 7, 0}}));
  EXPECT_EQ(reader->info().dropped, 2u);
  EXPECT_EQ(reader->info().unknown_words, 1u);
  EXPECT_EQ(reader->info().special, 4u);
  EXPECT_EQ(reader->info().width, 64);
}

TEST(Evt3, TimeWrapsOnlyWhenTimeHighFallsByHalf) {
  const Bytes b = evt3_file({0x8fff, 0x0001, 0x6fff, 0x2001, 0x6001, 0x2002,    // TIME_LOW falls: no carry
                             0x8000, 0x2003, 0x8fff, 0x2004, 0x8001, 0x2005});  // wrap; a late word; and on
  const std::int64_t wrap = std::int64_t{1} << 24;
  EXPECT_EQ(
      read_all(*open_events(b, "memory")),
      (std::vector<Event>{{wrap - 1, 1, 1, 0}, {wrap - 4095, 2, 1, 0}, {wrap, 3, 1, 0}, {wrap - 4096, 4, 1, 0}, {wrap + 4096, 5, 1, 0}}));
}

TEST(Evt3, EventsOutsideTheSensorAreCountedNotPassedOn) {
  const Bytes b = evt3_file({0x8000, 0x0001, 0x203f, 0x2040, 0x0030, 0x2001, 0x0002, 0x37ff, 0x4fff});
  const auto reader = open_events(b, "memory");
  EXPECT_EQ(read_all(*reader), (std::vector<Event>{{0, 63, 1, 0}}));
  EXPECT_EQ(reader->info().outside, 14u);
}

TEST(Evt2, WordsAndWrap) {
  const Bytes b = evt2_file({(1u << 28) | 5, (8u << 28) | 0x0fffffff, (1u << 28) | (63u << 22) | (600u << 11) | 470, 8u << 28,
                             (0u << 28) | (1u << 22) | (3u << 11) | 4, 0x50000000u, 0xa0000000u});
  const auto reader = open_events(b, "memory");
  EXPECT_EQ(read_all(*reader), (std::vector<Event>{{(std::int64_t{1} << 34) - 1, 600, 470, 1}, {(std::int64_t{1} << 34) + 1, 3, 4, 0}}));
  EXPECT_EQ(reader->info().dropped, 1u);
  EXPECT_EQ(reader->info().unknown_words, 1u);
  EXPECT_EQ(reader->info().special, 1u);
  EXPECT_EQ(reader->info().width, 0);
}

TEST(Evt21, WordsMasksAndWrap) {
  Bytes b = bytes_of("% evt 2.1\n% end\n");
  for (const std::uint64_t w :
       {0x1000000000000003ull,                         // before any time: two dropped
        0x8fffffff00000000ull, 0x1fd301d680000001ull,  // ON, 63 us, x 608, y 470, columns 0 and 31
        0x8000000000000000ull, 0x0041000400000005ull,  // the clock starts again; OFF, 1 us, x 32, y 4, columns 0 and 2
        0x5000000000000000ull, 0xa000000000000000ull, 0xe000000000000000ull, 0xf000000000000000ull})
    append_le(b, w);
  const auto reader = open_events(b, "memory");
  const std::int64_t wrap = std::int64_t{1} << 34;
  EXPECT_EQ(read_all(*reader),
            (std::vector<Event>{{wrap - 1, 608, 470, 1}, {wrap - 1, 639, 470, 1}, {wrap + 1, 32, 4, 0}, {wrap + 1, 34, 4, 0}}));
  EXPECT_EQ(reader->info().format, EventFormat::evt21);
  EXPECT_EQ(reader->info().dropped, 2u);
  EXPECT_EQ(reader->info().unknown_words, 1u);
  EXPECT_EQ(reader->info().special, 3u);
  EXPECT_EQ(
      reader->info().words,
      (decltype(EventInfo::words){{"EVT_NEG", 1}, {"EVT_POS", 2}, {"TIME_HIGH", 2}, {"EXT_TRIGGER", 1}, {"OTHERS", 1}, {"CONTINUED", 1}}));
}

TEST(Evt21, UpperHalfFirst) {
  Bytes b = bytes_of("% format EVT21;height=720;width=1280;endianness=legacy\n% end\n");
  b.insert(b.end(),
           {0x01, 0x00, 0x00, 0x80, 0, 0, 0, 0, 0x03, 0x00, 0x82, 0x10, 0x02, 0, 0, 0});  // TIME_HIGH 1; ON, 2 us, x 64, y 3, column 1
  const auto reader = open_events(b, "memory");
  EXPECT_EQ(read_all(*reader), (std::vector<Event>{{66, 65, 3, 1}}));
  EXPECT_EQ(reader->info().width, 1280);
  const Bytes big = bytes_of("% format EVT21;endianness=big\n% end\n");
  EXPECT_THAT(error_of([&] { open_events(big, "memory"); }, ExitCode::data), HasSubstr("order 'big'"));
}

TEST(EventStream, DvsTimesAndRowsFromBelow) {
  const Bytes b = es_file(1, {0xff, 0xfe, 0x07, 9, 0, 0,    0,             // 127 us pass, nothing, 3 us later ON in the lowest row
                              0x00, 1,    0,    4, 0,                      // at once OFF in the highest
                              0xff, 0xff, 0xfd, 0, 0, 5,    0,             // above the sensor
                              0x02, 2,    0,    1, 0, 0x02, 0, 1, 1, 0});  // and x 256
  const auto reader = open_events(b, "memory");
  EXPECT_EQ(read_all(*reader), (std::vector<Event>{{130, 9, 4, 1}, {130, 1, 0, 0}, {511, 2, 3, 0}}));
  EXPECT_EQ(reader->info().outside, 2u);
  EXPECT_EQ(reader->info().width, 10);
  EXPECT_EQ(reader->info().height, 5);
}

TEST(EventStream, AtisThresholdCrossingsAreNoChanges) {
  const Bytes b = es_file(2, {0xff, 0xfd, 0xfc, 0x06, 3, 0, 0, 0,    // 189 + 63 + 1 us, ON
                              0x09, 3, 0, 0, 0, 0x00, 0, 0, 4, 0});  // 2 us later a crossing, at once OFF
  const auto reader = open_events(b, "memory");
  EXPECT_EQ(read_all(*reader), (std::vector<Event>{{253, 3, 4, 1}, {255, 0, 0, 0}}));
  EXPECT_EQ(reader->info().special, 1u);
}

TEST(Aedat3, PacketsOverflowAndOtherSources) {
  Bytes b = bytes_of(aedat3_header);
  append_packet(b, {0, 1, 8, 0, 2}, {1, 2, 3, 4});
  append_packet(b, {1, 1, 8, 1, 3}, {0x000a001f, 9, 0x000a001e, 10, 0x01de02cd, 11});  // x 5, y 7, ON; not valid; x 239, y 179, OFF
  append_packet(b, {1, 2, 8, 0, 1}, {0x000a001f, 9});
  append_packet(b, {1, 1, 8, 0, 1}, {0x01e00001, 12});  // x 240
  const auto reader = open_events(b, "memory");
  const std::int64_t turn = std::int64_t{1} << 31;
  EXPECT_EQ(read_all(*reader), (std::vector<Event>{{turn + 9, 5, 7, 1}, {turn + 11, 239, 179, 0}}));
  EXPECT_EQ(reader->info().special, 4u);
  EXPECT_EQ(reader->info().outside, 1u);
  EXPECT_EQ(reader->info().width, 240);
  EXPECT_EQ(reader->info().words, (decltype(EventInfo::words){{"event packets", 2}, {"other packets", 2}}));
}

TEST(Csv, OrdersMarksAndComments) {
  const auto read = [](const std::string& text) { return read_all(*open_events(bytes_of(text), "memory")); };
  const std::vector<Event> two = {{-7, 3, 4, 1}, {9, 65535, 0, 0}};
  EXPECT_EQ(read("-7,3,4,1\n9,65535,0,0\n"), two);
  EXPECT_EQ(read("# a comment\n\n% another\r\n-7;3;4;1\r\n#\n9 ; 65535 ; 0;-1"), two);
  EXPECT_EQ(read("-7\t3\t4\t1\n9\t65535\t0\t0\n"), two);
  EXPECT_EQ(read("  -7   3 4  1 \n9 65535 0 -1\n"), two);
  EXPECT_EQ(read("Polarity, Y, X, Timestamp\n1,4,3,-7\n-1,0,65535,9\n"), two);
  EXPECT_EQ(read("ts x y pol\n-7 3 4 1\n9 65535 0 0\n"), two);
  EXPECT_TRUE(read("t,x,y,p\n").empty());
  const Bytes sized = bytes_of("# geometry 4x5\nt,x,y,p\n1,3,4,1\n2,4,4,1\n");
  const auto reader = open_events(sized, "memory");
  EXPECT_EQ(read_all(*reader), (std::vector<Event>{{1, 3, 4, 1}}));
  EXPECT_EQ(reader->info().outside, 1u);
  EXPECT_EQ(reader->info().width, 4);
  EXPECT_EQ(reader->info().header, (std::vector<std::string>{"# geometry 4x5", "t,x,y,p"}));
}

TEST(Csv, ErrorsNameLineAndByte) {
  const auto error = [](const std::string& text) {
    return error_of([&] { read_all(*open_events(bytes_of(text), "a.csv")); }, ExitCode::data);
  };
  EXPECT_THAT(error("#\n1,2,3,1\n1,2,3\n"), ::testing::AllOf(HasSubstr("a.csv, byte 10"), HasSubstr("line 3: 3 columns")));
  EXPECT_THAT(error("0.5,2,3,1\n"), HasSubstr("'0.5' is no whole number"));
  EXPECT_THAT(error("99999999999999999999,2,3,1\n"), HasSubstr("no whole number"));
  EXPECT_THAT(error("1,65536,3,1\n"), HasSubstr("x '65536' lies outside"));
  EXPECT_THAT(error("1,2,-3,1\n"), HasSubstr("y '-3' lies outside"));
  EXPECT_THAT(error("1,2,3,2\n"), HasSubstr("polarity '2'"));
  EXPECT_THAT(error("1,2,3,1,\n"), HasSubstr("5 columns"));
  EXPECT_THAT(error("t,x,y,q\n"), HasSubstr("column 'q' is not known"));
  EXPECT_THAT(error("t,x,x,p\n"), HasSubstr("'x' stands twice"));
  EXPECT_THAT(error("1,2,3,\x01\x02\n"), HasSubstr("polarity '?"));
  EXPECT_THAT(error("1,2,3,1\n" + std::string(5000, '1')),
              ::testing::AllOf(HasSubstr("line 2: it is longer than 4096"), HasSubstr("byte 8")));
}

TEST(Nmnist, BitsWrapAndOverflowRow) {
  const Bytes b = {3, 4, 0xff, 0xff, 0xff, 5, 6, 0x00, 0x00, 0x02, 0, 240, 0, 0, 0, 7, 8, 0x80, 0x00, 0x03};
  const auto reader = open_events(b, "a.bin");
  const std::int64_t wrap = std::int64_t{1} << 23;
  EXPECT_EQ(read_all(*reader), (std::vector<Event>{{wrap - 1, 3, 4, 1}, {wrap + 2, 5, 6, 0}, {wrap + 8192 + 3, 7, 8, 1}}));
  EXPECT_EQ(reader->info().width, 34);
}

TEST(Dat, BothVersionsOfAddresses) {
  for (const int version : {1, 2}) {
    Bytes b = bytes_of("% Data file containing CD events.\n% Version " + std::to_string(version) + "\n");
    b.insert(b.end(), {0x0c, 8});
    append_le(b, std::uint32_t{0xffffffff});
    append_le(b, version == 1 ? (1u << 17) | (200u << 9) | 300u : (1u << 28) | (200u << 14) | 300u);
    append_le(b, std::uint32_t{1});
    append_le(b, std::uint32_t{2});
    const std::int64_t wrap = std::int64_t{1} << 32;
    EXPECT_EQ(read_all(*open_events(b, "memory")), (std::vector<Event>{{wrap - 1, 300, 200, 1}, {wrap + 1, 2, 0, 0}}));
  }
}

TEST(Aedat2, AddressesOfBothFamilies) {
  Bytes dvs = bytes_of("#!AER-DAT2.0\r\n# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n");
  for (const std::uint32_t word : {0x47e9u, 10u, 0x8001u, 11u, 0x0000u, 12u}) append_be(dvs, word);
  auto reader = open_events(dvs, "memory");
  EXPECT_EQ(read_all(*reader), (std::vector<Event>{{10, 11, 56, 0}, {12, 127, 127, 1}}));
  EXPECT_EQ(reader->info().special, 1u);

  Bytes davis = bytes_of("#!AER-DAT2.0\r\n");  // no chip named: the addresses tell
  for (const std::uint32_t word : {0x078a9800u, 10u, 0x80000000u, 11u, 0x00000400u, 12u}) append_be(davis, word);
  reader = open_events(davis, "memory");
  EXPECT_EQ(read_all(*reader), (std::vector<Event>{{10, 239 - 169, 179 - 30, 1}}));
  EXPECT_EQ(reader->info().special, 2u);
  EXPECT_EQ(reader->info().width, 240);
}

TEST(Aedat4, StreamsAreFoundInTheDescription) {
  const auto ours = detail::dv_streams(detail::dv_info(346, 260));
  ASSERT_EQ(ours.size(), 1u);
  EXPECT_EQ(ours[0].type, "EVTS");
  EXPECT_EQ(ours[0].width, 346);
  EXPECT_EQ(ours[0].height, 260);
  EXPECT_TRUE(detail::dv_streams("<node name=\"outInfo\"><node name=\"99999999999\">").empty());
  EXPECT_TRUE(detail::dv_streams("</node></node><attr key=\"sizeX\">3<node").empty());
}

TEST(Aedat4, BombsStopAtTheLimit) {
  const Bytes zeros(1 << 20, 0), packed = detail::dv_pack(zeros);
  Bytes memory;
  const auto state = [&](int compression, std::span<const std::uint8_t> bytes, std::size_t limit) {
    return detail::dv_unpack(compression, bytes, memory, limit).state;
  };
  const auto [good, bytes] = detail::dv_unpack(1, packed, memory, zeros.size());
  EXPECT_EQ(good, detail::DvUnpack::good);
  EXPECT_EQ(Bytes(bytes.begin(), bytes.end()), zeros);
  EXPECT_EQ(state(1, packed, zeros.size() - 1), detail::DvUnpack::too_long);
  EXPECT_EQ(state(1, std::span(packed).first(packed.size() - 5), zeros.size()), detail::DvUnpack::cut_off);
  EXPECT_EQ(state(1, bytes_of("no LZ4 frame at all"), zeros.size()), detail::DvUnpack::damaged);
  EXPECT_EQ(state(3, bytes_of("no zstd frame at all"), zeros.size()), detail::DvUnpack::damaged);
}

TEST(NpzEvents, ArraysOfAnyWholeNumbers) {
  const std::uint64_t t[] = {5, 4, ~std::uint64_t{0}, 7};
  const std::int32_t x[] = {3, 65536, 9, -1}, p[] = {-1, 1, 2, 1};
  const std::uint8_t y[] = {1, 2, 0, 0}, fewer[] = {1, 2};
  const float f[] = {1, 2, 3, 4};
  const Npz good = {{"t", Array::of<std::uint64_t>({4}, t)}, {"x", Array::of<std::int32_t>({4}, x)}, {"y", Array::of<std::uint8_t>({4}, y)},
                    {"p", Array::of<std::int32_t>({4}, p)}};
  const Bytes bytes = npz_bytes(good);
  const auto reader = open_events(bytes, "memory");
  EXPECT_EQ(read_all(*reader), (std::vector<Event>{{5, 3, 1, 0}, {std::numeric_limits<std::int64_t>::max(), 9, 0, 1}}));
  EXPECT_EQ(reader->info().outside, 2u);
  const auto message = [&](const char* name, std::optional<Array> array) {
    Npz arrays = good;
    arrays.erase(name);
    if (array) arrays[name] = *array;
    return error_of([&] { open_events(npz_bytes(arrays), "a.npz"); }, ExitCode::data);
  };
  EXPECT_THAT(message("p", {}), HasSubstr("no array 'p'"));
  EXPECT_THAT(message("t", {}), HasSubstr("no array 't'"));
  EXPECT_THAT(message("y", Array::of<std::uint8_t>({2}, fewer)), HasSubstr("'y' [2] of"));
  EXPECT_THAT(message("x", Array::of<std::int32_t>({2, 2}, x)), HasSubstr("'x' [2, 2]"));
  EXPECT_THAT(message("t", Array::of<float>({4}, f)), HasSubstr("holds no events"));
  EXPECT_THAT(error_of([&] { open_events(std::span(bytes).first(bytes.size() - 9), "a.npz"); }, ExitCode::data), HasSubstr("a.npz"));
}

class DamagedEvents : public EventFiles {
 protected:
  std::string open(const std::string& name, const Bytes& bytes) {
    write_file(file(name), std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    return error_of([&] { read_events(file(name)); }, ExitCode::data);
  }
};

TEST_F(DamagedEvents, CutFilesNameTheByte) {
  EXPECT_THAT(open("a.bin", {1, 2, 3, 4}), HasSubstr("a.bin, byte 0"));
  Bytes b = evt3_file({});
  b.push_back(1);
  EXPECT_THAT(open("a.raw", b),
              ::testing::AllOf(HasSubstr("inside a word: 1 bytes are left of 2"), HasSubstr("byte " + std::to_string(b.size() - 1))));
  EXPECT_THAT(open("b.raw", {}), HasSubstr("empty"));
  EXPECT_THAT(open("c.raw", bytes_of("% evt 2.0\n% end\nabc")), HasSubstr("byte 16"));
  EXPECT_THAT(open("d.dat", bytes_of("% Data file\n% Version 2\n")), HasSubstr("type and size"));
  EXPECT_THAT(open("e.dat", bytes_of("% Data file\n% Vers")), HasSubstr("inside its header"));
  EXPECT_THAT(open("f.aedat", bytes_of("#!AER-DAT2.0\r\n\001\002\003")), HasSubstr("inside a record: 3 bytes"));
  EXPECT_THAT(open("g.raw", bytes_of("% evt 2.1\n% end\nabc")), ::testing::AllOf(HasSubstr("byte 16"), HasSubstr("3 bytes are left of 8")));
  EXPECT_THAT(open("h.es", es_file(1, {1, 2, 0})), ::testing::AllOf(HasSubstr("byte 20"), HasSubstr("3 bytes are left of 5")));
  EXPECT_THAT(open("i.es", bytes_of("Event Stream\2")), HasSubstr("inside its header"));
  EXPECT_THAT(open("j.aedat", bytes_of("#!AER-DAT3.1\r\n#Format: RAW\r\n")), HasSubstr("does not end with '#!END-HEADER'"));
  EXPECT_THAT(open("k.aedat", bytes_of(aedat3_header + "abc")), HasSubstr("inside the head of a packet"));
}

// A terabyte that holds a header and then the same few bytes again and again, and counts what is fetched.
class Terabyte final : public ByteSource {
 public:
  Terabyte(std::string header, Bytes again) : header_(std::move(header)), again_(std::move(again)) {}
  std::size_t read_at(std::uint64_t offset, std::uint8_t* to, std::size_t n) override {
    for (std::size_t i = 0; i < n; ++i, ++offset)
      to[i] = offset < header_.size() ? static_cast<std::uint8_t>(header_[offset]) : again_[(offset - header_.size()) % again_.size()];
    fetched += n;
    return n;
  }
  std::uint64_t size() const override { return std::uint64_t{1} << 40; }
  const std::string& name() const override { return name_; }
  std::uint64_t fetched = 0;

 private:
  std::string header_, name_ = "terabyte";
  Bytes again_;
};

TEST(EventReader, FilesAreFetchedPieceByPiece) {
  const auto read_some = [](std::shared_ptr<Terabyte> file, auto open) {
    const auto reader = open(file);
    std::vector<Event> events(100'000);
    EXPECT_EQ(reader->read(events), events.size());
    EXPECT_LT(file->fetched, 2'000'000u);
  };
  read_some(std::make_shared<Terabyte>("% evt 3.0\n% end\n", Bytes{0, 0x80, 1, 0, 5, 0x20}), detail::open_evt3);
  read_some(std::make_shared<Terabyte>("% evt 2.0\n% end\n", Bytes{0, 0, 0, 0x80, 1, 1, 1, 0x10}), detail::open_evt2);
  read_some(std::make_shared<Terabyte>("% Version 2\n\x0c\x08", Bytes{1, 0, 0, 0, 2, 0, 0, 0}), detail::open_dat);
  read_some(std::make_shared<Terabyte>("#!AER-DAT2.0\r\n", Bytes{0, 0, 1, 1, 0, 0, 0, 9}), detail::open_aedat2);
  read_some(std::make_shared<Terabyte>("% evt 2.1\n% end\n", Bytes{0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0, 0, 0, 1, 1, 1, 0x10}),
            detail::open_evt21);
  const Bytes es = es_file(1, {});
  read_some(std::make_shared<Terabyte>(std::string(es.begin(), es.end()), Bytes{1, 1, 0, 1, 0}), detail::open_es);
  read_some(std::make_shared<Terabyte>("t,x,y,p\n", bytes_of("1,2,3,1\n")), detail::open_csv);
  Bytes packet;
  append_packet(packet, {1, 1, 8, 0, 8}, {1, 1, 1, 2, 1, 3, 1, 4, 1, 5, 1, 6, 1, 7, 1, 8});
  read_some(std::make_shared<Terabyte>(aedat3_header, packet), detail::open_aedat3);
}

TEST(EventReader, EventsBeforeTheDamageAreHandedOut) {
  const Bytes b = bytes_of("t,x,y,p\n9,1,2,0\n10,3,4,0\n11,5");
  const auto reader = open_events(b, "a.csv");
  std::vector<Event> events(100);
  EXPECT_EQ(reader->read(events), 2u);
  EXPECT_EQ(events[1], (Event{10, 3, 4, 0}));
  for (int again = 0; again < 2; ++again) EXPECT_THAT(error_of([&] { reader->read(events); }, ExitCode::data), HasSubstr("byte 25"));
}

TEST_F(DamagedEvents, CutAedat4IsRefusedAtEveryLength) {
  write_events(file("a.aedat4"), EventFormat::aedat4, 100, 100, random_events(1, 25'000, 100, 100, 100));
  const Bytes whole = read_file(file("a.aedat4"));
  for (std::size_t n = 14; n + 1 < whole.size(); n = n < 1200 ? n + 1 : n + 997) {
    const std::string text = error_of([&] { read_all(*open_events(std::span(whole).first(n), "cut")); }, ExitCode::data);
    EXPECT_THAT(text, HasSubstr("cut, byte ")) << n;
  }
}

// However a recording of these formats is cut, what comes out is its beginning, and then at most one data error.
TEST_F(DamagedEvents, CutRecordingsGiveWhatStandsBeforeTheCut) {
  const auto events = random_events(2, 300, 200, 100, 100);
  set_log_level(LogLevel::error);  // a last word that is cut is warned about
  for (const EventFormat format : {EventFormat::aedat3, EventFormat::csv, EventFormat::es, EventFormat::evt21}) {
    write_events(file("whole"), format, 200, 100, events);
    const Bytes whole = read_file(file("whole"));
    std::size_t most = 0;
    for (std::size_t n = 0; n < whole.size(); ++n) {
      SCOPED_TRACE(name(format) + " cut to " + std::to_string(n));
      std::vector<Event> found;
      try {
        const auto reader = open_events(std::span(whole).first(n), "cut", format);
        Event e;
        while (reader->read(std::span(&e, 1)) == 1) found.push_back(e);
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), ExitCode::data);
        EXPECT_THAT(std::string(e.what()), HasSubstr("cut, byte "));
      }
      ASSERT_LE(found.size(), events.size());
      EXPECT_TRUE(std::equal(found.begin(), found.end(), events.begin()));
      EXPECT_GE(found.size(), most);  // a longer piece holds no less
      most = found.size();
    }
    EXPECT_GT(most, events.size() - 40);  // the last word of EVT 2.1 may hold many
  }
  set_log_level(LogLevel::info);
}

TEST_F(DamagedEvents, AbsurdSizesAreRefusedBeforeMemoryIsTaken) {
  Bytes b = bytes_of("#!AER-DAT4.0\r\n");
  append_le(b, std::uint32_t{0xfffffff0});
  EXPECT_THAT(open("a.aedat4", b), HasSubstr("claims 4294967280 bytes"));
  write_events(file("b.aedat4"), EventFormat::aedat4, 100, 100, random_events(1, 10, 100, 100, 100));
  b = read_file(file("b.aedat4"));
  const auto header = load_le<std::uint32_t>(b.data() + 14);
  for (const std::uint32_t size : {0x7fffffffu, 0x80000000u}) {
    std::memcpy(b.data() + 18 + header + 4, &size, 4);
    EXPECT_THAT(open("c.aedat4", b), HasSubstr("a packet claims " + std::to_string(static_cast<std::int32_t>(size)) + " bytes"));
  }
  const auto aedat3 = [&](const Packet& p) {
    Bytes bytes = bytes_of(aedat3_header);
    append_packet(bytes, p, {0x000a001f, 9});
    return open("d.aedat", bytes);
  };
  EXPECT_THAT(aedat3({0, 1, 0x7fffffff, 0, 0x7fffffff}), HasSubstr("a packet claims 4611686014132420609 bytes; 8 are left"));
  EXPECT_THAT(aedat3({1, 1, 8, 0, 0x7fffffff}), HasSubstr("2147483646 events are missing"));
  EXPECT_THAT(aedat3({1, 1, 8, 0, -1}), HasSubstr("damaged: type 1, -1 events of 8 bytes"));
  EXPECT_THAT(aedat3({-32767, 1, 8, 0, 1}), HasSubstr("damaged: type -32767"));
  EXPECT_THAT(aedat3({1, 1, 16, 0, 1}), HasSubstr("polarity events of 16 bytes"));
}

TEST_F(DamagedEvents, OtherFormatsAreNamed) {
  EXPECT_THAT(open("a.es", es_file(0, {})), HasSubstr("type 'generic' are no pixel changes"));
  EXPECT_THAT(open("b.es", es_file(4, {})), HasSubstr("'colour' are no pixel changes"));
  EXPECT_THAT(open("c.es", es_file(5, {})), HasSubstr("type 5"));
  EXPECT_THAT(open("d.es", bytes_of("Event Stream\1\2\3\1")), HasSubstr("version 1.2.3 is not read"));
  EXPECT_THAT(open("a.aedat", bytes_of("#!AER-DAT3.0\r\n")),
              ::testing::AllOf(HasSubstr("AEDAT 3.0 files are not read yet"), HasSubstr("EVT 3")));
  EXPECT_THAT(open("b.aedat", bytes_of("#!AER-DAT3.1\r\n#Format: SerializedTS\r\n#!END-HEADER\r\n")), HasSubstr("format 'SerializedTS'"));
  EXPECT_THAT(open("a.mat", bytes_of("MATLAB 5.0 MAT-file")), HasSubstr("MATLAB"));
  EXPECT_THAT(open("a.raw", bytes_of("% evt 2.2\n% end\n")), HasSubstr("EVT 2.2 files are not read yet"));
  EXPECT_THAT(open("b.raw", bytes_of("% format EVT4;width=1280\n% end\n")), HasSubstr("EVT4"));
  EXPECT_THAT(open("c.raw", bytes_of("% Date 2020\n% end\n")), HasSubstr("does not name a format"));
  EXPECT_THAT(open("a.png", bytes_of("\x89PNG")), HasSubstr("no event file of a known format"));
  EXPECT_THAT(open("a.dat", bytes_of("% Data file\n% Version 7\n\014\010")), HasSubstr("version '7'"));
  EXPECT_THAT(open("b.dat", bytes_of("% Data file\n% Version 2\n\016\010")), HasSubstr("type 14"));
  EXPECT_THAT(open("c.dat", bytes_of("% Data file\n% Version 2\n\014\020")), HasSubstr("16 bytes"));
  EXPECT_THAT(error_of([&] { read_events(file("missing.raw")); }, ExitCode::data), HasSubstr("No such file"));
  EXPECT_THAT(error_of([&] { event_format("evt33"); }, ExitCode::usage), HasSubstr("Did you mean 'evt3'?"));
}

TEST_F(DamagedEvents, HeaderNumbersOutOfRangeAreNoSize) {
  for (const char* header : {"% evt 3.0\n% geometry 99999999999999x720\n% end\n",
                             "% evt 3.0\n% format EVT3;height=-1;width=1000000000000\n% end\n", "% evt 3.0\n% geometry x\n% end\n"})
    EXPECT_EQ(open_events(bytes_of(header), "memory")->info().width, 0) << header;
}

}  // namespace apical::formats
