// The fused scan as a torch function: its gradients against the equation written in plain autograd operations in float64.
#include "apical/nn/neuron.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apical/base/error.h"
#include "apical/nn/layers.h"
#include "apical/nn/network.h"
#include "apical/nn/recompute.h"
#include "apical/nn/testing_gradients.h"

namespace apical::nn {
namespace {

using kernels::Lif, kernels::Surrogate, kernels::SurrogateKind;

struct Reference {
  torch::Tensor spikes, last;
};
// x [T, B, N], all float64. A spike is a step function whose derivative is the surrogate.
Reference reference(const torch::Tensor& x, torch::Tensor v, const torch::Tensor& decay, const Lif& lif, const Surrogate& surrogate) {
  std::vector<torch::Tensor> all;
  const auto input = lif.decay_input ? 1 - decay : torch::full_like(decay, lif.input_scale);
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    const auto h = decay * (lif.detach_temporal ? v.detach() : v) + input * x[t];
    const auto u = h - lif.v_th;
    const auto line = h * slope(surrogate, u).detach();
    const auto s = (u >= 0).to(h.dtype()) + line - line.detach();
    const auto r = lif.detach_reset ? s.detach() : s;
    v = lif.reset == kernels::Reset::soft ? h - lif.v_th * r : h * (1 - r) + lif.v_reset * r;
    all.push_back(s);
  }
  return {torch::stack(all), v};
}

TEST(LIFNode, GradientsAreThoseOfTheEquationInFloat64) {
  const std::int64_t T = 7, B = 3, N = 41;
  int cases = 0;
  for (std::size_t kind = 0; kind < std::size(kernels::surrogate_names); ++kind)
    for (int bits = 0; bits < 64; ++bits) {
      const auto on = [&](int i) { return (bits >> i & 1) != 0; };
      Lif lif;
      lif.decay = 0.6f, lif.reset = on(0) ? kernels::Reset::soft : kernels::Reset::hard, lif.v_reset = on(0) ? 0.0f : -0.2f;
      lif.decay_input = on(1), lif.input_scale = on(1) ? 0.4f : 1.0f, lif.detach_reset = on(2), lif.detach_temporal = on(3);
      const bool learnt = on(4), constant = on(5);
      const Surrogate surrogate{static_cast<SurrogateKind>(kind), 0.8f, 1.4f};
      torch::manual_seed(bits);
      const auto x = (torch::rand({constant ? B : T * B, N}) * 2.4 - 0.4).requires_grad_();
      const auto v = (torch::rand({B, N}) - 0.3).requires_grad_();
      const auto decay = torch::full({1}, 0.6f).requires_grad_();
      const auto a = torch::randn({T * B, N}), b = torch::randn({B, N});
      const auto [spikes, last] = lif_scan({x, T, constant}, v, learnt ? decay : torch::Tensor(), lif, surrogate);
      ((spikes * a).sum() + (last * b).sum()).backward();

      const auto x64 = x.detach().to(torch::kFloat64).requires_grad_(), v64 = v.detach().to(torch::kFloat64).requires_grad_();
      const auto d64 = torch::full({B, N}, static_cast<double>(0.6f), torch::kFloat64).requires_grad_();  // each neuron's share
      const auto frames = constant ? x64.unsqueeze(0).expand({T, B, N}) : x64.view({T, B, N});
      const auto r = reference(frames, v64, d64, lif, surrogate);
      ((r.spikes.view({T * B, N}) * a.to(torch::kFloat64)).sum() + (r.last * b.to(torch::kFloat64)).sum()).backward();

      ASSERT_TRUE(spikes.detach().to(torch::kFloat64).equal(r.spikes.detach().round().view({T * B, N}))) << bits;
      EXPECT_GT(spikes.sum().item<float>(), 20);
      EXPECT_LT(relative(last.detach(), r.last.detach()), 1e-6) << bits;
      EXPECT_LT(relative(x.grad(), x64.grad()), 3e-6) << bits;
      EXPECT_LT(relative(v.grad(), v64.grad()), 3e-6) << bits;
      if (learnt) {
        const double off = std::abs(decay.grad().item<double>() - d64.grad().sum().item<double>());
        EXPECT_LT(off, 1e-6 * d64.grad().abs().sum().item<double>()) << bits << " " << kernels::surrogate_names[kind];
      }
      ++cases;
    }
  EXPECT_EQ(cases, 448);
}

TEST(LIFNode, BelowThresholdGradientsAreFiniteDifferences) {
  Lif lif;
  lif.decay = 0.75f, lif.v_th = 1000;
  const auto x = torch::rand({5 * 2, 3}).requires_grad_();
  const auto loss = [&](const torch::Tensor& input) { return lif_scan({input, 5, false}, {}, {}, lif, {}).second.square().sum(); };
  loss(x).backward();
  const double step = 1.0 / 64;
  for (const std::int64_t row : {0, 3, 9})
    for (std::int64_t n = 0; n < 3; ++n) {
      auto up = x.detach().clone(), down = x.detach().clone();
      up[row][n] += step, down[row][n] -= step;
      const double slope = (loss(up).item<double>() - loss(down).item<double>()) / (2 * step);
      EXPECT_NEAR(x.grad()[row][n].item<double>(), slope, 2e-3) << row << " " << n;
    }
}

// Three segments of the scan (kernels/neurons/scan_tile.h), a last one that is short, and neurons left over behind the last vector.
TEST(LIFNode, WritesTheGradientOverCurrentsOfItsOwn) {
  const std::int64_t T = 70, B = 3;
  for (const std::int64_t pool : {1, 2})
    for (const bool learnt : {false, true}) {
      torch::manual_seed(6);
      const auto leaf = (torch::rand({T * B, 5, 7, 9}) * 1.6 - 0.3).contiguous(at::MemoryFormat::ChannelsLast).requires_grad_();
      const auto decay = torch::full({1}, 0.6f, torch::requires_grad(learnt)), v = torch::rand({B, 5, 7, 9}).requires_grad_();
      Lif lif;
      lif.decay = 0.6f, lif.detach_reset = false;
      const Surrogate surrogate{SurrogateKind::atan, 0.8f, 1.4f};
      const void *currents = nullptr, *gradient = nullptr;
      const auto run = [&](bool own) {
        const auto y = leaf * 2;
        currents = y.data_ptr();
        y.register_hook([&](const torch::Tensor& g) { gradient = g.data_ptr(); });
        const auto [out, last] = lif_scan({y, T, false}, v, learnt ? decay : torch::Tensor(), lif, surrogate, pool, nullptr, own);
        return (out * torch::arange(out.numel()).view(out.sizes()).cos()).sum() + last.square().sum();
      };
      const auto backward = [&](const torch::Tensor& loss, bool keep) {
        std::vector<torch::Tensor> leaves{leaf, v};
        if (learnt) leaves.push_back(decay);
        return torch::autograd::grad({loss}, leaves, {}, keep);
      };
      const auto want = backward(run(false), false);
      EXPECT_NE(gradient, currents) << "they may be somebody else's";
      EXPECT_GT(want[0].abs().sum().item<float>(), 100);
      const auto loss = run(true);
      for (const bool keep : {true, true, false}) {
        const auto got = backward(loss, keep);
        EXPECT_EQ(gradient == currents, !keep) << "pool " << pool;
        for (std::size_t i = 0; i < want.size(); ++i)
          EXPECT_TRUE(got[i].equal(want[i])) << pool << " " << learnt << " " << keep << " " << i;
      }
      EXPECT_THROW(backward(loss, false), c10::Error) << "the currents are gone";
    }
}

// A part of a graph that is made again in backward (a checkpoint), here a network: backward within backward.
struct Checkpointed : torch::autograd::Function<Checkpointed> {
  using Part = std::function<torch::Tensor(const torch::Tensor&)>;
  struct Kept : torch::CustomClassHolder {
    explicit Kept(Part g) : f(std::move(g)) {}
    Part f;
  };
  static torch::Tensor forward(torch::autograd::AutogradContext* ctx, const torch::Tensor& x, const Part& f) {
    ctx->save_for_backward({x});
    ctx->saved_data["f"] = c10::IValue::make_capsule(c10::make_intrusive<Kept>(f));
    return f(x);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx, torch::autograd::variable_list grads) {
    const auto x = ctx->get_saved_variables()[0].detach().requires_grad_();
    at::AutoGradMode on(true);
    const auto y = c10::static_intrusive_pointer_cast<Kept>(ctx->saved_data["f"].toCapsule())->f(x);
    return {torch::autograd::grad({y}, {x}, {grads[0]})[0], torch::Tensor()};
  }
};

TEST(Network, GradientsOverCurrentsAreTheSameUnderRetainedGraphsAndCheckpoints) {
  const std::string toml =
      "T=40\n[neuron]\nv_th=0.4\nwidth=2.0\n[[layer]]\ntype='conv'\nchannels=4\n[[layer]]\ntype='norm'\n[[layer]]\ntype='lif'\n"
      "[[layer]]\ntype='pool'\n[[layer]]\ntype='lif'\n[[layer]]\ntype='flatten'\n[[layer]]\ntype='dense'\nunits=31\n"
      "[[layer]]\ntype='plif'\n[[layer]]\ntype='lif'\n";
  Network net(parse_network(Config::parse(toml, "net.toml"), {1, 6, 6}), 1);
  torch::manual_seed(2);
  const auto x = (torch::rand({40 * 5, 1, 6, 6}) * 4).requires_grad_();
  auto leaves = net->parameters();
  leaves.push_back(x);
  // Layer by layer the currents are the caller's, and no gradient is written over them.
  const auto whole = [&](const torch::Tensor& in) { return net->forward({in, 40, false}); };
  const auto apart = [&](const torch::Tensor& in) {
    Sequence s{in, 40, false};
    for (std::size_t i = 0; i < net->layers().size(); ++i) s = net->run(s, i, i + 1);
    return s.frames;
  };
  const auto a = torch::randn({40 * 5, 31});
  const auto want = torch::autograd::grad({(apart(x) * a).sum()}, leaves);
  EXPECT_GT(want[0].abs().sum().item<float>(), 0) << "a silent network proves nothing";
  const auto loss = (whole(x) * a).sum();
  for (const bool keep : {true, true, false}) {
    const auto got = torch::autograd::grad({loss}, leaves, {}, keep);
    for (std::size_t i = 0; i < want.size(); ++i) EXPECT_TRUE(got[i].equal(want[i])) << keep << " " << i;
  }
  const auto twice = [&](const auto& f) { return torch::autograd::grad({(f(x) * a).sum() + (f(x * 0.5) * a).sum()}, {x})[0]; };
  EXPECT_TRUE(twice([&](const torch::Tensor& in) { return Checkpointed::apply(in, whole); }).equal(twice(apart)));
}

TEST(IFNode, HasNoLeakSoItsInputIsNotScaledEither) {
  NeuronOptions o;
  o.decay_input = true;
  IFNode node(o);
  const auto spikes = node->run({torch::full({4, 1}, 0.5f), 4, false}, nullptr).frames;
  EXPECT_TRUE(spikes.view({4}).equal(torch::tensor({0.0f, 1.0f, 0.0f, 1.0f})));
}

TEST(LIFNode, StateCarriesASequenceInPieces) {
  LIFNode node(NeuronOptions{});
  const auto x = torch::rand({6 * 2, 5}) * 1.5;
  const auto whole = node->run({x, 6, false}, nullptr).frames;
  torch::Tensor v;
  const auto first = node->run({x.narrow(0, 0, 4), 2, false}, &v).frames, rest = node->run({x.narrow(0, 4, 8), 4, false}, &v).frames;
  EXPECT_TRUE(whole.equal(torch::cat({first, rest})));
}

// A neuron and the average pool behind it run in one go: the bits of one layer after the other.
TEST(Network, NeuronsAndTheirPoolInOneGo) {
  const std::string toml =
      "T=3\n[[layer]]\ntype='conv'\nchannels=5\n[[layer]]\ntype='plif'\ntau=1.7\n[[layer]]\ntype='pool'\n"
      "[[layer]]\ntype='lif'\ntau=2.0\n[[layer]]\ntype='pool'\n[[layer]]\ntype='flatten'\n[[layer]]\ntype='dense'\nunits=4\n";
  for (const bool constant : {false, true}) {
    Network net(parse_network(Config::parse(toml, "net.toml"), {1, 9, 11}), 1);  // 9 x 11, 4 x 5: pixels are left over
    const Sequence x{torch::rand({constant ? 2 : 6, 1, 9, 11}) * 4, 3, constant};
    std::vector<torch::Tensor> grads;
    const auto learn = [&](const torch::Tensor& y, const States& s) {
      net->zero_grad();
      (y.square().sum() + s[1].sum()).backward();
      for (const auto& p : net->parameters()) grads.push_back(p.grad().clone());
    };
    States states[2];
    Sequence apart = x;
    std::vector<std::uint64_t> fired, places, counted, neurons;
    for (std::size_t i = 0; i < net->layers().size(); ++i) {
      apart = net->run(apart, i, i + 1, &states[0]);
      if (!net->layers()[i]->has_state()) continue;
      fired.push_back(static_cast<std::uint64_t>(apart.frames.sum().item<double>()));
      places.push_back(static_cast<std::uint64_t>(apart.frames.numel()));
    }
    learn(apart.frames, states[0]);
    const auto whole = net->forward(x, &states[1], [&](const std::string&, std::uint64_t n, std::uint64_t of) {
      counted.push_back(n), neurons.push_back(of);
    });
    learn(whole, states[1]);
    EXPECT_TRUE(whole.equal(apart.frames));
    EXPECT_EQ(counted, fired);
    EXPECT_EQ(neurons, places);
    EXPECT_TRUE(fired.size() == 2 && fired[0] > 0 && fired[1] > 0);
    const std::size_t n = grads.size() / 2;
    EXPECT_EQ(n, 4u);
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_TRUE(grads[i].equal(grads[n + i])) << i;
      EXPECT_GT(grads[i].abs().sum().item<float>(), 0) << i;
    }
    EXPECT_TRUE(states[0][1].equal(states[1][1]) && states[0][3].equal(states[1][3]));
  }
}

