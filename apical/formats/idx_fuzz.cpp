#include "apical/formats/idx.h"
#include "apical/formats/roundtrip_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace apical::formats;
  return fuzz(data, size, [](std::span<const std::uint8_t> bytes) {
    const Array a = parse_idx(bytes, "input");
    must(parse_idx(idx_bytes(a), "again") == a, "an IDX array changes when written and read");
  });
}
