#include "apical/training/setup.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>

#include "apical/training/allocator.h"
#include "apical/training/crew.h"

namespace apical::training {

void prepare_torch(int threads, bool reuse_memory) {
  MemoryMeter::install(reuse_memory);
  at::set_num_threads(threads);
  using Set = void (*)(int);  // torch does not tell OpenBLAS, which has threads of its own
  if (const auto set = reinterpret_cast<Set>(::dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) set(threads);
  set_crew(openmp_crew);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
}

}  // namespace apical::training
