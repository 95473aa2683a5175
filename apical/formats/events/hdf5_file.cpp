#include "apical/formats/events/hdf5_file.h"

#if __has_include(<H5FDdevelop.h>)
#include <H5FDdevelop.h>  // from 1.13 on, what drivers are made of
#endif

#include <algorithm>
#include <array>
#include <cstring>

#include "apical/formats/bytes.h"

namespace apical::formats::detail {
namespace {

constexpr const char* cut_hint = "The file is cut off or damaged; copy or download it again.";

// --- the driver: the functions the library reads and writes with

struct DriverInfo {
  Hdf5Bytes* bytes;
};
struct DriverFile {
  H5FD_t base;  // first: the library keeps its own things here
  Hdf5Bytes* bytes;
  haddr_t end;  // of the addresses in use
};
DriverFile& of(H5FD_t* file) { return *reinterpret_cast<DriverFile*>(file); }
const DriverFile& of(const H5FD_t* file) { return *reinterpret_cast<const DriverFile*>(file); }

template <class Body>
bool kept(Hdf5Bytes& bytes, Body body) noexcept {
  try {
    body();
    return true;
  } catch (...) {
    if (!bytes.trouble) bytes.trouble = std::current_exception();
    return false;
  }
}

H5FD_t* driver_open(const char*, unsigned, hid_t access, haddr_t) {
  const auto* info = static_cast<const DriverInfo*>(H5Pget_driver_info(access));
  if (!info) return nullptr;
  return &(new DriverFile{{}, info->bytes, 0})->base;
}
herr_t driver_close(H5FD_t* file) {
  delete &of(file);
  return 0;
}
herr_t driver_query(const H5FD_t*, unsigned long* flags) {
  if (flags) *flags = 0;
  return 0;
}
haddr_t driver_get_eoa(const H5FD_t* file, H5FD_mem_t) { return of(file).end; }
herr_t driver_set_eoa(H5FD_t* file, H5FD_mem_t, haddr_t end) {
  of(file).end = end;
  return 0;
}
haddr_t driver_get_eof(const H5FD_t* file, H5FD_mem_t) {
  const Hdf5Bytes& b = *of(file).bytes;
  return b.source ? b.source->size() : b.file->size();
}

herr_t driver_read(H5FD_t* file, H5FD_mem_t kind, hid_t, haddr_t at, std::size_t size, void* to) {
  Hdf5Bytes& b = *of(file).bytes;
  auto* bytes = static_cast<std::uint8_t*>(to);
  if (kind == H5FD_MEM_DRAW) b.last_at = at;
  std::size_t done = 0;
  if (!kept(b, [&] { done = b.source ? b.source->read_at(at, bytes, size) : b.file->read_at(at, bytes, size); })) return -1;
  // The library reads some structures before it knows how long they are; bytes behind the end are zero, as in its own drivers.
  std::memset(bytes + done, 0, size - done);
  return 0;
}

void put_zeros(AtomicFile& file, std::uint64_t n) {
  static constexpr std::array<char, 4096> zeros{};
  for (; n > 0; n -= std::min<std::uint64_t>(n, zeros.size())) file.write(zeros.data(), static_cast<std::size_t>(std::min<std::uint64_t>(n, zeros.size())));
}

herr_t driver_write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t at, std::size_t size, const void* from) {
  Hdf5Bytes& b = *of(file).bytes;
  if (b.trouble || b.discard) return 0;
  kept(b, [&] {
    if (at > b.file->size()) put_zeros(*b.file, at - b.file->size());
    const auto* bytes = static_cast<const std::uint8_t*>(from);
    const auto over = static_cast<std::size_t>(std::min<std::uint64_t>(size, b.file->size() - at));
    if (over > 0) b.file->write_at(at, bytes, over);
    b.file->write(bytes + over, size - over);
  });
  return 0;
}
herr_t driver_truncate(H5FD_t* file, hid_t, hbool_t) {
  Hdf5Bytes& b = *of(file).bytes;
  if (!b.file || b.trouble || b.discard || of(file).end <= b.file->size()) return 0;
  kept(b, [&] { put_zeros(*b.file, of(file).end - b.file->size()); });
  return 0;
}

H5FD_class_t driver_class() {
  H5FD_class_t c{};
#ifdef H5FD_CLASS_VERSION
  c.version = H5FD_CLASS_VERSION;
  c.value = static_cast<H5FD_class_value_t>(600);  // a number that no driver of the library has
#endif
  c.name = "apical";
  c.maxaddr = HADDR_MAX;
  c.fc_degree = H5F_CLOSE_STRONG;
  c.fapl_size = sizeof(DriverInfo);
  c.open = driver_open;
  c.close = driver_close;
  c.query = driver_query;
  c.get_eoa = driver_get_eoa;
  c.set_eoa = driver_set_eoa;
  c.get_eof = driver_get_eof;
  c.read = driver_read;
  c.write = driver_write;
  c.truncate = driver_truncate;
  const H5FD_mem_t map[] = H5FD_FLMAP_DICHOTOMY;
  std::copy(std::begin(map), std::end(map), c.fl_map);
  return c;
}

hid_t driver() {
  static const H5FD_class_t description = driver_class();
  static const hid_t id = H5FDregister(&description);
  return id;
}

Hid access_through(Hdf5Bytes& bytes) {
  Hid access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  const DriverInfo info{&bytes};
  if (!access || H5Pset_driver(access, driver(), &info) < 0) throw internal_error("libhdf5 takes no driver");
  return access;
}

// --- what is looked at before the library sees the file

// Superblocks: versions 0 and 1 have the base address behind 16 bytes and the B-trees' sizes; 2 and 3 behind 4 bytes.
void check_superblock(ByteSource& source) {
  std::array<std::uint8_t, 64> head{};
  const auto damage = [&](std::size_t at, const std::string& what) {
    return data_error(what, at_byte(source.name(), at), "Recordings of event cameras have none of it; the file may be damaged.");
  };
  const std::size_t n = source.read_at(0, head.data(), head.size());
  const unsigned version = head[8];
  if (n < (version < 2 ? 60u : 48u)) throw data_error("the file ends inside its superblock", at_byte(source.name(), n), cut_hint);
  if (version > 3) throw damage(8, "HDF5 superblock " + std::to_string(version) + " is not read (known: 0 to 3)");
  const std::size_t sizes = version < 2 ? 13 : 9, base = version == 0 ? 24 : version == 1 ? 28 : 12;
  const std::size_t end = base + 16;
  if (head[sizes] != 8 || head[sizes + 1] != 8) throw damage(sizes, "HDF5 files with addresses of other than 8 bytes are not read");
  if (load_le<std::uint64_t>(head.data() + base) != 0) throw damage(base, "HDF5 files that begin with a block of their user's are not read");
  if (version < 2 && load_le<std::uint64_t>(head.data() + end + 8) != HADDR_UNDEF) throw damage(end + 8, "HDF5 files split by a driver are not read");
  if (const auto stated = load_le<std::uint64_t>(head.data() + end); stated > source.size())
    throw data_error("the file ends early: it should have " + std::to_string(stated) + " bytes", at_byte(source.name(), source.size()), cut_hint);
}

}  // namespace

