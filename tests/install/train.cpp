// Ten lines against an installed Apical with training: a tiny spiking network, one step of it, its gradient (atan: nowhere zero).
#include <apical/base/config.h>
#include <apical/nn/network.h>

#include <cstdio>

int main() {
  const auto net = apical::Config::parse("[[layer]]\ntype = \"flatten\"\n[[layer]]\ntype = \"dense\"\nunits = 5\n[[layer]]\ntype = \"lif\"\nsurrogate = \"atan\"\n", "net");
  apical::nn::NetworkImpl network(apical::nn::parse_network(net, {1, 4, 4}), 1);
  const auto steps = network.forward({torch::rand({4 * 2, 1, 4, 4}), 4});
  network.readout(steps, 4).sum().backward();
  const double g = network.parameters()[0].grad().abs().sum().item<double>();
  std::printf("%ld outputs, gradient %g\n", static_cast<long>(network.outputs()), g);
  return network.outputs() == 5 && g > 0 ? 0 : 1;
}
