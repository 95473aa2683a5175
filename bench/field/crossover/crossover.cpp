// Our side of the workload `crossover`: spikes x weights, event by event. Reads x.npy [rows, inputs] of 0 and 1 and w.npy [outputs, inputs]
// in a folder; writes y.npy; prints times as one JSON line: of the product from spike bits (what our neurons write) with weights laid out
// once, of the same from floats, of our matrix product, and of reading as many bytes of weights from the second level cache.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <vector>

#include "apical/kernels/bits.h"
#include "apical/kernels/event_matmul.h"
#include "apical/training/setup.h"
#include "bench/field/tensors.h"
#include "bench/measure.h"

int main(int argc, char** argv) {
  using namespace apical;
  CLI::App app("spikes times weights");
  std::string folder;
  int threads = 1, runs = 7;
  app.add_option("folder", folder)->required();
  app.add_option("--threads", threads);
  app.add_option("--runs", runs);
  CLI11_PARSE(app, argc, argv);
  set_thread_count(threads);
  training::prepare_torch(threads);

  torch::NoGradGuard no_grad;
  const auto x = bench::read(folder + "/x.npy"), w = bench::read(folder + "/w.npy");
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  const std::size_t rows = size(x.size(0)), inputs = size(w.size(1)), outputs = size(w.size(0));
  std::vector<float> panels(kernels::matmul_floats(outputs, inputs));
  kernels::prepare_event_matmul(w.data_ptr<float>(), outputs, inputs, panels.data());
  std::vector<std::uint64_t> bits(rows * kernels::words_per_row(inputs));
  kernels::pack_bits(x.data_ptr<float>(), rows, inputs, bits.data());
  auto y = at::zeros({x.size(0), w.size(0)});
  constexpr int kRepeats = 20;  // of one timing: a product takes some ten microseconds
  const auto each = [&](auto run) {
    auto all = bench::seconds(runs, [&] {
      for (int i = 0; i < kRepeats; ++i) run();
    });
    for (double& s : all) s /= kRepeats;
    return all;
  };
  const auto event = [&] {
    y.zero_();
    kernels::event_matmul(panels.data(), outputs, inputs, bits.data(), rows, y.data_ptr<float>());
  };
  const auto from_bits = each(event);
  const auto from_floats = each([&] {
    kernels::pack_bits(x.data_ptr<float>(), rows, inputs, bits.data());
    event();
  });
  const auto wt = w.t();
  auto product = at::empty_like(y);
  const auto gemm = each([&] { at::mm_out(product, x, wt); });
  const double bytes = static_cast<double>(kernels::count_bits(bits.data(), rows, inputs)) * static_cast<double>(outputs) * sizeof(float);
  bench::write(folder + "/y.npy", y);
  bench::print({{"from_bits_s", from_bits}, {"from_floats_s", from_floats}, {"gemm_s", gemm}, {"read_s", {bench::read_seconds(bytes, threads)}}});
}
