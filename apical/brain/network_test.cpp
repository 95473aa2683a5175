#include "apical/brain/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <functional>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/thread_pool.h"
#include "apical/formats/npy.h"
#include "apical/kernels/simd.h"

namespace apical::brain {
namespace {

using testing::AllOf, testing::HasSubstr;

// Every kind of thing at once: two models, one and two ports, delays of one and of many steps, devices, ranges.
struct Busy {
  Network net;
  Population e, i;
  const SpikeRecord *spikes_e, *spikes_i;
  const Multimeter* meter;

  explicit Busy(std::uint64_t seed = 3, bool double_precision = false, double shortest = 1.5)
      : net({.dt = 0.1, .seed = seed, .double_precision = double_precision}),
        e(net.create("iaf_psc_exp", 900, {{"tau_syn_in", 5.0}, {"V_m", Value::normal(-60, 4)}})),
        i(net.create("iaf_psc_alpha", 333, {{"tau_m", 8.0}})) {
    net.connect(e, e, Rule::fixed_indegree(60), {.weight = Value::normal(20, 5), .delay = Value::uniform(shortest, 6)});
    net.connect(e, i, Rule::pairwise_bernoulli(0.1), {.weight = 25, .delay = shortest});
    net.connect(i, e, Rule::fixed_total_number(20000), {.weight = -40, .delay = Value::normal(3, 1).redrawn(shortest, 10)});
    net.connect(i, i, Rule::fixed_outdegree(20), {.weight = -30, .delay = 2});
    net.connect(e.slice(10, 100), e.slice(700, 100), Rule::one_to_one(), {.weight = 200, .delay = shortest});
    net.connect(PoissonGenerator{.rate = 9000}, e, 30);
    net.connect(PoissonGenerator{.rate = 9000, .start = 5, .stop = 60}, i.slice(50, 200), 28);
    net.connect(DcGenerator{.amplitude = 200, .start = 10, .stop = 50}, i.slice(100, 100));
    net.connect(StepCurrentGenerator{.times = {20, 40}, .values = {150, -100}}, e.slice(0, 450));
    net.connect(SpikeGenerator{{10, 10.1, 30}}, e.slice(3, 80), 500);
    spikes_e = &net.record_spikes(e.slice(5, 800));
    spikes_i = &net.record_spikes(i);
    meter = &net.record(e.slice(60, 10), {"V_m", "I_syn_in"}, 0.7);
  }
  bool same(const Busy& b) const {
    return spikes_e->step == b.spikes_e->step && spikes_e->neuron == b.spikes_e->neuron && spikes_i->step == b.spikes_i->step &&
           spikes_i->neuron == b.spikes_i->neuron && meter->values == b.meter->values && net.events() == b.net.events();
  }
};

class Threads : public testing::Test {
 protected:
  void TearDown() override { set_thread_count(2), kernels::set_simd_level(""); }
};

TEST_F(Threads, NeitherTheirNumberNorTheSimdLevelChangesABit) {
  for (const bool double_precision : {false, true})
    for (const double shortest : {0.1, 1.5}) {
      set_thread_count(1);
      Busy one(3, double_precision, shortest);
      one.net.simulate(100);
      EXPECT_GT(one.net.spikes(one.e), 900u);
      EXPECT_GT(one.net.spikes(one.i), 333u);
      EXPECT_EQ(one.meter->samples(), 142u);
      for (const int threads : {2, 7}) {
        set_thread_count(threads);
        Busy other(3, double_precision, shortest);
        other.net.simulate(100);
        EXPECT_TRUE(one.same(other)) << threads << " threads";
      }
      kernels::set_simd_level("scalar");
      Busy scalar(3, double_precision, shortest);
      scalar.net.simulate(100);
      EXPECT_TRUE(one.same(scalar));
      kernels::set_simd_level("");
      Busy another(4, double_precision, shortest);
      another.net.simulate(100);
      EXPECT_FALSE(one.same(another)) << "another seed";
    }
}

TEST_F(Threads, TimeMayBeCutAnywhere) {
  Busy whole, cut;
  whole.net.simulate(100);
  for (const double ms : {0.1, 49.9, 0.0, 0.7, 49.3}) cut.net.simulate(ms);
  EXPECT_NEAR(cut.net.time(), 100, 1e-9);
  EXPECT_TRUE(whole.same(cut));
}

TEST_F(Threads, ASavedStateGoesOnBitForBit) {
  const auto path = std::filesystem::temp_directory_path() / "apical_brain_state.npz";
  Busy whole, first;
  whole.net.simulate(51.3);
  const std::size_t e = whole.spikes_e->size(), i = whole.spikes_i->size();
  whole.net.simulate(40);
  first.net.simulate(51.3);
  first.net.save(path);
  set_thread_count(3);  // who goes on need not have as many
  Busy second;
  second.net.load(path);
  EXPECT_NEAR(second.net.time(), 51.3, 1e-9);
  second.net.simulate(40);
  const auto rest = [](const std::vector<std::uint32_t>& v, std::size_t from) {
    return std::vector(v.begin() + static_cast<std::ptrdiff_t>(from), v.end());
  };
  EXPECT_GT(whole.spikes_e->size(), e + 100);
  EXPECT_EQ(second.spikes_e->step, rest(whole.spikes_e->step, e));
  EXPECT_EQ(second.spikes_e->neuron, rest(whole.spikes_e->neuron, e));
  EXPECT_EQ(second.spikes_i->step, rest(whole.spikes_i->step, i));
  EXPECT_EQ(second.net.spikes(second.e), whole.net.spikes(whole.e));
  const auto &a = whole.meter->values, &b = second.meter->values;
  ASSERT_LT(b.size(), a.size());
  EXPECT_TRUE(std::equal(b.begin(), b.end(), a.end() - static_cast<std::ptrdiff_t>(b.size())));

  // With recordings, nothing is missing.
  Busy third, fourth;
  third.net.simulate(51.3);
  fourth.net.set_state(third.net.state(true), "memory");
  fourth.net.simulate(40);
  EXPECT_EQ(fourth.spikes_e->step, whole.spikes_e->step);
  EXPECT_EQ(fourth.spikes_i->neuron, whole.spikes_i->neuron);
  EXPECT_EQ(fourth.meter->values, whole.meter->values);
  EXPECT_EQ(fourth.meter->first, whole.meter->first);

  // What is not the state of this network is refused, and the network is as it was.
  const auto refused = [&](const std::function<void(formats::Npz&)>& spoil, const std::string& words) {
    auto npz = third.net.state(true);
    spoil(npz);
    const auto wrong = path.string() + ".wrong";
    formats::write_npz(wrong, npz);
    Busy net;
    try {
      net.net.load(wrong);
      ADD_FAILURE() << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::data);
      EXPECT_THAT(error.what(), HasSubstr(words));
    }
    EXPECT_EQ(net.net.time(), 0);
    std::remove(wrong.c_str());
  };
  refused([](auto& npz) { npz.erase("state1"); }, "lacks 'state1'");
  refused([](auto& npz) { npz["state1"] = npz["state0"]; }, "'state1' of a saved state has");
  refused([](auto& npz) { npz["sources"].bytes.assign(npz["sources"].bytes.size(), 0xff); }, "impossible spike");
  refused([](auto& npz) { npz["steps"].bytes[7] = 0x7f; }, "no possible time");
  refused([](auto& npz) { npz["recorded_neurons1"].bytes[3] = 0x7f; }, "impossible recorded spike");
  refused([](auto& npz) { npz["recorded_values0"] = npz["state0"]; }, "'recorded_values0' of a saved state has");
  refused([](auto& npz) { npz["description"].bytes[16] ^= 1; }, "another network");
  Busy other(4);
  EXPECT_THROW(other.net.load(path), Error);
  std::filesystem::remove(path);
}

// Recurrent, driven by Poisson spikes; `connect` makes the synapses.
template <class Connect>
std::pair<std::vector<std::uint32_t>, std::vector<std::uint32_t>> spikes_with(int threads, bool saved, Connect connect) {
  set_thread_count(threads);
  const auto make = [&](Network& net) -> const SpikeRecord& {
    const auto e = net.create("iaf_psc_exp", 500);
    connect(net, e);
    net.connect(PoissonGenerator{.rate = 20000}, e, 35);
    return net.record_spikes(e);
  };
  Network net({.seed = 5});
  const SpikeRecord* record = &make(net);
  Network other({.seed = 5});
  const SpikeRecord& later = make(other);
  net.simulate(100.3);
  std::vector<std::uint32_t> step = record->step, neuron = record->neuron;
  if (saved) other.set_state(net.state(), "memory");
  Network& rest = saved ? other : net;
  rest.simulate(50);
  record = saved ? &later : record;
  const std::size_t first = saved ? 0 : step.size();
  step.insert(step.end(), record->step.begin() + static_cast<std::ptrdiff_t>(first), record->step.end());
  neuron.insert(neuron.end(), record->neuron.begin() + static_cast<std::ptrdiff_t>(first), record->neuron.end());
  EXPECT_GT(step.size(), 2000u);
  return {step, neuron};
}

TEST_F(Threads, SynapsesThatAreNotKeptDoWhatKeptOnesDo) {
  const Synapses kept{.weight = Value::uniform(-10, 30), .delay = Value::uniform(0.3, 4)};
  Synapses procedural = kept;
  procedural.procedural = true;
  const Rule out = Rule::fixed_outdegree(40, {.allow_autapses = false, .allow_multapses = false}), pairs = Rule::pairwise_bernoulli(0.1);
  const auto want = spikes_with(1, false, [&](Network& net, Population e) { net.connect(e, e, out, kept); });
  SynapseTable table;
  {
    Network net({.seed = 5});
    const auto e = net.create("iaf_psc_exp", 500);
    table = net.synapses(net.connect(e, e, pairs, procedural));
    EXPECT_NEAR(static_cast<double>(table.source.size()), 25000, 5 * std::sqrt(25000 * 0.9));
  }
  const auto listed = spikes_with(1, false, [&](Network& net, Population e) { net.connect(e, e, table); });
  for (const int threads : {1, 2, 7}) {
    // Kept ones, few of each delay, are delivered when their spike is fired (deliver.h), the others as they arrive.
    EXPECT_EQ(spikes_with(threads, threads == 2, [&](Network& net, Population e) { net.connect(e, e, out, kept); }), want);
    EXPECT_EQ(spikes_with(threads, threads == 2, [&](Network& net, Population e) { net.connect(e, e, out, procedural); }), want);
    EXPECT_EQ(spikes_with(threads, threads == 2, [&](Network& net, Population e) { net.connect(e, e, pairs, procedural); }), listed);
  }
  // Kept ones of one weight are blocks of places.
  Synapses alike{.weight = 12, .delay = Value::uniform(0.3, 2)}, alike_anew = alike;
  alike_anew.procedural = true;
  const auto by_lists = spikes_with(1, false, [&](Network& net, Population e) { net.connect(e, e, out, alike_anew); });
  EXPECT_NE(by_lists, want);
  for (const int threads : {1, 2, 7})
    EXPECT_EQ(spikes_with(threads, threads == 2, [&](Network& net, Population e) { net.connect(e, e, out, alike); }), by_lists);
  // With one delay they are drawn as they arrive: no lists there.
  Synapses late = kept, late_anew = procedural;
  late.delay = late_anew.delay = 1.5;
  const auto arrived = spikes_with(1, false, [&](Network& net, Population e) { net.connect(e, e, out, late); });
  EXPECT_NE(arrived, want);
  for (const int threads : {1, 2, 7})
    EXPECT_EQ(spikes_with(threads, threads == 2, [&](Network& net, Population e) { net.connect(e, e, out, late_anew); }), arrived);
  // They count, take no room, and may stand beside others.
  Network net({.seed = 5, .memory_gb = 0.001});
  const auto e = net.create("iaf_psc_exp", 500);
  net.connect(e, e, Rule::fixed_outdegree(400), procedural);
  net.connect(e, e, Rule::one_to_one());
  net.build();
  EXPECT_EQ(net.synapses(), 200500u);
}

TEST(Network, SpikesArriveAfterTheirDelay) {
  // A source that fires at 5 ms, and targets at other delays: their currents start so many steps later.
  Network net({.dt = 0.1});
  const auto source = net.create("iaf_psc_delta", 1), targets = net.create("iaf_psc_exp", 4);
  net.connect(SpikeGenerator{{4.9}}, source, 100, 0.1);
  constexpr double delay[] = {0.1, 0.2, 3.7, 25};
  for (std::uint32_t k = 0; k < 4; ++k)
    net.connect(source, targets.slice(k, 1), Rule::all_to_all(), {.weight = 7.0 + k, .delay = delay[k]});
  const auto& spikes = net.record_spikes(source);
  const auto& meter = net.record(targets, {"I_syn"}, 0.1);
  net.simulate(40);
  ASSERT_EQ(spikes.size(), 1u);
  EXPECT_NEAR(spikes.time(0), 5.0, 1e-9);
  for (std::size_t k = 0; k < 4; ++k) {
    const auto arrival = static_cast<std::size_t>(std::lround((5.0 + delay[k]) / 0.1));
    EXPECT_EQ(meter.at(arrival - 2, 0, k), 0) << "a step before";
    EXPECT_EQ(meter.at(arrival - 1, 0, k), 7.0 + static_cast<double>(k));
  }
  EXPECT_EQ(net.events(), 4u);
  EXPECT_EQ(net.synapses(), 4u);
}

TEST(Network, PoissonDriveHasItsRateAndVariance) {
  // Each spike moves a membrane without leak by 1: it counts them.
  Network net({.dt = 0.1, .seed = 5});
  const auto n = net.create("iaf_psc_delta", 2000, {{"tau_m", 1e12}, {"V_th", 1e9}, {"V_m", 0.0}, {"E_L", 0.0}, {"V_reset", -1.0}});
  net.connect(PoissonGenerator{.rate = 800, .start = 20, .stop = 120}, n, 1, 1);
  const auto& m = net.record(n, {"V_m"}, 10);
  net.simulate(200);
  double sum = 0, square = 0;
  for (std::size_t i = 0; i < 2000; ++i) {
    EXPECT_EQ(std::round(m.at(1, 0, i)), 0) << "not before it starts";
    EXPECT_EQ(std::round(m.at(13, 0, i)), std::round(m.at(19, 0, i))) << "not after it stops";
    const double count = std::round(m.at(19, 0, i));
    sum += count, square += (count - 80) * (count - 80);
  }
  EXPECT_NEAR(sum / 2000, 80, 5 * std::sqrt(80 / 2000.0));
  EXPECT_NEAR(square / 2000, 80, 5 * std::sqrt(2 * 80 * 80 / 2000.0));
}

std::string refusal(const std::function<void()>& call, ExitCode code = ExitCode::usage) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  return "nothing was refused";
}

