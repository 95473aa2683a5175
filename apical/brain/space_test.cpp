#include "apical/brain/space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <numbers>
#include <set>

#include "apical/base/error.h"
#include "apical/base/thread_pool.h"
#include "apical/brain/network.h"

namespace apical::brain {
namespace {

using std::numbers::pi;
using testing::HasSubstr;

constexpr Point kUnit{1, 1}, kMiddle{0, 0};
const Positions kTorus{.points = {}, .extent = kUnit, .center = kMiddle, .edge_wrap = true};

// Two populations in the plane, the second twice: its neurons 0 to n - 1.
struct Sheet {
  Network net;
  Population from, to;
  Sheet(const Positions& a, std::uint32_t m, const Positions& b, std::uint32_t n, std::uint64_t seed = 1)
      : net({.seed = seed}), from(net.create("iaf_psc_delta", m)), to(net.create("iaf_psc_delta", n)) {
    net.place(from, a), net.place(to, b);
  }
  // Displacement of t from s, and their distance: what space.h says, without cells.
  Point apart(std::uint32_t s, std::uint32_t t) const {
    const Positions &a = net.positions(from), &b = net.positions(to);
    return {b.points[t][0] - a.points[s][0], b.points[t][1] - a.points[s][1]};
  }
  double distance(std::uint32_t s, std::uint32_t t) const {
    const Positions& a = net.positions(from);
    Point d = apart(s, t);
    for (std::size_t k = 0; a.edge_wrap && k < 2; ++k) d[k] = std::remainder(d[k], a.extent[k]);
    return std::hypot(d[0], d[1]);
  }
};

using Pairs = std::multiset<std::pair<std::uint32_t, std::uint32_t>>;
Pairs pairs(const SynapseTable& t) {
  Pairs all;
  for (std::size_t i = 0; i < t.source.size(); ++i) all.emplace(t.source[i], t.target[i]);
  return all;
}

TEST(Positions, AreThoseOfNestsGrid) {
  // nest.GetPosition(nest.Create("iaf_psc_delta", positions=nest.spatial.grid([3, 2], extent=[3., 2.], center=[1., 0.]))), NEST 3.10.0
  const std::vector<Point> nest{{0, 0.5}, {0, -0.5}, {1, 0.5}, {1, -0.5}, {2, 0.5}, {2, -0.5}};
  const auto grid = Positions::grid(3, 2, {3, 2}, {1, 0}).points;
  ASSERT_EQ(grid.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t k = 0; k < 2; ++k) EXPECT_NEAR(grid[i][k], nest[i][k], 1e-12);
}

TEST(Space, MasksLeaveThePairsThatLieInThem) {
  // p = 1: all pairs in the mask and no other, whatever the cells; targets are looked at from the source, as in NEST.
  const Positions open{.points = {}, .extent = {2, 1}, .center = {3, -1}}, line = Positions::grid(40, 1, {2, 1}, {3, -1});
  const Positions grid = Positions::grid(20, 20, kUnit, kMiddle, true);
  Positions wrapped = kTorus;
  const std::pair<const Positions*, std::uint32_t> sheets[] = {{&open, 300}, {&line, 40}, {&grid, 400}, {&wrapped, 300}};
  for (const auto& [positions, n] : sheets)
    for (const Mask& mask : {Mask::circular(0.17), Mask::circular(0.5), Mask::rectangular({-0.1, -0.05}, {0.32, 0.6}),
                             Mask::rectangular({0.301, -0.2}, {0.9, 0.2}), Mask{}}) {
      Sheet s(*positions, n, positions == &grid ? wrapped : *positions, positions == &line ? 40 : 333);
      const auto c = s.net.connect(s.from.slice(7, n - 9), s.to.slice(3, 30), Rule::pairwise_bernoulli(Kernel::constant(1), mask));
      Pairs want;
      for (std::uint32_t a = 7; a < n - 2; ++a)
        for (std::uint32_t b = 3; b < 33; ++b) {
          bool inside = mask.kind == Mask::Kind::none || (mask.kind == Mask::Kind::circular && s.distance(a, b) <= mask.radius);
          for (int i = -1; i <= 1; ++i)  // all images of the target
            for (int j = -1; j <= 1; ++j) {
              if (mask.kind != Mask::Kind::rectangular || (!positions->edge_wrap && (i || j))) continue;
              const double x = s.apart(a, b)[0] + i, y = s.apart(a, b)[1] + j;
              inside |= x >= mask.lower_left[0] && x <= mask.upper_right[0] && y >= mask.lower_left[1] && y <= mask.upper_right[1];
            }
          if (inside) want.emplace(a, b);
        }
      EXPECT_EQ(pairs(s.net.synapses(c)), want) << n << " sources, mask " << mask.radius << " " << mask.lower_left[0];
      EXPECT_GT(want.size(), 0u);
    }
  // fixed_indegree looks from the target: NEST 3.10.0 connects columns 2 to the right of the target in this mask.
  Sheet s(Positions::grid(11, 1, {11, 1}), 11, Positions::grid(11, 1, {11, 1}), 11);
  const auto c =
      s.net.connect(s.from, s.to.slice(3, 2), Rule::fixed_indegree(1, Kernel::constant(1), Mask::rectangular({1.9, -0.1}, {2.1, 0.1})));
  EXPECT_EQ(pairs(s.net.synapses(c)), (Pairs{{5, 3}, {6, 4}}));
}

// Chi-square of counts in equal parts of [0, most) against counts that `share` of a part predicts.
template <class Share>
double chi_square(const std::vector<double>& values, double most, int parts, double n, Share share) {
  std::vector<double> counts(static_cast<std::size_t>(parts));
  for (const double v : values) ++counts.at(static_cast<std::size_t>(v / most * parts));
  double chi2 = 0;
  for (int k = 0; k < parts; ++k) {
    const double expected = n * share(most * k / parts, most * (k + 1) / parts);
    EXPECT_GT(expected, 10);
    chi2 += std::pow(counts[static_cast<std::size_t>(k)] - expected, 2) / expected;
  }
  return chi2;
}

std::vector<double> distances(const Sheet& s, const SynapseTable& t) {
  std::vector<double> all;
  for (std::size_t i = 0; i < t.source.size(); ++i) all.push_back(s.distance(t.source[i], t.target[i]));
  return all;
}

TEST(Space, DistancesFollowTheKernel) {
  // On a torus with neurons anywhere, pairs at distances r to r + dr < 0.5 are 2 pi r dr of all pairs, and distances of pairs are
  // independent: counts are Poisson-like, chi-square has mean `parts` and variance 2 parts; 4 deviations.
  constexpr std::uint32_t m = 2000, n = 2000;
  constexpr double most = 0.45;
  constexpr int parts = 40;
  const double sd = 0.12, beta = 0.08;
  const struct {
    Kernel kernel;
    double (*below)(double r);  // 2 pi integral of r p(r) from 0 to r
  } cases[] = {{Kernel::constant(0.05), [](double r) { return 0.05 * pi * r * r; }},
               {Kernel::linear(-0.2, 0.1), [](double r) { return 2 * pi * (0.05 * r * r - 0.2 / 3 * r * r * r); }},  // 0.1 - 0.2 r > 0
               {Kernel::gaussian(sd, 0, 0.3), [](double r) { return 0.3 * 2 * pi * 0.0144 * (1 - std::exp(-r * r / 0.0288)); }},
               {Kernel::exponential(beta, 0.5), [](double r) { return 0.5 * 2 * pi * 0.08 * (0.08 - (0.08 + r) * std::exp(-r / 0.08)); }}};
  for (const auto& c : cases) {
    Sheet s(kTorus, m, kTorus, n, 11);
    const auto made = s.net.connect(s.from, s.to, Rule::pairwise_bernoulli(c.kernel, Mask::circular(most)));
    const SynapseTable t = s.net.synapses(made);
    const double mean = double{m} * n * c.below(most);  // of all in-degrees
    EXPECT_NEAR(static_cast<double>(t.source.size()), mean, 4 * std::sqrt(mean));
    const auto d = distances(s, t);
    const double chi2 = chi_square(d, most, parts, double{m} * n, [&](double a, double b) { return c.below(b) - c.below(a); });
    EXPECT_LT(chi2, parts + 4 * std::sqrt(2.0 * parts));
    // In-degrees are binomial(m, below(most)): their variance, 4 deviations.
    std::vector<double> in(n);
    for (const auto target : t.target) ++in[target];
    const double p = c.below(most), k = m * p;
    double variance = 0;
    for (const double i : in) variance += (i - k) * (i - k) / n;
    EXPECT_NEAR(variance / (k * (1 - p)), 1, 4 * std::sqrt(2.0 / n) + 0.02);
    // fixed_indegree: the same shares, of exactly 20 each.
    Sheet f(kTorus, m, kTorus, n, 12);
    const SynapseTable fixed = f.net.synapses(f.net.connect(f.from, f.to, Rule::fixed_indegree(20, c.kernel, Mask::circular(most))));
    std::map<std::uint32_t, int> degree;
    for (const auto target : fixed.target) ++degree[target];
    EXPECT_TRUE(degree.size() == n && std::all_of(degree.begin(), degree.end(), [](const auto& d) { return d.second == 20; }));
    EXPECT_LT(chi_square(distances(f, fixed), most, parts, 20.0 * n, [&](double a, double b) { return (c.below(b) - c.below(a)) / p; }),
              parts + 4 * std::sqrt(2.0 * parts));
  }
}

TEST(Space, PartnersMayBeForbiddenToComeAgain) {
  const auto once =
      Rule::fixed_indegree(12, Kernel::gaussian(0.1), Mask::circular(0.2), {.allow_autapses = false, .allow_multapses = false});
  Network net({.seed = 4});
  const auto e = net.create("iaf_psc_delta", 400);
  net.place(e, Positions::grid(20, 20, kUnit, kMiddle, true));
  const SynapseTable t = net.synapses(net.connect(e, e, once));
  const Pairs all = pairs(t);
  EXPECT_EQ(all.size(), 4800u);
  EXPECT_EQ(std::set(all.begin(), all.end()).size(), 4800u);
  for (const auto& [a, b] : all) EXPECT_NE(a, b);
  // Two of three that are 1 : 2 : 4 as likely, one after the other: {0, 1} with 1/7 2/6 + 2/7 1/5.
  Network few({.seed = 5});
  const auto from = few.create("iaf_psc_delta", 3), to = few.create("iaf_psc_delta", 20000);
  few.place(from, {.points = {{1, 0}, {2, 0}, {4, 0}}});
  few.place(to, {.points = std::vector<Point>(20000, kMiddle)});
  const auto c = few.connect(from, to, Rule::fixed_indegree(2, Kernel::linear(1), {}, {.allow_multapses = false}));
  std::vector<std::uint32_t> have(20000);
  const SynapseTable two = few.synapses(c);
  for (std::size_t i = 0; i < two.source.size(); ++i) have[two.target[i]] |= 1u << two.source[i];
  const double p = 1.0 / 21 + 2.0 / 35;
  EXPECT_NEAR(std::count(have.begin(), have.end(), 3u) / 20000.0, p, 4 * std::sqrt(p * (1 - p) / 20000));
}

TEST(Space, WeightsAndDelaysDependOnDistance) {
  Sheet s(kTorus, 200, kTorus, 200);
  const auto c = s.net.connect(s.from, s.to, Rule::fixed_indegree(9),
                               {.weight_by_distance = Kernel::gaussian(0.2, 0, 50, 1), .delay_by_distance = Kernel::linear(3, 0.5)});
  const SynapseTable t = s.net.synapses(c);
  ASSERT_EQ(t.source.size(), 1800u);
  for (std::size_t i = 0; i < t.source.size(); ++i) {
    const double d = s.distance(t.source[i], t.target[i]);
    EXPECT_NEAR(t.weight[i], 1 + 50 * std::exp(-d * d / 0.08), 1e-4);  // float32
    EXPECT_NEAR(t.delay[i], 0.5 + 3 * d, 0.05 + 1e-9);                 // rounded to 0.1 ms
  }
}

TEST(Space, ThreadsChangeNoSynapse) {
  const auto made = [](int threads) {
    set_thread_count(threads);
    Sheet s(kTorus, 700, kTorus, 900, 9);
    const auto a = s.net.connect(s.from, s.to, Rule::pairwise_bernoulli(Kernel::gaussian(0.1), Mask::circular(0.3)),
                                 {.weight = Value::normal(3, 1), .delay_by_distance = Kernel::linear(2, 1)});
    const auto b = s.net.connect(s.from, s.to, Rule::fixed_indegree(5, Kernel::exponential(0.1)));
    const auto& spikes = s.net.record_spikes(s.to);
    s.net.connect(PoissonGenerator{.rate = 15000}, s.from, 1.5);
    s.net.simulate(50);
    SynapseTable t = s.net.synapses(a), u = s.net.synapses(b);
    t.source.insert(t.source.end(), u.source.begin(), u.source.end());
    return std::tuple{t.source, t.weight, spikes.step, spikes.neuron};
  };
  const auto one = made(1);
  EXPECT_GT(std::get<2>(one).size(), 100u);
  EXPECT_EQ(made(2), one);
  EXPECT_EQ(made(7), one);
  set_thread_count(2);
}

TEST(Space, RefusesWhatCannotBe) {
  const auto words = [](auto call) -> std::string {
    Network net;
    const auto e = net.create("iaf_psc_delta", 10, {}, "e"), torus = net.create("iaf_psc_delta", 10),
               bare = net.create("iaf_psc_delta", 10, {}, "bare");
    net.place(e, {});
    net.place(torus, kTorus);
    try {
      call(net, e, torus, bare);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      return error.what();
    }
    return "taken";
  };
  const auto rule = Rule::pairwise_bernoulli(Kernel::constant(1));
  EXPECT_THAT(words([&](auto& n, auto e, auto, auto bare) { n.connect(e, bare, rule); }), HasSubstr("population bare has no positions"));
  EXPECT_THAT(words([&](auto& n, auto e, auto t, auto) { n.connect(e, t, rule); }), HasSubstr("different sheets"));
  EXPECT_THAT(words([&](auto& n, auto e, auto, auto) { n.connect(e, e, Rule::pairwise_bernoulli(Kernel::gaussian(0))); }),
              HasSubstr("not positive"));
  EXPECT_THAT(
      words([&](auto& n, auto e, auto, auto) { n.connect(e, e, Rule::pairwise_bernoulli(Kernel::constant(1), Mask::circular(-1))); }),
      HasSubstr("a mask is empty"));
  EXPECT_THAT(
      words([&](auto& n, auto, auto t, auto) { n.connect(t, t, Rule::pairwise_bernoulli(Kernel::constant(1), Mask::circular(0.6))); }),
      HasSubstr("larger than a sheet"));
  EXPECT_THAT(words([&](auto& n, auto e, auto, auto) {
                n.connect(e, e, Rule::fixed_indegree(3, Kernel::constant(1), Mask::circular(1e-9), {.allow_multapses = false}));
                n.build();
              }),
              HasSubstr("there are not 3 sources near a target"));
  EXPECT_THAT(words([&](auto& n, auto, auto, auto bare) { n.place(bare, Positions::grid(3, 3)); }), HasSubstr("9 and 10"));
  EXPECT_THAT(words([&](auto& n, auto, auto, auto bare) {
                n.place(bare, {.points = std::vector<Point>(10, {0.6, 0}), .edge_wrap = true});
              }),
              HasSubstr("beside a sheet"));
  EXPECT_THAT(words([&](auto& n, auto e, auto, auto) {
                n.connect(e, e, Rule::one_to_one(), {.delay_by_distance = Kernel::linear(1)});
                n.build();
              }),
              HasSubstr("a delay is below the step"));
}

}  // namespace
}  // namespace apical::brain
