// Our side of the workload `two_point`: a layer of two-point cells (coop, relu6), forward and backward, as training calls it (through
// autograd, outputs allocated anew each time). Reads r.npy, context.npy and grad.npy [B, H] in a folder, writes h.npy, grad_r.npy and
// grad_context.npy there, prints times and the copy bandwidth at the same footprint as one JSON line.
#include <CLI/CLI.hpp>

#include "apical/base/clock.h"
#include "apical/base/thread_pool.h"
#include "apical/nn/two_point.h"
#include "apical/training/setup.h"
#include "bench/field/tensors.h"
#include "bench/measure.h"

int main(int argc, char** argv) {
  using namespace apical;
  using bench::read;
  CLI::App app("Two-point cells, forward and backward");
  std::string folder;
  int threads = 1, runs = 7, repeats = 1;
  app.add_option("folder", folder)->required();
  app.add_option("--threads", threads);
  app.add_option("--runs", runs);
  app.add_option("--repeats", repeats, "calls of one run: a small layer takes microseconds");
  CLI11_PARSE(app, argc, argv);
  set_thread_count(threads);
  training::prepare_torch(threads);
  auto r = read(folder + "/r.npy").requires_grad_(), context = read(folder + "/context.npy").requires_grad_();
  const auto grad = read(folder + "/grad.npy");

  std::vector<double> forward, total, walls;
  torch::Tensor h;
  for (bool warm = false; !warm || bench::more(walls, runs); warm = true) {
    double ahead = 0;
    const double start = clock_seconds();
    for (int k = 0; k < repeats; ++k) {
      r.mutable_grad() = context.mutable_grad() = torch::Tensor();
      const double from = clock_seconds();
      h = nn::two_point({}, r, context);
      ahead += clock_seconds() - from;
      h.backward(grad);
    }
    const double wall = clock_seconds() - start;
    if (!warm) continue;
    walls.push_back(wall);
    forward.push_back(ahead / repeats);
    total.push_back(wall / repeats);
  }
  bench::write(folder + "/h.npy", h.detach());
  bench::write(folder + "/grad_r.npy", r.grad());
  bench::write(folder + "/grad_context.npy", context.grad());
  const std::size_t bytes = static_cast<std::size_t>(grad.numel()) * 3 * sizeof(float);  // six rows: r, context, dL/dh, h and two gradients
  const auto from = torch::ones({3 * grad.numel()}), to = torch::zeros_like(from);
  const double copy = bench::copy_bytes_per_s(from.data_ptr(), to.data_ptr(), bytes, 3 * runs);
  bench::print({{"forward_s", forward}, {"total_s", total}, {"copy_bytes_per_s", {copy}}});
}