TEST(Network, RefusesWhatCannotBe) {
  Network net({.dt = 0.1});
  EXPECT_THAT(refusal([&] { net.create("iaf_psc_expo", 3); }), HasSubstr("Did you mean 'iaf_psc_exp'?"));
  EXPECT_THAT(refusal([&] { net.create("iaf_psc_exp", 3, {{"tau_n", 3.0}}); }), HasSubstr("Did you mean 'tau_m'?"));
  EXPECT_THAT(refusal([&] { net.create("iaf_psc_exp", 3, {{"tau_m", 0.0}}); }), HasSubstr("tau_m must be positive"));
  EXPECT_THAT(refusal([&] { net.create("iaf_psc_exp", 3, {{"V_th", -80.0}}); }), HasSubstr("V_reset must be below V_th"));
  EXPECT_THAT(refusal([&] { net.create("iaf_psc_exp", 3, {{"t_ref", 0.25}}); }), HasSubstr("t_ref is not a multiple of the step"));
  EXPECT_THAT(refusal([&] { net.create("iaf_psc_exp", 3, {{"C_m", std::nan("")}}); }), HasSubstr("C_m is not a finite number"));
  EXPECT_THAT(refusal([&] { net.create("iaf_psc_exp", 3, {{"C_m", Value::normal(250, 1)}}); }), HasSubstr("Only V_m"));
  EXPECT_THAT(refusal([&] { net.create("iaf_psc_exp", 0); }), HasSubstr("needs neurons"));
  EXPECT_THAT(refusal([&] { net.simulate(1); }), HasSubstr("no neurons"));
  EXPECT_THAT(refusal([] { Network({.dt = 0}); }), HasSubstr("the step must be positive"));
  const auto a = net.create("iaf_psc_exp", 10), b = net.create("iaf_psc_exp", 20);
  const auto connect = [&](const Rule& rule, const Synapses& synapses = {}) { return refusal([&] { net.connect(a, b, rule, synapses); }); };
  EXPECT_THAT(connect(Rule::all_to_all(), {.delay = -1}), HasSubstr("a delay is negative"));
  EXPECT_THAT(connect(Rule::all_to_all(), {.delay = 0.04}), HasSubstr("a delay is below the step (0.04 ms, step 0.1 ms)"));
  EXPECT_THAT(connect(Rule::all_to_all(), {.weight = std::nan("")}), HasSubstr("weight is not a finite number"));
  EXPECT_THAT(connect(Rule::all_to_all(), {.weight = Value::normal(1, -1)}), HasSubstr("negative deviation"));
  EXPECT_THAT(connect(Rule::pairwise_bernoulli(1.5)), HasSubstr("a probability must be 0 to 1"));
  EXPECT_THAT(connect(Rule::one_to_one()), HasSubstr("as many sources as targets"));
  EXPECT_THAT(connect(Rule::fixed_indegree(11, {.allow_multapses = false})), HasSubstr("not 11 different partners"));
  EXPECT_THAT(connect(Rule::fixed_total_number(3, {.allow_multapses = false})), HasSubstr("pairwise_bernoulli"));
  EXPECT_THAT(refusal([&] { a.slice(5, 6); }), HasSubstr("of a population of 10"));
  EXPECT_THAT(refusal([&] { net.connect(PoissonGenerator{.rate = -1}, a); }), HasSubstr("a rate must be 0 or more"));
  EXPECT_THAT(refusal([&] { net.connect(PoissonGenerator{.rate = 1}, a, std::nan("")); }), HasSubstr("weight is not a finite number"));
  EXPECT_THAT(refusal([&] { net.connect(SpikeGenerator{{5, 4}}, a); }), HasSubstr("ascending"));
  EXPECT_THAT(refusal([&] { net.connect(SpikeGenerator{{5.03}}, a); }), HasSubstr("not a multiple of the step"));
  EXPECT_THAT(refusal([&] { net.connect(StepCurrentGenerator{.times = {1, 2}, .values = {1}}, a); }), HasSubstr("as many values as times"));
  EXPECT_THAT(refusal([&] { net.record(a, {"V_n"}); }), HasSubstr("Did you mean 'V_m'?"));
  EXPECT_THAT(refusal([&] { net.simulate(0.05); }), HasSubstr("not a multiple of the step"));
  net.simulate(1);  // and is as good as new
  EXPECT_THAT(refusal([&] { net.create("iaf_psc_exp", 1); }), HasSubstr("built already"));
  EXPECT_THAT(connect(Rule::all_to_all()), HasSubstr("built already"));

  Network drawn({.dt = 0.1});
  const auto c = drawn.create("iaf_psc_exp", 100);
  drawn.connect(c, c, Rule::all_to_all(), {.delay = Value::normal(1, 0.5)});
  EXPECT_THAT(refusal([&] { drawn.simulate(1); }), HasSubstr("a delay is below the step"));
}

