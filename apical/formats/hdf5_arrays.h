#pragma once
// Arrays as an HDF5 file: a dataset each, what h5py opens as file["name"][:].
#include <filesystem>

#include "apical/formats/npy.h"

namespace apical::formats {

/// Data error when it cannot be written; f16 and bf16 have no type there (usage error).
void write_hdf5_arrays(const std::filesystem::path& path, const Npz& arrays);

}  // namespace apical::formats
