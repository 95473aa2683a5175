#pragma once
// A dataset of one dimension in an HDF5 file, fetched piece by piece as the file stores it and unpacked by us, many pieces at once.
// Not for use outside this folder.
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "apical/formats/events/ecf.h"
#include "apical/formats/events/hdf5_file.h"

namespace apical::formats::detail {

inline constexpr unsigned ecf_filter = 0x8ecf;
/// Largest chunk that is unpacked: four million events. Prophesee's hold 16384.
inline constexpr std::size_t hdf5_chunk_limit = std::size_t{1} << 26;

/// A number in each row of a dataset: the dataset's only one, or a member of its compound.
struct Hdf5Field {
  std::string name;
  std::size_t offset = 0;
  int bytes = 0;  ///< 1, 2, 4 or 8, little-endian
  bool is_signed = false, is_real = false;
  std::int64_t at(const std::uint8_t* row) const noexcept;  ///< of a whole number
};

class Hdf5Dataset {
 public:
  /// Opens `path` below the file's root; the lock must be held here and at the end. Data error when it is no dataset of one dimension,
  /// lies outside the file, or is packed in a way we do not know (which is named). `reals`: it may be of float32 or float64, too.
  Hdf5Dataset(Hdf5Bytes& bytes, hid_t file, const std::string& path, bool reals = false);

  std::uint64_t rows() const { return rows_; }
  std::size_t row_bytes() const { return row_bytes_; }
  std::uint64_t pieces() const { return (rows_ + piece_rows_ - 1) / piece_rows_; }
  std::uint64_t piece_rows() const { return piece_rows_; }  ///< of every piece but the last
  std::size_t rows_in(std::uint64_t piece) const;
  bool is_chunked() const { return chunked_; }
  bool is_ecf() const { return !filters_.empty() && filters_[0].id == ecf_filter; }
  const std::vector<Hdf5Field>& fields() const { return fields_; }
  const Hdf5Field* field(const std::string& name) const;  ///< null when there is none
  const std::string& path() const { return path_; }

  struct Piece {
    std::uint64_t at = 0;        ///< byte of the file
    std::uint32_t left_out = 0;  ///< bit k: filter k was not used
    std::vector<std::uint8_t> bytes, other;
  };
  /// The bytes of a piece as they are stored. Takes the lock.
  void fetch(std::uint64_t piece, Piece& to) const;
  /// Undoes the filters, from any thread; data error when the piece then has not its rows. `ecf`: with ECF as the first filter, the
  /// events; else `piece.bytes` are the rows. Returns whether it was ECF.
  bool unpack(std::uint64_t piece, Piece& bytes, EventRows* ecf) const;

 private:
  struct Filter {
    unsigned id = 0;
    std::size_t element = 0;  // of shuffle
  };
  void read_type(hid_t type, bool reals);
  void read_space();
  void read_layout();
  void read_filters(hid_t list);
  Error error(const std::string& what, const std::string& hint = {}) const;
  Error damage(const Piece& piece, std::uint64_t number, const std::string& what) const;

  Hdf5Bytes& bytes_;
  std::string path_;
  Hid id_;
  std::uint64_t rows_ = 0, piece_rows_ = 0;
  std::size_t row_bytes_ = 0;
  std::uint64_t address_ = 0;  // where all rows lie, when they are not in chunks
  bool chunked_ = false;
  std::vector<Hdf5Field> fields_;
  std::vector<Filter> filters_;  // in the order in which they were used
};

/// Whether `path` names something in the file itself: no link to another place or file on the way. The lock must be held.
bool hdf5_has(hid_t file, const std::string& path);

}  // namespace apical::formats::detail
