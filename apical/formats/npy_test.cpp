#include "apical/formats/npy.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>

#include "apical/formats/bytes.h"
#include "apical/formats/testing.h"

namespace apical::formats {
namespace {

using namespace apical::formats::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr DType npy_types[] = {DType::boolean, DType::u8,  DType::i8,  DType::u16, DType::i16, DType::u32,
                               DType::i32,     DType::u64, DType::i64, DType::f16, DType::f32, DType::f64};

// An NPY file of version 1 with this dict, padded as numpy does.
Bytes npy(std::string dict, const Bytes& data, int version = 1) {
  const std::size_t start = version == 1 ? 10 : 12;
  dict.append((64 - (start + dict.size() + 1) % 64) % 64, ' ');
  dict += '\n';
  Bytes b = bytes_of("\x93NUMPY");
  b.push_back(static_cast<std::uint8_t>(version));
  b.push_back(0);
  if (version == 1)
    append_le(b, static_cast<std::uint16_t>(dict.size()));
  else
    append_le(b, static_cast<std::uint32_t>(dict.size()));
  b.insert(b.end(), dict.begin(), dict.end());
  b.insert(b.end(), data.begin(), data.end());
  return b;
}

TEST(Npy, ReadsWhatNumpyWrote) {
  // Bytes of numpy 1.26.4's np.save of [[1.5, -2], [0.25, 3]] as float32, of a big-endian int16 array in Fortran order
  // [[1, 2, 3], [4, 5, 6]], of the scalar float64 0.1 and of [True, False].
  const Array f4 = parse_npy(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }",
                                 {0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0x80, 0x3e, 0, 0, 0x40, 0x40}),
                             "file");
  EXPECT_THAT(f4.shape, ElementsAre(2, 2));
  EXPECT_THAT(f4.as<float>(), ElementsAre(1.5f, -2.0f, 0.25f, 3.0f));
  const Array i2 =
      parse_npy(npy("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }", {0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6}), "file");
  EXPECT_THAT(i2.as<std::int16_t>(), ElementsAre(1, 2, 3, 4, 5, 6));
  const Array f8 =
      parse_npy(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", {0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f}), "file");
  EXPECT_TRUE(f8.shape.empty());
  EXPECT_THAT(f8.as<double>(), ElementsAre(0.1));
  EXPECT_THAT(parse_npy(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", {1, 0}), "file").as<bool>(),
              ElementsAre(true, false));
}

TEST(Npy, WritesTheBytesOfNumpy) {
  const float v[] = {1.5f, -2.0f, 0.25f, 3.0f};
  EXPECT_EQ(npy_bytes(Array::of<float>({2, 2}, v)), npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }",
                                                        {0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0x80, 0x3e, 0, 0, 0x40, 0x40}));
  const std::int16_t w[] = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(npy_bytes(Array::of<std::int16_t>({2, 3}, w), {.fortran = true, .big_endian = true}),
            npy("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }", {0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6}));
}

TEST(Npy, RoundTripsEveryTypeOrderAndVersion) {
  const Folder folder;
  Random random(1, "npy");
  for (const DType dtype : npy_types)
    for (int i = 0; i < 24; ++i) {
      const Array a = random_array(dtype, random);
      const NpyLayout layout{(i & 1) != 0, (i & 2) != 0, i % 4};
      const Bytes b = npy_bytes(a, layout);
      EXPECT_EQ(parse_npy(b, "file"), a) << name(dtype) << shape_text(a.shape);
    }
  const Array a = random_array(DType::f64, random);
  write_npy(folder.path / "a.npy", a);
  EXPECT_EQ(read_npy(folder.path / "a.npy"), a);
}

TEST(Npy, RefusesEveryCutAndTrailingBytes) {
  const Array a{DType::u16, {2, 3}, Bytes(12, 3)};
  for (int version = 1; version <= 3; ++version)
    refuses_every_prefix(npy_bytes(a, {.version = version}), [](const Bytes& b) { return parse_npy(b, "file"); });
  Bytes longer = npy_bytes(a);
  longer.push_back(0);
  EXPECT_THAT(error_of([&] { parse_npy(longer, "file"); }), HasSubstr("12 bytes, but 13 follow"));
}

