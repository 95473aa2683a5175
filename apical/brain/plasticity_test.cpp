// Synapses that learn against sums over all pairs of spikes, and against NEST.
#include "apical/brain/plasticity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/base/thread_pool.h"
#include "apical/brain/network.h"
#include "apical/formats/npy.h"

namespace apical::brain {
namespace {

constexpr double kDt = 0.1;

// Neurons that spike at given times (steps) and at no others.
Population relays(Network& net, const std::vector<std::vector<std::int64_t>>& trains, const Parameters& more = {}) {
  Parameters p{{"t_ref", 0.0}, {"V_th", 1e7}};
  p.insert(more.begin(), more.end());
  const auto all = net.create("iaf_psc_delta", static_cast<std::uint32_t>(trains.size()), p);
  for (std::uint32_t i = 0; i < trains.size(); ++i) {
    std::vector<double> times;
    for (const auto s : trains[i]) times.push_back(static_cast<double>(s - 1) * kDt);
    net.connect(SpikeGenerator{times}, all.slice(i, 1), 1e8, kDt);
  }
  return all;
}

// Irregular trains with bursts and a silence in which all traces vanish.
std::vector<std::vector<std::int64_t>> trains(std::size_t n, const char* name) {
  Random random(3, name);
  std::vector<std::vector<std::int64_t>> all(n);
  for (auto& train : all) {
    std::int64_t at = 2;
    for (int k = 0; k < 60; ++k) {
      const double gap = k % 20 < 8 ? random.uniform(1, 30) : k == 40 ? 16000 : random.uniform(50, 600);
      train.push_back(at += 1 + static_cast<std::int64_t>(gap));
    }
  }
  return all;
}

using Numbers = std::map<std::string, double>;

// The weight at the end of step `last` by the definition of the rule: events in order, each with a sum over the other side's spikes.
double by_pairs(const std::string& model, const Numbers& p, double tau_minus, double tau_slow, double w, std::int64_t delay,
                const std::vector<std::int64_t>& pre, const std::vector<std::int64_t>& post, std::int64_t last) {
  const bool nearest = model == "stdp_nn_symm_synapse", tie = p.count("tie") && p.at("tie") == 1;
  const auto trace = [&](const std::vector<std::int64_t>& spikes, std::int64_t shift, std::int64_t until, double tau, bool only_last) {
    double sum = 0;
    for (const auto s : spikes) {
      if (s + shift >= until) break;
      const double one = std::exp(-static_cast<double>(until - s - shift) * kDt / tau);
      sum = only_last ? one : sum + one;
    }
    return sum;
  };
  const auto is_at = [](const std::vector<std::int64_t>& spikes, std::int64_t step) {
    return std::binary_search(spikes.begin(), spikes.end(), step);
  };
  struct Event {
    std::int64_t step;
    bool source;
    bool operator<(const Event& e) const { return std::tie(step, source) < std::tie(e.step, e.source); }
  };
  std::vector<Event> events;
  for (const auto s : pre) events.push_back({s, true});
  for (const auto s : post) events.push_back({s + delay, false});
  std::sort(events.begin(), events.end());
  for (const auto& [step, source] : events) {
    if (step > last) break;
    const double k = source ? trace(post, delay, step, tau_minus, nearest) + (tie && is_at(post, step - delay))
                            : trace(pre, 0, step, p.at("tau_plus"), nearest);
    if (model == "stdp_triplet_synapse") {
      const double slow = source ? trace(pre, 0, step, p.at("tau_plus_triplet"), false) : trace(post, delay, step, tau_slow, false);
      w = source ? std::max(0.0, w - k * (p.at("Aminus") + p.at("Aminus_triplet") * slow))
                 : std::min(p.at("Wmax"), w + k * (p.at("Aplus") + p.at("Aplus_triplet") * slow));
    } else if (model == "oja_synapse") {
      const double y = trace(post, delay, step, tau_minus, false) / tau_minus;
      if (!source) w = std::clamp(w + p.at("eta") * (k / p.at("tau_plus") - p.at("alpha") * w * y), 0.0, p.at("Wmax"));
    } else if (model == "stdp_pl_synapse_hom") {
      w = source ? std::max(0.0, w - p.at("lambda") * p.at("alpha") * w * k) : w + p.at("lambda") * std::pow(w, p.at("mu")) * k;
    } else {
      const double x = w / p.at("Wmax"), step_size = p.at("lambda") * k;
      w = p.at("Wmax") * (source ? std::max(0.0, x - p.at("alpha") * step_size * std::pow(x, p.at("mu_minus")))
                                 : std::min(1.0, x + step_size * std::pow(1 - x, p.at("mu_plus"))));
    }
  }
  return w;
}

const std::vector<std::pair<std::string, Numbers>> kRules{
    {"stdp_synapse", {{"tau_plus", 15}, {"lambda", 0.03}, {"alpha", 1.05}, {"mu_plus", 1}, {"mu_minus", 1}, {"Wmax", 70}}},
    {"stdp_synapse", {{"tau_plus", 25}, {"lambda", 0.1}, {"alpha", 0.9}, {"mu_plus", 0}, {"mu_minus", 0}, {"Wmax", 70}}},
    {"stdp_synapse", {{"tau_plus", 15}, {"lambda", 0.05}, {"alpha", 0.9}, {"mu_plus", 0.4}, {"mu_minus", 0.7}, {"Wmax", 90}}},
    {"stdp_synapse", {{"tau_plus", 25}, {"lambda", 0.1}, {"alpha", 0.9}, {"mu_plus", 0}, {"mu_minus", 0}, {"Wmax", 70}, {"tie", 1}}},
    {"stdp_synapse", {{"tau_plus", 15}, {"lambda", 0.05}, {"alpha", 0.9}, {"mu_plus", 0.4}, {"mu_minus", 0.7}, {"Wmax", 90}, {"tie", 1}}},
    {"stdp_nn_symm_synapse", {{"tau_plus", 12}, {"lambda", 0.1}, {"alpha", 1.1}, {"mu_plus", 1}, {"mu_minus", 0.5}, {"Wmax", 80}}},
    {"stdp_pl_synapse_hom", {{"tau_plus", 17}, {"lambda", 0.05}, {"alpha", 0.2}, {"mu", 0.4}}},
    {"oja_synapse", {{"tau_plus", 18}, {"eta", 20}, {"alpha", 0.02}, {"Wmax", 70}}},
    {"stdp_triplet_synapse",
     {{"tau_plus", 14},
      {"tau_plus_triplet", 80},
      {"Aplus", 0.3},
      {"Aminus", 0.9},
      {"Aplus_triplet", 0.2},
      {"Aminus_triplet", 0.1},
      {"Wmax", 60}}}};

TEST(Plasticity, WeightsAreThoseOfAllPairsOfSpikes) {
  const auto pre = trains(9, "pre"), post = trains(11, "post");
  for (const bool double_precision : {true, false})
    for (const auto& [model, parameters] : kRules) {
      Network net({.dt = kDt, .double_precision = double_precision});
      const auto from = relays(net, pre), to = relays(net, post, {{"tau_minus", 22.0}, {"tau_minus_triplet", 70.0}});
      const auto projection =
          net.connect(from, to, Rule::all_to_all(),
                      {.weight = Value::uniform(20, 60), .delay = Value::uniform(0.1, 6), .model = model, .parameters = parameters});
      const SynapseTable first = net.synapses(projection);
      ASSERT_EQ(first.weight.size(), 99u);
      double moved = 0, worst = 0;
      for (const std::int64_t last : {437, 5501, 14000, 31000}) {  // in bursts, in the silence, after it
        net.simulate(static_cast<double>(last) * kDt - net.time());
        const SynapseTable now = net.synapses(projection);
        for (std::size_t i = 0; i < 99; ++i) {
          const double want = by_pairs(model, parameters, 22, 70, first.weight[i], std::llround(now.delay[i] / kDt), pre[now.source[i]],
                                       post[now.target[i]], last);
          worst = std::max(worst, std::fabs(now.weight[i] - want));
          moved = std::max(moved, std::fabs(now.weight[i] - first.weight[i]));
        }
      }
      EXPECT_LT(worst, double_precision ? 1e-11 : 1e-3) << model;
      EXPECT_GT(moved, 20) << model;
    }
}

// The weight of stdp_dopamine_synapse at the end of step `last`: c is a sum over all pairs so far, n one over all spikes of dopamine, and
// between two events of any kind w' = c (n - b) has a closed form.
double by_dopamine(const Numbers& p, double tau_minus, double w, std::int64_t delay, const std::vector<std::int64_t>& pre,
                   const std::vector<std::int64_t>& post, const std::vector<std::int64_t>& dopamine, std::int64_t last) {
  const double tau_c = p.at("tau_c"), tau_n = p.at("tau_n"), tau = 1 / (1 / tau_c + 1 / tau_n);
  const auto decay = [](std::int64_t steps, double tau_x) { return std::exp(-static_cast<double>(steps) * kDt / tau_x); };
  std::vector<std::int64_t> events{last};
  for (const auto s : pre) events.push_back(s);
  for (const auto s : post) events.push_back(s + delay);
  for (const auto s : dopamine) events.push_back(s);
  std::sort(events.begin(), events.end());
  for (std::size_t e = 0; e + 1 < events.size() && events[e + 1] <= last; ++e) {
    const std::int64_t from = events[e], to = events[e + 1];
    double c = 0, n = 0;
    for (const auto s : pre)
      for (const auto t : post) {
        if (s <= from && t + delay < s) c -= p.at("A_minus") * decay(s - t - delay, tau_minus) * decay(from - s, tau_c);
        if (t + delay <= from && s < t + delay)
          c += p.at("A_plus") * decay(t + delay - s, p.at("tau_plus")) * decay(from - t - delay, tau_c);
      }
    for (const auto s : dopamine)
      if (s <= from) n += decay(from - s, tau_n) / tau_n;
    w += c * (n * tau * (1 - decay(to - from, tau)) - p.at("b") * tau_c * (1 - decay(to - from, tau_c)));
  }
  return w;
}

TEST(Plasticity, DopamineTurnsPairsOfSpikesIntoWeight) {
  const auto pre = trains(3, "pre"), post = trains(4, "post");
  std::vector<std::int64_t> dopamine;
  Random random(5, "dopamine");
  for (std::int64_t s = 40; s < 27000; s += 1 + static_cast<std::int64_t>(random.uniform(1, 400))) dopamine.push_back(s);
  const Numbers parameters{{"tau_plus", 15}, {"A_plus", 2}, {"A_minus", 2.4}, {"tau_c", 300}, {"tau_n", 60}, {"b", 0.02}, {"Wmax", 1000}};
  for (const bool double_precision : {true, false}) {
    Network net({.dt = kDt, .double_precision = double_precision});
    const auto from = relays(net, pre), to = relays(net, post, {{"tau_minus", 22.0}}), releases = relays(net, {dopamine});
    const auto projection = net.connect(from, to, Rule::all_to_all(),
                                        {.weight = Value::uniform(400, 600),
                                         .delay = Value::uniform(0.1, 6),
                                         .model = "stdp_dopamine_synapse",
                                         .parameters = parameters,
                                         .volume_transmitter = releases});
    const SynapseTable first = net.synapses(projection);
    double moved = 0, worst = 0;
    for (const std::int64_t last : {437, 5501, 14000, 31000}) {
      net.simulate(static_cast<double>(last) * kDt - net.time());
      const SynapseTable now = net.synapses(projection);
      for (std::size_t i = 0; i < now.weight.size(); ++i) {
        const double want = by_dopamine(parameters, 22, first.weight[i], std::llround(now.delay[i] / kDt), pre[now.source[i]],
                                        post[now.target[i]], dopamine, last);
        worst = std::max(worst, std::fabs(now.weight[i] - want) / want);
        moved = std::max(moved, std::fabs(now.weight[i] - first.weight[i]));
      }
    }
    EXPECT_LT(worst, double_precision ? 1e-9 : 1e-4);
    EXPECT_GT(moved, 20);
  }
}

TEST(Plasticity, OjasRuleBringsTheNormToOneOverAlpha) {
  // A target without leak fires once for each 10 mV that arrive: its rate is linear in the weights, a tenth of their sum with the rates of
  // the sources. So the sum of squares comes to 10 / alpha, and the weights to the direction of the rates.
  constexpr std::uint32_t sources = 20;
  Network net({.dt = 0.5, .seed = 2});
  const auto from = net.create("parrot_neuron", sources);
  const auto to =
      net.create("iaf_psc_delta", 2, {{"tau_m", 1e12}, {"t_ref", 0.0}, {"V_th", -60.0}, {"V_reset", -70.0}, {"tau_minus", 2000.0}});
  std::vector<double> rate;
  double length = 0;
  for (std::uint32_t i = 0; i < sources; ++i) {
    rate.push_back(15.0 + 2 * i), length += rate[i] * rate[i];
    net.connect(PoissonGenerator{.rate = rate[i]}, from.slice(i, 1));
  }
  std::vector<Projection> projections;
  for (std::uint32_t k = 0; k < 2; ++k)  // from below, from above
    projections.push_back(net.connect(from, to.slice(k, 1), Rule::all_to_all(),
                                      {.weight = k == 0 ? 0.06 : 0.5,
                                       .model = "oja_synapse",
                                       .parameters = {{"tau_plus", 300}, {"eta", 0.1}, {"alpha", 10}, {"Wmax", 5}}}));
  net.simulate(60000);
  for (const auto p : projections) {
    const SynapseTable t = net.synapses(p);
    double squares = 0, along = 0;
    for (std::uint32_t i = 0; i < sources; ++i) squares += t.weight[i] * t.weight[i], along += t.weight[i] * rate[t.source[i]];
    EXPECT_NEAR(std::sqrt(squares), 1, 0.07);
    EXPECT_GT(along / std::sqrt(squares * length), 0.98);
  }
}

TEST(Plasticity, AgreesWithNest) {
  std::ifstream in(APICAL_SOURCE_DIR "/tests/golden/nest/synapses.json");
  const auto golden = nlohmann::json::parse(in);
  EXPECT_EQ(golden.at("nest"), "3.10.0");
  ASSERT_EQ(golden.at("runs").size(), 26u);
  for (const auto& run : golden.at("runs")) {
    const std::string model = run.at("model");
    const std::vector<std::int64_t> pre = run.at("pre"), post = run.at("post");
    const std::vector<double> want = run.at("weights");
    const double delay = kDt * run.at("delay_steps").get<double>();
    Network net({.dt = kDt, .double_precision = true});
    const Parameters still{{"tau_minus", run.at("tau_minus").get<double>()},
                           {"tau_minus_triplet", run.at("tau_minus_triplet").get<double>()},
                           {"tau_m", 1e12},
                           {"E_L", 0.0},
                           {"V_reset", -1.0}};
    const auto from = relays(net, {pre}), to = relays(net, {post}, still);
    Synapses synapses{
        .weight = run.at("weight").get<double>(), .delay = delay, .model = model, .parameters = run.at("parameters").get<Numbers>()};
    if (run.contains("dopamine")) synapses.volume_transmitter = relays(net, {run.at("dopamine").get<std::vector<std::int64_t>>()});
    const auto projection = net.connect(from, to, Rule::one_to_one(), synapses);
    const auto& meter = net.record(to, {"V_m"}, kDt);
    if (model == "tsodyks2_synapse") {
      net.simulate(static_cast<double>(pre.back() + 20) * kDt);
      for (std::size_t i = 0; i < pre.size(); ++i) {
        const std::int64_t arrival = pre[i] + run.at("delay_steps").get<std::int64_t>();
        if (std::find(post.begin(), post.end(), arrival) != post.end()) continue;  // a reset
        const auto sample = static_cast<std::size_t>(arrival - 1);
        ASSERT_NEAR(meter.at(sample, 0, 0) - meter.at(sample - 1, 0, 0), want[i], 1e-7) << "spike " << i;
      }
      continue;
    }
    for (std::size_t i = 0; i < pre.size(); ++i) {
      net.simulate(static_cast<double>(pre[i]) * kDt - net.time());
      ASSERT_NEAR(net.synapses(projection).weight[0], want[i], 1e-10) << model << " spike " << i;
    }
  }
}

// A network in which all of them learn and fire by each other.
struct Learners {
  Network net;
  Population e, i;
  std::vector<Projection> projections;
  const SpikeRecord* spikes;
  const WeightRecord* weights;

