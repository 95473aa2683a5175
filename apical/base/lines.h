#pragma once
// Vectors that begin with a cache line.
#include <cstddef>
#include <new>
#include <vector>

namespace apical {

constexpr std::size_t cache_line = 64;

/// std::vector's numbers from the start of a cache line on: rows are read and written by SIMD vectors and by whole lines, which would
/// straddle two otherwise, at twice the time.
template <class T>
struct LineAllocator {
  using value_type = T;
  LineAllocator() = default;
  template <class U>
  LineAllocator(const LineAllocator<U>&) noexcept {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{cache_line})); }
  void deallocate(T* p, std::size_t) noexcept { ::operator delete (p, std::align_val_t{cache_line}); }
  template <class U>
  bool operator==(const LineAllocator<U>&) const noexcept {
    return true;
  }
};
template <class T>
using Lines = std::vector<T, LineAllocator<T>>;

}  // namespace apical
