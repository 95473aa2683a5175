// Our side of the workload `lif_scan`: a layer of LIF neurons over T steps, forward and backward, as training calls it (through
// autograd, outputs allocated anew each time). Reads x.npy and grad.npy [T, N] in a folder, writes spikes.npy and grad_x.npy there,
// prints times and the copy bandwidth at the same footprint as one JSON line.
#include <CLI/CLI.hpp>

#include "apical/base/clock.h"
#include "apical/base/thread_pool.h"
#include "apical/nn/neuron.h"
#include "apical/training/setup.h"
#include "bench/field/lif_options.h"
#include "bench/field/tensors.h"
#include "bench/measure.h"

int main(int argc, char** argv) {
  using namespace apical;
  using bench::read;
  CLI::App app("LIF scan, forward and backward");
  std::string folder;
  bench::LifOptions neuron;
  int threads = 1, runs = 7;
  app.add_option("folder", folder)->required();
  neuron.add_to(app);
  app.add_option("--threads", threads);
  app.add_option("--runs", runs);
  CLI11_PARSE(app, argc, argv);
  set_thread_count(threads);
  training::prepare_torch(threads);

  auto x = read(folder + "/x.npy").requires_grad_();
  const auto grad = read(folder + "/grad.npy");
  const std::int64_t T = x.size(0);

  std::vector<double> forward, total;
  torch::Tensor spikes;
  for (bool warm = false; !warm || bench::more(total, runs); warm = true) {
    x.mutable_grad() = torch::Tensor();
    const double start = clock_seconds();
    spikes = nn::lif_scan({x, T, false}, {}, {}, neuron.lif(), neuron.shape()).first;
    const double middle = clock_seconds();
    spikes.backward(grad);
    const double end = clock_seconds();
    if (!warm) continue;
    forward.push_back(middle - start);
    total.push_back(end - start);
  }
  bench::write(folder + "/spikes.npy", spikes.detach());
  bench::write(folder + "/grad_x.npy", x.grad());
  const auto to = torch::zeros_like(grad);
  const double copy = bench::copy_bytes_per_s(grad.data_ptr(), to.data_ptr(), static_cast<std::size_t>(grad.numel()) * 4, runs);
  bench::print({{"forward_s", forward}, {"total_s", total}, {"copy_bytes_per_s", {copy}}});
}
