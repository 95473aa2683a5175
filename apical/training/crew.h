#pragma once
// The threads that LibTorch works on, lent to parallel_for.
#include "apical/base/thread_pool.h"

namespace apical::training {

/// A Crew of base: the team of OpenMP's runtime, which LibTorch's operations use too. Its threads stay on their cores and spin between one
/// loop and the next; a pool beside them would wait for them to fall asleep.
void openmp_crew(int n, ChunkBody member);

}  // namespace apical::training
