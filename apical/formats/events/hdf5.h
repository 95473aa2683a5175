#pragma once
// The reader of HDF5 recordings, chunk by chunk: streaming, and for whole files in many places at once.
#include <array>
#include <memory>
#include <vector>

#include "apical/formats/events/detail.h"
#include "apical/formats/events/hdf5_dataset.h"

namespace apical::formats::detail {

inline constexpr std::uint64_t hdf5_chunk_events = 16384;  ///< of the files we write, as of Prophesee's

class Hdf5Reader final : public ReaderBase {
 public:
  explicit Hdf5Reader(std::shared_ptr<ByteSource> source);

  /// Prophesee's events, or null: then there are four datasets, which go in step.
  const Hdf5Dataset* events() const { return handles_.sets.size() == 1 ? handles_.sets[0].get() : nullptr; }
  /// The events inside the sensor of a fetched piece of events(), from any thread; returns how many lay outside.
  std::uint64_t unpack(std::uint64_t number, Hdf5Dataset::Piece& piece, EventRows& rows) const;

 private:
  bool decode() override;
  bool decode_piece();
  bool decode_columns();
  void open_prophesee(hid_t root);
  void open_columns(hid_t root);
  Hdf5Dataset& add(const std::string& path);
  void show_progress();

  // Identifiers of the library, which are given back under its lock.
  struct Handles {
    Hdf5Bytes bytes;
    Hid file;
    std::vector<std::unique_ptr<Hdf5Dataset>> sets;
    ~Handles();
  } handles_;
  std::array<Hdf5Field, 4> fields_;  // t, x, y, p
  std::uint64_t next_ = 0;           // piece (events), or event (four datasets)
  std::int64_t origin_ = 0;          // added to times
  std::array<Hdf5Dataset::Piece, 4> pieces_;
  std::array<std::uint64_t, 4> held_;  // which piece each of them is
  EventRows rows_;
};

}  // namespace apical::formats::detail