TEST(Network, SaysHowMuchMemoryItLacks) {
  Network net({.memory_gb = 23});
  const auto a = net.create("iaf_psc_exp", 100000);
  net.connect(a, a, Rule::fixed_indegree(38750));
  EXPECT_THAT(refusal([&] { net.build(); }), AllOf(HasSubstr("the network needs 31 GB, 23 available"), HasSubstr("Procedural")));
}

TEST(Network, LongDelaysAreCheckedToo) {
  Network net({.memory_gb = 0.01});
  const auto a = net.create("iaf_psc_exp", 64);
  net.connect(a, a, Rule::one_to_one(), {.delay = Value(1e5)});
  EXPECT_THAT(refusal([&] { net.build(); }), AllOf(HasSubstr("what is under way needs"), HasSubstr("longest delay is 1e+05 ms")));
}

// The synapses of a source, sorted by their delays.
TEST(Network, DelaysFarApartArriveInTime) {
  Network net;
  const auto from = net.create("parrot_neuron", 40);
  const auto to = net.create("iaf_psc_delta", 1, {{"tau_m", 1e12}, {"V_th", 1e9}, {"V_m", 0.0}, {"E_L", 0.0}, {"V_reset", -1.0}});
  for (const auto& [delay, weight] : {std::pair{90, 1}, std::pair{1, 2}, std::pair{30, 4}})
    net.connect(from, to, Rule::all_to_all(), {.weight = Value(weight), .delay = Value(delay)});
  net.connect(SpikeGenerator{{1}}, from, 1, 0.1);
  const auto& m = net.record(to, {"V_m"}, 25);
  net.simulate(100);
  ASSERT_EQ(m.values.size(), 4u);
  for (const auto& [k, want] : {std::pair{0, 80}, std::pair{1, 240}, std::pair{2, 240}, std::pair{3, 280}})
    EXPECT_NEAR(m.values[k], want, 1e-3);
}

TEST(Network, NamesThePopulationWhoseMembraneIsNoNumber) {
  Network net({.dt = 0.1});
  const auto a = net.create("iaf_psc_exp", 100), b = net.create("iaf_psc_exp", 70);
  net.connect(a, b, Rule::all_to_all(), {.weight = 3e38, .delay = 1});  // two of them are infinite in float32
  net.connect(SpikeGenerator{{3, 20}}, a, 1e6, 1);
  EXPECT_THAT(refusal([&] { net.simulate(50); }, ExitCode::data), HasSubstr("population 1 (iaf_psc_exp, 70 neurons) at 5.2 ms"));
}

}  // namespace
}  // namespace apical::brain