TEST(Npy, TheHeaderIsReadStrictly) {
  const auto message = [](const std::string& dict) { return error_of([&] { parse_npy(npy(dict, {1}), "file"); }); };
  const std::string order = "'fortran_order': False, ";
  EXPECT_NO_THROW(parse_npy(npy("{'descr': '|u1', " + order + "'shape': (1,)}", {1}), "file"));
  EXPECT_NO_THROW(parse_npy(npy("{\"shape\":(1,),'descr':'<u1',\"fortran_order\":True}", {1}), "file"));
  EXPECT_THAT(message("{'descr': '<f4', " + order + "'shape': (1000000, 1000000)}"), HasSubstr("4000000000000 bytes, but 1 follow"));
  EXPECT_THAT(message("{'descr': '<f4', " + order + "'shape': (4294967296, 4294967296, 0)}"), HasSubstr("64 bits"));
  EXPECT_THAT(message("{'descr': '<f4', " + order + "'shape': (99999999999999999999,)}"), HasSubstr("too large"));
  EXPECT_THAT(message("{'descr': '|O', " + order + "'shape': (1,)}"), HasSubstr("pickled"));
  EXPECT_THAT(message("{'descr': [('x', '<f4')], " + order + "'shape': (1,)}"), HasSubstr("structured"));
  EXPECT_THAT(message("{'descr': '<c8', " + order + "'shape': (1,)}"), HasSubstr("'<c8' is not supported"));
  EXPECT_THAT(message("{'descr': '|f4', " + order + "'shape': (1,)}"), HasSubstr("not supported"));
  EXPECT_THAT(message("{'descr': '|u1', " + order + "'shape': (1)}"), HasSubstr("no tuple"));
  EXPECT_THAT(message("{'descr': '|u1', " + order + "'shape': (-1,)}"), HasSubstr("whole numbers"));
  EXPECT_THAT(message("{'descr': '|u1', " + order + "'shape': (01,)}"), HasSubstr("whole numbers"));
  EXPECT_THAT(message("{'descr': '|u1', " + order + "'shape': (1 1)}"), HasSubstr("comma"));
  EXPECT_THAT(message("{'descr': '|u1', 'fortran_order': 0, 'shape': (1,)}"), HasSubstr("True or False"));
  EXPECT_THAT(message("{'descr': '|u1', 'descr': '|u1', " + order + "'shape': (1,)}"), HasSubstr("twice"));
  EXPECT_THAT(message("{'descr': '|u1', " + order + "'shape': (1,), 'more': 1}"), HasSubstr("unknown key 'more'"));
  EXPECT_THAT(message("{'descr': '|u1', 'shape': (1,)}"), HasSubstr("needs descr, fortran_order and shape"));
  EXPECT_THAT(message("{'descr': '|u1', " + order + "'shape': (1,)} + x"), HasSubstr("follows the dict"));
  EXPECT_THAT(error_of([&] { parse_npy(npy("{'descr': '|b1', " + order + "'shape': (1,)}", {2}), "file"); }), HasSubstr("neither 0 nor 1"));
}

