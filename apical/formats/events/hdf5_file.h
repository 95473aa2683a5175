#pragma once
// libhdf5 behind a door: it reads and writes through our own functions, so that it sees no file system, no plug-ins and no byte beyond
// the file, and is called by one thread at a time. Not for use outside this folder.
#include <hdf5.h>

#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "apical/base/files.h"
#include "apical/formats/events/source.h"

namespace apical::formats::detail {

/// The library has one state for the whole process and knows no threads: held around every call of it, and never twice.
class Hdf5Lock {
 public:
  Hdf5Lock();

 private:
  std::unique_lock<std::mutex> lock_;
};

/// An identifier of the library and what gives it back.
class Hid {
 public:
  Hid() = default;
  Hid(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Hid(Hid&& other) noexcept { *this = std::move(other); }
  Hid& operator=(Hid&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Hid() { reset(); }
  /// The lock must be held.
  void reset() {
    if (id_ >= 0) close_(std::exchange(id_, -1));
  }
  explicit operator bool() const { return id_ >= 0; }
  operator hid_t() const { return id_; }

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

/// Where the library's bytes lie: a source that is read, or a file that is written. Errors cannot pass through C: the first one is
/// kept, and from then on what is written goes nowhere, so that the library can still close what it has open.
struct Hdf5Bytes {
  std::shared_ptr<ByteSource> source;
  AtomicFile* file = nullptr;
  std::exception_ptr trouble;
  bool discard = false;        ///< nobody wants what is written
  std::uint64_t raw_room = 0;  ///< bytes of raw data that may be asked for: the library looks up a chunk's length twice, in two places
  std::uint64_t raw_at = 0, raw_size = 0;         ///< address and number of those read last
  std::unordered_map<std::uint64_t, int> levels;  ///< of the nodes of B-trees that were seen or named
};

/// Opens what `bytes` (which must outlive it) holds. Data error when the file is cut off, or its superblock is of a kind that no
/// recording has: then the library does not see it.
Hid open_hdf5(Hdf5Bytes& bytes);
Hid create_hdf5(Hdf5Bytes& bytes);

/// The texts among the attributes of the file's root, where its header holds them (files in the newest form have more than 8 elsewhere).
/// Found without the library, which believes the lengths that attributes state and reads and writes past its memory.
using Hdf5Texts = std::map<std::string, std::string>;
Hdf5Texts hdf5_texts(ByteSource& source);

/// To be called before the library opens the dataset at `path`: it divides by extents of chunks that are 0 (1.10 does). Data error then,
/// and when the header of the dataset is damaged.
void check_hdf5_layout(Hdf5Bytes& bytes, hid_t file, const std::string& path);

/// Throws what went wrong below the library, or else a data error with the library's own words.
[[noreturn]] void throw_hdf5(const Hdf5Bytes& bytes, const std::string& what, const std::string& where);

}  // namespace apical::formats::detail
