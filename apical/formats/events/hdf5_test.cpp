// Recordings in HDF5: files of h5py and of libhdf5 itself, damaged ones, and the layout that we write, read back by the library.
#include "apical/formats/events/hdf5.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "apical/base/files.h"
#include "apical/base/thread_pool.h"
#include "apical/formats/bytes.h"
#include "apical/formats/events/columns.h"
#include "apical/formats/events/event_test_tools.h"

namespace apical::formats {
namespace {

using Bytes = std::vector<std::uint8_t>;
using detail::ecf_filter;
using detail::Hdf5Lock;
using detail::Hid;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct Row {  // as Prophesee's
  std::uint16_t x, y;
  std::int16_t p;
  std::int64_t t;
  bool operator==(const Row&) const = default;
};
static_assert(sizeof(Row) == 16);

class Hdf5Events : public EventFiles {
 protected:
  ~Hdf5Events() override { set_thread_count(2); }
  Bytes whole(const std::string& name) const { return read_file(file(name)); }
  void put(const std::string& name, const Bytes& bytes) const {
    write_file(file(name), {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
};

std::vector<Event> events_of(const EventColumns& c) {
  std::vector<Event> events;
  for (std::size_t i = 0; i < c.size(); ++i) events.push_back(c[i]);
  return events;
}
// Streamed and as columns, by any number of threads.
std::vector<Event> read_both(const Bytes& bytes, EventInfo* info = nullptr) {
  const auto reader = open_events(bytes, "a.h5");
  const auto events = read_all(*reader, 777);
  EXPECT_EQ(reader->position(), bytes.size());
  for (const int threads : {1, 2, 7}) {
    set_thread_count(threads);
    EventInfo found;
    EXPECT_EQ(events_of(parse_event_columns(bytes, "a.h5", &found)), events);
    EXPECT_EQ(found.outside, reader->info().outside);
    EXPECT_EQ(found.steps_back, reader->info().steps_back);
  }
  if (info) *info = reader->info();
  return events;
}
std::string damage_of(const Bytes& bytes) {
  const std::string said = error_of([&] { read_all(*open_events(bytes, "a.h5")); }, ExitCode::data);
  EXPECT_EQ(error_of([&] { parse_event_columns(bytes, "a.h5"); }, ExitCode::data), said);
  EXPECT_THAT(said, HasSubstr("a.h5"));
  return said;
}

// An attribute that the library finds, a text of any length.
std::string text_of(hid_t object, const char* name) {
  const Hid attribute(H5Aopen(object, name, H5P_DEFAULT), H5Aclose), type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, H5T_VARIABLE);
  char* found = nullptr;
  if (H5Aread(attribute, type, &found) < 0 || !found) return {};
  const std::string text = found;
  H5free_memory(found);
  return text;
}

// A file of /CD/events made by the library alone, in chunks of `chunk` rows (0: in one place); `fill` writes the rows.
template <class Fill>
void make(const std::filesystem::path& path, std::uint64_t rows, std::uint64_t chunk, const std::vector<int>& filters, Fill fill) {
  const Hdf5Lock lock;
  const Hid out(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  const Hid group(H5Gcreate2(out, "CD", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  const Hid type(H5Tcreate(H5T_COMPOUND, 16), H5Tclose), list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Tinsert(type, "x", 0, H5T_STD_U16LE);
  H5Tinsert(type, "y", 2, H5T_STD_U16LE);
  H5Tinsert(type, "p", 4, H5T_STD_I16LE);
  H5Tinsert(type, "t", 8, H5T_STD_I64LE);
  const hsize_t size[] = {rows}, each[] = {chunk};
  if (chunk > 0) H5Pset_chunk(list, 1, each);
  for (const int filter : filters) {
    if (filter == H5Z_FILTER_SHUFFLE) H5Pset_shuffle(list);
    if (filter == H5Z_FILTER_DEFLATE) H5Pset_deflate(list, 6);
    if (filter == H5Z_FILTER_FLETCHER32) H5Pset_fletcher32(list);
    if (filter >= 256) H5Pset_filter(list, filter, H5Z_FLAG_OPTIONAL, 0, nullptr);
  }
  const Hid space(H5Screate_simple(1, size, nullptr), H5Sclose);
  const Hid set(H5Dcreate2(group, "events", type, space, H5P_DEFAULT, list, H5P_DEFAULT), H5Dclose);
  ASSERT_TRUE(set);
  fill(static_cast<hid_t>(set), static_cast<hid_t>(type));
}
void put_chunk(hid_t set, std::uint64_t at, const Bytes& bytes, unsigned left_out = 0) {
  const hsize_t offset[] = {at};
  ASSERT_GE(H5Dwrite_chunk(set, H5P_DEFAULT, left_out, offset, bytes.size(), bytes.data()), 0);
}
std::vector<Row> rows_of(const std::vector<Event>& events) {
  std::vector<Row> rows;
  for (const Event& e : events) rows.push_back({e.x, e.y, static_cast<std::int16_t>(e.polarity), e.t});
  return rows;
}
Bytes bytes_of_rows(const std::vector<Event>& events) {
  const auto rows = rows_of(events);
  Bytes bytes(rows.size() * sizeof(Row));
  std::memcpy(bytes.data(), rows.data(), bytes.size());
  return bytes;
}
Bytes ecf(std::span<const Event> events) {
  Bytes bytes;
  detail::append_ecf(events, bytes);
  return bytes;
}

}  // namespace

// tests/fuzz/corpus/hdf5 begins with files of h5py 3.16 (HDF5 2.0), both superblocks; ECF by an encoder written after Prophesee's source.
TEST_F(Hdf5Events, FilesOfH5py) {
  const auto read = [](const char* name, EventInfo& info) {
    return read_both(read_file(std::filesystem::path(APICAL_SOURCE_DIR) / "tests/fuzz/corpus/hdf5" / name), &info);
  };
  EventInfo info;
  const auto events = read("ecf_new", info);
  ASSERT_EQ(events.size(), 100u);
  EXPECT_EQ(info.format, EventFormat::hdf5_ecf);
  EXPECT_EQ(info.declared, 100u);
  EXPECT_EQ(info.steps_back, 0u);
  EXPECT_EQ(std::pair(info.width, info.height), std::pair(64, 48));
  for (const char* name : {"ecf", "plain", "chunks", "packed", "columns", "columns_packed", "empty"}) {
    const auto same = read(name, info);
    EXPECT_EQ(info.format, name == std::string("ecf") || name == std::string("empty") ? EventFormat::hdf5_ecf : EventFormat::hdf5);
    EXPECT_TRUE(std::equal(same.begin(), same.end(), events.begin())) << name;
    EXPECT_EQ(same.size(), info.declared) << name;
    const bool says = std::string(name).find("columns") == std::string::npos;  // the attribute geometry
    EXPECT_EQ(std::pair(info.width, info.height), says ? std::pair(64, 48) : std::pair(0, 0)) << name;
    EXPECT_EQ(same.empty(), name == std::string("empty"));
    EXPECT_EQ(info.special, name == std::string("ecf") ? 1u : 0u);
  }
}

// The library must find in our files what the layout promises: events through its own filters, periods, geometry.
TEST_F(Hdf5Events, TheLibraryReadsWhatWeWrite) {
  auto events = random_events(3, 40'000, 640, 480, 10'000);
  for (Event& e : events) e.t += 1'000'000;
  write_events(file("a.hdf5"), EventFormat::hdf5, 640, 480, events);
  const Hdf5Lock lock;
  const Hid in(H5Fopen(file("a.hdf5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  EXPECT_EQ(text_of(in, "geometry"), "640x480");
  const Hid set(H5Dopen2(in, "CD/events", H5P_DEFAULT), H5Dclose), type(H5Dget_type(set), H5Tclose);
  std::vector<Row> rows(events.size());
  ASSERT_GE(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()), 0);
  EXPECT_TRUE(rows == rows_of(events));
  const Hid indexes(H5Dopen2(in, "CD/indexes", H5P_DEFAULT), H5Dclose), pair(H5Dget_type(indexes), H5Tclose);
  EXPECT_EQ(text_of(indexes, "offset"), std::to_string(-events[0].t));
  const Hid space(H5Dget_space(indexes), H5Sclose);
  struct Index {
    std::uint64_t event;
    std::int64_t us;
  };
  std::vector<Index> index(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
  ASSERT_GE(H5Dread(indexes, pair, H5S_ALL, H5S_ALL, H5P_DEFAULT, index.data()), 0);
  ASSERT_EQ(index.size(), static_cast<std::size_t>((events.back().t - events[0].t) / 2000) + 2);
  EXPECT_EQ(index[0].us, -1);
  // Entry k + 1: the first event of period k, or of the last one before it that has events.
  std::size_t first = 0;
  for (std::size_t k = 0; k + 1 < index.size(); ++k) {
    const auto at = std::partition_point(events.begin(), events.end(),
                                         [&](const Event& e) { return (e.t - events[0].t) / 2000 < static_cast<std::int64_t>(k); });
    if (at != events.end() && (at->t - events[0].t) / 2000 == static_cast<std::int64_t>(k))
      first = static_cast<std::size_t>(at - events.begin());
    ASSERT_EQ(index[k + 1].event, first) << k;
    ASSERT_EQ(index[k + 1].us, events[first].t - events[0].t);
  }
  EXPECT_TRUE(H5Lexists(in, "EXT_TRIGGER/events", H5P_DEFAULT) > 0 && H5Lexists(in, "EXT_TRIGGER/indexes", H5P_DEFAULT) > 0);
}

TEST_F(Hdf5Events, TimesThatStepBackAndForeignValues) {
  const std::vector<Event> events = {{50, 1, 2, 1}, {40, 3, 4, 0}, {60, 5, 6, 1}, {-7, 7, 8, 1}};
  auto rows = rows_of(events);
  rows[1].p = -1;
  rows[2].p = 100;
  for (const auto& [chunk, filters] :
       std::vector<std::pair<int, std::vector<int>>>{{0, {}}, {3, {}}, {3, {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE}}}) {
    make(file("a.h5"), 4, static_cast<std::uint64_t>(chunk), filters,
         [&](hid_t set, hid_t type) { ASSERT_GE(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()), 0); });
    EventInfo info;
    EXPECT_EQ(read_both(whole("a.h5"), &info), events);
    EXPECT_EQ(info.steps_back, 2u);
    EXPECT_EQ(info.width, 0);
  }
  rows[3].x = 40'000;
  make(file("a.h5"), 4, 0, {}, [&](hid_t set, hid_t type) { H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()); });
  EXPECT_EQ(read_events(file("a.h5"))[3].x, 40'000);
  EXPECT_THAT(error_of([&] { read_event_columns(file("a.h5")); }, ExitCode::data), HasSubstr("x 40000"));
}

// A chunk that a filter was left out of, as its mask says.
TEST_F(Hdf5Events, ChunksThatAreNotPacked) {
  const auto events = random_events(4, 20, 64, 48, 100);
  make(file("a.h5"), 20, 10, {static_cast<int>(ecf_filter)}, [&](hid_t set, hid_t) {
    put_chunk(set, 0, ecf(std::span(events).first(10)));
    put_chunk(set, 10, bytes_of_rows({events.begin() + 10, events.end()}), 1);
  });
  EXPECT_EQ(read_both(whole("a.h5")), events);
}

TEST_F(Hdf5Events, ChunksOfWrongLength) {
  const auto events = random_events(5, 30, 64, 48, 100);
  const std::vector<int> packed = {static_cast<int>(ecf_filter)}, deflate = {H5Z_FILTER_DEFLATE};
  const auto told = [&](const Bytes& not_packed) {  // and a second one that is damaged too, but comes later
    make(file("a.h5"), 20, 10, deflate, [&](hid_t set, hid_t) {
      put_chunk(set, 0, not_packed, 1);
      put_chunk(set, 10, not_packed);
    });
    return whole("a.h5");
  };
  EXPECT_THAT(damage_of(told(Bytes(159))),
              AllOf(HasSubstr("chunk 0 of CD/events has 159 bytes; its 10 rows have 160"), HasSubstr("a.h5, byte ")));
  EXPECT_THAT(damage_of(told(Bytes(161))), HasSubstr("has 161 bytes"));
  const auto alone = [&](const Bytes& bytes, const std::vector<int>& filters) {
    make(file("a.h5"), 20, 10, filters, [&](hid_t set, hid_t) {
      put_chunk(set, 0, bytes_of_rows({events.begin(), events.begin() + 10}), 1);
      put_chunk(set, 10, bytes);
    });
    return damage_of(whole("a.h5"));
  };
  const Bytes good = ecf(std::span(events).first(10));
  EXPECT_THAT(alone(Bytes(good.begin(), good.end() - 1), packed),
              AllOf(HasSubstr("chunk 1 of CD/events"), HasSubstr("ends before its events do")));
  EXPECT_THAT(alone(ecf(std::span(events).first(9)), packed), HasSubstr("holds 9 events; it should hold 10"));
  EXPECT_THAT(alone(ecf(std::span(events).first(11)), packed), HasSubstr("holds 11 events"));
  const auto zipped = [](std::size_t n) {
    uLongf size = compressBound(n);
    Bytes bytes(size), rows(n, 1);
    compress(bytes.data(), &size, rows.data(), n);
    bytes.resize(size);
    return bytes;
  };
  EXPECT_THAT(alone(zipped(161), deflate), HasSubstr("has 161 bytes"));
  EXPECT_THAT(alone(zipped(1 << 20), deflate), HasSubstr("unpacks to more than its rows"));
  EXPECT_THAT(alone(zipped(144), deflate), HasSubstr("has 144 bytes; its 10 rows have 160"));
  Bytes cut = zipped(160);
  cut.pop_back();
  EXPECT_THAT(alone(cut, deflate), HasSubstr("chunk 1 of CD/events cannot be unpacked (deflate)"));
}

// Promises that a file of some thousand bytes cannot keep.
TEST_F(Hdf5Events, RowsThatAreNotThere) {
  const auto nothing = [](hid_t, hid_t) {};
  make(file("a.h5"), std::uint64_t{1} << 60, 1 << 20, {}, nothing);
  EXPECT_THAT(damage_of(whole("a.h5")), HasSubstr("has no chunk 0"));
  make(file("a.h5"), std::uint64_t{1} << 24, 1 << 23, {}, nothing);
  EXPECT_THAT(damage_of(whole("a.h5")), HasSubstr("more than 67108864 bytes"));
  make(file("a.h5"), 1000, 0, {}, nothing);
  EXPECT_THAT(damage_of(whole("a.h5")), HasSubstr("was never written"));
}

TEST_F(Hdf5Events, FiltersThatAreNotReadAreNamed) {
  const auto nothing = [](hid_t, hid_t) {};
  const std::pair<int, const char*> known[] = {
      {32001, "'Blosc' (32001)"}, {32015, "'Zstandard' (32015)"}, {3, "'Fletcher-32' (3)"}, {4711, "(4711)"}};
  for (const auto& [id, words] : known) {
    make(file("a.h5"), 10, 10, {id}, nothing);
    EXPECT_THAT(damage_of(whole("a.h5")),
                AllOf(HasSubstr("CD/events is packed by the filter " + std::string(words)), HasSubstr("h5repack")))
        << id;
  }
}

// Links and data in other files: a recording must not make us read what it names.
TEST_F(Hdf5Events, NothingOutsideTheFile) {
  write_events(file("other.h5"), EventFormat::hdf5, 10, 10, std::vector<Event>{{1, 2, 3, 1}});
  {
    const Hdf5Lock lock;
    const Hid out(H5Fcreate(file("a.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
    H5Lcreate_external(file("other.h5").c_str(), "/CD", out, "CD", H5P_DEFAULT, H5P_DEFAULT);
    const Hid columns(H5Gcreate2(out, "events", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    const Hid list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_external(list, "/etc/passwd", 0, 10);
    const hsize_t ten[] = {10};
    const Hid space(H5Screate_simple(1, ten, nullptr), H5Sclose);
    const Hid set(H5Dcreate2(columns, "t", H5T_STD_U8LE, space, H5P_DEFAULT, list, H5P_DEFAULT), H5Dclose);
    ASSERT_TRUE(set);
  }
  EXPECT_THAT(damage_of(whole("a.h5")), HasSubstr("events/t lies in other files"));
}

TEST_F(Hdf5Events, CutAndStrangeFiles) {
  write_events(file("a.h5"), EventFormat::hdf5_ecf, 640, 480, random_events(6, 50'000, 640, 480, 100));
  const Bytes good = whole("a.h5");
  EXPECT_EQ(read_both(good).size(), 50'000u);
  for (const std::size_t n : {good.size() - 1, good.size() / 2, std::size_t{100}, std::size_t{64}})
    EXPECT_THAT(damage_of({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n)}),
                AllOf(HasSubstr("should have " + std::to_string(good.size()) + " bytes"), HasSubstr("a.h5, byte " + std::to_string(n))));
  EXPECT_THAT(damage_of({good.begin(), good.begin() + 20}), HasSubstr("ends inside its superblock"));
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[at] = value;
    return damage_of(bytes);
  };
  EXPECT_THAT(with(8, 4), AllOf(HasSubstr("superblock 4"), HasSubstr("byte 8")));
  EXPECT_THAT(with(13, 4), HasSubstr("addresses of other than 8 bytes"));
  EXPECT_THAT(with(24, 1), HasSubstr("block of their user's"));
  EXPECT_THAT(with(48, 1), HasSubstr("split by a driver"));
  Bytes zeros = good;
  std::fill(zeros.begin() + 96, zeros.end(), std::uint8_t{0});
  EXPECT_THAT(damage_of(zeros), HasSubstr("HDF5"));
  {
    const Hdf5Lock lock;
    const Hid out(H5Fcreate(file("b.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  }
  EXPECT_THAT(damage_of(whole("b.h5")), HasSubstr("neither /CD/events nor /events/t"));
}

// Structures that the library would follow for ever, or until the stack ends: nodes of B-trees that are their own children, a list of free
// blocks that bites its own tail.
TEST_F(Hdf5Events, CyclesAreNotFollowed) {
  for (const char* name : {"cycle_chunks", "cycle_group", "cycle_heap"})
    EXPECT_THAT(damage_of(read_file(std::filesystem::path(APICAL_SOURCE_DIR) / "tests/fuzz/corpus/hdf5" / name)),
                ::testing::AnyOf(HasSubstr("chunk 0 of CD/events cannot be found"), HasSubstr("neither /CD/events")))
        << name;
}

// The library divides by the extents of chunks.
TEST_F(Hdf5Events, ChunksOfNoRows) {
  const auto corpus = [](const char* name) {
    return read_file(std::filesystem::path(APICAL_SOURCE_DIR) / "tests/fuzz/corpus/hdf5" / name);
  };
  EXPECT_THAT(damage_of(corpus("chunk_of_zero")), HasSubstr("CD/events has chunks of no rows"));
  Bytes bytes = corpus("chunks");
  const std::uint8_t layout[] = {3, 2, 2};  // version, chunks, extents: of rows and of the bytes of one
  const auto at = std::search(bytes.begin(), bytes.end(), std::begin(layout), std::end(layout));
  ASSERT_NE(at, bytes.end());
  std::fill(at + 11, at + 15, std::uint8_t{0});
  EXPECT_THAT(damage_of(bytes),
              AllOf(HasSubstr("CD/events has chunks of no rows"), HasSubstr("a.h5, byte " + std::to_string(at - bytes.begin()))));
}

// A chunk that is not packed, and whose entry in the B-tree gives it another length: the library would fill part of our memory, or more.
TEST_F(Hdf5Events, ChunksWithTwoLengths) {
  const Bytes bytes = read_file(std::filesystem::path(APICAL_SOURCE_DIR) / "tests/fuzz/corpus/hdf5/chunk_length");
  EXPECT_THAT(damage_of(bytes), HasSubstr("it should have 256"));
  Bytes longer = read_file(std::filesystem::path(APICAL_SOURCE_DIR) / "tests/fuzz/corpus/hdf5/chunks");
  const std::uint8_t lead[] = {'T', 'R', 'E', 'E', 1};
  const auto tree = std::search(longer.begin(), longer.end(), std::begin(lead), std::end(lead));
  ASSERT_NE(tree, longer.end());
  tree[25] = 2;  // bytes of the first chunk: 512
  EXPECT_THAT(damage_of(longer), HasSubstr("chunk 0 of CD/events cannot be read"));
}

TEST_F(Hdf5Events, WritersSayWhatDoesNotFit) {
  const std::vector<Event> late = {{0, 1, 1, 1}, {std::int64_t{1} << 50, 1, 1, 1}};
  for (const EventFormat format : {EventFormat::hdf5, EventFormat::hdf5_ecf})
    EXPECT_THAT(error_of([&] { write_events(file("a"), format, 20, 20, late); }, ExitCode::usage), HasSubstr("too long for the index"));
  EXPECT_TRUE(folder_is_empty());
}

}  // namespace apical::formats
