// The int8 layers and the integer neuron against their definitions in plain loops of int64.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "apical/base/philox.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/event_int8.h"
#include "apical/kernels/neurons/integer_lif.h"
#include "apical/kernels/simd.h"

namespace apical::kernels {
namespace {

using Ints = std::vector<int32_t>;

// [OH, OW, O]; x [H, W, I], w [O, I / groups, KH, KW].
Ints dense_conv(const Conv2d& s, const std::vector<int8_t>& w, const Ints& bias, const Ints& x) {
  const size_t ig = s.in_channels / s.groups, og = s.out_channels / s.groups;
  Ints y;
  for (size_t i = 0; i < s.out_height(); ++i)
    for (size_t j = 0; j < s.out_width(); ++j)
      for (size_t o = 0; o < s.out_channels; ++o) {
        int64_t sum = bias.empty() ? 0 : bias[o];
        for (size_t a = 0; a < s.kernel_h; ++a)
          for (size_t b = 0; b < s.kernel_w; ++b)
            for (size_t c = 0; c < ig; ++c) {
              const long r = long(i * s.stride_h + a) - long(s.pad_h), q = long(j * s.stride_w + b) - long(s.pad_w);
              if (r < 0 || q < 0 || r >= long(s.height) || q >= long(s.width)) continue;
              sum += int64_t{x[(size_t(r) * s.width + size_t(q)) * s.in_channels + o / og * ig + c]} * w[((o * ig + c) * s.kernel_h + a) * s.kernel_w + b];
            }
        y.push_back(int32_t(sum));
      }
  return y;
}

enum class Inputs { spikes, repeated, graded, bytes };  // bytes: graded ones that are int8

TEST(EventInt8, IsTheDenseConvolution) {
  const Conv2d shapes[] = {
      linear_shape(10, 1000),
      linear_shape(800, 700),  // more events than sums of 16 bits hold
      linear_shape(301, 70),
      {1, 1, 5, 7, 1, 1},
      {3, 16, 9, 8, 3, 3, 1, 1, 1, 1},
      {2, 33, 11, 10, 5, 3, 2, 3, 2, 1},
      {64, 64, 6, 5, 3, 3, 1, 1, 1, 1},
      {5, 100, 4, 5, 3, 3, 1, 1, 1, 1},
      {6, 6, 7, 7, 3, 3, 1, 1, 1, 1, 6},
      {8, 66, 7, 6, 3, 3, 1, 1, 1, 1, 2},
      {60, 3, 20, 3, 19, 2, 1, 1, 9, 1},
      {1, 17, 6, 6, 2, 2, 3, 3},          // stride beyond the kernel: some events touch nothing
  };
  for (const Conv2d& s : shapes)
    for (const Inputs kind : {Inputs::spikes, Inputs::repeated, Inputs::graded, Inputs::bytes})
      for (const bool worst : {false, true}) {  // the largest of all, everywhere: the sums that could overflow
        Random random(3, s.out_channels);
        std::vector<int8_t> weight(s.out_channels * s.in_channels / s.groups * s.kernel_h * s.kernel_w);
        for (size_t i = 0; i < weight.size(); ++i) weight[i] = worst ? (i % 2 ? -127 : 127) : int8_t(int(random.below(255)) - 127);
        Ints bias(worst ? 0 : s.out_channels), x(s.inputs());
        for (auto& b : bias) b = int32_t(random.below(200000)) - 100000;
        std::vector<uint32_t> index;
        std::vector<int16_t> value;
        for (size_t i = 0; i < x.size(); ++i) {
          if (!worst && random.below(3)) continue;
          const int32_t range = kind == Inputs::bytes ? 128 : 500;
          const int32_t any = worst ? -range : int32_t(random.below(uint32_t(2 * range))) - range;
          x[i] = kind == Inputs::spikes ? 1 : kind == Inputs::repeated ? 1 + int32_t(random.below(4)) : any;
          for (int k = 0; k < (kind == Inputs::repeated ? x[i] : 1); ++k) index.push_back(uint32_t(i)), value.push_back(int16_t(x[i]));
        }
        const Ints want = dense_conv(s, weight, bias, x);
        std::vector<uint8_t> prepared(s.narrow_weights());
        prepare_int8(s, weight.data(), prepared.data());
        for (const std::string& level : simd_levels()) {
          set_simd_level(level);
          SCOPED_TRACE(level + " " + std::to_string(s.in_channels) + " to " + std::to_string(s.out_channels) + ", inputs " + std::to_string(int(kind)));
          Ints y(s.outputs() + 1, 42);
          std::vector<uint32_t> starts(s.height * s.width + 1);
          find_starts(s, index.data(), index.size(), starts.data());
          const size_t cut = s.out_height() / 3, row = s.out_width() * s.out_channels;
          for (const auto& [first, last] : {std::pair(size_t{0}, cut), std::pair(cut, s.out_height())})
            event_conv_int8(s, prepared.data(), bias.empty() ? nullptr : bias.data(), index.data(), kind >= Inputs::graded ? value.data() : nullptr,
                            index.size(), starts.data(), first, last, y.data() + first * row);
          EXPECT_EQ(y.back(), 42);  // behind the last output nothing is written
          y.pop_back();
          EXPECT_EQ(y, want);
          if (s.groups > 1) continue;
          // The same clamped to int16; biases that fit.
          std::vector<int16_t> small(bias.size()), narrow(s.outputs() + 1, 42), clamped;
          for (size_t o = 0; o < bias.size(); ++o) small[o] = int16_t(bias[o] / 4);
          for (size_t i = 0; i < want.size(); ++i) {
            const int32_t sum = want[i] + (bias.empty() ? 0 : small[i % s.out_channels] - bias[i % s.out_channels]);
            clamped.push_back(int16_t(std::clamp(sum, -32768, 32767)));
          }
          for (const auto& [first, last] : {std::pair(size_t{0}, cut), std::pair(cut, s.out_height())})
            event_conv_int8(s, prepared.data(), small.empty() ? nullptr : small.data(), index.data(), kind >= Inputs::graded ? value.data() : nullptr,
                            index.size(), starts.data(), first, last, narrow.data() + first * row);
          EXPECT_EQ(narrow.back(), 42);
          narrow.pop_back();
          EXPECT_EQ(narrow, clamped);
        }
      }
  set_simd_level("");
}

int64_t half_up(int64_t a, int bits) { return (a + (int64_t{1} << (bits - 1))) >> bits; }

// The equations of integer_lif.h and lif.h, written out.
bool step(const IntegerLif& l, int64_t decay, int64_t current, int64_t& v) {
  const auto fires = [&](int64_t h) { return l.compare == Compare::ge ? h >= l.v_th : h > l.v_th; };
  const auto reset = [&](int64_t h, bool s) { return !s || l.reset == Reset::none ? h : l.reset == Reset::hard ? l.v_reset : h - l.v_th; };
  const bool pending = l.reset_at != ResetAt::same_step && fires(v);
  int64_t leak = -half_up(-decay * (l.reset_at == ResetAt::next_step_decayed ? reset(v, pending) : v), 15);
  if (l.reset_at == ResetAt::next_step) leak = reset(leak, pending);
  int64_t x = l.shift >= 0 ? current : half_up(current, -l.shift);
  x = std::clamp<int64_t>(x, -(32767 >> std::max(l.shift, 0)), 32767 >> std::max(l.shift, 0)) << std::max(l.shift, 0);
  const int64_t h = std::clamp<int64_t>(leak + x, -32767, 32767);
  const bool s = fires(h);
  v = l.reset_at == ResetAt::same_step ? reset(h, s) : h;
  return s;
}

TEST(IntegerLif, IsItsEquationAtEveryLevel) {
  for (const size_t n : {1, 7, 8, 16, 32, 77, 300})
    for (const Reset reset : {Reset::hard, Reset::soft, Reset::none})
      for (const ResetAt at : {ResetAt::same_step, ResetAt::next_step, ResetAt::next_step_decayed})
        for (const Compare compare : {Compare::ge, Compare::gt})
          for (const int shift : {-30, -9, -1, 0, 4, 15})
            for (const bool each : {false, true}) {
              const IntegerLif lif{24000, 2100, -170, shift, reset, compare, at};
              Random random(n, uint64_t(shift + 40));
              std::vector<int16_t> leak(n), start(n);
              for (auto& d : leak) d = int16_t(-int32_t(random.below(32769)));
              start[n - 1] = -32767, start[0] = 32767;
              leak[0] = leak[n - 1] = -32768;  // a decay of 1
              for (size_t i = 1; i + 1 < n; ++i) start[i] = int16_t(i % 3 ? int32_t(random.below(6000)) - 2000 : 2100);  // some at the threshold
              std::vector<Ints> currents(6, Ints(n));
              const int32_t range = shift < 0 ? int32_t(std::min(1ll << 29, 3000ll << -shift)) : std::max(1, 3000 >> shift);
              for (auto& c : currents)
                for (auto& i : c) i = random.below(16) ? int32_t(random.below(uint32_t(2 * range))) - range : 0;
              currents[2][0] = integer_current_limit, currents[3][n - 1] = -integer_current_limit;
              for (const std::string& level : simd_levels()) {
                set_simd_level(level);
                std::vector<int16_t> v = start, v_narrow = start;
                std::vector<int64_t> want(start.begin(), start.end());
                size_t spikes = 0;
                for (const auto& current : currents) {
                  std::vector<uint64_t> bits((n + 63) / 64, ~0ull), narrow_bits = bits, fired(bits.size());
                  integer_lif_step(lif, each ? leak.data() : nullptr, current.data(), n, v.data(), bits.data());
                  for (size_t i = 0; i < n; ++i)
                    if (step(lif, each ? -leak[i] : lif.decay, current[i], want[i])) fired[i / 64] |= uint64_t{1} << (i % 64), ++spikes;
                  ASSERT_EQ(bits, fired) << level << " " << n;
                  ASSERT_EQ(std::vector<int64_t>(v.begin(), v.end()), want) << level << " " << n << " shift " << shift;
                  if (shift < 0) continue;
                  std::vector<int16_t> narrow(n);
                  for (size_t i = 0; i < n; ++i) narrow[i] = int16_t(std::clamp(current[i], -32768, 32767));
                  integer_lif_step(lif, each ? leak.data() : nullptr, narrow.data(), n, v_narrow.data(), narrow_bits.data());
                  ASSERT_EQ(narrow_bits, fired) << level << " " << n;
                  ASSERT_EQ(v_narrow, v) << level << " " << n;
                }
                if (shift > -30 && shift < 15) {
                  EXPECT_GT(spikes, 0u);
                }
              }
            }
  set_simd_level("");
}

}  // namespace
}  // namespace apical::kernels
