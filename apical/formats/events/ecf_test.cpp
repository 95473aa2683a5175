// ECF against chunks that Prophesee's encoder makes of these events (worked out from its source, github.com/prophesee-ai/hdf5_ecf, in
// another language), and against itself.
#include "apical/formats/events/ecf.h"

#include <gmock/gmock.h>

#include "apical/formats/events/event_test_tools.h"

namespace apical::formats::detail {
namespace {

using Bytes = std::vector<std::uint8_t>;
using ::testing::HasSubstr;

Bytes hex(const std::string& text) {
  Bytes bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) bytes.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}
std::vector<Event> events_of(const EventRows& rows) {
  std::vector<Event> events;
  for (std::size_t i = 0; i < rows.size; ++i) events.push_back({rows.t[i], rows.x[i], rows.y[i], rows.p[i]});
  return events;
}
std::vector<Event> decoded(const Bytes& bytes) {
  EventRows rows;
  const EcfDamage damage = decode_ecf(bytes, rows);
  EXPECT_EQ(damage.what, nullptr) << damage.what << " at " << damage.at;
  return events_of(rows);
}
std::string damage_of(const Bytes& bytes) {
  EventRows rows;
  const EcfDamage damage = decode_ecf(bytes, rows);
  return damage.what ? std::to_string(damage.at) + ": " + damage.what : "";
}
// A head and the time 0.
Bytes chunk(unsigned events, unsigned form, const std::string& rest) {
  Bytes bytes =
      hex("00000000"
          "0000000000000000" +
          rest);
  for (int k = 0; k < 4; ++k) bytes[k] = static_cast<std::uint8_t>((events << 2 | form) >> (8 * k));
  return bytes;
}

struct Golden {
  const char* what;
  std::vector<Event> events;
  const char* bytes;
};
std::vector<Golden> goldens() {
  std::vector<Golden> all = {
      {"runs, masks, a step of 15 and a longer one",
       {{1000, 10, 20, 1}, {1000, 11, 20, 1}, {1003, 13, 20, 0}, {1018, 2047, 1500, 1}, {50000, 5, 6, 0}},
       "14000000e8030000000000000231ff01f6f5fffb01830281bbc1005401e0ffa00082018101"},
      {"runs beyond their nibble, 5 bits and 7 bits",
       {},
       "3002000009030000000000000f8c009f258c009f0c4f0d1b0ede0e9f0f4f101b11de119f124f131b14de149f154f161b17de179f184f191b1ade1a9f1b4f1c1b"
       "1dde1d9f1e4f1f1820ff82000a"},
      {"x and p packed", {}, "190000000500000000000000012121212121660c0b009404df00831200170000"},
      {"y, x and p packed",
       {},
       "16000000050000000000000001fcf2f101fcf2f101fcf2f101fcf2f1014b0000009460b000df1002010028c1020000000000000000"},
  };
  for (unsigned i = 0; i < 140; ++i)
    all[1].events.push_back({777, static_cast<std::uint16_t>(100 + i + i / 7), 300, static_cast<std::uint8_t>(i < 130)});
  for (unsigned i = 0; i < 6; ++i)
    all[2].events.push_back({5 + 2 * i, static_cast<std::uint16_t>(i * 37), 99, static_cast<std::uint8_t>(i & 1)});
  for (unsigned i = 0; i < 5; ++i)
    all[3].events.push_back(
        {5 + 300 * i, static_cast<std::uint16_t>(i * 37), static_cast<std::uint16_t>(i * 11), static_cast<std::uint8_t>(i & 1)});
  return all;
}

}  // namespace

TEST(Ecf, BytesOfPropheseesEncoder) {
  for (const Golden& g : goldens()) {
    SCOPED_TRACE(g.what);
    EXPECT_EQ(decoded(hex(g.bytes)), g.events);
    Bytes packed;
    append_ecf(g.events, packed);
    EXPECT_EQ(packed, hex(g.bytes));
  }
}

TEST(Ecf, EveryChunkThatIsCutIsDamaged) {
  for (const Golden& g : goldens())
    for (Bytes bytes = hex(g.bytes); !bytes.empty();) {
      bytes.pop_back();
      EXPECT_THAT(damage_of(bytes), HasSubstr("ends before its events do")) << g.what << " " << bytes.size();
    }
}

TEST(Ecf, HostileChunks) {
  EXPECT_EQ(damage_of(chunk(65536, 0, "")), "4: the chunk claims more than 65535 events");
  EXPECT_EQ(damage_of(chunk(2, 0, "03")), "13: a run goes beyond the events of the chunk");
  EXPECT_EQ(damage_of(chunk(2, 0, "0fffff")), "15: a run goes beyond the events of the chunk");
  EXPECT_EQ(damage_of(chunk(2, 0,
                            "02"
                            "0300")),
            "15: a run goes beyond the events of the chunk");
  EXPECT_EQ(damage_of(chunk(2, 0,
                            "02"
                            "0200"
                            "0000"
                            "0000"
                            "03")),
            "20: a run goes beyond the events of the chunk");
  EXPECT_THAT(damage_of(chunk(1, 0, "fffffffffffffffffffffffffffffffffff1")), HasSubstr("more than 64 bits"));
  // Steps that overflow wrap, masks that go on behind the last event and bytes behind the chunk are left aside.
  EXPECT_EQ(decoded(chunk(2, 0,
                          "21"
                          "ffffffffffffffffffffffffffffffff01"
                          "0200"
                          "5f00"
                          "02"
                          "77")),
            (std::vector<Event>{{2, 2, 0, 0}, {1, 3, 0, 0}}));
  EXPECT_TRUE(decoded(chunk(0, 0, "")).empty());
}

TEST(Ecf, RoundTripsInEveryForm) {
  unsigned forms = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed, "ecf");
    const std::size_t n = seed < 4 ? ecf_limit : 1 + random.below(2000);
    auto events =
        random_events(seed, n, seed % 3 == 0 ? ecf_pixels : 40, seed % 2 == 0 ? ecf_pixels : 1, seed % 5 == 0 ? 4'000'000'000u : 500);
    if (seed % 3 == 1)  // single pixels in few rows
      for (Event& e : events) e.x = static_cast<std::uint16_t>(random.below(ecf_pixels));
    if (seed % 7 == 2)  // single pixels anywhere
      for (Event& e : events) e.y = static_cast<std::uint16_t>(random.below(ecf_pixels));
    Bytes bytes;
    append_ecf(events, bytes);
    forms |= 1u << (bytes[0] & 3);
    EXPECT_EQ(decoded(bytes), events) << seed;
  }
  EXPECT_EQ(forms, 0b111u);
}

}  // namespace apical::formats::detail
