#include "apical/energy/energy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "apical/base/error.h"
#include "apical/energy/meter.h"
#include "apical/runtime/testing_nets.h"

namespace apical::energy {
namespace {

using ::testing::HasSubstr;

graph::OpCounts counts() {
  graph::OpCounts c;
  c.effective_acs = 2000, c.effective_macs = 100, c.membrane_updates = 40, c.dense = 8000, c.ann = 2000, c.samples = 2, c.steps = 8;
  c.weight_bytes = 800, c.activation_bytes = 1600, c.state_bytes = 320;
  c.dense_weight_bytes = 640, c.dense_activation_bytes = 480, c.ann_weight_bytes = 160, c.ann_activation_bytes = 240;
  return c;
}

TEST(Estimate, AddsUpByHand) {
  const auto operations = estimate(counts(), profile("45nm-operations"));
  EXPECT_NEAR(operations.spiking->total(), (1000 * 0.9 + 50 * 4.6) * 1e-12, 1e-18);
  EXPECT_NEAR(operations.dense->total(), 4000 * 4.6e-12, 1e-18);
  EXPECT_NEAR(operations.ann->total(), 1000 * 4.6e-12, 1e-18);
  const auto dram = estimate(counts(), profile("45nm-dram"));
  EXPECT_NEAR(dram.spiking->membranes, 20 * 5.5e-12, 1e-18);
  EXPECT_NEAR(dram.spiking->weights, 400 * 162.5e-12, 1e-15);
  EXPECT_NEAR(dram.spiking->activations, 800 * 2.5e-12, 1e-18);
  EXPECT_NEAR(dram.spiking->state, 160 * 2.5e-12, 1e-18);
  EXPECT_EQ(dram.ann->membranes + dram.ann->state, 0);
  EXPECT_NEAR(dram.ann->weights, 80 * 162.5e-12, 1e-15);
  EXPECT_NEAR(dram.dense->weights, 320 * 162.5e-12, 1e-15);
}

TEST(Estimate, SaysWhenTheSpikingNetworkCostsMore) {
  EXPECT_THAT(verdict(estimate(counts(), profile("45nm-operations"))), HasSubstr("costs less"));
  EXPECT_GT(*ratio_to_ann(estimate(counts(), profile("45nm-dram"))), 1);
  EXPECT_THAT(verdict(estimate(counts(), profile("45nm-dram"))), HasSubstr("costs MORE"));
}

TEST(Estimate, HardwareWithoutMultipliersRefusesThem) {
  const auto e = estimate(counts(), profile("loihi"));
  EXPECT_FALSE(e.spiking || e.ann || e.dense);
  EXPECT_FALSE(ratio_to_ann(e));
  graph::OpCounts spikes = counts();
  spikes.effective_macs = 0;
  EXPECT_NEAR(estimate(spikes, profile("loihi")).spiking->total(), (1000 * 23.6 + 20 * 81) * 1e-12, 1e-16);
}

TEST(Estimate, FeedForwardAndContextSynapsesOfTwoPointCells) {
  const graph::Graph g = testing::two_stream_net();
  runtime::Session session(g, {.count = true});
  for (const std::uint64_t sample : {1, 2}) session.run(testing::random_frames(g, sample, true));
  const auto layers = session.layer_counts();
  const auto forward = graph::feed_forward(g);
  const graph::OpCounts ff = counts_of(layers, [&](const std::string& name) { return forward.count(name) > 0; }), all = session.counts();
  EXPECT_EQ(counts_of(layers, [](const std::string&) { return true; }), all);
  EXPECT_EQ(ff.samples, 2);
  double synapses = 0;  // by name
  for (const auto& l : layers)
    if (l.layer[0] == 'r' || l.layer == "out") synapses += l.counts.effective_acs + l.counts.effective_macs;
  EXPECT_GT(synapses, 0);
  const Profile& paper = profile("two-point-cells");
  EXPECT_NEAR(estimate(ff, paper).spiking->total(), synapses / 2 * 8e-5 * 1e-6, 1e-18);
  EXPECT_NEAR(estimate(all, paper).spiking->total(), (all.effective_acs + all.effective_macs) / 2 * 8e-5 * 1e-6, 1e-18);
}

TEST(Profiles, AllNameTheirSourceAndUnknownOnesAreRefused) {
  for (const auto& p : profiles()) EXPECT_THAT(p.source, HasSubstr("20")) << p.name;
  try {
    profile("45nm-drum");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_THAT(e.what(), HasSubstr("45nm-dram"));
  }
  EXPECT_THROW(estimate({}, profiles()[0]), Error);
}

TEST(Complexity, SharesOfZeros) {
  graph::Graph g;
  g.input_shape = {2}, g.T = 1;
  g.tensors["w"] = {{2, 2}, {1, 0, 2, 3}};
  g.nodes = {{"in", graph::Input{}, {}, {}}, {"l", graph::Linear{"w", ""}, {"in"}, {}}, {"n", graph::Neuron{}, {"l"}, {}}};
  graph::validate(g);
  graph::OpCounts c = counts();
  c.active_inputs = 1, c.inputs = 4;
  const Complexity k = complexity(g, c);
  EXPECT_EQ(k.activation_sparsity, 0.75);
  EXPECT_EQ(k.connection_sparsity, 0.25);
  EXPECT_EQ(k.footprint_bytes, 4 * 4 + 4 * 2);
  EXPECT_EQ(k.effective_acs, 1000);
}

TEST(Meter, ReadsPackagesOnceAndSeesAWrap) {
  const auto root = std::filesystem::temp_directory_path() / ("apical-meter-" + std::to_string(::getpid()));
  const auto put = [&](const std::string& domain, const std::string& file, std::uint64_t n) {
    std::filesystem::create_directories(root / domain);
    std::ofstream(root / domain / file) << n << "\n";
  };
  for (const char* domain : {"intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"})
    put(domain, "energy_uj", 5'000'000), put(domain, "max_energy_range_uj", 9'000'000);
  Meter meter(root);
  ASSERT_TRUE(meter.available());
  meter.start();
  put("intel-rapl:0", "energy_uj", 5'250'000), put("intel-rapl:0:0", "energy_uj", 8'000'000);
  put("intel-rapl:1", "energy_uj", 1'000'000);  // wrapped: 4 to the end, 1 from the start
  EXPECT_NEAR(*meter.joules(), 0.25 + 5.0, 1e-9);
  std::filesystem::remove_all(root);
  Meter none(root);
  EXPECT_FALSE(none.available());
  EXPECT_FALSE(none.joules());
  EXPECT_THAT(none.reason(), HasSubstr("no energy counters"));
}

}  // namespace
}  // namespace apical::energy
