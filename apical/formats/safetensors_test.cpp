#include "apical/formats/safetensors.h"

#include <algorithm>

#include "apical/formats/bytes.h"
#include "apical/formats/testing.h"

namespace apical::formats {
namespace {

using namespace apical::formats::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Bytes file(const std::string& header, std::size_t data) {
  Bytes b(8 + header.size() + data);
  const std::uint64_t length = header.size();
  std::memcpy(b.data(), &length, 8);
  std::memcpy(b.data() + 8, header.data(), header.size());
  return b;
}
SafeTensors parse(const Bytes& b) { return SafeTensors::parse(b, "file"); }
std::string message(const std::string& header, std::size_t data) {
  return error_of([&] { parse(file(header, data)); });
}

TEST(SafeTensors, ReadsWhatTheReferenceWrites) {
  // Bytes of safetensors 0.8.0's save({"b": i16 [3] of 1 2 3, "a": f32 [1, 2] of 1.5 -2}, {"k": "v"}): widest type first, padded.
  const std::string header = R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"I16","shape":[3],"data_offsets":[8,14]}})";
  Bytes b = file(header + std::string((8 - header.size() % 8) % 8, ' '), 0);
  const float a[] = {1.5f, -2.0f};
  const std::int16_t c[] = {1, 2, 3};
  for (const float v : a) append_le(b, v);
  for (const std::int16_t v : c) append_le(b, v);
  const SafeTensors s = parse(b);
  EXPECT_EQ(s.metadata(), (SafeTensors::Metadata{{"k", "v"}}));
  EXPECT_THAT(s.at("a").as<float>(), ElementsAre(1.5f, -2.0f));
  EXPECT_THAT(s.at("a").shape, ElementsAre(1, 2));
  EXPECT_THAT(s.at("b").copy<std::int16_t>(), ElementsAre(1, 2, 3));
  // and ours writes the same bytes
  const NamedTensor tensors[] = {named<std::int16_t>("b", {3}, c), named<float>("a", {1, 2}, a)};
  EXPECT_EQ(safetensors_bytes(tensors, {{"k", "v"}}), b);
}

TEST(SafeTensors, RoundTripsAnythingThroughAFile) {
  const Folder folder;
  Random random(1, "safetensors");
  for (int round = 0; round < 30; ++round) {
    std::map<std::string, Array> arrays;
    for (std::uint32_t i = 0, n = random.below(12); i < n; ++i)
      arrays["t" + std::to_string(random.below(1000)) + "/\"quoted\" \xC3\xA9\n"] = random_array(all_types[random.below(13)], random);
    std::vector<NamedTensor> tensors;
    for (const auto& [key, a] : arrays) tensors.push_back({key, a.dtype, a.shape, a.bytes});
    SafeTensors::Metadata metadata;
    if (round % 3) metadata["apical.graph"] = "{\"nodes\": [" + std::to_string(round) + "]}\n\t\xE2\x82\xAC";
    write_safetensors(folder.path / "m.safetensors", tensors, metadata);
    const SafeTensors s = SafeTensors::open(folder.path / "m.safetensors");
    EXPECT_EQ(s.metadata(), metadata);
    ASSERT_EQ(s.tensors().size(), arrays.size());
    for (const auto& [key, a] : arrays) {
      EXPECT_EQ(s.at(key).array(), a) << key;
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(s.at(key).bytes.data()) % size_of(a.dtype), 0u) << "unaligned";
    }
    std::reverse(tensors.begin(), tensors.end());
    EXPECT_EQ(safetensors_bytes(tensors, metadata), read_file(folder.path / "m.safetensors")) << "the order of the input shows";
  }
  EXPECT_EQ(folder.files(), 1u);
}

