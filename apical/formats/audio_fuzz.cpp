#include <cstring>

#include "apical/formats/audio.h"
#include "apical/formats/roundtrip_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace apical::formats;
  return fuzz(data, size, [](std::span<const std::uint8_t> bytes) {
    const Audio a = parse_audio(bytes, "input", 1 << 20);
    const Audio b = parse_audio(audio_bytes(a, AudioFormat::wav_float), "again");
    must(b.sample_rate == a.sample_rate && b.channels == a.channels && b.samples.size() == a.samples.size(), "sound changes its size");
    // As bytes: a float WAV may hold NaN.
    must(a.samples.empty() || std::memcmp(a.samples.data(), b.samples.data(), a.samples.size() * sizeof(float)) == 0, "sound changes");
    must(a.mono().size() == a.frames(), "mono() has another length");
  });
}
