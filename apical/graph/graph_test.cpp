#include "apical/graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "apical/base/error.h"
#include "apical/graph/graph_json.h"

namespace apical::graph {
namespace {

using ::testing::AllOf, ::testing::HasSubstr;

Tensor ramp(Shape shape, float step) {
  Tensor t{shape, {}};
  for (std::int64_t i = 0; i < elements(shape); ++i) t.values.own().push_back(step * static_cast<float>(i % 7 - 3));
  return t;
}

// Every operation and attribute once.
Graph everything() {
  Graph g;
  g.name = "every \"thing\" é", g.input_shape = {2, 8, 8}, g.T = 3, g.classes = {"yes", "no"};
  g.preprocess = {{0.1307f, 0.2f}, {0.3081f, 0.5f}};
  g.encoder = {"rate", 0xFFFFFFFFFFFFFFFFull, {{"gain", 0.7}}};
  g.tensors["w"] = ramp({4, 1, 3, 3}, 0.1f), g.tensors["b"] = ramp({4}, 0.3f);
  g.tensors["s"] = ramp({4}, 0.5f), g.tensors["t"] = ramp({4}, 0.25f);
  g.tensors["k"] = {{4}, {0.5f, 0.25f, -0.125f, 0.75f}};
  g.tensors["d"] = {{1}, {0.25f}}, g.tensors["l"] = ramp({2, 12}, 0.2f);
  kernels::Lif lif{0.3f,  0.7f, 0.9f, -0.2f, kernels::Reset::hard, kernels::Compare::gt, kernels::ResetAt::next_step_decayed,
                   false, true, true};
  g.nodes = {{"in", Input{}, {}, {}},
             {"conv", Conv2d{"w", "b", 1, 2, 1, 1, 2}, {"in"}, {}},
             {"norm", Affine{"s", "t"}, {"conv"}, {}},
             {"lif", Neuron{lif, {kernels::SurrogateKind::atan, 0.5f, 2.0f}, "d"}, {"norm"}, {}},
             {"sum", Add{}, {"lif", "norm"}, {}},
             {"max", MaxPool2d{2, 2}, {"sum"}, {}},
             {"avg", AvgPool2d{2, 1}, {"max"}, {}},
             {"pick", MaxPool2d{1, 1}, {"avg"}, {}},
             {"flat", Flatten{}, {"pick"}, {}},
             {"left", Slice{0, 5}, {"flat"}, {}},
             {"right", Slice{5, 7}, {"flat"}, {}},
             {"phi", Tanh{}, {"left"}, {}},
             {"cell", TwoPoint{{kernels::Mtf::tm3, kernels::TwoPointOutput::half_gaussian, 2.5f}}, {"left", "phi"}, {}},
             {"cuba", SpikingNeuron{kernels::Cuba{lif, 0.75f}, {kernels::SurrogateKind::gaussian, 0.25f, 3.0f}}, {"right"}, {}},
             {"adapts", SpikingNeuron{kernels::Alif{lif, 0.95f, 0.4f, 0.6f}, {}}, {"cuba"}, {}},
             {"pauses", SpikingNeuron{kernels::RefractoryLif{lif, 3}, {}}, {"adapts"}, {}},
             {"counts", SpikingNeuron{kernels::MultiLif{0.35f, 1.5f, 7, false, true}, {}}, {"pauses"}, {}},
             {"slides", SlidingNeuron{"k", 0.7f, {kernels::SurrogateKind::sigmoid, 0.5f, 0.5f}}, {"counts"}, {}},
             {"alone", TwoPoint{}, {"slides"}, {}},
             {"both", Concat{}, {"cell", "alone"}, {}},
             {"fc", Linear{"l", ""}, {"both"}, {}},
             {"out", Readout{ReadoutKind::max_membrane}, {"fc"}, {}}};
  g.densities = {{"conv", 0.125}};
  g.plans = {{"conv", Plan::dense}, {"fc", Plan::event}};
  validate(g);
  return g;
}

std::string message(const std::function<void(Graph&)>& spoil) {
  Graph g = everything();
  spoil(g);
  try {
    validate(g);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
    return e.what();
  }
  return "accepted";
}

Node& at(Graph& g, const std::string& name) { return const_cast<Node&>(node(g, name)); }

template <class Model>
std::string model(const std::string& node, void (*spoil)(Model&)) {
  return message([&](Graph& g) { spoil(std::get<Model>(std::get<SpikingNeuron>(at(g, node).op).model)); });
}

TEST(Validate, InfersShapes) {
  Graph g = everything();
  EXPECT_EQ(node(g, "conv").shape, (Shape{4, 8, 4}));
  EXPECT_EQ(node(g, "max").shape, (Shape{4, 4, 2}));
  EXPECT_EQ(node(g, "avg").shape, (Shape{4, 3, 1}));
  EXPECT_EQ(node(g, "right").shape, (Shape{7}));
  EXPECT_EQ(node(g, "cell").shape, (Shape{5}));
  EXPECT_EQ(node(g, "both").shape, (Shape{12}));
  EXPECT_EQ(node(g, "out").shape, (Shape{2}));
  EXPECT_EQ(state_elements(g), 4u * 8 * 4 + 7 * (2 + 2 + 2 + 1 + 3) + 2);
}

TEST(Validate, NamesWhatIsWrong) {
  EXPECT_EQ(message([](Graph&) {}), "accepted");
  EXPECT_THAT(message([](Graph& g) { g.T = 0; }), HasSubstr("T is 0"));
  EXPECT_THAT(message([](Graph& g) { at(g, "conv").name = "in"; }), HasSubstr("two nodes have the name 'in'"));
  EXPECT_THAT(message([](Graph& g) { at(g, "sum").name = "lif"; }), HasSubstr("'lif'"));
  EXPECT_THAT(message([](Graph& g) { at(g, "norm").inputs = {"sum"}; }), HasSubstr("comes later"));
  EXPECT_THAT(message([](Graph& g) { at(g, "norm").inputs = {"norm"}; }), HasSubstr("without cycles"));
  EXPECT_THAT(message([](Graph& g) { at(g, "lif").inputs = {"nrom"}; }), HasSubstr("Did you mean 'norm'?"));
  EXPECT_THAT(message([](Graph& g) { at(g, "sum").inputs = {"lif"}; }), HasSubstr("add needs 2"));
  EXPECT_THAT(message([](Graph& g) { g.tensors.erase("w"); }), HasSubstr("weight 'w'"));
  EXPECT_THAT(message([](Graph& g) { g.tensors["w"] = ramp({4, 2, 3, 3}, 1); }), HasSubstr("[4, 2, 3, 3], expected [4, 1, 3, 3]"));
  EXPECT_THAT(message([](Graph& g) { g.tensors["b"] = ramp({5}, 1); }), HasSubstr("[5], expected [4]"));
  EXPECT_THAT(message([](Graph& g) { g.tensors["w"].values.own().pop_back(); }), HasSubstr("35 values"));
  EXPECT_THAT(message([](Graph& g) { g.tensors["w"].values[5] = NAN; }), HasSubstr("element 5 is not a finite"));
  EXPECT_THAT(message([](Graph& g) { g.tensors["spare"] = ramp({5}, 1); }), HasSubstr("no node reads the tensor 'spare'"));
  EXPECT_THAT(message([](Graph& g) { g.tensors["d"].values[0] = -0.5f; }), HasSubstr("[0, 1]"));
  EXPECT_THAT(message([](Graph& g) { g.tensors["d"] = ramp({2}, 0.1f); }), HasSubstr("expected [1] or [4, 8, 4]"));
  EXPECT_THAT(message([](Graph& g) { std::get<Neuron>(at(g, "lif").op).lif.decay = 1.5f; }), HasSubstr("decay is 1.5"));
  EXPECT_THAT(message([](Graph& g) { std::get<Neuron>(at(g, "lif").op).lif.v_th = 0; }), HasSubstr("v_th is 0"));
  EXPECT_THAT(message([](Graph& g) { std::get<Neuron>(at(g, "lif").op).surrogate.width = 0; }), HasSubstr("surrogate"));
  EXPECT_THAT(message([](Graph& g) { std::get<Conv2d>(at(g, "conv").op).stride_h = 0; }), HasSubstr("stride is 0"));
  EXPECT_THAT(message([](Graph& g) { std::get<Conv2d>(at(g, "conv").op).pad_w = -1; }), HasSubstr("pad is -1"));
  EXPECT_THAT(message([](Graph& g) { std::get<Conv2d>(at(g, "conv").op).groups = 3; }), HasSubstr("groups 3"));
  EXPECT_THAT(message([](Graph& g) { std::get<MaxPool2d>(at(g, "max").op).kernel = 9; }), HasSubstr("window of 9"));
  EXPECT_THAT(message([](Graph& g) { std::get<Slice>(at(g, "right").op).begin = 6; }), HasSubstr("slice of 7 from element 6 on does not lie within the 12 of 'flat'"));
  EXPECT_THAT(message([](Graph& g) { std::get<Slice>(at(g, "right").op).begin = -1; }), HasSubstr("from element -1 on"));
  EXPECT_THAT(message([](Graph& g) { std::get<Slice>(at(g, "left").op).size = 0; }), HasSubstr("slice of 0"));
  EXPECT_THAT(message([](Graph& g) { std::get<Slice>(at(g, "left").op) = {INT64_MAX, INT64_MAX}; }), HasSubstr("does not lie within"));
  EXPECT_THAT(message([](Graph& g) { at(g, "left").inputs = {"pick"}; }), HasSubstr("slice needs inputs [N], 'pick' has [4, 3, 1]"));
  EXPECT_THAT(message([](Graph& g) { at(g, "both").inputs = {"cell", "pick"}; }), HasSubstr("concat needs inputs [N], 'pick' has [4, 3, 1]"));
  EXPECT_THAT(message([](Graph& g) { at(g, "both").inputs = {"cell"}; }), HasSubstr("concat needs 2 to 64 inputs, it has 1"));
  EXPECT_THAT(message([](Graph& g) { at(g, "alone").inputs = {"right", "left", "left"}; }), HasSubstr("receptive field and the context, it has 3"));
  EXPECT_THAT(message([](Graph& g) { at(g, "cell").inputs = {}; }), HasSubstr("receptive field and the context, it has 0"));
  EXPECT_THAT(message([](Graph& g) { at(g, "alone").inputs = {"right", "left"}; }), HasSubstr("context 'left' has the shape [5], its receptive field 'right' has [7]"));
  for (const float c_max : {0.0f, -3.0f, INFINITY, NAN})
    EXPECT_THAT(message([&](Graph& g) { std::get<TwoPoint>(at(g, "cell").op).cell.c_max = c_max; }), HasSubstr("c_max is"));
  using kernels::Cuba, kernels::Alif, kernels::RefractoryLif, kernels::MultiLif;
  EXPECT_THAT(model<Cuba>("cuba", [](Cuba& m) { m.alpha = 1.5f; }), AllOf(HasSubstr("node 'cuba'"), HasSubstr("alpha is 1.5")));
  EXPECT_THAT(model<Cuba>("cuba", [](Cuba& m) { m.lif.v_th = 0; }), HasSubstr("v_th is 0"));
  EXPECT_THAT(model<Alif>("adapts", [](Alif& m) { m.rho = NAN; }), HasSubstr("rho is"));
  EXPECT_THAT(model<Alif>("adapts", [](Alif& m) { m.beta = -0.1f; }), HasSubstr("beta is -0.1"));
  EXPECT_THAT(model<Alif>("adapts", [](Alif& m) { m.reset_by = INFINITY; }), HasSubstr("reset_by"));
  EXPECT_THAT(model<RefractoryLif>("pauses", [](RefractoryLif& m) { m.steps = -1; }), HasSubstr("steps is -1"));
  EXPECT_THAT(model<RefractoryLif>("pauses", [](RefractoryLif& m) { m.steps = 1 << 24; }), HasSubstr("steps is 16777216"));
  EXPECT_THAT(model<MultiLif>("counts", [](MultiLif& m) { m.levels = 256; }), HasSubstr("levels is 256"));
  EXPECT_THAT(model<MultiLif>("counts", [](MultiLif& m) { m.decay = -1; }), HasSubstr("decay is -1"));
  EXPECT_THAT(message([](Graph& g) { std::get<SpikingNeuron>(at(g, "counts").op).surrogate.width = NAN; }), HasSubstr("surrogate"));
  EXPECT_THAT(message([](Graph& g) { std::get<SlidingNeuron>(at(g, "slides").op).weights = "kk"; }), HasSubstr("weights 'kk' is not among the tensors"));
  EXPECT_THAT(message([](Graph& g) { g.tensors["k"] = ramp({2, 2}, 1); }), HasSubstr("[2, 2], expected [K]"));
  EXPECT_THAT(message([](Graph& g) { g.tensors["k"] = ramp({1025}, 1); }), HasSubstr("K <= 1024"));
  EXPECT_THAT(message([](Graph& g) { std::get<SlidingNeuron>(at(g, "slides").op).v_th = NAN; }), HasSubstr("v_th is not a finite"));
  EXPECT_THAT(message([](Graph& g) {  // a window's states are counted
                g.input_shape = {2, 1024, 1024}, g.nodes.resize(1);
                g.nodes.push_back({"s", SlidingNeuron{"k", 1, {}}, {"in"}, {}});
                g.tensors["k"] = ramp({300}, 1);
              }),
              HasSubstr("those of their states counted"));
  EXPECT_THAT(message([](Graph& g) { g.input_shape = {2, 1 << 20, 1 << 20}; }), HasSubstr("2^26"));
  EXPECT_THAT(message([](Graph& g) {
                g.input_shape = {2, 4096, 8192}, g.nodes.resize(1);
                for (int i = 0; i < 5; ++i) g.nodes.push_back({"f" + std::to_string(i), AvgPool2d{1, 1}, {g.nodes.back().name}, {}});
              }),
              HasSubstr("2^28"));
  EXPECT_THAT(message([](Graph& g) { g.classes.push_back("perhaps"); }), HasSubstr("3 class names for 2"));
  EXPECT_THAT(message([](Graph& g) { g.encoder.kind = "rats"; }), HasSubstr("rate"));
  EXPECT_THAT(message([](Graph& g) { g.input_kind = "smell"; }), HasSubstr("smell"));
  EXPECT_THAT(message([](Graph& g) { g.preprocess.std = {1, 0}; }), HasSubstr("positive"));
  EXPECT_THAT(message([](Graph& g) { g.densities["conv"] = 2; }), HasSubstr("density"));
  EXPECT_THAT(message([](Graph& g) { g.plans["lif"] = Plan::event; }), HasSubstr("'lif', which is no node with weights"));
  EXPECT_THAT(message([](Graph& g) { g.plans["conv"] = Plan::automatic; }), HasSubstr("dense or event"));
  EXPECT_THAT(message([](Graph& g) { g.nodes.push_back({"more", Flatten{}, {"out"}, {}}); }), HasSubstr("last node"));
}

TEST(Validate, AttentionIsBetweenThreeImagesOfOneShape) {
  std::int64_t tokens = 4;
  const auto said = [&](const Attention& op, std::vector<std::string> inputs) {
    Graph g;
    g.input_shape = {6, tokens, 1}, g.T = 1;
    g.nodes = {{"in", Input{}, {}, {}}, {"pool", AvgPool2d{1, 2}, {"in"}, {}}, {"flat", Flatten{}, {"in"}, {}}, {"mixed", op, std::move(inputs), {}}};
    try {
      validate(g);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    EXPECT_EQ(g.nodes.back().shape, (Shape{6, 4, 1}));
    const std::string text = to_json(g);
    EXPECT_EQ(to_json(parse_json(text, "test")), text);
    EXPECT_EQ(std::get<Attention>(parse_json(text, "test").nodes.back().op).heads, op.heads);
    return std::string("accepted");
  };
  EXPECT_EQ(said({3}, {"in", "in", "in"}), "accepted");
  EXPECT_THAT(said({4}, {"in", "in", "in"}), HasSubstr("heads 4 does not divide the channels 6"));
  EXPECT_THAT(said({0}, {"in", "in", "in"}), HasSubstr("heads is 0"));
  EXPECT_THAT(said({1}, {"in", "in"}), HasSubstr("attention needs 3 inputs, queries, keys and values, it has 2"));
  EXPECT_THAT(said({1}, {"in", "pool", "in"}), HasSubstr("different shapes: [6, 4, 1] and [6, 2, 1] ('pool')"));
  EXPECT_THAT(said({1}, {"flat", "flat", "flat"}), HasSubstr("[C, H, W]"));
  tokens = 8193;  // a file of a few bytes must not ask for hours
  EXPECT_THAT(said({1}, {"in", "in", "in"}), HasSubstr("8193 tokens have more than 2^26 pairs"));
}

// --- JSON -------------------------------------------------------------------------------------------------------------------------

TEST(Json, KeepsEverything) {
  Graph g = everything();
  const std::string text = to_json(g);
  Graph back = parse_json(text, "test");
  EXPECT_EQ(to_json(back), text);
  const auto& a = std::get<Neuron>(node(g, "lif").op);
  const auto& b = std::get<Neuron>(node(back, "lif").op);
  EXPECT_EQ(a.lif, b.lif);
  EXPECT_EQ(a.surrogate, b.surrogate);
  for (const char* name : {"cuba", "adapts", "pauses", "counts"}) {
    const auto &before = std::get<SpikingNeuron>(node(g, name).op), &after = std::get<SpikingNeuron>(node(back, name).op);
    EXPECT_EQ(after.model, before.model) << name;
    EXPECT_EQ(after.surrogate, before.surrogate) << name;
  }
  EXPECT_EQ(std::get<SlidingNeuron>(node(back, "slides").op).v_th, 0.7f);
  EXPECT_EQ(std::get<SlidingNeuron>(node(back, "slides").op).surrogate, std::get<SlidingNeuron>(node(g, "slides").op).surrogate);
  EXPECT_EQ(std::get<TwoPoint>(node(back, "cell").op).cell, std::get<TwoPoint>(node(g, "cell").op).cell);
  EXPECT_EQ(std::get<Slice>(node(back, "right").op).begin, 5);
  EXPECT_EQ(g.encoder, back.encoder);
  EXPECT_EQ(g.preprocess, back.preprocess);
  EXPECT_EQ(g.name, back.name);
  EXPECT_EQ(back.tensors.at("w").shape, g.tensors.at("w").shape);
  EXPECT_TRUE(back.tensors.at("w").values.empty());
}

std::string refused(const std::string& text) {
  try {
    parse_json(text, "file");
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
    EXPECT_THAT(e.where(), HasSubstr("file"));
    return e.what();
  }
  return "accepted";
}
std::string with(const std::string& from, const std::string& to) {
  std::string text = to_json(everything());
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return refused(text.replace(at, from.size(), to));
}

TEST(Json, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(with("\"decay\"", "\"dekay\""), HasSubstr("'decay' is missing"));
  EXPECT_THAT(with("\"groups\": 2", "\"groups\": 2, \"grups\": 1"), HasSubstr("Did you mean 'groups'?"));
  EXPECT_THAT(with("\"groups\": 2", "\"groups\": 2, \"groups\": 2"), HasSubstr("stands twice"));
  EXPECT_THAT(with("\"groups\": 2", "\"groups\": 2.5"), HasSubstr("whole number"));
  EXPECT_THAT(with("\"groups\": 2", "\"groups\": 99999999999"), HasSubstr("smaller"));
  EXPECT_THAT(with("\"op\": \"linear\"", "\"op\": \"liner\""), HasSubstr("Did you mean 'linear'?"));
  EXPECT_THAT(with("\"tm3\"", "\"tm33\""), HasSubstr("unknown mtf 'tm33'"));
  EXPECT_THAT(with("\"tm3\"", "\"tm33\""), HasSubstr("Did you mean 'tm3'? Known: tm1, tm2, tm3, tm4, coop, add, gate."));
  EXPECT_THAT(with("\"half_gaussian\"", "\"gaussian\""), HasSubstr("unknown output 'gaussian'"));
  EXPECT_THAT(with("\"c_max\": 2.5", "\"c_max\": -2.5"), HasSubstr("c_max is -2.5"));
  EXPECT_THAT(with("\"c_max\": 2.5", "\"c_max\": 1e300"), HasSubstr("single precision"));
  EXPECT_THAT(with("\"begin\": 5", "\"begin\": 5.5"), HasSubstr("whole number"));
  EXPECT_THAT(with("\"cuba_lif\"", "\"cubalif\""), HasSubstr("Did you mean 'cuba_lif'? Known: cuba_lif, adaptive_lif, refractory_lif, integer_lif."));
  EXPECT_THAT(with("\"alpha\"", "\"alhpa\""), HasSubstr("'alpha' is missing"));
  EXPECT_THAT(with("\"steps\": 3", "\"steps\": 1e3"), HasSubstr("'steps' must be a whole number"));
  EXPECT_THAT(with("\"levels\": 7", "\"levels\": 0"), HasSubstr("levels is 0"));
  EXPECT_THAT(with("\"levels\": 7", "\"levels\": 7, \"v_th\": 1"), HasSubstr("unknown key 'v_th'"));
  EXPECT_THAT(with("\"weights\": \"k\"", "\"weights\": 4"), HasSubstr("'weights' must be a text"));
  EXPECT_THAT(with("\"schema\": 1", "\"schema\": 2"), HasSubstr("schema 2"));
  EXPECT_THAT(with("apical.graph", "other"), HasSubstr("format"));
  EXPECT_THAT(with("\"v_th\": ", "\"v_th\": -"), HasSubstr("v_th"));
  EXPECT_THAT(with("\"v_th\": ", "\"v_th\": 1e300, \"x\": "), HasSubstr("single precision"));
  EXPECT_THAT(with("\"T\": 3", "\"T\": 0"), HasSubstr("T is 0"));
  EXPECT_THAT(with("\"T\": 3", "\"T\": \"3\""), HasSubstr("'T' must be"));
  EXPECT_THAT(refused("{"), HasSubstr("not valid JSON"));
  EXPECT_THAT(refused("[]"), HasSubstr("object"));
  EXPECT_THAT(refused(std::string(100000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(refused("{\"format\": \"\xff\"}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(refused("{\"format\": 1e999}"), HasSubstr("represented"));
  EXPECT_THAT(refused(std::string((16 << 20) + 1, ' ')), HasSubstr("16 MiB"));
}

// --- folding ----------------------------------------------------------------------------------------------------------------------

// What the network computes from `x` in float64 by plain loops, for chains of conv (stride 1), affine, pool, flatten and linear.
std::vector<double> chain(const Graph& g, std::vector<double> x) {
  Shape in = g.input_shape;
  for (const Node& n : g.nodes) {
    std::vector<double> y(static_cast<std::size_t>(elements(n.shape)), 0.0);
    const auto tensor = [&](const std::string& t) -> const Floats& { return g.tensors.at(t).values; };
    if (const auto* c = std::get_if<Conv2d>(&n.op)) {
      const Shape& w = g.tensors.at(c->weight).shape;
      std::size_t k = 0;
      for (std::int64_t o = 0; o < w[0]; ++o)
        for (std::int64_t oy = 0; oy < n.shape[1]; ++oy)
          for (std::int64_t ox = 0; ox < n.shape[2]; ++ox, ++k) {
            y[k] = c->bias.empty() ? 0 : tensor(c->bias)[static_cast<std::size_t>(o)];
            for (std::int64_t i = 0; i < w[1] * w[2] * w[3]; ++i) {
              const std::int64_t ch = o / (w[0] / c->groups) * w[1] + i / (w[2] * w[3]);
              const std::int64_t iy = oy + i / w[3] % w[2] - c->pad_h, ix = ox + i % w[3] - c->pad_w;
              if (iy >= 0 && ix >= 0 && iy < in[1] && ix < in[2])
                y[k] += x[static_cast<std::size_t>((ch * in[1] + iy) * in[2] + ix)] *
                        tensor(c->weight)[static_cast<std::size_t>(o * w[1] * w[2] * w[3] + i)];
            }
          }
    } else if (const auto* l = std::get_if<Linear>(&n.op)) {
      for (std::size_t o = 0; o < y.size(); ++o) {
        y[o] = l->bias.empty() ? 0 : tensor(l->bias)[o];
        for (std::size_t i = 0; i < x.size(); ++i) y[o] += x[i] * tensor(l->weight)[o * x.size() + i];
      }
    } else if (const auto* a = std::get_if<Affine>(&n.op)) {
      const std::size_t plane = y.size() / static_cast<std::size_t>(n.shape[0]);
      for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] * tensor(a->scale)[i / plane] + tensor(a->shift)[i / plane];
    } else if (std::holds_alternative<AvgPool2d>(n.op)) {  // 2, 2
      std::size_t k = 0;
      for (std::int64_t c = 0; c < n.shape[0]; ++c)
        for (std::int64_t oy = 0; oy < n.shape[1]; ++oy)
          for (std::int64_t ox = 0; ox < n.shape[2]; ++ox, ++k)
            for (int t = 0; t < 4; ++t) y[k] += 0.25 * x[static_cast<std::size_t>((c * in[1] + 2 * oy + t / 2) * in[2] + 2 * ox + t % 2)];
    } else {
      y = x;
    }
    x = y, in = n.shape;
  }
  return x;
}

std::vector<std::string> fold_and_compare(Graph g) {
  validate(g);
  std::vector<double> x;
  for (std::int64_t i = 0; i < elements(g.input_shape); ++i) x.push_back(std::sin(static_cast<double>(i)));
  const auto before = chain(g, x);
  fold_affine(g);
  const auto after = chain(g, x);
  EXPECT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i], after[i], 1e-5);
  std::vector<std::string> left;
  for (const auto& n : g.nodes) left.push_back(n.name);
  return left;
}

Graph folding(int pad, int groups) {
  Graph g;
  g.name = "fold", g.input_shape = {2, 6, 6}, g.T = 1;
  g.tensors["w"] = ramp({4, 2 / groups, 3, 3}, 0.3f), g.tensors["s"] = ramp({4}, 0.4f), g.tensors["t"] = ramp({4}, 0.2f);
  g.tensors["s0"] = {{2}, {0.5f, -2.0f}}, g.tensors["t0"] = {{2}, {0.75f, 0.125f}};
  g.nodes = {{"in", Input{}, {}, {}},
             {"first", Affine{"s0", "t0"}, {"in"}, {}},
             {"conv", Conv2d{"w", "", 1, 1, pad, pad, groups}, {"first"}, {}},
             {"pool", AvgPool2d{2, 2}, {"conv"}, {}},
             {"norm", Affine{"s", "t"}, {"pool"}, {}}};
  return g;
}

using Names = std::vector<std::string>;

TEST(Fold, ThroughConvolutionPoolFlattenAndLinear) {
  EXPECT_EQ(fold_and_compare(folding(0, 1)), (Names{"in", "conv", "pool"}));
  EXPECT_EQ(fold_and_compare(folding(0, 2)), (Names{"in", "conv", "pool"}));
  EXPECT_EQ(fold_and_compare(folding(1, 1)), (Names{"in", "first", "conv", "pool"})) << "a shift does not reach the padding";
  Graph g = folding(0, 1);
  g.tensors["l"] = ramp({3, 8}, 0.5f);
  g.nodes[1].name = "a", g.nodes[2] = {"pool", AvgPool2d{2, 2}, {"a"}, {}};
  g.nodes.resize(3);
  g.nodes.push_back({"flat", Flatten{}, {"pool"}, {}});
  g.nodes.push_back({"fc", Linear{"l", ""}, {"flat"}, {}});
  g.tensors.erase("w"), g.tensors.erase("s"), g.tensors.erase("t");
  g.tensors["l"] = ramp({3, 18}, 0.5f);
  EXPECT_EQ(fold_and_compare(g), (Names{"in", "pool", "flat", "fc"}));
}

TEST(Fold, StopsWhereSomethingElseReads) {
  Graph g = folding(1, 1);
  g.nodes.push_back({"raw", AvgPool2d{2, 2}, {"conv"}, {}});  // reads the convolution before the norm
  g.nodes.push_back({"sum", Add{}, {"norm", "raw"}, {}});
  validate(g);
  fold_affine(g);
  EXPECT_EQ(node(g, "norm").inputs, (Names{"pool"}));
  Graph h = folding(1, 1);
  kernels::Lif lif;
  h.nodes[4].inputs = {"lif"};
  h.nodes.insert(h.nodes.begin() + 4, Node{"lif", Neuron{lif, {}, ""}, {"pool"}, {}});
  validate(h);
  fold_affine(h);
  EXPECT_EQ(node(h, "norm").inputs, (Names{"lif"})) << "not through a neuron";
}

TEST(Fold, StopsAtTheNodesOfTwoPointCells) {
  Graph g;
  g.name = "stops", g.input_shape = {4}, g.T = 1;
  g.tensors["w"] = ramp({4, 4}, 0.5f), g.tensors["s"] = ramp({4}, 0.5f), g.tensors["t"] = ramp({4}, 0.25f);
  const std::vector<Node> between{{"m", Slice{0, 4}, {}, {}}, {"m", Tanh{}, {}, {}}, {"m", TwoPoint{}, {}, {}}, {"m", Concat{}, {}, {}}};
  for (Node m : between)
    for (const bool before : {true, false}) {  // the affine before it and the weights behind, or the other way round
      const Node affine{before ? "a" : "c", Affine{"s", "t"}, {}, {}}, linear{before ? "c" : "a", Linear{"w", ""}, {}, {}};
      g.tensors["w"] = ramp({4, before && std::holds_alternative<Concat>(m.op) ? 8 : 4}, 0.5f);
      g.nodes = {{"in", Input{}, {}, {}}, before ? affine : linear, m, before ? linear : affine};
      g.nodes[1].inputs = {"in"}, g.nodes[2].inputs = {"a"}, g.nodes[3].inputs = {"m"};
      if (std::holds_alternative<Concat>(m.op)) {
        g.nodes[2].inputs = {"a", "in"};
        if (!before) g.nodes.insert(g.nodes.begin() + 3, {"half", Slice{0, 4}, {"m"}, {}}), g.nodes[4].inputs = {"half"};
      }
      Graph folded = g;
      fold_affine(folded);
      EXPECT_EQ(to_json(folded), to_json([&] { validate(g); return g; }())) << op_name(m.op);
    }
}

TEST(FeedForward, EndsAtTheContextOfCells) {
  Graph g;
  g.name = "streams", g.input_shape = {3}, g.T = 1;
  g.tensors["w"] = ramp({3, 3}, 0.5f);
  g.nodes = {{"in", Input{}, {}, {}},
             {"r", Linear{"w", ""}, {"in"}, {}},
             {"phi", Tanh{}, {"r"}, {}},
             {"p", Linear{"w", ""}, {"phi"}, {}},
             {"early", TwoPoint{}, {"r", "p"}, {}},
             {"q", Linear{"w", ""}, {"early"}, {}},
             {"h", TwoPoint{}, {"r", "q"}, {}},
             {"out", Linear{"w", ""}, {"h"}, {}},
             {"last", Readout{}, {"out"}, {}}};
  validate(g);
  EXPECT_EQ(feed_forward(g), (std::set<std::string>{"in", "r", "h", "out", "last"}));
}

TEST(Fold, CopiesASharedTensor) {
  Graph g;
  g.name = "shared", g.input_shape = {3}, g.T = 1;
  g.tensors["w"] = ramp({3, 3}, 0.5f), g.tensors["s"] = ramp({3}, 0.5f), g.tensors["t"] = ramp({3}, 0.25f);
  g.nodes = {{"in", Input{}, {}, {}},
             {"l1", Linear{"w", ""}, {"in"}, {}},
             {"a", Affine{"s", "t"}, {"l1"}, {}},
             {"l2", Linear{"w", ""}, {"a"}, {}}};
  EXPECT_EQ(fold_and_compare(g), (Names{"in", "l1", "l2"}));
}

TEST(OpCounts, Add) {
  OpCounts a, b;
  double v = 1;
  for (double OpCounts::*field :
       {&OpCounts::effective_acs, &OpCounts::effective_macs, &OpCounts::dense, &OpCounts::membrane_updates, &OpCounts::weight_bytes,
        &OpCounts::activation_bytes, &OpCounts::state_bytes, &OpCounts::dense_weight_bytes, &OpCounts::dense_activation_bytes,
        &OpCounts::ann, &OpCounts::ann_weight_bytes, &OpCounts::ann_activation_bytes, &OpCounts::active_inputs, &OpCounts::inputs,
        &OpCounts::steps, &OpCounts::samples})
    a.*field = v, b.*field = 2 * v, v += 1;
  EXPECT_EQ(a += a, b);
}

}  // namespace
}  // namespace apical::graph
