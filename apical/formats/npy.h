#pragma once
// NumPy's NPY (one array, versions 1 to 3) and NPZ (a zip of NPY files).
// Source: NumPy enhancement proposal 1, "A simple file format for NumPy arrays", and numpy.lib.format.
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "apical/formats/array.h"

namespace apical::formats {

/// Types b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8, both byte orders, C and Fortran order (returned in C order). Data error for anything
/// else: structured types, pickled objects, a header that is no exact dict of descr, fortran_order and shape, a wrong length.
Array parse_npy(std::span<const std::uint8_t> bytes, const std::string& where);
/// The same, and structured types of such fields: an array of the whole's shape for each field, by name. A plain array has the name "".
std::map<std::string, Array> parse_npy_fields(std::span<const std::uint8_t> bytes, const std::string& where);
Array read_npy(const std::filesystem::path& path);

/// How to write. Version 0 takes the oldest that fits.
struct NpyLayout {
  bool fortran = false;
  bool big_endian = false;
  int version = 0;
};
/// All bytes before the data, for arrays that are written piece by piece.
std::vector<std::uint8_t> npy_header(DType dtype, std::span<const std::uint64_t> shape, NpyLayout layout = {});
std::vector<std::uint8_t> npy_bytes(const Array& array, NpyLayout layout = {});
void write_npy(const std::filesystem::path& path, const Array& array, NpyLayout layout = {});

using Npz = std::map<std::string, Array>;  ///< by name, without the ".npy" of the member
inline constexpr std::size_t npz_limit = std::size_t{1} << 34;

/// Every member must be an NPY file; a structured one gives an array "member.field" for each field. `limit` is the sum of all unpacked
/// bytes. Checksums are checked.
Npz parse_npz(std::span<const std::uint8_t> bytes, const std::string& where, std::size_t limit = npz_limit);
Npz read_npz(const std::filesystem::path& path, std::size_t limit = npz_limit);
/// Deflated like numpy.savez_compressed, or stored like numpy.savez. Same arrays, same bytes.
std::vector<std::uint8_t> npz_bytes(const Npz& arrays, bool compress = true);
void write_npz(const std::filesystem::path& path, const Npz& arrays, bool compress = true);

}  // namespace apical::formats
