#include "apical/formats/events/hdf5_file.h"

#if __has_include(<H5FDdevelop.h>)
#include <H5FDdevelop.h>  // from 1.13 on, what drivers are made of
#endif

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <vector>

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

// The library walks down B-trees (version 1) by recursion and does not look whether they are trees: a node that is its own grandchild
// takes the whole stack. Here every node that is read, and every one it names, has the level below its parent's, or is refused.
bool is_tree(Hdf5Bytes& b, std::uint64_t at, const std::uint8_t* node, std::size_t size) {
  constexpr std::size_t head = 24;  // "TREE", kind (1: chunks), level, entries in 16 bits, siblings
  if (!b.source || size < head || std::memcmp(node, "TREE", 4) != 0) return true;
  const int level = node[5];
  const auto fits = [&](std::uint64_t address, int expected) { return b.levels.emplace(address, expected).first->second == expected; };
  if (!fits(at, level)) return false;
  if (level == 0) return true;
  // Keys and children take turns; the keys of chunks have 8 bytes, and 8 for each dimension and one more.
  const std::size_t key = node[4] == 0 ? 8 : 24, entries = load_le<std::uint16_t>(node + 6);
  for (std::size_t k = 0, child = head + key; k < entries && child + 8 <= size; ++k, child += key + 8)
    if (!fits(load_le<std::uint64_t>(node + child), level - 1)) return false;
  return true;
}

// The names of a group lie in a heap whose free blocks are a list; the library follows it for ever when it bites its own tail.
bool is_heap(Hdf5Bytes& b, const std::uint8_t* head, std::size_t size) {
  if (!b.source || size < 32 || std::memcmp(head, "HEAP", 4) != 0) return true;
  const auto bytes = load_le<std::uint64_t>(head + 8), address = load_le<std::uint64_t>(head + 24);
  if (bytes > b.source->size()) return false;
  std::uint64_t steps = 0;
  for (auto block = load_le<std::uint64_t>(head + 16); block != 1 && block != HADDR_UNDEF; ++steps) {  // 1: the end
    std::uint8_t next[8];
    if (block > bytes || steps > bytes / 16 || b.source->read_at(address + block, next, 8) != 8) return false;
    block = load_le<std::uint64_t>(next);
  }
  return true;
}

herr_t driver_read(H5FD_t* file, H5FD_mem_t kind, hid_t, haddr_t at, std::size_t size, void* to) {
  Hdf5Bytes& b = *of(file).bytes;
  auto* bytes = static_cast<std::uint8_t*>(to);
  if (kind == H5FD_MEM_DRAW && b.source) {
    if (size > b.raw_room) return -1;
    b.raw_at = at;
    b.raw_size = size;
  }
  std::size_t done = 0;
  if (!kept(b, [&] { done = b.source ? b.source->read_at(at, bytes, size) : b.file->read_at(at, bytes, size); })) return -1;
  // The library reads some structures before it knows how long they are; bytes behind the end are zero, as in its own drivers.
  std::memset(bytes + done, 0, size - done);
  if (kind == H5FD_MEM_BTREE && !is_tree(b, at, bytes, size)) return -1;
  if (kind == H5FD_MEM_LHEAP && !is_heap(b, bytes, size)) return -1;
  return 0;
}

void put_zeros(AtomicFile& file, std::uint64_t n) {
  static constexpr std::array<char, 4096> zeros{};
  for (; n > 0; n -= std::min<std::uint64_t>(n, zeros.size()))
    file.write(zeros.data(), static_cast<std::size_t>(std::min<std::uint64_t>(n, zeros.size())));
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
  if (load_le<std::uint64_t>(head.data() + base) != 0)
    throw damage(base, "HDF5 files that begin with a block of their user's are not read");
  if (version < 2 && load_le<std::uint64_t>(head.data() + end + 8) != HADDR_UNDEF)
    throw damage(end + 8, "HDF5 files split by a driver are not read");
  if (const auto stated = load_le<std::uint64_t>(head.data() + end); stated > source.size())
    throw data_error("the file ends early: it should have " + std::to_string(stated) + " bytes", at_byte(source.name(), source.size()),
                     cut_hint);
}

