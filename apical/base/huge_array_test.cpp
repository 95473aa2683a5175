#include "apical/base/huge_array.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace apical {
namespace {

// Past 2 MiB the system has large pages for a part of it; it still has to let the whole grow.
TEST(HugeArray, GrowsAndKeepsItsValues) {
  HugeArray<std::int64_t> a;
  for (std::size_t size = 1000, filled = 0; size <= 8'000'000; size *= 2) {
    a.resize(size);
    ASSERT_EQ(a.size(), size);
    for (std::size_t i = 0; i < filled; ++i) ASSERT_EQ(a[i], static_cast<std::int64_t>(i)) << size;
    for (std::size_t i = filled; i < size; ++i) ASSERT_EQ(a[i], 0) << size;
    for (; filled < size; ++filled) a.data()[filled] = static_cast<std::int64_t>(filled);
  }
}

}  // namespace
}  // namespace apical
