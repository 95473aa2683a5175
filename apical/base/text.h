#pragma once
// Small text helpers: did-you-mean and human-readable quantities.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace apical {

/// The candidate nearest to `word` by edit distance (transpositions count one), or "" when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
/// "Did you mean 'x'?" or, when nothing is near, "Known: a, b, c."
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// The whole of `text` as a number in decimal; nothing when it is not one, or not one of this type.
template <class T>
std::optional<T> as_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator);
/// A number in at most `digits` significant digits, without trailing zeros: 0.99, 1.2e-09.
std::string number(double value, int digits = 4);
/// With an SI prefix: si(2.5e-9, "J") == "2.5 nJ".
std::string si(double value, std::string_view unit, int digits = 3);
std::string bytes_text(double bytes);      ///< "1.5 MiB"
std::string duration_text(double seconds); ///< "1 h 02 min", "3 min 05 s", "4.2 s"

}  // namespace apical
