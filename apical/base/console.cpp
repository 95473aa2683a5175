#include "apical/base/console.h"

#include <algorithm>
#include <cctype>
#include <ctime>

namespace apical {
namespace {

std::string local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &parts);
  return text;
}

}  // namespace

std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '/' || c == '=' || c == ',' || c == ':' || c == '+' || c == '@' ||
           c == '%';
  });
  if (plain) return word;
  std::string s = "'";
  for (const char c : word) s += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return s + "'";
}

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  const auto letters = [](const std::string& s) {  // characters, not bytes
    return static_cast<std::size_t>(
        std::count_if(s.begin(), s.end(), [](char ch) { return (static_cast<unsigned char>(ch) & 0xC0) != 0x80; }));
  };
  std::vector<std::size_t> width(rows[0].size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], letters(row[i]));
  std::string s;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + (i + 1 < row.size() ? std::string(width[i] - letters(row[i]) + 2, ' ') : "");
    s += line + "\n";
  }
  return s;
}

std::filesystem::path new_run_folder(const std::string& of) {
  const std::string name = "runs/" + of + "-" + local_time();
  std::filesystem::path path = name;
  for (int i = 2; std::filesystem::exists(path); ++i) path = name + "-" + std::to_string(i);
  return path;
}

}  // namespace apical