TEST(Network, RefusesWhatCannotBe) {
  const auto refused = [](const std::string& toml) -> std::string {
    try {
      Network(parse_network(Config::parse(toml, "net.toml"), {1, 8, 8}), 1);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::usage);
      return std::string(e.what());
    }
    return "accepted";
  };
  const std::string rest = "[[layer]]\ntype='flatten'\n[[layer]]\ntype='dense'\nunits=3\n";
  using ::testing::HasSubstr;
  EXPECT_EQ(refused(rest), "accepted");
  EXPECT_THAT(refused("T=0\n" + rest), HasSubstr("T must be at least 1"));
  EXPECT_THAT(refused("[neuron]\ntau=-1.0\n[[layer]]\ntype='lif'\n" + rest), HasSubstr("tau must be >= 1"));
  EXPECT_THAT(refused("[[layer]]\ntype='cnov'\n" + rest), HasSubstr("no layer type 'cnov'"));
  EXPECT_THAT(refused("[[layer]]\ntype='conv'\nchanels=3\n" + rest), HasSubstr("chanels"));
  EXPECT_THAT(refused("[[layer]]\ntype='dense'\nunits=3\n"), HasSubstr("flat"));
  EXPECT_THAT(refused("T=4\n"), HasSubstr("no layers"));
}

