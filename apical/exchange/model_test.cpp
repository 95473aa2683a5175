#include "apical/exchange/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/formats/bytes.h"
#include "apical/formats/safetensors.h"
#include "apical/graph/graph_json.h"
#include "apical/graph/quantise.h"

namespace apical::exchange {
namespace {

using graph::Graph;
using ::testing::HasSubstr;

Graph two_layers() {
  using namespace graph;
  Graph g;
  g.name = "two", g.input_shape = {3}, g.T = 4, g.classes = {"a", "b"};
  g.tensors["w"] = {{2, 3}, {1, -2, 3.5f, 1e-30f, 0, -0.0f}}, g.tensors["b"] = {{2}, {0.1f, 0.2f}};
  g.nodes = {{"in", Input{}, {}, {}}, {"l", Linear{"w", "b"}, {"in"}, {}}, {"n", Neuron{}, {"l"}, {}}};
  validate(g);
  return g;
}

// The bytes of a file with this text and these tensors, right or wrong.
std::vector<std::uint8_t> file(const std::string& text, const std::map<std::string, graph::Tensor>& tensors,
                               const char* key = "apical.graph") {
  std::vector<formats::NamedTensor> named;
  for (const auto& [name, t] : tensors) named.push_back(formats::named<float>(name, {t.shape.begin(), t.shape.end()}, t.values));
  return formats::safetensors_bytes(named, {{key, text}});
}

std::string refused(const std::vector<std::uint8_t>& bytes) {
  try {
    parse_model(bytes, "m.safetensors");
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
    EXPECT_THAT(e.where(), HasSubstr("m.safetensors"));
    return e.what();
  }
  return "accepted";
}

Graph other_neurons() {
  using namespace graph;
  using kernels::Alif, kernels::Cuba, kernels::MultiLif, kernels::RefractoryLif;
  Graph g = two_layers();
  g.name = "neurons", g.tensors["k"] = {{3}, {1, 0.5f, -0.25f}};
  g.nodes.pop_back();
  const Op ops[] = {SpikingNeuron{Cuba{{}, 0.75f}, {}}, SpikingNeuron{Alif{}, {}}, SpikingNeuron{RefractoryLif{{}, 2}, {}}, SpikingNeuron{MultiLif{}, {}},
                    SlidingNeuron{"k", 0.5f, {}}};
  for (const Op& op : ops) g.nodes.push_back({"n" + std::to_string(g.nodes.size()), op, {g.nodes.back().name}, {}});
  validate(g);
  return g;
}

void round_trip(const Graph& g) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "apical-model-test.safetensors";
  save_model(path, g);
  const Graph back = load_model(path);
  EXPECT_EQ(graph::to_json(back), graph::to_json(g));
  for (const auto& [name, t] : g.tensors) EXPECT_EQ(back.tensors.at(name).values, t.values);
  const auto first = read_file(path);
  save_model(path, back);
  EXPECT_EQ(read_file(path), first) << "same graph, same bytes";
  std::filesystem::remove(path);
}

TEST(Model, RoundTrip) {
  round_trip(two_layers());
  round_trip(other_neurons());
}

TEST(Model, TensorsMustBeThoseOfTheGraph) {
  const Graph g = two_layers();
  const std::string text = graph::to_json(g);
  EXPECT_EQ(refused(file(text, g.tensors)), "accepted");
  auto t = g.tensors;
  t["w"].shape = {3, 2};
  EXPECT_THAT(refused(file(text, t)), ::testing::AllOf(HasSubstr("tensor 'w'"), HasSubstr("[2, 3]"), HasSubstr("[3, 2]")));
  t = g.tensors, t.erase("b");
  EXPECT_THAT(refused(file(text, t)), ::testing::AllOf(HasSubstr("'b'"), HasSubstr("does not hold")));
  t = g.tensors, t["spare"] = {{1}, {0}};
  EXPECT_THAT(refused(file(text, t)), HasSubstr("'spare'"));
  t = g.tensors, t["w"].values[2] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(refused(file(text, t)), ::testing::AllOf(HasSubstr("'w'"), HasSubstr("finite")));
  const std::vector<double> wide(6, 1.0);
  std::vector<formats::NamedTensor> mixed{formats::named<double>("w", {2, 3}, wide),
                                          formats::named<float>("b", {2}, g.tensors.at("b").values)};
  EXPECT_THAT(refused(formats::safetensors_bytes(mixed, {{"apical.graph", text}})), ::testing::AllOf(HasSubstr("'w'"), HasSubstr("f64")));
}

TEST(Model, WeightsOfAQuantisedNetworkAreInt8) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "apical-model-int8.safetensors";
  for (const int bits : {8, 4}) {
    Graph g = two_layers();
    graph::quantise(g, bits, {1, false});
    save_model(path, g);
    const auto file = formats::SafeTensors::open(path);
    EXPECT_EQ(file.at("w").dtype, formats::DType::i8);
    EXPECT_EQ(file.at("b").dtype, formats::DType::f32);
    const Graph back = load_model(path);
    EXPECT_EQ(graph::to_json(back), graph::to_json(g));
    for (const auto& [name, t] : g.tensors) EXPECT_EQ(back.tensors.at(name).values, t.values);

    const std::string text = graph::to_json(g);
    std::vector<std::int8_t> q(6, 1);
    const auto bytes = [&](const auto& w) {
      using T = std::remove_const_t<typename std::remove_reference_t<decltype(w)>::value_type>;
      const std::vector<float> b(2, 0.5f);
      const std::vector<formats::NamedTensor> named{formats::named<T>("w", {2, 3}, w), formats::named<float>("b", {2}, b)};
      return formats::safetensors_bytes(named, {{"apical.graph", text}});
    };
    EXPECT_EQ(refused(bytes(q)), "accepted");
    q[4] = bits == 8 ? -128 : 8;
    EXPECT_THAT(refused(bytes(q)), ::testing::AllOf(HasSubstr("'w'"), HasSubstr("element 4")));
    EXPECT_THAT(refused(bytes(std::vector<float>(6, 1.0f))), ::testing::AllOf(HasSubstr("'w'"), HasSubstr("f32, not i8")));
  }
  std::filesystem::remove(path);
}