TEST(SafeTensors, ViewsOutliveTheFirstHandle) {
  const Folder folder;
  const std::vector<double> v(100000, 2.5);
  const NamedTensor t[] = {named<double>("w", {1000, 100}, v)};
  write_safetensors(folder.path / "m", t);
  SafeTensors copy;
  {
    const SafeTensors first = SafeTensors::open(folder.path / "m");
    copy = first;
  }
  const std::uint64_t shape[] = {1000, 100};
  EXPECT_EQ(copy.at("w", DType::f64, shape).as<double>()[99999], 2.5);
  EXPECT_THAT(error_of([&] { copy.at("w", DType::f32, shape); }), HasSubstr("is f64 [1000, 100], expected f32 [1000, 100]"));
  EXPECT_THAT(error_of([&] { copy.at("ww"); }), HasSubstr("'w'"));
  EXPECT_THAT(error_of([&] { copy.at("w").as<float>(); }), HasSubstr("holds f64, not f32"));
}

TEST(SafeTensors, RefusesEveryCutAndTrailingBytes) {
  const std::uint8_t v[] = {1, 2, 3};
  const NamedTensor t[] = {named<std::uint8_t>("a", {3}, v)};
  Bytes good = safetensors_bytes(t, {{"k", "v"}});
  refuses_every_prefix(good, parse);
  good.push_back(0);
  EXPECT_THAT(error_of([&] { parse(good); }), HasSubstr("end at data byte 3, but the file has 4"));
}

TEST(SafeTensors, ChecksOffsetsAsTheOfficialReader) {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a + R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}";
  };
  EXPECT_NO_THROW(parse(file(two("[4,8]", "[0,4]"), 8)));
  EXPECT_THAT(message(two("[0,4]", "[0,4]"), 8), HasSubstr("overlaps"));
  EXPECT_THAT(message(two("[0,4]", "[3,7]"), 7), HasSubstr("overlaps"));
  EXPECT_THAT(message(two("[0,4]", "[5,9]"), 9), HasSubstr("hole"));
  EXPECT_THAT(message(two("[1,5]", "[5,9]"), 9), HasSubstr("hole"));
  EXPECT_THAT(message(two("[0,4]", "[4,8]"), 7), HasSubstr("outside"));
  EXPECT_THAT(message(two("[0,4]", "[8,4]"), 8), HasSubstr("outside"));
  EXPECT_THAT(message(two("[0,4]", "[4,7]"), 7), HasSubstr("4 bytes, but the data_offsets span 3"));
  EXPECT_THAT(message(two("[0,4]", "[4,18446744073709551615]"), 8), HasSubstr("outside"));
  // 10^12 items, and a byte count beyond 64 bits
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4]}})", 4), HasSubstr("4000000000000 bytes"));
  EXPECT_THAT(message(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0), HasSubstr("64 bits"));
  // Nothing is fine too, and so are scalars and empty tensors.
  EXPECT_EQ(parse(file("{}", 0)).tensors().size(), 0u);
  EXPECT_EQ(
      parse(file(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"F32","shape":[0,9],"data_offsets":[4,4]}})", 4))
          .tensors()
          .size(),
      2u);
}

