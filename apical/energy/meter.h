#pragma once
// Joules measured by the processor itself (RAPL), where the system lets us read them.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace apical::energy {

/// Energy of all processor packages, everything else that runs on them included. Counters are read from
/// <root>/intel-rapl:<n>/energy_uj (also AMD's), microjoules that wrap at max_energy_range_uj.
class Meter {
 public:
  explicit Meter(const std::filesystem::path& root = "/sys/class/powercap");
  bool available() const noexcept { return !packages_.empty(); }
  const std::string& reason() const noexcept { return reason_; }  ///< why it is not available
  void start();
  /// Joules since start(); nothing when not available. At most one wrap of each counter is seen (about a minute at full load).
  std::optional<double> joules() const;

 private:
  struct Package {
    std::filesystem::path counter;
    std::uint64_t range = 0, first = 0;
  };
  std::vector<Package> packages_;
  std::string reason_;
};

}  // namespace apical::energy
