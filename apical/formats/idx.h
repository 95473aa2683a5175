#pragma once
// IDX, the format of MNIST and its relatives: 00 00 <type> <dims>, dims as big-endian uint32, then big-endian elements.
// Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", file formats.
#include <filesystem>
#include <span>
#include <string>

#include "apical/formats/array.h"

namespace apical::formats {

/// Element types: u8 (08), i8 (09), i16 (0B), i32 (0C), f32 (0D), f64 (0E). gzip is unpacked. Data error when the header is not
/// IDX or promises another number of bytes than there are; nothing is allocated on the header's word.
Array parse_idx(std::span<const std::uint8_t> bytes, const std::string& where);
Array read_idx(const std::filesystem::path& path);

std::vector<std::uint8_t> idx_bytes(const Array& array);
/// Packed when the name ends in .gz. Usage error for types IDX does not have.
void write_idx(const std::filesystem::path& path, const Array& array);

}  // namespace apical::formats