TEST(SafeTensors, ChecksTheHeaderAsTheOfficialReader) {
  const std::string a = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_NO_THROW(parse(file("{" + a + "}   ", 1)));
  EXPECT_THAT(message(" {" + a + "}", 1), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(message("{" + a + "}x", 1), HasSubstr("not valid JSON"));
  EXPECT_THAT(message("{" + a, 1), HasSubstr("not valid JSON"));
  EXPECT_THAT(message("{" + a + "," + a + "}", 1), HasSubstr("'a' stands twice"));
  EXPECT_THAT(message(R"({"__metadata__":{"x":"1","x":"2"}})", 0), HasSubstr("'x' stands twice"));
  EXPECT_THAT(message(R"({"__metadata__":{},"__metadata__":{}})", 0), HasSubstr("'__metadata__' stands twice"));
  EXPECT_THAT(message(R"({"__metadata__":{"x":1}})", 0), HasSubstr("not text at 'x'"));
  EXPECT_THAT(message(R"({"__metadata__":{"x":{}}})", 0), HasSubstr("none belongs"));
  EXPECT_THAT(message(R"({"__metadata__":"x"})", 0), HasSubstr("text to text"));
  EXPECT_THAT(message(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1), HasSubstr("dtype twice"));
  EXPECT_THAT(message(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}})", 1), HasSubstr("unknown field 'more'"));
  EXPECT_THAT(message(R"({"a":{"dtype":"U8","shape":[1]}})", 1), HasSubstr("needs dtype, shape and data_offsets"));
  EXPECT_THAT(message(R"({"a":{"dtype":"C64","shape":[1],"data_offsets":[0,1]}})", 1), HasSubstr("unsupported type 'C64'"));
  EXPECT_THAT(message(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1), HasSubstr("wrong kind"));
  EXPECT_THAT(message(R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1), HasSubstr("wrong kind"));
  EXPECT_THAT(message(R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", 1), HasSubstr("wrong kind"));
  EXPECT_THAT(message(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}})", 1), HasSubstr("two data_offsets"));
  EXPECT_THAT(message(R"({"a":1})", 0), HasSubstr("wrong kind"));
  EXPECT_THAT(message("{\"\xFF\":{}}", 0), HasSubstr("not valid JSON"));
  // deep nesting costs nothing
  EXPECT_THAT(message("{\"a\":" + std::string(5000000, '['), 0), HasSubstr("wrong kind"));
  EXPECT_THAT(message("{\"a\":{\"shape\":" + std::string(5000000, '['), 0), HasSubstr("wrong kind"));
  // lengths
  Bytes long_header;
  append_le(long_header, std::uint64_t{100000001});
  long_header.resize(100);
  EXPECT_THAT(error_of([&] { parse(long_header); }), HasSubstr("100 MB"));
  long_header[7] = 0xFF;
  EXPECT_THAT(error_of([&] { parse(long_header); }), HasSubstr("100 MB"));
  long_header = file("{}", 0);
  long_header[0] = 200;
  EXPECT_THAT(error_of([&] { parse(long_header); }), HasSubstr("claims 200 bytes, but the file ends after 2"));
}

TEST(SafeTensors, UnalignedForeignTensorsAreCopied) {
  Bytes b = file(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})", 1);
  append_le(b, 2.5f);
  const SafeTensors s = parse(b);
  EXPECT_THAT(s.at("f").copy<float>(), ElementsAre(2.5f));
  EXPECT_THAT(s.at("f").floats(), ElementsAre(2.5f));
  // Of f and a copy one byte further on, one at least is unaligned.
  Bytes shifted(1);
  shifted.insert(shifted.end(), b.begin(), b.end());
  const SafeTensors t = SafeTensors::parse(std::span<const std::uint8_t>(shifted).subspan(1), "file");
  int refused = 0;
  for (const SafeTensors* one : {&s, &t}) {
    try {
      EXPECT_EQ(one->at("f").as<float>()[0], 2.5f);
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("not aligned"));
      ++refused;
    }
  }
  EXPECT_GE(refused, 1);
}

TEST(SafeTensors, TheWriterRefusesNonsenseAndLeavesNothing) {
  const Folder folder;
  const std::uint8_t v[] = {1};
  const auto refuse = [&](std::vector<NamedTensor> tensors, SafeTensors::Metadata metadata) {
    return error_of([&] { write_safetensors(folder.path / "m", tensors, metadata); }, ExitCode::usage);
  };
  const NamedTensor a = named<std::uint8_t>("a", {1}, v);
  EXPECT_THAT(refuse({a, a}, {}), HasSubstr("two tensors are called 'a'"));
  EXPECT_THAT(refuse({named<std::uint8_t>("__metadata__", {1}, v)}, {}), HasSubstr("__metadata__"));
  EXPECT_THAT(refuse({named<std::uint8_t>("a", {2}, v)}, {}), HasSubstr("2 bytes, not 1"));
  EXPECT_THAT(refuse({named<std::uint8_t>("\xFF", {1}, v)}, {}), HasSubstr("UTF-8"));
  EXPECT_THAT(refuse({a}, {{"k", "\xC3"}}), HasSubstr("UTF-8"));
  EXPECT_EQ(folder.files(), 0u);
}

}  // namespace
}  // namespace apical::formats