  explicit Learners(std::uint64_t seed = 3)
      : net({.dt = kDt, .seed = seed}),
        e(net.create("iaf_psc_exp", 300, {{"tau_minus", 3.0}, {"V_m", Value::normal(-60, 4)}})),
        i(net.create("iaf_psc_exp", 133, {{"tau_syn_in", 5.0}, {"tau_minus", 4.0}})) {
    for (const auto& [model, parameters] : kRules) {
      auto p = parameters;
      p["tau_plus"] = 2;  // short, so that sources are settled now and then
      projections.push_back(
          net.connect(e, e, Rule::fixed_indegree(20),
                      {.weight = Value::uniform(10, 50), .delay = Value::uniform(1, 4), .model = model, .parameters = p}));
    }
    projections.push_back(net.connect(e, e, Rule::fixed_indegree(20),
                                      {.weight = Value::uniform(10, 50),
                                       .delay = Value::uniform(1, 4),
                                       .model = "stdp_dopamine_synapse",
                                       .parameters = {{"tau_c", 40}, {"tau_n", 20}, {"b", 0.5}},
                                       .volume_transmitter = i.slice(5, 100)}));
    projections.push_back(net.connect(e.slice(20, 150), i.slice(3, 90), Rule::pairwise_bernoulli(0.2),
                                      {.weight = 30, .delay = 1.5, .model = "stdp_synapse"}));
    projections.push_back(
        net.connect(i, e, Rule::fixed_total_number(9000), {.weight = -60, .delay = Value::uniform(1, 2), .model = "tsodyks2_synapse"}));
    projections.push_back(net.connect(e, i, Rule::fixed_indegree(30), {.weight = 20, .delay = 1}));
    net.connect(PoissonGenerator{.rate = 9000}, e, 28);
    net.connect(PoissonGenerator{.rate = 9000}, i, 25);
    spikes = &net.record_spikes(e);
    weights = &net.record_weights(projections[0], 5.3, 100);
  }
  std::vector<double> state() {
    std::vector<double> all;
    for (const auto p : projections) {
      const SynapseTable t = net.synapses(p);
      for (const auto* v : {&t.weight, &t.delay}) all.insert(all.end(), v->begin(), v->end());
      for (const auto* v : {&t.source, &t.target}) all.insert(all.end(), v->begin(), v->end());
    }
    return all;
  }
};

class LearningThreads : public testing::Test {
 protected:
  void TearDown() override { set_thread_count(2); }
};

TEST_F(LearningThreads, NeitherTheirNumberNorCutsOfTimeChangeABit) {
  set_thread_count(1);
  Learners one;
  const auto first = one.state();
  one.net.simulate(150);
  EXPECT_GT(one.net.spikes(one.e), 1000u);
  const auto want = one.state();
  EXPECT_NE(want, first);
  EXPECT_EQ(one.weights->samples(), 28u);
  for (const int threads : {2, 7}) {
    set_thread_count(threads);
    Learners other;
    for (const double ms : {0.1, 49.9, 30.7, 0.3, 69.0}) other.net.simulate(ms);
    EXPECT_EQ(other.state(), want) << threads << " threads";
    EXPECT_EQ(other.spikes->neuron, one.spikes->neuron);
    EXPECT_EQ(other.weights->values, one.weights->values);
  }
}

TEST_F(LearningThreads, ASavedStateGoesOnBitForBit) {
  const auto path = std::filesystem::temp_directory_path() / "apical_brain_learned.npz";
  Learners whole;
  whole.net.simulate(81.3);
  whole.net.save(path);
  set_thread_count(3);
  Learners second;
  second.net.load(path);
  EXPECT_EQ(second.state(), whole.state());
  for (Learners* net : {&whole, &second}) net->net.simulate(60);
  EXPECT_EQ(second.state(), whole.state());
  EXPECT_EQ(second.net.spikes(second.e), whole.net.spikes(whole.e));

  // What this network cannot have come to is refused.
  const auto refused = [&](const std::string& name, std::size_t byte, unsigned char value) {
    auto npz = formats::read_npz(path);
    npz.at("projection0." + name).bytes.at(byte) = value;
    const auto wrong = path.string() + ".wrong";
    formats::write_npz(wrong, npz);
    Learners net;
    std::string words = "nothing was refused";
    try {
      net.net.load(wrong);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::data);
      words = error.what();
    }
    EXPECT_EQ(net.net.time(), 0);
    std::filesystem::remove(wrong);
    return words;
  };
  EXPECT_THAT(refused("weights", 7, 0xc0), testing::HasSubstr("impossible weight"));
  EXPECT_THAT(refused("source_trace", 7, 0x7f), testing::HasSubstr("impossible trace"));
  EXPECT_THAT(refused("target_last", 3, 0xff), testing::HasSubstr("impossible time of a spike"));
  EXPECT_THAT(refused("post_count", 1, 0x01), testing::HasSubstr("'projection0.post_step' of a saved state has"));
  EXPECT_THAT(refused("post_step", 3, 0x00), testing::HasSubstr("impossible"));
  std::filesystem::remove(path);
}

TEST(Plasticity, SamplesAreTheWeightsOfThatTime) {
  Learners a, b;
  a.net.simulate(11);
  b.net.simulate(10.6);
  const SynapseTable t = b.net.synapses(b.projections[0]);
  ASSERT_EQ(a.weights->samples(), 2u);
  ASSERT_EQ(a.weights->source.size(), 100u);
  EXPECT_NEAR(a.weights->first, 5.3, 1e-9);
  for (std::size_t k = 0; k < 100; ++k) {  // evenly: each 60th of 6000
    EXPECT_EQ(a.weights->source[k], t.source[60 * k]);
    EXPECT_EQ(a.weights->target[k], t.target[60 * k]);
    EXPECT_EQ(a.weights->values[100 + k], t.weight[60 * k]);
  }
}

TEST(Plasticity, RefusesWhatCannotBe) {
  Network net({.dt = kDt});
  const auto n = net.create("iaf_psc_exp", 5);
  const auto refused = [&](const Synapses& synapses) {
    try {
      const auto p = net.connect(n, n, Rule::all_to_all(), synapses);
      net.record_weights(p, 1);
      net.build();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      return std::string(error.what());
    }
    return std::string("nothing was refused");
  };
  using testing::HasSubstr;
  EXPECT_THAT(refused({.model = "stdp_synapsis"}), HasSubstr("Did you mean 'stdp_synapse'?"));
  EXPECT_THAT(refused({.model = "stdp_synapse", .parameters = {{"lamda", 1}}}), HasSubstr("Did you mean 'lambda'?"));
  EXPECT_THAT(refused({.model = "stdp_synapse", .parameters = {{"Wmax", 0}}}), HasSubstr("Wmax must be positive"));
  EXPECT_THAT(refused({.model = "stdp_synapse", .parameters = {{"alpha", -1}}}), HasSubstr("alpha must be 0 or more"));
  EXPECT_THAT(refused({.model = "tsodyks2_synapse", .parameters = {{"U", 1.5}}}), HasSubstr("U must be 0 to 1"));
  EXPECT_THAT(refused({.model = "stdp_synapse", .parameters = {{"tau_plus", 1e5}}}), HasSubstr("tau_plus is at most 1e+05 steps"));
  EXPECT_THAT(refused({.model = "tsodyks2_synapse"}), HasSubstr("does not learn"));
  EXPECT_THAT(refused({.model = "stdp_dopamine_synapse"}), HasSubstr("needs a volume transmitter"));
  EXPECT_THAT(refused({.model = "stdp_synapse", .volume_transmitter = n}), HasSubstr("has no volume transmitter"));
  EXPECT_THAT(refused({.model = "stdp_dopamine_synapse", .parameters = {{"Wmin", 300}}, .volume_transmitter = n}),
              HasSubstr("Wmin must not be above Wmax"));
  EXPECT_THAT(refused({.weight = 101, .model = "stdp_synapse"}), HasSubstr("a weight that learns must be 0 to Wmax (101)"));
}

}  // namespace
}  // namespace apical::brain
