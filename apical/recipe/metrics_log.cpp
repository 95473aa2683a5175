#include "apical/recipe/metrics_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "apical/base/error.h"

namespace apical::recipe {

namespace {
Error failed(const std::string& what, const std::filesystem::path& path) {
  return data_error(what + ": " + std::strerror(errno), path.string());
}
}  // namespace

MetricsLog::MetricsLog(std::filesystem::path path, bool keep) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (keep ? 0 : O_TRUNC), 0644);
  if (fd_ < 0) throw failed("cannot write the metrics", path_);
  const off_t end = ::lseek(fd_, 0, SEEK_END);
  size_ = end < 0 ? 0 : static_cast<std::uint64_t>(end);
}

MetricsLog::~MetricsLog() {
  if (fd_ >= 0) ::close(fd_);
}

void MetricsLog::append(std::string_view object) {
  const std::string line = std::string(object) + "\n";
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t n = ::write(fd_, line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int saved = errno;
      if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0) errno = saved;  // no half a line
      errno = saved;
      throw failed("cannot write the metrics", path_);
    }
    done += static_cast<std::size_t>(n);
  }
  size_ += line.size();
}

void MetricsLog::append(std::string_view kind, std::initializer_list<std::pair<std::string_view, double>> values) {
  nlohmann::ordered_json j;
  j["kind"] = std::string(kind);
  for (const auto& [name, value] : values) {
    auto& slot = j[std::string(name)];
    if (std::isfinite(value)) slot = value;
  }
  append(j.dump());
}

void MetricsLog::truncate(std::uint64_t size) {
  if (size > size_)
    throw data_error("the metrics end at byte " + std::to_string(size_) + ", but the checkpoint was made at " + std::to_string(size),
                     path_.string(), "The file was changed; start the run anew");
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) throw failed("cannot cut the metrics", path_);
  size_ = size;
}

}  // namespace apical::recipe
