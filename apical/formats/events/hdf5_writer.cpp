// Recordings in Prophesee's layout, chunks packed by us: deflate (with shuffle), which every HDF5 library unpacks, or ECF, the only form
// that Prophesee's own reader takes.
#include <zlib.h>

#include "apical/formats/events/hdf5.h"

namespace apical::formats::detail {
namespace {

constexpr std::int64_t index_us = 2000;
constexpr std::int64_t most_indexes = std::int64_t{1} << 26;  // 37 hours, 1 GiB of them
constexpr int deflate_level = 4;

struct Index {  // where a period begins
  std::uint64_t event;
  std::int64_t us;  // from the first event on
};

struct Member {
  const char* name;
  std::size_t offset;
  hid_t type;
};
Hid compound(std::size_t size, std::initializer_list<Member> members) {
  Hid type(H5Tcreate(H5T_COMPOUND, size), H5Tclose);
  for (const Member& m : members) H5Tinsert(type, m.name, m.offset, m.type);
  return type;
}

Hid creation(hid_t list_class) {
  Hid list(H5Pcreate(list_class), H5Pclose);
  H5Pset_obj_track_times(list, false);  // the same events, the same bytes
  return list;
}

class Hdf5Writer final : public WriterBase {
 public:
  Hdf5Writer(const std::filesystem::path& path, EventFormat format, int width, int height) : WriterBase(path, format, width, height) {
    const Hdf5Lock lock;
    handles_.bytes.file = &file_;
    handles_.file = create_hdf5(handles_.bytes);
    put_text(handles_.file, "version", "1.0");
    put_text(handles_.file, "geometry", std::to_string(width) + "x" + std::to_string(height));
    const Hid index = compound(sizeof(Index), {{"id", 0, H5T_STD_U64LE}, {"ts", 8, H5T_STD_I64LE}});
    const Hid event = compound(16, {{"x", 0, H5T_STD_U16LE}, {"y", 2, H5T_STD_U16LE}, {"p", 4, H5T_STD_I16LE}, {"t", 8, H5T_STD_I64LE}});
    const Hid trigger = compound(24, {{"p", 0, H5T_STD_I16LE}, {"t", 8, H5T_STD_I64LE}, {"id", 16, H5T_STD_I16LE}});
    const Hid cd = group("CD"), triggers = group("EXT_TRIGGER");
    handles_.events = dataset(cd, "events", event, true);
    handles_.indexes = dataset(cd, "indexes", index, false);
    dataset(triggers, "events", trigger, false);  // Prophesee's reader wants them there, be they empty
    dataset(triggers, "indexes", index, false);
    check(true);
    events_.reserve(hdf5_chunk_events);
  }

