#include "apical/training/crew.h"

#include <omp.h>

namespace apical::training {

void openmp_crew(int n, ChunkBody member) {
#pragma omp parallel num_threads(n)
  for (int i = omp_get_thread_num(); i < n; i += omp_get_num_threads())  // the team may be smaller
    member(static_cast<std::size_t>(i), static_cast<std::size_t>(i) + 1);
}

}  // namespace apical::training
