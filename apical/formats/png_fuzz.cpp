#include <zlib.h>

#include <algorithm>
#include <vector>

#include "apical/formats/bytes.h"
#include "apical/formats/png.h"
#include "apical/formats/roundtrip_fuzz.h"

namespace {

void round_trip(std::span<const std::uint8_t> bytes) {
  using namespace apical::formats;
  const Image image = parse_png(bytes, "input", 1 << 22);
  must(parse_png(png_bytes(image), "again") == image, "a picture changes when written and read");
}

// Puts the right checksum behind every chunk, so that a change gets past it and into the decoder.
std::vector<std::uint8_t> repaired(std::span<const std::uint8_t> bytes) {
  using namespace apical::formats;
  std::vector<std::uint8_t> b(bytes.begin(), bytes.end());
  for (std::size_t at = 8; at + 12 <= b.size();) {
    const std::size_t n = load_be<std::uint32_t>(b.data() + at);
    if (n > b.size() - at - 12) break;
    std::vector<std::uint8_t> crc;
    append_be(crc, static_cast<std::uint32_t>(crc32_z(0, b.data() + at + 4, n + 4)));
    std::copy(crc.begin(), crc.end(), b.begin() + static_cast<std::ptrdiff_t>(at + 8 + n));
    at += 12 + n;
  }
  return b;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  apical::formats::fuzz(data, size, round_trip);
  const auto fixed = repaired({data, size});
  return apical::formats::fuzz(fixed.data(), fixed.size(), round_trip);
}
