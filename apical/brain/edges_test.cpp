#include "apical/brain/edges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "apical/base/error.h"
#include "apical/base/thread_pool.h"
#include "apical/brain/network.h"

namespace apical::brain {
namespace {

using formats::Array, formats::Npz;
using testing::AllOf;
using testing::HasSubstr;

const EdgeLimits kTen{{0, 0, 10}, {1, 2, 8}, 0.1};  // sources 0 to 9, targets 2 to 9

template <class Call>
std::string error_of(Call call, ExitCode code) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  return "taken";
}

TEST(Edges, AreReadFromCsvByTheNamesOfItsColumns) {
  const SynapseTable t = parse_edges_csv("# by hand\nweight,target,source,delay\n-2.5,3,0,1.5\n\n# more\n1e2,9,9,0.1\n", "e.csv", kTen);
  EXPECT_EQ(t.source, (std::vector<std::uint32_t>{0, 9}));
  EXPECT_EQ(t.target, (std::vector<std::uint32_t>{3, 9}));
  EXPECT_EQ(t.weight, (std::vector<double>{-2.5, 100}));
  EXPECT_EQ(t.delay, (std::vector<double>{1.5, 0.1}));
  const SynapseTable bare = parse_edges_csv("source target\n1 2\n", "e.csv", kTen);
  EXPECT_EQ(bare.source.size(), 1u);
  EXPECT_TRUE(bare.weight.empty() && bare.delay.empty());
  const auto wrong = [](std::string_view text) { return error_of([&] { parse_edges_csv(text, "e.csv", kTen); }, ExitCode::data); };
  EXPECT_THAT(wrong("source,target,wieght\n"),
              AllOf(HasSubstr("'wieght'"), HasSubstr("Did you mean 'weight'"), HasSubstr("e.csv, line 1")));
  EXPECT_THAT(wrong("source,weight\n1,2\n"), HasSubstr("no column 'target'"));
  EXPECT_THAT(wrong("source,target,source\n1,2,1\n"), HasSubstr("two columns"));
  EXPECT_THAT(wrong("source,target\n1,2\n10,2\n"), AllOf(HasSubstr("source 10 is not among neurons 0 to 9"), HasSubstr("line 3")));
  EXPECT_THAT(wrong("source,target\n1,1\n"), HasSubstr("target 1 is not among neurons 2 to 9"));
  EXPECT_THAT(wrong("source,target\n-1,2\n"), HasSubstr("'-1' is no number of a neuron"));
  EXPECT_THAT(wrong("source,target\n4294967297,2\n"), HasSubstr("is no number of a neuron"));
  EXPECT_THAT(wrong("source,target,weight\n1,2,nan\n"), AllOf(HasSubstr("not a finite number"), HasSubstr("line 2")));
  EXPECT_THAT(wrong("source,target,weight\n1,2,3pA\n"), HasSubstr("'3pA' is no number"));
  EXPECT_THAT(wrong("source,target,delay\n1,2,0.04\n"), AllOf(HasSubstr("a delay is below the step"), HasSubstr("line 2")));
  EXPECT_THAT(wrong("source,target,delay\n1,2,-1\n"), HasSubstr("below the step"));
  EXPECT_THAT(wrong("source,target,delay\n1,2,inf\n"), HasSubstr("not a finite number"));
}

template <class T>
Array column(std::vector<T> values) {
  return Array::of<T>({values.size()}, {values.data(), values.size()});
}

// Five edges in two groups: the first has weights and delays, the second neither, so that its types say.
Npz sonata() {
  Npz npz;
  npz["edges/a_b/source_node_id"] = column<std::uint64_t>({0, 9, 4, 4, 1});
  npz["edges/a_b/target_node_id"] = column<std::uint64_t>({2, 9, 5, 5, 3});
  npz["edges/a_b/edge_type_id"] = column<std::int64_t>({100, 101, 100, 101, 102});
  npz["edges/a_b/edge_group_id"] = column<std::uint16_t>({0, 1, 0, 1, 0});
  npz["edges/a_b/edge_group_index"] = column<std::int32_t>({2, 0, 0, 1, 1});
  npz["edges/a_b/0/syn_weight"] = column<float>({0.5f, -1.5f, 2.5f});
  npz["edges/a_b/0/delay"] = column<double>({1.5, 2.0, 3.0});
  return npz;
}
constexpr const char* kTypes =
    "edge_type_id target_query syn_weight delay dynamics_params\n100 NULL 7 7.5 NULL\n101 \"ei == 'e' & x\" -8.25 4 x.json\n102 NULL 9 9 "
    "NULL\n";

TEST(Edges, AreReadFromSonata) {
  const auto path = std::filesystem::temp_directory_path() / "apical_edges.h5";
  const auto read = [&](const Npz& npz, const char* types = kTypes, const char* population = "a_b") {
    formats::write_hdf5_arrays(path, npz);
    return parse_sonata_edges(formats::Hdf5Columns(path), population, types, "types.csv", kTen);
  };
  const SynapseTable t = read(sonata());
  EXPECT_EQ(t.source, (std::vector<std::uint32_t>{0, 9, 4, 4, 1}));
  EXPECT_EQ(t.target, (std::vector<std::uint32_t>{2, 9, 5, 5, 3}));
  EXPECT_EQ(t.weight, (std::vector<double>{2.5, -8.25, 0.5, -8.25, -1.5}));
  EXPECT_EQ(t.delay, (std::vector<double>{3, 4, 1.5, 4, 2}));
  Npz plain;  // nothing but who: weight and delay are said elsewhere
  for (const char* name : {"edges/a_b/source_node_id", "edges/a_b/target_node_id"}) plain[name] = sonata()[name];
  EXPECT_TRUE(read(plain, "").weight.empty());
  EXPECT_EQ(read(plain, "").source, t.source);

  const auto wrong = [&](auto spoil, const char* types = kTypes) {
    Npz npz = sonata();
    spoil(npz);
    return error_of([&] { read(npz, types); }, ExitCode::data);
  };
  const auto none = [](Npz&) {};
  EXPECT_THAT(wrong(none, ""), AllOf(HasSubstr("neither the group nor the type"), HasSubstr("syn_weight"), HasSubstr("row 3")));
  EXPECT_THAT(wrong(none, "edge_type_id syn_weight\n100 1\n102 1\n"), AllOf(HasSubstr("there is no edge type 101"), HasSubstr("row 1")));
  EXPECT_THAT(wrong(none, "edge_type_id syn_weight\n100 1\n100 1\n"), AllOf(HasSubstr("twice"), HasSubstr("types.csv, line 3")));
  EXPECT_THAT(wrong(none, "edge_typ_id\n"), HasSubstr("no column edge_type_id"));
  EXPECT_THAT(wrong(none, "edge_type_id delay\n100 x\n"), HasSubstr("'x' is no number"));
  EXPECT_THAT(wrong([](Npz& n) {
                n["edges/a_b/target_node_id"] = column<std::uint64_t>({2, 9, 5, 5, 10});
              }),
              AllOf(HasSubstr("target 10 is not among"), HasSubstr("edges/a_b, row 4")));
  EXPECT_THAT(wrong([](Npz& n) { n["edges/a_b/source_node_id"] = column<std::int64_t>({-1, 0, 0, 0, 0}); }), HasSubstr("row 0"));
  EXPECT_THAT(wrong([](Npz& n) { n["edges/a_b/source_node_id"] = column<std::uint64_t>({~0ull, 0, 0, 0, 0}); }), HasSubstr("row 0"));
  EXPECT_THAT(wrong([](Npz& n) {
                n["edges/a_b/source_node_id"] = column<double>({0, 0, 0, 0, 0});
              }),
              HasSubstr("does not hold whole numbers"));
  EXPECT_THAT(wrong([](Npz& n) { n["edges/a_b/edge_type_id"] = column<std::int64_t>({1}); }), HasSubstr("has 1 rows, not 5"));
  EXPECT_THAT(wrong([](Npz& n) {
                n["edges/a_b/edge_group_index"] = column<std::int32_t>({3, 0, 0, 1, 1});
              }),
              AllOf(HasSubstr("group 0 has no syn_weight of index 3"), HasSubstr("row 0")));
  EXPECT_THAT(wrong([](Npz& n) { n["edges/a_b/edge_group_id"] = column<std::int32_t>({0, -1, 0, 1, 0}); }), HasSubstr("row 1"));
  EXPECT_THAT(wrong([](Npz& n) {
                n["edges/a_b/0/syn_weight"] = column<double>({0, std::numeric_limits<double>::infinity(), 0});
              }),
              AllOf(HasSubstr("weight is not a finite number"), HasSubstr("row 4")));
  EXPECT_THAT(wrong([](Npz& n) {
                n["edges/a_b/0/delay"] = column<double>({0.01, 1, 1});
              }),
              AllOf(HasSubstr("below the step"), HasSubstr("row 2")));
  EXPECT_THAT(wrong([](Npz& n) { n.erase("edges/a_b/source_node_id"); }), HasSubstr("no 'edges/a_b/source_node_id'"));
  EXPECT_THAT(error_of([&] { read(sonata(), kTypes, "a_c"); }, ExitCode::data), HasSubstr("edges/a_c"));
  std::filesystem::remove(path);
}

TEST(Edges, FilesOfH5pyAreRead) {
  const std::filesystem::path golden = std::filesystem::path(APICAL_SOURCE_DIR) / "tests/golden/sonata";  // make.py says what is in them
  const SynapseTable t = read_edges(golden / "edges.h5", "v1_to_v1", golden / "edge_types.csv", {{0, 0, 40}, {0, 0, 30}, 0.1});
  ASSERT_EQ(t.source.size(), 300u);
  for (std::uint32_t i = 0; i < 300; ++i) {
    EXPECT_EQ(t.source[i], 7 * i % 40);
    EXPECT_EQ(t.target[i], 11 * i % 30);
    EXPECT_EQ(t.weight[i], i % 4 == 3 ? i % 3 + 0.25 : i / 8.0);
    EXPECT_EQ(t.delay[i], i % 4 == 3 ? i % 3 + 2 : 1 + i % 16 / 4.0);
  }
  EXPECT_THAT(error_of([&] { read_edges(golden / "edges.h5", "", "", kTen); }, ExitCode::usage), HasSubstr("which edge population"));
}

// A network whose synapses between e's are drawn (plastic or not, several between two neurons), or come from a table.
struct Net {
  Network net;
  Population e;
  Projection synapses;
  const SpikeRecord* spikes;
  Net(bool learns, const SynapseTable* table) : net({.seed = 7}), e(net.create("iaf_psc_exp", 500)) {
    Synapses s{.weight = Value::normal(25, 5).redrawn(0, 60), .delay = Value::uniform(0.5, 4)};
    if (learns) s.model = "stdp_synapse", s.parameters = {{"Wmax", 60}, {"lambda", 0.1}};
    const auto some = e.slice(20, 400);
    if (table)
      synapses = net.connect(e, some, *table, {.model = s.model, .parameters = s.parameters});
    else
      synapses = net.connect(e, some, Rule::fixed_indegree(70), s);
    net.connect(PoissonGenerator{.rate = 9000}, e, 40);
    spikes = &net.record_spikes(e);
  }
};

TEST(Edges, WrittenAndReadBackGiveTheSameSpikes) {
  const auto path = std::filesystem::temp_directory_path() / "apical_edges.csv";
  for (const bool learns : {false, true}) {
    set_thread_count(2);
    Net drawn(learns, nullptr);
    write_edges_csv(path, drawn.net.synapses(drawn.synapses));
    drawn.net.simulate(80);
    EXPECT_GT(drawn.spikes->size(), 500u);
    const SynapseTable learnt = drawn.net.synapses(drawn.synapses);
    for (const int threads : {1, 2, 7}) {
      set_thread_count(threads);
      const SynapseTable table = read_edges(path, "", "", {drawn.e, drawn.e.slice(20, 400), 0.1});
      Net read(learns, &table);
      read.net.simulate(80);
      EXPECT_EQ(read.spikes->step, drawn.spikes->step) << threads << " threads";
      EXPECT_EQ(read.spikes->neuron, drawn.spikes->neuron);
      EXPECT_EQ(read.net.synapses(read.synapses).weight, learnt.weight);
    }
  }
  // A checkpoint belongs to these very synapses.
  SynapseTable table = read_edges_csv(path, {{0, 0, 500}, {0, 20, 400}, 0.1});
  Net a(false, &table), same(false, &table);
  a.net.simulate(10);
  const auto state = a.net.state();
  EXPECT_NO_THROW(same.net.set_state(state, "state"));
  table.weight[5] += 1;
  Net other(false, &table);
  EXPECT_THAT(error_of([&] { other.net.set_state(state, "state"); }, ExitCode::data), HasSubstr("another network"));
  std::filesystem::remove(path);
  set_thread_count(2);
}

TEST(Edges, ATableIsChecked) {
  Network net;
  const auto e = net.create("iaf_psc_exp", 5);
  const auto wrong = [&](const SynapseTable& t) { return error_of([&] { net.connect(e, e, t); }, ExitCode::usage); };
  EXPECT_THAT(wrong({{0, 5}, {1, 1}, {}, {}}), AllOf(HasSubstr("source 5 is not among neurons 0 to 4"), HasSubstr("edge 1")));
  EXPECT_THAT(wrong({{0, 1}, {1}, {}, {}}), HasSubstr("different lengths"));
  EXPECT_THAT(wrong({{0}, {1}, {1, 2}, {}}), HasSubstr("different lengths"));
  EXPECT_THAT(wrong({{0}, {1}, {NAN}, {}}), HasSubstr("edge 0"));
  EXPECT_THAT(wrong({{0}, {1}, {}, {0}}), HasSubstr("below the step"));
  const SynapseTable made = net.synapses(net.connect(e, e, SynapseTable{{3, 0, 3}, {1, 1, 1}, {}, {2, 1, 1}}, {.weight = 4, .delay = 1}));
  EXPECT_EQ(made.source, (std::vector<std::uint32_t>{0, 3, 3}));
  EXPECT_EQ(made.weight, (std::vector<double>{4, 4, 4}));
  EXPECT_EQ(made.delay, (std::vector<double>{1, 1, 2}));
}

}  // namespace
}  // namespace apical::brain
