// Our side of the workload `dense_layer`: y = x W^T, then LIF neurons, over T steps. Reads x.npy [T * B, n], w.npy [n, n] (and grad.npy
// [T * B, n]: then forward and backward to dL/dW, else forward alone, without gradients) in a folder; writes spikes.npy (and
// grad_w.npy); prints times, and those of its matrix products alone, as one JSON line.
#include <CLI/CLI.hpp>
#include <filesystem>

#include "apical/base/thread_pool.h"
#include "apical/nn/layers.h"
#include "apical/nn/neuron.h"
#include "apical/nn/recompute.h"
#include "apical/training/allocator.h"
#include "apical/training/setup.h"
#include "bench/field/lif_options.h"
#include "bench/field/tensors.h"
#include "bench/measure.h"

int main(int argc, char** argv) {
  using namespace apical;
  CLI::App app("dense layer and LIF neurons");
  std::string folder;
  bench::LifOptions neuron;
  int threads = 1, runs = 7, T = 1;
  bool peak = false, recompute = false;
  app.add_option("folder", folder)->required();
  neuron.add_to(app);
  app.add_option("--steps", T)->required();
  app.add_option("--threads", threads);
  app.add_option("--runs", runs);
  app.add_flag("--peak", peak, "no times: the most bytes that a run holds (field.py, peak_bytes)");
  app.add_flag("--recompute", recompute, "currents are not kept but made again (nn/recompute.h)");
  CLI11_PARSE(app, argc, argv);
  set_thread_count(threads);
  training::prepare_torch(threads);

  const auto x = bench::read(folder + "/x.npy"), w = bench::read(folder + "/w.npy");
  const bool learns = std::filesystem::exists(folder + "/grad.npy");
  const auto grad = learns ? bench::read(folder + "/grad.npy") : torch::Tensor();
  const auto dense = std::make_shared<nn::DenseImpl>("dense", w.size(1), w.size(0), false, 1);
  {
    torch::NoGradGuard no_grad;
    dense->parameters()[0].copy_(w);
  }
  at::AutoGradMode mode(learns);
  torch::Tensor spikes, grad_w;
  const auto layer = [&] {
    dense->zero_grad();
    const nn::Sequence input{x, T, false};
    const auto in_one_go = dense->spikes_behind(input, {}, neuron.lif(), nullptr);  // as a network runs the two (LIFNodeImpl::fire_behind)
    spikes = (in_one_go   ? *in_one_go
              : recompute ? nn::lif_recomputed(dense, input, {}, neuron.lif(), neuron.shape())
                          : nn::lif_scan(dense->run(input, nullptr), {}, {}, neuron.lif(), neuron.shape(), 1, nullptr, true))
                 .first;
    if (learns) spikes.backward(grad);
  };
  if (peak) {
    training::MemoryMeter::install(false);  // or freed blocks would be kept for the next run
    const double bytes = bench::peak_of([&] {
      layer();
      spikes = torch::Tensor();  // the gradient stays
    });
    bench::print({{"peak_bytes", {bytes}}});
    return 0;
  }
  const auto total = bench::seconds(runs, layer);
  const auto products = bench::seconds(runs, [&] {
    torch::NoGradGuard no_grad;
    const auto y = at::linear(x, w);
    if (learns) grad_w = at::mm(y.t(), x);
  });
  bench::write(folder + "/spikes.npy", spikes.detach());
  if (learns) bench::write(folder + "/grad_w.npy", dense->parameters()[0].grad());
  bench::print({{"total_s", total}, {"products_s", products}});
}
