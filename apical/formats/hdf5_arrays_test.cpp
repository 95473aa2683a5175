#include "apical/formats/hdf5_arrays.h"

#include <gtest/gtest.h>
#include <hdf5.h>

namespace apical::formats {
namespace {

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

}  // namespace
}  // namespace apical::formats