TEST(Npy, StructuredTypesAreArraysByField) {
  const std::string order = "'fortran_order': False, ", type = "[('x', '<i2'), ('', '|V3'), ('t', '>u4'), ('p', '|b1')]";
  const Bytes records = {1, 0, 9, 9, 9, 0, 0, 1, 2, 1, 0xfe, 0xff, 9, 9, 9, 0, 0, 0, 7, 0};
  const auto fields = parse_npy_fields(npy("{'descr': " + type + ", " + order + "'shape': (2,), }", records), "file");
  const std::int16_t x[] = {1, -2};
  const std::uint32_t t[] = {258, 7};
  EXPECT_EQ(fields, (Npz{{"x", Array::of<std::int16_t>({2}, x)},
                         {"t", Array::of<std::uint32_t>({2}, t)},
                         {"p", Array{DType::boolean, {2}, {1, 0}}}}));
  const Bytes plane = {1, 2, 3, 4, 5, 6, 7, 8};  // in Fortran order: records (1, 2) at (0, 0), (3, 4) at (1, 0), ...
  EXPECT_EQ(parse_npy_fields(npy("{'descr': [('a', '|u1'), ('b', '|u1')], 'fortran_order': True, 'shape': (2, 2), }", plane), "file").at("a"),
            (Array{DType::u8, {2, 2}, {1, 5, 3, 7}}));
  EXPECT_EQ(parse_npy_fields(npy("{'descr': '|u1', " + order + "'shape': (1,), }", {4}), "file"), (Npz{{"", Array{DType::u8, {1}, {4}}}}));
  const auto message = [&](const std::string& descr, const std::string& shape = "(1,)") {
    return error_of([&] { parse_npy_fields(npy("{'descr': " + descr + ", " + order + "'shape': " + shape + ", }", {1}), "file"); });
  };
  EXPECT_THAT(message("[]"), HasSubstr("no fields"));
  EXPECT_THAT(message("[('x', '<i2'), ('x', '<i2')]"), HasSubstr("name of its own"));
  EXPECT_THAT(message("[('', '<i2')]"), HasSubstr("name of its own"));
  EXPECT_THAT(message("[('a/b', '<i2')]"), HasSubstr("letters"));
  EXPECT_THAT(message("[('x', '|O')]"), HasSubstr("pickled"));
  EXPECT_THAT(message("[('', '|V99999999')]"), HasSubstr("padding"));
  EXPECT_THAT(message("[('x', '<i2', (3,))]"), HasSubstr("needs ')'"));
  EXPECT_THAT(message("[('x', '<i2')]"), HasSubstr("2 bytes, but 1 follow"));
  EXPECT_THAT(message("[('x', '<i8'), ('y', '<i8')]", "(2305843009213693952,)"), HasSubstr("too large"));
}

TEST(Npz, RoundTripsAndIsReproducible) {
  const Folder folder;
  Random random(3, "npz");
  Npz arrays;
  for (const DType dtype : npy_types) arrays["layer/" + name(dtype)] = random_array(dtype, random);
  arrays["large"] = Array{DType::u8, {1000, 300}, Bytes(300000, 9)};
  for (const bool compress : {true, false}) {
    const Bytes b = npz_bytes(arrays, compress);
    EXPECT_EQ(b, npz_bytes(arrays, compress));
    EXPECT_EQ(parse_npz(b, "file"), arrays);
    EXPECT_LT(b.size(), compress ? 20000u : 400000u);
  }
  EXPECT_EQ(parse_npz(npz_bytes({}), "file"), Npz{});
  write_npz(folder.path / "a.npz", arrays);
  EXPECT_EQ(read_npz(folder.path / "a.npz"), arrays);
  EXPECT_THAT(error_of([&] { read_npz(folder.path / "a.npz", 100000); }), HasSubstr("limit"));
}

TEST(Npz, RefusesEveryCutAndDamagedBytes) {
  Random random(4, "npz");
  Array a{DType::u8, {40}, Bytes(40)};
  for (auto& v : a.bytes) v = static_cast<std::uint8_t>(random.below(256));
  for (const bool compress : {true, false}) {
    const Bytes good = npz_bytes({{"a", a}}, compress);
    refuses_every_prefix(good, [](const Bytes& b) { return parse_npz(b, "file"); });
    // Any byte of the member's data changed: the checksum, or the unpacker, sees it.
    const auto data = std::search(good.begin(), good.end(), a.bytes.begin(), a.bytes.end());
    if (compress) continue;
    ASSERT_NE(data, good.end());
    for (std::size_t i = 0; i < a.bytes.size(); ++i) {
      Bytes bad = good;
      bad[static_cast<std::size_t>(data - good.begin()) + i] ^= 0x10;
      error_of([&] { parse_npz(bad, "file"); });
    }
  }
}

