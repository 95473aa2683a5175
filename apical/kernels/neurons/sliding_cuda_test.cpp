// The CUDA kernels of sliding.h without a GPU: what a thread does (sliding_cuda_thread.h), thread after thread on the host, against the
// scalar reference. Left to scan_cuda_check, on a GPU: the launch, the vote of a warp, the sum over blocks, and the device's arithmetic.
#include "apical/kernels/neurons/sliding_cuda_thread.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "apical/base/philox.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/testing_models.h"
#include "apical/kernels/testing_noise.h"

namespace apical::kernels {
namespace {

using Floats = std::vector<float>;

constexpr Noise noise{19};

struct Results {
  Floats s, h, grad_x;
  std::vector<uint64_t> bits;
  std::vector<double> sums;  // [N, K + 1]
  Results(size_t K, size_t T, size_t N) : s(T * N, -1), h(T * N, -1), grad_x(T * N, -1), bits(T * words_per_row(N)), sums(N * (K + 1)) {}
  void receive(scan::Sliding& a) { a.spikes = bits.data(), a.spikes_f = s.data(), a.h = h.data(), a.grad_x = grad_x.data(); }
};

void run_threads(const scan::Sliding& like, Results& r) {
  Floats q(like.T * like.N, -1);
  cuda::SlidingBackward b{like, plain::surrogate_constant(like.surrogate), q.data()};
  r.receive(b);
  const size_t K = b.m.K;
  for (size_t batch = 0; batch < cuda::batches(b.T); ++batch) {
    for (size_t n = 0; n < words_per_row(b.N) * 64; ++n) cuda::sliding_forward_thread(b, n, batch);
    for (size_t n = 0; n < b.N; ++n) cuda::sliding_q_thread(b, n, batch);
  }
  for (size_t batch = 0; batch < cuda::batches(b.T); ++batch)
    for (size_t n = 0; n < b.N; ++n) cuda::sliding_grad_x_thread(b, n, batch);
  for (size_t n = 0; n < b.N; ++n) {
    double sums[cuda::kBatch];
    for (size_t k = 0; k < K; ++k) {
      if (k % cuda::kBatch == 0) cuda::sliding_weights_thread(b, n, k / cuda::kBatch, sums);
      r.sums[n * (K + 1) + k] = sums[k % cuda::kBatch];
    }
    r.sums[n * (K + 1) + K] = cuda::sliding_threshold_thread(b, n);
  }
}

void run_reference(scan::Sliding a, Results& r) {
  r.receive(a);
  scan::sliding_forward_reference(a, 0, a.N);
  for (size_t n = 0; n < a.N; ++n) scan::sliding_backward_reference(a, n, n + 1, r.sums.data() + n * (a.m.K + 1));
}

// Batches are 8 steps or weights, float sums 32 steps: lengths on and beside both, windows that reach before the first step.
TEST(SlidingCuda, ThreadsGiveTheReferencesBits) {
  size_t drawn = 0;
  for (const size_t K : {1, 2, 7, 8, 9, 16, 33})
    for (const size_t T : {1, 3, 8, 9, 31, 32, 33, 65, 100}) {
      ++drawn;
      const size_t N = drawn % 3 == 0 ? 1 : drawn % 3 == 1 ? 33 : 70;
      const Input input{int(drawn / 2 % 4)};
      Surrogate surrogate{SurrogateKind(drawn % std::size(surrogate_names)), 0.9f, 1.3f};
      fit(surrogate, input);
      SCOPED_TRACE("K " + std::to_string(K) + " T " + std::to_string(T) + " N " + std::to_string(N) + " input " + std::to_string(int(input)));
      const Floats x = noise(T * N, 100 + drawn, 1.0f, input), past = noise((K - 1) * N, 2, 1.0f, input), gs = noise(T * N, 3);
      Floats w = noise(K, 4, 0.5f, input == Input::quarters ? Input::quarters : Input::normal);
      if (drawn % 5 == 1) w[K - 1] = INFINITY;  // times nothing is nothing, times 0 would be NaN
      const float v_th = input == Input::denormal ? 6e-40f : input == Input::quarters ? 0.75f : 0.6f;
      const scan::Sliding a{{w.data(), K, v_th}, surrogate, x.data(), T, N, drawn % 2 ? past.data() : nullptr, nullptr, nullptr, nullptr,
                            gs.data(), nullptr};
      Results want(K, T, N), got(K, T, N);
      run_threads(a, got);
      run_reference(a, want);
      EXPECT_TRUE(same(got.h, want.h));
      EXPECT_EQ(got.s, want.s);
      EXPECT_EQ(got.bits, want.bits);
      EXPECT_TRUE(same(got.grad_x, want.grad_x));
      EXPECT_TRUE(same(got.sums, want.sums));
    }
}

}  // namespace
}  // namespace apical::kernels
