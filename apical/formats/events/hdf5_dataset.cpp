#include "apical/formats/events/hdf5_dataset.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "apical/formats/bytes.h"

namespace apical::formats::detail {
namespace {

constexpr std::uint64_t rows_at_once = 16384;  // of datasets without chunks
constexpr int most_members = 32;
constexpr unsigned most_filters = 8;

// Names of filters that files of events are found with; https://github.com/HDFGroup/hdf5_plugins has the list.
std::string filter_name(unsigned id, const char* in_file) {
  static constexpr std::pair<unsigned, const char*> known[] = {
      {3, "Fletcher-32"}, {4, "szip"},    {5, "n-bit"},          {6, "scale-offset"},  {307, "bzip2"},   {32000, "LZF"},
      {32001, "Blosc"},   {32004, "LZ4"}, {32008, "bitshuffle"}, {32015, "Zstandard"}, {32026, "Blosc2"}};
  for (const auto& [number, name] : known)
    if (number == id) return "'" + std::string(name) + "' (" + std::to_string(id) + ")";
  return (*in_file ? "'" + std::string(in_file).substr(0, 60) + "' (" : "(") + std::to_string(id) + ")";
}

Hdf5Field whole_number_field(hid_t type) {
  Hdf5Field f;
  const H5T_class_t kind = H5Tget_class(type);
  const std::size_t bytes = H5Tget_size(type);
  if ((kind != H5T_INTEGER && kind != H5T_ENUM) || (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)) return f;
  if (kind == H5T_INTEGER && (H5Tget_precision(type) != 8 * bytes || H5Tget_offset(type) != 0)) return f;
  if (kind == H5T_ENUM && bytes != 1) return f;  // bool of Python
  if (bytes > 1 && H5Tget_order(type) != H5T_ORDER_LE) return f;
  f.bytes = static_cast<int>(bytes);
  f.is_signed = kind == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_2;
  return f;
}

// to[i * element + k] = from[k * n + i], some rows at a time, so that they stay in the first-level cache
void unshuffle(const std::vector<std::uint8_t>& from, std::size_t element, std::vector<std::uint8_t>& to) {
  to.resize(from.size());
  const std::size_t n = from.size() / element;
  constexpr std::size_t rows = 64;
  for (std::size_t first = 0; first < n; first += rows)
    for (std::size_t k = 0; k < element; ++k)
      for (std::size_t i = first; i < std::min(n, first + rows); ++i) to[i * element + k] = from[k * n + i];
  std::copy(from.begin() + static_cast<std::ptrdiff_t>(n * element), from.end(), to.begin() + static_cast<std::ptrdiff_t>(n * element));
}

}  // namespace

std::int64_t Hdf5Field::at(const std::uint8_t* row) const noexcept {
  const std::uint8_t* p = row + offset;
  switch (bytes) {
    case 1:
      return is_signed ? std::int64_t{load_le<std::int8_t>(p)} : std::int64_t{*p};
    case 2:
      return is_signed ? std::int64_t{load_le<std::int16_t>(p)} : std::int64_t{load_le<std::uint16_t>(p)};
    case 4:
      return is_signed ? std::int64_t{load_le<std::int32_t>(p)} : std::int64_t{load_le<std::uint32_t>(p)};
    default:  // beyond the last time: the last time
      return is_signed
                 ? load_le<std::int64_t>(p)
                 : static_cast<std::int64_t>(std::min<std::uint64_t>(load_le<std::uint64_t>(p), std::numeric_limits<std::int64_t>::max()));
  }
}

Hdf5Dataset::Hdf5Dataset(Hdf5Bytes& bytes, hid_t file, const std::string& path, bool reals) : bytes_(bytes), path_(path) {
  check_hdf5_layout(bytes_, file, path);
  id_ = Hid(H5Dopen2(file, path.c_str(), H5P_DEFAULT), H5Dclose);
  if (!id_) throw_hdf5(bytes_, path + " cannot be opened as a dataset", bytes_.source->name());
  read_space();
  const Hid type(H5Dget_type(id_), H5Tclose);
  if (!type) throw_hdf5(bytes_, path + " has no type that can be read", bytes_.source->name());
  read_type(type, reals);
  read_layout();
}

void Hdf5Dataset::read_space() {
  const Hid space(H5Dget_space(id_), H5Sclose);
  hsize_t dims[1] = {1};
  if (!space) throw_hdf5(bytes_, path_ + " has no shape that can be read", bytes_.source->name());
  const H5S_class_t kind = H5Sget_simple_extent_type(space);
  if (kind == H5S_SIMPLE && H5Sget_simple_extent_ndims(space) != 1) throw error("has not one dimension");
  if (kind == H5S_SIMPLE ? H5Sget_simple_extent_dims(space, dims, nullptr) != 1 : kind != H5S_SCALAR) throw error("has no rows");
  rows_ = dims[0];
}

void Hdf5Dataset::read_type(hid_t type, bool reals) {
  row_bytes_ = H5Tget_size(type);
  if (row_bytes_ == 0 || row_bytes_ > 4096) throw error("has rows of " + std::to_string(row_bytes_) + " bytes");
  if (H5Tget_class(type) != H5T_COMPOUND) {
    fields_ = {whole_number_field(type)};
    if (reals && (H5Tequal(type, H5T_IEEE_F32LE) > 0 || H5Tequal(type, H5T_IEEE_F64LE) > 0))
      fields_[0].bytes = static_cast<int>(row_bytes_), fields_[0].is_real = true;
    if (fields_[0].bytes == 0) throw error("does not hold " + std::string(reals ? "numbers" : "whole numbers") + " in little-endian order");
    return;
  }
  const int members = H5Tget_nmembers(type);
  for (int i = 0; i < std::min(members, most_members); ++i) {
    const auto number = static_cast<unsigned>(i);
    const Hid member(H5Tget_member_type(type, number), H5Tclose);
    if (!member) continue;
    Hdf5Field f = whole_number_field(member);
    char* name = H5Tget_member_name(type, number);
    if (name) f.name = name;
    H5free_memory(name);
    f.offset = H5Tget_member_offset(type, number);
    if (f.bytes > 0 && f.offset <= row_bytes_ && static_cast<std::size_t>(f.bytes) <= row_bytes_ - f.offset)
      fields_.push_back(std::move(f));
  }
}

void Hdf5Dataset::read_layout() {
  const Hid list(H5Dget_create_plist(id_), H5Pclose);
  if (!list) throw_hdf5(bytes_, path_ + " has no layout that can be read", bytes_.source->name());
  const std::uint64_t file = bytes_.source->size();
  switch (H5Pget_layout(list)) {
    case H5D_CHUNKED: {
      hsize_t dims[1] = {0};
      if (H5Pget_chunk(list, 1, dims) != 1 || dims[0] == 0) throw error("has not chunks of one dimension");
      if (dims[0] > hdf5_chunk_limit / row_bytes_) throw error("has chunks of more than " + std::to_string(hdf5_chunk_limit) + " bytes");
      piece_rows_ = dims[0];
      chunked_ = true;
      read_filters(list);
      return;
    }
    case H5D_CONTIGUOUS:
      if (H5Pget_external_count(list) != 0) throw error("lies in other files");
      piece_rows_ = rows_at_once;
      if (rows_ == 0) return;
      address_ = H5Dget_offset(id_);
      if (address_ == HADDR_UNDEF) throw error("was never written");
      if (address_ > file || rows_ > (file - address_) / row_bytes_)
        throw data_error(path_ + " should have " + std::to_string(rows_) + " rows of " + std::to_string(row_bytes_) + " bytes",
                         at_byte(bytes_.source->name(), std::min(address_, file)),
                         "The file is cut off or damaged; copy or download it again.");
      return;
    default:
      throw error("is neither in one place nor in chunks");
  }
}

void Hdf5Dataset::read_filters(hid_t list) {
  const int n = H5Pget_nfilters(list);
  if (n < 0 || n > static_cast<int>(most_filters)) throw error("has too many filters");
  for (int i = 0; i < n; ++i) {
    unsigned flags = 0, values[8] = {};
    std::size_t count = 8;
    char name[64] = "";
    const auto id = static_cast<int>(H5Pget_filter2(list, static_cast<unsigned>(i), &flags, &count, values, sizeof name, name, nullptr));
    name[sizeof name - 1] = 0;
    Filter f{static_cast<unsigned>(id), 0};
    if (f.id == H5Z_FILTER_SHUFFLE) {
      f.element = count > 0 ? values[0] : 0;
      if (f.element == 0 || f.element > 4096) throw error("is shuffled by elements of " + std::to_string(f.element) + " bytes");
    } else if (f.id == ecf_filter) {
      if (i != 0 || piece_rows_ > ecf_limit) throw error("is packed by ECF in a way that Prophesee's files are not");
    } else if (f.id != H5Z_FILTER_DEFLATE) {
      throw error("is packed by the filter " + filter_name(f.id, name) + ", which is not read",
                  "ECF, deflate and shuffle are. Repack it: h5repack -f GZIP=4 IN OUT");
    }
    filters_.push_back(f);
  }
}

std::size_t Hdf5Dataset::rows_in(std::uint64_t piece) const {
  return static_cast<std::size_t>(std::min(piece_rows_, rows_ - piece * piece_rows_));
}

const Hdf5Field* Hdf5Dataset::field(const std::string& name) const {
  for (const Hdf5Field& f : fields_)
    if (f.name == name) return &f;
  return nullptr;
}

void Hdf5Dataset::fetch(std::uint64_t piece, Piece& to) const {
  const std::uint64_t first = piece * piece_rows_;
  to.left_out = 0;
  if (!chunked_) {
    to.at = address_ + first * row_bytes_;
    to.bytes.resize(rows_in(piece) * row_bytes_);
    if (bytes_.source->read_at(to.at, to.bytes.data(), to.bytes.size()) != to.bytes.size()) throw damage(to, piece, "ends early");
    return;
  }
  const Hdf5Lock lock;
  const hsize_t offset[1] = {first};
  hsize_t size = 0;
  to.at = bytes_.source->size();
  if (H5Dget_chunk_storage_size(id_, offset, &size) < 0)
    throw_hdf5(bytes_, "chunk " + std::to_string(piece) + " of " + path_ + " cannot be found", bytes_.source->name());
  if (size == 0) throw error("has no chunk " + std::to_string(piece), "The recording was cut off, or the file is damaged.");
  if (size > bytes_.source->size() || size > 2 * hdf5_chunk_limit) throw damage(to, piece, "claims " + std::to_string(size) + " bytes");
  to.bytes.resize(static_cast<std::size_t>(size));
  bytes_.raw_room = size;
  bytes_.raw_size = 0;
  const bool good = H5Dread_chunk(id_, H5P_DEFAULT, offset, &to.left_out, to.bytes.data()) >= 0;
  bytes_.raw_room = 0;
  if (!good) throw_hdf5(bytes_, "chunk " + std::to_string(piece) + " of " + path_ + " cannot be read", bytes_.source->name());
  to.at = bytes_.raw_at;
  if (bytes_.raw_size != size)
    throw damage(to, piece, "has " + std::to_string(bytes_.raw_size) + " bytes; it should have " + std::to_string(size));
  if (to.at > bytes_.source->size() || size > bytes_.source->size() - to.at) throw damage(to, piece, "goes beyond the end of the file");
}

bool Hdf5Dataset::unpack(std::uint64_t number, Piece& piece, EventRows* ecf) const {
  const std::size_t rows = rows_in(number), full = static_cast<std::size_t>(chunked_ ? piece_rows_ : rows);
  for (std::size_t k = filters_.size(); k-- > 0;) {
    if (piece.left_out >> k & 1) continue;
    if (filters_[k].id == ecf_filter && ecf) {
      if (const EcfDamage d = decode_ecf(piece.bytes, *ecf); d.what)
        throw damage(piece, number, "cannot be unpacked: byte " + std::to_string(d.at) + " of it: " + d.what);
      if (ecf->size < rows || ecf->size > full)
        throw damage(piece, number, "holds " + std::to_string(ecf->size) + " events; it should hold " + std::to_string(rows));
      ecf->size = rows;
      return true;
    }
    if (filters_[k].id == H5Z_FILTER_SHUFFLE) {
      unshuffle(piece.bytes, filters_[k].element, piece.other);
    } else {
      // One byte more than is wanted, so that a longer chunk is told from a whole one.
      piece.other.resize(full * row_bytes_ + 1);
      uLongf size = piece.other.size();
      const int state = uncompress(piece.other.data(), &size, piece.bytes.data(), piece.bytes.size());
      if (state == Z_BUF_ERROR) throw damage(piece, number, "unpacks to more than its rows");
      if (state != Z_OK) throw damage(piece, number, "cannot be unpacked (deflate)");
      piece.other.resize(size);
    }
    piece.bytes.swap(piece.other);
  }
  if (piece.bytes.size() < rows * row_bytes_ || piece.bytes.size() > full * row_bytes_)
    throw damage(piece, number,
                 "has " + std::to_string(piece.bytes.size()) + " bytes; its " + std::to_string(rows) + " rows have " +
                     std::to_string(rows * row_bytes_));
  return false;
}

Error Hdf5Dataset::error(const std::string& what, const std::string& hint) const {
  return data_error(path_ + " " + what, bytes_.source->name(), hint);
}
Error Hdf5Dataset::damage(const Piece& piece, std::uint64_t number, const std::string& what) const {
  return data_error((chunked_ ? "chunk " : "part ") + std::to_string(number) + " of " + path_ + " " + what,
                    at_byte(bytes_.source->name(), piece.at), "The file is cut off or damaged; copy or download it again.");
}

bool hdf5_has(hid_t file, const std::string& path) {
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    H5L_info_t link;
    if (H5Lexists(file, part.c_str(), H5P_DEFAULT) <= 0 || H5Lget_info(file, part.c_str(), &link, H5P_DEFAULT) < 0) return false;
    if (link.type != H5L_TYPE_HARD) return false;
    if (end == std::string::npos) return true;
  }
}

}  // namespace apical::formats::detail
