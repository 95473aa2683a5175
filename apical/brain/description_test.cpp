#include "apical/brain/description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/brain/outcome.h"
#include "apical/brain/recordings.h"
#include "apical/formats/hdf5_arrays.h"

namespace apical::brain {
namespace {
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* small = R"(
name = "small"
[simulation]
time = "60 ms"
dt = "0.2 ms"
seed = 3
[model.fast]
copy = "iaf_psc_exp"
tau_m = "8 ms"
C_m = "0.2 nF"
[population.e]
model = "fast"
n = 100
V_m = {distribution = "uniform", min = "-65 mV", max = -56}
[population.a]
model = "iaf_psc_delta"
n = 40
refractory_input = true
[connection.all]
from = "e"
to = ["e", "a"]
rule = "fixed_indegree"
indegree = 10
weight = {distribution = "normal", mean = 20, std = 2, min = 0}
delay = {distribution = "uniform", min = "1 ms", max = "3 ms"}
[connection.some]
from = "a[10:20]"
to = "e[:10]"
rule = "one_to_one"
weight = "-0.05 nA"
delay = 2
[device.drive]
model = "poisson_generator"
rate = "15 kHz"
to = "e[10:100]"
weight = "60 pA"
[device.current]
model = "dc_generator"
amplitude = "0.5 nA"
to = "a"
start = "5 ms"
[device.steps]
model = "step_current_generator"
amplitude_times = ["20 ms", "30 ms"]
amplitude_values = [100, -100]
to = "e"
[record.spikes]
model = "spike_recorder"
from = ["e", "a"]
[record.v]
model = "multimeter"
from = "e[3:5]"
variables = ["V_m", "I_syn"]
interval = "0.4 ms"
[analysis]
start = "10 ms"
bin = "2 ms"
)";

Described from(const std::string& text, const std::vector<std::string>& set = {}) {
  Config c = Config::parse(text, "small.toml");
  for (const auto& s : set) c.put(s);
  return describe(c);
}

// The same in C++, in the order of the file.
struct Same {
  Network net{{.dt = 0.2, .seed = 3}};
  const SpikeRecord *e, *a;
  const Multimeter* v;
  Same() {
    const auto pe = net.create("iaf_psc_exp", 100, {{"tau_m", 8.0}, {"C_m", 200.0}, {"V_m", Value::uniform(-65, -56)}}),
               pa = net.create("iaf_psc_delta", 40, {{"refractory_input", 1.0}});
    const Synapses s{.weight = Value::normal(20, 2).redrawn(0, kForever), .delay = Value::uniform(1, 3)};
    net.connect(pe, pe, Rule::fixed_indegree(10), s);
    net.connect(pe, pa, Rule::fixed_indegree(10), s);
    net.connect(pa.slice(10, 10), pe.slice(0, 10), Rule::one_to_one(), {.weight = -50, .delay = 2});
    net.connect(PoissonGenerator{15000}, pe.slice(10, 90), 60);
    net.connect(DcGenerator{500, 5}, pa);
    net.connect(StepCurrentGenerator{{20, 30}, {100, -100}}, pe);
    e = &net.record_spikes(pe), a = &net.record_spikes(pa), v = &net.record(pe.slice(3, 2), {"V_m", "I_syn"}, 0.4);
    net.simulate(60);
  }
};

TEST(Description, IsTheNetworkItDescribes) {
  Described d = from(small);
  EXPECT_EQ(d.name, "small");
  EXPECT_EQ(d.time, 60);
  d.network.simulate(d.time);
  const Same same;
  ASSERT_EQ(d.spikes.size(), 2u);
  EXPECT_EQ(d.spikes[0].name, "spikes_e");
  EXPECT_EQ(d.spikes[1].name, "spikes_a");
  EXPECT_GT(d.spikes[0].record->size(), 100u);
  EXPECT_GT(d.spikes[1].record->size(), 40u);
  EXPECT_EQ(d.spikes[0].record->step, same.e->step);
  EXPECT_EQ(d.spikes[0].record->neuron, same.e->neuron);
  EXPECT_EQ(d.spikes[1].record->step, same.a->step);
  EXPECT_EQ(d.traces.at(0).record->values, same.v->values);
  const Outcome o = outcome(d);
  EXPECT_EQ(o.populations[0].rate, static_cast<double>(same.e->size()) / 100 / 60 * 1000);
  EXPECT_EQ(o.populations[1].recorded->neurons, 40u);
  EXPECT_EQ(o.populations[0].recorded->bins.size(), 25u);
}

TEST(Description, WithoutRecordsEverySpikeIsRecorded) {
  const Described d = from("[population.x]\nmodel = \"iaf_psc_exp\"\nn = 3\n[population.b]\nmodel = \"iaf_psc_exp\"\nn = 5\n");
  ASSERT_EQ(d.spikes.size(), 2u);
  EXPECT_EQ(d.spikes[0].name, "x") << "in the order of the file";
  EXPECT_EQ(d.spikes[1].record->population.size, 5u);
}

TEST(Description, ParametersThatAreLists) {
  const auto spikes = [](const std::string& lists) {
    Described d = from("[population.x]\nmodel = \"gif_psc_exp\"\nn = 3\nI_e = \"0.2 nA\"\n" + lists);
    d.network.simulate(300);
    return d.network.spikes(d.populations[0].population);
  };
  EXPECT_GT(spikes(""), 10u);
  EXPECT_LT(spikes("tau_sfa = [\"100 ms\", \"0.2 s\"]\nq_sfa = [5, 10]\n"), spikes("")) << "the threshold grows at each spike";
  EXPECT_THROW(spikes("tau_sfa = 100\nq_sfa = [5]\n"), Error);
}

TEST(Description, SynapsesLearn) {
  Described d = from(
      "[simulation]\nseed = 5\n[population.x]\nmodel = \"iaf_psc_exp\"\nn = 20\n[device.p]\nmodel = \"poisson_generator\"\n"
      "rate = \"16 kHz\"\nto = \"x\"\nweight = 60\n[connection.c]\nfrom = \"x\"\nto = \"x\"\nrule = \"fixed_indegree\"\nindegree = 5\n"
      "weight = 35\nsynapse_model = \"stdp_synapse\"\nlambda = 0.05\nWmax = \"0.07 nA\"\n");
  Network net({.seed = 5});
  const auto x = net.create("iaf_psc_exp", 20);
  const auto c =
      net.connect(x, x, Rule::fixed_indegree(5), {.weight = 35, .model = "stdp_synapse", .parameters = {{"lambda", 0.05}, {"Wmax", 70}}});
  net.connect(PoissonGenerator{.rate = 16000}, x, 60);
  net.simulate(200), d.network.simulate(200);
  const auto want = net.synapses(c).weight, got = d.network.synapses(c).weight;
  EXPECT_EQ(got, want);
  EXPECT_NE(got, std::vector<double>(want.size(), 35.0)) << "nothing was learnt";
}

// What the C++ interface makes of the same thing.
TEST(Description, SpaceFilesAndDevices) {
  const auto folder = std::filesystem::temp_directory_path() / "apical_described";
  make_folder(folder);
  write_file(folder / "edges.csv", "target,source,weight\n3,1,25\n0,3,-40\n2,2,10\n");
  formats::Npz sonata;
  const std::vector<std::uint32_t> ids{0, 1, 2};
  for (const char* end : {"source", "target"})
    sonata["edges/x_x/" + std::string(end) + "_node_id"] = formats::Array::of<std::uint32_t>({3}, ids);
  sonata["edges/x_x/edge_type_id"] = formats::Array::of<std::uint32_t>({3}, ids);
  formats::write_hdf5_arrays(folder / "edges.h5", sonata);
  write_file(folder / "types.csv", "edge_type_id syn_weight\n0 5\n1 6\n2 7\n");
  write_file(folder / "net.toml", R"(
[population.x]
model = "iaf_psc_exp"
positions = {grid = [2, 2], extent = ["1 mm", "500 um"], edge_wrap = true}
[population.y]
model = "iaf_psc_exp"
n = 300
positions = {distribution = "uniform", extent = [1, 0.5], edge_wrap = true}
[population.z]
model = "iaf_psc_exp"
positions = {x = ["0 mm", "100 um"], y = [0.2, 0]}
[connection.csv]
from = "x"
to = "x"
rule = "file"
file = "edges.csv"
delay = "2 ms"
[connection.sonata]
from = "x"
to = "x"
rule = "file"
file = "edges.h5"
edge_population = "x_x"
edge_types = "types.csv"
[connection.near]
from = "y"
to = "y"
rule = "pairwise_bernoulli"
p = {kernel = "gaussian", std = "100 um", factor = 0.5}
mask = {circular = {radius = 0.2}}
weight = {kernel = "exponential", beta = 0.3, factor = "20 pA", offset = 1}
delay = {kernel = "linear", factor = "3 ms/mm", offset = "0.5 ms"}
[connection.box]
from = "y"
to = "x"
rule = "fixed_indegree"
indegree = 7
mask = {rectangular = {lower_left = [-0.3, -0.1], upper_right = [0.2, 0.1]}}
synapse_model = "stdp_synapse"
weight = 30
[device.noise]
model = "noise_generator"
to = "y"
mean = "0.4 nA"
std = 300
dt = 0.5
std_mod = 100
frequency = "0.02 kHz"
phase = 90
[device.rates]
model = "inhomogeneous_poisson_generator"
to = "x"
rate_times = ["5 ms", "20 ms"]
rate_values = ["10 kHz", "5 kHz"]
weight = 40
[record.w]
model = "weight_recorder"
from = "box"
interval = 10
count = 5
[record.s]
model = "spike_recorder"
from = "y"
)");
  Described d = describe(folder / "net.toml");
  Network net;
  const auto x = net.create("iaf_psc_exp", 4), y = net.create("iaf_psc_exp", 300);
  net.create("iaf_psc_exp", 2);
  net.place(x, Positions::grid(2, 2, {1, 0.5}, {0, 0}, true));
  net.place(y, {.points = {}, .extent = {1, 0.5}, .center = {0, 0}, .edge_wrap = true});
  net.connect(x, x, SynapseTable{{1, 3, 2}, {3, 0, 2}, {25, -40, 10}, {}}, {.delay = 2});
  net.connect(x, x, SynapseTable{{0, 1, 2}, {0, 1, 2}, {5, 6, 7}, {}});
  const auto near = net.connect(y, y, Rule::pairwise_bernoulli(Kernel::gaussian(0.1, 0, 0.5), Mask::circular(0.2)),
                                {.weight_by_distance = Kernel::exponential(0.3, 20, 1), .delay_by_distance = Kernel::linear(3, 0.5)});
  const auto box = net.connect(y, x, Rule::fixed_indegree(7, Kernel::constant(1), Mask::rectangular({-0.3, -0.1}, {0.2, 0.1})),
                               {.weight = 30, .model = "stdp_synapse"});
  net.connect(NoiseGenerator{.mean = 400, .std = 300, .dt = 0.5, .std_mod = 100, .frequency = 20, .phase = 90}, y);
  net.connect(InhomogeneousPoissonGenerator{{5, 20}, {10000, 5000}}, x, 40);
  const WeightRecord& w = net.record_weights(box, 10, 5);
  const SpikeRecord& s = net.record_spikes(y);
  net.simulate(50), d.network.simulate(50);
  EXPECT_GT(s.size(), 100u);
  EXPECT_EQ(d.spikes[0].record->step, s.step);
  EXPECT_EQ(d.spikes[0].record->neuron, s.neuron);
  ASSERT_EQ(d.weights.size(), 1u);
  EXPECT_EQ(d.weights[0].name, "w");
  EXPECT_EQ(d.weights[0].record->values, w.values);
  EXPECT_EQ(w.values.size(), 25u);
  const SynapseTable a = net.synapses(near), b = d.network.synapses(near);
  EXPECT_GT(a.source.size(), 1000u);
  EXPECT_TRUE(a.source == b.source && a.target == b.target && a.weight == b.weight && a.delay == b.delay);
  for (const Projection p : {Projection{0}, Projection{1}}) EXPECT_EQ(d.network.synapses(p).weight, net.synapses(p).weight);
  EXPECT_EQ(d.network.positions(d.populations[2].population).points, (std::vector<Point>{{0, 0.2}, {0.1, 0}}));

  // Weights and positions are written.
  write_recordings(d, folder, "npz");
  const auto weights = formats::read_npz(folder / "weights.npz"), positions = formats::read_npz(folder / "positions.npz");
  EXPECT_EQ(weights.at("w.weight").shape, (std::vector<std::uint64_t>{5, 5}));
  EXPECT_EQ(weights.at("w.times").as<double>()[4], 50);
  EXPECT_EQ(positions.at("z.y").as<double>()[0], 0.2);
  write_recordings(d, folder, "csv");
  EXPECT_THAT(read_text(folder / "weights_w.csv"), HasSubstr("time_ms,source,target,weight\n10,"));
  EXPECT_THAT(read_text(folder / "positions.csv"), HasSubstr("z,1,0.10000000000000001,0\n"));
  write_report(d, outcome(d), folder / "report.html", "apical simulate");
  EXPECT_THAT(read_text(folder / "report.html"), AllOf(HasSubstr("Weights of w"), HasSubstr("Distribution of w")));

  // A checkpoint has the weights recorded so far.
  Described first = describe(folder / "net.toml"), second = describe(folder / "net.toml");
  first.network.simulate(25);
  save_checkpoint(first, folder / "checkpoint");
  load_checkpoint(second, folder / "checkpoint");
  second.network.simulate(25);
  EXPECT_EQ(second.weights[0].record->values, w.values);
  EXPECT_EQ(second.weights[0].record->source, w.source);
  EXPECT_EQ(second.spikes[0].record->step, s.step);

  const auto words = [&](const std::string& set) -> std::string {
    try {
      describe(folder / "net.toml", {set});
    } catch (const Error& e) {
      return e.what();
    }
    return "taken";
  };
  const struct {
    const char *set, *what, *where;
  } wrong[] = {
      {"connection.csv.weight=3", "the file says 'weight' of each synapse", "connection.csv.weight"},
      {"connection.csv.file=none.csv", "none.csv", "connection.csv"},
      {"connection.csv.to=x[1:4]", "target 0 is not among neurons 1 to 3", "edges.csv, line 3"},
      {"connection.csv.from=[\"x\", \"y\"]", "one population to one", "connection.csv"},
      {"connection.csv.edge_population=p", "a CSV file has no edge populations", "edges.csv"},
      {"connection.csv.indegree=3", "unknown key 'indegree'", "connection.csv"},
      {"connection.sonata.edge_population=y_y", "no 'edges/y_y/source_node_id'", "edges.h5"},
      {"connection.near.p.kernel=gausian", "no kernel is called 'gausian'", "connection.near.p.kernel"},
      {"connection.near.p.std=1 ms", "'std' must be in mm, not in ms", "connection.near.p.std"},
      {"connection.near.mask.circular.radius=0", "a mask is empty", "connection.near"},
      {"connection.near.mask.circular.radius=0.4", "larger than a sheet", "connection.near"},
      {"connection.near.from=z", "different sheets", "connection.near"},
      {"connection.box.mask.circular.radius=1", "circular or rectangular", "connection.box.mask"},
      {"population.x.n=5", "as many positions as neurons", "population.x.positions"},
      {"population.x.positions.grid=[2]", "so many columns and rows", "population.x.positions.grid"},
      {"population.z.positions.y=[1]", "a number for each neuron", "population.z.positions.y"},
      {"population.z.positions.extent=[1]", "two lengths", "population.z.positions.extent"},
      {"device.noise.dt=0", "a step or more", "device.noise.dt"},
      {"device.noise.weight.kernel=linear", "the same for all", "device.noise"},
      {"record.w.from=boxx", "no connection is called 'boxx'", "record.w.from"},
      {"record.w.from=near", "does not learn", "record.w"},
  };
  for (const auto& k : wrong) EXPECT_THAT(words(k.set), AllOf(HasSubstr(k.what), HasSubstr(k.where))) << k.set;
  std::filesystem::remove_all(folder);
}

TEST(Description, NamesReceptorsAndVolumeTransmitters) {
  Described d = describe(APICAL_SOURCE_DIR "/examples/bursts.toml");
  d.network.simulate(1500);
  const auto spikes = [&](std::size_t population) { return d.network.spikes(d.populations[population].population); };
  EXPECT_GT(spikes(0), 300u) << "somatic input";
  EXPECT_EQ(spikes(1), 0u) << "apical input";
  EXPECT_GT(spikes(2), 3 * spikes(0) / 2) << "both: bursts";

  Described learns = from(
      "[population.x]\nmodel = \"parrot_neuron\"\nn = 4\n[device.p]\nmodel = \"poisson_generator\"\nrate = \"100 Hz\"\nto = \"x\"\n"
      "[connection.c]\nfrom = \"x\"\nto = \"x\"\nrule = \"all_to_all\"\nweight = 5\nsynapse_model = \"stdp_dopamine_synapse\"\n"
      "tau_c = \"0.2 s\"\nvolume_transmitter = \"x[1:3]\"\n");
  Network net;
  const auto x = net.create("parrot_neuron", 4);
  const auto c =
      net.connect(x, x, Rule::all_to_all(),
                  {.weight = 5, .model = "stdp_dopamine_synapse", .parameters = {{"tau_c", 200}}, .volume_transmitter = x.slice(1, 2)});
  net.connect(PoissonGenerator{.rate = 100}, x);
  net.simulate(200), learns.network.simulate(200);
  EXPECT_EQ(learns.network.synapses(c).weight, net.synapses(c).weight);
  EXPECT_NE(net.synapses(c).weight, std::vector<double>(16, 5.0)) << "nothing was learnt";
}

TEST(Description, ACheckpointGoesOnBitForBit) {
  const auto path = std::filesystem::temp_directory_path() / "apical_circuit_checkpoint";
  Described whole = from(small), first = from(small), second = from(small, {"simulation.time=1s"});
  whole.network.simulate(60);
  first.network.simulate(27.4);
  save_checkpoint(first, path);
  load_checkpoint(second, path);
  EXPECT_NEAR(second.from, 27.4, 1e-9);
  second.network.simulate(60 - 27.4);
  EXPECT_EQ(second.spikes[0].record->step, whole.spikes[0].record->step);
  EXPECT_EQ(second.spikes[1].record->neuron, whole.spikes[1].record->neuron);
  EXPECT_EQ(second.traces[0].record->values, whole.traces[0].record->values);
  Described other = from(small, {"device.drive.rate=14 kHz"});
  try {
    load_checkpoint(other, path);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_THAT(e.what(), HasSubstr("another circuit"));
  }
  std::filesystem::remove(path);
}

TEST(Description, WhatCannotBeIsNamedByFileAndKey) {
  const auto words = [](const std::vector<std::string>& set, const std::string& more = "") -> std::string {
    try {
      from(small + more, set);
    } catch (const Error& e) {
      return e.code() == ExitCode::usage ? e.what() : "no usage error";
    }
    return "taken";
  };
  const struct {
    const char *set, *what, *where, *hint;
  } wrong[] = {
      {"model.fast.tau_m=8 mV", "'tau_m' must be in ms, not in mV", "small.toml: model.fast.tau_m", "\"1 ms\""},
      {"model.fast.tau_n=8", "unknown key 'tau_n'", "small.toml: model.fast", "Did you mean 'tau_m'"},
      {"model.fast.copy=iaf_psc_exq", "no neuron model", "model.fast.copy", "Did you mean 'iaf_psc_exp'"},
      {"population.e.model=fasd", "no neuron model is called 'fasd'", "population.e.model", "Did you mean 'fast'"},
      {"population.e.n=-1", "'n' must be 0 to", "population.e.n = -1", ""},
      {"population.e.n=0", "a population needs neurons", "population.e", ""},
      {"population.e.n=many", "'population.e.n' must be an integer", "small.toml", ""},
      {"population.e.tau_m=-3 ms", "tau_m must be positive", "small.toml: population.e", ""},
      {"population.e.V_m.distribution=unifrom", "no distribution", "population.e.V_m.distribution", "Did you mean 'uniform'"},
      {"population.e.V_m.std=1", "unknown key 'std'", "population.e.V_m", ""},
      {"population.e.V_m.max=-80", "empty range", "population.e.V_m", ""},
      {"connection.some.delay=-1 ms", "a delay is negative", "small.toml: connection.some: -1 ms", ""},
      {"connection.some.delay=0.05", "a delay is below the step", "connection.some: 0.05 ms, step 0.2 ms", ""},
      {"connection.some.weight=1 mV", "'weight' must be in pA, not in mV", "connection.some.weight", ""},
      {"connection.some.rule=one_to_on", "no connection rule", "connection.some.rule", "Did you mean 'one_to_one'"},
      {"connection.some.indegree=3", "unknown key 'indegree'", "connection.some", ""},
      {"connection.all.to=f", "no population is called 'f'", "connection.all.to", ""},
      {"connection.all.to=e[90:101]", "'e[90:101]' are no neurons of 'e'", "connection.all.to", "e[0:100]"},
      {"connection.all.to=e[5:5]", "are no neurons", "connection.all.to", ""},
      {"connection.some.from=a", "one_to_one needs as many sources as targets", "connection.some: 40 and 10", ""},
      {"connection.some.synapse_model=stdp_synapsis", "no synapse model", "connection.some.synapse_model", "Did you mean 'stdp_synapse'"},
      {"connection.some.lambda=0.1", "unknown key 'lambda'", "connection.some", ""},
      {"connection.some.receptor=apical", "iaf_psc_exp has no receptor 'apical'", "connection.some.receptor", ""},
      {"connection.some.synapse_model=stdp_dopamine_synapse", "needs a volume transmitter", "connection.some", ""},
      {"device.drive.model=poison_generator", "no device", "device.drive.model", "Did you mean 'poisson_generator'"},
      {"device.drive.model=multimeter", "no device", "device.drive.model", ""},
      {"device.drive.rate=15 mV", "'rate' must be in Hz, not in mV", "device.drive.rate", ""},
      {"device.drive.rate=-1", "a rate must be 0 or more", "device.drive", ""},
      {"device.current.weight=1 pA", "'weight' must be a plain number, not in pA", "device.current.weight", ""},
      {"device.current.rate=1", "unknown key 'rate'", "device.current", ""},
      {"device.steps.amplitude_values=[1]", "as many values as times", "device.steps", ""},
      {"record.v.variables=[\"V_n\"]", "has no variable 'V_n'", "record.v", "Did you mean 'V_m'"},
      {"record.v.interval=0.3 ms", "not a multiple of the step", "record.v", ""},
      {"simulation.dt=0", "the step must be positive", "simulation", ""},
      {"simulation.precision=half", "no precision", "simulation.precision", ""},
      {"simulatoin.dt=1", "unknown key 'simulatoin'", "small.toml", "Did you mean 'simulation'"},
      {"population=3", "'population' must be a table of tables", "small.toml", "[population.NAME]"},
      {"population.a=3", "'population.a' must be a table", "small.toml", ""},
      {"population.x y.n=3", "'x y' is no name", "small.toml [population]", ""},
      {"simulation.memory=0.000001", "the neurons need", "population.e", "Scale"},
  };
  for (const auto& w : wrong) EXPECT_THAT(words({w.set}), AllOf(HasSubstr(w.what), HasSubstr(w.where), HasSubstr(w.hint))) << w.set;
  EXPECT_EQ(words({}), "taken");
}

TEST(Description, MembranesThatBlowUpAreNamedByTheirPopulation) {
  Described d = from(small, {"connection.all.weight=1e308", "simulation.precision=double"});
  try {
    d.network.simulate(60);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
    EXPECT_THAT(e.what(), AllOf(HasSubstr("population "), HasSubstr("neurons) at"), HasSubstr(" ms")));
    EXPECT_THAT(e.what(), testing::AnyOf(HasSubstr("population e ("), HasSubstr("population a (")));
  }
}

TEST(Recordings, AreWhatWasRecorded) {
  const auto folder = std::filesystem::temp_directory_path() / "apical_recordings";
  make_folder(folder);
  Described d = from(small);
  d.network.simulate(60);
  ASSERT_EQ(write_recordings(d, folder, "npz").size(), 2u);
  const auto spikes = formats::read_npz(folder / "spikes.npz"), traces = formats::read_npz(folder / "traces.npz");
  const auto& r = *d.spikes[1].record;
  EXPECT_EQ(spikes.at("spikes_a.times").as<double>()[7], r.time(7));
  EXPECT_EQ(spikes.at("spikes_a.neurons").as<std::uint32_t>()[7], r.neuron[7]);
  EXPECT_EQ(traces.at("v.neurons").as<std::uint32_t>()[1], 4u) << "its number in the population";
  EXPECT_NEAR(traces.at("v.times").as<double>()[2], 1.2, 1e-12);
  EXPECT_EQ(traces.at("v.I_syn").shape, (std::vector<std::uint64_t>{150, 2}));
  EXPECT_EQ(traces.at("v.I_syn").as<double>()[100 * 2 + 1], d.traces[0].record->at(100, 1, 1));
  ASSERT_EQ(write_recordings(d, folder, "csv").size(), 2u);
  EXPECT_THAT(read_text(folder / "spikes.csv"), HasSubstr("record,neuron,time_ms\nspikes_e,"));
  EXPECT_THAT(read_text(folder / "traces_v.csv"), HasSubstr("time_ms,neuron,V_m,I_syn\n0.4,3,-"));
  EXPECT_THROW(write_recordings(d, folder, "xls"), Error);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace apical::brain
