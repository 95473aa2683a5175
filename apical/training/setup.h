#pragma once

namespace apical::training {

/// Gives torch and its BLAS `threads` threads, which parallel_for of base works on too from now on (set_crew), deterministic algorithms and the counted,
/// reusing allocator.
/// To be called before the first tensor of a run; again only with another number of threads. `reuse_memory` false: freed memory
/// goes back to the system's allocator, for measuring what a process holds.
void prepare_torch(int threads, bool reuse_memory = true);

}  // namespace apical::training
