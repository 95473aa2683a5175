#include "apical/formats/events/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace apical::formats {
namespace {

constexpr std::size_t longest_line = std::size_t{1} << 16;

class FileSource final : public ByteSource {
 public:
  explicit FileSource(const std::filesystem::path& path) : name_(path.string()) {
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) throw data_error(std::string("cannot open the file: ") + std::strerror(errno), name_, "Check the path.");
    struct stat st {};
    if (::fstat(fd_, &st) != 0 || !S_ISREG(st.st_mode)) {
      ::close(fd_);
      throw data_error("this is not a regular file", name_);
    }
    size_ = static_cast<std::uint64_t>(st.st_size);
  }
  ~FileSource() override { ::close(fd_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  std::size_t read_at(std::uint64_t offset, std::uint8_t* to, std::size_t n) override {
    std::size_t done = 0;
    while (done < n) {
      const ssize_t k = ::pread(fd_, to + done, n - done, static_cast<off_t>(offset + done));
      if (k < 0 && errno == EINTR) continue;
      if (k < 0) throw data_error(std::string("cannot read the file: ") + std::strerror(errno), name_);
      if (k == 0) break;
      done += static_cast<std::size_t>(k);
    }
    return done;
  }
  std::uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }

 private:
  std::string name_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

class MemorySource final : public ByteSource {
 public:
  MemorySource(std::span<const std::uint8_t> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}
  std::size_t read_at(std::uint64_t offset, std::uint8_t* to, std::size_t n) override {
    if (n == 0 || offset >= bytes_.size()) return 0;  // of nothing, `to` may be null
    n = std::min(n, bytes_.size() - static_cast<std::size_t>(offset));
    std::memcpy(to, bytes_.data() + offset, n);
    return n;
  }
  std::uint64_t size() const override { return bytes_.size(); }
  const std::string& name() const override { return name_; }

 private:
  std::span<const std::uint8_t> bytes_;
  std::string name_;
};

}  // namespace

std::shared_ptr<ByteSource> file_source(const std::filesystem::path& path) { return std::make_shared<FileSource>(path); }
std::shared_ptr<ByteSource> memory_source(std::span<const std::uint8_t> bytes, std::string name) {
  return std::make_shared<MemorySource>(bytes, std::move(name));
}

std::span<const std::uint8_t> Cursor::peek(std::size_t want) {
  const std::uint64_t end = start_ + filled_;
  if (offset_ < start_ || offset_ > end || (end - offset_ < want && end < source_->size())) {
    // Keep what is still needed at the front and fill the rest.
    const std::size_t keep = offset_ >= start_ && offset_ <= end ? static_cast<std::size_t>(end - offset_) : 0;
    if (keep > 0) std::memmove(buffer_.data(), buffer_.data() + (filled_ - keep), keep);
    start_ = offset_;
    filled_ = keep + source_->read_at(offset_ + keep, buffer_.data() + keep, buffer_.size() - keep);
  }
  const auto at = static_cast<std::size_t>(offset_ - start_);
  return {buffer_.data() + at, std::min(want, filled_ - at)};
}

void Cursor::take(std::uint8_t* to, std::size_t n, const char* what) {
  if (left() < n) throw error(std::string("the file ends inside ") + what, "The file is cut off; copy or download it again.");
  while (n > 0) {
    const auto some = peek(std::min(n, capacity));
    if (some.empty()) throw error(std::string("the file ends inside ") + what, "The file is cut off; copy or download it again.");
    std::memcpy(to, some.data(), some.size());
    skip(some.size());
    to += some.size();
    n -= some.size();
  }
}

std::optional<std::string> Cursor::text_line(std::string_view lead) {
  const auto bytes = peek(longest_line);
  if (bytes.size() < lead.size() || std::memcmp(bytes.data(), lead.data(), lead.size()) != 0) return std::nullopt;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint8_t c = bytes[i];
    if (c == '\n') {
      std::string line(reinterpret_cast<const char*>(bytes.data()), i);
      if (!line.empty() && line.back() == '\r') line.pop_back();
      skip(i + 1);
      return line;
    }
    if (c < 0x20 && c != '\t' && c != '\r') return std::nullopt;  // not text: the events begin here
  }
  if (bytes.size() == longest_line) return std::nullopt;
  throw error("the file ends inside its header", "The file is cut off; copy or download it again.");
}

Error Cursor::error_at(std::uint64_t offset, std::string what, std::string hint) const {
  return data_error(std::move(what), source_->name() + ", byte " + std::to_string(offset), std::move(hint));
}

}  // namespace apical::formats
