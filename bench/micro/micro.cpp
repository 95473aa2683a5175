// bench_micro [--threads N] [--benchmark_... of Google Benchmark]: see run.sh.
#include "bench/micro/micro.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "apical/base/thread_pool.h"
#include "apical/kernels/simd.h"
#include "bench/measure.h"

extern "C" void sgemm_(const char* ta, const char* tb, const int* m, const int* n, const int* k, const float* alpha, const float* a, const int* lda,
                       const float* b, const int* ldb, const float* beta, float* c, const int* ldc);

namespace apical::bench {
namespace {

int all_threads = 1;

double bytes_copied_per_s(std::size_t bytes, int threads) {
  const std::size_t half = std::max<std::size_t>(64, bytes / 2), times = std::max<std::size_t>(1, (std::size_t{1} << 24) / half);
  std::vector<std::vector<char>> from(static_cast<std::size_t>(threads), std::vector<char>(half, 1)), to = from;
  const auto tries = seconds(20, [&] {
    parallel_for(0, from.size(), 1, [&](std::size_t k, std::size_t) {
      for (std::size_t t = 0; t < times; ++t) {
        std::memcpy(to[k].data(), from[k].data(), half);
        benchmark::DoNotOptimize(to[k].data());
        benchmark::ClobberMemory();
      }
    });
  });
  return 2.0 * static_cast<double>(threads) * static_cast<double>(half * times) / *std::min_element(tries.begin(), tries.end());
}

struct Rates {
  double copied, read;  // bytes/s
};
// With `footprint` bytes in use, shared out over the threads; rounded to a power of two, so that few are measured.
const Rates& memory(double footprint, int threads) {
  static std::map<std::pair<std::size_t, int>, Rates> known;
  const std::size_t each = std::bit_ceil(std::max<std::size_t>(4096, static_cast<std::size_t>(footprint / threads * 0.75)));
  auto& rates = known[{each, threads}];
  if (rates.copied == 0) rates = {bytes_copied_per_s(each, threads), read_bytes_per_s(each, threads)};
  return rates;
}

// Multiply-adds a second of a product of 512 x 512 matrices, one on each thread; best of many short tries.
double gemm(int threads) {
  static std::map<int, double> known;
  double& rate = known[threads];
  if (rate > 0) return rate;
  const int n = 512;
  const float one = 1, zero = 0;
  std::vector<std::vector<float>> a(static_cast<std::size_t>(threads), noise(std::size_t{n} * n, 1)), b = a, c = a;
  const auto tries = seconds(30, [&] {
    parallel_for(0, a.size(), 1, [&](std::size_t k, std::size_t) {
      sgemm_("N", "N", &n, &n, &n, &one, a[k].data(), &n, b[k].data(), &n, &zero, c[k].data(), &n);
    });
  });
  return rate = static_cast<double>(threads) * n * n * n / *std::min_element(tries.begin(), tries.end());
}

void report(benchmark::State& state, const Work& w, int threads) {
  const Rates& rates = memory(w.footprint > 0 ? w.footprint : w.read + w.written, threads);
  const double both = std::min(w.read, w.written), rest = std::max(w.read, w.written) - both;
  const double moved = 2 * both / rates.copied + rest / (w.read > w.written ? rates.read : rates.copied), computed = w.operations / gemm(threads);
  const auto rate = [](double a_call) { return benchmark::Counter(a_call, benchmark::Counter::kIsIterationInvariantRate); };
  state.counters["items_per_second"] = rate(w.items);
  state.counters["bytes_per_second"] = rate(w.read + w.written);
  state.counters["fraction_of_limit"] = rate(std::max(moved, computed));  // least seconds a call over those it took
  state.counters["copy_bytes_per_second"] = rates.copied;
  state.counters["threads"] = threads;
  state.SetLabel(moved > computed ? "memory" : "arithmetic");
}

std::string si(double x) {
  const char* const unit = x >= 1e9 ? "G" : x >= 1e6 ? "M" : x >= 1e3 ? "k" : "";
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %s", x / (x >= 1e9 ? 1e9 : x >= 1e6 ? 1e6 : x >= 1e3 ? 1e3 : 1), unit);
  return text;
}

// A line a benchmark: the medians.
class Table : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    std::printf("%s, %d threads; matrix product %sflop/s, on one thread %sflop/s\n\n", kernels::simd_level().c_str(), all_threads,
                si(2 * gemm(all_threads)).c_str(), si(2 * gemm(1)).c_str());
    std::printf("%-36s %7s %10s %10s %10s %10s %13s\n", "kernel", "threads", "time", "items/s", "bytes/s", "copy, B/s", "of the limit");
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Aggregate ? run.aggregate_name != "median" : run.repetitions > 1) continue;
      const auto value = [&](const char* name) { return run.counters.at(name).value; };
      std::printf("%-36s %7.0f %7.5g us %10s %10s %10s %11.0f %% %s\n", run.run_name.function_name.c_str(), value("threads"),
                  run.GetAdjustedRealTime(), si(value("items_per_second")).c_str(), si(value("bytes_per_second")).c_str(),
                  si(value("copy_bytes_per_second")).c_str(), 100 * value("fraction_of_limit"), run.report_label.c_str());
    }
    std::fflush(stdout);
  }
};

}  // namespace

void add(const std::string& name, Threads threads, std::function<Case()> make) {
  static std::string at;  // whose data are in memory: repetitions follow each other
  static std::unique_ptr<Case> data;
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    if (at != name) {
      data.reset();
      data = std::make_unique<Case>(make());
      at = name;
      data->run();
    }
    for (auto _ : state) data->run();
    report(state, data->work, threads == Threads::all ? all_threads : 1);
  })->UseRealTime()->Unit(benchmark::kMicrosecond);
}

}  // namespace apical::bench

int main(int argc, char** argv) {
  using namespace apical;
  if (argc > 2 && std::strcmp(argv[1], "--threads") == 0) {
    bench::all_threads = std::max(1, std::atoi(argv[2]));
    argv[2] = argv[0];
    argv += 2, argc -= 2;
  }
  set_thread_count(bench::all_threads);
  bench::add_neurons();
  bench::add_events();
  bench::add_readers();
  bench::add_circuits();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("simd", kernels::simd_level());
  benchmark::AddCustomContext("threads", std::to_string(bench::all_threads));
  benchmark::AddCustomContext("multiply_adds_per_second", std::to_string(bench::gemm(bench::all_threads)));
  benchmark::AddCustomContext("multiply_adds_per_second_one_thread", std::to_string(bench::gemm(1)));
  bench::Table table;
  return benchmark::RunSpecifiedBenchmarks(&table) == 0;
}
