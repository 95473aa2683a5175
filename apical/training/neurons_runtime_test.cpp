// Networks with every kind of neuron, exported, against what was trained: the same spikes, bit for bit.
#include <gtest/gtest.h>

#include "apical/nn/network.h"
#include "apical/runtime/session.h"
#include "apical/training/parity.h"

namespace apical::training {
namespace {

// Weights and inputs are small multiples of 1/64, so that every order of a sum gives the same currents.
torch::Tensor grid(at::IntArrayRef shape, int bound) { return torch::randint(-bound, bound + 1, shape).to(torch::kFloat32) / 64; }

TEST(NeuronsRuntime, FiresTheSameSpikes) {
  for (const std::string neuron : {"type='cuba_lif'\ntau_syn=3.0", "type='cuba_lif'\nlearn=true\nreset='hard'\nv_reset=-0.1", "type='adaptive_lif'\nlearn=true",
                                   "type='adaptive_lif'\ndecay_input=true\nbeta=0.05\nv_th=0.4", "type='refractory_lif'\nrefractory=2\nlearn=true",
                                   "type='integer_lif'\nlevels=5", "type='integer_lif'\nlevels=255\nlearn=true\ntau=1.5", "type='sliding_psn'\nwindow=3\nv_th=0.5"})
    for (const bool learnt : {false, true}) {
      const std::string layer = "[[layer]]\n" + neuron + "\n";
      nn::Network net(nn::parse_network(Config::parse("T=7\n[[layer]]\ntype='conv'\nchannels=9\n" + layer + "[[layer]]\ntype='flatten'\n[[layer]]\ntype='dense'\nunits=24\n" +
                                                          layer + "[[layer]]\ntype='dense'\nunits=4\n", "net.toml"), {2, 5, 6}), 1);
      torch::manual_seed(5);
      {
        torch::NoGradGuard no_grad;
        for (auto& p : net->parameters())
          if (p.dim() > 1 || p.size(0) > 4)
            p.copy_(grid(p.sizes(), p.dim() == 2 ? 20 : 40));
          else if (learnt)
            p.add_(0.125);  // a time constant that learnt, a threshold, a window
      }
      const auto x = torch::randint(0, 3, {7, 2, 5, 6}).to(torch::kFloat32);
      const auto trained = record_spikes(net, {x, 7, false});
      runtime::Session session(net->lower("net"), {.record_spikes = true});
      session.run({x.data_ptr<float>(), static_cast<std::size_t>(x.numel())});
      ASSERT_EQ(session.spikes().size(), 2u);
      for (std::size_t l = 0; l < 2; ++l) {
        const auto &a = session.spikes()[l], &b = trained[l];
        std::int64_t fired = 0, differ = 0;
        for (int t = 0; t < 7; ++t)
          for (std::int64_t k = 0; k < a.neurons; ++k) fired += a.spikes(t, k), differ += a.spikes(t, k) != b.spikes(t, k);
        EXPECT_EQ(a.bits, b.bits) << neuron;
        EXPECT_EQ(differ, 0) << neuron;
        EXPECT_GT(fired, 20) << neuron << ": a silent layer proves nothing";
      }
    }
}

}  // namespace
}  // namespace apical::training
