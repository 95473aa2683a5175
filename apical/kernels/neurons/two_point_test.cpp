#include "apical/kernels/neurons/two_point.h"

#include <gtest/gtest.h>
#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "apical/base/thread_pool.h"
#include "apical/kernels/neurons/two_point_scalar.h"
#include "apical/kernels/simd.h"
#include "apical/kernels/testing_noise.h"

namespace apical::kernels {
namespace {

using Floats = std::vector<float>;

constexpr Noise noise{23};
constexpr float inf = std::numeric_limits<float>::infinity();

// The form m in float64.
struct Forward64 {
  TwoPoint m;
  double r;
  const double* context;
  template <Mtf K, TwoPointOutput Y>
  double run() const {
    const auto cell = plain::two_point_cell<double, K, Y>(m);
    return (context ? cell.forward(r, *context) : cell.forward(r)).h;
  }
};
struct Backward64 {
  TwoPoint m;
  double r;
  const double* context;
  double grad_h;
  template <Mtf K, TwoPointOutput Y>
  auto run() const {
    const auto cell = plain::two_point_cell<double, K, Y>(m);
    return context ? cell.backward(r, *context, grad_h) : cell.backward(r, grad_h);
  }
};
struct Transfer64 {
  double r, c;
  template <Mtf K, TwoPointOutput Y>
  auto run() const { return plain::detail::transfer<plain::TwoPointOps<double>, K>(r, c); }
};

double t_of(Mtf mtf, double r, double c) { return plain::with_form(TwoPoint{mtf}, Transfer64{r, c}).t; }

constexpr Mtf mtfs[] = {Mtf::tm1, Mtf::tm2, Mtf::tm3, Mtf::tm4, Mtf::coop, Mtf::add, Mtf::gate};
constexpr TwoPointOutput outputs[] = {TwoPointOutput::relu6, TwoPointOutput::relu, TwoPointOutput::half_gaussian};

template <class Check>
void each_form(Check check) {
  for (const Mtf mtf : mtfs)
    for (const TwoPointOutput output : outputs)
      for (const float c_max : {3.0f, 0.7f}) {
        SCOPED_TRACE("mtf " + std::to_string(int(mtf)) + " output " + std::to_string(int(output)) + " c_max " + std::to_string(c_max));
        check(TwoPoint{mtf, output, c_max});
        if (testing::Test::HasFatalFailure()) return;
      }
}

struct Out {
  Floats h, grad_r, grad_context;
  std::uint64_t active;
  bool operator==(const Out& o) const {
    return same(h, o.h) && same(grad_r, o.grad_r) && same(grad_context, o.grad_context) && active == o.active;
  }
};
Out run(const TwoPoint& m, const Floats& r, const float* context, const Floats& grad_h, bool grad_context = true) {
  const std::size_t n = r.size();
  Out o{Floats(n, -1), Floats(n, -1), Floats(n, -1), 0};
  o.active = two_point_forward(m, r.data(), context, n, o.h.data());
  two_point_backward(m, r.data(), context, grad_h.data(), n, o.grad_r.data(), grad_context ? o.grad_context.data() : nullptr);
  return o;
}

class TwoPointCells : public testing::Test {
 protected:
  void TearDown() override {
    set_simd_level("");
    set_thread_count(2);
  }
};

TEST_F(TwoPointCells, ValuesByHand) {  // R, C, T; 1 + exp, tanh and 2^ to ten digits
  const struct {
    Mtf mtf;
    double r, c, t;
  } values[] = {
      {Mtf::coop, 1, 1, 5}, {Mtf::coop, 1, -1, 1}, {Mtf::coop, 1, -2, -1}, {Mtf::coop, -1, 1, 1},
      {Mtf::coop, -1, 0, -1}, {Mtf::coop, 0, 1, 1}, {Mtf::coop, 2, 0, 8},
      {Mtf::tm1, 1, 1, 1.8591409142}, {Mtf::tm1, 1, -1, 0.6839397206}, {Mtf::tm1, 3, 3, 4472.9369805626}, {Mtf::tm1, -3, -3, -4472.9369805626},
      {Mtf::tm2, 1, 1, 2}, {Mtf::tm2, 1, -1, 0}, {Mtf::tm2, -2, 0.5, -3},
      {Mtf::tm3, 1, 1, 1.7615941560}, {Mtf::tm3, 1, -1, 0.2384058440}, {Mtf::tm3, -1, 1, -0.2384058440},
      {Mtf::tm4, 1, 1, 2}, {Mtf::tm4, 1, -1, 0.5}, {Mtf::tm4, 3, 3, 768}, {Mtf::tm4, -2, 1, -0.5},
      {Mtf::add, 1, -3, -2}, {Mtf::add, 0.5, 0.25, 0.75},
      {Mtf::gate, 1, 0, 1}, {Mtf::gate, 1, 1, 1.4621171573}, {Mtf::gate, -1, -1, -0.5378828427}};
  for (const auto& v : values) {
    EXPECT_NEAR(t_of(v.mtf, v.r, v.c), v.t, 1e-9 * std::max(1.0, std::fabs(v.t))) << int(v.mtf) << " " << v.r << " " << v.c;
    const float r = float(v.r), context = float(4 * std::atanh(v.c / 4));
    float h[3];
    for (const TwoPointOutput output : outputs) two_point_forward({v.mtf, output, 4}, &r, &context, 1, h + int(output));
    const double relu = std::max(v.t, 0.0), near = 1e-6 * std::max(1.0, relu);
    EXPECT_NEAR(h[0], std::min(relu, 6.0), near) << int(v.mtf) << " " << v.r << " " << v.c;
    EXPECT_NEAR(h[1], relu, v.mtf == Mtf::tm1 ? 4 * near : near) << int(v.mtf) << " " << v.r << " " << v.c;
    EXPECT_NEAR(h[2], 1 - std::exp(-relu * relu / 2), near) << int(v.mtf) << " " << v.r << " " << v.c;
  }
}

TEST_F(TwoPointCells, ContextAloneFiresNoneButCoopAndTheControl) {
  for (const Mtf mtf : mtfs)
    for (const double c : {-2.0, 0.0, 2.0}) EXPECT_EQ(t_of(mtf, 0, c), mtf == Mtf::coop || mtf == Mtf::add ? c : 0) << int(mtf);
}

TEST_F(TwoPointCells, GradientsFollowFiniteDifferences) {
  std::size_t compared = 0;
  each_form([&](const TwoPoint& m) {
    const Floats r = noise(300, 1, 2.0f), context = noise(300, 2, 4.0f);
    for (std::size_t i = 0; i < r.size(); ++i) {
      const double x = r[i], y = context[i], step = 1e-6, g = -1.7;
      const double c = m.c_max * std::tanh(y / m.c_max), t = t_of(m.mtf, x, c), t0 = t_of(m.mtf, x, 0);
      const auto kink = [](double at) { return std::fabs(at) < 1e-4; };
      if (kink(t) || kink(t - 6) || kink(t0) || kink(t0 - 6) || kink(x) || kink(x * c - 8)) continue;
      const auto h = [&](double r_, double context_) { return plain::with_form(m, Forward64{m, r_, &context_}); };
      const auto near = [](double want) { return 1e-6 * std::max(1.0, std::fabs(want)); };
      const auto got = plain::with_form(m, Backward64{m, x, &y, g});
      const double by_r = g * (h(x + step, y) - h(x - step, y)) / (2 * step), by_context = g * (h(x, y + step) - h(x, y - step)) / (2 * step);
      ASSERT_NEAR(got.r, by_r, near(by_r)) << x << " " << y;
      ASSERT_NEAR(got.context, by_context, near(by_context)) << x << " " << y;
      const auto alone = plain::with_form(m, Backward64{m, x, nullptr, g});
      const double alone_r = g * (h(x + step, 0) - h(x - step, 0)) / (2 * step), alone_context = g * (h(x, step) - h(x, -step)) / (2 * step);
      ASSERT_NEAR(alone.r, alone_r, near(alone_r)) << x;
      ASSERT_NEAR(alone.context, alone_context, near(alone_context)) << x;
      ++compared;
    }
  });
  EXPECT_GT(compared, 12000u);
}

TEST_F(TwoPointCells, GradientsWhereTheyBreak) {  // slopes at the kinks, as two_point.h has them
  const auto back = [](Mtf mtf, double r, double c) { return plain::with_form(TwoPoint{mtf}, Transfer64{r, c}); };
  EXPECT_EQ(back(Mtf::coop, 0, 2).by_r, 2);
  EXPECT_EQ(back(Mtf::coop, 0, 2).by_c, 1);
  EXPECT_GT(back(Mtf::tm1, 2, 4).by_c, 1000);  // R C = 8 still passes
  EXPECT_EQ(back(Mtf::tm1, 2, 4.01).by_c, 0);
  EXPECT_NEAR(back(Mtf::tm1, 2, 4.01).by_r, (1 + std::exp(8.0)) / 2, 1e-9);
  EXPECT_GT(back(Mtf::tm4, 2, 4).by_c, 100);
  EXPECT_EQ(back(Mtf::tm4, 2, 4.01).by_c, 0);
  EXPECT_NEAR(back(Mtf::tm4, 2, 4.01).by_r, 256, 1e-9);
  const Floats t{0, 6, 5.9f, 6.1f, -1}, ones(5, 1);
  EXPECT_EQ(run({Mtf::add, TwoPointOutput::relu6}, t, nullptr, ones).grad_r, (Floats{0, 0, 1, 0, 0}));
  EXPECT_EQ(run({Mtf::add, TwoPointOutput::relu}, t, nullptr, ones).grad_r, (Floats{0, 1, 1, 1, 0}));
}

TEST_F(TwoPointCells, FloatFollowsFloat64) {
  each_form([&](const TwoPoint& m) {
    const std::size_t n = 20000;
    const Floats r = noise(n, 1), context = noise(n, 2, 2.0f), grad_h = noise(n, 3);
    const Out o = run(m, r, context.data(), grad_h);
    for (std::size_t i = 0; i < n; ++i) {
      const double y = context[i], t = t_of(m.mtf, r[i], m.c_max * std::tanh(y / m.c_max));
      const double h = plain::with_form(m, Forward64{m, r[i], &y}), near = 2e-6 * std::max(1.0, std::fabs(t));
      ASSERT_NEAR(o.h[i], h, near) << r[i] << " " << y;
      if (std::fabs(t) < 1e-5 || std::fabs(t - 6) < 1e-5) continue;
      const auto g = plain::with_form(m, Backward64{m, r[i], &y, grad_h[i]});
      ASSERT_NEAR(o.grad_r[i], g.r, 4 * near * std::max(1.0f, std::fabs(grad_h[i]))) << r[i] << " " << y;
      ASSERT_NEAR(o.grad_context[i], g.context, 4 * near * std::max(1.0f, std::fabs(grad_h[i]))) << r[i] << " " << y;
    }
  });
  const float small = 1e-3f;  // 1 - exp(-T^2 / 2) without cancellation
  float h;
  EXPECT_EQ(two_point_forward({Mtf::add, TwoPointOutput::half_gaussian}, &small, nullptr, 1, &h), 1u);
  EXPECT_NEAR(h, 5e-7, 1e-12);
}

TEST_F(TwoPointCells, LevelsThreadsAndAliasesAgreeBitForBit) {
  std::size_t drawn = 0;
  each_form([&](const TwoPoint& m) {
    for (const std::size_t n : {0, 1, 7, 31, 1000, 100003}) {
      if (n > 1000 && m.c_max != 3) continue;
      const Input kind{int(drawn++ % 4)};
      SCOPED_TRACE("n " + std::to_string(n) + " input " + std::to_string(int(kind)));
      const Floats r = noise(n, 1, 1.5f, kind), context = noise(n, 2, 3.0f, kind), grad_h = noise(n, 3);
      set_simd_level("scalar");
      const Out want = run(m, r, context.data(), grad_h), alone = run(m, r, nullptr, grad_h);
      ASSERT_EQ(want.active, n - std::size_t(std::count(want.h.begin(), want.h.end(), 0.0f)));
      ASSERT_TRUE(same(alone.h, run(m, r, Floats(n).data(), grad_h).h));  // none is a context of 0
      for (const std::string& level : simd_levels()) {
        set_simd_level(level);
        ASSERT_TRUE(run(m, r, context.data(), grad_h) == want) << level;
        ASSERT_TRUE(run(m, r, nullptr, grad_h) == alone) << level;
      }
      for (const int threads : {1, 7}) {
        set_thread_count(threads);
        ASSERT_TRUE(run(m, r, context.data(), grad_h) == want) << threads;
      }
      const Out half = run(m, r, context.data(), grad_h, false);
      ASSERT_TRUE(same(half.grad_r, want.grad_r) && half.grad_context == Floats(n, -1));
      Floats over_r = r, over_context = context, g1 = grad_h, g2 = grad_h, other(n);
      ASSERT_EQ(two_point_forward(m, over_r.data(), context.data(), n, over_r.data()), want.active);
      two_point_forward(m, r.data(), over_context.data(), n, over_context.data());
      two_point_backward(m, r.data(), context.data(), g1.data(), n, g1.data(), other.data());
      ASSERT_TRUE(same(over_r, want.h) && same(over_context, want.h) && same(g1, want.grad_r) && same(other, want.grad_context));
      two_point_backward(m, r.data(), context.data(), g2.data(), n, other.data(), g2.data());
      ASSERT_TRUE(same(other, want.grad_r) && same(g2, want.grad_context));
    }
  });
}

TEST_F(TwoPointCells, PastTheCachesAsWithin) {  // long rows on whole cache lines are stored another way
  const std::size_t n = (std::size_t{4} << 20) + 5;
  const Floats r = noise(n, 1), context = noise(n, 2), grad_h = noise(n, 3);
  const auto memory = hwy::AllocateAligned<float>(3 * n + 64);
  float *h = memory.get(), *grad_r = h + (n / 16 + 1) * 16, *grad_context = grad_r + (n / 16 + 1) * 16;
  const std::uint64_t active = two_point_forward({}, r.data(), context.data(), n, h);
  two_point_backward({}, r.data(), context.data(), grad_h.data(), n, grad_r, grad_context);
  const Out want = run({}, r, (Floats(context)).data(), grad_h);
  set_simd_level("scalar");
  const Out plain_ = run({}, r, context.data(), grad_h);
  EXPECT_TRUE(want == plain_);
  EXPECT_EQ(active, want.active);
  EXPECT_TRUE(std::equal(h, h + n, want.h.begin()) && std::equal(grad_r, grad_r + n, want.grad_r.begin()) &&
              std::equal(grad_context, grad_context + n, want.grad_context.begin()));
}

TEST_F(TwoPointCells, NanIsFoundAndInfinityIsBounded) {
  each_form([&](const TwoPoint& m) {
    Floats r(40, 0.5f), context(40, 0.25f), h(40);
    r[3] = NAN, context[17] = NAN, r[39] = NAN, context[39] = NAN;
    for (const std::string& level : simd_levels()) {
      set_simd_level(level);
      EXPECT_EQ(two_point_forward(m, r.data(), context.data(), 40, h.data()), 40u);
      for (std::size_t i = 0; i < 40; ++i) ASSERT_EQ(std::isnan(h[i]), i == 3 || i == 17 || i == 39) << level << " " << i;
      EXPECT_EQ(two_point_forward(m, r.data(), nullptr, 40, h.data()), 40u);
      for (std::size_t i = 0; i < 40; ++i) ASSERT_EQ(std::isnan(h[i]), i == 3 || i == 39) << level << " " << i;
    }
    const Floats half(20, 0.5f), wide(20, inf);
    const double far = 1e30;
    h.resize(20);
    two_point_forward(m, half.data(), wide.data(), 20, h.data());
    const double want = plain::with_form(m, Forward64{m, 0.5, &far});
    EXPECT_NEAR(h[0], want, 1e-6);
    EXPECT_NEAR(h[19], want, 1e-6);
  });
  const float r = inf, context = 1;
  float h = 0;
  two_point_forward({}, &r, &context, 1, &h);
  EXPECT_EQ(h, 6);
}

TEST_F(TwoPointCells, TanhIsPreciseAndItsGradientToo) {
  Floats x;
  for (float a = 1e-30f; a < 100; a *= 1.0005f) x.push_back(a), x.push_back(-a);
  for (const float a : {0.0f, inf, -inf, NAN, 1e-40f}) x.push_back(a);
  const std::size_t n = x.size();
  Floats y(n), grad(n, 2), in_place = x;
  tanh_forward(x.data(), n, y.data());
  for (std::size_t i = 0; i < n; ++i) {
    const double want = std::tanh(double{x[i]});
    const double want_size = std::fabs(want);
    const float near = float(want_size);
    if (std::isnan(x[i])) {
      EXPECT_TRUE(std::isnan(y[i]));
    } else {
      ASSERT_LE(std::fabs(y[i] - want), std::max(2.0 * (near - std::nextafter(near, -1.0f)), std::min(1e-7, 4e-7 * want_size))) << x[i];
    }
  }
  tanh_forward(in_place.data(), n, in_place.data());
  EXPECT_TRUE(same(in_place, y));
  tanh_backward(y.data(), grad.data(), n, grad.data());
  for (std::size_t i = 0; i < n; ++i) {
    if (std::isnan(x[i])) continue;
    ASSERT_NEAR(grad[i], 2 * (1 - std::pow(std::tanh(double{x[i]}), 2)), 1e-6) << x[i];
  }
  for (const std::string& level : simd_levels())
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{31}, n}) {
      set_simd_level(level);
      Floats got(n, 7), got_grad(n, 2);
      tanh_forward(x.data(), size, got.data());
      tanh_backward(y.data(), got_grad.data(), size, got_grad.data());
      ASSERT_TRUE(same(Floats(got.begin(), got.begin() + long(size)), Floats(y.begin(), y.begin() + long(size)))) << level;
      ASSERT_TRUE(same(Floats(got_grad.begin(), got_grad.begin() + long(size)), Floats(grad.begin(), grad.begin() + long(size)))) << level;
      ASSERT_TRUE(size == n || (got[size] == 7 && got_grad[size] == 2)) << level;
    }
}

}  // namespace
}  // namespace apical::kernels
