#include "apical/brain/connect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <numbers>
#include <set>
#include <tuple>

#include "apical/base/error.h"
#include "apical/base/philox.h"

namespace apical::brain {
namespace {

struct One {
  std::uint32_t source, target;
  double weight, delay;
  auto operator<=>(const One&) const = default;
};

// All synapses, drawn in `parts` pieces of whole words of targets.
std::vector<One> drawn(Connection c, std::uint64_t seed = 1, std::uint32_t parts = 1) {
  check_connection(c, 0.1);
  c.stream = stream_id("test");
  share_total(c, seed);
  std::vector<One> all;
  const std::uint32_t words = (c.to.begin + c.to.size + 63) / 64;
  for (std::uint32_t p = 0; p < parts; ++p) {
    Draws weights(seed, c.stream + 1), delays(seed, c.stream + 2);
    each_synapse(
        c, words * p / parts * 64, words * (p + 1) / parts * 64, seed, [&](std::uint32_t row) { weights.start(row), delays.start(row); },
        [&](std::uint32_t source, std::uint32_t target, bool mine) {
          const One one{source, target, weights.draw(c.synapses.weight), delays.draw(c.synapses.delay)};
          if (mine) all.push_back(one);
        });
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::map<std::uint32_t, int> degrees(const std::vector<One>& all, bool in) {
  std::map<std::uint32_t, int> count;
  for (const One& s : all) ++count[in ? s.target : s.source];
  return count;
}
bool all_are(const std::map<std::uint32_t, int>& count, std::size_t n, int degree) {
  return count.size() == n && std::all_of(count.begin(), count.end(), [&](const auto& c) { return c.second == degree; });
}
std::size_t pairs(const std::vector<One>& all) {
  std::set<std::pair<std::uint32_t, std::uint32_t>> p;
  for (const One& s : all) p.insert({s.source, s.target});
  return p.size();
}
bool autapse(const std::vector<One>& all) {
  return std::any_of(all.begin(), all.end(), [](const One& s) { return s.source == s.target; });
}

constexpr Population A{0, 0, 300}, B{1, 0, 500};
constexpr RuleOptions kNoSelf{.allow_autapses = false}, kOnce{.allow_multapses = false}, kStrict{false, false};

TEST(Connect, DegreesAreExact) {
  EXPECT_TRUE(all_are(degrees(drawn({A, B, Rule::fixed_indegree(40), {}}), true), 500, 40));
  EXPECT_TRUE(all_are(degrees(drawn({A, B, Rule::fixed_outdegree(40), {}}), false), 300, 40));
  EXPECT_EQ(drawn({A, B, Rule::fixed_total_number(12345), {}}).size(), 12345u);
  EXPECT_EQ(drawn({A, B, Rule::all_to_all(), {}}).size(), 300u * 500u);
  EXPECT_EQ(pairs(drawn({A, B, Rule::all_to_all(), {}})), 300u * 500u);
  const auto pairs_of = drawn({A, {1, 100, 300}, Rule::one_to_one(), {}});
  ASSERT_EQ(pairs_of.size(), 300u);
  for (const One& s : pairs_of) EXPECT_EQ(s.target, s.source + 100);
  EXPECT_EQ(drawn({A, B, Rule::pairwise_bernoulli(1), {}}).size(), 300u * 500u);
  EXPECT_EQ(drawn({A, B, Rule::pairwise_bernoulli(0), {}}).size(), 0u);
  // Ranges: only their neurons; sources are counted from first_source.
  Connection c{{0, 20, 30}, {1, 70, 90}, Rule::fixed_indegree(5), {}};
  c.first_source = 1020;
  for (const One& s : drawn(c)) {
    EXPECT_TRUE(s.source >= 1020 && s.source < 1050);
    EXPECT_TRUE(s.target >= 70 && s.target < 160);
  }
}

TEST(Connect, SwitchesForbidAutapsesAndMultapses) {
  for (const auto& [with, without] : {std::pair{Rule::fixed_indegree(200), Rule::fixed_indegree(200, kNoSelf)},
                                      {Rule::fixed_outdegree(200), Rule::fixed_outdegree(200, kNoSelf)},
                                      {Rule::fixed_total_number(90000), Rule::fixed_total_number(90000, kNoSelf)},
                                      {Rule::pairwise_bernoulli(0.5), Rule::pairwise_bernoulli(0.5, kNoSelf)},
                                      {Rule::all_to_all(), Rule::all_to_all(kNoSelf)}}) {
    EXPECT_TRUE(autapse(drawn({A, A, with, {}})));
    EXPECT_FALSE(autapse(drawn({A, A, without, {}})));
  }
  for (const auto& [with, without] : {std::pair{Rule::fixed_indegree(200), Rule::fixed_indegree(200, kOnce)},
                                      {Rule::fixed_outdegree(200), Rule::fixed_outdegree(200, kOnce)}}) {
    EXPECT_LT(pairs(drawn({A, B, with, {}})), drawn({A, B, with, {}}).size());
    EXPECT_EQ(pairs(drawn({A, B, without, {}})), drawn({A, B, with, {}}).size());
  }
  EXPECT_EQ(pairs(drawn({A, A, Rule::fixed_indegree(299, kStrict), {}})), 300u * 299u);
}

TEST(Connect, NumbersFollowTheirDistributions) {
  // Bernoulli: in-degrees are binomial(300, 0.1): chi-square in bins of at least 10, of 5000 targets.
  const auto in = degrees(drawn({A, {1, 0, 5000}, Rule::pairwise_bernoulli(0.1), {}}), true);
  // Fixed total: in-degrees of 5000 targets are binomial(150000, 1/5000).
  const auto total = degrees(drawn({A, {1, 0, 5000}, Rule::fixed_total_number(150000), {}}), true);
  for (const auto& [count, n, p] : {std::tuple{in, 300.0, 0.1}, {total, 150000.0, 1 / 5000.0}}) {
    std::vector<double> histogram(200);
    for (const auto& [t, k] : count) ++histogram[static_cast<std::size_t>(k)];
    double chi2 = 0;
    int bins = 0;
    for (int k = 0; k < 200; ++k) {
      const double expected =
          5000 * std::exp(std::lgamma(n + 1) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1) + k * std::log(p) + (n - k) * std::log1p(-p));
      if (expected < 10) continue;
      chi2 += std::pow(histogram[static_cast<std::size_t>(k)] - expected, 2) / expected, ++bins;
    }
    EXPECT_GT(bins, 20);
    EXPECT_LT(chi2, bins + 4 * std::sqrt(2.0 * bins));
  }
  // Sources of fixed_indegree are uniform.
  double chi2 = 0;
  for (const auto& [s, k] : degrees(drawn({A, {1, 0, 5000}, Rule::fixed_indegree(30), {}}), false)) chi2 += std::pow(k - 500.0, 2) / 500;
  EXPECT_LT(chi2, 300 + 4 * std::sqrt(600.0));
}

TEST(Connect, ValuesFollowTheirDistributions) {
  const auto moments = [](const Value& v) {
    Draws draws(3, 4);
    draws.start(0);
    double sum = 0, square = 0, cube = 0, fourth = 0;
    constexpr int n = 400000;
    for (int i = 0; i < n; ++i) {
      const double x = draws.draw(v);
      sum += x, square += x * x, cube += x * x * x, fourth += x * x * x * x;
    }
    return std::array{sum / n, square / n, cube / n, fourth / n};
  };
  const auto normal = moments(Value::normal(0, 1));
  EXPECT_NEAR(normal[0], 0, 0.008);
  EXPECT_NEAR(normal[1], 1, 0.012);
  EXPECT_NEAR(normal[2], 0, 0.04);
  EXPECT_NEAR(normal[3], 3, 0.08);
  EXPECT_NEAR(moments(Value::uniform(2, 4))[1], 28.0 / 3, 0.02);
  EXPECT_NEAR(moments(Value::lognormal(0, 0.5))[0], std::exp(0.125), 0.005);
  // Half a normal: mean sqrt(2/pi). Clipped at 0: half of that.
  EXPECT_NEAR(moments(Value::normal(0, 1).redrawn(0, 100))[0], std::sqrt(2 / std::numbers::pi), 0.006);
  EXPECT_NEAR(moments(Value::normal(0, 1).clipped(0, 100))[0], std::sqrt(0.5 / std::numbers::pi), 0.006);
  // The tail of the ziggurat, beyond 3.44: 2.9e-4 each side.
  Draws draws(5, 6);
  draws.start(1);
  int low = 0, high = 0;
  for (int i = 0; i < 1000000; ++i) {
    const double x = draws.normal();
    low += x<-3.5, high += x> 3.5;
  }
  EXPECT_NEAR(low, 232.6, 75);
  EXPECT_NEAR(high, 232.6, 75);
}

TEST(Connect, PiecesAreTheWhole) {
  const Synapses random{Value::normal(10, 3), Value::uniform(1, 5)};
  for (const Rule& rule : {Rule::one_to_one(), Rule::all_to_all(), Rule::fixed_indegree(7), Rule::fixed_outdegree(7, kStrict),
                           Rule::fixed_total_number(5000), Rule::pairwise_bernoulli(0.05)}) {
    const Connection c{A, {0, 30, 300}, rule, random};
    const auto whole = drawn(c);
    EXPECT_EQ(drawn(c, 1, 2), whole);
    EXPECT_EQ(drawn(c, 1, 6), whole);
    EXPECT_NE(drawn(c, 2), whole);
  }
}

}  // namespace
}  // namespace apical::brain
