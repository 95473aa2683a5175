#include "apical/formats/hdf5_arrays.h"

#include <bit>
#include <optional>

#include "apical/formats/bytes.h"
#include "apical/formats/events/hdf5_dataset.h"

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

DType dtype_of(const Hdf5Field& f) {
  constexpr DType whole[2][4] = {{DType::u8, DType::u16, DType::u32, DType::u64}, {DType::i8, DType::i16, DType::i32, DType::i64}};
  if (f.is_real) return f.bytes == 4 ? DType::f32 : DType::f64;
  return whole[f.is_signed][std::countr_zero(static_cast<unsigned>(f.bytes))];
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
    const Hid list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose), link(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
    H5Pset_obj_track_times(list, false);  // the same arrays, the same bytes
    H5Pset_create_intermediate_group(link, 1);
    for (const auto& [array_name, array] : arrays) {
      const std::vector<hsize_t> shape(array.shape.begin(), array.shape.end());
      const Hid space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
      const hid_t type = type_of(array.dtype);
      const Hid set(H5Dcreate2(open.file, array_name.c_str(), type, space, link, list, H5P_DEFAULT), H5Dclose);
      check(set && (array.bytes.empty() || H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.bytes.data()) >= 0));
    }
    open.file.reset();
    check(true);
  }
  target.commit();
}

struct Hdf5Columns::Handles {
  explicit Handles(std::shared_ptr<ByteSource> source) {
    bytes.source = std::move(source);
    const Hdf5Lock lock;
    file = open_hdf5(bytes);
  }
  ~Handles() {
    const Hdf5Lock lock;
    file.reset();
  }
  Hdf5Bytes bytes;
  Hid file;
};

Hdf5Columns::Hdf5Columns(const std::filesystem::path& path) : handles_(std::make_unique<Handles>(file_source(path))) {}
Hdf5Columns::Hdf5Columns(std::span<const std::uint8_t> bytes, const std::string& where)
    : handles_(std::make_unique<Handles>(memory_source(bytes, where))) {}
Hdf5Columns::~Hdf5Columns() = default;

const std::string& Hdf5Columns::where() const { return handles_->bytes.source->name(); }

bool Hdf5Columns::has(const std::string& path) const {
  const Hdf5Lock lock;
  return hdf5_has(handles_->file, path);
}

Array Hdf5Columns::read(const std::string& path) const {
  struct Open {
    std::optional<Hdf5Dataset> set;
    ~Open() {
      const Hdf5Lock lock;
      set.reset();
    }
  } open;
  {
    const Hdf5Lock lock;
    if (!hdf5_has(handles_->file, path)) throw data_error("the HDF5 file has no '" + path + "'", where());
    open.set.emplace(handles_->bytes, handles_->file, path, true);
  }
  const Hdf5Dataset& set = *open.set;
  if (set.fields().size() != 1 || !set.fields()[0].name.empty()) throw data_error(path + " is no column of numbers", where());
  Array a{dtype_of(set.fields()[0]), {set.rows()}, {}};
  const std::uint64_t size = checked_bytes(a.shape, a.dtype, where() + ": " + path);
  if (size / deflate_max_ratio > handles_->bytes.source->size())
    throw data_error(path + " claims " + std::to_string(set.rows()) + " rows, more than the file can hold", where());
  Hdf5Dataset::Piece piece;
  for (std::uint64_t k = 0; k < set.pieces(); ++k) {
    set.fetch(k, piece);
    set.unpack(k, piece, nullptr);
    const auto end = piece.bytes.begin() + static_cast<std::ptrdiff_t>(set.rows_in(k) * set.row_bytes());
    a.bytes.insert(a.bytes.end(), piece.bytes.begin(), end);
  }
  return a;
}

}  // namespace apical::formats
