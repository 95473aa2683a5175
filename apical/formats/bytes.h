#pragma once
// Bytes of foreign files: endianness, gzip with a limit, and where in the file something was found.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace apical::formats {

static_assert(std::endian::native == std::endian::little, "the readers assume a little-endian machine");

/// Unaligned loads. The caller has checked that sizeof(T) bytes are there.
template <class T>
T load_le(const std::uint8_t* p) noexcept {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
T load_be(const std::uint8_t* p) noexcept {
  std::uint8_t r[sizeof(T)];
  for (std::size_t i = 0; i < sizeof(T); ++i) r[i] = p[sizeof(T) - 1 - i];
  return load_le<T>(r);
}
template <class T>
void append_le(std::vector<std::uint8_t>& out, T v) {
  const std::size_t at = out.size();
  out.resize(at + sizeof v);
  std::memcpy(out.data() + at, &v, sizeof v);
}
template <class T>
void append_be(std::vector<std::uint8_t>& out, T v) {
  const std::size_t at = out.size();
  out.resize(at + sizeof v);
  const auto* p = reinterpret_cast<const std::uint8_t*>(&v);
  for (std::size_t i = 0; i < sizeof v; ++i) out[at + i] = p[sizeof v - 1 - i];
}
/// Reverses the bytes of each item of `size` bytes.
void swap_bytes(std::span<std::uint8_t> bytes, std::size_t size) noexcept;

/// "file, byte 12": the where of an error.
std::string at_byte(const std::string& where, std::uint64_t offset);

/// Deflate cannot make more than this many bytes out of one (zlib's technical notes: 1032:1).
inline constexpr std::uint64_t deflate_max_ratio = 1032;
inline constexpr std::size_t gunzip_limit = std::size_t{1} << 31;

bool is_gzip(std::span<const std::uint8_t> bytes) noexcept;
/// Unpacks gzip (all members). Data error when damaged, cut off, followed by garbage, or longer than `limit` unpacked; memory
/// follows what is really unpacked, never what a header says.
std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> bytes, const std::string& where, std::size_t limit = gunzip_limit);
/// At most the first `count` unpacked bytes.
std::vector<std::uint8_t> gunzip_prefix(std::span<const std::uint8_t> bytes, const std::string& where, std::size_t count);
/// Packs; the same bytes give the same file (no time, no name).
std::vector<std::uint8_t> gzip(std::span<const std::uint8_t> bytes, int level = 6);
/// A whole file, unpacked when it is gzip.
std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path, std::size_t limit = gunzip_limit);

}  // namespace apical::formats
