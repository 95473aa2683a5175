#pragma once
// What AEDAT 2.0 and AEDAT 3.1 share: the chips their headers name, and a line of ours for sensors of other sizes.
#include <algorithm>
#include <string>

#include "apical/formats/events/detail.h"

namespace apical::formats::detail {

struct AedatChip {
  const char* name;  // part of the header line, lower case
  bool davis;
  int width, height;
};
inline constexpr AedatChip aedat_chips[] = {{"davis240", true, 240, 180},   {"davis346", true, 346, 260}, {"davis640", true, 640, 480},
                                            {"davis128", true, 128, 128},   {"davis208", true, 208, 192}, {"dvs128", false, 128, 128},
                                            {"tmpdiff128", false, 128, 128}};

inline std::string aedat_lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c); });
  return text;
}

/// The chip that a lower-case header line names, or nullptr.
inline const AedatChip* aedat_chip(const std::string& text) {
  for (const AedatChip& c : aedat_chips)
    if (text.find(c.name) != std::string::npos) return &c;
  return nullptr;
}

inline constexpr const char* aedat_geometry_line = "# Geometry: ";  // other readers take it for a comment
inline std::string aedat_geometry(int width, int height) {
  return aedat_geometry_line + std::to_string(width) + "x" + std::to_string(height) + "\r\n";
}
/// Sets the sensor size to what our line says; leaves it when there is none.
inline void size_from_aedat_geometry(EventInfo& info) {
  const auto limits = largest_sensor(info.format);
  for (const std::string& line : info.header) {
    if (line.rfind(aedat_geometry_line, 0) != 0) continue;
    const std::string size = line.substr(std::string_view(aedat_geometry_line).size());
    const auto cross = size.find('x');
    if (cross == std::string::npos) continue;
    const long w = whole_number(size.substr(0, cross), limits.first), h = whole_number(size.substr(cross + 1), limits.second);
    if (w <= 0 || h <= 0) continue;
    info.width = static_cast<int>(w);
    info.height = static_cast<int>(h);
  }
}

}  // namespace apical::formats::detail