Hdf5Lock::Hdf5Lock() {
  static std::mutex mutex;
  lock_ = std::unique_lock(mutex);
  static const bool once = [] {
    H5open();
    H5PLset_loading_state(0);  // a file must not make us load code
    return driver() >= 0;
  }();
  if (!once) throw internal_error("libhdf5 takes no driver");
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // errors are ours to tell (some builds keep this by thread)
}

Hid open_hdf5(Hdf5Bytes& bytes) {
  check_superblock(*bytes.source);
  const Hid access = access_through(bytes);
  Hid file(H5Fopen("recording", H5F_ACC_RDONLY, access), H5Fclose);
  if (!file) throw_hdf5(bytes, "the HDF5 file cannot be opened", bytes.source->name());
  return file;
}

Hid create_hdf5(Hdf5Bytes& bytes) {
  const Hid access = access_through(bytes);
  Hid file(H5Fcreate("recording", H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose);
  if (!file) throw_hdf5(bytes, "the HDF5 file cannot be made", {});
  return file;
}

void throw_hdf5(const Hdf5Bytes& bytes, const std::string& what, const std::string& where) {
  if (bytes.trouble) std::rethrow_exception(bytes.trouble);
  std::string said;
  const auto first = [](unsigned n, const H5E_error2_t* e, void* to) -> herr_t {
    if (n == 0 && e->desc) *static_cast<std::string*>(to) = e->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first, &said);
  throw data_error(what + (said.empty() ? "" : " (" + said + ")"), where, cut_hint);
}

}  // namespace apical::formats::detail
