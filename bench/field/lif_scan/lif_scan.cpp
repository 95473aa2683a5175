// Our side of the workload `lif_scan`: a layer of LIF neurons over T steps, forward and backward, as training calls it (through
// autograd, outputs allocated anew each time). Reads x.npy and grad.npy [T, N] in a folder, writes spikes.npy and grad_x.npy there,
// prints times and the copy bandwidth at the same footprint as one JSON line.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "apical/base/thread_pool.h"
#include "apical/formats/npy.h"
#include "apical/nn/neuron.h"
#include "apical/training/setup.h"

namespace {

using namespace apical;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

torch::Tensor read(const std::string& path) {
  const auto a = formats::read_npy(path);
  return torch::from_blob(const_cast<float*>(a.as<float>(path).data()), {static_cast<std::int64_t>(a.shape.at(0)), static_cast<std::int64_t>(a.shape.at(1))}).clone();
}

void write(const std::string& path, const torch::Tensor& t) {
  formats::write_npy(path, formats::Array::of<float>({static_cast<std::uint64_t>(t.size(0)), static_cast<std::uint64_t>(t.size(1))},
                                                     {t.data_ptr<float>(), static_cast<std::size_t>(t.numel())}));
}

// Bytes read plus bytes written a second: `bytes` of one tensor copied to another, all threads, best of `runs`.
double copy_bytes_per_s(const torch::Tensor& from, int runs) {
  auto to = torch::zeros_like(from);
  const std::size_t bytes = static_cast<std::size_t>(from.numel()) * 4;
  double best = 0;
  for (int i = 0; i < runs; ++i) {
    const double start = now();
    parallel_for(0, bytes, std::size_t{1} << 20, [&](std::size_t b, std::size_t e) {
      std::memcpy(static_cast<char*>(to.data_ptr()) + b, static_cast<const char*>(from.data_ptr()) + b, e - b);
    });
    best = std::max(best, 2.0 * static_cast<double>(bytes) / (now() - start));
  }
  return best;
}

void print_list(const char* name, const std::vector<double>& values) {
  std::printf("\"%s\": [", name);
  for (std::size_t i = 0; i < values.size(); ++i) std::printf("%s%.9g", i ? ", " : "", values[i]);
  std::printf("], ");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("LIF scan, forward and backward");
  std::string folder, reset_at = "same_step";
  int threads = 1, runs = 7;
  app.add_option("folder", folder)->required();
  app.add_option("--reset-at", reset_at)->check(CLI::IsMember({"same_step", "next_step"}));
  app.add_option("--threads", threads);
  app.add_option("--runs", runs);
  CLI11_PARSE(app, argc, argv);
  set_thread_count(threads);
  training::prepare_torch(threads);

  kernels::Lif lif;  // h[t] = v[t-1] / 2 + x[t], soft reset: every factor exact in float, so libraries must agree bit for bit
  lif.decay = 0.5f;
  lif.detach_reset = true;
  lif.reset_at = reset_at == "next_step" ? kernels::ResetAt::next_step : kernels::ResetAt::same_step;
  const kernels::Surrogate sigmoid{kernels::SurrogateKind::sigmoid, 1.0f, 1.0f};  // 4 y (1 - y), y = 1 / (1 + exp(-4 u))
  auto x = read(folder + "/x.npy").requires_grad_();
  const auto grad = read(folder + "/grad.npy");
  const std::int64_t T = x.size(0);

  std::vector<double> forward, total;
  torch::Tensor spikes;
  for (int i = 0; i < runs + 1; ++i) {  // the first one warms up
    x.mutable_grad() = torch::Tensor();
    const double start = now();
    spikes = nn::lif_scan({x, T, false}, {}, {}, lif, sigmoid).first;
    const double middle = now();
    spikes.backward(grad);
    const double end = now();
    if (i == 0) continue;
    forward.push_back(middle - start);
    total.push_back(end - start);
  }
  write(folder + "/spikes.npy", spikes.detach());
  write(folder + "/grad_x.npy", x.grad());
  std::printf("{");
  print_list("forward_s", forward);
  print_list("total_s", total);
  std::printf("\"copy_bytes_per_s\": %.6g}\n", copy_bytes_per_s(grad, runs));
}
