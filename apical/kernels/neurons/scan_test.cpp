#include "apical/kernels/neurons/scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/lif_scalar.h"
#include "apical/kernels/neurons/testing_tape.h"
#include "apical/kernels/pool.h"
#include "apical/kernels/simd.h"
#include "apical/kernels/testing_noise.h"

namespace apical::kernels {
namespace {

const Reset kResets[] = {Reset::hard, Reset::soft, Reset::none};
const ResetAt kResetAts[] = {ResetAt::same_step, ResetAt::next_step, ResetAt::next_step_decayed};
#define APICAL_KIND(kind) SurrogateKind::kind,
const SurrogateKind kSurrogates[] = {APICAL_SURROGATES(APICAL_KIND)};
#undef APICAL_KIND

constexpr Noise noise{7};

std::string describe(const Lif& l) {
  return "reset " + std::to_string(int(l.reset)) + " at " + std::to_string(int(l.reset_at)) + " compare " + std::to_string(int(l.compare)) +
         " detach " + std::to_string(l.detach_reset) + std::to_string(l.detach_temporal) + " decay_input " + std::to_string(l.decay_input);
}

// Every member of the family, with a reset value and a threshold that are neither 0 nor 1.
std::vector<Lif> family() {
  std::vector<Lif> all;
  for (Reset reset : kResets)
    for (ResetAt at : kResetAts)
      for (Compare compare : {Compare::ge, Compare::gt})
        for (bool decay_input : {false, true}) {
          Lif l{.decay = 0.8f, .input_scale = 0.7f, .v_th = 0.6f, .v_reset = -0.1f, .reset = reset, .compare = compare, .reset_at = at};
          l.decay_input = decay_input;
          all.push_back(l);
        }
  return all;
}

struct Out {
  std::vector<float> v, s, h;
  std::vector<uint64_t> bits;
  bool operator==(const Out&) const = default;
};

Out forward(const Lif& lif, const std::vector<float>& decay, const std::vector<float>& x, size_t T, size_t N, const std::vector<float>& v0) {
  Out o{std::vector<float>(N, -1), std::vector<float>(T * N, -1), std::vector<float>(T * N, -1), std::vector<uint64_t>(T * words_per_row(N), ~0ull)};
  lif_forward(lif, decay.empty() ? nullptr : decay.data(), decay.size(), x.data(), T, N, v0.data(), o.v.data(), o.bits.data(), o.s.data(), o.h.data());
  return o;
}

struct Grad {
  std::vector<float> x, v0;
  std::vector<double> decay;
  bool operator==(const Grad&) const = default;
};

Grad backward(const Lif& lif, const Surrogate& sg, const std::vector<float>& decay, const std::vector<float>& x,
              const std::vector<float>& v0, const std::vector<float>& gs, const std::vector<float>& gv, size_t T, size_t N, bool of_decay = true) {
  Grad g{std::vector<float>(T * N, 99), std::vector<float>(N, 99), std::vector<double>(std::max<size_t>(decay.size(), 1), 0.0)};
  lif_backward(lif, sg, decay.empty() ? nullptr : decay.data(), decay.size(), x.data(), v0.data(), gs.data(), gv.data(), T, N, g.x.data(),
               g.v0.data(), of_decay ? g.decay.data() : nullptr);
  return g;
}

class AtEveryLevel : public testing::Test {
 protected:
  void TearDown() override {
    set_simd_level("");
    set_thread_count(2);
  }
};
using Scan = AtEveryLevel;

// The figures of lif.h by hand: decay 0.5, threshold 1, soft reset; the equality case h == v_th tells ge from gt.
TEST_F(Scan, FollowsTheEquationByHand) {
  for (const std::string& level : simd_levels()) {
    SCOPED_TRACE(level);
    set_simd_level(level);
    const std::vector<float> x(3 * 20, 0.5f);
    Lif lif{.decay = 1.0f, .v_th = 1.0f, .v_reset = 0.25f, .reset = Reset::soft};
    EXPECT_EQ(forward(lif, {}, x, 3, 20, std::vector<float>(20)).h, [] {
      std::vector<float> h(60, 0.5f);
      std::fill(h.begin() + 20, h.begin() + 40, 1.0f);
      return h;
    }());
    const auto last = [&] {
      const Out o = forward(lif, {}, x, 3, 20, std::vector<float>(20));
      for (size_t i = 0; i < 20; ++i)
        for (size_t t = 0; t < 3; ++t) {
          EXPECT_EQ(o.s[t * 20 + i], o.s[t * 20]);
          EXPECT_EQ((o.bits[t * 8] >> i) & 1, uint64_t(o.s[t * 20]));
        }
      return std::vector<float>{o.s[0], o.s[20], o.s[40], o.h[0], o.h[20], o.h[40], o.v[19]};
    };
    using F = std::vector<float>;
    EXPECT_EQ(last(), (F{0, 1, 0, 0.5f, 1.0f, 0.5f, 0.5f}));
    lif.compare = Compare::gt;  // 1 > 1 is false: fires a step later
    EXPECT_EQ(last(), (F{0, 0, 1, 0.5f, 1.0f, 1.5f, 0.5f}));
    lif.compare = Compare::ge;
    lif.reset = Reset::hard;
    EXPECT_EQ(last(), (F{0, 1, 0, 0.5f, 1.0f, 0.75f, 0.75f}));
    lif.reset = Reset::none;
    EXPECT_EQ(last(), (F{0, 1, 1, 0.5f, 1.0f, 1.5f, 1.5f}));
    lif.decay = 0.5f;
    lif.v_th = 0.75f;
    lif.reset = Reset::soft;
    EXPECT_EQ(last(), (F{0, 1, 0, 0.5f, 0.75f, 0.5f, 0.5f}));
    lif.reset_at = ResetAt::next_step;  // 0.5 * 0.75 - 0.75 + 0.5
    EXPECT_EQ(last(), (F{0, 1, 0, 0.5f, 0.75f, 0.125f, 0.125f}));
    lif.reset_at = ResetAt::next_step_decayed;  // 0.5 * (0.75 - 0.75) + 0.5
    EXPECT_EQ(last(), (F{0, 1, 0, 0.5f, 0.75f, 0.5f, 0.5f}));
    lif.reset = Reset::hard;  // 0.5 * 0.25 + 0.5
    EXPECT_EQ(last(), (F{0, 1, 0, 0.5f, 0.75f, 0.625f, 0.625f}));
    lif.reset_at = ResetAt::next_step;  // 0.25 + 0.5: fires again, its reset pending
    EXPECT_EQ(last(), (F{0, 1, 1, 0.5f, 0.75f, 0.75f, 0.75f}));
    lif.decay = 0.25f;
    lif.decay_input = true;  // 0.75 * 0.5, then 0.25 * 0.375 + 0.375, then 0.25 * 0.46875 + 0.375
    EXPECT_EQ(last(), (F{0, 0, 0, 0.375f, 0.46875f, 0.4921875f, 0.4921875f}));
  }
}

TEST_F(Scan, LevelsAgreeWithTheReferenceBitForBit) {
  size_t drawn = 0;  // so that every surrogate meets many forms
  for (const Lif& base : family())
    for (size_t N : {1, 7, 63, 64, 65, 511, 513, 1000, 1025})
      for (size_t T : {1, 2, 4, 33}) {
        if (T == 33 && N != 65 && N != 1025) continue;
        const auto x = noise(T * N, 1), v0 = noise(N, 2, 0.5f), gs = noise(T * N, 3), gv = noise(N, 4);
        std::vector<float> each = noise(N, 5, 0.2f);
        for (float& a : each) a = std::min(1.0f, std::fabs(a));
        for (const auto& decay : {std::vector<float>{}, std::vector<float>{0.9f}, each}) {
          Lif lif = base;
          lif.detach_reset = (N + T) % 2 == 0;
          lif.detach_temporal = T == 2;
          const Surrogate sg{kSurrogates[(N + T + drawn++) % std::size(kSurrogates)], 0.9f, 1.3f};
          SCOPED_TRACE(describe(lif) + " N " + std::to_string(N) + " T " + std::to_string(T));
          set_simd_level("scalar");
          const Out want = forward(lif, decay, x, T, N, v0);
          const Grad want_grad = backward(lif, sg, decay, x, v0, gs, gv, T, N);
          for (const std::string& level : simd_levels()) {
            set_simd_level(level);
            ASSERT_TRUE(forward(lif, decay, x, T, N, v0) == want) << level;
            ASSERT_TRUE(backward(lif, sg, decay, x, v0, gs, gv, T, N) == want_grad) << level;
            const Grad others = backward(lif, sg, decay, x, v0, gs, gv, T, N, false);
            ASSERT_TRUE(others.x == want_grad.x && others.v0 == want_grad.v0) << level;
          }
        }
      }
}

TEST_F(Scan, BitsAreTheFloatsAndTailsAreZero) {
  for (size_t N : {1, 63, 64, 65, 511, 513, 1000}) {
    const size_t T = 3;
    const Out o = forward(Lif{.v_th = 0.3f}, {}, noise(T * N, 1), T, N, std::vector<float>(N));
    std::vector<uint64_t> packed(o.bits.size(), 5);
    pack_bits(o.s.data(), T, N, packed.data());
    EXPECT_EQ(packed, o.bits) << N;
  }
}

TEST_F(Scan, AnyOutputMayBeLeftOutAndInputOverwritten) {
  const size_t T = 4, N = 700;
  const Lif lif{.decay = 0.7f, .v_th = 0.5f, .reset_at = ResetAt::next_step, .detach_reset = false};
  const Surrogate sg{SurrogateKind::atan, 1, 2};
  const auto x = noise(T * N, 1), gs = noise(T * N, 3);
  const std::vector<float> zero(N);
  const Out want = forward(lif, {}, x, T, N, zero);
  const Grad want_grad = backward(lif, sg, {}, x, zero, gs, zero, T, N);
  for (const std::string& level : simd_levels()) {
    set_simd_level(level);
    std::vector<float> s = x, h = x;
    lif_forward(lif, nullptr, 0, s.data(), T, N, nullptr, nullptr, nullptr, s.data(), nullptr);
    EXPECT_EQ(s, want.s) << level;
    lif_forward(lif, nullptr, 0, h.data(), T, N, nullptr, nullptr, nullptr, nullptr, h.data());
    EXPECT_EQ(h, want.h) << level;
    std::vector<float> g = gs;
    lif_backward(lif, sg, nullptr, 0, x.data(), nullptr, g.data(), nullptr, T, N, g.data(), nullptr, nullptr);
    EXPECT_EQ(g, want_grad.x) << level;
  }
}

// Backward reads a step's input last where it writes its gradient, over all segments, the decay's slope included.
TEST_F(Scan, GradientMayOverwriteTheInput) {
  const size_t T = 70, N = 1500;
  const Lif lif{.input_scale = 0.7f, .v_th = 0.5f, .reset_at = ResetAt::next_step, .detach_reset = false, .decay_input = true};
  const Surrogate sg{SurrogateKind::atan, 1, 2};
  const auto x = noise(T * N, 1), gs = noise(T * N, 3);
  const std::vector<float> zero(N), decay{0.8f};
  set_simd_level("scalar");
  const Grad want = backward(lif, sg, decay, x, zero, gs, zero, T, N);
  for (const std::string& level : simd_levels()) {
    set_simd_level(level);
    std::vector<float> g = x;
    double slope = 0;
    lif_backward(lif, sg, decay.data(), 1, g.data(), nullptr, gs.data(), nullptr, T, N, g.data(), nullptr, &slope);
    EXPECT_EQ(g, want.x) << level;
    EXPECT_EQ(slope, want.decay[0]) << level;
  }
}

// A constant input read once is the same as its T copies: same spikes and membranes, and the gradient is the sum over the steps.
TEST_F(Scan, ConstantInputIsItsCopies) {
  const size_t N = 1500, sizes[] = {1, 4, 40};
  for (const std::string& level : simd_levels())
    for (const size_t T : sizes) {
      SCOPED_TRACE(level + " T " + std::to_string(T));
      set_simd_level(level);
      Lif lif{.decay = 0.8f, .v_th = 0.6f, .reset = Reset::soft};
      lif.decay_input = true;
      const Surrogate sg{SurrogateKind::triangle};
      const auto one = noise(N, 1), v0 = noise(N, 2), gs = noise(T * N, 3), gv = noise(N, 4);
      const std::vector<float> decay{0.7f};
      std::vector<float> copies;
      for (size_t t = 0; t < T; ++t) copies.insert(copies.end(), one.begin(), one.end());

      const Out whole = forward(lif, decay, copies, T, N, v0);
      Out o = whole;
      std::fill(o.s.begin(), o.s.end(), -1.0f);
      o.v = v0;
      lif_forward(lif, decay.data(), 1, one.data(), T, N, o.v.data(), o.v.data(), o.bits.data(), o.s.data(), o.h.data(), true);
      EXPECT_EQ(o, whole);

      const Grad all = backward(lif, sg, decay, copies, v0, gs, gv, T, N);
      Grad g{std::vector<float>(N, 99), std::vector<float>(N, 99), {0.0}};
      lif_backward(lif, sg, decay.data(), 1, one.data(), v0.data(), gs.data(), gv.data(), T, N, g.x.data(), g.v0.data(), g.decay.data(), true);
      EXPECT_EQ(g.v0, all.v0);
      EXPECT_EQ(g.decay, all.decay);
      for (size_t n = 0; n < N; ++n) {
        float sum = 0;
        for (size_t t = T; t-- > 0;) sum += all.x[t * N + n];
        EXPECT_EQ(g.x[n], sum) << n;
      }
    }
}

// Gradients of averages give what their shares, stored, would give. Images of several tiles, windows that leave pixels over, rows of
// pixels that begin within a tile.
TEST_F(Scan, GradientsOfAveragesAreThoseOfTheirShares) {
  for (const Pool2d& pool : {Pool2d{16, 14, 14}, Pool2d{3, 7, 9}, Pool2d{1, 40, 41, 3, 3, 3, 3}, Pool2d{65, 5, 5}}) {
    const size_t T = 3, batch = 2, N = batch * pool.channels * pool.height * pool.width;
    const Lif lif{.decay = 0.8f, .v_th = 0.6f, .reset = Reset::soft, .detach_reset = false};
    const Surrogate sg{SurrogateKind::atan};
    const auto x = noise(T * N, 1), v0 = noise(N, 2), averages = noise(T * batch * pool.outputs(), 3), gv = noise(N, 4);
    std::vector<float> gs(T * N);
    average_pool_backward(pool, T * batch, averages.data(), gs.data());
    set_simd_level("scalar");
    const Grad want = backward(lif, sg, {0.7f}, x, v0, gs, gv, T, N);
    for (const std::string& level : simd_levels()) {
      set_simd_level(level);
      Grad g{std::vector<float>(T * N, 99), std::vector<float>(N, 99), {0.0}};
      const float decay = 0.7f;
      lif_backward(lif, sg, &decay, 1, x.data(), v0.data(), averages.data(), gv.data(), T, N, g.x.data(), g.v0.data(), g.decay.data(), false, &pool);
      EXPECT_TRUE(g == want) << level << ", " << pool.channels << " channels";
    }
  }
}

// Large results go past the caches, unless they are not aligned.
TEST_F(Scan, LargeResultsAreTheSame) {
  const size_t T = 2, N = size_t{2} << 20;
  const Lif lif{.decay = 0.8f, .v_th = 0.6f, .reset = Reset::soft};
  const auto x = noise(T * N, 1), gs = noise(T * N, 3), zero = std::vector<float>(N);
  set_simd_level("scalar");
  const Grad want = backward(lif, {}, {}, x, zero, gs, zero, T, N);
  const Out spikes = forward(lif, {}, x, T, N, zero);
  std::vector<float> s(T * N + 17), g(T * N + 17);
  for (const std::string& level : simd_levels()) {
    set_simd_level(level);
    for (const size_t offset : {0, 1}) {
      float* aligned = s.data() + (64 - reinterpret_cast<uintptr_t>(s.data()) % 64) % 64 / 4 + offset;
      lif_forward(lif, nullptr, 0, x.data(), T, N, nullptr, nullptr, nullptr, aligned, nullptr);
      EXPECT_TRUE(std::equal(spikes.s.begin(), spikes.s.end(), aligned)) << level;
      aligned = g.data() + (64 - reinterpret_cast<uintptr_t>(g.data()) % 64) % 64 / 4 + offset;
      lif_backward(lif, {}, nullptr, 0, x.data(), nullptr, gs.data(), nullptr, T, N, aligned, nullptr, nullptr);
      EXPECT_TRUE(std::equal(want.x.begin(), want.x.end(), aligned)) << level;
    }
  }
}

TEST_F(Scan, PiecesGiveTheSameAsTheWhole) {
  const size_t T = 9, N = 77, cut = 4;
  for (const Lif& lif : family()) {
    const auto x = noise(T * N, 1);
    const Out whole = forward(lif, {}, x, T, N, std::vector<float>(N));
    const Out a = forward(lif, {}, {x.begin(), x.begin() + cut * N}, cut, N, std::vector<float>(N));
    const Out b = forward(lif, {}, {x.begin() + cut * N, x.end()}, T - cut, N, a.v);
    EXPECT_EQ(b.v, whole.v) << describe(lif);
    EXPECT_EQ(b.h, std::vector<float>(whole.h.begin() + cut * N, whole.h.end())) << describe(lif);
  }
}

TEST_F(Scan, ThreadCountDoesNotMatter) {
  const size_t T = 70, N = 9000;
  Lif lif{.decay = 0.9f, .v_th = 0.5f, .detach_reset = false};
  const auto x = noise(T * N, 1), v0 = noise(N, 2), gs = noise(T * N, 3), gv = noise(N, 4);
  set_thread_count(1);
  const Out want = forward(lif, {}, x, T, N, v0);
  const Grad want_grad = backward(lif, {}, {}, x, v0, gs, gv, T, N);
  for (int threads : {2, 7}) {
    set_thread_count(threads);
    EXPECT_TRUE(forward(lif, {}, x, T, N, v0) == want) << threads;
    EXPECT_TRUE(backward(lif, {}, {}, x, v0, gs, gv, T, N) == want_grad) << threads;
  }
}

TEST_F(Scan, NothingToDoIsNoHarm) {
  lif_forward({}, nullptr, 0, nullptr, 4, 0, nullptr, nullptr, nullptr, nullptr, nullptr);
  lif_backward({}, {}, nullptr, 0, nullptr, nullptr, nullptr, nullptr, 4, 0, nullptr, nullptr, nullptr);
  std::vector<float> v{1.5f}, g{0.25f};
  double decay = 3;
  lif_forward({}, nullptr, 0, nullptr, 0, 1, v.data(), v.data(), nullptr, nullptr, nullptr);
  EXPECT_EQ(v[0], 1.5f);
  for (const std::string& level : simd_levels()) {
    set_simd_level(level);
    float g0 = 0;
    lif_backward({}, {}, nullptr, 0, nullptr, nullptr, nullptr, g.data(), 0, 1, nullptr, &g0, &decay);
    EXPECT_EQ(g0, 0.25f) << level;
    EXPECT_EQ(decay, 3) << level;
  }
}

// --- gradients against a small float64 autograd, which knows nothing of the kernels ------------------------------------------

// One neuron; spikes are those of the forward scan, so that float32 and float64 walk the same path.
struct Reference {
  std::vector<double> x;
  double v0, decay;
};
Reference reference(const Lif& l, const Surrogate& sg, float decay, const std::vector<float>& x, float v0, bool fired0,
                    const std::vector<bool>& fired, const std::vector<float>& gs, float gv) {
  Tape t;
  const int a = t.leaf(decay), one = t.leaf(1), th = t.leaf(l.v_th), vr = t.leaf(l.v_reset), start = t.leaf(v0);
  const int scale = l.decay_input ? t.sub(one, a) : t.leaf(l.input_scale);
  const auto reset = [&](int v, int s) {
    if (l.detach_reset) s = t.detach(s);
    if (l.reset == Reset::hard) return t.add(t.mul(t.sub(one, s), v), t.mul(s, vr));
    if (l.reset == Reset::soft) return t.sub(v, t.mul(th, s));
    return v;
  };
  std::vector<int> xs, spikes;
  int v = start, s = t.spike(start, fired0, slope(sg, double(v0) - l.v_th));
  for (size_t i = 0; i < x.size(); ++i) {
    xs.push_back(t.leaf(x[i]));
    if (l.detach_temporal) {
      v = t.detach(v);
      s = t.detach(s);
    }
    int left = 0;
    if (l.reset_at == ResetAt::same_step) left = t.mul(a, v);
    if (l.reset_at == ResetAt::next_step) left = reset(t.mul(a, v), s);
    if (l.reset_at == ResetAt::next_step_decayed) left = t.mul(a, reset(v, s));
    const int h = t.add(left, t.mul(scale, xs.back()));
    s = t.spike(h, fired[i], slope(sg, t.at(h) - l.v_th));
    spikes.push_back(s);
    v = l.reset_at == ResetAt::same_step ? reset(h, s) : h;
  }
  std::vector<std::pair<int, double>> seeds{{v, gv}};
  for (size_t i = 0; i < x.size(); ++i) seeds.emplace_back(spikes[i], gs[i]);
  const auto g = t.gradients(seeds);
  Reference r{{}, g[size_t(start)], g[size_t(a)]};
  for (int i : xs) r.x.push_back(g[size_t(i)]);
  return r;
}

void check_gradients(const Lif& lif, const Surrogate& sg, size_t T, size_t N, bool each) {
  SCOPED_TRACE(describe(lif) + " surrogate " + std::to_string(int(sg.kind)) + " T " + std::to_string(T));
  const auto x = noise(T * N, 11), v0 = noise(N, 12, 0.7f), gs = noise(T * N, 13), gv = noise(N, 14);
  std::vector<float> decay;
  for (size_t i = 0; each && i < N; ++i) decay.push_back(0.3f + 0.6f * float(i) / float(N));
  const Out o = forward(lif, decay, x, T, N, v0);
  const Grad g = backward(lif, sg, decay, x, v0, gs, gv, T, N);
  double shared = 0, shared_size = 0;
  for (size_t i = 0; i < N; ++i) {
    std::vector<float> xi, gi;
    std::vector<bool> fired;
    for (size_t t = 0; t < T; ++t) {
      xi.push_back(x[t * N + i]);
      gi.push_back(gs[t * N + i]);
      fired.push_back(o.s[t * N + i] != 0);
    }
    const bool fired0 = lif.compare == Compare::ge ? v0[i] >= lif.v_th : v0[i] > lif.v_th;
    const Reference r = reference(lif, sg, each ? decay[i] : lif.decay, xi, v0[i], fired0, fired, gi, gv[i]);
    for (size_t t = 0; t < T; ++t) ASSERT_NEAR(g.x[t * N + i], r.x[t], 3e-5 * (1 + std::fabs(r.x[t]))) << i << " " << t;
    ASSERT_NEAR(g.v0[i], r.v0, 3e-5 * (1 + std::fabs(r.v0))) << i;
    if (each) {
      ASSERT_NEAR(g.decay[i], r.decay, 3e-5 * (3 + std::fabs(r.decay))) << i;
    }
    shared += r.decay;
    shared_size += std::fabs(r.decay);
  }
  if (!each) {
    ASSERT_NEAR(g.decay[0], shared, 1e-5 * shared_size);
  }
}

TEST_F(Scan, GradientsFollowFloat64Autograd) {
  for (Lif lif : family()) {
    if (lif.compare == Compare::gt) continue;
    for (const SurrogateKind kind : kSurrogates)
      for (int detach = 0; detach < 4; ++detach) {
        lif.detach_reset = detach & 1;
        lif.detach_temporal = detach & 2;
        check_gradients(lif, {kind, 0.7f, 1.7f}, 6, 37, detach % 2 == int(kind) % 2);
      }
    lif.detach_reset = lif.detach_temporal = false;
    lif.compare = Compare::gt;
    check_gradients(lif, {SurrogateKind::atan, 0.3f, 1.0f}, 67, 19, true);  // three segments
  }
}

TEST(Surrogates, FloatFollowsFloat64AndVanishesFarAway) {
  for (const SurrogateKind kind : kSurrogates) {
    const Surrogate s{kind, 0.7f, 1.7f};
    for (int i = -100000; i <= 100000; ++i) {
      const float u = float(i) * 1e-4f;
      ASSERT_NEAR(plain::surrogate(s, u), slope(s, u), 3e-7 * s.height) << int(kind) << " " << u;
    }
    for (const float u : {1e4f, 1e30f, std::numeric_limits<float>::infinity()}) {
      ASSERT_NEAR(plain::surrogate(s, u), 0, 1e-7) << int(kind) << " " << u;
      ASSERT_EQ(plain::surrogate(s, u), plain::surrogate(s, -u)) << int(kind) << " " << u;
    }
  }
}

// Without spikes the scan is smooth and linear: the decay gradient against central differences.
TEST_F(Scan, DecayGradientIsTheSlopeOfTheFinalState) {
  const size_t T = 40, N = 50;
  const auto x = noise(T * N, 21), v0 = noise(N, 22);
  const std::vector<float> one(N, 1.0f), none(T * N);
  for (bool decay_input : {false, true}) {
    Lif lif{.v_th = 1e6f, .reset = Reset::hard, .compare = Compare::gt};
    lif.decay_input = decay_input;
    const auto total = [&](double decay) {
      double sum = 0;
      for (size_t i = 0; i < N; ++i) {
        double v = v0[i];
        for (size_t t = 0; t < T; ++t) v = decay * v + (decay_input ? 1 - decay : 1.0) * x[t * N + i];
        sum += v;
      }
      return sum;
    };
    lif.decay = 0.875f;
    const Grad g = backward(lif, {SurrogateKind::rectangle}, {}, x, v0, none, one, T, N);
    const double want = (total(0.875 + 1e-6) - total(0.875 - 1e-6)) / 2e-6;
    EXPECT_NEAR(g.decay[0], want, 1e-4 * (1 + std::fabs(want)));
  }
}

TEST(Simd, LevelsAreNamedAndUnknownOnesRefused) {
  const auto levels = simd_levels();
  ASSERT_GE(levels.size(), 2u);
  EXPECT_EQ(levels.front(), "scalar");
  for (const auto& l : levels) {
    set_simd_level(l);
    EXPECT_EQ(simd_level(), l);
    EXPECT_EQ(scalar_level(), l == "scalar");
  }
  set_simd_level("best");
  EXPECT_EQ(simd_level(), levels.back());
  try {
    set_simd_level("avx1024");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_NE(std::string(e.what()).find("avx1024"), std::string::npos);
    EXPECT_NE(e.hint().find(levels.back()), std::string::npos);
  }
}

// The variable is read once, so each case is a process of its own.
int level_of_child(const char* variable) {
  setenv("APICAL_SIMD", variable, 1);
  try {
    return simd_level() == variable ? 0 : 1;
  } catch (const Error& e) {
    const bool lists = e.hint().find("scalar") != std::string::npos && e.where() == "APICAL_SIMD";
    return e.code() == ExitCode::usage && lists ? 2 : 3;
  }
}

TEST(SimdDeathTest, VariableChoosesTheLevel) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(std::exit(level_of_child("scalar")), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(std::exit(level_of_child("mmx")), testing::ExitedWithCode(2), "");
}

}  // namespace
}  // namespace apical::kernels
