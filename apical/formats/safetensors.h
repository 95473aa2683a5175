#pragma once
// safetensors: the file of our models and checkpoints. 8 bytes of header length, a JSON header, then the tensors' bytes.
// Source: github.com/huggingface/safetensors, README "Format" and the checks of its Rust reader.
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apical/base/files.h"
#include "apical/formats/array.h"

namespace apical::formats {

/// A tensor inside a file: valid as long as a SafeTensors of that file lives.
struct TensorView {
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::span<const std::uint8_t> bytes;

  std::uint64_t size() const noexcept { return bytes.size() / size_of(dtype); }
  /// Whether as<T>() can give them in place. Files of other writers may place tensors anywhere.
  template <class T>
  bool aligned() const noexcept {
    return reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) == 0;
  }
  /// The elements in place; data error for another type, or when they are not aligned to it (then use copy()).
  template <class T>
  std::span<const T> as(const std::string& where = {}) const {
    check_type(dtype_of<T>(), where);
    if (!aligned<T>())
      throw data_error("the tensor's bytes are not aligned to its type", where, "Write the file again with Apical.");
    if constexpr (std::is_same_v<T, bool>)  // any other byte is no bool to C++
      for (const std::uint8_t b : bytes)
        if (b > 1) throw data_error("a bool of the tensor is neither 0 nor 1", where);
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <class T>
  std::vector<T> copy(const std::string& where = {}) const {
    check_type(dtype_of<T>(), where);
    std::vector<T> v(bytes.size() / sizeof(T));
    if (!v.empty()) std::memcpy(v.data(), bytes.data(), v.size() * sizeof(T));
    return v;
  }
  std::vector<float> floats() const { return to_float(dtype, bytes); }
  Array array() const { return {dtype, shape, {bytes.begin(), bytes.end()}}; }

 private:
  void check_type(DType wanted, const std::string& where) const {
    if (wanted != dtype) throw data_error("the tensor holds " + name(dtype) + ", not " + name(wanted), where);
  }
};

/// An opened file. Copies share the map; views stay valid while any copy lives.
class SafeTensors {
 public:
  using Metadata = std::map<std::string, std::string>;
  /// Maps the file and checks all of the header: length at most 100 MB, valid UTF-8 JSON of the known form without duplicate keys,
  /// offsets that cover the data without holes or overlaps, byte counts that fit type and shape. Data error otherwise.
  static SafeTensors open(const std::filesystem::path& path);
  /// Over bytes the caller keeps alive.
  static SafeTensors parse(std::span<const std::uint8_t> bytes, const std::string& where);

  const Metadata& metadata() const noexcept { return metadata_; }
  const std::map<std::string, TensorView, std::less<>>& tensors() const noexcept { return tensors_; }
  bool has(std::string_view tensor) const { return tensors_.find(tensor) != tensors_.end(); }
  /// Data error with a did-you-mean when there is no such tensor.
  const TensorView& at(std::string_view tensor) const;
  /// The same, also checking type and shape.
  const TensorView& at(std::string_view tensor, DType dtype, std::span<const std::uint64_t> shape) const;
  const std::string& where() const noexcept { return where_; }
  /// What keeps the views valid without this object: the map. Null for parse().
  std::shared_ptr<const void> keeper() const noexcept { return map_; }

 private:
  std::shared_ptr<const MappedFile> map_;
  std::string where_;
  Metadata metadata_;
  std::map<std::string, TensorView, std::less<>> tensors_;
};

/// A tensor to be written; the bytes belong to the caller.
struct NamedTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::span<const std::uint8_t> bytes;
};
template <class T>
NamedTensor named(std::string tensor, std::vector<std::uint64_t> shape, std::span<const T> values) {
  return {std::move(tensor), dtype_of<T>(), std::move(shape), {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()}};
}

/// Writes atomically. Data are laid out by element size (widest first), then name, so that every tensor is aligned to its type and
/// the data start at a multiple of 8; same input, same bytes. Usage error for duplicate names, names or metadata that are not
/// UTF-8, a tensor called "__metadata__", or bytes that do not fit a shape.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors, const SafeTensors::Metadata& metadata = {});
std::vector<std::uint8_t> safetensors_bytes(std::span<const NamedTensor> tensors, const SafeTensors::Metadata& metadata = {});

}  // namespace apical::formats
