#include "apical/base/units.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "apical/base/error.h"
#include "apical/base/text.h"

namespace apical {
namespace {

struct Named {
  std::string_view name;
  Unit unit;
};
//                            kg  m  s  A  mol K
constexpr Named units[] = {{"s", {{0, 0, 1, 0, 0, 0}}},     {"g", {{1, 0, 0, 0, 0, 0}, -3}}, {"m", {{0, 1, 0, 0, 0, 0}}},
                           {"A", {{0, 0, 0, 1, 0, 0}}},     {"V", {{1, 2, -3, -1, 0, 0}}},   {"F", {{-1, -2, 4, 2, 0, 0}}},
                           {"S", {{-1, -2, 3, 2, 0, 0}}},   {"Ohm", {{1, 2, -3, -2, 0, 0}}}, {"ohm", {{1, 2, -3, -2, 0, 0}}},
                           {"Hz", {{0, 0, -1, 0, 0, 0}}},   {"C", {{0, 0, 1, 1, 0, 0}}},     {"mol", {{0, 0, 0, 0, 1, 0}}},
                           {"M", {{0, -3, 0, 0, 1, 0}, 3}}, {"L", {{0, 3, 0, 0, 0, 0}, -3}}, {"K", {{0, 0, 0, 0, 0, 1}}}};
struct Prefix {
  std::string_view name;
  int ten;
};
constexpr Prefix prefixes[] = {{"f", -15}, {"p", -12}, {"n", -9}, {"u", -6}, {"\u00b5", -6}, {"\u03bc", -6}, {"m", -3},
                               {"c", -2},  {"d", -1},  {"k", 3},  {"M", 6},  {"G", 9},       {"T", 12}};

std::string_view trimmed(std::string_view s) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!s.empty() && blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && blank(s.back())) s.remove_suffix(1);
  return s;
}

std::optional<Unit> one_name(std::string_view name) {
  for (const auto& u : units)
    if (u.name == name) return u.unit;
  for (const auto& p : prefixes) {
    if (name.substr(0, p.name.size()) != p.name) continue;
    for (const auto& u : units)
      if (u.name == name.substr(p.name.size())) return Unit{u.unit.powers, u.unit.ten + p.ten};
  }
  return {};
}

// A name and its power: "um^2". "1" is no unit.
std::optional<Unit> factor(std::string_view text) {
  int power = 1;
  if (const auto hat = text.find('^'); hat != std::string_view::npos) {
    const auto p = as_number<int>(trimmed(text.substr(hat + 1)));
    if (!p || std::abs(*p) > 9) return {};
    power = *p, text = trimmed(text.substr(0, hat));
  }
  if (text == "1") return Unit{};
  auto unit = one_name(text);
  if (!unit) return {};
  for (auto& p : unit->powers) p *= power;
  unit->ten *= power;
  return unit;
}

}  // namespace

std::optional<Unit> parse_unit(std::string_view text) {
  Unit all;
  text = trimmed(text);
  int sign = 1;
  for (bool more = !text.empty(); more;) {
    const auto end = text.find_first_of("*/");
    const auto u = factor(trimmed(text.substr(0, end)));
    if (!u) return {};
    for (std::size_t i = 0; i < all.powers.size(); ++i) all.powers[i] += sign * u->powers[i];
    all.ten += sign * u->ten;
    more = end != std::string_view::npos;
    if (more) sign = text[end] == '/' ? -1 : 1, text.remove_prefix(end + 1);
  }
  return all;
}

double quantity(std::string_view text, std::string_view unit, const std::string& key, const std::string& where) {
  const std::string all(text), wanted(unit);
  const std::string hint =
      unit.empty() ? "It has no unit: write a plain number." : "Write it as \"1 " + wanted + "\", or a plain number of " + wanted + ".";
  text = trimmed(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || std::isnan(value)) throw usage_error("'" + key + "' is no number: '" + all + "'", where, hint);
  const std::string_view given = trimmed(text.substr(static_cast<std::size_t>(end - text.data())));
  if (given.empty() || given == unit) return value;
  const auto is = parse_unit(given), want = parse_unit(unit);
  if (!want) throw internal_error("there is no unit '" + wanted + "'", key);
  if (!is) {
    std::vector<std::string> known;
    for (const char* u : {"s",  "ms", "us", "V",    "mV",   "uV", "A",   "uA", "nA", "pA", "F",  "uF", "nF", "pF", "S",
                          "mS", "uS", "nS", "MOhm", "GOhm", "Hz", "kHz", "M",  "mM", "uM", "nM", "m",  "mm", "um"})
      if (parse_unit(u)->same_kind(*want)) known.emplace_back(u);
    const std::string near = nearest(given, known);
    throw usage_error("'" + key + "' has no known unit: '" + all + "'", where,
                      near.empty() ? hint : "Did you mean '" + near + "'? " + hint);
  }
  if (!is->same_kind(*want))
    throw usage_error("'" + key + "' must be " + (unit.empty() ? "a plain number" : "in " + wanted) + ", not in " + std::string(given),
                      where, hint);
  // a power of ten up to 22 is exact, so that one rounding is all
  const int ten = is->ten - want->ten;
  return ten >= 0 ? value * std::pow(10.0, ten) : value / std::pow(10.0, -ten);
}

}  // namespace apical
