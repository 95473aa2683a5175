#pragma once
// What a simulated circuit did: figures for people, for programs, and as a report.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apical/brain/description.h"
#include "apical/brain/statistics.h"

namespace apical::brain {

struct Outcome {
  struct Of {
    double rate = 0;                   ///< Hz: all spikes of all neurons from 0 on
    std::optional<Activity> recorded;  ///< of its first spike record, from [analysis] start on
  };
  std::vector<Of> populations;
  double real_time_factor = 0;  ///< wall time over simulated time, since the checkpoint if there was one
  double events_per_s = 0;      ///< synapses that spikes passed, a second of wall time
};
Outcome outcome(const Described& circuit);

/// One JSON document; docs/reference/circuits.md has its keys. `files`: what was written.
std::string to_json(const Described& circuit, const Outcome& outcome, const std::vector<std::filesystem::path>& files);
/// Lines for people.
std::string to_text(const Described& circuit, const Outcome& outcome);
/// A self-contained report.html: raster, rates over time, distributions of rates, CV and correlations, recorded variables.
void write_report(const Described& circuit, const Outcome& outcome, const std::filesystem::path& path, const std::string& command);

}  // namespace apical::brain