 private:
  void check(bool good) {
    if (!good || handles_.bytes.trouble) throw_hdf5(handles_.bytes, "the HDF5 file cannot be written", where_);
  }
  void put_text(hid_t object, const char* name, const std::string& text) {
    const Hid type(H5Tcopy(H5T_C_S1), H5Tclose), space(H5Screate(H5S_SCALAR), H5Sclose);
    H5Tset_size(type, H5T_VARIABLE);
    const Hid attribute(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    const char* value = text.c_str();
    check(attribute && H5Awrite(attribute, type, &value) >= 0);
  }
  Hid group(const char* name) {
    Hid made(H5Gcreate2(handles_.file, name, H5P_DEFAULT, creation(H5P_GROUP_CREATE), H5P_DEFAULT), H5Gclose);
    check(static_cast<bool>(made));
    return made;
  }
  Hid dataset(hid_t where, const char* name, hid_t type, bool packed) {
    const hsize_t none[] = {0}, any[] = {H5S_UNLIMITED}, chunk[] = {hdf5_chunk_events};
    const Hid space(H5Screate_simple(1, none, any), H5Sclose), list = creation(H5P_DATASET_CREATE);
    H5Pset_chunk(list, 1, chunk);
    if (packed && format_ == EventFormat::hdf5_ecf) H5Pset_filter(list, ecf_filter, H5Z_FLAG_OPTIONAL, 0, nullptr);
    if (packed && format_ == EventFormat::hdf5) {
      H5Pset_shuffle(list);
      H5Pset_deflate(list, deflate_level);
    }
    Hid made(H5Dcreate2(where, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT), H5Dclose);
    check(static_cast<bool>(made));
    return made;
  }

  void encode(const Event& e) override {
    add_index(e);
    events_.push_back(e);
    if (events_.size() == hdf5_chunk_events) put_events();
  }

  // Entry 0 is before the first event; entry k + 1 says where period k begins, or the last one before it that has events.
  void add_index(const Event& e) {
    if (total() == 0) {
      origin_ = e.t;
      indexes_ = {{0, -1}};
      start_ = {0, 0};
      const Hdf5Lock lock;
      put_text(handles_.indexes, "offset", std::to_string(-origin_));
      return;
    }
    const std::int64_t us = e.t - origin_, period = us / index_us;
    if (period == period_) return;
    if (period > most_indexes)
      throw refuse("the events span " + std::to_string(us) + " us, too long for the index of an HDF5 recording (" +
                       std::to_string(most_indexes * index_us) + " us)",
                   "Write them to several files (--from-us, --to-us), or choose another format.");
    for (; period_ < period; ++period_) put_index();
    start_ = {total(), us};
  }
  std::uint64_t total() const { return written_ + events_.size(); }
  void put_index() {
    indexes_.push_back(start_);
    if (indexes_.size() == hdf5_chunk_events) put_indexes();
  }

  void put_indexes() {
    const std::size_t n = indexes_.size();
    indexes_.resize(hdf5_chunk_events);  // chunks are whole
    put_chunk(handles_.indexes, indexes_written_, n, indexes_.data(), indexes_.size() * sizeof(Index));
    indexes_written_ += n;
    indexes_.clear();
  }

  void put_events() {
    packed_.clear();
    if (format_ == EventFormat::hdf5_ecf)
      append_ecf(events_, packed_);
    else
      deflate_events();
    put_chunk(handles_.events, written_, events_.size(), packed_.data(), packed_.size());
    written_ += events_.size();
    events_.clear();
  }
  // Shuffled: the first bytes of all rows, the second bytes, ...; then deflate.
  void deflate_events() {
    std::vector<std::uint8_t> bytes(16 * hdf5_chunk_events);
    for (std::size_t i = 0; i < events_.size(); ++i) {
      const Event& e = events_[i];
      std::uint8_t row[16] = {};
      std::memcpy(row, &e.x, 2);
      std::memcpy(row + 2, &e.y, 2);
      row[4] = e.polarity;
      std::memcpy(row + 8, &e.t, 8);
      for (std::size_t k = 0; k < 16; ++k) bytes[k * hdf5_chunk_events + i] = row[k];
    }
    uLongf size = compressBound(bytes.size());
    packed_.resize(size);
    if (compress2(packed_.data(), &size, bytes.data(), bytes.size(), deflate_level) != Z_OK)
      throw internal_error("zlib does not pack", where_);
    packed_.resize(size);
  }

  void put_chunk(hid_t set, std::uint64_t at, std::size_t rows, const void* bytes, std::size_t size) {
    const Hdf5Lock lock;
    const hsize_t extent[] = {at + rows}, offset[] = {at};
    check(H5Dset_extent(set, extent) >= 0 && H5Dwrite_chunk(set, H5P_DEFAULT, 0, offset, size, bytes) >= 0);
  }

  void close() override {
    if (total() > 0) put_index();
    if (!events_.empty()) put_events();
    if (!indexes_.empty()) put_indexes();
    const Hdf5Lock lock;
    handles_.close();
    check(true);
  }

  struct Handles {
    Hdf5Bytes bytes;
    Hid file, events, indexes;
    void close() {
      events.reset();
      indexes.reset();
      file.reset();
    }
    ~Handles() {  // not finished: nobody wants the rest
      bytes.discard = true;
      const Hdf5Lock lock;
      close();
    }
  } handles_;
  std::vector<Event> events_;
  std::vector<Index> indexes_;
  std::vector<std::uint8_t> packed_;
  std::uint64_t written_ = 0, indexes_written_ = 0;
  std::int64_t origin_ = 0, period_ = 0;
  Index start_{0, -1};
};

}  // namespace

std::unique_ptr<EventWriter> create_hdf5_events(const std::filesystem::path& path, EventFormat format, int width, int height) {
  return std::make_unique<Hdf5Writer>(path, format, width, height);
}

}  // namespace apical::formats::detail
