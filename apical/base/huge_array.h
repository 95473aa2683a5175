#pragma once
// Large arrays of fresh memory.
#include <cstddef>
#include <limits>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace apical {

constexpr std::size_t large_page_bytes = std::size_t{1} << 21;
/// Asks for pages of 2 MiB where memory has room for whole ones: fewer faults when it is new, and no walk through the page tables every 4 KiB of
/// each row after that. Where the system refuses, nothing changes.
void ask_for_large_pages(void* memory, std::size_t bytes) noexcept;

namespace detail {
/// Maps (at null) or moves `mapped` bytes to a place of at least `bytes`, whole pages; throws std::bad_alloc.
void* map_pages(void* at, std::size_t& mapped, std::size_t bytes);
void unmap_pages(void* at, std::size_t mapped) noexcept;
}  // namespace detail

/// An array of fresh memory, on huge pages where the system has them: a page fault each 2 MiB, not each 4 KiB. Elements are zero.
template <class T>
class HugeArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  HugeArray() = default;
  explicit HugeArray(std::size_t size) { resize(size); }
  ~HugeArray() { detail::unmap_pages(data_, mapped_); }
  HugeArray(HugeArray&& other) noexcept { *this = std::move(other); }
  HugeArray& operator=(HugeArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(mapped_, other.mapped_);
    return *this;
  }
  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  operator std::span<const T>() const noexcept { return {data_, size_}; }
  /// Changes the size; elements that stay keep their values. Growing may move them.
  void resize(std::size_t size) {
    if (size > std::numeric_limits<std::size_t>::max() / 2 / sizeof(T)) throw std::bad_alloc();
    data_ = static_cast<T*>(detail::map_pages(data_, mapped_, size * sizeof(T)));
    size_ = size;
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0, mapped_ = 0;  // elements; bytes
};

}  // namespace apical