constexpr std::size_t largest_block = std::size_t{1} << 20, longest_text = 4096;

std::vector<std::uint8_t> block_at(ByteSource& source, std::uint64_t at, std::uint64_t size) {
  if (size > largest_block) return {};
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  bytes.resize(source.read_at(at, bytes.data(), bytes.size()));
  return bytes;
}

// Object `index` of the global heap at `at`, where texts of any length lie.
std::string heap_text(ByteSource& source, std::uint64_t at, unsigned index, std::size_t length) {
  const auto head = block_at(source, at, 16);
  if (head.size() < 16 || std::memcmp(head.data(), "GCOL", 4) != 0) return {};
  const auto heap = block_at(source, at, load_le<std::uint64_t>(head.data() + 8));
  for (std::size_t object = 16; object + 16 <= heap.size();) {  // index, references, size, bytes
    const auto size = load_le<std::uint64_t>(heap.data() + object + 8);
    if (size > heap.size() - object - 16) return {};
    if (load_le<std::uint16_t>(heap.data() + object) == index)
      return {reinterpret_cast<const char*>(heap.data()) + object + 16, std::min({static_cast<std::size_t>(size), length, longest_text})};
    object += 16 + (static_cast<std::size_t>(size) + 7) / 8 * 8;
  }
  return {};
}

// The message of an attribute: version, flags, lengths of name, type and space in 16 bits each; version 1 pads them to 8 bytes.
void add_text(ByteSource& source, std::span<const std::uint8_t> message, Hdf5Texts& texts) {
  if (message.size() < 9 || message[0] < 1 || message[0] > 3 || message[1] != 0) return;
  const std::size_t pad = message[0] == 1 ? 8 : 1, name_at = message[0] == 3 ? 9 : 8;
  const auto length = [&](std::size_t at) { return (load_le<std::uint16_t>(message.data() + at) + pad - 1) / pad * pad; };
  const std::size_t type_at = name_at + length(2), data_at = type_at + length(4) + length(6);
  if (length(4) < 8 || data_at > message.size()) return;
  const auto cut = [](std::string text) { return text.substr(0, std::min(text.find('\0'), text.size())); };
  const std::string name = cut({reinterpret_cast<const char*>(message.data()) + name_at, type_at - name_at});
  const std::uint8_t* type = message.data() + type_at;
  const auto data = message.subspan(data_at);
  constexpr unsigned fixed = 3, variable = 9;
  if ((type[0] & 15) == fixed)
    texts[name] = cut(
        {reinterpret_cast<const char*>(data.data()), std::min<std::size_t>({data.size(), load_le<std::uint32_t>(type + 4), longest_text})});
  else if ((type[0] & 15) == variable && (type[1] & 15) == 1 && data.size() >= 16)  // 1: of characters
    texts[name] = cut(heap_text(source, load_le<std::uint64_t>(data.data() + 4), load_le<std::uint32_t>(data.data() + 12),
                                load_le<std::uint32_t>(data.data())));
}

struct Message {
  unsigned type = 0;
  bool elsewhere = false;  // another object has it; here is only where
  std::uint64_t at = 0;
  std::span<const std::uint8_t> bytes;
};
constexpr unsigned layout_message = 0x08, attribute_message = 0x0c, continuation_message = 0x10;

