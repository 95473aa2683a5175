#include "apical/base/huge_array.h"

#include <sys/mman.h>

#include <cstdint>

namespace apical {

void ask_for_large_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  const auto begin = (reinterpret_cast<std::uintptr_t>(memory) + large_page_bytes - 1) / large_page_bytes * large_page_bytes;
  const auto end = (reinterpret_cast<std::uintptr_t>(memory) + bytes) / large_page_bytes * large_page_bytes;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

namespace detail {

void* map_pages(void* at, std::size_t& mapped, std::size_t bytes) {
  constexpr std::size_t page = 4096;
  bytes = (bytes + page - 1) / page * page;
  if (bytes <= mapped) return at;
  at = at ? ::mremap(at, mapped, bytes, MREMAP_MAYMOVE)
          : ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  ::madvise(at, bytes, MADV_HUGEPAGE);  // all of it: where a part had other flags, the system would refuse to move the whole
#endif
  mapped = bytes;
  return at;
}

void unmap_pages(void* at, std::size_t mapped) noexcept {
  if (at) ::munmap(at, mapped);
}

}  // namespace detail
}  // namespace apical
