// The timings of scan_cuda_check: the scans beside a device-to-device copy of the same footprint, in one run.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <initializer_list>

#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/scan_cuda.h"
#include "apical/kernels/neurons/scan_cuda_testing.h"

namespace apical::kernels::cuda {
namespace {

struct Seconds {
  double median, min, max;
};

/// Median of 9 after one that warms up, each the mean of enough repetitions to last about 2 ms at `bytes` moved.
Seconds time_of(double bytes, const std::function<void(cudaStream_t)>& work) {
  const int repetitions = int(std::clamp(2e-3 / (bytes / 2.5e12), 1.0, 200.0));
  cudaStream_t stream;
  cudaEvent_t start, stop;
  succeed(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  succeed(cudaEventCreate(&start), "cudaEventCreate");
  succeed(cudaEventCreate(&stop), "cudaEventCreate");
  std::vector<double> seconds;
  for (int run = 0; run < 10; ++run) {
    succeed(cudaEventRecord(start, stream), "cudaEventRecord");
    for (int i = 0; i < repetitions; ++i) work(stream);
    succeed(cudaEventRecord(stop, stream), "cudaEventRecord");
    succeed(cudaEventSynchronize(stop), "cudaEventSynchronize");
    float ms = 0;
    succeed(cudaEventElapsedTime(&ms, start, stop), "cudaEventElapsedTime");
    if (run) seconds.push_back(ms * 1e-3 / repetitions);
  }
  cudaEventDestroy(start), cudaEventDestroy(stop), cudaStreamDestroy(stream);
  std::sort(seconds.begin(), seconds.end());
  return {seconds[4], seconds.front(), seconds.back()};
}

/// Reads half of the footprint and writes the other half.
Seconds time_copy(unsigned char* memory, double footprint) {
  const std::size_t half = std::size_t(footprint / 2) / 256 * 256;
  return time_of(footprint, [=](cudaStream_t stream) {
    succeed(cudaMemcpyAsync(memory + half, memory, half, cudaMemcpyDeviceToDevice, stream), "cudaMemcpyAsync");
  });
}

struct Row {
  std::string scan;
  std::size_t T, N;
  double bytes, footprint;  // moved, and touched
};

std::string report(const Row& r, Seconds s, Seconds copy) {
  const double steps = double(r.T) * double(r.N), rate = r.bytes / s.median, copy_rate = r.footprint / copy.median;
  std::printf("%-26s %3zu %10zu %8.0f %10.1f %8.1f %8.0f %8.0f %8.2f\n", r.scan.c_str(), r.T, r.N, steps / (1 << 20), s.median * 1e6,
              steps / s.median * 1e-9, rate * 1e-9, copy_rate * 1e-9, rate / copy_rate);
  char text[640];
  std::snprintf(text, sizeof text,
                "{\"scan\": \"%s\", \"T\": %zu, \"N\": %zu, \"neuron_steps\": %.0f, \"median_s\": %.4g, \"min_s\": %.4g, \"max_s\": %.4g, \"runs\": 9, "
                "\"g_neuron_steps_per_s\": %.4g, \"bytes\": %.0f, \"gb_per_s\": %.4g, \"copy_gb_per_s\": %.4g, \"fraction_of_copy\": %.4g}",
                r.scan.c_str(), r.T, r.N, steps, s.median, s.min, s.max, steps / s.median * 1e-9, r.bytes, rate * 1e-9, copy_rate * 1e-9,
                rate / copy_rate);
  return text;
}

/// The rows of one T in `memory`: x, grad_s, grad_x [steps] and behind them the spike bits.
std::string time_at(unsigned char* memory, std::size_t steps, std::size_t T, const float* noise, std::size_t noise_count, bool more) {
  float *x = reinterpret_cast<float*>(memory), *grad_s = x + steps, *grad_x = grad_s + steps;
  std::uint64_t* bits = reinterpret_cast<std::uint64_t*>(grad_x + steps);
  const std::size_t N = steps / T;
  const double sequence = double(steps) * 4, bit_bytes = double(T * words_per_row(N)) * 8;
  const auto draw_inputs = [&] {
    for (std::size_t at = 0; at < 2 * steps; at += noise_count) Device<float>::copy(x + at, noise, std::min(noise_count, 2 * steps - at));
    succeed(cudaDeviceSynchronize(), "inputs");
  };
  const Lif lif{};
  const auto forward = [&](cudaStream_t s) { lif_forward(lif, nullptr, 0, x, T, N, nullptr, nullptr, bits, nullptr, nullptr, false, s); };
  const auto backward = [&](SurrogateKind kind) {
    return [&, kind](cudaStream_t s) {
      lif_backward(lif, {kind}, nullptr, 0, x, nullptr, grad_s, nullptr, T, N, grad_x, nullptr, nullptr, false, nullptr, s);
    };
  };
  const Row f{"forward, bits", T, N, sequence + bit_bytes, sequence + bit_bytes}, b{"backward, triangle", T, N, 3 * sequence, 3 * sequence};
  const Row both{"forward + backward", T, N, 4 * sequence + bit_bytes, 3 * sequence + bit_bytes};
  draw_inputs();
  const Seconds copy_f = time_copy(memory, f.footprint), copy_b = time_copy(memory, b.footprint), copy_both = time_copy(memory, both.footprint);
  draw_inputs();  // the copies wrote over them
  const auto back = backward(SurrogateKind::triangle);
  std::string json = report(f, time_of(f.bytes, forward), copy_f);
  json += ",\n  " + report(b, time_of(b.bytes, back), copy_b);
  json += ",\n  " + report(both, time_of(both.bytes, [&](cudaStream_t s) { forward(s), back(s); }), copy_both);
  if (!more) return json;
  for (const SurrogateKind kind : {SurrogateKind::sigmoid, SurrogateKind::atan, SurrogateKind::multi_gaussian}) {
    Row other = b;
    other.scan = std::string("backward, ") + surrogate_names[int(kind)];
    json += ",\n  " + report(other, time_of(b.bytes, backward(kind)), copy_b);
  }
  return json;
}

}  // namespace

std::string time_scans(const float* noise, std::size_t noise_count) {
  std::printf("\nmedian of 9; GB/s: bytes that must move (x, spike bits; x, grad_s, grad_x) over the time; copy: device to device, same footprint\n");
  std::printf("%-26s %3s %10s %8s %10s %8s %8s %8s %8s\n", "scan", "T", "N", "Mi steps", "us", "G/s", "GB/s", "copy", "of copy");
  std::string json;
  for (const std::size_t mega : {4, 64, 512}) {
    const std::size_t steps = mega << 20, need = 3 * steps * sizeof(float) + steps / 4;
    std::size_t available = 0, total = 0;
    succeed(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
    if (need > available) {
      std::printf("%zu Mi steps need %zu MiB, and %zu are free: not timed\n", mega, need >> 20, available >> 20);
      continue;
    }
    Device<unsigned char> memory(need);
    for (const std::size_t T : {4, 16, 64})
      json += (json.empty() ? "\n  " : ",\n  ") + time_at(memory.data(), steps, T, noise, noise_count, mega == 64 && T == 16);
  }
  return "[" + json + "]";
}

}  // namespace apical::kernels::cuda
