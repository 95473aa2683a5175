// The timings of scan_cuda_check: scans and cells beside a device-to-device copy of the same footprint, in one run.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <utility>

#include "apical/kernels/bits.h"
#include "apical/kernels/neurons/neuron_scan_cuda.h"
#include "apical/kernels/neurons/scan_cuda.h"
#include "apical/kernels/neurons/scan_cuda_testing.h"
#include "apical/kernels/neurons/sliding_cuda.h"
#include "apical/kernels/neurons/two_point_cuda.h"

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

/// The first `count` floats of memory: noise, again and again.
void fill(unsigned char* memory, std::size_t count, const float* noise, std::size_t noise_count) {
  float* x = reinterpret_cast<float*>(memory);
  for (std::size_t at = 0; at < count; at += noise_count) Device<float>::copy(x + at, noise, std::min(noise_count, count - at));
  succeed(cudaDeviceSynchronize(), "inputs");
}

/// Whether there is so much free memory; says so if not.
bool fits(std::size_t bytes, std::size_t steps) {
  std::size_t available = 0, total = 0;
  succeed(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
  if (bytes > available) std::printf("%zu Mi steps need %zu MiB, and %zu are free: not timed\n", steps >> 20, bytes >> 20, available >> 20);
  return bytes <= available;
}

/// The rows of one T in `memory`: x, grad_s, grad_x [steps] and behind them the spike bits.
std::string time_at(unsigned char* memory, std::size_t steps, std::size_t T, const float* noise, std::size_t noise_count, bool more) {
  float *x = reinterpret_cast<float*>(memory), *grad_s = x + steps, *grad_x = grad_s + steps;
  std::uint64_t* bits = reinterpret_cast<std::uint64_t*>(grad_x + steps);
  const std::size_t N = steps / T;
  const double sequence = double(steps) * 4, bit_bytes = double(T * words_per_row(N)) * 8;
  const auto draw_inputs = [&] { fill(memory, 2 * steps, noise, noise_count); };
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

/// What is timed in `memory`, whose first `inputs` floats are noise, as lines of JSON.
struct Timed {
  Timed(std::string scan, std::size_t T, std::size_t N, double bytes, double footprint, std::function<void(cudaStream_t)> work_)
      : row{std::move(scan), T, N, bytes, footprint}, work(std::move(work_)) {}
  Row row;
  std::function<void(cudaStream_t)> work;
};
std::string time_all(const std::vector<Timed>& all, unsigned char* memory, std::size_t inputs, const float* noise, std::size_t noise_count) {
  std::string json;
  for (const Timed& t : all) {
    const Seconds copy = time_copy(memory, t.row.footprint);
    fill(memory, inputs, noise, noise_count);  // the copy wrote over them
    json += ",\n  " + report(t.row, time_of(t.row.bytes, t.work), copy);
  }
  return json;
}

template <class Model>
void add_model(std::vector<Timed>& all, const char* name, const Model& m, std::size_t T, std::size_t N, float* x, std::uint64_t* bits) {
  const double sequence = double(T * N) * 4, bit_bytes = double(T * words_per_row(N)) * 8;
  const NeuronForward f{.x = x, .T = T, .N = N, .spikes = bits};
  const NeuronBackward b{.x = x, .T = T, .N = N, .grad_s = x + T * N, .grad_x = x + 2 * T * N};
  all.emplace_back(std::string(name) + " forward, bits", T, N, sequence + bit_bytes, sequence + bit_bytes,
                 [=](cudaStream_t s) { neuron_forward(m, f, s); });
  all.emplace_back(std::string(name) + " backward", T, N, 3 * sequence, 3 * sequence,
                 [=](cudaStream_t s) { neuron_backward(m, Surrogate{}, b, nullptr, s); });
}

/// The neurons of models.h and the sliding one (8 weights), at one size.
std::string time_neurons(std::size_t steps, std::size_t T, const float* noise, std::size_t noise_count) {
  const std::size_t N = steps / T, K = 8, scratch = sliding_backward_scratch(K, T, N);
  const std::size_t need = 3 * steps * sizeof(float) + steps / 4 + scratch + 256;
  if (!fits(need, steps)) return {};
  Device<unsigned char> memory(need);
  float *x = reinterpret_cast<float*>(memory.data()), *grad_s = x + steps, *grad_x = grad_s + steps;
  std::uint64_t* bits = reinterpret_cast<std::uint64_t*>(grad_x + steps);
  void* behind = memory.data() + (need - scratch) / 256 * 256;
  const double sequence = double(steps) * 4, bit_bytes = double(T * words_per_row(N)) * 8;
  std::vector<Timed> all;
  add_model(all, "Cuba", Cuba{}, T, N, x, bits);
  add_model(all, "Alif", Alif{}, T, N, x, bits);
  add_model(all, "RefractoryLif", RefractoryLif{}, T, N, x, bits);
  add_model(all, "MultiLif", MultiLif{}, T, N, x, bits);
  Device<float> weights(K);
  weights.set(std::vector<float>(K, 0.25f));
  const SlidingPsn m{weights.data(), K};
  all.emplace_back("SlidingPsn forward, bits", T, N, sequence + bit_bytes, sequence + bit_bytes,
                 [=](cudaStream_t s) { sliding_forward(m, x, T, N, nullptr, nullptr, bits, nullptr, nullptr, s); });
  all.emplace_back("SlidingPsn backward", T, N, 3 * sequence, 3 * sequence,
                 [=](cudaStream_t s) { sliding_backward(m, {}, x, T, N, nullptr, grad_s, grad_x, nullptr, nullptr, behind, s); });
  return time_all(all, memory.data(), 2 * steps, noise, noise_count);
}

/// Two-point cells, coop with relu6: r, context, grad_h, h, grad_r, grad_context [n].
std::string time_cells(std::size_t n, const float* noise, std::size_t noise_count) {
  const std::size_t need = 6 * n * sizeof(float) + 256;
  if (!fits(need, n)) return {};
  Device<unsigned char> memory(need);
  float *r = reinterpret_cast<float*>(memory.data()), *context = r + n, *grad_h = context + n;
  float *h = grad_h + n, *grad_r = h + n, *grad_context = grad_r + n;
  auto* active = reinterpret_cast<unsigned long long*>(grad_context + n);
  const double row = double(n) * 4;
  const auto forward = [=](cudaStream_t s) { two_point_forward({}, r, context, n, h, active, s); };
  const auto backward = [=](cudaStream_t s) { two_point_backward({}, r, context, grad_h, n, grad_r, grad_context, s); };
  std::vector<Timed> all;
  all.emplace_back("coop forward, count", 1, n, 3 * row, 3 * row, forward);
  all.emplace_back("coop backward", 1, n, 5 * row, 5 * row, backward);
  all.emplace_back("coop forward + backward", 1, n, 8 * row, 6 * row, [=](cudaStream_t s) { forward(s), backward(s); });
  return time_all(all, memory.data(), 3 * n, noise, noise_count);
}

}  // namespace

std::string time_scans(const float* noise, std::size_t noise_count) {
  std::printf("\nmedian of 9; GB/s: bytes that must move (x, spike bits; x, grad_s, grad_x; of cells r, context, h; r, context, grad_h, grad_r, ");
  std::printf("grad_context) over the time; copy: device to device, same footprint\n");
  std::printf("%-26s %3s %10s %8s %10s %8s %8s %8s %8s\n", "scan", "T", "N", "Mi steps", "us", "G/s", "GB/s", "copy", "of copy");
  std::string json;
  for (const std::size_t mega : {4, 64, 512}) {
    const std::size_t steps = mega << 20, need = 3 * steps * sizeof(float) + steps / 4;
    if (!fits(need, steps)) continue;
    Device<unsigned char> memory(need);
    for (const std::size_t T : {4, 8, 16, 64})
      json += (json.empty() ? "\n  " : ",\n  ") + time_at(memory.data(), steps, T, noise, noise_count, mega == 64 && T == 16);
  }
  json += time_neurons(std::size_t{64} << 20, 16, noise, noise_count);
  for (const std::size_t mega : {1, 64}) json += time_cells(mega << 20, noise, noise_count);
  if (json.starts_with(',')) json.erase(0, 1);
  return "[" + json + "]";
}

}  // namespace apical::kernels::cuda
