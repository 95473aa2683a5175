#pragma once
// Physical units in text: "20 ms", "0.1 nA", "1 uF/cm^2".
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace apical {

/// A product of powers of SI base units and of ten.
struct Unit {
  std::array<int, 6> powers{};  ///< of kg, m, s, A, mol, K
  int ten = 0;                  ///< the unit is 10^ten times their product
  bool same_kind(const Unit& other) const noexcept { return powers == other.powers; }
};
/// s g m A V F S Ohm Hz C mol M L K with the prefixes f p n u m c d k M G T, joined by * and /, with powers: "mV/ms", "1/s", "um^2",
/// "ms^-1".
/// "" is the unit of plain numbers. Nothing when `text` is none of these.
std::optional<Unit> parse_unit(std::string_view text);

/// The number of `unit` that `text` is: quantity("0.1 s", "ms", ...) == 100. A number without unit is one of `unit`.
/// Usage error that names `key`: no number, no unit, a unit of another kind.
double quantity(std::string_view text, std::string_view unit, const std::string& key, const std::string& where = {});

}  // namespace apical
