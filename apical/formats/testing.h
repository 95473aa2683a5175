#pragma once
// What the tests of this room share. Not part of the library.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "apical/base/error.h"
#include "apical/base/philox.h"
#include "apical/formats/array.h"

namespace apical::formats::testing {

using Bytes = std::vector<std::uint8_t>;

inline Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

/// A folder of its own that goes away.
struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "apical-formats-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path), std::filesystem::directory_iterator()));
  }
};

inline void put(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// The message of the apical::Error with this code that `call` throws; "" and a failure when it throws none or another.
template <class Call>
std::string error_of(Call call, ExitCode code = ExitCode::data) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

/// `parse` must refuse every proper prefix of a valid file with a data error that names the file.
template <class Parse>
void refuses_every_prefix(const Bytes& good, Parse parse) {
  ASSERT_NO_THROW(parse(good));
  for (std::size_t n = 0; n < good.size(); ++n) {
    // A copy of exactly n bytes, so that the address sanitizer sees a read past the end.
    const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n));
    try {
      parse(cut);
      ADD_FAILURE() << "accepted the first " << n << " of " << good.size() << " bytes";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::data) << n << ": " << e.what();
      EXPECT_THAT(e.where(), ::testing::HasSubstr("file")) << n << ": " << e.what();
    }
  }
}

inline Array random_array(DType dtype, Random& random, std::size_t least_dims = 0, std::uint32_t most = 5) {
  Array a;
  a.dtype = dtype;
  const std::size_t dims = least_dims + random.below(4);
  for (std::size_t i = 0; i < dims; ++i) a.shape.push_back(random.below(most));
  a.bytes.resize(checked_bytes(a.shape, dtype, ""));
  for (auto& b : a.bytes) b = static_cast<std::uint8_t>(dtype == DType::boolean ? random.below(2) : random.below(256));
  return a;
}

inline constexpr DType all_types[] = {DType::boolean, DType::u8,  DType::i8,  DType::u16,  DType::i16, DType::u32, DType::i32,
                                      DType::u64,     DType::i64, DType::f16, DType::bf16, DType::f32, DType::f64};

}  // namespace apical::formats::testing
