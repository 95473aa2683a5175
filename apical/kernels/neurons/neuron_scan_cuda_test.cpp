// The CUDA scans of models.h without a GPU: what a thread does (neuron_scan_cuda_thread.h), thread after thread on the host, against the
// scalar reference. Left to scan_cuda_check, on a GPU: the launch, the vote of a warp, the sum over blocks, and the device's arithmetic.
#include "apical/kernels/neurons/neuron_scan_cuda_thread.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "apical/base/philox.h"
#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/neuron_tile.h"
#include "apical/kernels/neurons/testing_models.h"
#include "apical/kernels/testing_noise.h"

namespace apical::kernels {
namespace {

using Floats = std::vector<float>;

constexpr Noise noise{17};

template <class Model>
struct Results {
  Floats state, s, h, grad_x, grad_state;
  std::vector<uint64_t> bits;
  std::vector<uint8_t> counts;
  std::vector<double> params;  // [kParams, N]
  Results(size_t T, size_t N)
      : state(Model::kStates * N, -1), s(T * N, -1), h(T * N, -1), grad_x(T * N, -1), grad_state(Model::kStates * N, -1),
        bits(T * words_per_row(N)), counts(T * N, 255), params(Model::kParams * N, -1) {}
  void receive(NeuronForward& f, NeuronBackward& b) {
    f.state = state.data(), f.spikes = bits.data(), f.counts = counts.data(), f.spikes_f = s.data(), f.h = h.data();
    b.grad_x = grad_x.data(), b.grad_state0 = grad_state.data();
  }
};

// Every thread of forward and of backward, with and without the gradients of the parameters.
template <class Model>
void run_threads(const Model& m, const Surrogate& surrogate, NeuronForward f, NeuronBackward like, Results<Model>& r) {
  constexpr size_t keep = cuda::kKeptSteps<Model>;
  Floats starts(cuda::segments(f.T, keep) * Model::kStates * f.N), kept(std::min(f.T, keep) * cuda::kStepStride<Model>);
  r.receive(f, like);
  const cuda::NeuronBackwardArgs<Model> b{like, m, surrogate, plain::surrogate_constant(surrogate), starts.data()};
  cuda::with_form(m, [&](auto form) {
    using F = decltype(form);
    for (size_t n = 0; n < words_per_row(f.N) * 64; ++n) cuda::neuron_forward_thread<F>(m, f, n);
    double sums[Model::kParams];
    for (size_t n = 0; n < f.N; ++n) cuda::neuron_backward_thread<F, false>(b, n, kept.data(), sums);
    const Floats grad_x = r.grad_x;
    std::fill(r.grad_x.begin(), r.grad_x.end(), -1.0f);
    for (size_t n = 0; n < f.N; ++n) {
      cuda::neuron_backward_thread<F, true>(b, n, kept.data(), sums);
      for (size_t k = 0; k < Model::kParams; ++k) r.params[k * f.N + n] = sums[k];
    }
    EXPECT_TRUE(same(r.grad_x, grad_x));
  });
}

template <class Model>
void run_reference(const Model& given, const Surrogate& surrogate, NeuronForward f, NeuronBackward b, Results<Model>& r) {
  const Model m = plain::normal(given);
  std::vector<double> lanes(Model::kParams * scan::kTile);
  r.receive(f, b);
  scan::neuron_forward_reference(m, f, 0, f.N);
  scan::neuron_backward_reference(m, surrogate, b, 0, f.N, lanes.data());
  for (size_t k = 0; k < Model::kParams; ++k) std::copy_n(lanes.data() + k * scan::kTile, f.N, r.params.data() + k * f.N);
}

template <class Model>
class NeuronScanCuda : public testing::Test {};
using Models = testing::Types<Cuba, Alif, RefractoryLif, MultiLif>;
TYPED_TEST_SUITE(NeuronScanCuda, Models);

// Batches are 8 steps, segments 32 or 64: lengths on and beside all of them.
TYPED_TEST(NeuronScanCuda, ThreadsGiveTheReferencesBits) {
  using Model = TypeParam;
  size_t drawn = 0;
  for (const Model& member : members<Model>())
    for (const size_t T : {1, 7, 8, 9, 32, 33, 64, 65, 100, 129, 170}) {
      ++drawn;
      const size_t N = drawn % 3 == 0 ? 1 : drawn % 3 == 1 ? 33 : 70;
      const Input input{int(drawn / 2 % 4)};
      Model m = member;
      Surrogate surrogate{SurrogateKind(drawn % std::size(surrogate_names)), 0.9f, 1.3f};
      set_detach(m, drawn % 2, drawn % 5 == 2);
      fit(m, input), fit(surrogate, input);
      SCOPED_TRACE("T " + std::to_string(T) + " N " + std::to_string(N) + " input " + std::to_string(int(input)) + " drawn " + std::to_string(drawn));
      const Floats x = noise(T * N, 100 + drawn, 1.0f, input), gs = noise(T * N, 3), gl = noise(Model::kStates * N, 4);
      Floats s0 = noise(Model::kStates * N, 2, 0.5f, input == Input::special ? Input::normal : input), own = noise(Model::kParams * N, 5, 0.2f);
      make_start<Model>(s0, N);
      for (float& a : own) a = std::min(1.0f, 0.3f + std::fabs(a));
      const float* params = drawn % 4 < 2 ? own.data() : nullptr;
      const bool zero = drawn % 7 == 3;  // no start, no gradient from behind
      const NeuronForward f{.x = x.data(), .T = T, .N = N, .params = params, .state0 = zero ? nullptr : s0.data()};
      const NeuronBackward b{.x = x.data(), .T = T, .N = N, .params = params, .state0 = f.state0, .grad_s = gs.data(),
                             .grad_state_last = zero ? nullptr : gl.data()};
      Results<Model> want(T, N), got(T, N);
      run_threads(m, surrogate, f, b, got);
      run_reference(m, surrogate, f, b, want);
      EXPECT_TRUE(same(got.state, want.state));
      EXPECT_TRUE(same(got.h, want.h));
      EXPECT_EQ(got.s, want.s);
      EXPECT_EQ(got.counts, want.counts);
      EXPECT_EQ(got.bits, want.bits);
      EXPECT_TRUE(same(got.grad_x, want.grad_x));
      EXPECT_TRUE(same(got.grad_state, want.grad_state));
      EXPECT_TRUE(same(got.params, want.params));
    }
}

TYPED_TEST(NeuronScanCuda, NoStepsHandStatesAndGradientsThrough) {
  using Model = TypeParam;
  const Model m = members<Model>()[0];
  const size_t N = 3;
  Floats start = noise(Model::kStates * N, 1), state(start.size()), g(start.size());
  const NeuronForward f{.x = nullptr, .T = 0, .N = N, .state0 = start.data(), .state = state.data()};
  cuda::NeuronBackwardArgs<Model> b{};
  b.N = N, b.model = m, b.grad_state_last = start.data(), b.grad_state0 = g.data();
  double sums[Model::kParams];
  using F = plain::ResetForm<Reset::hard, ResetAt::same_step>;
  for (size_t n = 0; n < N; ++n) {
    cuda::neuron_forward_thread<F>(m, f, n);
    cuda::neuron_backward_thread<F, true>(b, n, nullptr, sums);
    for (double sum : sums) EXPECT_EQ(sum, 0.0);
  }
  EXPECT_EQ(state, start);
  EXPECT_EQ(g, start);
}

}  // namespace
}  // namespace apical::kernels
