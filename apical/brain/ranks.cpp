#include "apical/brain/ranks.h"

#ifdef APICAL_MPI
#include <mpi.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#endif

namespace apical::brain {

#ifdef APICAL_MPI
namespace {

int waited_for = 0;  // how many Together there are

void leave() {
  if (waited_for > 0) MPI_Abort(MPI_COMM_WORLD, 4);  // the others would wait for ever
  MPI_Finalize();
}

}  // namespace

// mpirun of Open MPI and of MPICH say so in the environment. Without it a process need not start MPI, which takes a quarter of a second.
Ranks::Ranks() {
  if (!std::getenv("OMPI_COMM_WORLD_SIZE") && !std::getenv("PMI_SIZE")) return;
  int level = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &count_);
  std::atexit(leave);
}

void Ranks::merge(std::uint64_t* words, std::size_t n) const {
  constexpr std::size_t kMost = std::size_t{1} << 27;  // MPI counts in int
  if (count_ == 1) return;
  for (std::size_t at = 0; at < n; at += kMost)
    MPI_Allreduce(MPI_IN_PLACE, words + at, static_cast<int>(std::min(kMost, n - at)), MPI_UINT64_T, MPI_BOR, MPI_COMM_WORLD);
}

std::uint64_t Ranks::least(std::uint64_t x) const {
  if (count_ > 1) MPI_Allreduce(MPI_IN_PLACE, &x, 1, MPI_UINT64_T, MPI_MIN, MPI_COMM_WORLD);
  return x;
}

std::uint64_t Ranks::sum(std::uint64_t x) const {
  if (count_ > 1) MPI_Allreduce(MPI_IN_PLACE, &x, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
  return x;
}

Ranks::Together::Together() { ++waited_for; }
Ranks::Together::~Together() {
  if (std::uncaught_exceptions() == 0) --waited_for;  // what is thrown here, one process throws alone: memory ran out
}
#else
Ranks::Ranks() = default;
void Ranks::merge(std::uint64_t*, std::size_t) const {}
std::uint64_t Ranks::least(std::uint64_t x) const { return x; }
std::uint64_t Ranks::sum(std::uint64_t x) const { return x; }
Ranks::Together::Together() = default;
Ranks::Together::~Together() = default;
#endif

Ranks& Ranks::world() {
  static Ranks ranks;
  return ranks;
}

}  // namespace apical::brain
