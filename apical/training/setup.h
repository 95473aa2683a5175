#pragma once

namespace apical::training {

/// Gives torch the same number of threads as the pool of base, deterministic algorithms and the counted, reusing allocator.
/// To be called before the first tensor of a run; again only with another number of threads. `reuse_memory` false: freed memory
/// goes back to the system's allocator, for measuring what a process holds.
void prepare_torch(int threads, bool reuse_memory = true);

}  // namespace apical::training
