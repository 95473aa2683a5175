#pragma once
// Arrays in HDF5 files: a dataset each, what h5py opens as file["name"][:].
#include <filesystem>
#include <memory>
#include <span>

#include "apical/formats/npy.h"

namespace apical::formats {

/// Names may be paths: groups on the way are made. Data error when it cannot be written; f16 and bf16 have no type there (usage error).
void write_hdf5_arrays(const std::filesystem::path& path, const Npz& arrays);

/// Columns of numbers in an HDF5 file: datasets of one dimension, little endian, in one place or in chunks (deflate, shuffle or neither).
/// Data errors name the file, and the byte where there is one.
class Hdf5Columns {
 public:
  explicit Hdf5Columns(const std::filesystem::path& path);
  Hdf5Columns(std::span<const std::uint8_t> bytes, const std::string& where);  ///< the bytes must outlive it
  ~Hdf5Columns();
  Hdf5Columns(const Hdf5Columns&) = delete;

  const std::string& where() const;
  /// Whether there is something at this path, in the file itself.
  bool has(const std::string& path) const;
  /// A dataset as i8 to i64, u8 to u64, f32 or f64. Memory follows what is in the file, never what it says.
  Array read(const std::string& path) const;

 private:
  struct Handles;
  std::unique_ptr<Handles> handles_;
};

}  // namespace apical::formats
