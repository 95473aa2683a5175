// The fused scans of more than LIF as torch functions: gradients against the equations in plain autograd operations in float64.
#include "apical/nn/neuron_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "apical/base/error.h"
#include "apical/nn/network.h"
#include "apical/nn/testing_gradients.h"

namespace apical::nn {
namespace {

using kernels::Alif, kernels::Cuba, kernels::Lif, kernels::MultiLif, kernels::RefractoryLif, kernels::Surrogate, kernels::SurrogateKind;
using torch::Tensor;

const Surrogate surrogate{SurrogateKind::sigmoid, 0.8f, 1.4f};

struct Run {
  Tensor spikes, state;
};

Tensor held(const Tensor& v, bool detach) { return detach ? v.detach() : v; }
Tensor scale_of(const Lif& lif, const Tensor& decay) { return lif.decay_input ? 1 - decay : torch::full_like(decay, lif.input_scale); }
Tensor after(const Lif& lif, const Tensor& h, const Tensor& s, double by) {
  const auto r = held(s, lif.detach_reset);
  return lif.reset == kernels::Reset::soft ? h - by * r : h * (1 - r) + lif.v_reset * r;
}

// x [T, B, N], state [kStates, B, N], p: [kParams, B, N], each neuron's share; all float64. The equations of kernels/neurons/models.h.
template <class Step>
Run over_time(const Tensor& x, Tensor state, bool detach_temporal, const Step& step) {
  std::vector<Tensor> all;
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    std::vector<Tensor> states = held(state, detach_temporal).unbind(0);
    all.push_back(step(x[t], states));
    state = torch::stack(states);
  }
  return {torch::stack(all), state};
}

Run reference(const Cuba& m, const Tensor& x, const Tensor& state, const Tensor& p) {
  return over_time(x, state, m.lif.detach_temporal, [&](const Tensor& in, std::vector<Tensor>& v) {
    v[0] = p[0] * v[0] + in;
    const auto h = p[1] * v[1] + scale_of(m.lif, p[1]) * v[0], s = spike(surrogate, h - m.lif.v_th);
    v[1] = after(m.lif, h, s, m.lif.v_th);
    return s;
  });
}
Run reference(const Alif& m, const Tensor& x, const Tensor& state, const Tensor& p) {
  return over_time(x, state, m.lif.detach_temporal, [&](const Tensor& in, std::vector<Tensor>& v) {
    const auto h = p[0] * v[0] + scale_of(m.lif, p[0]) * in, s = spike(surrogate, h - (m.lif.v_th + m.beta * v[1]));
    v[0] = after(m.lif, h, s, m.reset_by);
    v[1] = p[1] * v[1] + s;
    return s;
  });
}
Run reference(const RefractoryLif& m, const Tensor& x, const Tensor& state, const Tensor& p) {
  return over_time(x, state, m.lif.detach_temporal, [&](const Tensor& in, std::vector<Tensor>& v) {
    const auto awake = v[1] <= 0;
    const auto h = p[0] * v[0] + scale_of(m.lif, p[0]) * in, s = torch::where(awake, spike(surrogate, h - m.lif.v_th), torch::zeros_like(h));
    v[0] = torch::where(awake, after(m.lif, h, s, m.lif.v_th), v[0]);
    v[1] = torch::where(s > 0.5, torch::full_like(h, m.steps), (v[1] - 1).clamp_min(0)).detach();
    return s;
  });
}
Run reference(const MultiLif& m, const Tensor& x, const Tensor& state, const Tensor& p) {
  return over_time(x, state, m.detach_temporal, [&](const Tensor& in, std::vector<Tensor>& v) {
    const auto h = p[0] * v[0] + m.input_scale * in, line = h * ((h >= 0) & (h <= m.levels)).to(torch::kFloat64);
    const auto s = h.detach().clamp(0, m.levels).round() + line - line.detach();
    v[0] = h - held(s, m.detach_reset);
    return s;
  });
}

Lif lif_of(int bits) {
  const auto on = [&](int i) { return (bits >> i & 1) != 0; };
  Lif lif;
  lif.decay = 0.6f, lif.v_th = 0.9f, lif.reset = on(0) ? kernels::Reset::soft : kernels::Reset::hard, lif.v_reset = -0.2f;
  lif.decay_input = on(1), lif.input_scale = 0.8f, lif.detach_reset = on(2), lif.detach_temporal = on(3);
  return lif;
}
void make(int bits, Cuba& m) { m = {lif_of(bits), 0.7f}; }
void make(int bits, Alif& m) { m = {lif_of(bits), 0.85f, 0.3f, 0.7f}; }
void make(int bits, RefractoryLif& m) { m = {lif_of(bits), 2}; }
void make(int bits, MultiLif& m) { m = {0.6f, 1.7f, 3, (bits >> 2 & 1) != 0, (bits >> 3 & 1) != 0}; }
std::vector<float> params_of(const Cuba& m) { return {m.alpha, m.lif.decay}; }
std::vector<float> params_of(const Alif& m) { return {m.lif.decay, m.rho}; }
std::vector<float> params_of(const RefractoryLif& m) { return {m.lif.decay}; }
std::vector<float> params_of(const MultiLif& m) { return {m.decay}; }

void spoil(Cuba& m) { m.alpha = m.lif.decay = NAN; }
void spoil(Alif& m) { m.rho = m.lif.decay = NAN; }
void spoil(RefractoryLif& m) { m.lif.decay = NAN; }
void spoil(MultiLif& m) { m.decay = NAN; }

double number(const Tensor& t) { return t.item<double>(); }

template <class Model>
void expect_gradients(const char* name) {
  const std::int64_t T = 9, B = 3, N = 41, S = Model::kStates;
  for (int bits = 0; bits < 64; ++bits) {
    const bool learnt = (bits >> 4 & 1) != 0, constant = (bits >> 5 & 1) != 0;
    Model m;
    make(bits, m);
    torch::manual_seed(bits);
    const auto x = (torch::rand({constant ? B : T * B, N}) * 3 - 0.5).requires_grad_();
    auto state = torch::rand({S, B, N}) - 0.3;
    if (std::is_same_v<Model, RefractoryLif>) state[1] = torch::randint(0, 3, {B, N});
    state.requires_grad_();
    auto given = m;
    if (learnt) spoil(given);  // its values stand in params
    const auto params = torch::tensor(params_of(m)).requires_grad_();
    const auto a = torch::randn({T * B, N}), b = torch::randn({S, B, N});
    const auto [spikes, last] = neuron_scan({x, T, constant}, state, learnt ? params : Tensor(), given, surrogate);
    ((spikes * a).sum() + (last * b).sum()).backward();

    const auto x64 = x.detach().to(torch::kFloat64).requires_grad_(), s64 = state.detach().to(torch::kFloat64).requires_grad_();
    const auto p64 = params.detach().to(torch::kFloat64).view({-1, 1, 1}).expand({-1, B, N}).contiguous().requires_grad_();
    const auto r = reference(m, constant ? x64.unsqueeze(0).expand({T, B, N}) : x64.view({T, B, N}), s64, p64);
    ((r.spikes.view({T * B, N}) * a.to(torch::kFloat64)).sum() + (r.state * b.to(torch::kFloat64)).sum()).backward();

    ASSERT_TRUE(spikes.detach().to(torch::kFloat64).equal(r.spikes.detach().round().view({T * B, N}))) << name << " " << bits;
    EXPECT_GT(number(spikes.sum()), 20) << name << " " << bits;
    EXPECT_LT(relative(last.detach(), r.state.detach()), 2e-6) << name << " " << bits;
    EXPECT_LT(relative(x.grad(), x64.grad()), 5e-6) << name << " " << bits;
    EXPECT_LT(relative(state.grad(), s64.grad()), 5e-6) << name << " " << bits;
    for (std::int64_t k = 0; learnt && k < params.size(0); ++k) {
      const double off = std::abs(number(params.grad()[k]) - number(p64.grad()[k].sum()));
      EXPECT_LT(off, 2e-6 * number(p64.grad()[k].abs().sum())) << name << " " << bits << ", parameter " << k;
    }
  }
}

TEST(ModelNodes, GradientsAreThoseOfTheEquationsInFloat64) {
  expect_gradients<Cuba>("cuba"), expect_gradients<Alif>("adaptive"), expect_gradients<RefractoryLif>("refractory"), expect_gradients<MultiLif>("integer");
}

TEST(SlidingPSN, GradientsAreThoseOfTheEquationInFloat64) {
  const std::int64_t B = 3, N = 41;
  for (const std::int64_t K : {1, 3, 8})
    for (const std::int64_t T : {1, 6})
      for (const bool constant : {false, true}) {
        torch::manual_seed(K + T);
        const auto x = (torch::rand({constant ? B : T * B, N}) * 2 - 0.5).requires_grad_();
        const auto past = torch::rand({K - 1, B, N}), w = (torch::rand({K}) * 0.5 + 0.5).requires_grad_(), th = torch::full({1}, 0.4f).requires_grad_();
        const auto a = torch::randn({T * B, N});
        const auto [spikes, next] = sliding_scan({x, T, constant}, past, w, th, surrogate);
        (spikes * a).sum().backward();

        const auto f = [](const Tensor& t) { return t.detach().to(torch::kFloat64).requires_grad_(); };
        const auto x64 = f(x), w64 = f(w), th64 = f(th);
        const auto in = torch::cat({past.to(torch::kFloat64), constant ? x64.unsqueeze(0).expand({T, B, N}) : x64.view({T, B, N})});
        std::vector<Tensor> all;
        for (std::int64_t t = 0; t < T; ++t) {
          auto h = torch::zeros({B, N}, torch::kFloat64);
          for (std::int64_t k = 0; k < K; ++k) h = h + w64[k] * in[K - 1 + t - k];
          all.push_back(spike(surrogate, h - th64));
        }
        const auto s64 = torch::cat(all);
        (s64 * a.to(torch::kFloat64)).sum().backward();
        EXPECT_TRUE(spikes.detach().to(torch::kFloat64).equal(s64.detach().round()));
        EXPECT_GT(spikes.sum().item<float>(), 10);
        EXPECT_TRUE(next.to(torch::kFloat64).equal(in.detach().narrow(0, T, K - 1)));
        EXPECT_LT(relative(x.grad(), x64.grad()), 5e-6) << K << " " << T;
        EXPECT_LT(relative(w.grad(), w64.grad()), 5e-6) << K << " " << T;
        EXPECT_LT(relative(th.grad(), th64.grad()), 1e-5) << K << " " << T;
      }
}

// The whole loss of a layer whose threshold nobody reaches is smooth: its learnt time constants against finite differences.
TEST(ModelNodes, LearntTimeConstantsFollowFiniteDifferences) {
  NeuronOptions o;
  o.tau = 2.5, o.v_th = 1e6;
  const std::vector<std::shared_ptr<ModelNodeImpl>> layers{std::make_shared<CubaLIFImpl>(o, 3.0, true), std::make_shared<AdaptiveLIFImpl>(o, 5.0, 0.2, true),
                                                           std::make_shared<RefractoryLIFImpl>(o, 2, true)};
  torch::manual_seed(1);
  const auto x = torch::rand({5 * 2, 7});
  for (const auto& layer : layers) {
    const auto loss = [&] {
      Tensor state;
      layer->run({x, 5, false}, &state);
      return state.square().sum();
    };
    auto w = layer->parameters()[0];
    loss().backward();
    for (std::int64_t k = 0; k < w.size(0); ++k) {
      torch::NoGradGuard no_grad;
      const double step = 1.0 / 256, kept = w[k].item<double>();
      w[k] = kept + step;
      const double up = loss().item<double>();
      w[k] = kept - step;
      const double down = loss().item<double>();
      w[k] = kept;
      EXPECT_NEAR(w.grad()[k].item<double>(), (up - down) / (2 * step), 2e-3 * std::max(1.0, std::abs(up))) << k;
    }
  }
}

std::string net_of(const std::string& layer, bool image) {
  const std::string first = image ? "[[layer]]\ntype='conv'\nchannels=5\n" : "[[layer]]\ntype='flatten'\n[[layer]]\ntype='dense'\nunits=20\n";
  return "T=6\n" + first + "[[layer]]\n" + layer + "\n[[layer]]\ntype='flatten'\n[[layer]]\ntype='dense'\nunits=3\n";
}

const std::vector<std::string>& described() {
  static const std::vector<std::string> layers{"type='cuba_lif'\ntau_syn=3.0\nlearn=true", "type='adaptive_lif'\ntau_adapt=20.0\nbeta=0.1\nreset='hard'",
                                               "type='refractory_lif'\nrefractory=2", "type='integer_lif'\nlevels=8\nlearn=true",
                                               "type='sliding_psn'\nwindow=3\nv_th=0.5"};
  return layers;
}

// In images too, whose memory is channels last.
TEST(ModelNodes, StateCarriesASequenceInPieces) {
  for (const auto& layer : described())
    for (const bool image : {false, true}) {
      Network net(parse_network(Config::parse(net_of(layer, image), "net.toml"), {2, 5, 7}), 1);
      torch::manual_seed(3);
      const auto x = torch::rand({6 * 2, 2, 5, 7}) * 4;
      States whole, pieces;
      double fired = 0;
      const auto expected = net->forward({x, 6, false}, &whole, [&](const std::string&, std::uint64_t n, std::uint64_t) { fired += static_cast<double>(n); });
      EXPECT_GT(fired, 10) << layer;
      const auto first = net->forward({x.narrow(0, 0, 4), 2, false}, &pieces), rest = net->forward({x.narrow(0, 4, 8), 4, false}, &pieces);
      EXPECT_TRUE(torch::allclose(expected, torch::cat({first, rest}), 1e-5, 1e-6)) << layer;  // a product may sum other rows otherwise
      const std::size_t at = image ? 1 : 2;
      EXPECT_EQ(whole[at].size(1), 2) << layer;
      EXPECT_TRUE(torch::allclose(whole[at], pieces[at], 1e-5, 1e-6)) << layer;
      expected.square().sum().backward();
      for (const auto& p : net->named_parameters()) EXPECT_GT(p.value().grad().abs().sum().item<float>(), 0) << layer << ", " << p.key();
    }
}

TEST(ModelNodes, LowerToTheGraphWithLearntValues) {
  for (const auto& layer : described()) {
    Network net(parse_network(Config::parse(net_of(layer, true), "net.toml"), {2, 5, 7}), 1);
    {
      torch::NoGradGuard no_grad;
      for (const auto& p : net->named_parameters())
        if (p.key().find(".w") != std::string::npos && p.value().dim() == 1) p.value().add_(0.25);
    }
    net->detach_temporal(true);
    const auto g = net->lower("net");
    const auto& n = g.nodes[2];
    EXPECT_TRUE(graph::is_neuron(n.op)) << layer;
    if (const auto* s = std::get_if<graph::SlidingNeuron>(&n.op)) {
      EXPECT_EQ(s->v_th, 0.5f);
      EXPECT_EQ(g.tensors.at("sliding_psn1.weights").values, (graph::Floats{1.25f, 0.75f, 0.5f}));
      continue;
    }
    const auto& model = std::get<graph::SpikingNeuron>(n.op).model;
    const auto decay = [](double tau) { return static_cast<float>(1 / (1 + std::exp(0.25 - std::log(tau - 1)))); };
    if (const auto* m = std::get_if<Cuba>(&model)) {
      EXPECT_NEAR(m->alpha, decay(3), 1e-6);
      EXPECT_NEAR(m->lif.decay, decay(2), 1e-6);
      EXPECT_FALSE(m->lif.detach_temporal);
    }
    if (const auto* m = std::get_if<Alif>(&model)) {
      EXPECT_EQ(*m, (Alif{make_lif({.v_reset = 0.0}, 0.5), 0.95f, 0.1f, 1.0f}));
    }
    if (const auto* m = std::get_if<RefractoryLif>(&model)) {
      EXPECT_EQ(m->steps, 2);
    }
    if (const auto* m = std::get_if<MultiLif>(&model)) {
      EXPECT_NEAR(m->decay, decay(2), 1e-6);
      EXPECT_EQ(m->levels, 8);
    }
  }
}

TEST(ModelNodes, RefuseWhatCannotBe) {
  const auto refused = [](const std::string& layer) -> std::string {
    try {
      Network(parse_network(Config::parse(net_of(layer, true), "net.toml"), {2, 5, 7}), 1);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::usage);
      return std::string(e.what());
    }
    return "accepted";
  };
  using ::testing::HasSubstr;
  for (const auto& layer : described()) EXPECT_EQ(refused(layer), "accepted");
  EXPECT_THAT(refused("type='cubalif'"), HasSubstr("cuba_lif"));
  EXPECT_THAT(refused("type='cuba_lif'\ntau_sin=2.0"), HasSubstr("tau_syn"));
  EXPECT_THAT(refused("type='cuba_lif'\ntau_syn=0.5"), HasSubstr("tau_syn must be >= 1"));
  EXPECT_THAT(refused("type='cuba_lif'\ntau_syn=1.0\nlearn=true"), HasSubstr("must start above 1"));
  EXPECT_THAT(refused("type='adaptive_lif'\ntau_adapt=-3.0"), HasSubstr("tau_adapt must be >= 1"));
  EXPECT_THAT(refused("type='adaptive_lif'\nbeta=-1.0"), HasSubstr("beta must be >= 0"));
  EXPECT_THAT(refused("type='refractory_lif'\nrefractory=-1"), HasSubstr("refractory must lie in 0"));
  EXPECT_THAT(refused("type='integer_lif'\nlevels=256"), HasSubstr("levels must lie in 1 .. 255"));
  EXPECT_THAT(refused("type='integer_lif'\nv_th=1.0"), HasSubstr("v_th"));
  EXPECT_THAT(refused("type='sliding_psn'\nwindow=0"), HasSubstr("window must lie in 1 .. 1024"));
  EXPECT_THAT(refused("type='sliding_psn'\nwidth=0.0"), HasSubstr("width must be > 0"));
  EXPECT_THAT(refused("type='lif'\nlearn=true"), HasSubstr("learn"));
  Tensor state = torch::zeros({1, 2, 3});
  try {
    CubaLIF(NeuronOptions{}, 2.0)->run({torch::zeros({4, 3}), 2, false}, &state);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("the state is [1, 2, 3], [2, 2, 3] is needed"));
  }
}

}  // namespace
}  // namespace apical::nn
