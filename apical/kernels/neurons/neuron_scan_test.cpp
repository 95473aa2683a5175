#include "apical/kernels/neurons/neuron_scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/neuron_scalar.h"
#include "apical/kernels/neurons/scan.h"
#include "apical/kernels/neurons/testing_models.h"
#include "apical/kernels/neurons/testing_tape.h"
#include "apical/kernels/simd.h"
#include "apical/kernels/testing_noise.h"

namespace apical::kernels {
namespace {

using Floats = std::vector<float>;

constexpr Noise noise{11};

struct Out {
  Floats state, s, h;
  std::vector<uint64_t> bits;
  std::vector<uint8_t> counts;
  bool operator==(const Out& o) const { return same(state, o.state) && s == o.s && same(h, o.h) && bits == o.bits && counts == o.counts; }
};

struct Grad {
  Floats x, state;
  std::vector<double> params;
  bool operator==(const Grad&) const = default;
};

const float* or_null(const Floats& v) { return v.empty() ? nullptr : v.data(); }

template <class Model>
Out forward(const Model& m, const Floats& params, const Floats& x, const Floats& state0, size_t T, size_t N) {
  Out o{Floats(Model::kStates * N, -1), Floats(T * N, -1), Floats(T * N, -1), std::vector<uint64_t>(T * words_per_row(N), ~0ull),
        std::vector<uint8_t>(T * N, 255)};
  neuron_forward(m, {x.data(), T, N, or_null(params), or_null(state0), o.state.data(), o.bits.data(), o.counts.data(), o.s.data(), o.h.data()});
  return o;
}

template <class Model>
Grad backward(const Model& m, const Surrogate& sg, const Floats& params, const Floats& x, const Floats& state0, const Floats& gs,
              const Floats& g_last, size_t T, size_t N) {
  Grad g{Floats(T * N, 99), Floats(Model::kStates * N, 99), std::vector<double>(Model::kParams * (params.empty() ? 1 : N))};
  neuron_backward(m, sg, {x.data(), T, N, or_null(params), or_null(state0), gs.data(), or_null(g_last), g.x.data(), g.state.data(), g.params.data()});
  return g;
}

// --- the models under test -----------------------------------------------------------------------------------------------------

template <class Model>
Floats start(size_t N, uint64_t stream) {
  Floats s = noise(Model::kStates * N, stream, 0.5f);
  make_start<Model>(s, N);
  return s;
}

Floats own_params(size_t P, size_t N) {
  Floats p = noise(P * N, 5, 0.2f);
  for (float& a : p) a = std::min(1.0f, 0.3f + std::fabs(a));
  return p;
}

template <class Model>
class NeuronScan : public testing::Test {
 protected:
  void TearDown() override {
    set_simd_level("");
    set_thread_count(2);
  }
};
using Models = testing::Types<Cuba, Alif, RefractoryLif, MultiLif>;
TYPED_TEST_SUITE(NeuronScan, Models);

TYPED_TEST(NeuronScan, LevelsAgreeWithTheReferenceBitForBit) {
  size_t drawn = 0;  // so that every surrogate meets many forms
  for (TypeParam m : members<TypeParam>())
    for (size_t N : {1, 7, 63, 65, 513, 1000, 1025})
      for (size_t T : {1, 3, 67}) {
        if (T == 67 && N != 65 && N != 1025) continue;
        const auto x = noise(T * N, 1), s0 = start<TypeParam>(N, 2), gs = noise(T * N, 3), gl = noise(TypeParam::kStates * N, 4);
        for (const Floats& params : {Floats{}, own_params(TypeParam::kParams, N)}) {
          ++drawn;
          set_detach(m, drawn % 2, drawn % 5 == 0);
          const Surrogate sg{static_cast<SurrogateKind>(drawn % std::size(surrogate_names)), 0.9f, 1.3f};
          SCOPED_TRACE("case " + std::to_string(drawn) + " N " + std::to_string(N) + " T " + std::to_string(T));
          set_simd_level("scalar");
          const Out want = forward(m, params, x, s0, T, N);
          const Grad want_grad = backward(m, sg, params, x, s0, gs, gl, T, N);
          for (const std::string& level : simd_levels()) {
            set_simd_level(level);
            ASSERT_TRUE(forward(m, params, x, s0, T, N) == want) << level;
            ASSERT_TRUE(backward(m, sg, params, x, s0, gs, gl, T, N) == want_grad) << level;
          }
        }
      }
}

TYPED_TEST(NeuronScan, PiecesThreadsAndMissingOutputsChangeNothing) {
  const size_t T = 40, N = 5003, cut = 13;
  const TypeParam m = members<TypeParam>()[1];
  const auto x = noise(T * N, 1), s0 = start<TypeParam>(N, 2), gs = noise(T * N, 3), gl = noise(TypeParam::kStates * N, 4);
  set_thread_count(1);
  const Out want = forward(m, {}, x, s0, T, N);
  const Grad want_grad = backward(m, {}, {}, x, s0, gs, gl, T, N);
  for (int threads : {2, 7}) {
    set_thread_count(threads);
    EXPECT_TRUE(forward(m, {}, x, s0, T, N) == want) << threads;
    EXPECT_TRUE(backward(m, {}, {}, x, s0, gs, gl, T, N) == want_grad) << threads;
  }
  Floats state = s0;  // in place, in two pieces
  neuron_forward(m, {.x = x.data(), .T = cut, .N = N, .state0 = state.data(), .state = state.data()});
  const Out rest = forward(m, {}, {x.begin() + cut * N, x.end()}, state, T - cut, N);
  EXPECT_EQ(rest.state, want.state);
  EXPECT_EQ(rest.h, Floats(want.h.begin() + cut * N, want.h.end()));
  std::vector<uint64_t> packed(want.bits.size());
  pack_bits(want.s.data(), T, N, packed.data());
  EXPECT_EQ(packed, want.bits);
  for (size_t i = 0; i < T * N; ++i) ASSERT_EQ(float(want.counts[i]), want.s[i]);
  for (const std::string& level : simd_levels()) {  // outputs over inputs; no start means 0
    set_simd_level(level);
    const Floats zero(TypeParam::kStates * N);
    Floats s = x, g = gs;
    neuron_forward(m, {.x = s.data(), .T = T, .N = N, .spikes_f = s.data()});
    EXPECT_EQ(s, forward(m, {}, x, zero, T, N).s) << level;
    neuron_backward(m, {}, {.x = x.data(), .T = T, .N = N, .grad_s = g.data(), .grad_x = g.data()});
    EXPECT_EQ(g, backward(m, {}, {}, x, zero, gs, zero, T, N).x) << level;
  }
}

TYPED_TEST(NeuronScan, NothingToDoIsNoHarm) {
  const TypeParam m = members<TypeParam>()[0];
  for (const std::string& level : simd_levels()) {
    set_simd_level(level);
    neuron_forward(m, {.x = nullptr, .T = 4, .N = 0});
    neuron_backward(m, {}, {.x = nullptr, .T = 4, .N = 0, .grad_s = nullptr});
    Floats state(TypeParam::kStates * 17, 1.5f), g(TypeParam::kStates * 17);
    std::vector<double> params(TypeParam::kParams, 3.0);
    neuron_forward(m, {.x = nullptr, .T = 0, .N = 17, .state0 = state.data(), .state = g.data()});
    EXPECT_EQ(g, state) << level;
    std::fill(g.begin(), g.end(), 0.0f);
    neuron_backward(m, {}, {.x = nullptr, .T = 0, .N = 17, .grad_s = nullptr, .grad_state_last = state.data(), .grad_state0 = g.data(),
                            .grad_params = params.data()});
    EXPECT_EQ(g, state) << level;
    EXPECT_EQ(params, std::vector<double>(TypeParam::kParams, 3.0)) << level;
  }
}

// What models.h says of NaN and infinity, with neighbours untouched.
TYPED_TEST(NeuronScan, NanAndInfinityStayWithTheirNeuron) {
  const float inf = std::numeric_limits<float>::infinity();
  const size_t T = 5, N = 40;
  for (const TypeParam& m : members<TypeParam>()) {
    const Floats clean(T * N, 0.9f), s0(TypeParam::kStates * N);
    Floats x = clean;
    x[3] = NAN, x[17] = inf, x[38] = -inf;
    const Out plain = forward(m, {}, clean, s0, T, N);
    set_simd_level("scalar");
    const Out want = forward(m, {}, x, s0, T, N);
    for (const std::string& level : simd_levels()) {
      set_simd_level(level);
      const Out o = forward(m, {}, x, s0, T, N);
      ASSERT_TRUE(o == want) << level;
      for (size_t t = 0; t < T; ++t) {
        EXPECT_EQ(o.s[t * N + 3], 0) << level;
        EXPECT_TRUE(std::isnan(o.h[t * N + 3])) << level;
        EXPECT_EQ(o.s[t * N + 38], 0) << level;
        EXPECT_EQ(o.s[t * N + 4], plain.s[t * N + 4]) << level;
        EXPECT_EQ(o.h[t * N + 37], plain.h[t * N + 37]) << level;
      }
      EXPECT_GE(o.s[17], 1) << level;
    }
  }
}

// --- spikes against float64 equations that know nothing of the kernels -----------------------------------------------------------

bool fires(const Lif& l, double h, double th) { return l.compare == Compare::ge ? h >= th : h > th; }
double after(const Lif& l, double h, bool s, double by) {
  if (!s || l.reset == Reset::none) return h;
  return l.reset == Reset::hard ? double{l.v_reset} : h - by;
}
double scale(const Lif& l) { return l.decay_input ? 1.0 - double{l.decay} : double{l.input_scale}; }
// The charge of lif.h with the spike z of the step before.
double charged(const Lif& l, double v, bool z, double x) {
  if (l.reset == Reset::none || l.reset_at == ResetAt::same_step) return l.decay * v + scale(l) * x;
  if (l.reset_at == ResetAt::next_step_decayed) return l.decay * after(l, v, z, l.v_th) + scale(l) * x;
  return (z && l.reset == Reset::hard ? double{l.v_reset} : l.decay * v - (z && l.reset == Reset::soft ? double{l.v_th} : 0.0)) + scale(l) * x;
}
double left(const Lif& l, double h, bool s) { return l.reset_at == ResetAt::same_step ? after(l, h, s, l.v_th) : h; }

// One neuron: counts, and the least distance of the membrane to a place where its count changes, in parts of the threshold.
struct Walk {
  std::vector<int> s;
  std::vector<double> near;
};
Walk walk(const Cuba& m, const Floats& x) {
  Walk w;
  double i = 0, v = 0;
  bool z = fires(m.lif, 0, m.lif.v_th);
  for (float a : x) {
    i = m.alpha * i + a;
    const double h = charged(m.lif, v, z, i);
    z = fires(m.lif, h, m.lif.v_th);
    v = left(m.lif, h, z);
    w.s.push_back(z), w.near.push_back(std::fabs(h - m.lif.v_th) / m.lif.v_th);
  }
  return w;
}
Walk walk(const Alif& m, const Floats& x) {
  Walk w;
  double v = 0, a = 0;
  for (float in : x) {
    const double th = m.lif.v_th + double{m.beta} * a, h = m.lif.decay * v + scale(m.lif) * in;
    const bool s = fires(m.lif, h, th);
    v = after(m.lif, h, s, m.reset_by);
    a = m.rho * a + s;
    w.s.push_back(s), w.near.push_back(std::fabs(h - th) / th);
  }
  return w;
}
Walk walk(const RefractoryLif& m, const Floats& x) {
  Walk w;
  double v = 0;
  int pause = 0;
  bool z = fires(m.lif, 0, m.lif.v_th);
  for (float in : x) {
    if (pause > 0) {
      --pause;
      w.s.push_back(0), w.near.push_back(1);
      continue;
    }
    const double h = charged(m.lif, v, z, in);
    z = fires(m.lif, h, m.lif.v_th);
    v = left(m.lif, h, z);
    if (z) pause = m.steps;
    w.s.push_back(z), w.near.push_back(std::fabs(h - m.lif.v_th) / m.lif.v_th);
  }
  return w;
}
Walk walk(const MultiLif& m, const Floats& x) {
  Walk w;
  double v = 0;
  for (float in : x) {
    const double h = double{m.decay} * v + double{m.input_scale} * in;
    const int s = h > m.levels ? m.levels : h > 0 ? static_cast<int>(std::nearbyint(h)) : 0;
    v = h - s;
    w.s.push_back(s), w.near.push_back(std::fabs(std::fabs(h - std::floor(h)) - 0.5));
  }
  return w;
}

TYPED_TEST(NeuronScan, SpikesFollowFloat64OnAMillionSteps) {
  const size_t T = 50, N = 20000;
  const auto x = noise(T * N, 31, 1.5f);
  for (const TypeParam& m : members<TypeParam>()) {
    const Out o = forward(m, {}, x, {}, T, N);
    size_t excused = 0, fired = 0;
    for (size_t n = 0; n < N; ++n) {
      Floats mine;
      for (size_t t = 0; t < T; ++t) mine.push_back(x[t * N + n]);
      const Walk w = walk(m, mine);
      bool near = false;
      for (size_t t = 0; t < T; ++t) {
        near = near || w.near[t] < 1e-5;
        fired += o.counts[t * N + n];
        if (o.counts[t * N + n] == w.s[t]) continue;
        ASSERT_TRUE(near) << "neuron " << n << " step " << t;
        ++excused;
        break;
      }
    }
    EXPECT_LE(excused, N / 10000);
    EXPECT_GT(fired, T * N / 100);
  }
}

// --- gradients against a small float64 autograd ----------------------------------------------------------------------------------

// One neuron on the tape; spikes are those of the forward scan, so that float32 and float64 walk the same path.
struct Path {
  Tape t;
  std::vector<int> params, start, last, xs, spikes;
  int one() { return t.leaf(1); }
  int reset(const Lif& l, int v, int s, double by) {
    if (l.detach_reset) s = t.detach(s);
    if (l.reset == Reset::hard) return t.add(t.mul(t.sub(one(), s), v), t.mul(s, t.leaf(l.v_reset)));
    return l.reset == Reset::soft ? t.sub(v, t.mul(t.leaf(by), s)) : v;
  }
  int scale(const Lif& l, int decay) { return l.decay_input ? t.sub(one(), decay) : t.leaf(l.input_scale); }
  // What lif.h charges from the membrane v and the spike z of the step before.
  int charge(const Lif& l, int decay, int v, int z, int x) {
    const int in = t.mul(scale(l, decay), x);
    if (l.reset_at == ResetAt::same_step) return t.add(t.mul(decay, v), in);
    if (l.reset_at == ResetAt::next_step) return t.add(reset(l, t.mul(decay, v), z, l.v_th), in);
    return t.add(t.mul(decay, reset(l, v, z, l.v_th)), in);
  }
};

// One step of each model: p.last is the state. z: the spike of the step before.
int tape_step(Path& p, const Cuba& m, const Surrogate& sg, int x, int count, int& z) {
  Tape& t = p.t;
  p.last[0] = t.add(t.mul(p.params[0], p.last[0]), x);
  const int h = p.charge(m.lif, p.params[1], p.last[1], z, p.last[0]);
  z = t.spike(h, count, slope(sg, t.at(h) - m.lif.v_th));
  p.last[1] = m.lif.reset_at == ResetAt::same_step ? p.reset(m.lif, h, z, m.lif.v_th) : h;
  return z;
}
int tape_step(Path& p, const Alif& m, const Surrogate& sg, int x, int count, int&) {
  Tape& t = p.t;
  const int h = t.add(t.mul(p.params[0], p.last[0]), t.mul(p.scale(m.lif, p.params[0]), x));
  const int u = t.sub(h, t.add(t.leaf(m.lif.v_th), t.mul(t.leaf(m.beta), p.last[1])));
  const int s = t.spike(u, count, slope(sg, t.at(u)));
  p.last[0] = p.reset(m.lif, h, s, m.reset_by);
  p.last[1] = t.add(t.mul(p.params[1], p.last[1]), s);
  return s;
}
int tape_step(Path& p, const RefractoryLif& m, const Surrogate& sg, int x, int count, int& z) {
  Tape& t = p.t;
  if (t.at(p.last[1]) > 0) {
    p.last[1] = t.leaf(t.at(p.last[1]) - 1);
    return t.leaf(0);
  }
  const int h = p.charge(m.lif, p.params[0], p.last[0], z, x);
  z = t.spike(h, count, slope(sg, t.at(h) - m.lif.v_th));
  p.last[0] = m.lif.reset_at == ResetAt::same_step ? p.reset(m.lif, h, z, m.lif.v_th) : h;
  p.last[1] = t.leaf(count ? m.steps : 0);
  return z;
}
int tape_step(Path& p, const MultiLif& m, const Surrogate&, int x, int count, int&) {
  Tape& t = p.t;
  const int h = t.add(t.mul(p.params[0], p.last[0]), t.mul(t.leaf(m.input_scale), x));
  const int s = t.count(h, count, t.at(h) >= 0 && t.at(h) <= m.levels);
  p.last[0] = t.sub(h, m.detach_reset ? t.detach(s) : s);
  return s;
}

const Lif* lif_of(const MultiLif&) { return nullptr; }
template <class Model>
const Lif* lif_of(const Model& m) { return &m.lif; }

template <class Model>
void check_gradients(const Model& m, const Surrogate& sg, size_t T, size_t N, bool each) {
  constexpr size_t S = Model::kStates, P = Model::kParams;
  const auto x = noise(T * N, 41), s0 = start<Model>(N, 42), gs = noise(T * N, 43), gl = noise(S * N, 44);
  const Floats own = each ? own_params(P, N) : Floats{};
  float shared[P];
  plain::shared_params(m, shared);
  const Out o = forward(m, own, x, s0, T, N);
  const Grad g = backward(m, sg, own, x, s0, gs, gl, T, N);
  std::vector<double> sums(P), sizes(P);
  for (size_t n = 0; n < N; ++n) {
    Path p;
    for (size_t k = 0; k < P; ++k) p.params.push_back(p.t.leaf(each ? own[k * N + n] : shared[k]));
    for (size_t k = 0; k < S; ++k) p.start.push_back(p.t.leaf(s0[k * N + n]));
    p.last = p.start;
    int z = -1;
    if (const Lif* l = lif_of(m)) {  // a start that passes the threshold has its reset pending
      const int v = p.start[std::is_same_v<Model, Cuba> ? 1 : 0];
      z = p.t.spike(v, fires(*l, p.t.at(v), l->v_th), slope(sg, p.t.at(v) - l->v_th));
    }
    std::vector<std::pair<int, double>> seeds;
    for (size_t t = 0; t < T; ++t) {
      if (plain::detach_temporal(m)) {
        for (int& i : p.last) i = p.t.detach(i);
        if (z >= 0) z = p.t.detach(z);
      }
      p.xs.push_back(p.t.leaf(x[t * N + n]));
      seeds.emplace_back(tape_step(p, m, sg, p.xs.back(), o.counts[t * N + n], z), gs[t * N + n]);
    }
    for (size_t k = 0; k < S; ++k) seeds.emplace_back(p.last[k], gl[k * N + n]);
    const auto want = p.t.gradients(seeds);
    const auto near = [](double a, double b, double size) { return std::fabs(a - b) <= 3e-5 * (size + std::fabs(b)); };
    for (size_t t = 0; t < T; ++t)
      ASSERT_TRUE(near(g.x[t * N + n], want[size_t(p.xs[t])], 1)) << n << " " << t << " " << g.x[t * N + n] << " " << want[size_t(p.xs[t])];
    for (size_t k = 0; k < S; ++k) {
      if (std::is_same_v<Model, RefractoryLif> && k == 1) continue;  // a count of steps
      ASSERT_TRUE(near(g.state[k * N + n], want[size_t(p.start[k])], 1)) << n << " state " << k;
    }
    for (size_t k = 0; k < P; ++k) {
      const double w = want[size_t(p.params[k])];
      sums[k] += w, sizes[k] += 1 + std::fabs(w);
      if (each) {
        ASSERT_TRUE(near(g.params[k * N + n], w, 10)) << n << " parameter " << k << " " << g.params[k * N + n] << " " << w;
      }
    }
  }
  for (size_t k = 0; !each && k < P; ++k) ASSERT_NEAR(g.params[k], sums[k], 1e-5 * sizes[k]) << "parameter " << k;
}

TYPED_TEST(NeuronScan, GradientsFollowFloat64Autograd) {
  int drawn = 0;
  for (TypeParam m : members<TypeParam>())
    for (size_t kind = 0; kind < std::size(surrogate_names); ++kind)
      for (int detach = 0; detach < 4; ++detach) {
        SCOPED_TRACE("case " + std::to_string(drawn) + " surrogate " + surrogate_names[kind] + " detach " + std::to_string(detach));
        set_detach(m, detach & 1, detach & 2);
        check_gradients(m, {static_cast<SurrogateKind>(kind), 0.4f, 1.4f}, 9, 37, drawn++ % 2);
        if (detach == 0 && kind == 1) check_gradients(m, {SurrogateKind::atan, 0.3f, 1.0f}, 67, 19, true);  // three segments
        if (this->HasFatalFailure()) return;
      }
}

// --- models that fall together -----------------------------------------------------------------------------------------------------

// No pause, no memory of the current, no adaptation: the bits of the plain family, forward and backward.
TEST(Neurons, DegenerateModelsAreThePlainFamily) {
  const size_t T = 70, N = 1100;
  const auto x = noise(T * N, 1), v0 = noise(N, 2, 0.5f), gs = noise(T * N, 3), gv = noise(N, 4);
  const auto rows = [&](const Floats& v, bool second) {
    Floats s(2 * N);
    std::copy(v.begin(), v.end(), s.begin() + (second ? N : 0));
    return s;
  };
  for (Lif l : lifs(true)) {
    l.decay_input = false, l.input_scale = 1;
    const Surrogate sg{SurrogateKind::triangle, 0.8f, 1.1f};
    Floats s(T * N), h(T * N), gx(T * N), g0(N);
    double decay = 0;
    lif_forward(l, nullptr, 0, x.data(), T, N, v0.data(), nullptr, nullptr, s.data(), h.data());
    lif_backward(l, sg, nullptr, 0, x.data(), v0.data(), gs.data(), gv.data(), T, N, gx.data(), g0.data(), &decay);
    const auto check = [&](const auto& m, bool second, size_t parameter) {
      const Out o = forward(m, {}, x, rows(v0, second), T, N);
      EXPECT_EQ(o.s, s);
      EXPECT_EQ(o.h, h);
      const Grad g = backward(m, sg, {}, x, rows(v0, second), gs, rows(gv, second), T, N);
      EXPECT_EQ(g.x, gx);
      EXPECT_EQ(g.params[parameter], decay);
      EXPECT_TRUE(std::equal(g0.begin(), g0.end(), g.state.begin() + (second ? N : 0)));
    };
    check(RefractoryLif{l, 0}, false, 0);
    check(Cuba{l, 0.0f}, true, 1);
    if (l.reset_at == ResetAt::same_step) {
      const Out o = forward(Alif{l, 0.5f, 0.0f, l.v_th}, {}, x, rows(v0, false), T, N);
      EXPECT_EQ(o.s, s);
      EXPECT_EQ(o.h, h);
    }
  }
}

// By hand. Threshold 1, input 1 at every step, no leak: fires, rests two steps, fires; the input of the pause is lost.
TEST(Neurons, RefractoryByHand) {
  const Lif l{.decay = 1.0f, .v_th = 1.0f, .reset = Reset::soft};
  const Out o = forward(RefractoryLif{l, 2}, {}, Floats(7, 1.25f), {}, 7, 1);
  EXPECT_EQ(o.s, (Floats{1, 0, 0, 1, 0, 0, 1}));
  EXPECT_EQ(o.h, (Floats{1.25f, 0.25f, 0.25f, 1.5f, 0.5f, 0.5f, 1.75f}));
  EXPECT_EQ(o.state, (Floats{0.75f, 2}));
}

// A spike lifts the threshold from 1 to 2, half of which is gone a step later; h == threshold tells ge from gt.
TEST(Neurons, AdaptiveByHand) {
  Alif m{{.decay = 1.0f, .v_th = 1.0f, .reset = Reset::soft}, 0.5f, 1.0f, 1.0f};
  Out o = forward(m, {}, Floats(3, 1.0f), {}, 3, 1);
  EXPECT_EQ(o.s, (Floats{1, 0, 1}));
  EXPECT_EQ(o.state, (Floats{1, 1.25f}));
  m.lif.compare = Compare::gt;
  o = forward(m, {}, Floats(3, 1.0f), {}, 3, 1);
  EXPECT_EQ(o.s, (Floats{0, 1, 0}));
  EXPECT_EQ(o.state, (Floats{2, 0.5f}));
}

TEST(Neurons, CountsByHand) {  // halves go to the even count, and counts stop at the levels
  const Out o = forward(MultiLif{.decay = 0.0f, .levels = 4}, {}, {-2, 0.5f, 1.5f, 2.5f, 3.4f, 4.75f, 1e30f}, {}, 7, 1);
  EXPECT_EQ(o.counts, (std::vector<uint8_t>{0, 0, 2, 2, 3, 4, 4}));
  const Out kept = forward(MultiLif{.decay = 0.5f, .levels = 2}, {}, {2.75f, 0, 0}, {}, 3, 1);  // 2 taken off, then 0.375, 0.1875
  EXPECT_EQ(kept.h, (Floats{2.75f, 0.375f, 0.1875f}));
}

}  // namespace
}  // namespace apical::kernels
