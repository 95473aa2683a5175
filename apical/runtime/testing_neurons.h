#pragma once
// Networks whose neurons are a SpikingNeuron of every model and form, or a SlidingNeuron, for tests.
#include "apical/kernels/neurons/testing_models.h"
#include "apical/runtime/testing_nets.h"

namespace apical::testing {

/// small_net with other neurons in both places; what they read of `tensors` comes along.
inline graph::Graph net_with(const std::string& name, const graph::Op& first, const graph::Op& second,
                             const std::map<std::string, graph::Tensor>& tensors = {}) {
  graph::Graph g = small_net();
  g.name = name;
  g.tensors.erase("n2.decay"), g.tensors.insert(tensors.begin(), tensors.end());
  for (float& w : g.tensors.at("c2.w").values) w *= 3;  // so that the second layer fires too
  g.nodes[2].op = first, g.nodes[5].op = second;
  graph::validate(g);
  return g;
}

inline graph::Graph sliding_net(std::size_t K) {
  graph::Tensor k{{static_cast<std::int64_t>(K)}, std::vector<float>(K)};
  for (std::size_t i = 0; i < K; ++i) k.values[i] = (i % 3 == 1 ? -0.4f : 0.7f) / static_cast<float>(i + 1);
  return net_with("window of " + std::to_string(K), graph::SlidingNeuron{"k", 0.4f, {}}, graph::SlidingNeuron{"k", 0.3f, {}}, {{"k", k}});
}

template <class Model>
void add_nets(std::vector<graph::Graph>& nets, const std::string& name) {
  for (const Model& m : kernels::members<Model>())
    nets.push_back(net_with(name + " " + std::to_string(nets.size()), graph::SpikingNeuron{m, {}}, graph::SpikingNeuron{m, {}}));
}

inline std::vector<graph::Graph> other_neurons_nets() {
  std::vector<graph::Graph> nets;
  add_nets<kernels::Cuba>(nets, "cuba"), add_nets<kernels::Alif>(nets, "adaptive"), add_nets<kernels::RefractoryLif>(nets, "refractory");
  add_nets<kernels::MultiLif>(nets, "integer");
  for (const std::size_t K : {1, 2, 4, 9}) nets.push_back(sliding_net(K));
  nets.push_back(net_with("counts to a window", graph::SpikingNeuron{kernels::MultiLif{}, {}}, graph::SlidingNeuron{"k", 0.5f, {}},
                          {{"k", {{3}, {0.5f, 0.25f, 0.5f}}}}));
  return nets;
}

/// Neurons of each kind enough to be shared out over the threads, one layer behind the other: rates of the last.
inline graph::Graph wide_neurons_net() {
  using namespace graph;
  Graph g;
  g.name = "wide neurons", g.input_shape = {3, 70, 90}, g.T = 4;
  g.tensors["k"] = {{3}, {0.9f, -0.25f, 0.5f}}, g.tensors["c"] = random_tensor({4, 3, 1, 1}, "c", 0.8f);
  kernels::Lif lif;
  lif.v_th = 0.3f;
  g.nodes = {{"in", Input{}, {}, {}},
             {"c", Conv2d{"c", "", 1, 1, 0, 0, 1}, {"in"}, {}},
             {"cuba", SpikingNeuron{kernels::Cuba{lif, 0.5f}, {}}, {"c"}, {}},
             {"adaptive", SpikingNeuron{kernels::Alif{lif, 0.9f, 0.1f, 0.3f}, {}}, {"cuba"}, {}},
             {"refractory", SpikingNeuron{kernels::RefractoryLif{lif, 1}, {}}, {"adaptive"}, {}},
             {"sum", Add{}, {"cuba", "adaptive", "refractory"}, {}},
             {"counts", SpikingNeuron{kernels::MultiLif{}, {}}, {"sum"}, {}},
             {"window", SlidingNeuron{"k", 0.5f, {}}, {"counts"}, {}},
             {"both", Add{}, {"window", "counts"}, {}},
             {"out", Readout{}, {"both"}, {}}};
  validate(g);
  return g;
}

}  // namespace apical::testing