TEST(Pool, GradientsAreTorchs) {
  for (const bool maximum : {false, true})
    for (const auto& [size, stride] : {std::pair<std::int64_t, std::int64_t>{2, 2}, {3, 2}, {2, 3}}) {
      torch::manual_seed(2);
      PoolImpl pool("pool", maximum, size, stride);
      const auto x = torch::randn({6, 5, 9, 7}).requires_grad_(), same = x.detach().clone().requires_grad_();
      const auto y = pool.run({x, 2, false}, nullptr).frames;
      const auto want = maximum ? torch::max_pool2d(same, size, stride) : torch::avg_pool2d(same, size, stride);
      const auto g = torch::randn_like(want);
      y.backward(g), want.backward(g);
      EXPECT_TRUE(torch::allclose(y, want, 1e-6, 1e-6)) << size << " " << stride;
      EXPECT_TRUE(torch::allclose(x.grad(), same.grad(), 1e-6, 1e-6)) << size << " " << stride;
    }
}

// Weights and inputs are small multiples of 1/64, so that every order of a sum gives the same currents: the spikes must be equal.
TEST(LIFNode, WithoutKeptCurrentsGivesTheSameSpikesAndGradients) {
  const auto grid = [](at::IntArrayRef shape, int bound) { return torch::randint(-bound, bound + 1, shape).to(torch::kFloat32) / 64; };
  for (const bool image : {false, true})
    for (const bool detach : {false, true}) {
      torch::manual_seed(4);
      const std::int64_t T = 45, B = 70;  // blocks of 7 steps or, of vectors, 12; the last one is shorter
      std::shared_ptr<LayerImpl> layer;
      if (image) layer = std::make_shared<ConvImpl>("c", ConvOptions{2, 3, 3, 1, 1, 1, true}, 1);
      else layer = std::make_shared<DenseImpl>("d", 20, 33, true, 1);
      {
        torch::NoGradGuard no_grad;
        for (auto& p : layer->parameters()) p.copy_(grid(p.sizes(), 40));
      }
      const auto x = (image ? grid({T * B, 2, 5, 4}, 64) : grid({T * B, 20}, 64)).requires_grad_();
      Lif lif;
      lif.decay = 0.5f, lif.reset = kernels::Reset::soft, lif.detach_temporal = detach;
      const Surrogate surrogate{SurrogateKind::sigmoid, 1.0f, 1.0f};
      const auto y = layer->run({x, T, false}, nullptr);
      const auto v = grid(y.frames.narrow(0, 0, B).sizes(), 30).requires_grad_();
      const auto a = torch::randn(y.frames.sizes()), b = torch::randn(v.sizes());
      std::uint64_t fired[2] = {};
      std::vector<torch::Tensor> results[2];
      for (const int recomputed : {0, 1}) {
        const auto [spikes, last] = recomputed ? lif_recomputed(layer, {x, T, false}, v, lif, surrogate, &fired[1])
                                               : lif_scan(layer->run({x, T, false}, nullptr), v, {}, lif, surrogate, 1, &fired[0]);
        auto leaves = layer->parameters();
        leaves.push_back(x), leaves.push_back(v);
        results[recomputed] = torch::autograd::grad({(spikes * a).sum() + (last * b).sum()}, leaves);
        results[recomputed].push_back(spikes.detach()), results[recomputed].push_back(last.detach());
      }
      EXPECT_EQ(fired[0], fired[1]);
      EXPECT_GT(fired[0], 1000u) << "a silent layer proves nothing";
      const std::size_t exact = results[0].size() - 2;
      for (std::size_t i = 0; i < results[0].size(); ++i) {
        if (i >= exact)
          EXPECT_TRUE(torch::equal(results[0][i], results[1][i])) << i;
        else
          EXPECT_LT(relative(results[1][i], results[0][i].to(torch::kFloat64)), 1e-5) << "image " << image << ", gradient " << i;
      }
    }
}

