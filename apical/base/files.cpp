#include "apical/base/files.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "apical/base/error.h"
#include "apical/base/fault.h"

namespace apical {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 20;

Error errno_error(const std::string& doing, const fs::path& path, int error = errno) {
  std::string hint;
  if (error == ENOENT) hint = "Check the path.";
  if (error == ENOSPC || error == EFBIG) hint = "Free some space or choose another folder with --out.";
  if (error == EACCES || error == EROFS) hint = "Choose a folder you may write to with --out.";
  if (error == ENOTDIR || error == EEXIST) hint = "A file stands where a folder is expected.";
  return data_error("cannot " + doing + ": " + std::strerror(error), path.string(), hint);
}

// Opens for reading and returns the size; refuses everything that is not a regular file.
int open_regular(const fs::path& path, std::size_t& size) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw errno_error("open the file", path);
  struct stat st {};
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    ::close(fd);
    throw data_error("this is not a regular file", path.string());
  }
  size = static_cast<std::size_t>(st.st_size);
  return fd;
}

template <class Container>
Container read_whole(const fs::path& path, std::size_t limit) {
  std::size_t size = 0;
  const int fd = open_regular(path, size);
  if (size > limit) {
    ::close(fd);
    throw data_error("the file has " + std::to_string(size) + " bytes, more than the limit of " + std::to_string(limit), path.string());
  }
  Container bytes(size, {});
  std::size_t at = 0;
  while (at < size) {
    const ssize_t n = ::read(fd, bytes.data() + at, size - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      ::close(fd);
      throw errno_error("read the file", path, error);
    }
    if (n == 0) break;  // it shrank meanwhile
    at += static_cast<std::size_t>(n);
  }
  ::close(fd);
  bytes.resize(at);
  return bytes;
}

}  // namespace

std::vector<uint8_t> read_file(const fs::path& path, std::size_t limit) { return read_whole<std::vector<uint8_t>>(path, limit); }
std::string read_text(const fs::path& path, std::size_t limit) { return read_whole<std::string>(path, limit); }

MappedFile::MappedFile(const fs::path& path) {
  const int fd = open_regular(path, size_);
  if (size_ > 0) {
    void* p = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    const int error = errno;
    ::close(fd);
    if (p == MAP_FAILED) throw errno_error("map the file", path, error);
    data_ = static_cast<const uint8_t*>(p);
  } else {
    ::close(fd);
  }
}
MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<uint8_t*>(data_), size_);
}
MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

AtomicFile::AtomicFile(fs::path target) : target_(std::move(target)) {
  std::error_code error;
  const auto status = fs::status(target_, error);
  if (fs::is_directory(status)) throw data_error("a folder stands where a file is to be written", target_.string());
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    // a device or a pipe (/dev/null, /dev/stdout): renaming over it would replace the device itself
    fd_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    if (fs::is_symlink(target_, error) && fs::exists(status)) target_ = fs::canonical(target_);
    static std::atomic<unsigned> serial{0};
    temporary_ = target_;
    temporary_ += ".tmp" + std::to_string(::getpid()) + "-" + std::to_string(serial++);
    fd_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  }
  if (fd_ < 0) throw errno_error("write the file", target_);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::size_t size) {
  const auto* p = static_cast<const uint8_t*>(data);
  size_ += size;
  if (size >= buffer_size) {  // large pieces are not copied
    flush();
    put(p, size);
    return;
  }
  buffer_.insert(buffer_.end(), p, p + size);
  if (buffer_.size() >= buffer_size) flush();
}

void AtomicFile::put(const uint8_t* data, std::size_t size) {
  while (size > 0) {
    fault_point("write");
    const ssize_t n = ::write(fd_, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw errno_error("write the file", target_);
    data += n;
    size -= static_cast<std::size_t>(n);
  }
}

void AtomicFile::flush() {
  put(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void AtomicFile::write_at(std::uint64_t offset, const void* data, std::size_t size) {
  flush();
  if (offset > size_ || size > size_ - offset) throw internal_error("write_at goes past the bytes written", target_.string());
  const auto* p = static_cast<const uint8_t*>(data);
  while (size > 0) {
    fault_point("write");
    const ssize_t n = ::pwrite(fd_, p, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw errno_error("write the file", target_);
    p += n;
    offset += static_cast<std::uint64_t>(n);
    size -= static_cast<std::size_t>(n);
  }
}

std::size_t AtomicFile::read_at(std::uint64_t offset, void* to, std::size_t size) {
  flush();
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd_, static_cast<uint8_t*>(to) + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw errno_error("read the file", target_);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

void AtomicFile::commit() {
  flush();
  fault_point("fsync");
  if (::fsync(fd_) != 0 && !temporary_.empty()) throw errno_error("write the file", target_);
  if (::close(std::exchange(fd_, -1)) != 0) {
    const int error = errno;
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    throw errno_error("write the file", target_, error);
  }
  if (temporary_.empty()) return;
  fault_point("rename");
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    throw errno_error("write the file", target_, error);
  }
  fault_point("fsync");
  const fs::path folder = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
  if (const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); fd >= 0) {
    ::fsync(fd);
    ::close(fd);
  }
}

void write_file(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!fs::is_directory(path)) throw errno_error("create the folder", path, error ? error.value() : ENOTDIR);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), EVP_sha256(), nullptr) != 1)
    throw internal_error("SHA-256 is not available in this OpenSSL");
}
Sha256::~Sha256() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }
void Sha256::update(const void* data, std::size_t size) { EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), data, size); }
std::string Sha256::hex() {
  unsigned char digest[32];
  unsigned length = 0;
  EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), digest, &length);
  std::string s;
  for (unsigned char c : digest) {
    s += "0123456789abcdef"[c >> 4];
    s += "0123456789abcdef"[c & 15];
  }
  return s;
}
std::string sha256_hex(std::span<const uint8_t> bytes) {
  Sha256 h;
  h.update(bytes.data(), bytes.size());
  return h.hex();
}

}  // namespace apical
