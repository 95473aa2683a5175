#pragma once
// Small networks with random weights for the tests of runtime, exchange and energy.
#include <string>
#include <vector>

#include "apical/base/philox.h"
#include "apical/graph/graph.h"

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

/// [T, ...] frames: the same image at each step, or fresh sparse counts.
inline std::vector<float> random_frames(const graph::Graph& g, std::uint64_t seed, bool constant) {
  Random random(seed, "frames");
  const auto n = static_cast<std::size_t>(graph::elements(g.input_shape));
  std::vector<float> frames(n * static_cast<std::size_t>(g.T));
  for (std::size_t i = 0; i < frames.size(); ++i)
    frames[i] = constant && i >= n ? frames[i - n] : constant ? random.uniform(-1, 2) : random.uniform() < 0.3f ? 1.0f : 0.0f;
  return frames;
}

}  // namespace apical::testing