TEST(Network, EvaluatesFewSpikesBehindDenseLayersInOneGo) {
  const auto config = Config::parse(
      "T = 30\n[[layer]]\ntype = \"flatten\"\n[[layer]]\ntype = \"dense\"\nunits = 300\n[[layer]]\ntype = \"lif\"\n"
      "[[layer]]\ntype = \"dense\"\nunits = 7\n",
      "net.toml");
  Network network(parse_network(config, {1, 16, 16}), 1);
  torch::manual_seed(2);
  {
    torch::NoGradGuard no_grad;
    network->parameters()[0].mul_(8);
  }
  const auto x = (torch::rand({30 * 40, 1, 16, 16}) < 0.06).to(torch::kFloat32);
  std::uint64_t fired[2] = {};
  torch::Tensor out[2];
  States states[2];
  for (const int gradients : {0, 1}) {
    at::AutoGradMode mode(gradients);
    for (const int part : {0, 1}) {  // the state goes on
      const auto y = network->forward({x.narrow(0, 0, part ? 30 * 40 : 29 * 40), part ? 30 : 29, false}, &states[gradients],
                                      [&](const std::string&, std::uint64_t f, std::uint64_t) { fired[gradients] += f; });
      out[gradients] = part ? at::cat({out[gradients], y.detach()}) : y.detach();
    }
  }
  EXPECT_GT(fired[0], 1000u) << "a silent layer proves nothing";
  EXPECT_EQ(fired[0], fired[1]);
  EXPECT_TRUE(out[0].equal(out[1]));
  // It is that way, and no other: nothing else gives spikes without gradients here
  const auto* const dense = dynamic_cast<const DenseImpl*>(network->layers()[1].get());
  torch::NoGradGuard no_grad;
  EXPECT_TRUE(dense->spikes_behind({x.flatten(1), 30, false}, {}, Lif(), nullptr));
  EXPECT_FALSE(dense->spikes_behind({x.flatten(1) * 0.5, 30, false}, {}, Lif(), nullptr)) << "no spikes";
  EXPECT_FALSE(dense->spikes_behind({x.flatten(1).narrow(0, 0, 40), 30, true}, {}, Lif(), nullptr)) << "one frame for all steps";
}

