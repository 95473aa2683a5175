// Ten lines against an installed Apical, without torch.
#include <apical/base/philox.h>
#include <apical/base/text.h>
#include <apical/graph/graph.h>
#include <apical/kernels/simd.h>

#include <cstdio>

int main() {
  const apical::graph::Graph graph;
  std::printf("%zu nodes, %s kernels, %s\n", graph.nodes.size(), apical::kernels::simd_level().c_str(), apical::si(2.5e-9, "J").c_str());
  return apical::philox4x32_10({0, 0, 0, 0}, {0, 0})[0] == 0x6627e8d5 ? 0 : 1;
}
