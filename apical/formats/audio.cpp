#include "apical/formats/audio.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/formats/bytes.h"

namespace apical::formats {
namespace {

constexpr int most_channels = 8;
constexpr int highest_rate = 655350;  // FLAC's limit

struct Close {
  void operator()(SNDFILE* f) const { sf_close(f); }
};
using Handle = std::unique_ptr<SNDFILE, Close>;

// A file in memory for libsndfile: read from `in`, or written to `out`. The callbacks never throw (they are called from C).
struct Memory {
  std::span<const std::uint8_t> in;
  std::vector<std::uint8_t>* out = nullptr;
  sf_count_t at = 0;
  bool no_memory = false;
  sf_count_t size() const { return static_cast<sf_count_t>(out ? out->size() : in.size()); }
};

SF_VIRTUAL_IO memory_io() {
  SF_VIRTUAL_IO io{};
  io.get_filelen = [](void* user) { return static_cast<Memory*>(user)->size(); };
  io.tell = [](void* user) { return static_cast<Memory*>(user)->at; };
  io.seek = [](sf_count_t offset, int whence, void* user) -> sf_count_t {
    auto* m = static_cast<Memory*>(user);
    sf_count_t to = 0;
    const sf_count_t base = whence == SEEK_CUR ? m->at : whence == SEEK_END ? m->size() : 0;
    if (__builtin_add_overflow(base, offset, &to) || to < 0) return -1;
    return m->at = to;
  };
  io.read = [](void* to, sf_count_t n, void* user) -> sf_count_t {
    auto* m = static_cast<Memory*>(user);
    n = std::clamp<sf_count_t>(n, 0, std::max<sf_count_t>(0, m->size() - m->at));
    if (n > 0) std::memcpy(to, m->in.data() + m->at, static_cast<std::size_t>(n));
    m->at += n;
    return n;
  };
  io.write = [](const void* from, sf_count_t n, void* user) -> sf_count_t {
    auto* m = static_cast<Memory*>(user);
    try {
      if (m->at + n > m->size()) m->out->resize(static_cast<std::size_t>(m->at + n));
    } catch (...) {
      m->no_memory = true;
      return 0;
    }
    std::memcpy(m->out->data() + m->at, from, static_cast<std::size_t>(n));
    m->at += n;
    return n;
  };
  return io;
}

// libsndfile takes a cut-off WAV for a shorter one; the chunk sizes tell. Returns the data bytes the header states.
void check_wav(std::span<const std::uint8_t> b, const std::string& where) {
  const std::string hint = "Get the file again.";
  const std::uint64_t riff = load_le<std::uint32_t>(b.data() + 4);
  const bool streamed = riff == 0xFFFFFFFFu;  // written to a pipe: the length was not known
  if (!streamed && riff + 8 > b.size())
    throw data_error("the WAV file should have " + std::to_string(riff + 8) + " bytes and has " + std::to_string(b.size()), where, hint);
  bool format = false;
  for (std::uint64_t at = 12; at + 8 <= b.size();) {
    const std::uint64_t n = load_le<std::uint32_t>(b.data() + at + 4);
    const std::string_view id(reinterpret_cast<const char*>(b.data()) + at, 4);
    if (id == "fmt ") format = true;
    if (id == "data") {
      if (!format) throw data_error("the WAV file has no format before its data", at_byte(where, at));
      if (!(streamed && n == 0xFFFFFFFFu) && n > b.size() - at - 8)
        throw data_error(
            "the WAV header promises " + std::to_string(n) + " bytes of sound, but " + std::to_string(b.size() - at - 8) + " follow",
            at_byte(where, at), hint);
      return;
    }
    at += 8 + n + (n & 1);
  }
  throw data_error("the WAV file has no data", where, hint);
}

bool begins(std::span<const std::uint8_t> b, std::size_t at, std::string_view text) {
  return b.size() >= at + text.size() && std::equal(text.begin(), text.end(), b.begin() + static_cast<std::ptrdiff_t>(at));
}

// libsndfile writes nothing at all when no frame comes. "fLaC" and STREAMINFO (RFC 9639, 8.2) are a FLAC file of no frames.
std::vector<std::uint8_t> empty_flac(const Audio& audio, int bits) {
  std::vector<std::uint8_t> b{'f', 'L', 'a', 'C', 0x80, 0, 0, 34, 0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0};  // blocks of 4096
  append_be(b, (static_cast<std::uint64_t>(audio.sample_rate) << 44) | (static_cast<std::uint64_t>(audio.channels - 1) << 41) |
                   (static_cast<std::uint64_t>(bits - 1) << 36));
  b.resize(b.size() + 16);  // MD5: not computed
  return b;
}

int subtype(AudioFormat f) {
  switch (f) {
    case AudioFormat::wav16:
      return SF_FORMAT_WAV | SF_FORMAT_PCM_16;
    case AudioFormat::wav_float:
      return SF_FORMAT_WAV | SF_FORMAT_FLOAT;
    case AudioFormat::flac16:
      return SF_FORMAT_FLAC | SF_FORMAT_PCM_16;
    case AudioFormat::flac24:
      return SF_FORMAT_FLAC | SF_FORMAT_PCM_24;
  }
  return 0;
}

}  // namespace

std::vector<float> Audio::mono() const {
  if (channels == 1) return samples;
  std::vector<float> out(frames());
  for (std::size_t i = 0; i < out.size(); ++i) {
    float sum = 0;
    for (int c = 0; c < channels; ++c) sum += samples[i * static_cast<std::size_t>(channels) + static_cast<std::size_t>(c)];
    out[i] = sum / static_cast<float>(channels);
  }
  return out;
}

Audio parse_audio(std::span<const std::uint8_t> bytes, const std::string& where, std::size_t limit) {
  // libsndfile knows two dozen formats; only these two are let through to it.
  const bool wav = begins(bytes, 0, "RIFF") && begins(bytes, 8, "WAVE"), flac = begins(bytes, 0, "fLaC");
  if (!wav && !flac) throw data_error("this is neither a WAV nor a FLAC file", at_byte(where, 0));
  if (wav) check_wav(bytes, where);
  // FLAC states its frames in STREAMINFO (36 bits; 0 means unknown), the first block.
  std::uint64_t stated = 0;
  if (flac && bytes.size() >= 26) stated = (std::uint64_t{bytes[21] & 15u} << 32) | load_be<std::uint32_t>(bytes.data() + 22);

  Memory memory;
  memory.in = bytes;
  SF_VIRTUAL_IO io = memory_io();
  SF_INFO info{};
  const Handle file(sf_open_virtual(&io, SFM_READ, &info, &memory));
  const std::string kind = wav ? "WAV" : "FLAC";
  const auto damaged = [&](SNDFILE* f) {
    std::string text = sf_strerror(f);
    while (!text.empty() && (text.back() == '.' || text.back() == '\n')) text.pop_back();
    return data_error("the " + kind + " file is damaged: " + text, where, "Get the file again.");
  };
  if (!file) throw damaged(nullptr);
  if (info.channels < 1 || info.channels > most_channels)
    throw data_error("the " + kind + " file has " + std::to_string(info.channels) + " channels; 1 to 8 are supported", where);
  if (info.samplerate < 1 || info.samplerate > highest_rate)
    throw data_error("the " + kind + " file has the sample rate " + std::to_string(info.samplerate), where);
  const auto channels = static_cast<std::size_t>(info.channels);
  if (stated > limit / channels)
    throw data_error("the " + kind + " file has " + std::to_string(stated) + " frames, more than the limit", where);

  Audio audio{info.samplerate, info.channels, {}};
  constexpr std::size_t piece = 1 << 14;  // frames: memory follows what is really there
  for (;;) {
    const std::size_t at = audio.samples.size();
    if (at / channels > limit / channels) throw data_error("the " + kind + " file has more samples than the limit", where);
    audio.samples.resize(at + piece * channels);
    const sf_count_t n = std::max<sf_count_t>(0, sf_readf_float(file.get(), audio.samples.data() + at, piece));
    audio.samples.resize(at + static_cast<std::size_t>(n) * channels);
    if (sf_error(file.get()) != SF_ERR_NO_ERROR) throw damaged(file.get());
    if (n < static_cast<sf_count_t>(piece)) break;
  }
  if (audio.samples.size() > limit) throw data_error("the " + kind + " file has more samples than the limit", where);
  if (stated != 0 && audio.frames() != stated)
    throw data_error("the FLAC header promises " + std::to_string(stated) + " frames, but " + std::to_string(audio.frames()) + " follow",
                     where, "The file is cut off or damaged: get it again.");
  return audio;
}

Audio read_audio(const std::filesystem::path& path, std::size_t limit) {
  const MappedFile file(path);
  return parse_audio(file.bytes(), path.string(), limit);
}

std::vector<std::uint8_t> audio_bytes(const Audio& audio, AudioFormat format) {
  if (audio.channels < 1 || audio.channels > most_channels || audio.samples.size() % static_cast<std::size_t>(audio.channels) != 0)
    throw usage_error("sound of " + std::to_string(audio.samples.size()) + " samples cannot have " + std::to_string(audio.channels) +
                      " channels");
  if (audio.sample_rate < 1 || audio.sample_rate > highest_rate)
    throw usage_error("sound cannot have the sample rate " + std::to_string(audio.sample_rate), "", "1 to 655350 Hz.");
  SF_INFO info{};
  info.samplerate = audio.sample_rate;
  info.channels = audio.channels;
  info.format = subtype(format);
  if (audio.samples.empty() && (format == AudioFormat::flac16 || format == AudioFormat::flac24))
    return empty_flac(audio, format == AudioFormat::flac16 ? 16 : 24);
  std::vector<std::uint8_t> out;
  Memory memory;
  memory.out = &out;
  SF_VIRTUAL_IO io = memory_io();
  Handle file(sf_open_virtual(&io, SFM_WRITE, &info, &memory));
  if (!file) throw internal_error(std::string("libsndfile does not write: ") + sf_strerror(nullptr));
  sf_command(file.get(), SFC_SET_CLIPPING, nullptr, SF_TRUE);
  sf_command(file.get(), SFC_SET_ADD_PEAK_CHUNK, nullptr, SF_FALSE);  // it holds the time of writing
  const auto frames = static_cast<sf_count_t>(audio.frames());
  const bool good = frames == 0 || sf_writef_float(file.get(), audio.samples.data(), frames) == frames;
  const std::string problem = good ? "" : sf_strerror(file.get());
  if (sf_close(file.release()) != 0 || !good || memory.no_memory) throw internal_error("libsndfile does not write: " + problem);
  return out;
}

void write_audio(const std::filesystem::path& path, const Audio& audio, AudioFormat format) {
  const auto bytes = audio_bytes(audio, format);
  write_file(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace apical::formats