TEST(Npz, ABombEndsAtTheHeadersPromise) {
  // A stored member whose NPY header promises 10^12 items, and one that goes on after the promised data.
  const auto zip = [](const Bytes& npy) {
    const auto crc = static_cast<std::uint32_t>(crc32(0, npy.data(), static_cast<uInt>(npy.size())));
    const auto size = static_cast<std::uint32_t>(npy.size());
    const auto fields = [&](Bytes& out) {
      for (const int v : {10, 0, 0, 0, 33}) append_le(out, static_cast<std::uint16_t>(v));  // version, flags, stored, time, date
      for (const std::uint32_t v : {crc, size, size}) append_le(out, v);
      append_le(out, std::uint16_t{5});
      append_le(out, std::uint16_t{0});
    };
    const Bytes member = bytes_of("a.npy");
    Bytes out = bytes_of("PK\x03\x04");
    fields(out);
    out.insert(out.end(), member.begin(), member.end());
    out.insert(out.end(), npy.begin(), npy.end());
    const auto directory = static_cast<std::uint32_t>(out.size());
    out.insert(out.end(), {'P', 'K', 1, 2, 10, 0});
    fields(out);
    out.insert(out.end(), 14, 0);  // comment, disk, attributes, offset of the member 0
    out.insert(out.end(), member.begin(), member.end());
    const auto length = static_cast<std::uint32_t>(out.size()) - directory;
    out.insert(out.end(), {'P', 'K', 5, 6, 0, 0, 0, 0, 1, 0, 1, 0});
    append_le(out, length);
    append_le(out, directory);
    append_le(out, std::uint16_t{0});
    return out;
  };
  const std::string order = "'fortran_order': False, ";
  EXPECT_EQ(parse_npz(zip(npy("{'descr': '|u1', " + order + "'shape': (3,)}", {1, 2, 3})), "file").at("a").bytes, (Bytes{1, 2, 3}));
  EXPECT_THAT(error_of([&] { parse_npz(zip(npy("{'descr': '|u1', " + order + "'shape': (1000000, 1000000)}", {1})), "file"); }),
              HasSubstr("1000000000000 bytes, but 1 follow"));
  EXPECT_THAT(error_of([&] { parse_npz(zip(npy("{'descr': '|u1', " + order + "'shape': (1,)}", Bytes(100000))), "file"); }),
              HasSubstr("more bytes follow"));
  EXPECT_THAT(error_of([&] { parse_npz(zip(bytes_of("plain text")), "file"); }), HasSubstr("not an NPY file"));
  EXPECT_THAT(error_of([&] { parse_npz(bytes_of("no zip at all, but long enough"), "file"); }), HasSubstr("zip"));
}

TEST(Array, HalfFloatsAreExact) {
  // IEEE 754 binary16: 1, -2, the smallest subnormal, the largest number, infinity; bfloat16 1.5.
  const std::uint16_t h[] = {0x3C00, 0xC000, 0x0001, 0x7BFF, 0x7C00, 0x8000};
  Array a{DType::f16, {6}, {}};
  for (const auto v : h) append_le(a.bytes, v);
  EXPECT_THAT(a.floats(), ElementsAre(1.0f, -2.0f, 0x1p-24f, 65504.0f, INFINITY, -0.0f));
  EXPECT_TRUE(std::signbit(a.floats()[5]));
  EXPECT_THAT((Array{DType::bf16, {1}, {0xC0, 0x3F}}.floats()), ElementsAre(1.5f));
  EXPECT_THAT((Array{DType::i16, {2}, {0xFF, 0xFF, 0, 1}}.floats()), ElementsAre(-1.0f, 256.0f));
  EXPECT_THAT(error_of([&] { a.as<float>(); }), HasSubstr("holds f16, not f32"));
}

}  // namespace
}  // namespace apical::formats
