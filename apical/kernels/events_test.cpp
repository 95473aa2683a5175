// Spike bits, and the layers driven by spikes, against naive dense layers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/event_conv.h"
#include "apical/kernels/event_lif.h"
#include "apical/kernels/event_linear.h"
#include "apical/kernels/event_matmul.h"
#include "apical/kernels/event_pool.h"
#include "apical/kernels/neurons/scan.h"
#include "apical/kernels/pool.h"
#include "apical/kernels/simd.h"
#include "apical/kernels/testing_noise.h"

namespace apical::kernels {
namespace {

constexpr Noise noise{9};

// Weights as they are, or as bfloat16 numbers.
std::vector<float> weights(size_t n, uint64_t stream, bool half) {
  auto w = noise(n, stream);
  if (half)
    for (float& a : w) a = to_float(to_bfloat16(a));
  return w;
}

TEST(Narrow, Bfloat16IsTheNearest) {
  const struct { float from, to; } rounded[] = {{1.0f, 1.0f},           {1.00390625f, 1.0f},  // half way: to the even one
                                                {1.01171875f, 1.015625f}, {-1.0039064f, -1.0078125f}, {3.4e38f, std::numeric_limits<float>::infinity()}, {1e-40f, 9.1835496e-41f}};
  for (const auto [from, to] : rounded) EXPECT_FLOAT_EQ(to_float(to_bfloat16(from)), to) << from;
  EXPECT_TRUE(std::isnan(to_float(to_bfloat16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(is_bfloat16(0.5f) && is_bfloat16(-96.0f) && !is_bfloat16(0.1f));
  for (size_t o = 0; o < 200; ++o) EXPECT_EQ(pair_output(pair_place(o) / 2) + pair_place(o) % 2 * 16, o);
}

// About a third of n inputs fire: their dense form (0/1 or graded), and the list.
struct Events {
  std::vector<float> dense, value;
  std::vector<uint32_t> index;
};
Events events(size_t n, uint64_t stream, bool graded) {
  Random r(10, stream);
  Events e{std::vector<float>(n), {}, {}};
  for (size_t i = 0; i < n; ++i) {
    if (r.uniform() > 0.35f) continue;
    e.dense[i] = graded ? r.normal() : 1.0f;
    e.index.push_back(uint32_t(i));
    e.value.push_back(e.dense[i]);
  }
  return e;
}
const float* values(const Events& e, bool graded) { return graded ? e.value.data() : nullptr; }

TEST(Bits, LayoutIsLeastSignificantFirstInRowsOf64Bytes) {
  EXPECT_EQ(words_per_row(0), 0u);
  EXPECT_EQ(words_per_row(1), 8u);
  EXPECT_EQ(words_per_row(512), 8u);
  EXPECT_EQ(words_per_row(513), 16u);
  std::vector<float> x(2 * 70);
  x[0] = 1;
  x[65] = -2.5f;
  x[70 + 3] = 1e-40f;
  x[70 + 69] = std::numeric_limits<float>::quiet_NaN();
  std::vector<uint64_t> want(16);
  want[0] = 1;
  want[1] = 2;
  want[8] = 8;
  want[9] = 32;
  for (const std::string& level : simd_levels()) {
    set_simd_level(level);
    std::vector<uint64_t> bits(16, ~0ull);
    EXPECT_FALSE(pack_bits(x.data(), 2, 70, bits.data()));
    EXPECT_EQ(bits, want) << level;
    for (size_t at = 0; at < 140; ++at) {  // one value that is no spike is seen wherever it lies
      std::vector<float> y(140, 1.0f);
      y[(at + 1) % 140] = 0;
      EXPECT_TRUE(pack_bits(y.data(), 2, 70, bits.data()));
      for (const float other : {0.5f, std::numeric_limits<float>::quiet_NaN()}) {
        y[at] = other;
        EXPECT_FALSE(pack_bits(y.data(), 2, 70, bits.data())) << level << " " << at;
        EXPECT_TRUE(bits[at / 70 * 8 + at % 70 / 64] >> (at % 70 % 64) & 1) << level << " " << at;
      }
    }
  }
  set_simd_level("");
}

void round_trip() {
  for (size_t n : {0, 1, 7, 12, 63, 64, 65, 511, 512, 513, 1000, 65536 + 100}) {
    const size_t rows = 3, words = words_per_row(n);
    const Events e = events(rows * n, n, false);
    std::vector<uint64_t> bits(rows * words, ~0ull);
    pack_bits(e.dense.data(), rows, n, bits.data());
    std::vector<float> back(rows * n, 9);
    unpack_bits(bits.data(), rows, n, back.data());
    EXPECT_EQ(back, e.dense) << n;
    EXPECT_EQ(count_bits(bits.data(), rows, n), e.index.size()) << n;
    std::vector<uint32_t> list(n), all;
    for (size_t r = 0; r < rows; ++r) {
      const size_t count = bits_to_list(bits.data() + r * words, n, list.data());
      for (size_t i = 0; i < count; ++i) all.push_back(uint32_t(r * n + list[i]));
      std::vector<uint64_t> again(words, ~0ull);
      list_to_bits(list.data(), count, n, again.data());
      EXPECT_TRUE(std::equal(again.begin(), again.end(), bits.begin() + long(r * words))) << n;
    }
    EXPECT_EQ(all, e.index) << n;
  }
}

TEST(Bits, RoundTripsAndCountsAtEveryLevel) {
  for (const std::string& level : simd_levels()) {
    SCOPED_TRACE(level);
    set_simd_level(level);
    round_trip();
  }
  set_simd_level("");
}

TEST(EventLinear, ListsWhatIsNotZeroAtEveryLevel) {
  for (const std::string& level : simd_levels()) {
    SCOPED_TRACE(level);
    set_simd_level(level);
    for (const size_t n : {0, 1, 7, 8, 9, 64, 129, 784})
      for (const int kind : {0, 1, 2, 3}) {  // spikes, signed spikes, one other value, values with NaN
        auto x = events(n, n + 1, kind == 3).dense;
        if (kind == 1)
          for (size_t i = 0; i < n; i += 3) x[i] = -x[i];
        if (kind == 2 && n > 0) x[n / 2] = 0.5f;
        if (kind == 3 && n > 0) x[n - 1] = std::numeric_limits<float>::quiet_NaN();
        std::vector<uint32_t> want, index(n);
        std::vector<float> value(n);
        for (size_t i = 0; i < n; ++i)
          if (x[i] != 0) want.push_back(uint32_t(i));
        bool ones = false;
        const size_t count = nonzero_list(x.data(), n, index.data(), value.data(), ones);
        EXPECT_EQ(std::vector<uint32_t>(index.begin(), index.begin() + long(count)), want) << n;
        for (size_t e = 0; e < std::min(count, want.size()); ++e) EXPECT_EQ(std::bit_cast<uint32_t>(value[e]), std::bit_cast<uint32_t>(x[want[e]])) << n;
        EXPECT_EQ(ones, kind < 2 || n == 0) << n << " " << kind;
      }
  }
  set_simd_level("");
}

TEST(EventMatmul, IsEventLinearRowByRow) {
  const struct { size_t rows, inputs, outputs; } sizes[] = {{1, 1, 1}, {3, 70, 10}, {300, 130, 64}, {5, 2048, 65}, {259, 2100, 129}};
  for (const auto [rows, inputs, outputs] : sizes) {
    const auto weight = noise(outputs * inputs, inputs), start = noise(rows * outputs, 4);
    const Events e = events(rows * inputs, outputs, false);
    std::vector<uint64_t> bits(rows * words_per_row(inputs));
    pack_bits(e.dense.data(), rows, inputs, bits.data());
    std::vector<float> want = start, weights(inputs * linear_stride(outputs)), panels(matmul_floats(outputs, inputs), 7.0f);
    prepare_linear(weight.data(), outputs, inputs, weights.data());
    prepare_event_matmul(weight.data(), outputs, inputs, panels.data());
    std::vector<uint32_t> list(inputs);
    for (size_t r = 0; r < rows; ++r) {
      const size_t n = bits_to_list(bits.data() + r * words_per_row(inputs), inputs, list.data());
      event_linear(weights.data(), outputs, list.data(), nullptr, n, want.data() + r * outputs);
    }
    for (const std::string& level : simd_levels())
      for (int threads : {1, 2, 7}) {
        set_simd_level(level);
        set_thread_count(threads);
        std::vector<float> y = start;
        event_matmul(panels.data(), outputs, inputs, bits.data(), rows, y.data());
        EXPECT_EQ(y, want) << level << " " << threads << " " << inputs << " " << outputs;
      }
  }
  set_simd_level("");
  set_thread_count(2);
}

TEST(EventLif, IsTheProductAndTheScan) {
  const struct {
    size_t T, batch, inputs, outputs;
  } sizes[] = {{0, 2, 5, 3},    {1, 1, 1, 1},     {70, 5, 70, 10},    {300, 1, 130, 200},
               {9, 40, 64, 64}, {3, 300, 90, 65}, {40, 2, 2100, 129}, {4, 3, 0, 70},
               {2, 3, 2050, 1100}};  // the last: panels laid out in three goes
  Lif forms[3];
  forms[0].decay = 0.5f, forms[0].reset = Reset::soft;
  forms[1].decay = 0.9f, forms[1].reset = Reset::hard, forms[1].v_reset = -0.25f, forms[1].reset_at = ResetAt::next_step,
  forms[1].compare = Compare::gt;
  forms[2].decay = 0.75f, forms[2].reset = Reset::none, forms[2].decay_input = true, forms[2].input_scale = 0.25f;
  std::uint64_t all = 0;
  for (const auto [T, batch, inputs, outputs] : sizes)
    for (const Lif& lif : forms) {
      const size_t rows = T * batch, neurons = batch * outputs;
      const auto weight = noise(outputs * inputs, inputs), bias = noise(outputs, 3), start = noise(neurons, 4);
      const Events e = events(rows * inputs, outputs, false);
      std::vector<uint64_t> bits(rows * words_per_row(inputs));
      pack_bits(e.dense.data(), rows, inputs, bits.data());
      std::vector<float> panels(matmul_floats(outputs, inputs));
      prepare_event_matmul(weight.data(), outputs, inputs, panels.data());
      for (const bool plain : {false, true}) {  // neither bias nor a state before
        std::vector<float> y(rows * outputs), want_v(neurons), want(rows * outputs);
        for (size_t i = 0; i < y.size() && !plain; ++i) y[i] = bias[i % outputs];
        event_matmul(panels.data(), outputs, inputs, bits.data(), rows, y.data());
        lif_forward(lif, nullptr, 0, y.data(), T, neurons, plain ? nullptr : start.data(), want_v.data(), nullptr, want.data(), nullptr);
        const auto count = static_cast<std::uint64_t>(std::count(want.begin(), want.end(), 1.0f));
        all += count;
        for (const std::string& level : simd_levels())
          for (int threads : {1, 2, 7}) {
            set_simd_level(level);
            set_thread_count(threads);
            std::vector<float> v = start, spikes(rows * outputs, 7.0f);
            EXPECT_EQ(event_lif_forward(lif, weight.data(), outputs, inputs, plain ? nullptr : bias.data(), bits.data(), T, batch,
                                        plain ? nullptr : v.data(), v.data(), spikes.data()),
                      count);
            EXPECT_EQ(spikes, want) << level << " " << threads << " " << inputs << " " << outputs;
            EXPECT_EQ(v, want_v) << level << " " << threads << " " << inputs << " " << outputs;
          }
      }
    }
  EXPECT_GT(all, 10000u) << "silent neurons prove nothing";
  set_simd_level("");
  set_thread_count(2);
}

TEST(Bits, TransposeIsTheTranspose) {
  const struct { size_t rows, n; } sizes[] = {{0, 5}, {5, 0}, {1, 1}, {64, 64}, {63, 65}, {130, 70}, {3, 600}, {600, 3}, {520, 1030}};
  for (const auto [rows, n] : sizes) {
    const Events e = events(rows * n, rows, false);
    std::vector<float> turned(rows * n);
    for (size_t r = 0; r < rows; ++r)
      for (size_t i = 0; i < n; ++i) turned[i * rows + r] = e.dense[r * n + i];
    std::vector<uint64_t> bits(rows * words_per_row(n)), want(n * words_per_row(rows)), out(want.size(), ~0ull);
    pack_bits(e.dense.data(), rows, n, bits.data());
    pack_bits(turned.data(), n, rows, want.data());
    transpose_bits(bits.data(), rows, n, out.data());
    EXPECT_EQ(out, want) << rows << " " << n;
  }
}

TEST(EventMatmul, GradientIsTheSumOverRowsInOrder) {
  const struct { size_t rows, inputs, outputs; } sizes[] = {{0, 3, 4}, {3, 0, 4}, {3, 4, 0}, {1, 1, 1}, {37, 70, 10}, {2049, 130, 65}, {4200, 33, 129}};
  for (const auto [rows, inputs, outputs] : sizes) {
    const auto grad_y = noise(rows * outputs, 5), start = noise(outputs * inputs, 6);
    const Events e = events(rows * inputs, outputs, false);
    std::vector<uint64_t> bits(rows * words_per_row(inputs));
    pack_bits(e.dense.data(), rows, inputs, bits.data());
    std::vector<float> want(outputs * inputs);
    for (size_t r = 0; r < rows; ++r)
      for (size_t o = 0; o < outputs; ++o)
        for (size_t i = 0; i < inputs; ++i)
          if (e.dense[r * inputs + i] != 0) want[o * inputs + i] += grad_y[r * outputs + o];
    for (size_t i = 0; i < want.size(); ++i) want[i] = start[i] + want[i];
    for (const std::string& level : simd_levels())
      for (int threads : {1, 2, 7}) {
        set_simd_level(level);
        set_thread_count(threads);
        std::vector<float> grad = start;
        event_matmul_gradient(grad_y.data(), outputs, bits.data(), inputs, rows, grad.data());
        EXPECT_EQ(grad, want) << level << " " << threads << " " << inputs << " " << outputs;
      }
  }
  set_simd_level("");
  set_thread_count(2);
}

TEST(EventLinear, IsTheDenseProductInOrder) {
  for (size_t outputs : {1, 5, 10, 16, 31, 64, 129, 300})
    for (bool graded : {false, true})
      for (bool half : {false, true}) {
        const size_t inputs = 200;
        const auto weight = weights(outputs * inputs, outputs, half), bias = noise(outputs, 3);
        const Events e = events(inputs, outputs, graded);
        std::vector<float> want = bias;
        for (size_t o = 0; o < outputs; ++o)
          for (size_t i = 0; i < inputs; ++i) want[o] += weight[o * inputs + i] * e.dense[i];
        const auto both = [&](const auto& rows) {
          for (const std::string& level : simd_levels()) {
            set_simd_level(level);
            std::vector<float> y = bias, z = bias;
            y.push_back(42);  // behind the last output nothing is written
            event_linear(rows.data(), outputs, e.index.data(), values(e, graded), e.index.size(), y.data());
            EXPECT_EQ(y.back(), 42);
            y.pop_back();
            EXPECT_EQ(y, want) << level << " " << outputs;
            dense_linear(rows.data(), outputs, inputs, e.dense.data(), z.data());
            EXPECT_EQ(z, want) << level << " " << outputs;
          }
        };
        std::vector<float> rows(inputs * linear_stride(outputs), 7.0f);
        prepare_linear(weight.data(), outputs, inputs, rows.data());
        both(rows);
        std::vector<Bfloat16> halves(inputs * pair_row(outputs), 7);
        prepare_linear(weight.data(), outputs, inputs, halves.data());
        if (half) both(halves);
      }
  set_simd_level("");
}

// [OH, OW, O] by the definition; x [H, W, I], w [O, I / groups, KH, KW]; sums from the bias on in the order ky, kx, input channel.
std::vector<float> dense_conv(const Conv2d& s, const std::vector<float>& w, const std::vector<float>& bias, const std::vector<float>& x) {
  const size_t ig = s.in_channels / s.groups, og = s.out_channels / s.groups;
  std::vector<float> y;
  for (size_t i = 0; i < s.out_height(); ++i)
    for (size_t j = 0; j < s.out_width(); ++j)
      for (size_t o = 0; o < s.out_channels; ++o) {
        y.push_back(bias.empty() ? 0.0f : bias[o]);
        for (size_t a = 0; a < s.kernel_h; ++a)
          for (size_t b = 0; b < s.kernel_w; ++b)
            for (size_t c = 0; c < ig; ++c) {
              const long r = long(i * s.stride_h + a) - long(s.pad_h), q = long(j * s.stride_w + b) - long(s.pad_w);
              if (r < 0 || q < 0 || r >= long(s.height) || q >= long(s.width)) continue;
              y.back() += x[(size_t(r) * s.width + size_t(q)) * s.in_channels + o / og * ig + c] * w[((o * ig + c) * s.kernel_h + a) * s.kernel_w + b];
            }
      }
  return y;
}

TEST(EventConv, IsTheDenseConvolution) {
  const Conv2d shapes[] = {
      {1, 1, 5, 7, 1, 1},
      {3, 16, 9, 8, 3, 3, 1, 1, 1, 1},
      {2, 20, 11, 10, 5, 3, 2, 3, 2, 1},
      {4, 6, 8, 8, 3, 2, 2, 1, 0, 3, 2},
      {6, 6, 7, 7, 3, 3, 1, 1, 1, 1, 6},
      {8, 66, 7, 6, 3, 3, 1, 1, 1, 1, 2},
      {2, 33, 12, 9, 3, 3, 1, 2, 2, 3},
      {5, 300, 4, 5, 3, 3, 1, 1, 1, 1},
      {1, 3, 20, 3, 19, 2, 1, 1, 9, 4},  // windows that lie in the padding alone
      {300, 5, 5, 6, 4, 4},              // more events in a window than are gathered at a time
      {2, 4, 3, 3, 4, 4},                // the kernel does not fit: no output
      {1, 17, 6, 6, 2, 2, 3, 3},         // stride beyond the kernel: some events touch nothing
  };
  for (const Conv2d& s : shapes)
    for (bool graded : {false, true})
      for (bool half : {false, true})
        for (const size_t some : {size_t{0}, size_t{3}, s.inputs()}) {  // no events, a few, all
          const bool with_bias = some != 3;
          const auto weight = weights(s.out_channels * s.in_channels / s.groups * s.kernel_h * s.kernel_w, 1, half);
          const auto bias = noise(with_bias ? s.out_channels : 0, 2);
          Events e = events(s.inputs(), s.out_channels, graded);
          while (e.index.size() > some) e.dense[e.index.back()] = 0, e.index.pop_back(), e.value.pop_back();
          const auto want = dense_conv(s, weight, bias, e.dense);
          std::vector<float> prepared(s.weights(), 7.0f);
          prepare_conv(s, weight.data(), prepared.data());
          std::vector<Bfloat16> halves(s.narrow_weights(), 7);
          prepare_conv(s, weight.data(), halves.data());
          for (const std::string& level : simd_levels()) {
            set_simd_level(level);
            SCOPED_TRACE(level + " " + std::to_string(s.in_channels) + " to " + std::to_string(s.out_channels));
            std::vector<float> y(s.outputs() + 1, 42);
            std::vector<uint32_t> starts(s.height * s.width + 1);
            const auto run = [&](const auto& w) {
              event_conv(s, w.data(), with_bias ? bias.data() : nullptr, e.index.data(), values(e, graded), e.index.size(), starts.data(), y.data());
            };
            run(prepared);
            EXPECT_EQ(y.back(), 42);  // behind the last output nothing is written
            EXPECT_TRUE(std::equal(want.begin(), want.end(), y.begin()));
            if (!half) continue;
            std::fill(y.begin(), y.end(), 42.0f);
            run(halves);
            EXPECT_EQ(y.back(), 42);
            EXPECT_TRUE(std::equal(want.begin(), want.end(), y.begin()));
          }
        }
  set_simd_level("");
  EXPECT_EQ((Conv2d{1, 1, 28, 28, 3, 3, 2, 2, 1, 1}.out_height()), 14u);
  EXPECT_EQ((Conv2d{2, 4, 3, 3, 4, 4}.outputs()), 0u);
}

TEST(Pool, IsTheDefinitionAtEveryLevel) {
  // windows that meet, overlap, leave gaps and do not fill the image; channels below, at and beyond a vector
  const Pool2d shapes[] = {{1, 4, 4}, {16, 28, 28}, {5, 9, 7, 3, 2, 2, 1}, {33, 7, 7, 2, 2, 3, 3}, {67, 5, 6, 5, 4, 1, 1}, {3, 2, 2, 3, 3}};
  for (const Pool2d& s : shapes) {
    const size_t batch = 3, C = s.channels, oh = s.out_height(), ow = s.out_width();
    const auto x = noise(batch * C * s.height * s.width, 1), g = noise(batch * s.outputs(), 2);
    std::vector<float> mean(g.size()), most(g.size(), -std::numeric_limits<float>::infinity()), grad(x.size());
    const float share = 1.0f / float(s.kernel_h * s.kernel_w);
    for (size_t b = 0; b < batch; ++b)
      for (size_t i = 0; i < oh; ++i)
        for (size_t j = 0; j < ow; ++j)
          for (size_t c = 0; c < C; ++c) {
            const size_t o = ((b * oh + i) * ow + j) * C + c;
            for (size_t r = i * s.stride_h; r < i * s.stride_h + s.kernel_h; ++r)
              for (size_t q = j * s.stride_w; q < j * s.stride_w + s.kernel_w; ++q) {
                const size_t at = ((b * s.height + r) * s.width + q) * C + c;
                mean[o] += x[at];
                most[o] = std::max(most[o], x[at]);
                grad[at] += g[o] * share;
              }
            mean[o] *= share;
          }
    std::vector<float> first_mean, first_grad;
    for (const std::string& level : simd_levels()) {
      SCOPED_TRACE(level + ", " + std::to_string(C) + " channels");
      set_simd_level(level);
      std::vector<float> y(g.size(), 7), z(g.size(), 7), back(x.size(), 7);
      average_pool(s, batch, x.data(), y.data());
      max_pool(s, batch, x.data(), z.data());
      average_pool_backward(s, batch, g.data(), back.data());
      EXPECT_EQ(z, most);
      for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], mean[i], 1e-6f * (1 + std::abs(mean[i])));
      for (size_t i = 0; i < back.size(); ++i) ASSERT_NEAR(back[i], grad[i], 1e-6f * (1 + std::abs(grad[i])));
      if (first_mean.empty()) first_mean = y, first_grad = back;
      EXPECT_EQ(y, first_mean);  // the same bits at every level
      EXPECT_EQ(back, first_grad);
    }
  }
  set_simd_level("");
}

TEST(Pool, AveragesOfBitsAreThoseOfTheirFloats) {
  const Pool2d shapes[] = {{16, 14, 14}, {33, 7, 9}, {1, 5, 5}, {3, 9, 7, 3, 2, 2, 1}, {64, 7, 7, 3, 3, 3, 3}, {5, 4, 4, 4, 4, 1, 1}};
  for (const Pool2d& s : shapes) {
    const size_t T = 2, batch = 3, neurons = batch * s.channels * s.height * s.width;
    auto x = noise(T * neurons, 1);
    for (float& a : x) a = a > 0.3f ? 1.0f : 0.0f;
    std::vector<uint64_t> bits(T * words_per_row(neurons));
    ASSERT_TRUE(pack_bits(x.data(), T, neurons, bits.data()));
    std::vector<float> want(T * batch * s.outputs());
    average_pool(s, T * batch, x.data(), want.data());
    for (const std::string& level : simd_levels()) {
      set_simd_level(level);
      std::vector<float> y(want.size(), 7);
      average_pool_bits(s, T, batch, bits.data(), y.data());
      EXPECT_EQ(y, want) << level << ", " << s.channels << " channels";
    }
  }
  set_simd_level("");
}

TEST(EventPool, IsTheDensePool) {
  for (const Pool2d& s : {Pool2d{3, 8, 6}, Pool2d{2, 9, 7, 3, 2, 2, 1, 1, 1}, Pool2d{1, 7, 7, 2, 2, 3, 3}, Pool2d{2, 5, 5, 5, 4, 1, 1}}) {
    const size_t oh = s.out_height(), ow = s.out_width();
    const Events e = events(s.channels * s.height * s.width, s.height, false), g = events(s.channels * s.height * s.width, 5, true);
    std::vector<float> most(s.outputs()), mean(s.outputs());
    for (size_t o = 0; o < s.outputs(); ++o) {
      const size_t c = o / (oh * ow), i = o / ow % oh, j = o % ow;
      for (size_t a = 0; a < s.kernel_h; ++a)
        for (size_t b = 0; b < s.kernel_w; ++b) {
          const long r = long(i * s.stride_h + a) - long(s.pad_h), q = long(j * s.stride_w + b) - long(s.pad_w);
          if (r < 0 || q < 0 || r >= long(s.height) || q >= long(s.width)) continue;
          most[o] = std::max(most[o], e.dense[(c * s.height + size_t(r)) * s.width + size_t(q)]);
          mean[o] += g.dense[(c * s.height + size_t(r)) * s.width + size_t(q)];
        }
      mean[o] /= float(s.kernel_h * s.kernel_w);
    }
    std::vector<uint64_t> bits(words_per_row(s.outputs()), ~0ull);
    std::vector<float> y(s.outputs(), 9);
    event_max_pool(s, e.index.data(), e.index.size(), bits.data());
    EXPECT_EQ(count_bits(bits.data(), 1, s.outputs()), uint64_t(std::count(most.begin(), most.end(), 1.0f)));
    unpack_bits(bits.data(), 1, s.outputs(), y.data());
    EXPECT_EQ(y, most);
    event_average_pool(s, g.index.data(), g.value.data(), g.index.size(), y.data());
    EXPECT_EQ(y, mean);
  }
}

}  // namespace
}  // namespace apical::kernels
