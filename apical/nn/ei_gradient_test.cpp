#include "apical/nn/ei_gradient.h"

#include <gtest/gtest.h>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/kernels/circuit/ei_walk.h"
#include "apical/nn/testing_gradients.h"

namespace apical::nn {
namespace {

using torch::Tensor;

brain::EiCircuit circuit() {
  brain::EiCircuit c(
      {.inputs = 3,
       .populations = {{"E", 8, true, {.V_th_reset = -48, .a = 0.01, .b = 0.02, .tau_2 = 200, .R_1 = 0.5, .A_1 = 20, .A_2 = -20}},
                       {"I", 4, false, {}}}});
  Random random(8, "ei gradient test");
  for (std::size_t k = 0; k < c.weights.size(); ++k) c.weights[k] = 60 * random.normal() * (k < c.inputs() * c.neurons() ? 8.0f : 1.0f);
  c.obey_dale();
  return c;
}
Tensor input() {
  Random random(9, "ei gradient test");
  auto in = torch::zeros({130, 3, 3}, torch::kUInt8);
  for (std::int64_t i = 0; i < in.numel(); ++i) in.data_ptr<std::uint8_t>()[i] = random.uniform() < 0.2f;
  return in;
}

// The equations of ei_walk.h in plain autograd operations, float64.
Tensor reference(const brain::EiCircuit& c, const Tensor& w, const Tensor& in, const EiSurrogate& s) {
  using namespace kernels;
  const std::int64_t n = c.neurons(), E = c.excitatory(), inputs = c.inputs();
  const auto k = torch::tensor(c.constants(), torch::kFloat64).view({static_cast<std::int64_t>(kEiConstants), n});
  const auto row = [&](EiConstant i) { return k[static_cast<std::int64_t>(i)]; };
  const auto zero = torch::zeros({in.size(1), n}, torch::kFloat64);
  const Surrogate triangle{SurrogateKind::triangle, static_cast<float>(s.height / s.width), static_cast<float>(s.width)};
  Tensor v = zero, th = row(ei_threshold_start).expand_as(zero), i1 = zero, i2 = zero, ex = zero, ih = zero, fired = zero;
  std::vector<Tensor> all;
  for (std::int64_t t = 0; t < in.size(0); ++t) {
    const auto v1 = row(ei_membrane) * v + row(ei_drive) * (i1 + i2 + ex + ih);
    const auto th1 = row(ei_threshold) * th + row(ei_follow) * v + row(ei_rest);
    i1 = row(ei_current_1) * i1, i2 = row(ei_current_2) * i2;
    ex = row(ei_excitatory) * ex + torch::matmul(in[t].to(torch::kFloat64), w.narrow(0, 0, inputs)) +
         torch::matmul(fired.narrow(1, 0, E), w.narrow(0, inputs, E));
    ih = row(ei_inhibitory) * ih + torch::matmul(fired.narrow(1, E, n - E), w.narrow(0, inputs + E, n - E));
    fired = spike(triangle, v1 - th1);
    const auto of_v = s.detach_reset ? fired.detach() : fired;
    v = v1 * (1 - of_v) + row(ei_reset) * of_v;
    th = th1 * (1 - fired) + torch::max(row(ei_threshold_reset).expand_as(th1), th1) * fired;
    i1 = i1 * (1 - fired) + (row(ei_keep_1) * i1 + row(ei_jump_1)) * fired;
    i2 = i2 * (1 - fired) + (row(ei_keep_2) * i2 + row(ei_jump_2)) * fired;
    all.push_back(fired);
  }
  return torch::stack(all);
}

TEST(EiGradient, AgreesWithAutograd) {
  const auto c = circuit();
  const auto in = input();
  torch::manual_seed(1);
  const auto weight_of = torch::randn({in.size(0), in.size(1), static_cast<std::int64_t>(c.neurons())}, torch::kFloat64);
  for (const bool detach : {false, true}) {
    const EiSurrogate s{0.5, 16, detach};  // exact in float32, too
    const auto leaf = [&] {
      return torch::tensor(std::vector<double>(c.weights.begin(), c.weights.end()), torch::kFloat64).view({15, 12}).set_requires_grad(true);
    };
    const auto ours = leaf(), theirs = leaf();
    const auto spikes = ei_spikes(c, ours, in, s), want = reference(c, theirs, in, s);
    ASSERT_GT(want.sum().item<double>(), 100);
    ASSERT_LT((spikes - want).abs().max().item<double>(), 1e-9);
    (spikes * weight_of).sum().backward(), (want * weight_of).sum().backward();
    EXPECT_LT(relative(ours.grad(), theirs.grad()), 1e-9) << detach;
  }
}

// What a step of an optimiser does to the tensor, it has done to the circuit.
TEST(EiGradient, LearnsInTheCircuitsOwnMemory) {
  auto c = circuit();
  const auto before = c.weights;
  EiWeights w(c);
  EXPECT_EQ(w.all().numel(), static_cast<std::int64_t>(before.size()));
  EXPECT_EQ(w.input.data_ptr<float>(), c.weights.data());
  torch::optim::SGD sgd({w.input, w.recurrent}, 1.0);
  ei_spikes(c, w.all(), input(), {}).sum().backward();
  sgd.step();
  const auto inputs = static_cast<std::ptrdiff_t>(c.inputs() * c.neurons());
  EXPECT_FALSE(std::equal(before.begin(), before.begin() + inputs, c.weights.begin()));
  EXPECT_FALSE(std::equal(before.begin() + inputs, before.end(), c.weights.begin() + inputs));
}

TEST(EiGradient, RefusesOtherShapes) {
  auto c = circuit();
  const auto w = EiWeights(c).all();
  EXPECT_THROW(ei_spikes(c, w, torch::zeros({5, 2, 4}, torch::kUInt8), {}), Error);
  EXPECT_THROW(ei_spikes(c, w, torch::zeros({5, 2, 3}), {}), Error);
  EXPECT_THROW(ei_spikes(c, w.t(), input(), {}), Error);
  EXPECT_THROW(ei_spikes(c, w, input(), {0.3, 0}), Error);
}

}  // namespace
}  // namespace apical::nn
