#include "apical/base/huge_array.h"

#include <sys/mman.h>

namespace apical::detail {

void* map_pages(void* at, std::size_t& mapped, std::size_t bytes) {
  constexpr std::size_t page = 4096, huge_page = std::size_t{1} << 21;
  bytes = (bytes + page - 1) / page * page;
  if (bytes <= mapped) return at;
  at = at ? ::mremap(at, mapped, bytes, MREMAP_MAYMOVE)
          : ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  if (bytes >= huge_page) ::madvise(at, bytes, MADV_HUGEPAGE);  // a wish
  mapped = bytes;
  return at;
}

void unmap_pages(void* at, std::size_t mapped) noexcept {
  if (at) ::munmap(at, mapped);
}

}  // namespace apical::detail
