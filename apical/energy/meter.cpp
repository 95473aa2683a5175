#include "apical/energy/meter.h"

#include <fstream>
#include <system_error>

namespace apical::energy {
namespace {

std::optional<std::uint64_t> read_number(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::uint64_t n = 0;
  if (in >> n) return n;
  return {};
}

}  // namespace

Meter::Meter(const std::filesystem::path& root) {
  bool found = false;
  std::error_code error;
  for (std::filesystem::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    // "intel-rapl:0" is a package; "intel-rapl:0:1" lies inside one.
    if (name.rfind("intel-rapl:", 0) != 0 || name.find(':', 11) != std::string::npos) continue;
    found = true;
    const auto now = read_number(it->path() / "energy_uj"), range = read_number(it->path() / "max_energy_range_uj");
    if (now && range && *range > 0) packages_.push_back({it->path() / "energy_uj", *range, *now});
  }
  if (packages_.empty())
    reason_ =
        found ? "the energy counters (RAPL) may only be read by root" : "this machine shows no energy counters (RAPL) in " + root.string();
}

void Meter::start() {
  for (auto& p : packages_) p.first = read_number(p.counter).value_or(p.first);
}

std::optional<double> Meter::joules() const {
  if (packages_.empty()) return {};
  double sum = 0;
  for (const auto& p : packages_) {
    const auto now = read_number(p.counter);
    if (!now) return {};
    sum += 1e-6 * static_cast<double>(*now >= p.first ? *now - p.first : *now + p.range - p.first);
  }
  return sum;
}

}  // namespace apical::energy
