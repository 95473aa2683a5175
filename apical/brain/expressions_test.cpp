#include "apical/brain/expressions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "apical/base/philox.h"
#include "apical/kernels/simd.h"

namespace apical::brain {
namespace {

using Id = Expressions::Id;
using Kind = Expressions::Kind;
constexpr std::size_t n = 64;
constexpr int states = 4;

// One neuron: what stands behind the leaves.
struct Leaves {
  double state[states], current, input;
  bool awake, fired;
};
// What each node is, node by node.
std::vector<double> values(const Expressions& all, const Leaves& leaves) {
  std::vector<double> v;
  for (Id id = 0; id < all.size(); ++id) {
    const auto& node = all.node(id);
    const double a = node.a < id ? v[node.a] : 0, b = node.b < id ? v[node.b] : 0, c = node.c < id ? v[node.c] : 0;
    const auto value = [&]() -> double {
      switch (node.kind) {
        case Kind::constant:
        case Kind::truth:
          return node.value;
        case Kind::state:
          return leaves.state[static_cast<int>(node.value)];
        case Kind::current:
          return leaves.current;
        case Kind::input:
          return leaves.input;
        case Kind::awake:
          return leaves.awake;
        case Kind::fired:
          return leaves.fired;
        case Kind::add:
          return a + b;
        case Kind::sub:
          return a - b;
        case Kind::mul:
          return a * b;
        case Kind::gt:
          return a > b;
        case Kind::ge:
          return a >= b;
        case Kind::both:
          return a != 0 && b != 0;
        case Kind::choose:
          return a != 0 ? b : c;
        case Kind::abs:
          return std::fabs(a);
        default:
          ADD_FAILURE() << "no such node here";
          return 0;
      }
    };
    v.push_back(value());
  }
  return v;
}

// A graph drawn at random over the states, and what else `leaves` are.
std::vector<Id> grow(Expressions& all, Random& random, std::vector<Id> pool, std::uint32_t size, bool awake) {
  for (int k = 0; k < states; ++k) pool.push_back(all.state(k));
  pool.push_back(all.constant(0.5)), pool.push_back(all.constant(-1.25));
  const auto any = [&] { return pool[random.below(static_cast<std::uint32_t>(pool.size()))]; };
  for (std::uint32_t k = 0; k < size; ++k) {
    const Id a = any(), b = any();
    switch (random.below(awake ? 7 : 6)) {
      case 0:
        pool.push_back(all.add(a, b));
        break;
      case 1:
        pool.push_back(all.make(Kind::sub, a, b));
        break;
      case 2:
        pool.push_back(all.mul(a, all.mul(all.constant(0.25), b)));
        break;
      case 3:
        pool.push_back(all.add(any(), all.mul(a, b)));
        break;
      case 4:
        pool.push_back(all.make(Kind::choose, all.make(Kind::gt, a, b), any(), any()));
        break;
      case 5:
        pool.push_back(all.make(Kind::abs, a));
        break;
      default:
        pool.push_back(all.make(Kind::choose, all.awake(), a, b));
    }
  }
  return pool;
}

// Programs of graphs drawn at random do what the graphs say, whatever has to wait for what: states that others still need, nodes used again
// and again, resets of states that have just been stored.
TEST(Expressions, ProgramsDoWhatGraphsSay) {
  Random random(11, "graphs");
  std::size_t stored = 0, fires = 0, rests = 0;
  for (int round = 0; round < 300; ++round) {
    Expressions all;
    const auto pool = grow(all, random, {all.current(), all.input(0)}, 2 + random.below(30), true);
    const auto any = [&](const std::vector<Id>& of) {
      return of[of.size() - 1 - random.below(static_cast<std::uint32_t>(std::min<std::size_t>(12, of.size())))];
    };
    std::vector<Root> roots, reset;
    for (int k = 0; k < states; ++k) {
      const Id next = any(pool);
      if (random.below(4) > 0 && next != all.state(k)) roots.push_back({Root::Kind::store, next, k, random.below(2) == 1});
    }
    roots.push_back({Root::Kind::fire, all.make(Kind::gt, any(pool), all.constant(0.25))});
    const auto after = grow(all, random, {all.current()}, random.below(12), false);
    for (int k = 0; k < states; ++k) {
      const Id next = all.make(Kind::choose, all.fired(), any(after), all.state(k));
      if (random.below(2) && next != all.state(k)) reset.push_back({Root::Kind::store, next, k});
    }
    kernels::Program program = compile(all, roots, reset, states);
    program.refractory = 3;

    std::vector<double> state(states * n), current(n), in(n);
    std::vector<std::int32_t> wakes(n);
    for (double& v : state) v = random.uniform(-1, 1);
    for (std::size_t i = 0; i < n; ++i)
      current[i] = random.uniform(-1, 1), in[i] = random.uniform(-1, 1), wakes[i] = static_cast<std::int32_t>(random.below(12));
    if (round % 3 == 0) std::fill(wakes.begin(), wakes.end(), 100);  // nobody can fire
    std::vector<double> want = state;
    std::uint64_t want_spikes = 0;
    for (std::size_t i = 0; i < n; ++i) {
      Leaves leaves{{}, current[i], in[i], wakes[i] <= 5, false};
      const auto take = [&](const std::vector<Root>& from) {
        for (int k = 0; k < states; ++k) leaves.state[k] = want[static_cast<std::size_t>(k) * n + i];
        const auto v = values(all, leaves);
        for (const Root& r : from) {
          if (r.kind == Root::Kind::store) want[static_cast<std::size_t>(r.state) * n + i] = v[r.node], ++stored;
          if (r.kind == Root::Kind::fire) leaves.fired = leaves.awake && v[r.node] != 0;
        }
      };
      take(roots), take(reset);
      want_spikes |= std::uint64_t{leaves.fired} << i, fires += leaves.fired, rests += !leaves.awake;
    }
    for (const auto& level : kernels::simd_levels()) {
      kernels::set_simd_level(level);
      auto got = state, arrived = in;
      auto rest = wakes;
      std::uint64_t spikes = ~std::uint64_t{0};
      kernels::NeuronArrays<double> a{};
      a.n = n, a.step = 5, a.wakes = rest.data(), a.current = current.data(), a.spikes = &spikes, a.in[0] = arrived.data();
      for (int k = 0; k < states; ++k) a.state[k] = got.data() + static_cast<std::size_t>(k) * n;
      EXPECT_TRUE(kernels::neuron_step(program, a));
      for (std::size_t i = 0; i < want.size(); ++i) ASSERT_EQ(got[i], want[i]) << level << ", graph " << round << ", state " << i / n;
      ASSERT_EQ(spikes, want_spikes) << level << ", graph " << round;
      for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(rest[i], want_spikes >> i & 1 ? 9 : wakes[i]);
    }
    kernels::set_simd_level("");
  }
  EXPECT_GT(stored, 50000u);
  EXPECT_GT(fires, 1000u);
  EXPECT_GT(rests, 1000u);
}

}  // namespace
}  // namespace apical::brain
