// The CUDA scans without a GPU: what a thread does (scan_cuda_thread.h), thread after thread on the host, against the scalar reference.
// Left to scan_cuda_check, on a GPU: the launch, the vote of a warp, the sum over blocks, and the device's arithmetic.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "apical/base/philox.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/scan_cuda_thread.h"
#include "apical/kernels/testing_noise.h"

namespace apical::kernels {
namespace {

constexpr Noise noise{7};

struct Results {
  std::vector<float> v, s, h, grad_x, grad_v0;
  std::vector<uint64_t> bits;
  std::vector<double> grad_decay;
  Results(size_t T, size_t N, bool constant)
      : v(N), s(T * N), h(T * N), grad_x(constant ? N : T * N), grad_v0(N), bits(T * words_per_row(N)), grad_decay(N) {}
  bool operator==(const Results&) const = default;
  void receive(scan::Forward& f, scan::Backward& b) {
    f.v = v.data(), f.spikes = bits.data(), f.spikes_f = s.data(), f.h = h.data();
    b.grad_x = grad_x.data(), b.grad_v0 = grad_v0.data();
  }
};

// run(n) for the first neuron of each thread of the blocks that have `each` a thread.
template <class Run>
void for_few(size_t neurons, size_t each, Run run) {
  for (size_t block = 0; block < neurons; block += each * cuda::kBlock)
    for (size_t thread = 0; thread < cuda::kBlock; ++thread) run(block + thread);
}

// Every thread of forward and of backward, with and without the gradient of the decay; `few`: those that have several neurons.
void run_threads(scan::Forward f, const scan::Backward& like, bool few, Results& r) {
  std::vector<float> starts(cuda::segments(f.T) * f.N), kept((std::min(f.T, cuda::kKept) + 1) * cuda::kBlock);
  cuda::BackwardArgs b{like, plain::surrogate_constant(like.surrogate), starts.data(), nullptr};
  r.receive(f, b);
  if (b.x_step == 0) std::swap(b.grad_x, b.grad_x_sum);
  cuda::with_form(f.lif, [&](auto form) {
    using F = decltype(form);
    const size_t threads = words_per_row(f.N) * 64;
    if (few && cuda::few_steps(f.T, cuda::kFewForwardSteps))
      for_few(threads, cuda::kFewForward, [&](size_t n) { cuda::few_forward_thread<F>(f, n, threads); });
    else
      for (size_t n = 0; n < threads; ++n) cuda::forward_thread<F>(f, n);
    const auto backward = [&](auto want) {
      constexpr bool decay = decltype(want)::value;
      if (few)
        cuda::with_steps<cuda::kFewBackwardSteps>(f.T, [&](auto T) {
          for_few(f.N, cuda::few_backward(T), [&](size_t first) {
            cuda::few_backward_thread<F, decay, decltype(T)::value>(b, first, [&](size_t n, double sum) { r.grad_decay[n] = sum; });
          });
        });
      else
        for (size_t n = 0; n < f.N; ++n) r.grad_decay[n] = cuda::backward_thread<F, decay>(b, n, kept.data());
    };
    backward(std::false_type{});
    const std::vector<float> grad_x = r.grad_x;
    backward(std::true_type{});
    EXPECT_EQ(r.grad_x, grad_x);
  });
}

// Batches are 8 steps, segments 64: lengths on and beside both. A few steps: neurons that fill a block and a part of the next's.
TEST(ScanCuda, ThreadsGiveTheReferencesBits) {
  size_t drawn = 0;
  for (int form = 0; form < 18; ++form)
    for (const size_t T : {1, 2, 3, 4, 5, 6, 7, 8, 9, 33, 64, 65, 100, 129}) {
      const bool few = cuda::few_steps(T, cuda::kFewBackwardSteps);
      const size_t N = few ? 700 : 33;
      Lif lif{.input_scale = 0.7f, .v_th = 0.6f, .v_reset = -0.1f, .reset = Reset(form % 3), .compare = Compare(form / 9), .reset_at = ResetAt(form / 3 % 3)};
      if (lif.reset == Reset::none) lif.reset_at = ResetAt::same_step;
      lif.detach_reset = drawn % 3 == 0;
      lif.detach_temporal = drawn % 7 == 2;
      lif.decay_input = drawn % 2;
      const bool constant = drawn % 5 == 3;
      const Surrogate surrogate{SurrogateKind(drawn % std::size(surrogate_names)), 0.9f, 1.3f};
      SCOPED_TRACE("form " + std::to_string(form) + " T " + std::to_string(T) + " drawn " + std::to_string(drawn));
      auto x = noise(constant ? N : T * N, 10 + drawn), v0 = noise(N, 2, 0.5f), gs = noise(T * N, 3), gv = noise(N, 4);
      std::vector<float> decay = noise(N, 5, 0.3f);
      for (float& a : decay) a = std::min(1.0f, std::fabs(a));
      if (drawn++ % 4 == 2) {  // membranes that meet the threshold tell ge from gt
        lif.input_scale = 1.0f, lif.v_th = 0.75f;
        for (float& a : x) a = std::round(4 * a) / 4;
        for (float& a : v0) a = std::round(4 * a) / 4;
        std::fill(decay.begin(), decay.end(), 0.5f);
      }
      const size_t step = constant ? 0 : N;
      scan::Forward f{lif, decay.data(), true, x.data(), T, N, v0.data(), nullptr, nullptr, nullptr, nullptr, step};
      scan::Backward b{lif, surrogate, decay.data(), true, x.data(), v0.data(), gs.data(), gv.data(), T, N, nullptr, nullptr, step};

      Results want(T, N, constant), got = want;
      run_threads(f, b, false, got);
      want.receive(f, b);
      scan::forward_reference(f, 0, N);
      scan::backward_reference(b, 0, N, want.grad_decay.data());
      EXPECT_TRUE(got == want);
      if (!few) continue;
      Results got_few(T, N, constant);
      run_threads(f, b, true, got_few);
      EXPECT_TRUE(got_few == want);
    }
}

TEST(ScanCuda, NoStepsHandTheGradientThrough) {
  const float gv = 0.25f;
  float grad_v0 = 0;
  cuda::BackwardArgs b{};
  b.N = 1, b.grad_v_last = &gv, b.grad_v0 = &grad_v0;
  EXPECT_EQ((cuda::backward_thread<plain::ResetForm<Reset::soft, ResetAt::same_step>, true>(b, 0, nullptr)), 0.0);
  EXPECT_EQ(grad_v0, 0.25f);
}

}  // namespace
}  // namespace apical::kernels