TEST(Model, Bfloat16WeightsTakeHalfTheFile) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "apical-model-bf16.safetensors";
  Graph g = two_layers();
  save_model(path, g);
  EXPECT_EQ(formats::SafeTensors::open(path).at("w").dtype, formats::DType::f32);
  graph::quantise(g, 16, {});
  EXPECT_FALSE(g.integer);
  EXPECT_FLOAT_EQ(g.tensors["w"].values[3], 9.984021e-31f);
  save_model(path, g);
  EXPECT_EQ(formats::SafeTensors::open(path).at("w").dtype, formats::DType::bf16);
  EXPECT_EQ(formats::SafeTensors::open(path).at("b").dtype, formats::DType::f32);
  const Graph back = load_model(path);
  for (const auto& [name, t] : g.tensors) EXPECT_EQ(back.tensors.at(name).values, t.values);
  std::filesystem::remove(path);
}

TEST(Model, OtherFilesAreSaidToBeOther) {
  const Graph g = two_layers();
  EXPECT_THAT(refused(file("{}", g.tensors, "other")), HasSubstr("apical.graph"));
  EXPECT_THAT(refused(file("{", g.tensors)), HasSubstr("JSON"));
  EXPECT_NE(refused({}), "accepted");
  EXPECT_NE(refused({'n', 'o', 't', ' ', 'a', ' ', 'm', 'o', 'd', 'e', 'l'}), "accepted");
  auto bytes = file(graph::to_json(g), g.tensors);
  bytes.resize(bytes.size() - 5);
  EXPECT_NE(refused(bytes), "accepted");
  EXPECT_THROW(load_model("/no/such/model"), Error);
}

TEST(Model, TensorsAreReadInPlaceWhereTheFileAlignsThem) {
  const Graph g = two_layers();
  const auto path = std::filesystem::path(::testing::TempDir()) / "apical-model-mapped.safetensors";
  save_model(path, g);
  Graph back = load_model(path);
  EXPECT_TRUE(back.tensors.at("w").values.in_place());
  std::filesystem::remove(path);  // the map lives on
  EXPECT_EQ(back.tensors.at("w").values, g.tensors.at("w").values);
  back.tensors.at("w").values[0] = 5;  // a copy of its own, not the file
  EXPECT_FALSE(back.tensors.at("w").values.in_place());
  EXPECT_EQ(back.tensors.at("w").values[0], 5);
  EXPECT_FALSE(parse_model(file(graph::to_json(g), g.tensors), "m").tensors.at("w").values.in_place());

  // A foreign writer whose header leaves every tensor one byte off.
  const auto bytes = file(graph::to_json(g), g.tensors);
  const std::uint64_t length = formats::load_le<std::uint64_t>(bytes.data()) + 1;
  std::vector<std::uint8_t> shifted(8);
  std::memcpy(shifted.data(), &length, 8);
  shifted.insert(shifted.end(), bytes.begin() + 8, bytes.begin() + 7 + static_cast<std::ptrdiff_t>(length));
  shifted.push_back(' ');
  shifted.insert(shifted.end(), bytes.begin() + 7 + static_cast<std::ptrdiff_t>(length), bytes.end());
  write_file(path, {reinterpret_cast<const char*>(shifted.data()), shifted.size()});
  const Graph copied = load_model(path);
  std::filesystem::remove(path);
  EXPECT_FALSE(copied.tensors.at("w").values.in_place());
  EXPECT_EQ(copied.tensors.at("w").values, g.tensors.at("w").values);
}

TEST(Model, ABadGraphIsNotSaved) {
  Graph g = two_layers();
  g.T = 0;
  const auto path = std::filesystem::path(::testing::TempDir()) / "apical-model-never.safetensors";
  EXPECT_THROW(save_model(path, g), Error);
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace apical::exchange
