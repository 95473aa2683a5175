#include "apical/formats/hdf5_arrays.h"

#include <hdf5.h>

#include "apical/formats/bytes.h"
#include "apical/formats/testing.h"

namespace apical::formats {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(Hdf5Arrays, TheLibraryReadsThemBack) {
  const auto path = std::filesystem::temp_directory_path() / "apical_arrays.hdf5";
  const double times[] = {0.1, 2.5, 1e9};
  const std::uint32_t neurons[] = {7, 8, 9, 10, 11, 4294967295u};
  write_hdf5_arrays(path, {{"e.times", Array::of<double>({3}, times)},
                           {"e.neurons", Array::of<std::uint32_t>({2, 3}, neurons)},
                           {"none", Array::of<double>({0}, {})}});
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  const auto read = [&](const char* name, hid_t type, void* to, std::vector<hsize_t> want) {
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(set);
    std::vector<hsize_t> shape(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
    H5Sget_simple_extent_dims(space, shape.data(), nullptr);
    EXPECT_EQ(shape, want);
    if (to) {
      EXPECT_GE(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to), 0);
    }
    H5Sclose(space), H5Dclose(set);
  };
  double t[3];
  std::uint32_t n[6];
  read("e.times", H5T_NATIVE_DOUBLE, t, {3});
  read("e.neurons", H5T_NATIVE_UINT32, n, {2, 3});
  read("none", H5T_NATIVE_DOUBLE, nullptr, {0});
  EXPECT_TRUE(std::equal(t, t + 3, times));
  EXPECT_TRUE(std::equal(n, n + 6, neurons));
  H5Fclose(file);
  std::filesystem::remove(path);
  try {
    write_hdf5_arrays("/dev/full", {{"t", Array::of<double>({3}, times)}});
    ADD_FAILURE() << "a full disk";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
  }
}

TEST(Hdf5Columns, AreReadAsTheyWereWritten) {
  const testing::Folder folder;
  Random random(3, "columns");
  Npz npz;
  for (const DType d : testing::all_types)
    if (d != DType::f16 && d != DType::bf16 && d != DType::boolean)
      for (const std::uint64_t n : {0, 1, 40000}) {
        Array a{d, {n}, std::vector<std::uint8_t>(n * size_of(d))};
        for (auto& b : a.bytes) b = static_cast<std::uint8_t>(random.below(256));
        npz["group/" + name(d) + "/" + std::to_string(n)] = a;
      }
  write_hdf5_arrays(folder.path / "a.h5", npz);
  const Hdf5Columns file(folder.path / "a.h5");
  for (const auto& [path, array] : npz) EXPECT_TRUE(file.read(path) == array) << path;
  EXPECT_TRUE(file.has("group/f64"));
  EXPECT_FALSE(file.has("group/f65/1"));
  EXPECT_THAT(error_of([&] { file.read("group/f65"); }), HasSubstr("no 'group/f65'"));
  EXPECT_THAT(error_of([&] { file.read("group"); }), HasSubstr("a.h5"));
}

// A file with one dataset "x" of doubles 0, 0.5, 1, ... in chunks of 100, as h5py's compression="gzip", shuffle=True makes it.
testing::Bytes chunked(hsize_t rows, bool written) {
  const testing::Folder folder;
  const auto path = folder.path / "c.h5";
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), space = H5Screate_simple(1, &rows, nullptr);
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk = 100;
  H5Pset_chunk(list, 1, &chunk), H5Pset_shuffle(list), H5Pset_deflate(list, 4);
  const hid_t set = H5Dcreate2(file, "x", H5T_IEEE_F64LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
  if (written) {
    std::vector<double> values(rows);
    for (std::size_t i = 0; i < rows; ++i) values[i] = 0.5 * static_cast<double>(i);
    H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  }
  H5Dclose(set), H5Pclose(list), H5Sclose(space), H5Fclose(file);
  return read_bytes(path);
}

TEST(Hdf5Columns, ChunksAreUnpackedAndClaimsNotBelieved) {
  const testing::Bytes good = chunked(250, true);
  const Array a = Hdf5Columns(good, "file").read("x");
  ASSERT_EQ(a.shape, std::vector<std::uint64_t>{250});
  for (std::size_t i = 0; i < 250; ++i) EXPECT_EQ(a.as<double>()[i], 0.5 * static_cast<double>(i));
  testing::refuses_every_prefix(good, [](const testing::Bytes& bytes) { Hdf5Columns(bytes, "file").read("x"); });
  // 2^40 rows in a file of a few kB: nothing is allocated for them.
  const testing::Bytes claims = chunked(hsize_t{1} << 40, false);
  EXPECT_THAT(error_of([&] { Hdf5Columns(claims, "file").read("x"); }), HasSubstr("more than the file can hold"));
  EXPECT_THAT(error_of([&] { Hdf5Columns(chunked(300, false), "file").read("x"); }), HasSubstr("has no chunk 0"));
}

}  // namespace
}  // namespace apical::formats
