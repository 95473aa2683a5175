#pragma once
// A typed array as files hold it: element type, shape, bytes.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "apical/base/error.h"

namespace apical::formats {

enum class DType : std::uint8_t { boolean, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64 };
std::size_t size_of(DType dtype) noexcept;  ///< bytes of one element
std::string name(DType dtype);              ///< "f32", "bool", ...

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, bool>)
    return DType::boolean;
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return DType::u8;
  else if constexpr (std::is_same_v<T, std::int8_t>)
    return DType::i8;
  else if constexpr (std::is_same_v<T, std::uint16_t>)
    return DType::u16;
  else if constexpr (std::is_same_v<T, std::int16_t>)
    return DType::i16;
  else if constexpr (std::is_same_v<T, std::uint32_t>)
    return DType::u32;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return DType::i32;
  else if constexpr (std::is_same_v<T, std::uint64_t>)
    return DType::u64;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return DType::i64;
  else if constexpr (std::is_same_v<T, float>)
    return DType::f32;
  else {
    static_assert(std::is_same_v<T, double>, "no such element type");
    return DType::f64;
  }
}

/// Shape times element size with overflow checked: data error naming `where`. A shape with a zero has no bytes.
std::uint64_t checked_bytes(std::span<const std::uint64_t> shape, DType dtype, const std::string& where);
std::string shape_text(std::span<const std::uint64_t> shape);  ///< "[60000, 28, 28]"

/// Elements of any type as float (f16 and bf16 exactly, wide integers rounded). `bytes` may be unaligned.
std::vector<float> to_float(DType dtype, std::span<const std::uint8_t> bytes);

/// An array that owns its bytes: row-major (C order), little endian.
struct Array {
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::vector<std::uint8_t> bytes;

  std::uint64_t size() const noexcept { return bytes.size() / size_of(dtype); }  ///< number of elements
  bool operator==(const Array&) const = default;

  /// The elements; data error when T is not the type of this array.
  template <class T>
  std::span<const T> as(const std::string& where = {}) const {
    if (dtype_of<T>() != dtype) throw data_error("the array holds " + name(dtype) + ", not " + name(dtype_of<T>()), where);
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  std::vector<float> floats() const { return to_float(dtype, bytes); }

  template <class T>
  static Array of(std::vector<std::uint64_t> shape, std::span<const T> values) {
    const auto* p = reinterpret_cast<const std::uint8_t*>(values.data());
    Array a{dtype_of<T>(), std::move(shape), std::vector<std::uint8_t>(p, p + values.size_bytes())};
    a.check("");
    return a;
  }
  /// Usage error when the bytes do not fit the shape (before writing).
  void check(const std::string& where) const;
};

}  // namespace apical::formats
