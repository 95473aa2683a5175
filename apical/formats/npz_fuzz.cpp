#include "apical/formats/npy.h"
#include "apical/formats/roundtrip_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace apical::formats;
  return fuzz(data, size, [](std::span<const std::uint8_t> bytes) {
    const Npz arrays = parse_npz(bytes, "input", 1 << 22);
    for (const auto& [key, array] : arrays)
      if (key.empty()) return;
    must(parse_npz(npz_bytes(arrays), "again") == arrays, "arrays change when written to NPZ and read");
  });
}
