#pragma once
// The processes that simulate one network together: those that mpirun has started, where the build has MPI (-DAPICAL_MPI=ON); otherwise
// there is one. Each runs the same program with the same description and owns some of the neurons; every call but rank() and count() is one
// that all of them make, in the same order. The result does not depend on how many there are.
#include <cstddef>
#include <cstdint>

namespace apical::brain {

class Ranks {
 public:
  /// Starts MPI when first called. When the program ends while a simulation is under way (an error in one process alone), all others end
  /// too.
  static Ranks& world();
  int rank() const noexcept { return rank_; }  ///< this process, from 0
  int count() const noexcept { return count_; }

  /// Bitwise or of everyone's words.
  void merge(std::uint64_t* words, std::size_t n) const;
  std::uint64_t least(std::uint64_t x) const;
  std::uint64_t greatest(std::uint64_t x) const { return ~least(~x); }
  bool any(bool b) const { return greatest(b) != 0; }
  std::uint64_t sum(std::uint64_t x) const;

  /// While one exists, the others wait for this process. What every process throws must be thrown after it.
  class Together {
   public:
    Together();
    ~Together();
    Together(const Together&) = delete;
  };

 private:
  Ranks();
  int rank_ = 0, count_ = 1;
};

}  // namespace apical::brain
