#include "apical/kernels/neurons/sliding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/testing_tape.h"
#include "apical/kernels/simd.h"
#include "apical/kernels/testing_noise.h"

namespace apical::kernels {
namespace {

using Floats = std::vector<float>;

constexpr Noise noise{13};

struct Out {
  Floats s, h, past;
  std::vector<uint64_t> bits;
  bool operator==(const Out&) const = default;
};
Out forward(const Floats& w, const Floats& x, const Floats& past, size_t T, size_t N) {
  Out o{Floats(T * N, -1), Floats(T * N, -1), Floats((w.size() - 1) * N, -1), std::vector<uint64_t>(T * words_per_row(N), ~0ull)};
  sliding_forward({w.data(), w.size(), 0.6f}, x.data(), T, N, past.empty() ? nullptr : past.data(), o.past.data(), o.bits.data(), o.s.data(),
                  o.h.data());
  return o;
}

struct Grad {
  Floats x;
  std::vector<double> weights;
  double v_th = 0;
  bool operator==(const Grad&) const = default;
};
Grad backward(const Floats& w, const Surrogate& sg, const Floats& x, const Floats& past, const Floats& gs, size_t T, size_t N) {
  Grad g{Floats(T * N, 99), std::vector<double>(w.size())};
  sliding_backward({w.data(), w.size(), 0.6f}, sg, x.data(), T, N, past.empty() ? nullptr : past.data(), gs.data(), g.x.data(), g.weights.data(),
                   &g.v_th);
  return g;
}

class Sliding : public testing::Test {
 protected:
  void TearDown() override {
    set_simd_level("");
    set_thread_count(2);
  }
};

TEST_F(Sliding, ByHand) {  // newest input first: 1 x[t] + 2 x[t-1] + 4 x[t-2]; the past is x[-2], x[-1]
  const Out o = forward({1, 2, 4}, {0.25f, 0, -1, 0.5f}, {0.125f, -0.25f}, 4, 1);
  EXPECT_EQ(o.h, (Floats{0.25f, -0.5f, 0.0f, -1.5f}));
  EXPECT_EQ(o.past, (Floats{-1, 0.5f}));
  EXPECT_EQ(forward({1, 2, 4}, {0.25f, 0.25f}, {}, 2, 1).s, (Floats{0, 1}));
}

TEST_F(Sliding, LevelsThreadsAndPiecesAgreeBitForBit) {
  size_t drawn = 0;
  for (size_t K : {1, 2, 5, 33})
    for (size_t N : {1, 7, 65, 1000, 2049})
      for (size_t T : {1, 3, 40}) {
        const Floats w = noise(K, 1, 0.5f), x = noise(T * N, 2), past = ++drawn % 2 ? noise((K - 1) * N, 3) : Floats{}, gs = noise(T * N, 4);
        const Surrogate sg{static_cast<SurrogateKind>(drawn % std::size(surrogate_names)), 0.9f, 1.3f};
        SCOPED_TRACE("K " + std::to_string(K) + " N " + std::to_string(N) + " T " + std::to_string(T));
        set_simd_level("scalar");
        const Out want = forward(w, x, past, T, N);
        const Grad want_grad = backward(w, sg, x, past, gs, T, N);
        std::vector<uint64_t> packed(want.bits.size());
        pack_bits(want.s.data(), T, N, packed.data());
        ASSERT_EQ(packed, want.bits);
        for (const std::string& level : simd_levels()) {
          set_simd_level(level);
          ASSERT_TRUE(forward(w, x, past, T, N) == want) << level;
          ASSERT_TRUE(backward(w, sg, x, past, gs, T, N) == want_grad) << level;
        }
        for (int threads : {1, 7}) {
          set_thread_count(threads);
          ASSERT_TRUE(backward(w, sg, x, past, gs, T, N) == want_grad) << threads;
        }
        if (T < 3 || K == 1) continue;
        const Out first = forward(w, {x.begin(), x.begin() + 2 * N}, past.empty() ? Floats((K - 1) * N) : past, 2, N);
        const Out second = forward(w, {x.begin() + 2 * N, x.end()}, first.past, T - 2, N);
        ASSERT_EQ(second.h, Floats(want.h.begin() + 2 * N, want.h.end()));
        ASSERT_EQ(second.past, past.empty() ? forward(w, x, Floats((K - 1) * N), T, N).past : want.past);
      }
}

TEST_F(Sliding, SpikesFollowFloat64OnAMillionSteps) {
  const size_t T = 50, N = 20000, K = 8;
  const Floats w = noise(K, 1, 0.4f), x = noise(T * N, 2);
  const Out o = forward(w, x, {}, T, N);
  size_t excused = 0, fired = 0;
  for (size_t n = 0; n < N; ++n)
    for (size_t t = 0; t < T; ++t) {
      double h = 0;
      for (size_t k = 0; k < K && k <= t; ++k) h += double{w[k]} * x[(t - k) * N + n];
      const bool s = h >= double{0.6f};
      fired += s;
      if (s == (o.s[t * N + n] != 0)) continue;
      ASSERT_LT(std::fabs(h - double{0.6f}), 1e-5 * 0.6) << n << " " << t;
      ++excused;
    }
  EXPECT_LE(excused, N / 10000);
  EXPECT_GT(fired, T * N / 50);
}

TEST_F(Sliding, GradientsFollowFloat64Autograd) {
  const size_t T = 37, N = 21, K = 4;
  const Floats w = noise(K, 1), x = noise(T * N, 2), past = noise((K - 1) * N, 3), gs = noise(T * N, 4);
  for (size_t kind = 0; kind < std::size(surrogate_names); ++kind) {
    const Surrogate sg{static_cast<SurrogateKind>(kind), 0.4f, 1.4f};
    const Out o = forward(w, x, past, T, N);
    const Grad g = backward(w, sg, x, past, gs, T, N);
    std::vector<double> weights(K);
    double v_th = 0;
    for (size_t n = 0; n < N; ++n) {
      Tape t;
      std::vector<int> ws, xs;
      std::vector<std::pair<int, double>> seeds;
      for (float a : w) ws.push_back(t.leaf(a));
      const int th = t.leaf(0.6f);
      for (size_t i = 0; i + 1 < K; ++i) xs.push_back(t.leaf(past[i * N + n]));
      for (size_t i = 0; i < T; ++i) {
        xs.push_back(t.leaf(x[i * N + n]));
        int u = t.sub(t.mul(ws[0], xs.back()), th);
        for (size_t k = 1; k < K; ++k) u = t.add(u, t.mul(ws[k], xs[xs.size() - 1 - k]));
        seeds.emplace_back(t.spike(u, o.s[i * N + n] != 0, slope(sg, t.at(u))), gs[i * N + n]);
      }
      const auto want = t.gradients(seeds);
      for (size_t i = 0; i < T; ++i) ASSERT_NEAR(g.x[i * N + n], want[size_t(xs[K - 1 + i])], 3e-5) << kind << " " << n << " " << i;
      for (size_t k = 0; k < K; ++k) weights[k] += want[size_t(ws[k])];
      v_th += want[size_t(th)];
    }
    for (size_t k = 0; k < K; ++k) EXPECT_NEAR(g.weights[k], weights[k], 1e-3) << kind << " " << k;
    EXPECT_NEAR(g.v_th, v_th, 1e-3) << kind;
  }
}

TEST_F(Sliding, NothingToDoAndNan) {
  const Floats w{1, 1};
  const float inf = std::numeric_limits<float>::infinity();
  for (const std::string& level : simd_levels()) {
    set_simd_level(level);
    sliding_forward({w.data(), 2}, nullptr, 4, 0, nullptr, nullptr, nullptr, nullptr, nullptr);
    sliding_backward({w.data(), 2}, {}, nullptr, 4, 0, nullptr, nullptr, nullptr, nullptr, nullptr);
    Floats x(3 * 20, 1.0f);
    x[5] = NAN, x[6] = inf, x[7] = -inf;
    const Out o = forward(w, x, {}, 3, 20);
    EXPECT_TRUE(std::isnan(o.h[5]) && std::isnan(o.h[25])) << level;
    EXPECT_EQ((Floats{o.s[5], o.s[25], o.s[45], o.s[6], o.s[26], o.s[7], o.s[27], o.s[47], o.s[4]}), (Floats{0, 0, 1, 1, 1, 0, 0, 1, 1})) << level;
  }
}

}  // namespace
}  // namespace apical::kernels
