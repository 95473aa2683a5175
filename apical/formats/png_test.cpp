#include "apical/formats/png.h"

#include <zlib.h>

#include "apical/base/files.h"
#include "apical/formats/bytes.h"
#include "apical/formats/testing.h"

namespace apical::formats {
namespace {

using namespace apical::formats::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Image random_image(Random& random, int channels) {
  Image image{static_cast<int>(1 + random.below(20)), static_cast<int>(1 + random.below(20)), channels, {}};
  image.pixels.resize(static_cast<std::size_t>(image.width * image.height * channels));
  for (auto& p : image.pixels) p = static_cast<std::uint8_t>(random.below(256));
  return image;
}

Bytes chunk(const std::string& type, const Bytes& data) {
  Bytes b;
  append_be(b, static_cast<std::uint32_t>(data.size()));
  for (const char c : type) b.push_back(static_cast<std::uint8_t>(c));
  b.insert(b.end(), data.begin(), data.end());
  append_be(b, static_cast<std::uint32_t>(crc32(0, b.data() + 4, static_cast<uInt>(b.size() - 4))));
  return b;
}

// A PNG by hand: `rows` with their filter bytes, packed by zlib.
Bytes hand_png(std::uint32_t width, std::uint32_t height, int bits, int colour, const std::vector<Bytes>& extra, const Bytes& rows) {
  Bytes header, b{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  append_be(header, width);
  append_be(header, height);
  for (const int v : {bits, colour, 0, 0, 0}) header.push_back(static_cast<std::uint8_t>(v));
  Bytes packed(compressBound(rows.size()));
  uLongf n = packed.size();
  compress(packed.data(), &n, rows.data(), rows.size());
  packed.resize(n);
  std::vector<Bytes> all{chunk("IHDR", header)};
  all.insert(all.end(), extra.begin(), extra.end());
  all.push_back(chunk("IDAT", packed));
  all.push_back(chunk("IEND", {}));
  for (const Bytes& c : all) b.insert(b.end(), c.begin(), c.end());
  return b;
}

struct Chunk {
  std::string type;
  Bytes data;
};
// Every chunk of a file, its checksum checked.
std::vector<Chunk> chunks(const Bytes& b) {
  std::vector<Chunk> found;
  for (std::size_t at = 8; at + 12 <= b.size();) {
    const std::size_t n = load_be<std::uint32_t>(b.data() + at);
    if (at + 12 + n > b.size()) break;
    const auto crc = static_cast<std::uint32_t>(crc32(0, b.data() + at + 4, static_cast<uInt>(n + 4)));
    EXPECT_EQ(load_be<std::uint32_t>(b.data() + at + 8 + n), crc);
    const auto from = b.begin() + static_cast<std::ptrdiff_t>(at);
    found.push_back({std::string(from + 4, from + 8), Bytes(from + 8, from + 8 + static_cast<std::ptrdiff_t>(n))});
    at += 12 + n;
  }
  return found;
}

TEST(Png, RoundTripsGreyColourAndAlpha) {
  const Folder folder;
  Random random(1, "png");
  for (const int channels : {1, 3, 4})
    for (int i = 0; i < 20; ++i) {
      const Image image = random_image(random, channels);
      EXPECT_EQ(parse_png(png_bytes(image), "file"), image);
      write_png(folder.path / "a.png", image);
      EXPECT_EQ(read_png(folder.path / "a.png"), image);
    }
}

TEST(Png, ConvertsEveryKindToEightBits) {
  // 2 x 1, 16-bit grey: 0x8080 is 128 exactly, 0xFFFF 255.
  EXPECT_EQ(parse_png(hand_png(2, 1, 16, 0, {}, {0, 0x80, 0x80, 0xFF, 0xFF}), "file"), (Image{2, 1, 1, {128, 255}}));
  // 1-bit grey 1010
  EXPECT_EQ(parse_png(hand_png(4, 1, 1, 0, {}, {0, 0xA0}), "file"), (Image{4, 1, 1, {255, 0, 255, 0}}));
  // A palette of two colours, without and with transparency.
  const Bytes palette = chunk("PLTE", {1, 2, 3, 9, 8, 7});
  EXPECT_EQ(parse_png(hand_png(3, 1, 1, 3, {palette}, {0, 0x40}), "file"), (Image{3, 1, 3, {1, 2, 3, 9, 8, 7, 1, 2, 3}}));
  EXPECT_EQ(parse_png(hand_png(2, 1, 8, 3, {palette, chunk("tRNS", {50})}, {0, 0, 1}), "file"),
            (Image{2, 1, 4, {1, 2, 3, 50, 9, 8, 7, 255}}));
  // Grey with alpha becomes RGBA.
  EXPECT_EQ(parse_png(hand_png(1, 1, 8, 4, {}, {0, 77, 10}), "file"), (Image{1, 1, 4, {77, 77, 77, 10}}));
}

TEST(Png, RefusesEveryCutAndWrongChecksums) {
  Random random(2, "png");
  const Bytes good = png_bytes(random_image(random, 3));
  refuses_every_prefix(good, [](const Bytes& b) { return parse_png(b, "file"); });
  for (std::size_t at = 8; at < good.size(); ++at) {  // every bit of a critical chunk is under its checksum or is its length
    Bytes bad = good;
    bad[at] ^= 0x04;
    EXPECT_THAT(error_of([&] { parse_png(bad, "file"); }), HasSubstr("file, byte")) << at;
  }
}

TEST(Png, RefusesHugeSizesBeforeAllocating) {
  // 50,000 x 50,000 RGBA from a few bytes; 10^6 x 10^6; a picture beyond the caller's limit.
  EXPECT_THAT(error_of([] { parse_png(hand_png(50000, 50000, 8, 6, {}, Bytes(10)), "file"); }), HasSubstr("10000000000 bytes"));
  EXPECT_THAT(error_of([] { parse_png(hand_png(1000000, 1000000, 8, 6, {}, Bytes(10)), "file"); }), HasSubstr("damaged"));
  EXPECT_THAT(error_of([] { parse_png(hand_png(8000, 8000, 8, 6, {}, Bytes(10)), "file"); }), HasSubstr("more than"));
  const Bytes small = png_bytes(Image{10, 10, 1, Bytes(100)});
  EXPECT_THAT(error_of([&] { parse_png(small, "file", 99); }), HasSubstr("limit"));
  EXPECT_NO_THROW(parse_png(small, "file", 100));
  EXPECT_THAT(error_of([] { parse_png(bytes_of("GIF89a......"), "file"); }), HasSubstr("not a PNG"));
}

TEST(Png, TheWriterRefusesNonsense) {
  const auto refuse = [](Image image) { return error_of([&] { png_bytes(image); }, ExitCode::usage); };
  EXPECT_THAT(refuse({0, 5, 1, {}}), HasSubstr("0 x 5"));
  EXPECT_THAT(refuse({2, 2, 2, Bytes(8)}), HasSubstr("1, 3 or 4"));
  EXPECT_THAT(refuse({2, 2, 3, Bytes(11)}), HasSubstr("12 bytes, not 11"));
}

TEST(Apng, HoldsEveryFrame) {
  const Folder folder;
  Random random(3, "apng");
  Image first = random_image(random, 3);
  std::vector<Image> frames(5, first);
  for (auto& f : frames)
    for (auto& p : f.pixels) p = static_cast<std::uint8_t>(random.below(256));
  ApngWriter writer(folder.path / "a.png", first.width, first.height, 3, 2);
  for (std::size_t i = 0; i < frames.size(); ++i) writer.add(frames[i].pixels, static_cast<int>(40 + i));
  writer.finish();

  EXPECT_EQ(read_png(folder.path / "a.png"), frames[0]) << "an ordinary viewer shows the first frame";
  const std::vector<Chunk> all = chunks(read_file(folder.path / "a.png"));
  ASSERT_GE(all.size(), 4u);
  EXPECT_EQ(all[0].type, "IHDR");
  EXPECT_EQ(all[1].type, "acTL");
  EXPECT_THAT(all[1].data, ElementsAre(0, 0, 0, 5, 0, 0, 0, 2));
  EXPECT_EQ(all.back().type, "IEND");
  // Put every frame back together as a picture of its own.
  std::uint32_t sequence = 0;
  std::vector<Bytes> data;
  for (const Chunk& c : all) {
    if (c.type == "fcTL" || c.type == "fdAT") {
      EXPECT_EQ(load_be<std::uint32_t>(c.data.data()), sequence++);
    }
    if (c.type == "fcTL") {
      EXPECT_EQ(load_be<std::uint32_t>(c.data.data() + 4), static_cast<std::uint32_t>(first.width));
      EXPECT_EQ(load_be<std::uint32_t>(c.data.data() + 8), static_cast<std::uint32_t>(first.height));
      EXPECT_EQ(load_be<std::uint16_t>(c.data.data() + 20), 40 + data.size());
      EXPECT_EQ(load_be<std::uint16_t>(c.data.data() + 22), 1000);
      data.emplace_back();
    }
    if (c.type == "IDAT") {
      EXPECT_EQ(data.size(), 1u);
    }
    if (c.type == "IDAT" || c.type == "fdAT")
      data.back().insert(data.back().end(), c.data.begin() + (c.type == "fdAT" ? 4 : 0), c.data.end());
  }
  ASSERT_EQ(data.size(), frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    Bytes png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    for (const Bytes& c : {chunk("IHDR", all[0].data), chunk("IDAT", data[i]), chunk("IEND", {})})
      png.insert(png.end(), c.begin(), c.end());
    EXPECT_EQ(parse_png(png, "file"), frames[i]) << i;
  }
}

TEST(Apng, LeavesNothingUnlessFinished) {
  const Folder folder;
  {
    ApngWriter writer(folder.path / "a.png", 2, 2, 1);
    EXPECT_THAT(error_of([&] { writer.finish(); }, ExitCode::usage), HasSubstr("needs a frame"));
    EXPECT_THAT(error_of([&] { writer.add(Bytes(5), 1); }, ExitCode::usage), HasSubstr("4 bytes, not 5"));
    EXPECT_THAT(error_of([&] { writer.add(Bytes(4), 70000); }, ExitCode::usage), HasSubstr("65535"));
    writer.add(Bytes(4), 1);
  }
  EXPECT_EQ(folder.files(), 0u);
}

}  // namespace
}  // namespace apical::formats
