#pragma once
// Files without surprises: whole-file reads with a limit, memory maps, and writes that appear all at once or not at all.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace apical {

/// Reads a whole file; throws a data error when it is missing, is no regular file or is longer than `limit` bytes.
std::vector<uint8_t> read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 34);
std::string read_text(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 28);

/// A read-only memory map of a whole file (empty files give an empty span).
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  std::span<const uint8_t> bytes() const noexcept { return {data_, size_}; }

 private:
  const uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A file that is written under a temporary name beside its target and takes the target's place at commit():
/// write, fsync, rename, fsync of the folder. Without commit() the temporary file is removed: nothing partial is left.
/// A target that is a device or a pipe (/dev/null, /dev/stdout) is written directly. A disk that is full, or a file size limit
/// (with SIGXFSZ ignored, as install_stop_handler does), is a data error.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Overwrites bytes already written (for headers whose counts are known at the end).
  void write_at(std::uint64_t offset, const void* data, std::size_t size);
  /// Copies up to `size` bytes already written (not of a device or a pipe) and returns how many: fewer only at the end.
  std::size_t read_at(std::uint64_t offset, void* to, std::size_t size);
  std::uint64_t size() const noexcept { return size_; }
  void commit();

 private:
  void put(const uint8_t* data, std::size_t size);
  void flush();
  std::filesystem::path target_, temporary_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::vector<uint8_t> buffer_;
};

/// Writes a whole file atomically.
void write_file(const std::filesystem::path& path, std::string_view bytes);
/// Creates a folder and its parents; a data error when that is not possible (a file stands there, read-only, no room).
void make_folder(const std::filesystem::path& path);

/// SHA-256 as 64 lower-case hex digits.
std::string sha256_hex(std::span<const uint8_t> bytes);
/// SHA-256 fed piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(const void* data, std::size_t size);
  std::string hex();  ///< ends the hash

 private:
  void* context_;
};

}  // namespace apical
