#include "apical/formats/idx.h"

#include "apical/formats/bytes.h"
#include "apical/formats/testing.h"

namespace apical::formats {
namespace {

using namespace apical::formats::testing;
using ::testing::HasSubstr;

TEST(Idx, ReadsTheDocumentedLayout) {
  // By hand from the publisher's description: 2 x 3 bytes; then int16 and float32 in big-endian order.
  const Array u8 = parse_idx(Bytes{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255}, "file");
  EXPECT_THAT(u8.shape, ::testing::ElementsAre(2, 3));
  EXPECT_THAT(u8.as<std::uint8_t>(), ::testing::ElementsAre(1, 2, 3, 4, 5, 255));
  EXPECT_THAT(parse_idx(Bytes{0, 0, 0x0B, 1, 0, 0, 0, 2, 0x01, 0x02, 0xFF, 0xFE}, "file").as<std::int16_t>(),
              ::testing::ElementsAre(258, -2));
  EXPECT_THAT(parse_idx(Bytes{0, 0, 0x0D, 1, 0, 0, 0, 1, 0x3F, 0xC0, 0, 0}, "file").as<float>(), ::testing::ElementsAre(1.5f));
}

TEST(Idx, RoundTripsEveryTypePlainAndPacked) {
  const Folder folder;
  Random random(1, "idx");
  for (const DType dtype : {DType::u8, DType::i8, DType::i16, DType::i32, DType::f32, DType::f64})
    for (int i = 0; i < 20; ++i) {
      const Array a = random_array(dtype, random, 1);
      EXPECT_EQ(parse_idx(idx_bytes(a), "file"), a);
      write_idx(folder.path / "a.idx.gz", a);
      EXPECT_EQ(read_idx(folder.path / "a.idx.gz"), a);
    }
  EXPECT_THAT(error_of([&] { write_idx(folder.path / "b", random_array(DType::u64, random, 1)); }, ExitCode::usage), HasSubstr("u64"));
  EXPECT_EQ(folder.files(), 1u);
}

TEST(Idx, RefusesEveryCut) {
  Random random(2, "idx");
  Array a{DType::i32, {3, 2}, Bytes(24, 7)};
  refuses_every_prefix(idx_bytes(a), [](const Bytes& b) { return parse_idx(b, "file"); });
  refuses_every_prefix(gzip(idx_bytes(a)), [](const Bytes& b) { return parse_idx(b, "file"); });
}

TEST(Idx, RefusesPromisesBeforeAllocating) {
  // 10^6 x 10^6 items of 8 bytes; and a product that overflows 64 bits.
  Bytes huge{0, 0, 0x0E, 2};
  append_be(huge, std::uint32_t{1000000});
  append_be(huge, std::uint32_t{1000000});
  huge.push_back(1);
  for (const Bytes& b : {huge, gzip(huge)}) EXPECT_THAT(error_of([&] { parse_idx(b, "file"); }), HasSubstr("8000000000000 bytes"));
  Bytes overflow{0, 0, 0x0E, 8};
  for (int i = 0; i < 8; ++i) append_be(overflow, std::uint32_t{0xFFFFFFFF});
  EXPECT_THAT(error_of([&] { parse_idx(overflow, "file"); }), HasSubstr("64 bits"));
}

TEST(Idx, AGzipBombEndsAtTheHeadersPromise) {
  Bytes bomb = idx_bytes(Array{DType::u8, {100}, Bytes(100)});
  bomb.resize(std::size_t{1} << 24);  // 16 MiB of zeros follow the 100 promised
  EXPECT_THAT(error_of([&] { parse_idx(gzip(bomb), "file"); }), HasSubstr("unpacks to more than 108"));
  EXPECT_THAT(error_of([&] { gunzip(gzip(bomb), "file", 1 << 20); }), HasSubstr("more than 1048576"));
  EXPECT_EQ(gunzip(gzip(bomb), "file", bomb.size()), bomb);
}

TEST(Idx, SaysWhatIsWrong) {
  const auto message = [](Bytes b) { return error_of([&] { parse_idx(b, "file"); }); };
  EXPECT_THAT(message({0, 1, 8, 1, 0, 0, 0, 0}), HasSubstr("not an IDX file"));
  EXPECT_THAT(message({0, 0, 7, 1, 0, 0, 0, 0}), HasSubstr("element type 7"));
  EXPECT_THAT(message({0, 0, 8, 0}), HasSubstr("no dimensions"));
  EXPECT_THAT(message({0, 0, 8, 1, 0, 0, 0, 1, 5, 6}), HasSubstr("2 follow"));
  EXPECT_THAT(error_of([] { read_idx("/nonexistent/file"); }), HasSubstr("/nonexistent/file"));
}

TEST(Gzip, ReadsMembersOneAfterAnotherAndRefusesDamage) {
  const Bytes text = bytes_of("spikes and more spikes");
  Bytes two = gzip(text);
  const Bytes one = two;
  two.insert(two.end(), one.begin(), one.end());
  EXPECT_EQ(gunzip(two, "file"), bytes_of("spikes and more spikesspikes and more spikes"));
  Bytes garbage = one;
  garbage.push_back('x');
  EXPECT_THAT(error_of([&] { gunzip(garbage, "file"); }), HasSubstr("not gzip"));
  Bytes crc = one;
  crc[crc.size() - 8] ^= 1;
  EXPECT_THAT(error_of([&] { gunzip(crc, "file"); }), HasSubstr("damaged"));
  EXPECT_EQ(gunzip_prefix(one, "file", 6), bytes_of("spikes"));
}

}  // namespace
}  // namespace apical::formats
