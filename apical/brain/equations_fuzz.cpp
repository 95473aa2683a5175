#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "apical/base/error.h"
#include "apical/brain/equations.h"

// Lines of `---` part equations, threshold, reset, refractory, synapses, initial and method. Text becomes a model whose program runs, or a
// usage error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace apical;
  std::string parts[7];
  std::string rest(reinterpret_cast<const char*>(data), size);
  for (std::string& part : parts) {
    const auto end = rest.find("\n---\n");
    part = rest.substr(0, end);
    rest = end == std::string::npos ? "" : rest.substr(end + 5);
  }
  try {
    const brain::EquationModel model({.equations = parts[0],
                                      .threshold = parts[1],
                                      .reset = parts[2],
                                      .refractory = parts[3],
                                      .synapses = parts[4],
                                      .initial = parts[5],
                                      .method = parts[6]});
    brain::Parameters parameters;
    for (const auto& p : model.info().parameters)
      if (!(p.standard == p.standard))
        parameters.emplace(p.name, parameters.size() % 3 == 1 ? brain::Value::uniform(1, 2) : brain::Value(1));
    const brain::Model m = model.make(parameters, 0.1);
    std::vector<double> states(64 * static_cast<std::size_t>(m.states), 1);
    std::vector<float> in(64, 1);
    std::vector<std::int32_t> wakes(64);
    std::uint64_t spikes = 0;
    kernels::NeuronArrays<float> a{};
    a.n = 64, a.wakes = wakes.data(), a.in[0] = in.data(), a.spikes = &spikes;
    for (int k = 0; k < m.states; ++k) a.state[k] = states.data() + 64 * k;
    for (a.step = 0; a.step < 3; ++a.step) kernels::neuron_step(std::get<kernels::Program>(m.step), a);
    kernels::NeuronArrays<double> b{};
    b.n = 64;
    for (int k = 0; k < m.states; ++k) b.state[k] = a.state[k];
    double out[64];
    for (const auto& p : m.computed) kernels::program_values(p, b, out);
  } catch (const Error& e) {
    if (e.code() != ExitCode::usage || e.message().empty()) __builtin_trap();
  }
  return 0;
}
