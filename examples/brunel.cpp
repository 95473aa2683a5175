// Brunel's network of sparsely connected excitatory and inhibitory neurons (J. Comput. Neurosci. 8 (2000) 183-208), with delta synapses.
//   example_brunel [ms]
#include <cstdio>
#include <cstdlib>

#include "apical/base/error.h"
#include "apical/brain/network.h"

using namespace apical::brain;

int main(int argc, char** argv) try {
  const double ms = argc > 1 ? std::atof(argv[1]) : 1000;
  constexpr double g = 5, eta = 2, J = 0.1, tau_m = 20, theta = 20, delay = 1.5;
  constexpr unsigned NE = 10000, NI = 2500, CE = NE / 10, CI = NI / 10;
  Network net({.dt = 0.1, .seed = 1});
  const Parameters neuron{{"tau_m", tau_m}, {"t_ref", 2.0}, {"E_L", 0.0}, {"V_reset", 10.0}, {"V_m", 0.0}, {"V_th", theta}};
  const auto e = net.create("iaf_psc_delta", NE, neuron), i = net.create("iaf_psc_delta", NI, neuron);
  for (const auto to : {e, i}) {
    net.connect(e, to, Rule::fixed_indegree(CE), {.weight = J, .delay = delay});
    net.connect(i, to, Rule::fixed_indegree(CI), {.weight = -g * J, .delay = delay});
    net.connect(PoissonGenerator{.rate = eta * theta / (J * tau_m) * 1000}, to, J, delay);
  }
  const SpikeRecord& spikes = net.record_spikes(e.slice(0, 50));
  net.simulate(ms);
  const auto rate = [&](Population p) { return static_cast<double>(net.spikes(p)) / p.size / ms * 1000; };
  std::printf("%.1f Hz excitatory, %.1f Hz inhibitory, %zu spikes of 50 neurons recorded\n", rate(e), rate(i), spikes.size());
  std::printf("%llu synapses; %.2f s for %.2f s of activity\n", static_cast<unsigned long long>(net.synapses()), net.timing().simulate,
              ms / 1000);
  return rate(e) > 1 && rate(e) < 200 ? 0 : 1;
} catch (const apical::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return static_cast<int>(error.code());
}
