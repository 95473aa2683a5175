#pragma once
// metrics.jsonl: one JSON object a line, appended as training goes on.
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace apical::recipe {

/// A checkpoint records size(); a resume calls truncate(recorded size), so that lines written after the checkpoint are not doubled.
class MetricsLog {
 public:
  /// Opens for appending (creates); data error when that is not possible. With `keep` false an old file is emptied.
  explicit MetricsLog(std::filesystem::path path, bool keep = false);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  /// One line; `object` is the text of one JSON object without line ends (usage of nlohmann: json.dump()).
  void append(std::string_view object);
  /// {"kind": kind, name: value, ...}; values that are not finite become null.
  void append(std::string_view kind, std::initializer_list<std::pair<std::string_view, double>> values);
  std::uint64_t size() const noexcept { return size_; }  ///< bytes
  /// Cuts the file; data error when it is shorter than `size`.
  void truncate(std::uint64_t size);
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace apical::recipe