// Calls see(message) for what the object header at `address` holds, and the blocks that go on with it; false when it is damaged. Headers
// of version 2 begin with a word, as their blocks do, and end with a checksum.
template <class See>
bool each_message(ByteSource& source, std::uint64_t address, See see) {
  constexpr std::size_t most_blocks = 64;
  const auto head = block_at(source, address, 36);
  if (head.size() < 16) return false;
  const bool second = std::memcmp(head.data(), "OHDR", 4) == 0;
  if (head[second ? 4 : 0] != (second ? 2 : 1)) return false;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks;  // of messages: address and length
  std::size_t message_head = 8;                                 // type, length and flags
  if (second) {
    const unsigned flags = head[5], width = 1u << (flags & 3);
    const std::size_t size_at = 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);  // behind times and limits of attributes
    if (size_at + width > head.size()) return false;
    std::uint64_t size = 0;
    for (unsigned k = 0; k < width; ++k) size |= std::uint64_t{head[size_at + k]} << 8 * k;
    blocks.emplace_back(address + size_at + width, size);
    message_head = flags & 4 ? 6 : 4;
  } else {
    blocks.emplace_back(address + 16, load_le<std::uint32_t>(head.data() + 8));
  }
  for (std::size_t k = 0; k < blocks.size(); ++k) {
    const auto [start, size] = blocks[k];
    const auto bytes = block_at(source, start, size);
    if (k == most_blocks || bytes.size() != size) return false;
    for (std::size_t at = 0; at + message_head <= bytes.size();) {
      const std::uint8_t* m = bytes.data() + at;
      const unsigned type = second ? m[0] : load_le<std::uint16_t>(m);
      const std::size_t length = load_le<std::uint16_t>(m + (second ? 1 : 2));
      const unsigned flags = m[second ? 3 : 4];
      at += message_head;
      if (length > bytes.size() - at) return false;
      const Message message{type, (flags & 2) != 0, start + at, std::span(bytes).subspan(at, length)};
      at += length;
      if (type != continuation_message) {
        see(message);
        continue;
      }
      if (length < 16) return false;
      const auto next = load_le<std::uint64_t>(message.bytes.data()), all = load_le<std::uint64_t>(message.bytes.data() + 8);
      if (second && all < 8) return false;
      blocks.emplace_back(second ? next + 4 : next, second ? all - 8 : all);
    }
  }
  return true;
}

// Whether a layout has extents and none is 0. Version, number of extents, class (2: chunks) and address come before them in an order
// that depends on the version; 1 to 3 give them 4 bytes each, 4 says how many.
bool has_extents(std::span<const std::uint8_t> layout) {
  constexpr unsigned chunks = 2;
  if (layout.size() < 5) return false;
  const unsigned version = layout[0];
  if (layout[version < 3 ? 2 : 1] != chunks) return true;
  const std::size_t n = layout[version < 3 ? 1 : version == 3 ? 2 : 3], width = version < 4 ? 4 : layout[4];
  const std::size_t first = version < 3 ? 16 : version == 3 ? 11 : 5;
  if (n == 0 || width == 0 || first + n * width > layout.size()) return false;
  for (std::size_t k = 0; k < n; ++k) {
    const auto extent = layout.subspan(first + k * width, width);
    if (std::all_of(extent.begin(), extent.end(), [](std::uint8_t byte) { return byte == 0; })) return false;
  }
  return true;
}

}  // namespace

Hdf5Texts hdf5_texts(ByteSource& source) {
  Hdf5Texts texts;
  const auto top = block_at(source, 0, 80);
  if (top.size() < 80) return texts;
  each_message(source,
               load_le<std::uint64_t>(top.data() + (top[8] == 0   ? 64
                                                    : top[8] == 1 ? 68
                                                                  : 36)),
               [&](const Message& m) {
                 if (m.type == attribute_message && !m.elsewhere) add_text(source, m.bytes, texts);
               });
  return texts;
}

void check_hdf5_layout(Hdf5Bytes& bytes, hid_t file, const std::string& path) {
  H5G_stat_t object;
  if (H5Gget_objinfo(file, path.c_str(), false, &object) < 0) throw_hdf5(bytes, path + " cannot be found", bytes.source->name());
  const auto address = std::uint64_t{object.objno[0]};
  const auto damage = [&](std::uint64_t at, const std::string& what) {
    return data_error(path + what, at_byte(bytes.source->name(), at), cut_hint);
  };
  const bool whole = each_message(*bytes.source, address, [&](const Message& m) {
    if (m.type == layout_message && !has_extents(m.bytes)) throw damage(m.at, " has chunks of no rows, or a layout that ends early");
  });
  if (!whole) throw damage(address, " has a header that cannot be followed");
}

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
