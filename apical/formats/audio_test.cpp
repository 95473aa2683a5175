#include "apical/formats/audio.h"

#include <cmath>

#include "apical/formats/bytes.h"
#include "apical/formats/testing.h"

namespace apical::formats {
namespace {

using namespace apical::formats::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Audio noise(std::uint32_t frames, int channels, int rate) {
  Random random(frames, "audio");
  Audio a{rate, channels, std::vector<float>(frames * static_cast<std::size_t>(channels))};
  for (auto& s : a.samples) s = random.uniform(-0.99f, 0.99f);
  return a;
}

// 8 kHz, mono, 16 bits, by the RIFF specification.
Bytes wav(std::uint32_t riff, std::uint32_t data, const Bytes& samples, int format = 1) {
  Bytes b = bytes_of("RIFF");
  append_le(b, riff);
  for (const char c : std::string("WAVEfmt ")) b.push_back(static_cast<std::uint8_t>(c));
  append_le(b, std::uint32_t{16});
  append_le(b, static_cast<std::uint16_t>(format));
  append_le(b, std::uint16_t{1});
  append_le(b, std::uint32_t{8000});
  append_le(b, std::uint32_t{16000});
  append_le(b, std::uint16_t{2});
  append_le(b, std::uint16_t{16});
  for (const char c : std::string("data")) b.push_back(static_cast<std::uint8_t>(c));
  append_le(b, data);
  b.insert(b.end(), samples.begin(), samples.end());
  return b;
}

TEST(Audio, ReadsTheDocumentedWav) {
  const Audio a = parse_audio(wav(42, 6, {0x00, 0x40, 0x00, 0x80, 0xFF, 0x7F}), "file");
  EXPECT_EQ(a.sample_rate, 8000);
  EXPECT_EQ(a.channels, 1);
  EXPECT_THAT(a.samples, ElementsAre(0.5f, -1.0f, 32767.0f / 32768.0f));
}

TEST(Audio, RoundTripsWithinTheBitsOfTheFormat) {
  const Folder folder;
  for (const int channels : {1, 2})
    for (const std::uint32_t frames : {0u, 1u, 1000u, 40000u}) {
      const Audio a = noise(frames, channels, 16000);
      EXPECT_EQ(parse_audio(audio_bytes(a, AudioFormat::wav_float), "file"), a);
      for (const auto& [format, step] :
           {std::pair{AudioFormat::wav16, 0x1p-15f}, {AudioFormat::flac16, 0x1p-15f}, {AudioFormat::flac24, 0x1p-23f}}) {
        write_audio(folder.path / "a", a, format);
        const Audio b = read_audio(folder.path / "a");
        EXPECT_EQ(b.sample_rate, 16000);
        ASSERT_EQ(b.channels, channels);
        ASSERT_EQ(b.samples.size(), a.samples.size());
        for (std::size_t i = 0; i < b.samples.size(); ++i) ASSERT_NEAR(b.samples[i], a.samples[i], step) << i;
        // What once went through 16 or 24 bits stays as it is.
        EXPECT_EQ(parse_audio(audio_bytes(b, format), "file"), b);
      }
    }
  const Audio loud{8000, 1, {2.0f, -2.0f}};
  EXPECT_THAT(parse_audio(audio_bytes(loud, AudioFormat::wav16), "file").samples, ElementsAre(32767.0f / 32768.0f, -1.0f));
  EXPECT_EQ(audio_bytes(loud, AudioFormat::wav_float), audio_bytes(loud, AudioFormat::wav_float));
}

TEST(Audio, MonoIsTheMeanOfTheChannels) { EXPECT_THAT((Audio{8000, 2, {1.0f, 0.0f, -0.5f, -0.25f}}.mono()), ElementsAre(0.5f, -0.375f)); }

TEST(Audio, RefusesEveryCut) {
  const Audio a = noise(30, 2, 8000);
  for (const AudioFormat format : {AudioFormat::wav16, AudioFormat::wav_float, AudioFormat::flac16})
    refuses_every_prefix(audio_bytes(a, format), [](const Bytes& b) { return parse_audio(b, "file"); });
}

TEST(Audio, RefusesDamagedFlacFrames) {
  const Bytes good = audio_bytes(noise(3000, 1, 8000), AudioFormat::flac16);
  const Audio whole = parse_audio(good, "file");
  int refused = 0;
  for (std::size_t at = good.size() / 2; at < good.size(); at += 97) {
    Bytes bad = good;
    bad[at] ^= 0x55;
    error_of([&] { parse_audio(bad, "file"); });
    ++refused;
  }
  EXPECT_GT(refused, 20);
}

TEST(Audio, SaysWhatIsWrong) {
  const auto message = [](const Bytes& b, std::size_t limit = audio_limit) { return error_of([&] { parse_audio(b, "file", limit); }); };
  EXPECT_THAT(message(bytes_of("OggS and more of it")), HasSubstr("neither a WAV nor a FLAC"));
  EXPECT_THAT(message(wav(0x7FFFFFFF, 0x7FFFFF00, {1, 2})), HasSubstr("should have 2147483655 bytes"));
  EXPECT_THAT(message(wav(38, 0x7FFFFF00, {1, 2})), HasSubstr("promises 2147483392 bytes of sound, but 2 follow"));
  EXPECT_THAT(message(wav(38, 2, {1, 2}, 0x1234)), HasSubstr("damaged"));
  EXPECT_THAT(message(audio_bytes(noise(100, 2, 8000), AudioFormat::wav16), 199), HasSubstr("limit"));
  EXPECT_THAT(message(audio_bytes(noise(100, 2, 8000), AudioFormat::flac16), 199), HasSubstr("limit"));
  EXPECT_NO_THROW(parse_audio(audio_bytes(noise(100, 2, 8000), AudioFormat::flac16), "file", 200));
  // A recorder that wrote to a pipe did not know the length.
  EXPECT_EQ(parse_audio(wav(0xFFFFFFFF, 0xFFFFFFFF, {0, 0x40}), "file").samples.size(), 1u);
  // FLAC that promises 2^36 - 1 frames
  Bytes flac = audio_bytes(noise(10, 1, 8000), AudioFormat::flac16);
  flac[21] |= 15;
  for (int i = 22; i < 26; ++i) flac[static_cast<std::size_t>(i)] = 0xFF;
  EXPECT_THAT(message(flac), HasSubstr("68719476735 frames, more than the limit"));
  flac[21] &= 0xF0;
  flac[22] = 0;
  EXPECT_THAT(message(flac), HasSubstr("promises 16777215 frames"));
  EXPECT_THAT(error_of([] { audio_bytes({0, 1, {}}, AudioFormat::wav16); }, ExitCode::usage), HasSubstr("sample rate 0"));
  EXPECT_THAT(error_of([] { audio_bytes({8000, 2, {1.0f}}, AudioFormat::wav16); }, ExitCode::usage), HasSubstr("2 channels"));
}

}  // namespace
}  // namespace apical::formats
