#include "apical/formats/npy.h"
#include "apical/formats/roundtrip_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace apical::formats;
  return fuzz(data, size, [](std::span<const std::uint8_t> bytes) {
    const Array a = parse_npy(bytes, "input");
    must(parse_npy(npy_bytes(a), "again") == a, "an NPY array changes when written and read");
    must(parse_npy(npy_bytes(a, {.fortran = true, .big_endian = true, .version = 3}), "again") == a, "an array changes in Fortran order");
  });
}