TEST(Network, RecomputesBehindDenseAndConvLayers) {
  const auto config = [](const char* recompute) {
    return Config::parse(std::string("T = 40\nrecompute = ") + recompute +
                         "\n[[layer]]\ntype = \"conv\"\nchannels = 4\n[[layer]]\ntype = \"lif\"\n[[layer]]\ntype = \"pool\"\n[[layer]]\ntype = \"flatten\"\n"
                         "[[layer]]\ntype = \"dense\"\nunits = 30\n[[layer]]\ntype = \"plif\"\n[[layer]]\ntype = \"dense\"\nunits = 5\n", "net.toml");
  };
  Network plain(parse_network(config("false"), {1, 6, 6}), 1), lean(parse_network(config("true"), {1, 6, 6}), 1);
  torch::manual_seed(2);
  const auto x = torch::rand({40 * 20, 1, 6, 6}) * 3;
  std::vector<std::uint64_t> fired[2];
  torch::Tensor out[2];
  for (const int i : {0, 1}) {
    auto& network = i ? lean : plain;
    out[i] = network->forward({x, 40, false}, nullptr, [&](const std::string&, std::uint64_t f, std::uint64_t) { fired[i].push_back(f); });
    out[i].square().sum().backward();
  }
  EXPECT_EQ(fired[0].size(), 2u);
  EXPECT_EQ(fired[0], fired[1]);
  EXPECT_TRUE(torch::allclose(out[0], out[1], 1e-4, 1e-5));
  const auto a = plain->named_parameters(), b = lean->named_parameters();
  for (const auto& p : a) EXPECT_LT(relative(b[p.key()].grad(), p.value().grad().to(torch::kFloat64)), 1e-4) << p.key();
}

}  // namespace
}  // namespace apical::nn
