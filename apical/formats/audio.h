#pragma once
// WAV and FLAC sound through libsndfile.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace apical::formats {

/// Sound as [frames, channels], interleaved, -1..1 (integer formats are scaled by their full range).
struct Audio {
  int sample_rate = 0;  ///< Hz
  int channels = 1;
  std::vector<float> samples;
  std::size_t frames() const noexcept { return samples.size() / static_cast<std::size_t>(channels); }
  /// The mean over the channels.
  std::vector<float> mono() const;
  bool operator==(const Audio&) const = default;
};

enum class AudioFormat {
  wav16,      ///< WAV, 16-bit PCM
  wav_float,  ///< WAV, 32-bit float: keeps the samples exactly
  flac16,     ///< FLAC, 16 bits
  flac24,     ///< FLAC, 24 bits
};

inline constexpr std::size_t audio_limit = std::size_t{1} << 28;  ///< samples (frames x channels): 1 GiB as float

/// WAV or FLAC, told by content; up to 8 channels. A file without frames is valid and gives none. Data error when damaged, cut
/// off before the length its header states, of another format, or longer than `limit` samples.
Audio parse_audio(std::span<const std::uint8_t> bytes, const std::string& where, std::size_t limit = audio_limit);
Audio read_audio(const std::filesystem::path& path, std::size_t limit = audio_limit);

/// Samples outside -1..1 are clipped by the integer formats. Usage error for a sample rate, a number of channels or a number of
/// samples that makes no sense.
std::vector<std::uint8_t> audio_bytes(const Audio& audio, AudioFormat format);
void write_audio(const std::filesystem::path& path, const Audio& audio, AudioFormat format);

}  // namespace apical::formats
