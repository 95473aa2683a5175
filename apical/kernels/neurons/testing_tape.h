#pragma once
// For tests of gradients: a small float64 autograd that knows nothing of the kernels, and the surrogates.
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>
#include <vector>

#include "apical/kernels/neurons/lif.h"

namespace apical::kernels {

struct Tape {
  struct Node {
    double value;
    int a = -1, b = -1;
    double da = 0, db = 0;
  };
  std::vector<Node> nodes;
  int leaf(double v) { return push({v}); }
  int push(Node n) {
    nodes.push_back(n);
    return int(nodes.size()) - 1;
  }
  double at(int i) const { return nodes[size_t(i)].value; }
  int add(int a, int b) { return push({at(a) + at(b), a, b, 1, 1}); }
  int sub(int a, int b) { return push({at(a) - at(b), a, b, 1, -1}); }
  int mul(int a, int b) { return push({at(a) * at(b), a, b, at(b), at(a)}); }
  int detach(int a) { return leaf(at(a)); }
  int count(int h, double spikes, double slope) { return push({spikes, h, -1, slope, 0}); }
  int spike(int h, bool fired, double slope) { return count(h, fired ? 1.0 : 0.0, slope); }
  // Gradients of sum of seed * node.
  std::vector<double> gradients(const std::vector<std::pair<int, double>>& seeds) const {
    std::vector<double> g(nodes.size());
    for (auto [i, s] : seeds) g[size_t(i)] += s;
    for (size_t i = nodes.size(); i-- > 0;) {
      if (nodes[i].a >= 0) g[size_t(nodes[i].a)] += g[i] * nodes[i].da;
      if (nodes[i].b >= 0) g[size_t(nodes[i].b)] += g[i] * nodes[i].db;
    }
    return g;
  }
};

inline double bell(double u, double centre, double deviation) { return std::exp(-std::pow((u - centre) / deviation, 2) / 2); }

// The formulas of lif.h.
inline double slope(const Surrogate& s, double u) {
  const double h = s.height, w = s.width;
  switch (s.kind) {
    case SurrogateKind::sigmoid: {
      const double y = 1 / (1 + std::exp(-u * 4 / w));
      return h * 4 * y * (1 - y);
    }
    case SurrogateKind::atan:
      return h / (1 + std::pow(std::numbers::pi / 2 * 2 * u / w, 2));
    case SurrogateKind::triangle:
      return h * std::max(0.0, 1 - std::fabs(u) / w);
    case SurrogateKind::rectangle:
      return std::fabs(u) < w / 2 ? h : 0;
    case SurrogateKind::fast_sigmoid:
      return h / std::pow(1 + std::fabs(u) / w, 2);
    case SurrogateKind::gaussian:
      return h * bell(u, 0, w);
    case SurrogateKind::multi_gaussian:
      return h * ((1 + 0.15) * bell(u, 0, w) - 0.15 / 6 * (bell(u, w, 6 * w) + bell(u, -w, 6 * w)));
  }
  return 0;
}

}  // namespace apical::kernels
