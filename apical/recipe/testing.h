#pragma once
// What the tests of this room share. Not part of the library.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "apical/base/error.h"

namespace apical::recipe::testing {

/// A folder of its own, not yet made, that goes away.
class InFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    dir = std::filesystem::path(::testing::TempDir()) / ("apical_" + std::string(info->test_suite_name()) + "_" + info->name());
    std::filesystem::remove_all(dir);
  }
  void TearDown() override { std::filesystem::remove_all(dir); }

  /// The message of the Error with this code that `call` throws.
  template <class Call>
  static std::string error_of(Call call, ExitCode code) {
    try {
      call();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code) << e.what();
      return e.what();
    }
    return "no error";
  }

  std::filesystem::path dir;
};

}  // namespace apical::recipe::testing
