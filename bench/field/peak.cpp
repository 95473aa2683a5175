// Counts what a process holds by malloc and operator new: preloaded (LD_PRELOAD) into our executables and into the peers' Python alike, in front of
// whatever allocator they use. Exact, where resident memory is not: an allocator keeps what was freed.
#include <dlfcn.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>

namespace {

std::atomic<long long> held{0}, most{0};

template <class F>
F* next(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}
std::size_t size_of(void* p) {
  static auto* const size = next<std::size_t(void*)>("malloc_usable_size");
  return size(p);
}
void* counted(void* p) {
  if (p) {
    const long long now = held += static_cast<long long>(size_of(p));
    for (long long before = most; now > before && !most.compare_exchange_weak(before, now);) {}
  }
  return p;
}

// dlsym asks for memory before calloc is known.
alignas(64) char early[4096];
std::size_t early_used = 0;
bool is_early(void* p) { return p >= early && p < early + sizeof early; }

void* wanted(void* p) {
  if (!p) throw std::bad_alloc();
  return p;
}

}  // namespace

extern "C" {

// The peak begins anew; the most bytes held since, above those held then.
long long peak_from = 0;
void peak_begin() { most = peak_from = held; }
long long peak_bytes() { return most - peak_from; }

void* malloc(std::size_t n) {
  static auto* const real = next<void*(std::size_t)>("malloc");
  return counted(real(n));
}
void* calloc(std::size_t n, std::size_t size) {
  static bool looking = false;
  static void* (*real)(std::size_t, std::size_t) = nullptr;
  if (!real && !looking) looking = true, real = next<void*(std::size_t, std::size_t)>("calloc");
  if (real) return counted(real(n, size));
  void* const p = early + early_used;
  early_used += (n * size + 63) / 64 * 64;
  return early_used <= sizeof early ? p : nullptr;
}
void free(void* p) {
  static auto* const real = next<void(void*)>("free");
  if (!p || is_early(p)) return;
  held -= static_cast<long long>(size_of(p));
  real(p);
}
void* realloc(void* p, std::size_t n) {
  static auto* const real = next<void*(void*, std::size_t)>("realloc");
  const std::size_t before = p ? size_of(p) : 0;
  void* const q = real(p, n);
  if (q || n == 0) held -= static_cast<long long>(before);
  return counted(q);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) {
  static auto* const real = next<void*(std::size_t, std::size_t)>("aligned_alloc");
  return counted(real(alignment, n));
}
void* memalign(std::size_t alignment, std::size_t n) {
  static auto* const real = next<void*(std::size_t, std::size_t)>("memalign");
  return counted(real(alignment, n));
}
int posix_memalign(void** p, std::size_t alignment, std::size_t n) {
  static auto* const real = next<int(void**, std::size_t, std::size_t)>("posix_memalign");
  const int error = real(p, alignment, n);
  if (!error) counted(*p);
  return error;
}

}  // extern "C"

void* operator new(std::size_t n) { return wanted(malloc(n)); }
void* operator new[](std::size_t n) { return wanted(malloc(n)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return malloc(n); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return malloc(n); }
void* operator new(std::size_t n, std::align_val_t a) { return wanted(memalign(static_cast<std::size_t>(a), n)); }
void* operator new[](std::size_t n, std::align_val_t a) { return wanted(memalign(static_cast<std::size_t>(a), n)); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept { return memalign(static_cast<std::size_t>(a), n); }
void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept { return memalign(static_cast<std::size_t>(a), n); }
void operator delete(void* p) noexcept { free(p); }
void operator delete[](void* p) noexcept { free(p); }
void operator delete(void* p, std::size_t) noexcept { free(p); }
void operator delete[](void* p, std::size_t) noexcept { free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { free(p); }
void operator delete(void* p, std::align_val_t) noexcept { free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { free(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { free(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { free(p); }
