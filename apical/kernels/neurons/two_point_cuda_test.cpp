// The CUDA kernels of two_point.h without a GPU: what a thread does (two_point_cuda_thread.h), thread after thread on the host, against the
// scalar reference. Left to scan_cuda_check, on a GPU: the launch, the sum over blocks, and the device's arithmetic.
#include "apical/kernels/neurons/two_point_cuda_thread.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "apical/kernels/simd.h"
#include "apical/kernels/testing_noise.h"

namespace apical::kernels {
namespace {

using Floats = std::vector<float>;

constexpr Noise noise{29};

/// body(first cell of a thread) for every thread of every block.
template <class Body>
void each_thread(std::size_t n, Body body) {
  for (std::size_t block = 0; block < cuda::cell_blocks(n); ++block)
    for (unsigned lane = 0; lane < cuda::kBlock; ++lane) body(cuda::first_cell(block, lane));
}

struct Forward {
  scan::TwoPointForward f;
  std::size_t n;
  template <Mtf K, TwoPointOutput Y>
  std::uint64_t run() const {
    std::uint64_t active = 0;
    each_thread(n, [&](std::size_t first) { active += cuda::two_point_forward_thread<K, Y>(f, n, first); });
    return active;
  }
};
struct Backward {
  scan::TwoPointBackward b;
  std::size_t n;
  template <Mtf K, TwoPointOutput Y>
  void run() const {
    each_thread(n, [&](std::size_t first) { cuda::two_point_backward_thread<K, Y>(b, n, first); });
  }
};

class TwoPointCuda : public testing::Test {
 protected:
  void SetUp() override { set_simd_level("scalar"); }
  void TearDown() override { set_simd_level(""); }
};

// A block has 1024 cells: lengths on and beside it.
TEST_F(TwoPointCuda, ThreadsGiveTheReferencesBits) {
  std::size_t drawn = 0;
  for (int mtf = 0; mtf < 7; ++mtf)
    for (int output = 0; output < 3; ++output)
      for (const std::size_t n : {0, 1, 127, 1023, 1024, 1025, 5000}) {
        const Input kind{int(++drawn % 4)};
        const TwoPoint m{Mtf(mtf), TwoPointOutput(output), drawn % 3 ? 3.0f : 0.8f};
        SCOPED_TRACE("mtf " + std::to_string(mtf) + " output " + std::to_string(output) + " n " + std::to_string(n) + " input " +
                     std::to_string(int(kind)));
        const Floats r = noise(n, 1, 1.5f, kind), given = noise(n, 2, 3.0f, kind), grad_h = noise(n, 3);
        for (const float* context : {given.data(), static_cast<const float*>(nullptr)}) {
          Floats h(n, -1), grad_r(n, -1), grad_context(n, -1), got = r, got_r = grad_h, got_context(n, -1);
          const std::uint64_t active = two_point_forward(m, r.data(), context, n, h.data());
          two_point_backward(m, r.data(), context, grad_h.data(), n, grad_r.data(), grad_context.data());
          ASSERT_EQ(plain::with_form(m, Forward{{m, got.data(), context, got.data(), false}, n}), active);
          plain::with_form(m, Backward{{m, r.data(), context, got_r.data(), got_r.data(), got_context.data(), false}, n});
          ASSERT_TRUE(same(got, h) && same(got_r, grad_r) && same(got_context, grad_context));
          Floats alone(n, -1);
          plain::with_form(m, Backward{{m, r.data(), context, grad_h.data(), alone.data(), nullptr, false}, n});
          ASSERT_TRUE(same(alone, grad_r));
        }
      }
}

TEST_F(TwoPointCuda, TanhToo) {
  const std::size_t n = 3000;
  for (const Input kind : {Input::normal, Input::special, Input::denormal}) {
    const Floats x = noise(n, 1, 2.0f, kind), g = noise(n, 2);
    Floats y(n), gx(n), got(n, 7), got_x = g;
    tanh_forward(x.data(), n, y.data());
    tanh_backward(y.data(), g.data(), n, gx.data());
    each_thread(n, [&](std::size_t first) { cuda::tanh_forward_thread(x.data(), n, got.data(), first); });
    each_thread(n, [&](std::size_t first) { cuda::tanh_backward_thread(y.data(), got_x.data(), n, got_x.data(), first); });
    EXPECT_TRUE(same(got, y) && same(got_x, gx));
  }
}

}  // namespace
}  // namespace apical::kernels
