#pragma once
// Bytes of an event file, from disk or memory, seen through a buffer of fixed size.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apical/base/error.h"

namespace apical::formats {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Copies up to n bytes from `offset`; fewer only at the end.
  virtual std::size_t read_at(std::uint64_t offset, std::uint8_t* to, std::size_t n) = 0;
  virtual std::uint64_t size() const = 0;
  virtual const std::string& name() const = 0;
};

std::shared_ptr<ByteSource> file_source(const std::filesystem::path& path);
/// `bytes` must outlive the source.
std::shared_ptr<ByteSource> memory_source(std::span<const std::uint8_t> bytes, std::string name);

/// A position in a source that moves forward.
class Cursor {
 public:
  static constexpr std::size_t capacity = std::size_t{1} << 18;
  explicit Cursor(std::shared_ptr<ByteSource> source)
      : source_(std::move(source)), buffer_(static_cast<std::size_t>(std::min<std::uint64_t>(capacity, source_->size()))) {}

  /// The next bytes without moving: `want` (<= capacity) of them, fewer at the end.
  std::span<const std::uint8_t> peek(std::size_t want);
  void skip(std::uint64_t n) noexcept { offset_ += n; }
  /// Copies the next n bytes and moves; data error when the file ends before.
  void take(std::uint8_t* to, std::size_t n, const char* what);
  std::uint64_t offset() const noexcept { return offset_; }
  std::uint64_t size() const { return source_->size(); }
  std::uint64_t left() const { return size() - std::min(size(), offset_); }
  ByteSource& source() noexcept { return *source_; }

  /// The next header line (without its end) when the next bytes are `lead` and text up to a line feed; moves behind it.
  /// Data error when such a line is cut off by the end of the file.
  std::optional<std::string> text_line(std::string_view lead);
  /// A data error that names the file and the byte, by default the current one.
  Error error(std::string what, std::string hint = {}) const { return error_at(offset_, std::move(what), std::move(hint)); }
  Error error_at(std::uint64_t offset, std::string what, std::string hint = {}) const;

 private:
  std::shared_ptr<ByteSource> source_;
  std::vector<std::uint8_t> buffer_;
  std::uint64_t offset_ = 0, start_ = 0;  // of the next byte, of buffer_[0]
  std::size_t filled_ = 0;
};

}  // namespace apical::formats
