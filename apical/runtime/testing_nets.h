#pragma once
// Small networks with random weights for the tests of runtime, exchange and energy.
#include <cmath>
#include <string>
#include <vector>

#include "apical/base/philox.h"
#include "apical/graph/graph.h"
#include "apical/graph/quantise.h"

namespace apical::testing {

inline graph::Tensor random_tensor(graph::Shape shape, const std::string& stream, float scale) {
  Random random(7, stream);
  graph::Tensor t{shape, std::vector<float>(static_cast<std::size_t>(graph::elements(shape)))};
  for (float& v : t.values) v = scale * random.normal();
  return t;
}

/// conv 3x3 -> LIF -> avg pool -> conv stride 2 in two groups -> LIF -> flatten -> linear -> rate, on [2, 9, 7].
inline graph::Graph small_net(const kernels::Lif& lif = {}) {
  using namespace graph;
  Graph g;
  g.name = "small", g.input_shape = {2, 9, 7}, g.T = 5, g.encoder = {}, g.classes = {"a", "b", "c"};
  g.tensors["c1.w"] = random_tensor({6, 2, 3, 3}, "c1", 0.5f), g.tensors["c1.b"] = random_tensor({6}, "b1", 0.2f);
  g.tensors["c2.w"] = random_tensor({8, 3, 3, 2}, "c2", 0.6f);
  g.tensors["fc.w"] = random_tensor({3, 16}, "fc", 0.7f), g.tensors["fc.b"] = random_tensor({3}, "bf", 0.1f);
  g.tensors["n2.decay"] = {{8, 2, 1}, std::vector<float>(16)};
  for (std::size_t i = 0; i < 16; ++i) g.tensors["n2.decay"].values[i] = 0.3f + 0.04f * static_cast<float>(i);
  g.nodes = {{"in", Input{}, {}, {}},
             {"c1", Conv2d{"c1.w", "c1.b", 1, 1, 1, 1, 1}, {"in"}, {}},
             {"n1", Neuron{lif, {}, ""}, {"c1"}, {}},
             {"p1", AvgPool2d{2, 2}, {"n1"}, {}},
             {"c2", Conv2d{"c2.w", "", 2, 2, 1, 0, 2}, {"p1"}, {}},
             {"n2", Neuron{lif, {}, "n2.decay"}, {"c2"}, {}},
             {"flat", Flatten{}, {"n2"}, {}},
             {"fc", Linear{"fc.w", "fc.b"}, {"flat"}, {}},
             {"out", Readout{ReadoutKind::rate}, {"fc"}, {}}};
  validate(g);
  return g;
}

/// Two branches of one layer meet again in another order; max pool of spikes; an affine in float; per step output of the last kind.
inline graph::Graph branched_net() {
  using namespace graph;
  Graph g;
  g.name = "branched", g.input_shape = {3, 6, 6}, g.T = 4;
  g.tensors["c.w"] = random_tensor({4, 3, 3, 3}, "c", 0.5f);
  g.tensors["d.w"] = random_tensor({4, 1, 3, 3}, "d", 0.9f);
  g.tensors["a.s"] = random_tensor({4}, "as", 1.0f), g.tensors["a.b"] = random_tensor({4}, "ab", 0.3f);
  g.tensors["l.w"] = random_tensor({16, 16}, "l", 0.5f), g.tensors["m.w"] = random_tensor({5, 16}, "m", 0.5f);
  kernels::Lif lif;
  lif.reset = kernels::Reset::hard, lif.decay = 0.7f;
  g.nodes = {{"in", Input{}, {}, {}},
             {"c", Conv2d{"c.w", "", 1, 1, 1, 1, 1}, {"in"}, {}},
             {"a", Affine{"a.s", "a.b"}, {"c"}, {}},
             {"n", Neuron{lif, {}, ""}, {"a"}, {}},
             {"d", Conv2d{"d.w", "", 1, 1, 1, 1, 4}, {"n"}, {}},
             {"sum", Add{}, {"d", "n"}, {}},
             {"n2", Neuron{lif, {}, ""}, {"sum"}, {}},
             {"mp", MaxPool2d{3, 2}, {"n2"}, {}},
             {"flat", Flatten{}, {"mp"}, {}},
             {"l", Linear{"l.w", ""}, {"flat"}, {}},
             {"both", Add{}, {"l", "flat"}, {}},
             {"m", Linear{"m.w", ""}, {"both"}, {}},
             {"out", Readout{ReadoutKind::max_membrane}, {"m"}, {}}};
  validate(g);
  return g;
}

/// A max pool of spikes whose channels fill whole words, with windows that overlap.
inline graph::Graph whole_words_net() {
  using namespace graph;
  Graph g;
  g.name = "whole words", g.input_shape = {3, 7, 8}, g.T = 4;
  g.tensors["c.w"] = random_tensor({64, 3, 3, 3}, "c", 0.5f), g.tensors["l.w"] = random_tensor({5, 576}, "l", 0.2f);
  kernels::Lif lif;
  lif.v_th = 2.5f;
  g.nodes = {{"in", Input{}, {}, {}},
             {"c", Conv2d{"c.w", "", 1, 1, 1, 1, 1}, {"in"}, {}},
             {"n", Neuron{lif, {}, ""}, {"c"}, {}},
             {"mp", MaxPool2d{3, 2}, {"n"}, {}},
             {"flat", Flatten{}, {"mp"}, {}},
             {"l", Linear{"l.w", ""}, {"flat"}, {}},
             {"out", Readout{ReadoutKind::rate}, {"l"}, {}}};
  validate(g);
  return g;
}

/// Weight layers large enough to be shared out over the threads (kernels::large_layer), dense and event by event.
inline graph::Graph large_net() {
  using namespace graph;
  Graph g;
  g.name = "large", g.input_shape = {3, 40, 64}, g.T = 2;
  g.tensors["c.w"] = random_tensor({64, 3, 3, 3}, "c", 0.5f), g.tensors["l.w"] = random_tensor({130, 10240}, "l", 0.1f);
  kernels::Lif lif;
  lif.v_th = 0.5f;
  g.nodes = {{"in", Input{}, {}, {}},
             {"c", Conv2d{"c.w", "", 1, 1, 1, 1, 1}, {"in"}, {}},
             {"n", Neuron{lif, {}, ""}, {"c"}, {}},
             {"mp", MaxPool2d{4, 4}, {"n"}, {}},
             {"flat", Flatten{}, {"mp"}, {}},
             {"l", Linear{"l.w", ""}, {"flat"}, {}},
             {"n2", Neuron{lif, {}, ""}, {"l"}, {}},
             {"out", Readout{ReadoutKind::rate}, {"n2"}, {}}};
  validate(g);
  return g;
}

/// Two streams of two-point cells, two layers each: h = TwoPoint(R, P + D + U) from a vector [50]. A second iteration (`iterations` is 1 or 2)
/// reads P and D from the h of the first, with the same weights, and remembers half of the universal context. Feed-forward weight layers are
/// named r.. and out.
inline graph::Graph two_stream_net(const kernels::TwoPoint& cell = {}, int iterations = 1, std::uint64_t seed = 1) {
  using namespace graph;
  constexpr std::int64_t inputs[] = {29, 21}, cells[] = {24, 19}, shared = 6, layers = 2;
  const std::string id = "two streams " + std::to_string(seed);
  Graph g;
  g.name = "two streams", g.input_shape = {inputs[0] + inputs[1]}, g.T = 1, g.encoder = {}, g.classes = {"a", "b", "c"};
  const auto weight = [&](const std::string& name, std::int64_t outputs, std::int64_t ins, float scale) {
    if (!g.tensors.count(name)) g.tensors[name] = random_tensor({outputs, ins}, id + name, scale / std::sqrt(static_cast<float>(ins)));
    return name;
  };
  const auto node = [&](const std::string& name, Op op, std::vector<std::string> from) {
    g.nodes.push_back({name, std::move(op), std::move(from), {}});
    return name;
  };
  g.tensors["half"] = {{shared}, std::vector<float>(shared, 0.5f)}, g.tensors["none"] = {{shared}, std::vector<float>(shared, 0.0f)};
  node("in", Input{}, {});
  std::vector<std::string> below{node("x0", Slice{0, inputs[0]}, {"in"}), node("x1", Slice{inputs[0], inputs[1]}, {"in"})};
  for (int l = 0; l < layers; ++l) {
    std::string R[2], shown[2], u;
    const std::string of = std::to_string(l);
    const std::int64_t all = l ? cells[0] + cells[1] : inputs[0] + inputs[1];
    const std::string together = node("all" + of, Concat{}, below);
    for (const int m : {0, 1}) {
      const std::string at = of + std::to_string(m);
      g.tensors["br" + at] = random_tensor({cells[m]}, id + "br" + at, 0.3f), g.tensors["bc" + at] = random_tensor({cells[m]}, id + "bc" + at, 0.3f);
      R[m] = node("r" + at, Linear{weight("Wr" + at, cells[m], l ? cells[m] : inputs[m], 1.4f), "br" + at}, {below[static_cast<std::size_t>(m)]});
      shown[m] = node("phi" + at, Tanh{}, {R[m]});
    }
    for (int n = 0; n < iterations; ++n) {
      std::string again, now = node("k" + of + "." + std::to_string(n), Linear{weight("Wk" + of, shared, all, 1), ""}, {together});
      if (n) again = node("kept" + of, Affine{"half", "none"}, {u}), now = node("remembers" + of, Add{}, {now, again});
      u = node("u" + of + "." + std::to_string(n), Tanh{}, {now});
      std::string h[2];
      for (const int m : {0, 1}) {
        const std::string at = of + std::to_string(m), pass = at + "." + std::to_string(n);
        const std::string P = node("p" + pass, Linear{weight("Wp" + at, cells[m], cells[m], 1), "bc" + at}, {shown[m]});
        const std::string D = node("d" + pass, Linear{weight("Wd" + at, cells[m], cells[1 - m], 1), ""}, {shown[1 - m]});
        const std::string U = node("U" + pass, Linear{weight("Wu" + at, cells[m], shared, 1), ""}, {u});
        h[m] = node("h" + pass, TwoPoint{cell}, {R[m], node("c" + pass, Add{}, {P, D, U})});
        for (std::int64_t i = 0; i < cells[m]; ++i) g.tensors["Wp" + at].values[static_cast<std::size_t>(i * cells[m] + i)] = 0;
      }
      shown[0] = h[0], shown[1] = h[1];
    }
    below = {shown[0], shown[1]};
  }
  g.tensors["bo"] = random_tensor({3}, id + "bo", 0.1f);
  node("out", Linear{weight("Wo", 3, cells[0] + cells[1], 1), "bo"}, {node("both", Concat{}, below)});
  node("scores", Readout{ReadoutKind::last}, {"out"});
  if (iterations == 1) g.tensors.erase("half"), g.tensors.erase("none");
  validate(g);
  return g;
}

/// Cells of images, whose memory is channel last; slices of one flattened; contexts in another order than what they meet.
inline graph::Graph image_cells_net() {
  using namespace graph;
  using kernels::Mtf, kernels::TwoPointOutput;
  Graph g;
  g.name = "cells of images", g.input_shape = {4, 3, 5}, g.T = 2;
  g.tensors["w"] = random_tensor({6, 4, 1, 1}, "w", 0.6f), g.tensors["v"] = random_tensor({6, 4, 1, 1}, "v", 0.6f);
  g.tensors["l"] = random_tensor({40, 90}, "l", 0.3f), g.tensors["o"] = random_tensor({5, 80}, "o", 0.3f);
  g.nodes = {{"in", Input{}, {}, {}},
             {"r", Conv2d{"w", "", 1, 1, 0, 0, 1}, {"in"}, {}},
             {"c", Conv2d{"v", "", 1, 1, 0, 0, 1}, {"in"}, {}},
             {"h", TwoPoint{}, {"r", "c"}, {}},
             {"flat", Flatten{}, {"h"}, {}},
             {"phi", Tanh{}, {"flat"}, {}},
             {"part", Slice{35, 40}, {"phi"}, {}},
             {"l", Linear{"l", ""}, {"flat"}, {}},
             {"g", TwoPoint{{Mtf::tm1, TwoPointOutput::relu, 2}}, {"l", "part"}, {}},
             {"more", Concat{}, {"g", "flat", "part"}, {}},
             {"middle", Slice{50, 90}, {"more"}, {}},
             {"gated", TwoPoint{{Mtf::gate, TwoPointOutput::relu6, 1}}, {"flat", "middle"}, {}},
             {"other", TwoPoint{{Mtf::coop, TwoPointOutput::relu6, 1}}, {"middle", "gated"}, {}},
             {"few", Slice{7, 40}, {"other"}, {}},
             {"both", Concat{}, {"g", "few"}, {}},
             {"o", Linear{"o", ""}, {"both"}, {}},
             {"out", Readout{ReadoutKind::last}, {"o"}, {}}};
  validate(g);
  return g;
}

/// Two streams with every transfer function and output, of one pass and of two; and cells of images.
inline std::vector<graph::Graph> two_point_nets() {
  using kernels::Mtf, kernels::TwoPointOutput;
  std::vector<graph::Graph> nets{image_cells_net()};
  for (const Mtf mtf : {Mtf::tm1, Mtf::tm2, Mtf::tm3, Mtf::tm4, Mtf::coop, Mtf::add, Mtf::gate})
    for (const auto output : {TwoPointOutput::relu6, TwoPointOutput::relu, TwoPointOutput::half_gaussian}) {
      const int iterations = 1 + static_cast<int>(nets.size() % 2);
      nets.push_back(two_stream_net({mtf, output, iterations == 1 ? 3.0f : 1.5f}, iterations, nets.size()));
      nets.back().name += " of T" + std::to_string(static_cast<int>(mtf)) + ", output " + std::to_string(static_cast<int>(output));
    }
  return nets;
}

/// Six places of an image are six tokens, in two heads; Q, K and V of two-point cells, so that some are 0, or keys that are spikes.
inline graph::Graph attention_net(bool spikes = false) {
  using namespace graph;
  using kernels::Mtf, kernels::TwoPointOutput;
  Graph g;
  g.name = "attention", g.input_shape = {4, 3, 2}, g.T = 1;
  g.nodes = {{"in", Input{}, {}, {}}};
  for (const std::string kind : {"q", "k", "v"}) {
    g.tensors["w" + kind] = random_tensor({8, 4, 1, 1}, "w" + kind, 1.0f);
    g.nodes.push_back({"r" + kind, Conv2d{"w" + kind, "", 1, 1, 0, 0, 1}, {"in"}, {}});
    g.nodes.push_back({kind, TwoPoint{{Mtf::add, TwoPointOutput::relu, 3}}, {"r" + kind}, {}});
  }
  if (spikes) g.nodes[4].op = Neuron{};  // "k"
  g.nodes.push_back({"y", Attention{2}, {"q", "k", "v"}, {}});
  g.tensors["wo"] = random_tensor({3, 8, 1, 1}, "wo", 0.5f);
  g.nodes.push_back({"o", Conv2d{"wo", "", 1, 1, 0, 0, 1}, {"y"}, {}});
  validate(g);
  return g;
}

/// Without norms: shapes, groups, strides, pools and neurons drawn by the seed.
inline graph::Graph random_net(std::uint64_t seed) {
  using namespace graph;
  using kernels::Compare, kernels::Lif, kernels::Reset, kernels::ResetAt;
  Random random(seed, "net");
  const auto any = [&](std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(random.below(static_cast<std::uint32_t>(most - least + 1)));
  };
  Graph g;
  g.name = "random " + std::to_string(seed), g.T = static_cast<int>(any(1, 6));
  g.input_shape = {any(1, 3), any(6, 11), any(6, 11)};
  g.nodes = {{"in", Input{}, {}, {}}};
  const auto then = [&](const std::string& name, Op op) {
    g.nodes.push_back({name, std::move(op), {g.nodes.back().name}, {}});
    validate(g);
  };
  for (int layer = 0; layer < 2; ++layer) {
    const std::string id = std::to_string(layer);
    const Shape in = g.nodes.size() == 1 ? g.input_shape : g.nodes.back().shape;
    const std::int64_t groups = layer == 1 && any(0, 1) ? in[0] : 1, out = groups * (groups > 1 ? any(1, 3) : any(1, 70));
    const std::int64_t kh = any(1, std::min<std::int64_t>(3, in[1])), kw = any(1, std::min<std::int64_t>(3, in[2])), fan = in[0] / groups * kh * kw;
    g.tensors["w" + id] = random_tensor({out, in[0] / groups, kh, kw}, g.name + id, 2.0f / std::sqrt(static_cast<float>(fan)));
    if (any(0, 1)) g.tensors["b" + id] = random_tensor({out}, g.name + "b" + id, 0.3f);
    then("conv" + id, Conv2d{"w" + id, g.tensors.count("b" + id) ? "b" + id : "", static_cast<int>(any(1, 2)), static_cast<int>(any(1, 2)),
                             static_cast<int>(any(0, kh - 1)), static_cast<int>(any(0, kw - 1)), static_cast<int>(groups)});
    Lif lif;
    lif.decay = random.uniform(), lif.v_th = random.uniform(0.3f, 2), lif.v_reset = random.uniform(-1, 0.2f), lif.decay_input = any(0, 1);
    lif.reset = static_cast<Reset>(any(0, 2)), lif.reset_at = static_cast<ResetAt>(any(0, 2)), lif.compare = static_cast<Compare>(any(0, 1));
    then("lif" + id, Neuron{lif, {}, ""});
    const Shape& s = g.nodes.back().shape;
    const int kernel = static_cast<int>(any(1, std::min<std::int64_t>(3, std::min(s[1], s[2])))), stride = static_cast<int>(any(1, 3));
    if (const auto kind = any(0, 2); kind)
      then("pool" + id, kind == 1 ? Op(AvgPool2d{kernel, stride}) : Op(MaxPool2d{kernel, stride}));
  }
  then("flat", Flatten{});
  g.tensors["wl"] = random_tensor({any(1, 90), g.nodes.back().shape[0]}, g.name + "l", 0.4f);
  then("fc", Linear{"wl", ""});
  if (any(0, 1)) then("lif", Neuron{});
  then("out", Readout{static_cast<ReadoutKind>(any(0, 2))});
  return g;
}

/// [T, ...] frames: the same image at each step, or fresh sparse counts.
inline std::vector<float> random_frames(const graph::Graph& g, std::uint64_t seed, bool constant) {
  Random random(seed, "frames");
  const auto n = static_cast<std::size_t>(graph::elements(g.input_shape));
  std::vector<float> frames(n * static_cast<std::size_t>(g.T));
  for (std::size_t i = 0; i < frames.size(); ++i)
    frames[i] = constant && i >= n ? frames[i - n] : constant ? random.uniform(-1, 2) : random.uniform() < 0.3f ? 1.0f : 0.0f;
  return frames;
}

/// The graph quantised to so many bits, its input's range that of the frames.
inline graph::Graph quantised(graph::Graph g, const std::vector<float>& frames, int bits = 8) {
  graph::InputRange range;
  range.see(frames);
  graph::quantise(g, bits, range);
  return g;
}

}  // namespace apical::testing
