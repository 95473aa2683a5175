#include "apical/base/philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace apical {
namespace {

using Block = std::array<uint32_t, 4>;

// Vectors of the Random123 distribution (tests/kat_vectors, lines "philox4x32 10").
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32_10({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t f = 0xffffffff;
  EXPECT_EQ(philox4x32_10({f, f, f, f}, {f, f}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, IsAFunctionOfSeedStreamAndIndexAlone) {
  Random walk(7, "a");
  for (uint64_t i = 0; i < 9; ++i) EXPECT_EQ(walk.bits(), Random(7, "a").bits_at(i));
  Random later(7, "a", 9);
  EXPECT_EQ(walk.bits(), later.bits());
  EXPECT_NE(Random(7, "a").block_at(0), Random(8, "a").block_at(0));
  EXPECT_NE(Random(7, "a").block_at(0), Random(7, "b").block_at(0));
  EXPECT_NE(Random(7, "a").block_at(0), Random(uint64_t{7} << 32, "a").block_at(0));
  EXPECT_NE(Random(7, "a").block_at(0), Random(7, "a").block_at(uint64_t{1} << 32));
}

TEST(Random, MomentsOfUniformAndNormal) {
  constexpr int n = 200000;
  Random r(3, "moments");
  double u1 = 0, u2 = 0, g1 = 0, g2 = 0, g4 = 0;
  for (int i = 0; i < n; ++i) {
    const double u = r.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    u1 += u / n;
    u2 += u * u / n;
  }
  for (int i = 0; i < n; ++i) {
    const double g = r.normal();
    g1 += g / n;
    g2 += g * g / n;
    g4 += g * g * g * g / n;
  }
  EXPECT_NEAR(u1, 0.5, 0.003);  // 4.6 standard errors
  EXPECT_NEAR(u2, 1.0 / 3, 0.003);
  EXPECT_NEAR(g1, 0, 0.01);
  EXPECT_NEAR(g2, 1, 0.015);
  EXPECT_NEAR(g4, 3, 0.12);
}

TEST(Random, BelowIsUnbiased) {
  Random r(1, "below");
  std::array<int, 6> count{};
  for (int i = 0; i < 60000; ++i) ++count[r.below(6)];
  for (int c : count) EXPECT_NEAR(c, 10000, 420);  // 4.6 sigma
  // with n = 3 * 2^30 a plain multiply-shift would hit multiples of 4 + {0,1,2} unevenly; rejection keeps thirds equal
  std::array<int, 3> third{};
  for (int i = 0; i < 30000; ++i) ++third[r.below(3u << 30) % 3];
  for (int c : third) EXPECT_NEAR(c, 10000, 380);
}

TEST(Permutation, HoldsEveryNumberOnceAndDependsOnItsStream) {
  const auto p = permutation(1000, Random(5, "epoch/1"));
  EXPECT_EQ(std::set<uint32_t>(p.begin(), p.end()).size(), 1000u);
  EXPECT_EQ(*std::max_element(p.begin(), p.end()), 999u);
  EXPECT_EQ(p, permutation(1000, Random(5, "epoch/1")));
  EXPECT_NE(p, permutation(1000, Random(5, "epoch/2")));
  EXPECT_TRUE(permutation(0, Random(5, "x")).empty());
  // each of the 6 orders of three items is as likely as the others
  std::array<int, 27> seen{};
  for (uint64_t i = 0; i < 12000; ++i) {
    const auto q = permutation(3, Random(i, "orders"));
    ++seen[q[0] * 9 + q[1] * 3 + q[2]];
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 0), 21);
  for (int c : seen) EXPECT_TRUE(c == 0 || std::abs(c - 2000) < 190) << c;
}

}  // namespace
}  // namespace apical
