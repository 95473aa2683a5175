#pragma once
// The header of an NPY file, shared by npy.cpp and npz.cpp.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "apical/formats/array.h"

namespace apical::formats {

inline constexpr std::size_t npy_header_limit = std::size_t{1} << 16;

/// One field of a structured type; one without a name is padding.
struct NpyField {
  std::string name;
  DType dtype = DType::u8;
  bool big_endian = false;
  std::size_t size = 1;
};

struct NpyHeader {
  DType dtype = DType::f32;
  bool fortran = false, big_endian = false;
  std::vector<NpyField> fields;  ///< of a structured type, in place of dtype and big_endian
  std::vector<std::uint64_t> shape;
  std::size_t offset = 0;   ///< of the data
  std::uint64_t bytes = 0;  ///< of the data, as promised
};

/// False when more bytes are needed to see the whole header; data error when it is wrong.
bool parse_npy_header(std::span<const std::uint8_t> bytes, const std::string& where, NpyHeader& header);

}  // namespace apical::formats
