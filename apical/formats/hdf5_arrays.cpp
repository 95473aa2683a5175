#include "apical/formats/hdf5_arrays.h"

#include "apical/formats/events/hdf5_file.h"

namespace apical::formats {
namespace {

using namespace detail;

hid_t type_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
    case DType::u8:
      return H5T_STD_U8LE;
    case DType::i8:
      return H5T_STD_I8LE;
    case DType::u16:
      return H5T_STD_U16LE;
    case DType::i16:
      return H5T_STD_I16LE;
    case DType::u32:
      return H5T_STD_U32LE;
    case DType::i32:
      return H5T_STD_I32LE;
    case DType::u64:
      return H5T_STD_U64LE;
    case DType::i64:
      return H5T_STD_I64LE;
    case DType::f32:
      return H5T_IEEE_F32LE;
    case DType::f64:
      return H5T_IEEE_F64LE;
    default:
      throw usage_error("HDF5 has no type for " + name(dtype));
  }
}

}  // namespace

void write_hdf5_arrays(const std::filesystem::path& path, const Npz& arrays) {
  AtomicFile target(path);
  {
    const Hdf5Lock lock;
    struct Open {
      Hdf5Bytes bytes;
      Hid file;
      ~Open() {  // not finished: nobody wants the rest
        bytes.discard = true;
        file.reset();
      }
    } open;
    open.bytes.file = &target;
    open.file = create_hdf5(open.bytes);
    const auto check = [&](bool good) {
      if (!good || open.bytes.trouble) throw_hdf5(open.bytes, "the HDF5 file cannot be written", path.string());
    };
    const Hid list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_obj_track_times(list, false);  // the same arrays, the same bytes
    for (const auto& [array_name, array] : arrays) {
      const std::vector<hsize_t> shape(array.shape.begin(), array.shape.end());
      const Hid space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
      const hid_t type = type_of(array.dtype);
      const Hid set(H5Dcreate2(open.file, array_name.c_str(), type, space, H5P_DEFAULT, list, H5P_DEFAULT), H5Dclose);
      check(set && (array.bytes.empty() || H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.bytes.data()) >= 0));
    }
    open.file.reset();
    check(true);
  }
  target.commit();
}

}  // namespace apical::formats
