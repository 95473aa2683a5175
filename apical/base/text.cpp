#include "apical/base/text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace apical {
namespace {

// Damerau-Levenshtein distance with adjacent transpositions.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& c : candidates)
    if (const std::size_t d = edit_distance(word, c); d < best_distance) {
      best_distance = d;
      best = c;
    }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  if (const std::string near = nearest(word, candidates); !near.empty()) return "Did you mean '" + near + "'?";
  return candidates.empty() ? std::string() : "Known: " + join(candidates, ", ") + ".";
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string s;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i) s += separator;
    s += parts[i];
  }
  return s;
}

std::string number(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
  return buffer;
}

std::string si(double value, std::string_view unit, int digits) {
  static constexpr const char* prefix[] = {"f", "p", "n", "u", "m", "", "k", "M", "G", "T", "P"};
  int e = value == 0 ? 0 : static_cast<int>(std::floor(std::log10(std::abs(value)) / 3));
  e = std::clamp(e, -5, 5);
  // 999.96 rounds to 1000 in three digits: then the next prefix says it better
  if (e < 5 && std::strtod(number(std::abs(value) / std::pow(1000.0, e), digits).c_str(), nullptr) >= 1000) ++e;
  return number(value / std::pow(1000.0, e), digits) + " " + prefix[e + 5] + std::string(unit);
}

std::string bytes_text(double bytes) {
  static constexpr const char* unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int e = 0;
  while (bytes >= 1024 && e < 4) bytes /= 1024, ++e;
  return number(bytes, 4) + " " + unit[e];
}

std::string duration_text(double seconds) {
  char buffer[64];
  if (seconds < 59.95) {
    std::snprintf(buffer, sizeof buffer, "%.1f s", seconds);
    return buffer;
  }
  const long total = std::lround(seconds);
  if (total < 3600)
    std::snprintf(buffer, sizeof buffer, "%ld min %02ld s", total / 60, total % 60);
  else
    std::snprintf(buffer, sizeof buffer, "%ld h %02ld min", total / 3600, total / 60 % 60);
  return buffer;
}

}  // namespace apical
