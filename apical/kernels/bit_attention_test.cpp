// Attention between spikes against its definition on numbers.
#include "apical/kernels/bit_attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/simd.h"

namespace apical::kernels {
namespace {

using Size = size_t;

// "avx512" holds no instruction that counts bits, what "best" takes may.
template <class Run>
void at_every_level(Run run) {
  std::vector<std::string> levels = simd_levels();
  levels.push_back("best");
  for (const std::string& level : levels)
    for (int threads : {1, 2, 7}) {
      set_simd_level(level);
      set_thread_count(threads);
      SCOPED_TRACE(level + ", " + std::to_string(threads) + " threads");
      run();
    }
  set_simd_level("");
  set_thread_count(2);
}

// Q, K, V [batch, tokens, heads * width] of 0 and 1, and their bits in one of three layouts.
struct Case {
  AttentionShape s;
  std::vector<float> q, k, v;
  std::vector<uint64_t> words[3];
  Size stride = 0, first[3] = {};

  Size rows() const { return s.batch * s.tokens; }
  Size features() const { return s.heads * s.width; }
  HeadBits bits(int i) const { return {words[words[i].empty() ? 0 : i].data(), stride, first[i]}; }
  // Where feature i of head h, token n, image b lies.
  Size at(Size b, Size n, Size h, Size i) const { return (b * s.tokens + n) * features() + h * s.width + i; }
};

enum class Layout { rows, steps, fused };
Case make(const AttentionShape& s, double density, Layout layout) {
  Case c{s, {}, {}, {}, {}};
  Random random(21, s.tokens * 1000 + s.width);
  std::vector<float>* all[] = {&c.q, &c.k, &c.v};
  for (auto* x : all) {
    x->resize(c.rows() * c.features());
    for (float& a : *x) a = random.uniform() < density ? 1.0f : 0.0f;
  }
  if (layout == Layout::fused) {  // one row [Q, K, V] a token
    std::vector<float> joined;
    for (Size r = 0; r < c.rows(); ++r)
      for (auto* x : all) joined.insert(joined.end(), x->begin() + long(r * c.features()), x->begin() + long((r + 1) * c.features()));
    c.words[0].resize(c.rows() * words_per_row(3 * c.features()));
    pack_bits(joined.data(), c.rows(), 3 * c.features(), c.words[0].data());
    c.stride = 64 * words_per_row(3 * c.features());
    c.first[1] = c.features(), c.first[2] = 2 * c.features();
    return c;
  }
  for (Size i = 0; i < 3; ++i) {
    const bool rows = layout == Layout::rows;
    const Size count = rows ? c.rows() : 1, n = rows ? c.features() : c.rows() * c.features();
    c.words[i].resize(count * words_per_row(n));
    pack_bits(all[i]->data(), count, n, c.words[i].data());
    if (!rows) c.words[i].resize((n + 63) / 64);  // not a word more
    c.stride = rows ? 64 * words_per_row(n) : c.features();
  }
  return c;
}

// (Q K^T) V of numbers.
std::vector<int32_t> definition(const Case& c) {
  std::vector<int32_t> out(c.q.size());
  const Size N = c.s.tokens, d = c.s.width;
  for (Size b = 0; b < c.s.batch; ++b)
    for (Size h = 0; h < c.s.heads; ++h)
      for (Size n = 0; n < N; ++n)
        for (Size m = 0; m < N; ++m) {
          int32_t common = 0;
          for (Size i = 0; i < d; ++i) common += c.q[c.at(b, n, h, i)] * c.k[c.at(b, m, h, i)] != 0;
          for (Size j = 0; common != 0 && j < d; ++j) out[c.at(b, n, h, j)] += common * int32_t(c.v[c.at(b, m, h, j)]);
        }
  return out;
}

// batch, heads, tokens, width; narrow and wide sums, with tails, and with nothing
const AttentionShape kShapes[] = {{1, 1, 1, 1},   {2, 3, 17, 5},   {2, 12, 64, 32}, {1, 2, 196, 64}, {3, 4, 49, 45},  {1, 2, 65, 70}, {2, 1, 33, 130},
                                  {1, 2, 20, 97}, {1, 1, 511, 128}, {1, 1, 512, 128}, {2, 2, 0, 8},   {2, 2, 8, 0},   {0, 2, 8, 8},   {2, 0, 8, 8}};

TEST(BitAttention, IsTheDefinitionInBothOrders) {
  for (const AttentionShape& s : kShapes)
    for (const double density : {0.2, 1.0}) {
      if (s.tokens > 200 && density < 1) continue;  // these are here for their large sums
      const Case c = make(s, density, Layout(s.tokens % 3));
      const auto want = definition(c);
      SCOPED_TRACE(std::to_string(s.tokens) + " tokens, " + std::to_string(s.width) + " wide");
      at_every_level([&] {
        for (auto order : {AttentionOrder::cheaper, AttentionOrder::kv_first, AttentionOrder::qk_first}) {
          std::vector<int32_t> out(want.size() + 1, 42);
          bit_attention(s, c.bits(0), c.bits(1), c.bits(2), out.data(), order);
          EXPECT_EQ(out.back(), 42);  // behind the last nothing is written
          out.pop_back();
          ASSERT_EQ(out, want);
        }
      });
    }
}

TEST(BitAttention, HeadsLieAtAnyBit) {
  for (const Layout layout : {Layout::rows, Layout::steps, Layout::fused}) {
    const Case c = make({2, 3, 19, 43}, 0.3, layout);
    std::vector<int32_t> out(c.q.size());
    bit_attention(c.s, c.bits(0), c.bits(1), c.bits(2), out.data());
    EXPECT_EQ(out, definition(c)) << int(layout);
  }
}

// Against float64 and the derivatives of (Q K^T) V; the kernel takes those of Q (K^T V).
TEST(BitAttention, GradientsAreThoseOfTheDefinition) {
  for (const AttentionShape& s : {AttentionShape{2, 3, 17, 5}, {1, 2, 70, 32}, {1, 2, 33, 70}, {2, 1, 130, 48}, {1, 1, 0, 4}, {1, 1, 4, 0}}) {
    const Case c = make(s, 0.3, Layout(s.tokens % 3));
    const Size N = s.tokens, d = s.width;
    Random random(22, N);
    std::vector<float> g(c.q.size());
    for (float& a : g) a = random.normal();
    std::vector<double> want[3];
    for (auto& w : want) w.resize(g.size());
    for (Size b = 0; b < s.batch; ++b)
      for (Size h = 0; h < s.heads; ++h)
        for (Size n = 0; n < N; ++n)
          for (Size m = 0; m < N; ++m) {
            double gv = 0, qk = 0;
            for (Size i = 0; i < d; ++i) {
              gv += double(g[c.at(b, n, h, i)]) * c.v[c.at(b, m, h, i)];
              qk += double(c.q[c.at(b, n, h, i)]) * c.k[c.at(b, m, h, i)];
            }
            for (Size i = 0; i < d; ++i) {
              want[0][c.at(b, n, h, i)] += gv * c.k[c.at(b, m, h, i)];
              want[1][c.at(b, m, h, i)] += gv * c.q[c.at(b, n, h, i)];
              want[2][c.at(b, m, h, i)] += qk * g[c.at(b, n, h, i)];
            }
          }
    std::vector<float> first[3];
    at_every_level([&] {
      std::vector<float> grad[3];
      for (auto& x : grad) x.assign(g.size() + 1, 42);
      bit_attention_backward(s, c.bits(0), c.bits(1), c.bits(2), g.data(), grad[0].data(), grad[1].data(), grad[2].data());
      for (Size i = 0; i < 3; ++i) {
        EXPECT_EQ(grad[i].back(), 42);
        for (Size a = 0; a < g.size(); ++a) ASSERT_NEAR(grad[i][a], want[i][a], 1e-4 * (1 + std::abs(want[i][a]))) << i << " " << a;
        if (first[i].empty()) first[i] = grad[i];
        ASSERT_EQ(grad[i], first[i]);  // the same bits at every level
      }
    });
  }
}

TEST(BitAttention, TokenSumsAndMasks) {
  const struct { Size batch, tokens, features; } shapes[] = {{3, 7, 70}, {2, 196, 512}, {1, 66000, 33}, {2, 0, 5}, {2, 5, 0}};
  for (const auto [batch, tokens, features] : shapes) {
    const Case c = make({batch, 1, tokens, features}, tokens > 1000 ? 1.0 : 0.4, Layout::rows);
    std::vector<int32_t> both(batch * features), alone(batch * features);
    std::vector<float> masked = c.q;
    for (Size b = 0; b < batch; ++b)
      for (Size n = 0; n < tokens; ++n)
        for (Size f = 0; f < features; ++f) {
          const Size at = c.at(b, n, 0, f);
          alone[b * features + f] += c.k[at] != 0;
          both[b * features + f] += c.k[at] * c.v[at] != 0;
          if (f % 3 == b % 3) masked[at] = 0;
        }
    std::vector<float> keep(batch * features), out(c.q.size());
    for (Size i = 0; i < keep.size(); ++i) keep[i] = i % features % 3 == i / features % 3 ? 0.0f : 1.0f;
    std::vector<uint64_t> mask(batch * words_per_row(features)), bits(c.words[0].size());
    pack_bits(keep.data(), batch, features, mask.data());
    bit_token_mask(batch, tokens, features, c.words[0].data(), mask.data(), bits.data());
    unpack_bits(bits.data(), c.rows(), features, out.data());
    EXPECT_EQ(out, masked);
    at_every_level([&] {
      std::vector<int32_t> sums(batch * features + 1, 42);
      bit_token_sums(batch, tokens, features, c.words[1].data(), c.words[2].data(), sums.data());
      EXPECT_EQ(sums.back(), 42);
      sums.pop_back();
      EXPECT_EQ(sums, both);
      bit_token_sums(batch, tokens, features, c.words[1].data(), nullptr, sums.data());
      EXPECT_EQ(sums, alone);
    });
  }
}

}  // namespace
}  // namespace apical::kernels
