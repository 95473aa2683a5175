// `apical-train`: the verbs that need torch. `apical` starts it; started by hand it works as well.
#include <dlfcn.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <vector>

#include "apical/base/clock.h"
#include "apical/base/machine.h"
#include "apical/base/stop.h"
#include "apical/base/thread_pool.h"
#include "cli/frame.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

// Best of five products of 1024 x 1024 matrices through the BLAS that torch is linked with.
double measured_gflops() {
  using Gemm = void (*)(const char*, const char*, const int*, const int*, const int*, const float*, const float*, const int*, const float*,
                        const int*, const float*, float*, const int*);
  const auto gemm = reinterpret_cast<Gemm>(::dlsym(RTLD_DEFAULT, "sgemm_"));
  if (!gemm) return 0;
  const int n = 1024;
  const float one = 1, zero = 0;
  std::vector<float> a(n * n, 0.5f), b(n * n, 0.25f), c(n * n);
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const double start = clock_seconds();
    gemm("N", "N", &n, &n, &n, &one, a.data(), &n, b.data(), &n, &zero, c.data(), &n);
    const double s = clock_seconds() - start;
    best = std::max(best, 2.0 * n * n * n / s / 1e9);
  }
  return best;
}

}  // namespace

void add_blas(CLI::App& app) {
  auto* sub = app.add_subcommand("blas", "What doctor asks: core type, threads and GFLOP/s of the BLAS in use");
  sub->group("")->callback([] {
    using Name = char* (*)();
    using Set = void (*)(int);
    const auto core = reinterpret_cast<Name>(::dlsym(RTLD_DEFAULT, "openblas_get_corename"));
    if (const auto set = reinterpret_cast<Set>(::dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) set(thread_count());
    std::printf("%s %d %.1f\n", core ? core() : "generic", thread_count(), measured_gflops());
  });
}

}  // namespace apical::cli

int main(int argc, char** argv) {
  using namespace apical::cli;
  if (set_blas_environment()) {  // OpenBLAS reads it while it is loaded, which has already happened: start again
    ::execv(apical::self_path().c_str(), argv);
  }
  apical::install_stop_handler();
  CLI::App app("The verbs of apical that train.", "apical");
  add_common(app);
  auto* tree = app.add_subcommand("command-tree", "What completion asks");
  tree->group("")->callback([&app] { std::fputs(command_tree(app).c_str(), stdout); });
  add_blas(app);
#define APICAL_ADD(verb) add_##verb(app);
#include "apical_train_verbs.inc"
#undef APICAL_ADD
  group_verbs(app);
  return run_program(app, argc, argv);
}
