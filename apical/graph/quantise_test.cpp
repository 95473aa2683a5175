#include "apical/graph/quantise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/graph/graph_json.h"
#include "apical/graph/integer.h"

namespace apical::graph {
namespace {

using ::testing::AllOf, ::testing::HasSubstr;

// conv 1 x 1 -> LIF -> average pool -> flatten -> linear -> rate, on [1, 4, 4].
Graph small(kernels::Lif lif = {}, int kernel = 2) {
  Graph g;
  g.name = "small", g.input_shape = {1, 4, 4};
  g.tensors["c"] = {{2, 1, 1, 1}, {0.75f, -0.3f}}, g.tensors["b"] = {{2}, {0.1f, -0.1f}};
  const auto left = static_cast<std::int64_t>((4 - kernel) / kernel + 1);
  g.tensors["l"] = {{1, 2 * left * left}, std::vector<float>(static_cast<std::size_t>(2 * left * left), 0.011f)};
  g.nodes = {{"in", Input{}, {}, {}},
             {"conv", Conv2d{"c", "b", 1, 1, 0, 0, 1}, {"in"}, {}},
             {"lif", Neuron{lif, {}, ""}, {"conv"}, {}},
             {"pool", AvgPool2d{kernel, kernel}, {"lif"}, {}},
             {"flat", Flatten{}, {"pool"}, {}},
             {"fc", Linear{"l", ""}, {"flat"}, {}},
             {"out", Readout{ReadoutKind::rate}, {"fc"}, {}}};
  validate(g);
  return g;
}

InputRange up_to(float largest) { return {largest, false}; }

std::string refused(Graph g, InputRange input = up_to(1)) {
  try {
    quantise(g, 8, input);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
    return e.what();
  }
  return "accepted";
}

TEST(Quantise, UnitsBiasesAndThresholdsByHand) {
  kernels::Lif lif;
  lif.decay = 0.9f, lif.v_th = 0.8f, lif.v_reset = -0.25f, lif.reset = kernels::Reset::hard;
  Graph g = small(lif);
  quantise(g, 8, up_to(2.5f));
  ASSERT_TRUE(g.integer);
  EXPECT_EQ(g.integer->input_exponent, 5);  // 2.5 * 32 = 80
  EXPECT_EQ(g.integer->exponents, (std::map<std::string, int>{{"c", 7}, {"l", 13}}));
  EXPECT_EQ(g.tensors["c"].values, (std::vector<float>{96.0f / 128, -38.0f / 128}));
  EXPECT_EQ(g.tensors["l"].values[0], 90.0f / 8192);
  const IntegerNetwork n = integer_network(g);
  EXPECT_EQ(n.nodes[0].unit, 1.0 / 32);
  EXPECT_EQ(n.nodes[1].unit, 1.0 / 4096);
  EXPECT_EQ(n.nodes[1].weight, (std::vector<std::int8_t>{96, -38}));
  EXPECT_EQ(n.nodes[1].bias, (std::vector<std::int32_t>{410, -410}));  // 0.1 * 4096 = 409.6
  EXPECT_EQ(n.nodes[1].most, 127 * 96 + 410);
  EXPECT_EQ(n.nodes[1].least, -127 * 96 + 410);
  EXPECT_EQ(n.nodes[2].lif, (kernels::IntegerLif{29491, 3277, -1024, 0, lif.reset, lif.compare, lif.reset_at}));  // 0.9 * 32768, 0.8 * 4096
  EXPECT_EQ(n.nodes[3].unit, 0.25);
  EXPECT_EQ(n.nodes[3].most, 4);
  EXPECT_EQ(n.nodes[5].unit, 0.25 / 8192);
  EXPECT_EQ(n.nodes[5].most, 8 * 4 * 90);
}

TEST(Quantise, FactorsOfTheInputGoToTheThreshold) {
  kernels::Lif lif;
  lif.input_scale = 0.5f, lif.v_th = 1.0f;
  Graph g = small(lif), h = small();
  quantise(g, 8, up_to(2.5f));
  EXPECT_EQ(integer_network(g).nodes[2].lif.v_th, 4096 >> 1);  // 2 = 8192 units of the current, 2^11 of the membrane
  EXPECT_EQ(integer_network(g).nodes[2].lif.shift, -2);
  lif.decay_input = true, lif.decay = 0.75f, lif.input_scale = 9;
  g = small(lif);
  quantise(g, 8, up_to(2.5f));
  EXPECT_EQ(integer_network(g).nodes[2].lif.shift, -3) << "1 / (1 - 0.75)";
  EXPECT_EQ(integer_network(g).nodes[2].lif.decay, 24576);
}

TEST(Quantise, AnyWindowCanBeAveraged) {
  Graph g = small({}, 3);
  quantise(g, 8, up_to(1));
  EXPECT_EQ(integer_network(g).nodes[3].unit, 1.0 / 9);
  EXPECT_EQ(integer_network(g).nodes[3].most, 9);
}

TEST(Quantise, ExponentsHaveTheLeastSquaredError) {
  for (const int bits : {8, 4}) {
    const float most = bits == 8 ? 127 : 7;
    Graph g = small();
    g.tensors["c"] = {{64, 1, 1, 1}, std::vector<float>(64)}, g.tensors["b"] = {{64}, std::vector<float>(64)};
    g.tensors["l"] = {{1, 256}, std::vector<float>(256)};
    Random random(1, "weights");
    for (const char* name : {"c", "l"})
      for (float& w : g.tensors[name].values) w = random.normal();
    const Graph before = g;
    quantise(g, bits, up_to(1));
    for (const char* name : {"c", "l"}) {
      const auto error = [&](int exponent) {
        double sum = 0;
        for (const float w : before.tensors.at(name).values) {
          const double q = std::clamp<double>(std::nearbyint(std::ldexp(double{w}, exponent)), -most, most);
          sum += std::pow(w - std::ldexp(q, -exponent), 2);
        }
        return sum;
      };
      const int chosen = g.integer->exponents.at(name);
      for (int e = -3; e < 12; ++e) EXPECT_LE(error(chosen), error(e)) << name << " " << bits;
    }
  }
}

TEST(Quantise, OtherCellsAndNeuronsHaveNoIntegerFormButBfloat16) {
  Graph g = small();
  g.nodes[2] = {"cells", TwoPoint{}, {"conv"}, {}}, g.nodes[3].inputs = {"cells"};
  EXPECT_THAT(refused(g), AllOf(HasSubstr("a two_point has no integer form, and 'cells' is one"), HasSubstr("16 bits")));
  quantise(g, 16, {});
  EXPECT_FALSE(g.integer);
  g.nodes[2].op = SpikingNeuron{};
  EXPECT_THAT(refused(g), HasSubstr("a spiking_neuron has no integer form, and 'cells' is one"));
  g.nodes[2].op = SlidingNeuron{"k", 1, {}}, g.tensors["k"] = {{1}, {1.0f}};
  EXPECT_THAT(refused(g), HasSubstr("a sliding_neuron has no integer form"));
  g.tensors.erase("k");
  g.nodes[2].op = Tanh{};
  EXPECT_THAT(refused(g), HasSubstr("a tanh has no integer form"));
  g.nodes[2] = {"pool", AvgPool2d{2, 2}, {"conv"}, {}}, g.nodes.erase(g.nodes.begin() + 3);
  g.nodes.insert(g.nodes.begin() + 4, {"part", Slice{0, 8}, {"flat"}, {}}), g.nodes[5].inputs = {"part"};
  EXPECT_THAT(refused(g), HasSubstr("a slice has no integer form, and 'part' is one"));
}

TEST(Quantise, WholeInputsAreTakenAsTheyAre) {
  InputRange range;
  const std::vector<float> counts{0, 3, -127, 5};
  range.see(counts);
  Graph g = small();
  quantise(g, 8, range);
  EXPECT_EQ(g.integer->input_exponent, 0);
  const std::vector<float> more{0.5f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()};
  range.see(more);
  EXPECT_FALSE(range.whole);
  EXPECT_EQ(range.largest, 127);
  g = small();
  quantise(g, 8, {0.25f, false});
  EXPECT_EQ(g.integer->input_exponent, 8);  // 0.25 * 256 = 64; twice that would be 128
}

TEST(Quantise, SaysWhatCannotBe) {
  Graph g = small();
  EXPECT_THROW(quantise(g, 5, up_to(1)), Error);
  quantise(g, 8, up_to(1));
  EXPECT_THAT(refused(g), HasSubstr("already"));
  kernels::Lif lif;
  lif.input_scale = -1;
  EXPECT_THAT(refused(small(lif)), AllOf(HasSubstr("'lif'"), HasSubstr("positive")));
  lif.decay = 1, lif.decay_input = true;
  EXPECT_THAT(refused(small(lif)), AllOf(HasSubstr("'lif'"), HasSubstr("positive")));
  lif = {}, lif.v_th = 1e-9f;
  EXPECT_THAT(refused(small(lif)), AllOf(HasSubstr("'lif'"), HasSubstr("threshold")));
  lif.v_th = 1e30f;
  EXPECT_THAT(refused(small(lif)), AllOf(HasSubstr("'lif'"), HasSubstr("threshold")));
  g = small();
  g.tensors["b"].values[1] = 1e6f;
  EXPECT_THAT(refused(g), AllOf(HasSubstr("'conv'"), HasSubstr("'b' element 1")));
  g = small();
  for (float& w : g.tensors["c"].values) w *= 1e-25f;
  EXPECT_THAT(refused(g), AllOf(HasSubstr("'conv'"), HasSubstr("too small")));
  g = small();  // linear after linear: sums of more than 16 bits
  g.tensors["l"] = {{300, 8}, std::vector<float>(2400, 0.5f)}, g.tensors["m"] = {{300, 300}, std::vector<float>(90000, 0.5f)}, g.tensors["n"] = {{1, 300}, std::vector<float>(300, 0.5f)};
  g.nodes.insert(g.nodes.end() - 1, {{"fc2", Linear{"m", ""}, {"fc"}, {}}, {"fc3", Linear{"n", ""}, {"fc2"}, {}}});
  g.nodes.back().inputs = {"fc3"};
  EXPECT_THAT(refused(g), AllOf(HasSubstr("'fc3'"), HasSubstr("16 bits"), HasSubstr("neuron")));
  g = small();  // the affine's input is read elsewhere too
  g.tensors["s"] = {{2}, {1, 2}};
  g.nodes.insert(g.nodes.begin() + 2, {"affine", Affine{"s", "s"}, {"conv"}, {}});
  g.nodes.insert(g.nodes.begin() + 3, {"sum", Add{}, {"conv", "affine"}, {}});
  g.nodes[4].inputs = {"sum"};
  EXPECT_THAT(refused(g), AllOf(HasSubstr("'affine'"), HasSubstr("affine has no integer form")));
  g = small();
  g.nodes.insert(g.nodes.begin() + 3, {"mean", AvgPool2d{3, 1}, {"lif"}, {}});
  g.nodes[4] = {"crop", MaxPool2d{3, 1}, {"lif"}, {}};
  g.nodes.insert(g.nodes.begin() + 5, {"both", Add{}, {"mean", "crop"}, {}});
  g.nodes[6].inputs = {"both"};
  EXPECT_THAT(refused(g), AllOf(HasSubstr("'both'"), HasSubstr("powers of two")));
  EXPECT_THROW(integer_network(small()), Error);
}

TEST(Quantise, TheJsonIsReadBackStrictly) {
  Graph g = small();
  quantise(g, 4, up_to(1));
  const std::string text = to_json(g);
  const Graph back = parse_json(text, "text");
  EXPECT_EQ(to_json(back), text);
  EXPECT_EQ(back.integer->bits, 4);
  EXPECT_EQ(back.integer->exponents, g.integer->exponents);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    try {
      parse_json(changed, "text");
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::data);
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(with("\"bits\": 4", "\"bits\": 5"), HasSubstr("8 or 4"));
  EXPECT_THAT(with("\"bits\": 4", "\"bits\": 4, \"more\": 1"), HasSubstr("'more'"));
  EXPECT_THAT(with("\"input_exponent\": 6", "\"input_exponent\": 61"), HasSubstr("61"));
  EXPECT_THAT(with("\"exponents\": {\n   \"c\": 3,", "\"exponents\": {"), AllOf(HasSubstr("'c'"), HasSubstr("no integer exponent")));
  EXPECT_THAT(with("\"exponents\": {\n   \"c\"", "\"exponents\": {\n   \"b\": 0, \"c\""), AllOf(HasSubstr("'b'"), HasSubstr("weight")));
  EXPECT_THAT(with("\"c\": 3", "\"c\": 99"), HasSubstr("99"));
  g.tensors["c"].values[0] = 0.3f;
  EXPECT_THROW(validate(g), Error) << "no whole number any more";
}

}  // namespace
}  // namespace apical::graph
