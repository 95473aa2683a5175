#pragma once
// What the fuzz targets of this room share: a data error is the right answer to bad bytes; anything accepted must survive being
// written and read again.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "apical/base/error.h"

namespace apical::formats {

inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

/// Runs `read` on the bytes; a data error ends it well, every other exception does not.
template <class Read>
int fuzz(const std::uint8_t* data, std::size_t size, Read read) {
  try {
    read(std::span<const std::uint8_t>(data, size));
  } catch (const Error& e) {
    must(e.code() == ExitCode::data && !e.where().empty(), e.what());
  }
  return 0;
}

}  // namespace apical::formats
