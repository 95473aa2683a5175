#pragma once
// PNG pictures of 8 bits a channel, and animated PNG (APNG) whose first frame every PNG viewer shows.
// Source: W3C PNG specification, third edition (chunks, acTL, fcTL, fdAT).
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace apical::formats {

/// A picture, [height, width, channels] row after row; channels is 1 (grey), 3 (RGB) or 4 (RGBA).
struct Image {
  int width = 0, height = 0, channels = 1;
  std::vector<std::uint8_t> pixels;
  bool operator==(const Image&) const = default;
};

/// Limit of decoded pixels in bytes.
inline constexpr std::size_t png_limit = std::size_t{1} << 28;

/// Decodes a PNG. Palettes become RGB(A), fewer or more bits become 8 (16 bits are scaled with rounding), grey with alpha becomes
/// RGBA. Of an animated PNG the first picture is returned. Data error when damaged, cut off, or larger than `limit` decoded.
Image parse_png(std::span<const std::uint8_t> bytes, const std::string& where, std::size_t limit = png_limit);
Image read_png(const std::filesystem::path& path, std::size_t limit = png_limit);

std::vector<std::uint8_t> png_bytes(const Image& image);
/// Usage error when the number of pixels does not fit the size.
void write_png(const std::filesystem::path& path, const Image& image);

/// Writes an animated PNG frame by frame in constant memory; nothing is left behind unless finish() returned.
class ApngWriter {
 public:
  /// `loops` 0 plays for ever. All frames have this size and number of channels.
  ApngWriter(const std::filesystem::path& path, int width, int height, int channels, std::uint32_t loops = 0);
  ~ApngWriter();
  /// A frame [height, width, channels] shown for `delay_ms` milliseconds (0..65535).
  void add(std::span<const std::uint8_t> pixels, int delay_ms);
  /// At least one frame is needed.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace apical::formats
