#pragma once
// A whole recording as four columns, decoded from the mapped file at the speed of memory.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "apical/formats/events/event.h"

namespace apical::formats {

/// An array of fresh memory, on huge pages where the system has them: a page fault each 2 MiB, not each 4 KiB. Elements are zero.
template <class T>
class HugeArray {
 public:
  HugeArray() = default;
  explicit HugeArray(std::size_t size);
  ~HugeArray();
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
  void resize(std::size_t size);

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0, mapped_ = 0;  // elements; bytes
};

/// Events as columns of the same size: time in us, x, y, polarity (1 = ON).
struct EventColumns {
  HugeArray<std::int64_t> t;
  HugeArray<std::int16_t> x, y;
  HugeArray<std::uint8_t> p;
  std::size_t size() const noexcept { return t.size(); }
  Event operator[](std::size_t i) const noexcept { return {t[i], static_cast<std::uint16_t>(x[i]), static_cast<std::uint16_t>(y[i]), p[i]}; }
};

/// The same events in the same order as open_events() gives, and the same info, for any format and any number of threads. AEDAT 4, DAT,
/// EVT and HDF5 (Prophesee's layout) are decoded by all threads at once. Data error as from EventReader::read(), and when x or y does not fit
/// 15 bits (CSV, ES, HDF5): then there are no columns.
EventColumns read_event_columns(const std::filesystem::path& path, EventInfo* info = nullptr);
/// The same over bytes in memory; `where` names them in errors.
EventColumns parse_event_columns(std::span<const std::uint8_t> bytes, const std::string& where, EventInfo* info = nullptr);
EventColumns parse_event_columns(std::span<const std::uint8_t> bytes, const std::string& where, EventFormat format);

}  // namespace apical::formats
